//! Tokens of keys: how they are made and renewed, what they are good for, and what ends them.

use super::uses::{Api, all_go_well, requests};
use super::{NOBODY, Scene, encrypted, key_id, path, tag};
use crate::support::Home;
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Draft, Ncloud, data, refused, refused_before};
use serde_json::{Value, json};
use std::path::Path;

#[tokio::test]
async fn tokens_reach_one_key_and_do_one_thing() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_LOG__FILTER", "debug")).await;
    tokio::join!(
        a_generator_is_made_shown_replaced_and_deleted(&scene),
        tokens_need_a_generator_and_an_enabled_key(&scene),
        hours_are_1_to_17520_or_unlimited(&scene),
        an_access_token_uses_its_key_and_nothing_else(&scene),
        a_refresh_token_renews_and_nothing_else(&scene),
        what_is_no_token_is_refused(&scene),
        a_token_is_no_other_credential(&scene),
    );
}

#[tokio::test]
async fn tokens_end_with_what_they_depend_on_and_not_with_the_server() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_LOG__FILTER", "debug")).await;
    tokio::join!(
        a_replaced_or_deleted_generator_ends_all_tokens(&scene),
        a_revoked_access_key_ends_its_tokens(&scene),
        a_deleted_principal_ends_its_tokens(&scene),
        a_role_that_is_taken_binds_at_once(&scene),
        a_deleted_key_ends_its_tokens(&scene),
    );
    tokens_outlive_a_crash_and_are_written_nowhere(scene).await;
}

/// A key with a generator, and a pair of tokens.
struct Issued {
    key: String,
    sealed: String,
    access: String,
    refresh: String,
}

impl Issued {
    /// Made by the administrator.
    async fn new(scene: &Scene) -> Self {
        let key = scene.new_key("BASIC").await;
        data(&scene.admin.act(&format!("{key}/token-generator")).await);
        Self::by(scene, &scene.admin, key).await
    }

    async fn by(scene: &Scene, caller: &Ncloud, key: String) -> Self {
        let sealed = encrypted(&scene.admin, &key, b"x").await;
        let (access, refresh) = pair(&data(&caller.act(&format!("{key}/token-set")).await));
        Self { key, sealed, access, refresh }
    }

    async fn works(&self, caller: &Ncloud) {
        all_go_well(&caller.with_token(&self.access), &self.key, &self.sealed).await;
        let renewed = caller.with_token(&self.refresh).call("PUT", &format!("{}/token-set", self.key), None).await;
        pair(&data(&renewed));
    }

    /// Neither of the tokens is good for anything.
    async fn is_refused(&self, caller: &Ncloud, status: u16, code: &str) {
        for answer in self.attempts(caller).await {
            refused(&answer, status, code);
        }
    }

    async fn attempts(&self, caller: &Ncloud) -> Vec<Answer> {
        let (access, refresh) = (caller.with_token(&self.access), caller.with_token(&self.refresh));
        let mut answers = Vec::new();
        for (action, body) in requests(&self.sealed) {
            answers.push(access.post(&format!("{}/{action}", self.key), &body).await);
        }
        answers.push(access.act(&format!("{}/get-pub-key", self.key)).await);
        answers.push(refresh.call("PUT", &format!("{}/token-set", self.key), None).await);
        answers.push(refresh.act(&format!("{}/access-token", self.key)).await);
        answers
    }
}

#[track_caller]
fn pair(set: &Value) -> (String, String) {
    assert_eq!(set.as_object().unwrap().keys().collect::<Vec<_>>(), ["accessToken", "refreshToken"]);
    let (access, refresh) = (text(&set["accessToken"]), text(&set["refreshToken"]));
    assert_ne!(access, refresh);
    (access, refresh)
}

async fn generator(scene: &Scene, key: &str) -> Value {
    data(&scene.admin.get(&format!("{key}/token-generator")).await)
}

/// A request for the generator of a key, which is answered without data.
async fn change(scene: &Scene, method: &str, key: &str) {
    let answer = scene.admin.call(method, &format!("{key}/token-generator"), None).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"code":"SUCCESS","data":null}"#));
}

async fn a_generator_is_made_shown_replaced_and_deleted(scene: &Scene) {
    let key = scene.new_key("COMMON_HSM").await;
    let none = json!({"tokenGeneratorId": null, "status": "INACTIVE", "enabledDate": null, "disabledDate": null,
                      "issuedTokenCount": 0});
    assert_eq!(generator(scene, &key).await, none);
    change(scene, "DELETE", &key).await;
    assert_eq!(generator(scene, &key).await, none, "there was nothing to delete");
    let replaced = scene.admin.call("PUT", &format!("{key}/token-generator"), None).await;
    refused(&replaced, 422, "UNPROCESSABLE_ENTITY");
    change(scene, "POST", &key).await;
    let first = generator(scene, &key).await;
    assert_eq!((&first["status"], &first["disabledDate"]), (&json!("ACTIVE"), &json!(null)));
    assert!((first["enabledDate"].as_i64().unwrap() - crate::support::ncloud::now()).abs() < 60_000, "{first}");
    change(scene, "POST", &key).await;
    assert_eq!(generator(scene, &key).await, first, "it is there already");

    let set = format!("{key}/token-set");
    let (_, refresh) = pair(&data(&scene.admin.act(&set).await));
    data(&scene.admin.with_token(&refresh).call("PUT", &set, None).await);
    data(&scene.admin.with_token(&refresh).act(&format!("{key}/access-token")).await);
    assert_eq!(generator(scene, &key).await["issuedTokenCount"], 5);
    change(scene, "PUT", &key).await;
    let second = generator(scene, &key).await;
    assert_ne!(second["tokenGeneratorId"], first["tokenGeneratorId"]);
    assert_eq!((&second["status"], &second["issuedTokenCount"]), (&json!("ACTIVE"), &json!(0)));
    change(scene, "DELETE", &key).await;
    let gone = generator(scene, &key).await;
    assert_eq!((&gone["status"], &gone["tokenGeneratorId"]), (&json!("INACTIVE"), &second["tokenGeneratorId"]));
    assert!(gone["disabledDate"].as_i64() >= second["enabledDate"].as_i64(), "{gone}");
    change(scene, "DELETE", &key).await;
    assert_eq!(generator(scene, &key).await, gone, "it is deleted already");
    change(scene, "POST", &key).await;
    let third = generator(scene, &key).await;
    assert_eq!((&third["status"], &third["disabledDate"]), (&json!("ACTIVE"), &json!(null)));
    assert_ne!(third["tokenGeneratorId"], second["tokenGeneratorId"]);
}

async fn tokens_need_a_generator_and_an_enabled_key(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    refused(&scene.admin.act(&format!("{key}/token-set")).await, 422, "UNPROCESSABLE_ENTITY");
    change(scene, "POST", &key).await;
    change(scene, "DELETE", &key).await;
    refused(&scene.admin.act(&format!("{key}/token-set")).await, 422, "UNPROCESSABLE_ENTITY");
    let issued = Issued::new(scene).await;
    data(&scene.admin.act(&format!("{}/disable", issued.key)).await);
    issued.is_refused(&scene.admin, 422, "UNPROCESSABLE_ENTITY").await;
    refused(&scene.admin.act(&format!("{}/token-set", issued.key)).await, 422, "UNPROCESSABLE_ENTITY");
    data(&scene.admin.act(&format!("{}/enable", issued.key)).await);
    issued.works(&scene.admin).await;
    data(&scene.admin.act(&format!("{}/request-deletion", issued.key)).await);
    issued.is_refused(&scene.admin, 422, "UNPROCESSABLE_ENTITY").await;
    let path = format!("{}/token-generator", issued.key);
    for method in ["GET", "POST", "PUT"] {
        refused(&scene.admin.call(method, &path, None).await, 422, "UNPROCESSABLE_ENTITY");
    }
    // A deletion that was taken back leaves the tokens as they were.
    data(&scene.admin.act(&format!("{}/cancel-deletion", issued.key)).await);
    data(&scene.admin.act(&format!("{}/enable", issued.key)).await);
    issued.works(&scene.admin).await;
    // But they can be ended at any time, also while the key is off.
    data(&scene.admin.act(&format!("{}/disable", issued.key)).await);
    change(scene, "PUT", &issued.key).await;
    data(&scene.admin.act(&format!("{}/request-deletion", issued.key)).await);
    change(scene, "DELETE", &issued.key).await;
    issued.is_refused(&scene.admin, 401, "UNAUTHORIZED").await;
    for what in ["token-generator", "token-set"] {
        refused(&scene.admin.act(&format!("{}/{what}", path_of_nobody())).await, 404, "NOT_FOUND");
    }
}

fn path_of_nobody() -> String {
    path(NOBODY)
}

async fn hours_are_1_to_17520_or_unlimited(scene: &Scene) {
    let issued = Issued::new(scene).await;
    let (set, access) = (format!("{}/token-set", issued.key), format!("{}/access-token", issued.key));
    let refresh = scene.admin.with_token(&issued.refresh);
    for good in [json!(1), json!(17_520), json!("1"), json!("17520"), json!("UL"), json!(null)] {
        let body = json!({"accessTokenHours": good, "refreshTokenHours": good});
        for set in [scene.admin.post(&set, &body).await, refresh.put(&set, &body).await] {
            let (access, _) = pair(&data(&set));
            all_go_well(&scene.admin.with_token(&access), &issued.key, &issued.sealed).await;
        }
        let made = data(&refresh.post(&access, &body).await);
        assert_eq!(made.as_object().unwrap().len(), 1, "{made}");
        all_go_well(&scene.admin.with_token(&text(&made["accessToken"])), &issued.key, &issued.sealed).await;
    }
    let before = generator(scene, &issued.key).await["issuedTokenCount"].clone();
    for wrong in [
        json!(0),
        json!(-1),
        json!(17_521),
        json!(1.5),
        json!(u64::MAX),
        json!("0"),
        json!("01"),
        json!("+1"),
        json!("ul"),
        json!("1h"),
        json!(""),
        json!(true),
        json!([1]),
    ] {
        for member in ["accessTokenHours", "refreshTokenHours"] {
            let body = json!({member: wrong});
            for answer in [scene.admin.post(&set, &body).await, refresh.put(&set, &body).await] {
                refused(&answer, 400, "INVALID_REQUEST");
            }
        }
        refused(&refresh.post(&access, &json!({"accessTokenHours": wrong})).await, 400, "INVALID_REQUEST");
    }
    assert_eq!(generator(scene, &issued.key).await["issuedTokenCount"], before);
}

/// Every request about a key that no token may make.
fn management(key: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let with = |what: &str| format!("{key}/{what}");
    let hours = Some(json!({"accessTokenHours": 1}));
    vec![
        ("GET", "/kms/v1/keys".into(), None),
        (
            "POST",
            "/kms/v1/keys".into(),
            Some(json!({"keyName": "by-token", "keyType": "AES256", "protectionType": "BASIC"})),
        ),
        ("GET", key.into(), None),
        ("DELETE", key.into(), None),
        ("POST", with("enable"), None),
        ("POST", with("disable"), None),
        ("PUT", with("name"), Some(json!({"keyName": "by-token"}))),
        ("PUT", with("memo"), Some(json!({"memo": "by token"}))),
        ("POST", with("request-deletion"), None),
        ("POST", with("cancel-deletion"), None),
        ("POST", with("rotate"), None),
        ("POST", with("enable-auto-rotation"), None),
        ("POST", with("disable-auto-rotation"), None),
        ("PUT", with("rotation-period"), Some(json!({"rotationPeriod": 1}))),
        ("GET", with("versions"), None),
        ("POST", with("versions/1/enable"), None),
        ("POST", with("versions/1/disable"), None),
        ("GET", with("token-generator"), None),
        ("POST", with("token-generator"), None),
        ("PUT", with("token-generator"), None),
        ("DELETE", with("token-generator"), None),
        ("POST", with("token-set"), hours),
        ("GET", with("acl"), None),
        ("POST", with("acl"), Some(json!({"ipList": ["192.0.2.1"]}))),
        ("DELETE", with("acl"), Some(json!({"ipList": ["192.0.2.1"]}))),
        ("POST", with("acl/enable"), None),
        ("POST", with("acl/disable"), None),
        ("GET", with("activities"), None),
        ("GET", with("last-use-info"), None),
    ]
}

async fn an_access_token_uses_its_key_and_nothing_else(scene: &Scene) {
    let (issued, other) = (Issued::new(scene).await, Issued::new(scene).await);
    let before = data(&scene.admin.get(&issued.key).await);
    let access = scene.admin.with_token(&issued.access);
    issued.works(&scene.admin).await;
    for action in ["sign", "verify", "get-pub-key"] {
        let msg = refused(&access.act(&format!("{}/{action}", issued.key)).await, 400, "INVALID_REQUEST");
        assert!(msg.contains("keyType"), "it may ask, as a signature may: {msg}");
    }
    for (method, path, body) in management(&issued.key) {
        let answer = access.call(method, &path, body.as_ref()).await;
        let msg = refused(&answer, 401, "UNAUTHORIZED");
        assert!(msg.ends_with("this operation takes a signature"), "{method} {path}: {msg}");
    }
    for answer in [
        access.call("PUT", &format!("{}/token-set", issued.key), None).await,
        access.act(&format!("{}/access-token", issued.key)).await,
    ] {
        let msg = refused(&answer, 401, "UNAUTHORIZED");
        assert!(msg.ends_with("this operation takes a refresh token"), "{msg}");
    }
    for (action, body) in requests(&issued.sealed) {
        let answer = Api::One.send(&access, &issued.key, action, &body).await;
        let msg = refused(&answer, 401, "UNAUTHORIZED");
        assert!(msg.ends_with("this operation takes a signature"), "API 1.0: {msg}");
        refused(&access.post(&format!("{}/{action}", other.key), &body).await, 401, "UNAUTHORIZED");
    }
    refused(&access.act(&format!("{}/sign", other.key)).await, 401, "UNAUTHORIZED");
    let nobody = access.post(&format!("{}/encrypt", path_of_nobody()), &json!({"plaintext": "eA=="})).await;
    refused(&nobody, 401, "UNAUTHORIZED");
    assert_eq!(data(&scene.admin.get(&issued.key).await), before, "nothing was changed");
}

async fn a_refresh_token_renews_and_nothing_else(scene: &Scene) {
    let (issued, other) = (Issued::new(scene).await, Issued::new(scene).await);
    let refresh = scene.admin.with_token(&issued.refresh);
    let (set, access) = (format!("{}/token-set", issued.key), format!("{}/access-token", issued.key));
    let (second, second_refresh) = pair(&data(&refresh.call("PUT", &set, None).await));
    let third = text(&data(&scene.admin.with_token(&second_refresh).act(&access).await)["accessToken"]);
    for token in [&issued.access, &second, &third] {
        all_go_well(&scene.admin.with_token(token), &issued.key, &issued.sealed).await;
    }
    issued.works(&scene.admin).await;
    for (method, path, body) in management(&issued.key) {
        refused(&refresh.call(method, &path, body.as_ref()).await, 401, "UNAUTHORIZED");
    }
    for (action, body) in requests(&issued.sealed) {
        for api in Api::BOTH {
            refused(&api.send(&refresh, &issued.key, action, &body).await, 401, "UNAUTHORIZED");
        }
    }
    for answer in [
        refresh.call("PUT", &format!("{}/token-set", other.key), None).await,
        refresh.act(&format!("{}/access-token", other.key)).await,
    ] {
        refused(&answer, 401, "UNAUTHORIZED");
    }
    // Renewal is not by a signature.
    for answer in [scene.admin.call("PUT", &set, None).await, scene.admin.act(&access).await] {
        let msg = refused(&answer, 401, "UNAUTHORIZED");
        assert!(msg.ends_with("this operation takes a refresh token"), "{msg}");
    }
}

async fn what_is_no_token_is_refused(scene: &Scene) {
    let issued = Issued::new(scene).await;
    let (encrypt, body) = (format!("{}/encrypt", issued.key), json!({"plaintext": "eA=="}));
    let (head, tail) = issued.access.split_at(issued.access.len() - 2);
    let changed = format!("{head}{}", if tail == "AA" { "BB" } else { "AA" });
    for wrong in
        ["", "x", "Bearer x", head, &changed, &format!("{} ", issued.access)[1..], &issued.access.to_uppercase()]
    {
        let answer = scene.admin.with_token(wrong).post(&encrypt, &body).await;
        let msg = refused(&answer, 401, "UNAUTHORIZED");
        assert!(!msg.contains("clvk1_"), "{msg}");
    }
    // Two proofs in one request are none.
    let draft = Draft::of("POST", &encrypt, Some(&body)).with("x-ncp-ocapi-token", &issued.access);
    let both = draft.clone().signed(&scene.key, crate::support::ncloud::now());
    refused(&scene.admin.send(both).await, 401, "UNAUTHORIZED");
    let mut twice = draft;
    twice.headers.push(("x-ncp-ocapi-token".into(), issued.access.clone()));
    refused(&scene.admin.send(twice).await, 401, "UNAUTHORIZED");
}

async fn a_token_is_no_other_credential(scene: &Scene) {
    let issued = Issued::new(scene).await;
    for token in [&issued.access, &issued.refresh] {
        let bearer = scene.rest.with_token(token);
        let native = format!("/kms/v1/keys/{}", key_id(&issued.key));
        for answer in [
            bearer.get(&native).await,
            bearer.post(&format!("{native}:encrypt"), &json!({"plaintext": "eA=="})).await,
            bearer.get("/claviger/v1/whoami").await,
        ] {
            assert_eq!((answer.status, answer.code()), (401, 16), "{}", answer.text);
        }
    }
    // Nor is a bearer token one of a key.
    let token = scene.dev.credential("CLAVIGER_TOKEN");
    let path = format!("{}/encrypt", issued.key);
    refused(&scene.admin.with_token(token).post(&path, &json!({"plaintext": "eA=="})).await, 401, "UNAUTHORIZED");
    let draft =
        Draft::of("POST", &format!("/keys/v2/{}/encrypt", tag(&issued.key)), Some(&json!({"plaintext": "eA=="})));
    let answer = scene.admin.send(draft.with("authorization", &format!("Bearer {}", issued.access))).await;
    refused_before(&answer, 401, "200");
}

async fn a_replaced_or_deleted_generator_ends_all_tokens(scene: &Scene) {
    for method in ["PUT", "DELETE"] {
        let (issued, other) = (Issued::new(scene).await, Issued::new(scene).await);
        issued.works(&scene.admin).await;
        change(scene, method, &issued.key).await;
        issued.is_refused(&scene.admin, 401, "UNAUTHORIZED").await;
        other.works(&scene.admin).await;
        change(scene, "POST", &issued.key).await;
        issued.is_refused(&scene.admin, 401, "UNAUTHORIZED").await;
        Issued::by(scene, &scene.admin, issued.key).await.works(&scene.admin).await;
    }
}

/// Somebody who may use and view keys, and tokens in that name.
async fn somebody(scene: &Scene, name: &str) -> (Ncloud, Issued) {
    let caller = scene.caller(name, &["kms.keys.encrypterDecrypter"]).await;
    let key = scene.new_key("BASIC").await;
    data(&scene.admin.act(&format!("{key}/token-generator")).await);
    let issued = Issued::by(scene, &caller, key).await;
    issued.works(&caller).await;
    (caller, issued)
}

/// The id of somebody by name.
async fn principal(scene: &Scene, name: &str) -> String {
    let path = format!("/claviger/v1/principals?folderId={}", scene.dev.folder());
    let found = scene.rest.get(&path).await.ok();
    let found = found["principals"].as_array().unwrap().iter().find(|it| it["name"] == name).cloned();
    text(&found.unwrap()["id"])
}

async fn a_revoked_access_key_ends_its_tokens(scene: &Scene) {
    let (caller, issued) = somebody(scene, "leaver").await;
    let id = principal(scene, "leaver").await;
    // Tokens end with the key that they were issued with, and not with another of the same principal.
    let second = crate::aws_wire::access_key(&scene.rest, &id).await;
    let second = Ncloud::new(scene.dev.credential("CLAVIGER_ENDPOINT"), &second);
    let by_second = Issued::by(scene, &second, issued.key.clone()).await;
    let credentials = scene.rest.get(&format!("/claviger/v1/principals/{id}/credentials")).await.ok();
    let first = credentials["credentials"].as_array().unwrap().iter().min_by_key(|it| text(&it["createdAt"])).cloned();
    let first = text(&first.unwrap()["id"]);
    let renewed = caller.with_token(&issued.refresh).call("PUT", &format!("{}/token-set", issued.key), None).await;
    let (access, refresh) = pair(&data(&renewed));
    let renewed = Issued { key: issued.key.clone(), sealed: issued.sealed.clone(), access, refresh };
    renewed.works(&caller).await;
    scene.rest.post(&format!("/claviger/v1/credentials/{first}:revoke"), &json!({})).await.ok();
    issued.is_refused(&caller, 401, "UNAUTHORIZED").await;
    renewed.is_refused(&caller, 401, "UNAUTHORIZED").await;
    refused_before(&caller.get(&issued.key).await, 401, "200");
    by_second.works(&second).await;
}

async fn a_deleted_principal_ends_its_tokens(scene: &Scene) {
    let (caller, issued) = somebody(scene, "deleted").await;
    let id = principal(scene, "deleted").await;
    scene.rest.delete(&format!("/claviger/v1/principals/{id}")).await.ok();
    issued.is_refused(&caller, 401, "UNAUTHORIZED").await;
}

async fn a_role_that_is_taken_binds_at_once(scene: &Scene) {
    let (caller, issued) = somebody(scene, "demoted").await;
    let subject = json!({"id": principal(scene, "demoted").await, "type": "serviceAccount"});
    let place = format!("/claviger/v1/folders/{}:updateAccessBindings", scene.dev.folder());
    let delta = |action: &str, role: &str| json!({"accessBindingDeltas": [{"action": action, "accessBinding": {"roleId": role, "subject": subject}}]});
    scene.rest.post(&place, &delta("ADD", "kms.viewer")).await.ok();
    scene.rest.post(&place, &delta("REMOVE", "kms.keys.encrypterDecrypter")).await.ok();
    let access = caller.with_token(&issued.access);
    for (action, body) in requests(&issued.sealed) {
        refused(&access.post(&format!("{}/{action}", issued.key), &body).await, 403, "FORBIDDEN");
    }
    scene.rest.post(&place, &delta("REMOVE", "kms.viewer")).await.ok();
    issued.is_refused(&caller, 404, "NOT_FOUND").await;
    scene.rest.post(&place, &delta("ADD", "kms.keys.encrypter")).await.ok();
    data(&access.post(&format!("{}/encrypt", issued.key), &json!({"plaintext": "eA=="})).await);
    refused(
        &access.post(&format!("{}/decrypt", issued.key), &json!({"ciphertext": issued.sealed})).await,
        403,
        "FORBIDDEN",
    );
}

async fn a_deleted_key_ends_its_tokens(scene: &Scene) {
    let issued = Issued::new(scene).await;
    data(&scene.admin.act(&format!("{}/request-deletion", issued.key)).await);
    data(&scene.admin.delete(&issued.key).await);
    issued.is_refused(&scene.admin, 401, "UNAUTHORIZED").await;
}

async fn tokens_outlive_a_crash_and_are_written_nowhere(scene: Scene) {
    let (issued, ended) = (Issued::new(&scene).await, Issued::new(&scene).await);
    change(&scene, "PUT", &ended.key).await;
    let before = generator(&scene, &issued.key).await;
    let Scene { home, dev, key, .. } = scene;
    dev.kill();
    let dev = home.start().await;
    let admin = Ncloud::new(dev.credential("CLAVIGER_ENDPOINT"), &key);
    let after = data(&admin.get(&format!("{}/token-generator", issued.key)).await);
    assert_eq!(after, before);
    issued.works(&admin).await;
    ended.is_refused(&admin, 401, "UNAUTHORIZED").await;
    drop(dev);
    for token in [&issued.access, &issued.refresh, &ended.access] {
        assert!(!home.log().contains(token.as_str()) && !home.output().contains(token.as_str()), "a token was logged");
        assert_eq!(files_with(&home.data(), token.as_bytes()), 0, "a token was written");
        let payload = token.strip_prefix("clvk1_").unwrap();
        assert_eq!(files_with(&home.data(), payload.as_bytes()), 0, "a token was written");
    }
    assert!(!home.log().contains("clvk1_"), "a token was logged");
    assert!(files_with(&home.data(), b"SQLite format 3") > 0, "the database was looked at");
}

/// How many files below a directory hold these bytes.
fn files_with(directory: &Path, wanted: &[u8]) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found += files_with(&path, wanted);
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            found += usize::from(bytes.windows(wanted.len()).any(|window| window == wanted));
        }
    }
    found
}
