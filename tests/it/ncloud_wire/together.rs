//! Many requests for one key at the same time: none is lost, none fails because of another.

use super::uses::{parts, rotated};
use super::{Scene, encrypted};
use crate::support::client::text;
use crate::support::ncloud::{Ncloud, b64, data};
use serde_json::{Value, json};
use std::collections::HashSet;
use tokio::task::JoinSet;

const MANY: usize = 24;

#[tokio::test]
async fn requests_for_one_key_do_not_disturb_each_other() {
    let scene = Scene::start().await;
    tokio::join!(
        every_token_is_counted(&scene),
        every_address_is_added(&scene),
        one_generator_is_made(&scene),
        a_list_is_encrypted_under_one_version(&scene),
        a_version_that_is_switched_refuses_or_works(&scene),
        one_of_many_gets_a_name(&scene),
    );
}

/// Sends many requests at once, and gives the answers' data; each goes well.
async fn all<F: Future<Output = Value> + 'static>(requests: impl Iterator<Item = F>) -> Vec<Value> {
    let here = tokio::task::LocalSet::new();
    let mut running = JoinSet::new();
    for request in requests {
        running.spawn_local_on(request, &here);
    }
    here.run_until(running.join_all()).await
}

/// A request whose answer has data.
async fn sent(caller: Ncloud, method: &'static str, path: String, body: Option<Value>) -> Value {
    data(&caller.call(method, &path, body.as_ref()).await)
}

async fn every_token_is_counted(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    data(&scene.admin.act(&format!("{key}/token-generator")).await);
    let request = |_| sent(scene.admin.clone(), "POST", format!("{key}/token-set"), None);
    let sets = all((0..MANY).map(request)).await;
    let tokens: HashSet<String> =
        sets.iter().flat_map(|set| [text(&set["accessToken"]), text(&set["refreshToken"])]).collect();
    assert_eq!(tokens.len(), 2 * MANY);
    let generator = data(&scene.admin.get(&format!("{key}/token-generator")).await);
    assert_eq!(generator["issuedTokenCount"], 2 * MANY);
    for token in &tokens {
        let caller = scene.admin.with_token(token);
        let used = caller.post(&format!("{key}/encrypt"), &json!({"plaintext": "eA=="})).await;
        let renewed = caller.act(&format!("{key}/access-token")).await;
        assert_eq!([used.status, renewed.status].iter().filter(|status| **status == 200).count(), 1);
    }
}

async fn every_address_is_added(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let request = |number| {
        let body = json!({"ipList": [format!("10.0.0.{number}"), "192.0.2.1"]});
        sent(scene.admin.clone(), "POST", format!("{key}/acl"), Some(body))
    };
    all((0..MANY).map(request)).await;
    let listed = data(&scene.admin.get(&format!("{key}/acl")).await);
    assert_eq!(listed["allowedIpList"].as_array().unwrap().len(), MANY + 1, "{listed}");
}

async fn one_generator_is_made(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let make = |_| sent(scene.admin.clone(), "POST", format!("{key}/token-generator"), None);
    all((0..MANY).map(make)).await;
    let show = |_| sent(scene.admin.clone(), "GET", format!("{key}/token-generator"), None);
    let shown = all((0..MANY).map(show)).await;
    assert!(shown.iter().all(|one| *one == shown[0] && one["status"] == "ACTIVE"), "{shown:?}");
}

async fn a_list_is_encrypted_under_one_version(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let texts: Vec<String> = (0..50_u8).map(|number| b64(&[number])).collect();
    let request = |number: usize| {
        let (action, body) = match number % 2 {
            0 => ("encrypt", Some(json!({"plaintext": texts}))),
            _ => ("rotate", None),
        };
        sent(scene.admin.clone(), "POST", format!("{key}/{action}"), body)
    };
    let answers = all((0..MANY).map(request)).await;
    let mut rotations = 0;
    for answer in &answers {
        let Some(sealed) = answer["ciphertext"].as_array() else {
            rotations += 1;
            continue;
        };
        let numbers: HashSet<u32> = sealed.iter().map(|sealed| parts(sealed.as_str().unwrap()).0).collect();
        assert_eq!(numbers.len(), 1, "{numbers:?}");
        let opened = data(&scene.admin.post(&format!("{key}/decrypt"), &json!({"ciphertext": sealed})).await);
        assert_eq!(opened["plaintext"], json!(texts));
    }
    assert_eq!(rotated(&scene.admin, &key).await, rotations + 2, "every rotation made a version of its own");
}

async fn a_version_that_is_switched_refuses_or_works(scene: &Scene) {
    let key = scene.new_key("COMMON_HSM").await;
    let sealed = encrypted(&scene.admin, &key, b"x").await;
    rotated(&scene.admin, &key).await;
    let decrypt = async || {
        let body = json!({"ciphertext": sealed});
        scene.admin.post(&format!("{key}/decrypt"), &body).await.status
    };
    for _ in 0..8 {
        let disable = format!("{key}/versions/1/disable");
        let (disabled, during) = tokio::join!(scene.admin.act(&disable), decrypt());
        data(&disabled);
        assert!([200, 422].contains(&during), "{during}");
        assert_eq!(decrypt().await, 422, "it binds when it is answered");
        let enable = format!("{key}/versions/1/enable");
        let (enabled, during) = tokio::join!(scene.admin.act(&enable), decrypt());
        data(&enabled);
        assert!([200, 422].contains(&during), "{during}");
        assert_eq!(decrypt().await, 200);
    }
}

async fn one_of_many_gets_a_name(scene: &Scene) {
    let body = json!({"keyName": "wanted", "keyType": "AES256", "protectionType": "BASIC"});
    let request = |_| {
        let (caller, body) = (scene.admin.clone(), body.clone());
        async move { json!(caller.post("/kms/v1/keys", &body).await.status) }
    };
    let statuses = all((0..MANY).map(request)).await;
    let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((of(200), of(422)), (1, MANY - 1), "{statuses:?}");
}
