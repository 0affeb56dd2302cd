//! One key, two dialects: what one does the other shows, and rules of either bind in both.

use super::Scene;
use crate::support::aws::{good, now, refused, refused_as};
use crate::support::client::text;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyState, Tag};
use serde_json::{Value, json};

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn keys_live_in_both_dialects() {
    let scene = Scene::start().await;
    tokio::join!(
        a_native_key_is_managed_here(&scene),
        a_key_of_ours_is_managed_natively(&scene),
        keys_of_every_algorithm_encrypt_here(&scene),
        ciphertexts_pass_between_dialects(&scene),
        deletion_protection_binds(&scene),
        a_key_made_here_waits_7_days(&scene),
        a_doomed_version_refuses(&scene),
        schedules_are_seen_on_both_sides(&scene),
    );
}

fn path(id: &str) -> String {
    format!("/kms/v1/keys/{id}")
}

async fn a_native_key_is_managed_here(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.native_key("AES_256_HSM").await);
    let update =
        json!({"updateMask": "name,description,labels", "name": "n", "description": "d", "labels": {"l": "v"}});
    scene.rest.patch(&path(&id), &update).await.ok();
    let shown = scene.admin.describe(&id).await;
    assert_eq!((shown.description(), shown.key_state()), (Some("d"), Some(&KeyState::Enabled)));
    assert_eq!(shown.arn(), Some(scene.arn(&id).as_str()));
    let listed = good(kms.list_keys().send().await);
    assert!(listed.keys().iter().any(|key| key.key_id() == Some(&id)), "{listed:?}");

    let tag = Tag::builder().tag_key("l").tag_value("tag").build().unwrap();
    assert_eq!(good(kms.list_resource_tags().key_id(&id).send().await).tags(), [], "labels are no tags");
    good(kms.tag_resource().key_id(&id).tags(tag).send().await);
    good(kms.update_key_description().key_id(&id).description("of AWS").send().await);
    good(kms.disable_key().key_id(&id).send().await);
    let native = scene.rest.get(&path(&id)).await.ok();
    assert_eq!((&native["status"], &native["description"]), (&json!("INACTIVE"), &json!("of AWS")));
    assert_eq!((&native["labels"], &native["name"]), (&json!({"l": "v"}), &json!("n")));
    let encrypted = scene.rest.post(&format!("{}:encrypt", path(&id)), &json!({"plaintext": "aGk="})).await;
    assert_ne!(encrypted.status, 200, "disabled there, inactive here");
    good(kms.enable_key().key_id(&id).send().await);
    scene.rest.post(&format!("{}:encrypt", path(&id)), &json!({"plaintext": "aGk="})).await.ok();
    good(kms.create_alias().alias_name("alias/native").target_key_id(&id).send().await);
    assert_eq!(scene.admin.decrypt(&scene.admin.encrypt("alias/native", b"x").await).await, b"x");

    let scheduled = good(kms.schedule_key_deletion().key_id(&id).pending_window_in_days(7).send().await);
    assert!((scheduled.deletion_date().unwrap().secs() - now() - 7 * DAY).abs() <= 60);
    assert_eq!(scene.rest.get(&path(&id)).await.status, 404, "the native dialect hides it");
    good(kms.cancel_key_deletion().key_id(&id).send().await);
    assert_eq!(scene.rest.get(&path(&id)).await.ok()["status"], "INACTIVE");
}

async fn a_key_of_ours_is_managed_natively(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let native = scene.rest.get(&path(&id)).await.ok();
    assert_eq!((&native["id"], &native["defaultAlgorithm"]), (&json!(id), &json!("AES_256_HSM")));
    assert_eq!((&native["status"], &native["folderId"]), (&json!("ACTIVE"), &json!(scene.dev.folder())));
    let before = scene.admin.material(&id).await;
    scene.rest.post(&format!("{}:rotate", path(&id)), &json!({})).await.ok();
    assert_ne!(scene.admin.material(&id).await, before);
    scene
        .rest
        .patch(&path(&id), &json!({"updateMask": "status,description", "status": "INACTIVE", "description": "x"}))
        .await
        .ok();
    let shown = scene.admin.describe(&id).await;
    assert_eq!((shown.key_state(), shown.description()), (Some(&KeyState::Disabled), Some("x")));
    let text = format!("{} is disabled.", scene.arn(&id));
    refused(kms.encrypt().key_id(&id).plaintext(Blob::new("x")).send().await, "DisabledException", &text);
    scene.rest.patch(&path(&id), &json!({"updateMask": "status", "status": "ACTIVE"})).await.ok();
    scene.admin.encrypt(&id, b"x").await;

    scene.rest.delete(&path(&id)).await.ok();
    let shown = scene.admin.describe(&id).await;
    assert_eq!(shown.key_state(), Some(&KeyState::PendingDeletion));
    assert!(shown.deletion_date().unwrap().secs() - now() >= 7 * DAY - 60, "its own shortest wait holds everywhere");
    let text = format!("{} is pending deletion.", scene.arn(&id));
    let encrypt = kms.encrypt().key_id(&id).plaintext(Blob::new("x")).send().await;
    refused(encrypt, "KMSInvalidStateException", &text);
    scene.rest.post(&format!("/claviger/v1/keys/{id}:restore"), &json!({})).await.ok();
    assert_eq!(scene.admin.describe(&id).await.key_state(), Some(&KeyState::Enabled));
}

async fn keys_of_every_algorithm_encrypt_here(scene: &Scene) {
    for algorithm in ["AES_128", "AES_192", "AES_256", "AES_256_HSM"] {
        let id = scene.native_key(algorithm).await;
        assert_eq!(scene.admin.decrypt(&scene.admin.encrypt(&id, b"any").await).await, b"any", "{algorithm}");
        let key = scene.admin.describe(&id).await;
        assert_eq!(key.key_spec().unwrap().as_str(), "SYMMETRIC_DEFAULT", "{algorithm}");
        let made = good(scene.admin.kms.generate_data_key().key_id(&id).number_of_bytes(48).send().await);
        assert_eq!(scene.admin.decrypt(&made.ciphertext_blob.unwrap()).await, made.plaintext.unwrap().into_inner());
        good(scene.admin.kms.rotate_key_on_demand().key_id(&id).send().await);
        assert_eq!(scene.rest.get(&path(&id)).await.ok()["defaultAlgorithm"], algorithm, "a rotation keeps it");
    }
}

async fn ciphertexts_pass_between_dialects(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    let encrypt = async |body: Value| scene.rest.post(&format!("{}:encrypt", path(&id)), &body).await.ok();
    let native = encrypt(json!({"plaintext": "aGk="})).await["ciphertext"].clone();
    let opened = scene.admin.raw.call("Decrypt", &json!({"CiphertextBlob": native})).await.ok();
    assert_eq!(opened["Plaintext"], "aGk=");
    let ours = scene.admin.raw.call("Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="})).await.ok();
    let decrypt = async |body: Value| scene.rest.post(&format!("{}:decrypt", path(&id)), &body).await;
    let opened = decrypt(json!({"ciphertext": ours["CiphertextBlob"]})).await.ok();
    assert_eq!(opened["plaintext"], "aGk=");

    // Contexts of one kind are never those of the other, even if somebody writes the same bytes.
    let context = json!({"a": "b"});
    let body = json!({"KeyId": id, "Plaintext": "aGk=", "EncryptionContext": context});
    let ours = scene.admin.raw.call("Encrypt", &body).await.ok();
    for aad in ["", "eyJhIjoiYiJ9", "YT1i"] {
        let opened = decrypt(json!({"ciphertext": ours["CiphertextBlob"], "aadContext": aad})).await;
        assert_ne!(opened.status, 200, "{aad}");
    }
    let native = encrypt(json!({"plaintext": "aGk=", "aadContext": "eyJhIjoiYiJ9"})).await["ciphertext"].clone();
    for context in [json!({}), context] {
        let body = json!({"CiphertextBlob": native, "EncryptionContext": context});
        let (code, _) = crate::support::aws::error(&scene.admin.raw.call("Decrypt", &body).await);
        assert_eq!(code, "InvalidCiphertextException");
    }
}

async fn deletion_protection_binds(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let protect = |on: bool| json!({"updateMask": "deletionProtection", "deletionProtection": on});
    scene.rest.patch(&path(&id), &protect(true)).await.ok();
    let said = refused_as(kms.schedule_key_deletion().key_id(&id).send().await, "KMSInvalidStateException");
    assert!(said.to_lowercase().contains("deletion protection") || said.contains("deletion_protection"), "{said}");
    assert_eq!(scene.admin.describe(&id).await.key_state(), Some(&KeyState::Enabled));
    scene.rest.patch(&path(&id), &protect(false)).await.ok();
    good(kms.schedule_key_deletion().key_id(&id).send().await);
}

/// The native id of a key's primary version.
async fn primary(scene: &Scene, id: &str) -> String {
    text(&scene.rest.get(&path(id)).await.ok()["primaryVersion"]["id"])
}

async fn a_key_made_here_waits_7_days(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    let old = primary(scene, &id).await;
    scene.admin.rotate(&id).await;
    let schedule = async |period: &str| {
        let body = json!({"versionId": old, "pendingPeriod": period});
        scene.rest.post(&format!("{}:scheduleVersionDestruction", path(&id)), &body).await
    };
    for period in ["86400s", "604799s"] {
        assert_ne!(schedule(period).await.status, 200, "{period}");
    }
    schedule("604800s").await.ok();
    let native = scene.native_key("AES_256_HSM").await;
    let old = primary(scene, &native).await;
    scene.admin.rotate(&native).await;
    let body = json!({"versionId": old, "pendingPeriod": "86400s"});
    scene.rest.post(&format!("{}:scheduleVersionDestruction", path(&native)), &body).await.ok();
}

async fn a_doomed_version_refuses(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.native_key("AES_256_HSM").await);
    let (old, material) = (primary(scene, &id).await, scene.admin.material(&id).await);
    let sealed = scene.admin.encrypt(&id, b"doomed").await;
    scene.admin.rotate(&id).await;
    let body = json!({"versionId": old, "pendingPeriod": "86400s"});
    scene.rest.post(&format!("{}:scheduleVersionDestruction", path(&id)), &body).await.ok();
    refused_as(kms.decrypt().ciphertext_blob(sealed.clone()).send().await, "KMSInvalidStateException");
    let moved = kms.re_encrypt().destination_key_id(&id).ciphertext_blob(sealed.clone()).send().await;
    refused_as(moved, "KMSInvalidStateException");
    scene.admin.encrypt(&id, b"the newest still works").await;
    scene.rest.post(&format!("{}:cancelVersionDestruction", path(&id)), &json!({"versionId": old})).await.ok();
    assert_eq!(scene.admin.decrypt(&sealed).await, b"doomed");
    // The native dialect may go back to an older version, which is current then.
    scene.rest.post(&format!("{}:setPrimaryVersion", path(&id)), &json!({"versionId": old})).await.ok();
    assert_eq!(scene.admin.material(&id).await, material);
}

async fn schedules_are_seen_on_both_sides(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    good(kms.enable_key_rotation().key_id(&id).rotation_period_in_days(90).send().await);
    assert_eq!(scene.rest.get(&path(&id)).await.ok()["rotationPeriod"], "7776000s");
    // One second more than two days is shown as three.
    scene.rest.patch(&path(&id), &json!({"updateMask": "rotationPeriod", "rotationPeriod": "172801s"})).await.ok();
    let shown = good(kms.get_key_rotation_status().key_id(&id).send().await);
    assert_eq!((shown.key_rotation_enabled, shown.rotation_period_in_days()), (true, Some(3)));
    assert!((shown.next_rotation_date().unwrap().secs() - now() - 172_801).abs() <= 60, "{shown:?}");
    scene.rest.patch(&path(&id), &json!({"updateMask": "rotationPeriod", "rotationPeriod": null})).await.ok();
    let shown = good(kms.get_key_rotation_status().key_id(&id).send().await);
    assert_eq!((shown.key_rotation_enabled, shown.next_rotation_date()), (false, None));
    good(kms.enable_key_rotation().key_id(&id).send().await);
    good(kms.disable_key_rotation().key_id(&id).send().await);
    assert_eq!(scene.rest.get(&path(&id)).await.ok().get("rotationPeriod"), None);
}
