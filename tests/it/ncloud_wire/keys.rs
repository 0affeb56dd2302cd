//! Keys: made, shown, switched, and what is said of requests that are none.

use super::shapes::shape;
use super::{NOBODY, Scene, path, tag};
use crate::support::client::text;
use crate::support::ncloud::{Draft, data, now, refused};
use serde_json::{Value, json};

const KEYS: &str = "/kms/v1/keys";

#[tokio::test]
async fn operations_on_keys_answer_what_is_documented() {
    let scene = Scene::start().await;
    tokio::join!(
        a_new_key_is_shown_whole(&scene),
        a_new_key_has_what_was_asked_for(&scene),
        members_may_be_absent_or_null(&scene),
        members_of_a_new_key_are_validated(&scene),
        a_body_is_one_object(&scene),
        a_key_is_switched_off_and_on(&scene),
        a_memo_is_set(&scene),
        only_tags_name_keys(&scene),
        uses_are_not_recorded(&scene),
    );
}

fn new(members: &Value) -> Value {
    let mut body = json!({"keyName": "unused", "keyType": "AES256", "protectionType": "BASIC"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

async fn a_new_key_is_shown_whole(scene: &Scene) {
    let before = now();
    let made = data(&scene.admin.post(KEYS, &new(&json!({"keyName": "Whole_key-1"}))).await);
    assert!((before - 1..=now()).contains(&made["registerDate"].as_i64().unwrap()), "{made}");
    let (tag, nrn, base_url) = (text(&made["keyTag"]), text(&made["nrn"]), text(&made["baseUrl"]));
    let folder = scene.rest.get(&format!("/claviger/v1/folders/{}", scene.dev.folder())).await.ok();
    let place = format!(":{}:Key/{tag}", text(&folder["accountId"]));
    assert!(nrn.starts_with("nrn:CLAVIGER:KMS:") && nrn.ends_with(&place), "{nrn}");
    assert!(base_url.starts_with("https://") && !base_url.ends_with('/'), "{base_url}");
    assert_eq!(
        shape(&made),
        json!({
            "keyId": "INT", "keyTag": "TAG", "keyName": "Whole_key-1", "keyType": "AES256", "status": "ENABLE",
            "keystoreId": "INT", "currentVersion": 1, "protectionType": "BASIC", "memo": "", "isConvergent": false,
            "isAutoRotation": false, "rotationPeriod": 0, "nextRotationDate": null, "registerDate": "MS",
            "destroyDate": null, "nrn": nrn, "baseUrl": base_url,
        })
    );
    assert_eq!(data(&scene.admin.get(&path(&tag)).await), made, "the key is shown as it was made");
}

async fn a_new_key_has_what_was_asked_for(scene: &Scene) {
    let asked = json!({
        "keyName": scene.name(), "protectionType": "COMMON_HSM", "memo": "of the cellar", "isAutoRotation": true,
        "rotationPeriod": 7, "isConvergent": false,
    });
    let made = data(&scene.admin.post(KEYS, &new(&asked)).await);
    for (name, value) in asked.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }
    let convergent = data(&scene.admin.post(KEYS, &new(&json!({"keyName": scene.name(), "isConvergent": true}))).await);
    assert_eq!(convergent["isConvergent"], true);
    let [one, other] = [made, convergent].map(|key| key["keystoreId"].clone());
    assert_eq!(one, other, "keys of one folder have one keystore");
}

async fn members_may_be_absent_or_null(scene: &Scene) {
    for members in [
        json!({"memo": null}),
        json!({"memo": ""}),
        json!({"memo": "\u{d55c}".repeat(100)}),
        json!({"memo": "\u{1f511}".repeat(100)}),
        json!({"isConvergent": null, "isAutoRotation": null, "rotationPeriod": null}),
        json!({"rotationPeriod": 730}),
        json!({"unknown": {"member": [1]}, "KeyName": 7}),
    ] {
        let mut body = new(&members);
        body["keyName"] = json!(scene.name());
        let made = data(&scene.admin.post(KEYS, &body).await);
        assert_eq!(made["memo"], body["memo"].as_str().unwrap_or_default());
        assert_eq!((&made["isAutoRotation"], &made["rotationPeriod"]), (&json!(false), &json!(0)), "{body}");
    }
}

/// Members with values that no key can have.
const WRONG: [(&str, &[&str]); 7] = [
    (
        "keyName",
        &[
            "null",
            "7",
            "true",
            "[]",
            "{}",
            r#""""#,
            r#""ab""#,
            r#""a234567890123456""#,
            r#""1abc""#,
            r#""-abc""#,
            r#""_abc""#,
            r#""a b""#,
            r#""ab.c""#,
            r#"" abc""#,
            r#""abc\n""#,
            r#""abc\u0000""#,
            r#""k\u043b\u044e\u0447""#,
            r#"["abc"]"#,
        ],
    ),
    ("keyType", &["null", "1", r#""""#, r#""aes256""#, r#""AES""#, r#""AES128""#, r#""RSA2048""#, r#""ECDSA""#]),
    ("protectionType", &["null", "1", r#""""#, r#""basic""#, r#""HSM""#, r#""COMMON_HSM ""#]),
    ("memo", &["7", "true", "[]", "{}"]),
    ("isConvergent", &["0", "1", r#""true""#, "[]", "{}"]),
    ("isAutoRotation", &["0", "1", r#""true""#, "[]", "{}"]),
    ("rotationPeriod", &["0", "731", "-1", "1.5", "9223372036854775808", r#""90""#, "true", "[]"]),
];

async fn members_of_a_new_key_are_validated(scene: &Scene) {
    for (member, values) in WRONG {
        for value in values {
            let value: Value = serde_json::from_str(value).unwrap();
            let answer = scene.admin.post(KEYS, &new(&json!({member: value}))).await;
            let text = refused(&answer, 400, "INVALID_REQUEST");
            assert!(text.starts_with("Invalid request: ") && text.contains(member), "{member} {value}: {text}");
        }
    }
    for member in ["keyName", "keyType", "protectionType"] {
        let mut body = new(&json!({}));
        body.as_object_mut().unwrap().remove(member);
        let text = refused(&scene.admin.post(KEYS, &body).await, 400, "INVALID_REQUEST");
        assert_eq!(text, format!("Invalid request: {member} is required"));
    }
    let long = refused(&scene.admin.post(KEYS, &new(&json!({"memo": "m".repeat(101)}))).await, 400, "INVALID_REQUEST");
    assert!(long.contains("memo") && long.contains("100"), "{long}");
    for key_type in ["RSA2048", "ECDSA"] {
        let text = refused(&scene.admin.post(KEYS, &new(&json!({"keyType": key_type}))).await, 400, "INVALID_REQUEST");
        assert!(text.contains(key_type) && text.contains("not served"), "{text}");
    }
    let both = new(&json!({"isConvergent": true, "protectionType": "COMMON_HSM"}));
    let text = refused(&scene.admin.post(KEYS, &both).await, 400, "INVALID_REQUEST");
    assert!(text.contains("isConvergent") && text.contains("BASIC"), "{text}");
}

async fn a_body_is_one_object(scene: &Scene) {
    let valid = new(&json!({"keyName": "not-made"})).to_string();
    for body in [
        "[]".to_owned(),
        "7".into(),
        "null".into(),
        "\"text\"".into(),
        "{".into(),
        "keyName=abc&keyType=AES256".into(),
        format!("{valid}x"),
        format!("{valid}{valid}"),
        format!("\u{feff}{valid}"),
        valid.replacen('{', r#"{"keyType":"AES256","#, 1),
        valid.replacen('{', r#"{"other":1,"other":2,"#, 1),
        valid.replacen('{', &format!(r#"{{"other":{}{},"#, "[".repeat(10_000), "]".repeat(10_000)), 1),
    ] {
        let draft = Draft { body: Some(body.clone().into_bytes()), ..Draft::of("POST", KEYS, None) };
        let answer = scene.admin.send(draft.signed(&scene.key, now())).await;
        let text = refused(&answer, 400, "INVALID_REQUEST");
        assert!(text.contains("JSON"), "{text}: {}", body.chars().take(100).collect::<String>());
    }
    let empty = scene.admin.act(KEYS).await;
    assert_eq!(refused(&empty, 400, "INVALID_REQUEST"), "Invalid request: keyName is required");
}

async fn a_key_is_switched_off_and_on(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    for (action, status) in [("disable", "DISABLE"), ("enable", "ENABLE")] {
        let before = now();
        let answer = data(&scene.admin.act(&format!("{key}/{action}")).await);
        assert!((before - 1..=now()).contains(&answer["statusDate"].as_i64().unwrap()), "{answer}");
        assert_eq!(answer["keyTag"], tag(&key));
        assert_eq!(shape(&answer), json!({"keyTag": "TAG", "status": status, "statusDate": "MS"}));
        assert_eq!(data(&scene.admin.get(&key).await)["status"], status);
    }
}

async fn a_memo_is_set(scene: &Scene) {
    let key = scene.new_key_with(json!({"memo": "before"})).await;
    let set = format!("{key}/memo");
    for memo in ["after", "", &"\u{d55c}".repeat(100)] {
        let answer = data(&scene.admin.put(&set, &json!({"memo": memo})).await);
        assert_eq!(answer, json!({"keyTag": tag(&key), "memo": memo}));
        assert_eq!(data(&scene.admin.get(&key).await)["memo"], memo);
    }
    for (body, expected) in [
        (json!({}), "memo is required"),
        (json!({"memo": null}), "memo is required"),
        (json!({"memo": 7}), "memo must be a string"),
        (json!({"memo": "m".repeat(101)}), "memo must be at most 100 characters long"),
    ] {
        let text = refused(&scene.admin.put(&set, &body).await, 400, "INVALID_REQUEST");
        assert_eq!(text, format!("Invalid request: {expected}"));
    }
}

async fn only_tags_name_keys(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let known = tag(&key);
    let other_forms = [super::key_id(&key), known.to_uppercase(), known[..31].to_owned(), format!("{known}0")];
    for other in [NOBODY, "x", "", "%00", "%20"].into_iter().map(str::to_owned).chain(other_forms) {
        let text = refused(&scene.admin.get(&path(&other)).await, 404, "NOT_FOUND");
        assert_eq!(text, "Not found: there is no key with this keyTag", "{other}");
    }
}

async fn uses_are_not_recorded(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    for what in ["activities?pageNo=1", "last-use-info"] {
        let text = refused(&scene.admin.get(&format!("{key}/{what}")).await, 501, "NOT_IMPLEMENTED");
        assert!(text.contains("not recorded"), "{text}");
        refused(&scene.admin.get(&format!("{}/{what}", path(NOBODY))).await, 404, "NOT_FOUND");
    }
}
