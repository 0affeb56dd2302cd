//! What time does to keys, seen from here: rotations and destructions that nobody asks for at that moment.

use super::Scene;
use crate::support::Home;
use crate::support::aws::{good, refused_as};
use crate::support::client::text;
use aws_sdk_kms::types::{KeyMaterialState, RotationType, RotationsListEntry};
use serde_json::json;
use std::time::Duration;

/// Long enough for a scheduler on a busy machine; a test that works ends far earlier.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn rotations_and_destructions_of_other_dialects_are_seen_here() {
    let home = Home::new()
        .with("CLAVIGER_LIMITS__MIN_VERSION_PENDING_PERIOD", "1s")
        .with("CLAVIGER_LIMITS__MIN_ROTATION_PERIOD", "1s")
        .with("CLAVIGER_LIMITS__KEY_DELETION_PERIOD", "1s")
        .with("CLAVIGER_SCHEDULER__INTERVAL", "1s");
    let scene = Scene::start_in(home).await;
    tokio::join!(
        a_scheduled_rotation_is_listed_as_automatic(&scene),
        a_destroyed_version_refuses(&scene),
        a_deleted_key_is_gone_with_its_aliases(&scene),
    );
}

/// Asks again and again until the answer is there.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let answered = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

async fn rotations(scene: &Scene, id: &str) -> Vec<RotationsListEntry> {
    good(scene.admin.kms.list_key_rotations().key_id(id).send().await).rotations.unwrap()
}

async fn a_scheduled_rotation_is_listed_as_automatic(scene: &Scene) {
    let id = scene.native_key("AES_256_HSM").await;
    let path = format!("/kms/v1/keys/{id}");
    let before = scene.admin.material(&id).await;
    let sealed = scene.admin.encrypt(&id, b"before").await;
    scene.rest.patch(&path, &json!({"updateMask": "rotationPeriod", "rotationPeriod": "1s"})).await.ok();
    until("a rotation", async || (!rotations(scene, &id).await.is_empty()).then_some(())).await;
    scene.rest.patch(&path, &json!({"updateMask": "rotationPeriod", "rotationPeriod": null})).await.ok();
    let listed = rotations(scene, &id).await;
    let now = scene.admin.material(&id).await;
    assert_ne!(now, before);
    assert!(listed.iter().all(|entry| entry.rotation_type() == Some(&RotationType::Automatic)), "{listed:?}");
    let newest = listed.last().unwrap();
    assert_eq!(
        (newest.key_material_id(), newest.key_material_state()),
        (Some(now.as_str()), Some(&KeyMaterialState::Current))
    );
    let opened = good(scene.admin.kms.decrypt().ciphertext_blob(sealed).send().await);
    assert_eq!(
        (opened.plaintext().unwrap().as_ref(), opened.key_material_id()),
        (&b"before"[..], Some(before.as_str()))
    );
}

async fn a_destroyed_version_refuses(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.native_key("AES_256_HSM").await);
    let path = format!("/kms/v1/keys/{id}");
    let old = text(&scene.rest.get(&path).await.ok()["primaryVersion"]["id"]);
    let sealed = scene.admin.encrypt(&id, b"gone").await;
    scene.admin.rotate(&id).await;
    let body = json!({"versionId": old, "pendingPeriod": "1s"});
    scene.rest.post(&format!("{path}:scheduleVersionDestruction"), &body).await.ok();
    until("the version is destroyed", async || {
        let versions = scene.rest.get(&format!("{path}/versions")).await.ok();
        let version = versions["keyVersions"].as_array().unwrap().iter().find(|version| version["id"] == old.as_str());
        (version.unwrap()["status"] == "DESTROYED").then_some(())
    })
    .await;
    refused_as(kms.decrypt().ciphertext_blob(sealed.clone()).send().await, "KMSInvalidStateException");
    let moved = kms.re_encrypt().destination_key_id(&id).ciphertext_blob(sealed).send().await;
    refused_as(moved, "KMSInvalidStateException");
    assert_eq!(scene.admin.decrypt(&scene.admin.encrypt(&id, b"lives").await).await, b"lives");
}

async fn a_deleted_key_is_gone_with_its_aliases(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.native_key("AES_256_HSM").await);
    good(kms.create_alias().alias_name("alias/doomed").target_key_id(&id).send().await);
    let sealed = scene.admin.encrypt(&id, b"gone").await;
    scene.rest.delete(&format!("/kms/v1/keys/{id}")).await.ok();
    until("the key is gone", async || kms.describe_key().key_id(&id).send().await.is_err().then_some(())).await;
    let said = refused_as(kms.describe_key().key_id(&id).send().await, "NotFoundException");
    assert_eq!(said, format!("Key '{}' does not exist", scene.arn(&id)));
    refused_as(kms.cancel_key_deletion().key_id(&id).send().await, "NotFoundException");
    refused_as(kms.describe_key().key_id("alias/doomed").send().await, "NotFoundException");
    refused_as(kms.decrypt().ciphertext_blob(sealed).send().await, "AccessDeniedException");
    let listed = good(kms.list_keys().send().await);
    assert!(listed.keys().iter().all(|key| key.key_id() != Some(&id)), "{listed:?}");
    assert_eq!(good(kms.list_aliases().send().await).aliases(), []);
    // The name is free.
    let next = scene.admin.new_key_id().await;
    good(kms.create_alias().alias_name("alias/doomed").target_key_id(&next).send().await);
}
