//! Tokens that are worth nothing: they show nothing of keys and cost their issuers nothing. And what counts for a limit.

use super::{NOBODY, Scene, path, plaintext};
use crate::support::Home;
use crate::support::client::text;
use crate::support::ncloud::{Ncloud, data, refused};

/// The access token of a new key with a generator.
async fn token(scene: &Scene, key: &str) -> String {
    data(&scene.admin.act(&format!("{key}/token-generator")).await);
    text(&data(&scene.admin.act(&format!("{key}/token-set")).await)["accessToken"])
}

async fn told(caller: &Ncloud, key: &str) -> String {
    let answer = caller.post(&format!("{key}/encrypt"), &plaintext(b"x")).await;
    refused(&answer, 401, "UNAUTHORIZED");
    answer.text
}

#[tokio::test]
async fn a_token_does_not_tell_keys_that_are_there_from_those_that_are_not() {
    let scene = Scene::start().await;
    let (own, other, leaving, gone) =
        tokio::join!(scene.new_key("BASIC"), scene.new_key("BASIC"), scene.new_key("BASIC"), scene.new_key("BASIC"));
    let caller = scene.admin.with_token(&token(&scene, &own).await);
    for key in [&leaving, &gone] {
        data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    }
    data(&scene.admin.delete(&gone).await);
    let nobody = told(&caller, &path(NOBODY)).await;
    for key in [&other, &leaving, &gone] {
        assert_eq!(told(&caller, key).await, nobody, "{key}");
    }
    data(&caller.post(&format!("{own}/encrypt"), &plaintext(b"x")).await);
}

#[tokio::test]
async fn a_dead_token_uses_up_nothing_of_its_issuer() {
    let home = Home::new().with("CLAVIGER_ACCESS__REQUESTS_PER_PRINCIPAL", "20");
    let scene = Scene::start_in(home.with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", "0")).await;
    let key = scene.new_key("BASIC").await;
    let dead = scene.admin.with_token(&token(&scene, &key).await);
    data(&scene.admin.call("PUT", &format!("{key}/token-generator"), None).await);
    for _ in 0..60 {
        told(&dead, &key).await;
    }
    data(&scene.admin.get(&key).await);
}

#[tokio::test]
async fn a_list_of_versions_is_one_use_of_its_key() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_ACCESS__REQUESTS_PER_KEY", "1")).await;
    let key = scene.new_key("BASIC").await;
    assert_eq!(data(&scene.admin.get(&format!("{key}/versions")).await)["currentVersion"], 1);
}
