//! The access key pair of credentials.env: kept as long as it is valid, whatever happens to the token beside it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use super::{key_list_status, mode};
use crate::support::{Dev, Home};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "CLAVIGER_TOKEN";

type Pair = (String, String);

fn pair(dev: &Dev) -> Pair {
    (dev.credential(ID).to_owned(), dev.credential(SECRET).to_owned())
}

/// The id of the administrator.
async fn administrator(dev: &Dev) -> String {
    let me = dev.rest().get("/claviger/v1/whoami").await.ok();
    me["principal"]["id"].as_str().unwrap().to_owned()
}

/// The administrator's credentials, as the server lists them.
async fn listed(dev: &Dev) -> Vec<Value> {
    let path = format!("/claviger/v1/principals/{}/credentials", administrator(dev).await);
    dev.rest().get(&path).await.ok()["credentials"].as_array().unwrap().clone()
}

/// Access key ids of the administrator, with their states.
async fn states(dev: &Dev) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = listed(dev).await.into_iter().filter(|it| it["type"] == "accessKey");
    pairs.map(|it| (text(&it["accessKeyId"]), text(&it["state"]))).collect()
}

/// What an AWS client with this pair is told: nothing wrong, or the name of an error.
async fn signed(dev: &Dev, pair: &Pair) -> Result<(), String> {
    use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
    use aws_sdk_kms::error::ProvideErrorMetadata;
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(dev.credential("AWS_ENDPOINT_URL_KMS"))
        .region(Region::new(dev.credential("AWS_REGION").to_owned()))
        .credentials_provider(Credentials::new(pair.0.clone(), pair.1.clone(), None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    let answer = aws_sdk_kms::Client::from_conf(config).list_keys().send().await;
    answer.map(drop).map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

/// Changes the file that the next start reads.
fn edit(home: &Home, change: impl Fn(&str) -> Option<String>) {
    let text = std::fs::read_to_string(home.credentials_file()).unwrap();
    let lines: Vec<String> = text.lines().filter_map(change).collect();
    std::fs::write(home.credentials_file(), lines.join("\n") + "\n").unwrap();
}

#[tokio::test]
async fn a_fresh_start_writes_a_pair_that_signs_requests() {
    let home = Home::new().with("CLAVIGER_AWS__REGION", "eu-central-1");
    let dev = home.start().await;
    let endpoint = dev.credential("AWS_ENDPOINT_URL_KMS");
    assert_eq!(endpoint, dev.credential("CLAVIGER_ENDPOINT"));
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        assert_eq!(dev.credential(name), "eu-central-1");
    }
    let folder = dev.rest().get(&format!("/claviger/v1/folders/{}", dev.folder())).await.ok();
    assert_eq!(dev.credential("AWS_ACCOUNT_ID"), folder["accountId"]);
    let (id, secret) = pair(&dev);
    assert_eq!((id.len(), secret.len()), (20, 40));
    assert_eq!(states(&dev).await, BTreeMap::from([(id.clone(), "ACTIVE".to_owned())]));
    assert_eq!(signed(&dev, &(id.clone(), secret)).await, Ok(()));
    let wrong = signed(&dev, &(id, "A".repeat(40))).await;
    assert_eq!(wrong, Err("InvalidSignatureException".to_owned()));
}

#[tokio::test]
async fn without_a_listener_in_clear_aws_clients_are_sent_to_tls() {
    let home = Home::new().with("CLAVIGER_SERVER__LISTEN", "");
    let dev = home.start().await;
    assert_eq!(dev.credential("AWS_ENDPOINT_URL_KMS"), dev.credential("CLAVIGER_TLS_ENDPOINT"));
    assert!(!dev.credentials().contains_key("CLAVIGER_ENDPOINT"));
}

#[tokio::test]
async fn a_lost_file_gets_a_new_pair_and_the_one_before_is_revoked() {
    let home = Home::new();
    let first = home.start().await;
    let before = pair(&first);
    assert!(first.terminate().await.success());
    std::fs::remove_file(home.credentials_file()).unwrap();
    let second = home.start().await;
    let after = pair(&second);
    assert_ne!(before.0, after.0);
    assert_eq!(mode(&home.credentials_file()), 0o600);
    let expected = [(after.0.clone(), "ACTIVE".to_owned()), (before.0.clone(), "REVOKED".to_owned())];
    assert_eq!(states(&second).await, BTreeMap::from(expected));
    assert_eq!(signed(&second, &after).await, Ok(()));
    assert_eq!(signed(&second, &before).await, Err("UnrecognizedClientException".to_owned()));
}

#[tokio::test]
async fn credentials_that_others_could_read_are_revoked_and_new_ones_are_issued_with_a_warning() {
    let home = Home::new();
    let first = home.start().await;
    let (pair_before, token_before) = (pair(&first), first.credential(TOKEN).to_owned());
    assert!(first.terminate().await.success());
    let second = home.start().await;
    assert_eq!(pair(&second), pair_before, "nobody else could read them");
    assert!(!home.log().contains("other users could read"), "{}", home.log());
    assert!(second.terminate().await.success());
    std::fs::set_permissions(home.credentials_file(), Permissions::from_mode(0o644)).unwrap();
    let third = home.start().await;
    let log = home.log();
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains("other users could read")), "{log}");
    assert_eq!(mode(&home.credentials_file()), 0o600);
    let (pair_after, token_after) = (pair(&third), third.credential(TOKEN).to_owned());
    assert_ne!((&pair_after.0, &token_after), (&pair_before.0, &token_before));
    assert_eq!(signed(&third, &pair_after).await, Ok(()));
    assert_eq!(signed(&third, &pair_before).await, Err("UnrecognizedClientException".to_owned()));
    assert_eq!(key_list_status(&third, &token_after).await, 200);
    assert_eq!(key_list_status(&third, &token_before).await, 401);
}

#[tokio::test]
async fn a_pair_that_is_changed_halved_or_somebody_elses_is_replaced_and_the_token_stays() {
    let home = Home::new();
    let first = home.start().await;
    let (mut before, token) = (pair(&first), first.credential(TOKEN).to_owned());
    let foreign = foreign_pair(&first).await;
    assert!(first.terminate().await.success());
    let changed = |name: &'static str, value: String| {
        move |line: &str| Some(if line.starts_with(name) { format!("{name}={value}") } else { line.to_owned() })
    };
    let without = |name: &'static str| move |line: &str| (!line.starts_with(name)).then(|| line.to_owned());
    let edits: [Box<dyn Fn()>; 5] = [
        Box::new(|| edit(&home, changed(SECRET, "A".repeat(40)))),
        Box::new(|| edit(&home, changed(SECRET, String::new()))),
        Box::new(|| edit(&home, without(SECRET))),
        Box::new(|| edit(&home, without(ID))),
        Box::new(|| {
            edit(&home, changed(ID, foreign.0.clone()));
            edit(&home, changed(SECRET, foreign.1.clone()));
        }),
    ];
    for (number, change) in edits.iter().enumerate() {
        change();
        let dev = home.start().await;
        let (after, states) = (pair(&dev), states(&dev).await);
        assert_eq!(dev.credential(TOKEN), token, "edit {number}");
        assert_eq!((states[&before.0].as_str(), states[&after.0].as_str()), ("REVOKED", "ACTIVE"), "edit {number}");
        assert_eq!(signed(&dev, &after).await, Ok(()), "edit {number}");
        assert_eq!(signed(&dev, &foreign).await, Ok(()), "edit {number}");
        before = after;
        assert!(dev.terminate().await.success());
    }
}

/// A pair of another principal of the server.
async fn foreign_pair(dev: &Dev) -> Pair {
    let body = json!({ "folderId": dev.folder(), "type": "serviceAccount", "name": "somebody" });
    let somebody = dev.rest().post("/claviger/v1/principals", &body).await.ok();
    let path = format!("/claviger/v1/principals/{}/credentials", somebody["id"].as_str().unwrap());
    let issued = dev.rest().post(&path, &json!({ "type": "accessKey", "name": "theirs" })).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&issued["credential"]["accessKeyId"]), text(&issued["secret"]))
}

#[tokio::test]
async fn a_revoked_pair_is_replaced_and_a_broken_token_leaves_the_pair_alone() {
    let home = Home::new();
    let first = home.start().await;
    let (before, token) = (pair(&first), first.credential(TOKEN).to_owned());
    let credentials = listed(&first).await;
    let found = credentials.iter().find(|it| it["accessKeyId"] == before.0).unwrap();
    let path = format!("/claviger/v1/credentials/{}:revoke", found["id"].as_str().unwrap());
    first.rest().post(&path, &json!({})).await.ok();
    assert_eq!(signed(&first, &before).await, Err("UnrecognizedClientException".to_owned()));
    assert!(first.terminate().await.success());
    let second = home.start().await;
    let after = pair(&second);
    assert_ne!(before, after);
    assert_eq!(second.credential(TOKEN), token);
    assert_eq!(signed(&second, &after).await, Ok(()));
    assert!(second.terminate().await.success());

    edit(&home, |line| Some(line.replace(&token, "clv1_broken")));
    let third = home.start().await;
    assert_ne!(third.credential(TOKEN), token);
    assert_eq!(pair(&third), after);
    assert_eq!(signed(&third, &after).await, Ok(()));
}
