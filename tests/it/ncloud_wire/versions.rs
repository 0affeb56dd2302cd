//! Versions: listed, switched off and on.

use super::shapes::{date, shape};
use super::{Scene, decrypted, encrypted, tag};
use crate::support::ncloud::{b64, data, now, refused};
use serde_json::{Value, json};

#[tokio::test]
async fn versions_are_listed_and_switched() {
    let scene = Scene::start().await;
    for protection in ["BASIC", "COMMON_HSM"] {
        versions_are_listed_oldest_first(&scene, protection).await;
        a_version_that_is_off_does_not_decrypt(&scene, protection).await;
    }
    tokio::join!(
        the_newest_version_is_never_switched_off(&scene),
        switching_again_changes_nothing(&scene),
        only_numbers_of_versions_name_them(&scene),
        versions_are_as_they_were_after_their_key_was_off(&scene),
    );
}

/// A key with so many versions, and something that each encrypted.
async fn key(scene: &Scene, protection: &str, versions: usize) -> (String, Vec<String>) {
    let key = scene.new_key(protection).await;
    let mut sealed = vec![encrypted(&scene.admin, &key, b"text").await];
    for _ in 1..versions {
        data(&scene.admin.act(&format!("{key}/rotate")).await);
        sealed.push(encrypted(&scene.admin, &key, b"text").await);
    }
    (key, sealed)
}

async fn versions(scene: &Scene, key: &str) -> Vec<Value> {
    let answer = data(&scene.admin.get(&format!("{key}/versions")).await);
    answer["versionList"].as_array().unwrap().clone()
}

/// The statuses of all versions, oldest first.
async fn statuses(scene: &Scene, key: &str) -> Vec<String> {
    versions(scene, key).await.iter().map(|version| version["status"].as_str().unwrap().to_owned()).collect()
}

async fn versions_are_listed_oldest_first(scene: &Scene, protection: &str) {
    let (key, _) = key(scene, protection, 3).await;
    let answer = data(&scene.admin.get(&format!("{key}/versions")).await);
    let entry = |version| json!({"version": version, "status": "ENABLE", "statusDate": "MS", "rotatedDate": "MS"});
    let list = [entry(1), entry(2), entry(3)];
    assert_eq!(shape(&answer), json!({"keyTag": "TAG", "currentVersion": 3, "versionList": list}));
    assert_eq!(answer["keyTag"], tag(&key));
    let made: Vec<_> = versions(scene, &key).await.iter().map(|version| date(&version["rotatedDate"])).collect();
    assert!(made.is_sorted() && made[2] <= now(), "{made:?}");
    for version in versions(scene, &key).await {
        assert_eq!(version["statusDate"], version["rotatedDate"], "it is as it was made");
    }
}

async fn a_version_that_is_off_does_not_decrypt(scene: &Scene, protection: &str) {
    let (key, sealed) = key(scene, protection, 2).await;
    let before = now();
    let answer = data(&scene.admin.act(&format!("{key}/versions/1/disable")).await);
    assert_eq!(shape(&answer), json!({"version": 1, "status": "DISABLE", "statusDate": "MS"}));
    assert!((before - 1..=now()).contains(&date(&answer["statusDate"])), "{answer}");
    assert_eq!(versions(scene, &key).await[0]["statusDate"], answer["statusDate"]);
    assert_eq!(statuses(scene, &key).await, ["DISABLE", "ENABLE"]);
    for operation in ["decrypt", "re-encrypt"] {
        let target = format!("{key}/{operation}");
        let text =
            refused(&scene.admin.post(&target, &json!({"ciphertext": sealed[0]})).await, 422, "UNPROCESSABLE_ENTITY");
        assert!(text.contains("version"), "{text}");
        let list = json!({"ciphertext": [sealed[1], sealed[0]]});
        refused(&scene.admin.post(&target, &list).await, 422, "UNPROCESSABLE_ENTITY");
    }
    assert_eq!(decrypted(&scene.admin, &key, &sealed[1]).await, b64(b"text"), "the other version works");
    assert!(encrypted(&scene.admin, &key, b"text").await.starts_with("ncpkms:v2:"));
    let answer = data(&scene.admin.act(&format!("{key}/versions/1/enable")).await);
    assert_eq!(shape(&answer), json!({"version": 1, "status": "ENABLE", "statusDate": "MS"}));
    assert_eq!(decrypted(&scene.admin, &key, &sealed[0]).await, b64(b"text"));
    data(&scene.admin.act(&format!("{key}/rotate")).await);
    data(&scene.admin.act(&format!("{key}/versions/2/disable")).await);
    assert_eq!(statuses(scene, &key).await, ["ENABLE", "DISABLE", "ENABLE"], "what was newest can be switched off");
}

async fn the_newest_version_is_never_switched_off(scene: &Scene) {
    for count in [1, 2] {
        let (key, sealed) = key(scene, "BASIC", count).await;
        let answer = scene.admin.act(&format!("{key}/versions/{count}/disable")).await;
        let text = refused(&answer, 422, "UNPROCESSABLE_ENTITY");
        assert_eq!(text, "Invalid status: the version that encrypts cannot be disabled: rotate the key first");
        assert_eq!(statuses(scene, &key).await, vec!["ENABLE"; count]);
        assert_eq!(decrypted(&scene.admin, &key, &sealed[count - 1]).await, b64(b"text"));
    }
}

async fn switching_again_changes_nothing(scene: &Scene) {
    let (key, _) = key(scene, "BASIC", 2).await;
    for (action, status) in [("enable", "ENABLE"), ("disable", "DISABLE"), ("enable", "ENABLE")] {
        let first = data(&scene.admin.act(&format!("{key}/versions/1/{action}")).await);
        let again = data(&scene.admin.act(&format!("{key}/versions/1/{action}")).await);
        assert_eq!((&first["status"], &first), (&json!(status), &again));
    }
    let newest = data(&scene.admin.act(&format!("{key}/versions/2/enable")).await);
    assert_eq!(newest["status"], "ENABLE");
}

async fn only_numbers_of_versions_name_them(scene: &Scene) {
    let (key, _) = key(scene, "BASIC", 2).await;
    for number in ["0", "3", "100", "4294967296", "-1", "+1", "01", "1.0", "x", "%31", ""] {
        for action in ["enable", "disable"] {
            let text = refused(&scene.admin.act(&format!("{key}/versions/{number}/{action}")).await, 404, "NOT_FOUND");
            assert_eq!(text, "Not found: the key has no version with this number", "{number}");
        }
    }
    assert_eq!(statuses(scene, &key).await, ["ENABLE", "ENABLE"]);
}

async fn versions_are_as_they_were_after_their_key_was_off(scene: &Scene) {
    let (key, sealed) = key(scene, "BASIC", 3).await;
    data(&scene.admin.act(&format!("{key}/versions/2/disable")).await);
    let before = versions(scene, &key).await;
    for [off, on] in [["disable", "enable"], ["request-deletion", "cancel-deletion"]] {
        data(&scene.admin.act(&format!("{key}/{off}")).await);
        assert_eq!(versions(scene, &key).await, before, "{off}");
        for action in ["enable", "disable"] {
            let answer = scene.admin.act(&format!("{key}/versions/1/{action}")).await;
            refused(&answer, 422, "UNPROCESSABLE_ENTITY");
        }
        data(&scene.admin.act(&format!("{key}/{on}")).await);
    }
    data(&scene.admin.act(&format!("{key}/enable")).await);
    assert_eq!(versions(scene, &key).await, before);
    assert_eq!(decrypted(&scene.admin, &key, &sealed[0]).await, b64(b"text"));
    let off = scene.admin.post(&format!("{key}/decrypt"), &json!({"ciphertext": sealed[1]})).await;
    refused(&off, 422, "UNPROCESSABLE_ENTITY");
}
