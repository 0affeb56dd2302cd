//! What the log of a real server says of changes of rights, and of attempts to get in.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

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
async fn a_refused_caller_is_logged_with_its_address() {
    let home = home();
    let dev = home.start().await;
    let refused = dev.rest().with_token("wrong").get("/claviger/v1/whoami").await;
    assert_eq!(refused.status, 401);
    let lines = lines(&home, "request", 1).await;
    let line = lines.iter().find(|line| line["code"] == 401).unwrap();
    assert_eq!((&line["source"], &line["principal"]), (&json!("127.0.0.1"), &Value::Null), "{line}");
}
