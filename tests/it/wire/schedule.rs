//! What time does to a key: destruction and rotation that nobody asks for at that moment.

use super::{
    Api, create, database, decrypt, destroyed, encrypt, key, metadata, new_key, period, primary, response, rotate,
    schedule, until, version, versions,
};
use crate::support::server::claviger;
use crate::support::{Dev, Home};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::wkt::{FieldMask, Timestamp};
use kms::symmetric_key_version::Status as VersionStatus;
use kms::{SymmetricAlgorithm, SymmetricKey, SymmetricKeyVersion};
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};
use tonic::Code;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn versions_are_destroyed_and_keys_rotated_when_their_time_comes() {
    let home = Home::new()
        .with("CLAVIGER_LIMITS__MIN_VERSION_PENDING_PERIOD", "1s")
        .with("CLAVIGER_LIMITS__MIN_ROTATION_PERIOD", "1s")
        .with("CLAVIGER_LIMITS__KEY_DELETION_PERIOD", "1s")
        .with("CLAVIGER_SCHEDULER__INTERVAL", "1s");
    let dev = home.start().await;
    let (here, mut tests) = (LocalSet::new(), JoinSet::new());
    for api in Api::all(&dev).await {
        let folder = dev.folder().to_owned();
        tests.spawn_local_on(a_version_is_scheduled_saved_and_destroyed(api.clone(), folder.clone()), &here);
        tests.spawn_local_on(a_key_with_a_period_rotates_by_itself(api, folder), &here);
    }
    here.run_until(async {
        a_deleted_key_cannot_come_back_once_its_time_is_over(&home, &dev).await;
        tests.join_all().await;
    })
    .await;
    let ready = dev.rest().get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
}

fn cancel(key_id: &str, version_id: &str) -> kms::CancelSymmetricKeyVersionDestructionRequest {
    kms::CancelSymmetricKeyVersionDestructionRequest { key_id: key_id.to_owned(), version_id: version_id.to_owned() }
}

fn seconds(at: Option<Timestamp>) -> i64 {
    at.unwrap().seconds
}

async fn a_version_is_scheduled_saved_and_destroyed(api: Api, folder: String) {
    let made = new_key(&api, &folder, SymmetricAlgorithm::Aes256Hsm).await;
    let (id, old) = (made.id.as_str(), primary(&made));
    let sealed = api.ok(encrypt(id, b"doomed", b"a")).await.ciphertext;
    rotate(&api, id).await;
    let hour = Duration::from_secs(3600);
    let record = api.ok(schedule(id, &old, Some(hour))).await;
    let meta: kms::ScheduleSymmetricKeyVersionDestructionMetadata = metadata(&record);
    assert_eq!((meta.key_id.as_str(), meta.version_id.as_str()), (id, old.as_str()));
    let scheduled: SymmetricKeyVersion = response(&record);
    assert_eq!((scheduled.status(), scheduled.destroy_at), (VersionStatus::ScheduledForDestruction, meta.destroy_at));
    assert!((seconds(meta.destroy_at) - seconds(record.created_at) - 3600).abs() <= 1, "{record:?}");
    assert_eq!(version(&api, id, &old).await, scheduled);
    nothing_can_be_done_with_it(&api, id, &old, &sealed).await;

    let record = api.ok(cancel(id, &old)).await;
    let meta: kms::CancelSymmetricKeyVersionDestructionMetadata = metadata(&record);
    assert_eq!((meta.key_id.as_str(), meta.version_id.as_str()), (id, old.as_str()));
    let saved: SymmetricKeyVersion = response(&record);
    assert_eq!((saved.status(), saved.destroy_at), (VersionStatus::Active, None));
    assert_eq!(api.ok(decrypt(id, &sealed, b"a")).await.plaintext, b"doomed");

    // Without a period it is seven days, however short the shortest may be.
    let record = api.ok(schedule(id, &old, None)).await;
    let week = 7 * 24 * 3600;
    let meta: kms::ScheduleSymmetricKeyVersionDestructionMetadata = metadata(&record);
    assert!((seconds(meta.destroy_at) - seconds(record.created_at) - week).abs() <= 1, "{record:?}");
    api.ok(cancel(id, &old)).await;

    api.ok(schedule(id, &old, Some(SECOND))).await;
    let gone = destroyed(&api, id, &old).await;
    assert_eq!((gone.destroy_at, gone.primary), (None, false));
    nothing_can_be_done_with_it(&api, id, &old, &sealed).await;
    let refusal = api.refused("cancelling a destroyed version", cancel(id, &old)).await;
    assert_eq!(refusal.code, Code::FailedPrecondition);
    assert_eq!(versions(&api, id).await.len(), 2, "a destroyed version stays listed");
    let fresh = api.ok(encrypt(id, b"lives on", b"")).await.ciphertext;
    assert_eq!(api.ok(decrypt(id, &fresh, b"")).await.plaintext, b"lives on");
}

/// Neither with a scheduled nor with a destroyed version.
async fn nothing_can_be_done_with_it(api: &Api, key_id: &str, version_id: &str, sealed: &[u8]) {
    let by_version = kms::SymmetricEncryptRequest { version_id: version_id.to_owned(), ..encrypt(key_id, b"x", b"") };
    let data_key = kms::GenerateDataKeyRequest {
        key_id: key_id.to_owned(),
        version_id: version_id.to_owned(),
        data_key_spec: SymmetricAlgorithm::Aes256.into(),
        ..Default::default()
    };
    let as_primary =
        kms::SetPrimarySymmetricKeyVersionRequest { key_id: key_id.to_owned(), version_id: version_id.to_owned() };
    let moved = kms::SymmetricReEncryptRequest {
        key_id: key_id.to_owned(),
        source_key_id: key_id.to_owned(),
        source_aad_context: b"a".to_vec(),
        ciphertext: sealed.to_vec(),
        ..Default::default()
    };
    let refusals = [
        api.refused("encrypt", by_version).await,
        api.refused("decrypt", decrypt(key_id, sealed, b"a")).await,
        api.refused("re-encrypt", moved).await,
        api.refused("data key", data_key).await,
        api.refused("set primary", as_primary).await,
        api.refused("schedule again", schedule(key_id, version_id, None)).await,
    ];
    assert!(refusals.iter().all(|refusal| refusal.code == Code::FailedPrecondition), "{}: {refusals:?}", api.name);
}

async fn a_key_with_a_period_rotates_by_itself(api: Api, folder: String) {
    let request = kms::CreateSymmetricKeyRequest {
        rotation_period: Some(period(SECOND)),
        ..create(&folder, SymmetricAlgorithm::Aes256Hsm)
    };
    let made: SymmetricKey = response(&api.ok(request).await);
    let sealed = api.ok(encrypt(&made.id, b"old", b"")).await;
    let rotated = until("the key rotates twice by itself", async || {
        let now = key(&api, &made.id).await;
        (versions(&api, &made.id).await.len() >= 3).then_some(now)
    })
    .await;
    assert_ne!(primary(&rotated), sealed.version_id);
    assert_eq!(api.ok(decrypt(&made.id, &sealed.ciphertext, b"")).await.plaintext, b"old");
    let listing = kms::ListSymmetricKeyOperationsRequest { key_id: made.id.clone(), ..Default::default() };
    let records = api.ok(listing).await.operations;
    let newest = records.first().unwrap();
    let meta: kms::RotateSymmetricKeyMetadata = metadata(newest);
    assert_eq!(meta.key_id, made.id);
    let creator = &records.last().unwrap().created_by;
    assert!(newest.created_by != *creator && !newest.created_by.is_empty(), "the scheduler rotated it: {newest:?}");

    let off = kms::UpdateSymmetricKeyRequest {
        key_id: made.id.clone(),
        update_mask: Some(FieldMask { paths: vec!["rotation_period".into()] }),
        ..Default::default()
    };
    let still: SymmetricKey = response(&api.ok(off).await);
    assert_eq!(still.rotation_period, None);
    let before = versions(&api, &made.id).await.len();
    // Two wakes of the scheduler: enough for a rotation that was not switched off.
    tokio::time::sleep(2 * SECOND + SECOND / 2).await;
    assert_eq!(versions(&api, &made.id).await.len(), before);
}

async fn a_deleted_key_cannot_come_back_once_its_time_is_over(home: &Home, dev: &Dev) {
    let api = Api::rest(dev);
    let made = new_key(&api, dev.folder(), SymmetricAlgorithm::Aes256Hsm).await;
    rotate(&api, &made.id).await;
    let ids: Vec<String> = versions(&api, &made.id).await.into_iter().map(|version| version.id).collect();
    api.ok(kms::DeleteSymmetricKeyRequest { key_id: made.id.clone() }).await;
    until("all versions of a deleted key are destroyed", async || {
        let database = database::reader(home);
        ids.iter().all(|id| database::state(&database, id) == "destroyed").then_some(())
    })
    .await;
    let mut command = claviger();
    let output = command.args(["key", "restore", &made.id]).envs(dev.credentials()).output().unwrap();
    assert!(!output.status.success(), "a key without any material came back");
    let get = kms::GetSymmetricKeyRequest { key_id: made.id.clone() };
    assert_eq!(api.refused("deleted", get).await.code, Code::NotFound);
}
