//! What the log of a real server says of changes of rights, and of attempts to get in.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use crate::support::aws::AccessKey;
use crate::support::ncloud::{Ncloud, data};
use crate::support::{Dev, Home};
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const SOMEBODY: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

fn home() -> Home {
    Home::new().with("CLAVIGER_LOG__FORMAT", "json")
}

/// The lines with this message, once there are `count`.
async fn lines(home: &Home, message: &str, count: usize) -> Vec<Value> {
    let written = async {
        loop {
            let log = home.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found: Vec<_> = lines.filter(|line| line["message"] == message).collect();
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap()
}

fn binding(role: &str, id: &str) -> Value {
    json!({ "roleId": role, "subject": { "id": id, "type": "serviceAccount" } })
}

async fn administrator(dev: &Dev) -> Value {
    dev.rest().get("/claviger/v1/whoami").await.ok()["principal"]["id"].clone()
}

#[tokio::test]
async fn a_change_of_bindings_is_logged_with_who_made_it_where_and_what_came_and_went() {
    let home = home();
    let dev = home.start().await;
    let rest = dev.rest();
    let by = administrator(&dev).await;
    let folder = dev.folder();
    let key =
        rest.post("/kms/v1/keys", &json!({ "folderId": folder, "defaultAlgorithm": "AES_256" })).await.ok()["response"]
            ["id"]
            .clone();
    let key = key.as_str().unwrap();
    let first = json!({ "accessBindings": [binding("kms.viewer", SOMEBODY), binding("kms.editor", "x y")] });
    let second = json!({ "accessBindings": [binding("kms.viewer", SOMEBODY), binding("kms.auditor", SOMEBODY)] });
    rest.post(&format!("/claviger/v1/folders/{folder}:setAccessBindings"), &first).await.ok();
    rest.post(&format!("/claviger/v1/folders/{folder}:setAccessBindings"), &second).await.ok();
    rest.post(&format!("/kms/v1/keys/{key}:setAccessBindings"), &first).await.ok();

    let lines = lines(&home, "access bindings changed", 3).await;
    let [one, two, three] = lines.as_slice() else { unreachable!("{lines:?}") };
    let both = format!("kms.viewer serviceAccount:{SOMEBODY}, kms.editor serviceAccount:\"x y\"");
    assert_eq!((&one["by"], &one["target"]), (&by, &json!("claviger::access")));
    assert_eq!((&one["resource"], &one["added"]), (&json!(format!("folder {folder}")), &json!(both)));
    assert_eq!((&one["added_count"], &one["removed_count"]), (&json!(2), &json!(0)));
    assert_eq!(two["added"], format!("kms.auditor serviceAccount:{SOMEBODY}"));
    assert_eq!(two["removed"], "kms.editor serviceAccount:\"x y\"");
    assert_eq!((&three["resource"], &three["added"]), (&json!(format!("key {key}")), &json!(both)));
}

#[tokio::test]
async fn folders_principals_and_credentials_are_logged_without_their_secrets() {
    let home = home();
    let dev = home.start().await;
    let rest = dev.rest();
    let by = administrator(&dev).await;
    let folder = rest.post("/claviger/v1/folders", &json!({ "name": "f" })).await.ok()["id"].clone();
    let account = json!({ "folderId": folder, "type": "serviceAccount", "name": "n" });
    let principal = rest.post("/claviger/v1/principals", &account).await.ok()["id"].clone();
    let path = format!("/claviger/v1/principals/{}", principal.as_str().unwrap());
    let issued = rest.post(&format!("{path}/credentials"), &json!({ "type": "apiToken" })).await.ok();
    let credential = issued["credential"]["id"].clone();
    rest.post(&format!("/claviger/v1/credentials/{}:revoke", credential.as_str().unwrap()), &json!({})).await.ok();
    rest.delete(&path).await.ok();

    for (message, field, value) in [
        ("folder created", "folder", &folder),
        ("principal created", "principal", &principal),
        ("credential issued", "credential", &credential),
        ("credential revoked", "credential", &credential),
        ("principal deleted", "principal", &principal),
    ] {
        let lines = lines(&home, message, 1).await;
        let line = lines.iter().find(|line| line[field] == *value).unwrap();
        assert_eq!((&line["by"], &line["target"]), (&by, &json!("claviger::access")), "{line}");
        assert_eq!(line["folder"], folder, "{line}");
    }
    let secret = issued["secret"].as_str().unwrap();
    assert!(!home.log().contains(secret));
}

#[tokio::test]
async fn address_lists_and_tokens_of_keys_are_logged_without_the_tokens() {
    let home = home();
    let dev = home.start().await;
    let by = administrator(&dev).await;
    let pair =
        AccessKey { id: dev.credential("NCP_ACCESS_KEY").into(), secret: dev.credential("NCP_SECRET_KEY").into() };
    let caller = Ncloud::new(dev.credential("CLAVIGER_ENDPOINT"), &pair);
    let body = json!({ "keyName": "logged", "keyType": "AES256", "protectionType": "BASIC" });
    let tag = data(&caller.post("/kms/v1/keys", &body).await)["keyTag"].as_str().unwrap().to_owned();
    let (path, key) = (format!("/kms/v1/keys/{tag}"), tag.parse::<uuid::Uuid>().unwrap());
    data(&caller.post(&format!("{path}/acl"), &json!({ "ipList": ["192.0.2.2", "127.0.0.1"] })).await);
    data(&caller.act(&format!("{path}/acl/enable")).await);
    data(&caller.call("DELETE", &format!("{path}/acl"), Some(&json!({ "ipList": ["192.0.2.2"] }))).await);
    data(&caller.act(&format!("{path}/token-generator")).await);
    let set = data(&caller.act(&format!("{path}/token-set")).await);
    let refresh = caller.with_token(set["refreshToken"].as_str().unwrap());
    data(&refresh.act(&format!("{path}/access-token")).await);
    data(&caller.call("PUT", &format!("{path}/token-generator"), None).await);
    data(&caller.delete(&format!("{path}/token-generator")).await);

    let lists = lines(&home, "address list changed", 3).await;
    let of =
        |line: &Value| ["enabled", "added", "removed", "added_count", "removed_count"].map(|name| line[name].clone());
    assert_eq!(of(&lists[0]), [json!(false), json!("127.0.0.1, 192.0.2.2"), json!(""), json!(2), json!(0)]);
    assert_eq!(of(&lists[1]), [json!(true), json!(""), json!(""), json!(0), json!(0)]);
    assert_eq!(of(&lists[2]), [json!(true), json!(""), json!("192.0.2.2"), json!(0), json!(1)]);
    let generators = lines(&home, "token generator changed", 3).await;
    let (first, second) = (&generators[0]["generator"], &generators[1]["generator"]);
    assert!(first.is_string() && second.is_string() && first != second && generators[0]["ended"].is_null());
    assert_eq!((&generators[1]["ended"], &generators[2]["ended"]), (first, second));
    assert!(generators[2]["generator"].is_null());
    let issued = lines(&home, "key tokens issued", 2).await;
    let of = |line: &Value| (line["count"].clone(), line["renewed"].clone(), line["generator"].clone());
    assert_eq!(of(&issued[0]), (json!(2), json!(false), first.clone()));
    assert_eq!(of(&issued[1]), (json!(1), json!(true), first.clone()));
    assert_eq!(issued[0]["credential"], issued[1]["credential"], "tokens end with the credential of the first");
    for line in lists.iter().chain(&generators).chain(&issued) {
        assert_eq!((&line["by"], &line["target"]), (&by, &json!("claviger::access")), "{line}");
        assert_eq!(line["resource"], format!("key {key}"), "{line}");
    }
    assert!(!home.log().contains("clvk1_"));
}

#[tokio::test]
async fn a_refused_caller_is_logged_with_its_address() {
    let home = home();
    let dev = home.start().await;
    let refused = dev.rest().with_token("wrong").get("/claviger/v1/whoami").await;
    assert_eq!(refused.status, 401);
    let lines = lines(&home, "request", 1).await;
    let line = lines.iter().find(|line| line["code"] == 401).unwrap();
    assert_eq!((&line["source"], &line["principal"]), (&json!("127.0.0.1"), &Value::Null), "{line}");
}
