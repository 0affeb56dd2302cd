//! Which proof an operation takes: a signature, an access token, a refresh token, and never two.

use super::{Scene, path, plaintext, tag};
use crate::support::Home;
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Draft, Ncloud, data, now, refused, refused_before};
use serde_json::{Value, json};

const TOKEN: &str = "x-ncp-ocapi-token";

#[tokio::test]
async fn every_operation_takes_its_proof_and_no_other() {
    let home =
        Home::new().with("CLAVIGER_LOG__FILTER", "debug").with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", "0");
    let scene = Scene::start_in(home).await;
    let key = scene.new_key("BASIC").await;
    data(&scene.admin.act(&format!("{key}/token-generator")).await);
    let set = data(&scene.admin.post(&format!("{key}/token-set"), &json!({})).await);
    let [access, refresh] = ["accessToken", "refreshToken"].map(|name| text(&set[name]));
    let by_access = scene.admin.with_token(&access);
    what_is_no_token_is_refused(&scene, &key, &access).await;
    a_token_beside_a_signature_is_refused(&scene, &key, &access).await;
    operations_that_take_a_signature_take_no_token(&scene, &key, [&access, &refresh]).await;
    operations_that_take_a_refresh_token_take_nothing_else(&scene, &key, &by_access).await;
    operations_that_take_an_access_token_take_no_refresh_token(&scene, &key, [&access, &refresh]).await;
    let log = scene.home.log();
    assert!(!log.contains(&access) && !log.contains(&refresh), "a token was logged");
}

#[track_caller]
fn not_valid(answer: &Answer) {
    let text = refused(answer, 401, "UNAUTHORIZED");
    assert_eq!(text, "Unauthorized: the token is not valid: issue a new one");
}

async fn what_is_no_token_is_refused(scene: &Scene, key: &str, access: &str) {
    let target = format!("{key}/encrypt");
    let cut = &access[..access.len() - 1];
    let native = scene.dev.credential("CLAVIGER_TOKEN");
    for token in
        ["", "nonsense", "clvk1_", cut, &format!("{access}A"), &access.to_uppercase(), native, &"x".repeat(4000)]
    {
        not_valid(&scene.admin.with_token(token).post(&target, &plaintext(b"x")).await);
        // As for paths that nobody serves.
        not_valid(&scene.admin.with_token(token).act("/kms/v1/nothing").await);
    }
    let mut twice = Draft::of("POST", &target, Some(&plaintext(b"x"))).with(TOKEN, access);
    twice.headers.push((TOKEN.into(), access.into()));
    not_valid(&scene.admin.send(twice).await);
    // In the header of other dialects it is nothing.
    let draft = Draft::of("POST", &target, Some(&plaintext(b"x"))).with("x-ncp-lang", "en");
    let bearer = draft.with("authorization", &format!("Bearer {access}"));
    refused_before(&scene.admin.send(bearer).await, 401, "200");
    let native = scene.rest.with_token(access).get(&format!("/kms/v1/keys?folderId={}", scene.dev.folder())).await;
    assert_eq!((native.status, native.code()), (401, 16));
}

async fn a_token_beside_a_signature_is_refused(scene: &Scene, key: &str, access: &str) {
    let draft = Draft::of("POST", &format!("{key}/encrypt"), Some(&plaintext(b"x")));
    let signed = draft.clone().signed(&scene.key, now());
    data(&scene.admin.send(signed.clone()).await);
    data(&scene.admin.send(draft.clone().with(TOKEN, access)).await);
    for both in [
        signed.clone().with(TOKEN, access),
        signed.clone().with(TOKEN, "nonsense"),
        signed.clone().with(TOKEN, ""),
        signed.clone().with(TOKEN, access).without("x-ncp-apigw-signature-v2"),
        signed.with(TOKEN, access).without("x-ncp-iam-access-key"),
    ] {
        not_valid(&scene.admin.send(both).await);
    }
}

async fn operations_that_take_a_signature_take_no_token(scene: &Scene, key: &str, tokens: [&str; 2]) {
    let one = format!("/keys/v2/{}/encrypt", tag(key));
    let operations = [
        ("GET", "/kms/v1/keys".to_owned()),
        ("POST", "/kms/v1/keys".into()),
        ("GET", key.into()),
        ("DELETE", key.into()),
        ("POST", format!("{key}/disable")),
        ("POST", format!("{key}/enable")),
        ("PUT", format!("{key}/name")),
        ("PUT", format!("{key}/memo")),
        ("POST", format!("{key}/request-deletion")),
        ("POST", format!("{key}/cancel-deletion")),
        ("POST", format!("{key}/rotate")),
        ("POST", format!("{key}/enable-auto-rotation")),
        ("POST", format!("{key}/disable-auto-rotation")),
        ("PUT", format!("{key}/rotation-period")),
        ("GET", format!("{key}/versions")),
        ("POST", format!("{key}/versions/1/disable")),
        ("POST", format!("{key}/token-generator")),
        ("GET", format!("{key}/token-generator")),
        ("PUT", format!("{key}/token-generator")),
        ("DELETE", format!("{key}/token-generator")),
        ("POST", format!("{key}/token-set")),
        ("POST", format!("{key}/acl/enable")),
        ("GET", format!("{key}/acl")),
        ("POST", format!("{key}/acl")),
        ("DELETE", format!("{key}/acl")),
        ("GET", format!("{key}/activities")),
        ("GET", format!("{key}/last-use-info")),
        ("POST", one),
    ];
    let before = data(&scene.admin.get(key).await);
    for token in tokens {
        for (method, target) in &operations {
            let answer = scene.admin.with_token(token).call(method, target, Some(&plaintext(b"x"))).await;
            let text = refused(&answer, 401, "UNAUTHORIZED");
            assert_eq!(text, "Unauthorized: this operation takes a signature", "{method} {target}");
        }
        refused_before(&scene.admin.with_token(token).get("/kms/v1/nothing").await, 404, "300");
        refused_before(&scene.admin.with_token(token).get(&format!("{key}/encrypt")).await, 404, "300");
    }
    assert_eq!(data(&scene.admin.get(key).await), before, "nothing was done");
}

async fn operations_that_take_a_refresh_token_take_nothing_else(scene: &Scene, key: &str, by_access: &Ncloud) {
    for caller in [&scene.admin, by_access] {
        for (method, end) in [("PUT", "token-set"), ("POST", "access-token")] {
            let answer = caller.call(method, &format!("{key}/{end}"), Some(&json!({}))).await;
            let text = refused(&answer, 401, "UNAUTHORIZED");
            assert_eq!(text, "Unauthorized: this operation takes a refresh token");
        }
    }
}

async fn operations_that_take_an_access_token_take_no_refresh_token(scene: &Scene, key: &str, tokens: [&str; 2]) {
    let [access, refresh] = tokens.map(|token| scene.admin.with_token(token));
    let other = scene.new_key("BASIC").await;
    let sealed = data(&access.post(&format!("{key}/encrypt"), &plaintext(b"x")).await);
    for (end, body, status) in [
        ("encrypt", plaintext(b"x"), 200),
        ("decrypt", sealed.clone(), 200),
        ("create-custom-key", json!({}), 200),
        ("re-encrypt", sealed, 200),
        ("sign", Value::Null, 400),
        ("verify", Value::Null, 400),
        ("get-pub-key", Value::Null, 400),
    ] {
        let answer = access.post(&format!("{key}/{end}"), &body).await;
        assert_eq!(answer.status, status, "{end}: {}", answer.text);
        let text = refused(&refresh.post(&format!("{key}/{end}"), &body).await, 401, "UNAUTHORIZED");
        assert_eq!(text, "Unauthorized: this operation takes a signature or an access token", "{end}");
        for elsewhere in [&other, &path(super::NOBODY)] {
            let answer = access.post(&format!("{elsewhere}/{end}"), &body).await;
            assert!([401, 403, 404].contains(&answer.status), "{end}: {}", answer.text);
        }
    }
}
