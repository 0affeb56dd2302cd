//! The list of keys, page by page.

use super::shapes::shape;
use super::{Scene, tag};
use crate::support::ncloud::{Ncloud, data, refused};
use serde_json::{Value, json};

#[tokio::test]
async fn keys_are_listed_newest_first_in_pages() {
    let scene = Scene::start().await;
    let before = whole(&scene.admin, "").await["data"]["totalCount"].as_u64().unwrap();
    let mut tags = Vec::new();
    for _ in 0..5 {
        tags.insert(0, tag(&scene.new_key("BASIC").await).to_owned());
    }
    entries_are_documented(&scene, &tags).await;
    pages_join_to_the_whole(&scene, &tags, before + 5).await;
    numbers_of_pages_are_validated(&scene).await;
    deleted_keys_are_listed_until_they_are_gone(&scene, before + 5).await;
}

/// The whole answer, after the things that hold for each.
async fn whole(caller: &Ncloud, query: &str) -> Value {
    let answer = caller.get(&format!("/kms/v1/keys{query}")).await;
    let (json, data) = (answer.json(), data(&answer));
    assert_eq!(data["keyList"], data["KeyList"], "entries are under both names");
    for count in ["currentPageNo", "totalPageNo", "totalCount"] {
        assert!(json[count].is_u64() && json[count] == data[count], "{count}: {json}");
    }
    json
}

fn listed(whole: &Value) -> Vec<String> {
    let entries = whole["data"]["keyList"].as_array().unwrap();
    entries.iter().map(|entry| entry["keyTag"].as_str().unwrap().to_owned()).collect()
}

fn counts(whole: &Value) -> [u64; 3] {
    ["currentPageNo", "totalPageNo", "totalCount"].map(|name| whole[name].as_u64().unwrap())
}

async fn entries_are_documented(scene: &Scene, tags: &[String]) {
    let whole = whole(&scene.admin, "").await;
    assert_eq!(listed(&whole)[..5], *tags, "the newest is first");
    let first = &whole["data"]["keyList"][0];
    let name = first["keyName"].clone();
    assert_eq!(
        shape(first),
        json!({
            "keyId": "INT", "keyTag": "TAG", "keyName": name, "keyType": "AES256", "status": "ENABLE",
            "protectionType": "BASIC", "isConvergent": false, "registerDate": "MS", "destroyDate": null,
        })
    );
    let key = data(&scene.admin.get(&super::path(&tags[0])).await);
    for (member, value) in first.as_object().unwrap() {
        assert_eq!(key[member], *value, "{member}");
    }
}

async fn pages_join_to_the_whole(scene: &Scene, tags: &[String], total: u64) {
    let all = listed(&whole(&scene.admin, "?pageSize=200").await);
    assert_eq!((all.len() as u64, &all[..5]), (total, tags));
    for size in [1, 2, 3, 200] {
        let pages = total.div_ceil(size);
        let mut joined = Vec::new();
        for page in 1..=pages {
            let found = whole(&scene.admin, &format!("?pageNo={page}&pageSize={size}")).await;
            assert_eq!(counts(&found), [page, pages, total]);
            joined.extend(listed(&found));
        }
        assert_eq!(joined, all, "{size}");
        for beyond in [pages + 1, u64::from(u32::MAX)] {
            let found = whole(&scene.admin, &format!("?pageSize={size}&pageNo={beyond}")).await;
            assert_eq!((counts(&found), listed(&found).len()), ([beyond, pages, total], 0));
        }
    }
    for query in ["?", "?&", "?pageNo=1", "?pageSize=100&other=x&other=y", "?responseFormatType=json", "?pageno=0"] {
        assert_eq!(listed(&whole(&scene.admin, query).await), all, "{query}");
    }
}

async fn numbers_of_pages_are_validated(scene: &Scene) {
    let bad_values = [
        "",
        "0",
        "-1",
        "%2B1",
        "+1",
        "1.0",
        "x",
        "1%20",
        "%201",
        "1e1",
        "0x1",
        "%31",
        "4294967296",
        "99999999999999999999",
    ];
    for name in ["pageNo", "pageSize"] {
        let mut queries: Vec<_> = bad_values.iter().map(|value| format!("?{name}={value}")).collect();
        queries.push(format!("?{name}=1&{name}=1"));
        for query in queries {
            let text = refused(&scene.admin.get(&format!("/kms/v1/keys{query}")).await, 400, "INVALID_REQUEST");
            assert!(text.contains(name), "{query}: {text}");
        }
    }
    refused(&scene.admin.get("/kms/v1/keys?pageSize=201").await, 400, "INVALID_REQUEST");
}

async fn deleted_keys_are_listed_until_they_are_gone(scene: &Scene, total: u64) {
    let key = scene.new_key("BASIC").await;
    let requested = data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    let found = whole(&scene.admin, "?pageSize=1").await;
    let entry = &found["data"]["keyList"][0];
    assert_eq!((&entry["keyTag"], &entry["status"]), (&json!(tag(&key)), &json!("REVOKE")));
    assert!(entry["destroyDate"].as_i64() > requested["statusDate"].as_i64(), "{entry}");
    assert_eq!(counts(&found)[2], total + 1);
    data(&scene.admin.delete(&key).await);
    let found = whole(&scene.admin, "?pageSize=200").await;
    assert!(!listed(&found).contains(&tag(&key).to_owned()));
    assert_eq!(counts(&found)[2], total);
}
