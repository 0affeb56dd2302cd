//! The end of a key: requested, cancelled, and at once.

use super::shapes::{date, shape};
use super::{Scene, decrypted, encrypted, key_id, plaintext, tag};
use crate::support::ncloud::{b64, data, now, refused};
use serde_json::json;

const WAIT_MS: i64 = 72 * 60 * 60 * 1000;
/// How far two readings of the clock in one request may be apart.
const SLACK_MS: i64 = 10_000;

#[tokio::test]
async fn keys_are_deleted_in_two_steps() {
    let scene = Scene::start().await;
    for protection in ["BASIC", "COMMON_HSM"] {
        a_requested_deletion_is_due_in_72_hours(&scene, protection).await;
        a_cancelled_deletion_leaves_a_disabled_key(&scene, protection).await;
        a_deleted_key_is_gone_at_once(&scene, protection).await;
    }
    a_protected_key_is_not_deleted(&scene).await;
    of_many_deletions_one_succeeds(&scene).await;
}

async fn a_requested_deletion_is_due_in_72_hours(scene: &Scene, protection: &str) {
    let key = scene.new_key(protection).await;
    let before = now();
    let answer = data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    assert_eq!(shape(&answer), json!({"keyTag": "TAG", "status": "REVOKE", "statusDate": "MS"}));
    assert_eq!(answer["keyTag"], tag(&key));
    let requested = date(&answer["statusDate"]);
    assert!((before - 1..=now()).contains(&requested), "{answer}");
    let shown = data(&scene.admin.get(&key).await);
    assert_eq!(shown["status"], "REVOKE");
    let wait = date(&shown["destroyDate"]) - requested;
    assert!((WAIT_MS - SLACK_MS..=WAIT_MS + SLACK_MS).contains(&wait), "{wait} ms");
    let again = scene.admin.act(&format!("{key}/request-deletion")).await;
    let text = refused(&again, 422, "UNPROCESSABLE_ENTITY");
    assert_eq!(text, "Invalid status: the key's status is REVOKE: cancel its deletion first");
    assert_eq!(data(&scene.admin.get(&key).await), shown, "the date stays");
    let native = scene.rest.get(&format!("/kms/v1/keys/{}", key_id(&key))).await;
    assert_eq!(native.status, 404, "the native dialect hides it");
}

async fn a_cancelled_deletion_leaves_a_disabled_key(scene: &Scene, protection: &str) {
    for first in ["enable", "disable"] {
        let key = scene.new_key(protection).await;
        let sealed = encrypted(&scene.admin, &key, b"saved").await;
        if first == "disable" {
            data(&scene.admin.act(&format!("{key}/disable")).await);
        }
        data(&scene.admin.act(&format!("{key}/request-deletion")).await);
        let answer = data(&scene.admin.act(&format!("{key}/cancel-deletion")).await);
        assert_eq!(shape(&answer), json!({"keyTag": "TAG", "status": "DISABLE", "statusDate": "MS"}));
        let shown = data(&scene.admin.get(&key).await);
        assert_eq!((&shown["status"], &shown["destroyDate"]), (&json!("DISABLE"), &json!(null)));
        let used = scene.admin.post(&format!("{key}/encrypt"), &plaintext(b"x")).await;
        let text = refused(&used, 422, "UNPROCESSABLE_ENTITY");
        assert_eq!(text, "Invalid status: the key's status is DISABLE");
        let again = scene.admin.act(&format!("{key}/cancel-deletion")).await;
        refused(&again, 422, "UNPROCESSABLE_ENTITY");
        data(&scene.admin.act(&format!("{key}/enable")).await);
        assert_eq!(decrypted(&scene.admin, &key, &sealed).await, b64(b"saved"));
    }
}

async fn a_deleted_key_is_gone_at_once(scene: &Scene, protection: &str) {
    let key = scene.new_key(protection).await;
    let sealed = encrypted(&scene.admin, &key, b"lost").await;
    let text = refused(&scene.admin.delete(&key).await, 422, "UNPROCESSABLE_ENTITY");
    assert_eq!(text, "Invalid status: the key's status is not REVOKE: request its deletion first");
    assert_eq!(decrypted(&scene.admin, &key, &sealed).await, b64(b"lost"), "the refusal changed nothing");
    data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    let answer = scene.admin.delete(&key).await;
    assert_eq!(answer.text, r#"{"code":"SUCCESS","data":null}"#);
    for answer in [
        scene.admin.get(&key).await,
        scene.admin.delete(&key).await,
        scene.admin.act(&format!("{key}/cancel-deletion")).await,
        scene.admin.post(&format!("{key}/decrypt"), &json!({"ciphertext": sealed})).await,
    ] {
        refused(&answer, 404, "NOT_FOUND");
    }
}

async fn a_protected_key_is_not_deleted(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let native = format!("/kms/v1/keys/{}", key_id(&key));
    let protect = json!({"updateMask": "deletionProtection", "deletionProtection": true});
    scene.rest.patch(&native, &protect).await.ok();
    let text = refused(&scene.admin.act(&format!("{key}/request-deletion")).await, 422, "UNPROCESSABLE_ENTITY");
    assert!(text.contains("deletion protection"), "{text}");
    assert_eq!(data(&scene.admin.get(&key).await)["status"], "ENABLE");
}

async fn of_many_deletions_one_succeeds(scene: &Scene) {
    let key = scene.new_key("COMMON_HSM").await;
    data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    let answers = futures_util::future::join_all((0..5).map(|_| scene.admin.delete(&key))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    let missing = answers.iter().filter(|answer| answer.status == 404).count();
    assert_eq!((good, missing), (1, 4), "{answers:?}");
}
