//! ListKeys and ListAliases: whole, by pages, and with markers that lead nowhere.

use super::Scene;
use crate::support::aws::{error, good, refused_as};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn lists_are_whole_by_pages_of_any_size() {
    let scene = Scene::start().await;
    let none = scene.admin.raw.call("ListKeys", &json!({})).await.ok();
    assert_eq!(none, json!({"Keys": [], "Truncated": false}));
    let none = scene.admin.raw.call("ListAliases", &json!({})).await.ok();
    assert_eq!(none, json!({"Aliases": [], "Truncated": false}));

    let ids: Vec<_> = join_all((0..101).map(|_| scene.admin.new_key_id())).await;
    let (kms, expected) = (&scene.admin.kms, ids.iter().cloned().collect::<BTreeSet<_>>());
    good(kms.disable_key().key_id(&ids[0]).send().await);
    good(kms.schedule_key_deletion().key_id(&ids[1]).send().await);
    for limit in [1, 2, 50, 100, 101, 1000] {
        let (mut found, mut marker, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = good(kms.list_keys().limit(limit).set_marker(marker).send().await);
            assert_eq!(page.truncated, page.next_marker.is_some());
            assert!(page.keys().len() <= usize::try_from(limit).unwrap());
            for key in page.keys() {
                assert_eq!(key.key_arn(), Some(scene.arn(key.key_id().unwrap()).as_str()));
                found.push(key.key_id().unwrap().to_owned());
            }
            marker = page.next_marker;
            pages += 1;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(
            (found.len(), found.iter().cloned().collect::<BTreeSet<_>>()),
            (101, expected.clone()),
            "by {limit}"
        );
        assert_eq!(pages, (101 + limit - 1) / limit, "by {limit}");
    }
    let page = good(kms.list_keys().send().await);
    assert_eq!((page.keys().len(), page.truncated), (100, true), "the default page");
    aliases_come_100_at_a_time(&scene, &ids[2..]).await;
    bad_pages_are_refused(&scene, page.next_marker().unwrap()).await;
    every_list_refuses_markers_of_others(&scene, page.next_marker().unwrap(), &ids[2]).await;
}

/// The model takes limits up to 1000; pages of aliases have 100 at most.
async fn aliases_come_100_at_a_time(scene: &Scene, ids: &[String]) {
    let kms = &scene.admin.kms;
    let names: Vec<_> = (0..103).map(|number| format!("alias/many/{number:03}")).collect();
    let made = names.iter().zip(ids.iter().cycle());
    join_all(made.map(async |(name, id)| good(kms.create_alias().alias_name(name).target_key_id(id).send().await)))
        .await;
    for (limit, pages) in [(None, 3), (Some(1000), 2), (Some(100), 2), (Some(103), 2), (Some(40), 3)] {
        let (mut found, mut marker, mut counted) = (BTreeSet::new(), None, 0);
        loop {
            let page = good(kms.list_aliases().set_limit(limit).set_marker(marker).send().await);
            found.extend(page.aliases().iter().map(|alias| alias.alias_name().unwrap().to_owned()));
            counted += 1;
            marker = page.next_marker;
            assert_eq!(page.truncated, marker.is_some());
            if marker.is_none() {
                break;
            }
        }
        assert_eq!((found, counted), (names.iter().cloned().collect(), pages), "by {limit:?}");
    }
}

async fn bad_pages_are_refused(scene: &Scene, marker: &str) {
    let kms = &scene.admin.kms;
    let mut changed = marker.to_owned().into_bytes();
    let middle = changed.len() / 2;
    changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for bad in ["x", "AAAA", "====", "\u{e9}", &marker[1..], &marker[..marker.len() - 1], changed.as_str()] {
        refused_as(kms.list_keys().marker(bad).send().await, "InvalidMarkerException");
        refused_as(kms.list_aliases().marker(bad).send().await, "InvalidMarkerException");
    }
    for operation in ["ListKeys", "ListAliases"] {
        for limit in [0, -1, 1001, i32::MAX] {
            let answer = scene.admin.raw.call(operation, &json!({"Limit": limit})).await;
            assert_eq!(error(&answer).0, "ValidationException", "{operation} {limit}");
        }
        for bad in [json!({"Marker": ""}), json!({"Marker": "a".repeat(1025)}), json!({"Marker": "\u{416}"})] {
            let answer = scene.admin.raw.call(operation, &bad).await;
            assert_eq!(error(&answer).0, "ValidationException", "{operation} {bad}");
        }
    }
    for owners in [json!([]), json!(["SOMEBODY"]), json!(["SELF", "OTHER_ACCOUNTS_VIA_RAM", "SELF"])] {
        let answer = scene.admin.raw.call("ListKeys", &json!({"ResourceOwners": owners})).await;
        assert_eq!(error(&answer).0, "ValidationException", "{owners}");
    }
}

/// A marker leads on in the list that handed it out and nowhere else.
async fn every_list_refuses_markers_of_others(scene: &Scene, of_keys: &str, id: &str) {
    let call = async |operation: &str, body: Value| scene.admin.raw.call(operation, &body).await;
    for name in ["alias/l/1", "alias/l/2"] {
        assert_eq!(call("CreateAlias", json!({"AliasName": name, "TargetKeyId": id})).await.status, 200);
    }
    let tags = json!([{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": ""}]);
    assert_eq!(call("TagResource", json!({"KeyId": id, "Tags": tags})).await.status, 200);
    for _ in 0..2 {
        call("RotateKeyOnDemand", json!({"KeyId": id})).await.ok();
    }
    let lists = [
        ("ListKeys", json!({})),
        ("ListAliases", json!({})),
        ("ListAliases", json!({"KeyId": id})),
        ("ListResourceTags", json!({"KeyId": id})),
        ("ListKeyRotations", json!({"KeyId": id})),
    ];
    let mut markers = Vec::new();
    for (operation, body) in &lists {
        let mut body = body.clone();
        body["Limit"] = json!(1);
        let page = call(operation, body).await.ok();
        assert_eq!(page["Truncated"], true, "{operation}");
        markers.push(page["NextMarker"].clone());
    }
    markers.push(json!(of_keys));
    for (at, (operation, body)) in lists.iter().enumerate() {
        for (from, marker) in markers.iter().enumerate() {
            let mut body = body.clone();
            body["Marker"] = marker.clone();
            let answer = call(operation, body).await;
            // The last of the markers is another one of the first list.
            if from == at || (operation, from) == (&"ListKeys", lists.len()) {
                answer.ok();
            } else {
                assert_eq!(error(&answer).0, "InvalidMarkerException", "{operation} with marker {from}");
            }
        }
    }
}
