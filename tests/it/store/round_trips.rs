//! What is written is read back, in every shape that the types allow.

use super::fixture::{
    Db, administrators, at, credential, folder, folder_id, key, key_id, operation, principal, principal_id, sealed,
    short_name, token_hash, version, version_id,
};
use claviger::domain::Dialect;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{MaterialId, OperationId};
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::domain::schedule::RotationSchedule;
use claviger::domain::version::{KeyVersion, Residency, VersionOrigin, VersionState};
use claviger::service::ports::{
    BindingScope, BlobUpdate, BootInstant, Change, CredentialLookup, Heartbeat, RememberedRequest, Store, StoreError,
    Stored,
};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[tokio::test]
async fn folders_principals_credentials_and_bindings_come_back_after_a_restart() {
    let db = Db::new().await.restart().unwrap();
    assert_eq!(db.store.folder(folder_id()).await.unwrap(), Some(folder()));
    assert_eq!(db.store.first_folder().await.unwrap(), Some(folder()));
    assert_eq!(db.store.principal(principal_id()).await.unwrap(), Some(Stored { value: principal(), row_seq: 1 }));
    assert_eq!(db.store.first_principal(folder_id()).await.unwrap(), Some(principal()));
    let bindings = db.store.bindings(BindingScope::Folder(folder_id())).await.unwrap();
    assert_eq!(bindings, Stored { value: administrators(), row_seq: 1 });
    let found = db.store.credential(CredentialLookup::TokenSha256(token_hash(1))).await.unwrap().unwrap();
    assert_eq!(found, Stored { value: credential(1), row_seq: 1 });
    assert_eq!(db.store.credential(CredentialLookup::TokenSha256(token_hash(2))).await.unwrap(), None);
}

#[tokio::test]
async fn a_revoked_credential_is_still_found_by_its_token_but_not_listed() {
    let db = Db::new().await;
    let mut stored = db.store.credential(CredentialLookup::TokenSha256(token_hash(1))).await.unwrap().unwrap();
    assert_eq!(db.store.credentials_of(principal_id()).await.unwrap(), [stored.clone()]);
    stored.value.expires_at = Some(at(10));
    stored.value.revoked_at = Some(at(9));
    db.store.commit(vec![Change::UpdateCredential(stored.clone())]).await.unwrap();
    assert_eq!(db.store.credentials_of(principal_id()).await.unwrap(), []);
    let found = db.store.credential(CredentialLookup::TokenSha256(token_hash(1))).await.unwrap().unwrap();
    assert_eq!(found, Stored { value: stored.value, row_seq: 2 });
}

#[tokio::test]
async fn a_folder_without_bindings_has_an_empty_set_at_sequence_zero() {
    let db = Db::new().await;
    let other = claviger::domain::id::FolderId::from_bytes([9; 16]);
    assert_eq!(db.store.bindings(BindingScope::Folder(other)).await.unwrap().row_seq, 0);
    assert!(db.store.bindings(BindingScope::Folder(other)).await.unwrap().value.as_slice().is_empty());
}

fn key_shapes() -> Vec<Key> {
    let schedule = |owner| Some(RotationSchedule { period: Duration::from_secs(90), next_rotation_at: at(500), owner });
    let live = KeyState::Live { switch: Switch::Inactive };
    let pending = KeyState::PendingDeletion { delete_at: at(900), switch: Switch::Inactive, requested_at: None };
    let states = [live, pending, KeyState::Deleted { deleted_at: at(901) }, key(0).state];
    let mut shapes: Vec<Key> = (10_u32..).zip(states).map(|(number, state)| Key { state, ..key(number) }).collect();
    for (number, owner) in (20_u32..).zip([Dialect::Yandex, Dialect::Aws, Dialect::Ncloud]) {
        shapes.push(Key { rotation: schedule(owner), created_by_dialect: owner, ..key(number) });
    }
    for (number, default_algorithm) in (30_u32..).zip(Algorithm::ALL) {
        shapes.push(Key { default_algorithm, key_name: Some(short_name(&format!("n{number}"))), ..key(number) });
    }
    shapes.push(Key { deletion_protection: true, ..key(40) });
    shapes
}

#[tokio::test]
async fn every_shape_of_a_key_comes_back() {
    let db = Db::new().await;
    let shapes = key_shapes();
    for shape in &shapes {
        db.store.commit(vec![Change::InsertKey(Box::new(shape.clone()))]).await.unwrap();
    }
    for shape in shapes {
        let stored = db.store.key(shape.id).await.unwrap();
        assert_eq!(stored, Some(Stored { value: shape, row_seq: 1 }));
    }
    assert_eq!(db.store.key(key_id(99)).await.unwrap(), None);
}

fn version_shapes() -> Vec<KeyVersion> {
    let scheduled = |was_disabled| VersionState::ScheduledForDestruction { destroy_at: at(700), was_disabled };
    let states = [
        VersionState::Active,
        VersionState::Disabled,
        scheduled(true),
        scheduled(false),
        VersionState::Destroying { destroy_at: at(700) },
        VersionState::Destroyed { destroyed_at: at(701) },
    ];
    let mut shapes: Vec<KeyVersion> =
        (2_u32..).zip(states).map(|(number, state)| KeyVersion { state, ..version(1, number) }).collect();
    for (number, algorithm) in (10_u32..).zip(Algorithm::ALL) {
        shapes.push(KeyVersion { algorithm, pin_holder_can_export: true, ..version(1, number) });
    }
    for (number, origin) in (20_u32..).zip([VersionOrigin::OnDemand, VersionOrigin::Automatic]) {
        shapes.push(KeyVersion { origin, residency: Residency::Token, ..version(1, number) });
    }
    shapes
}

#[tokio::test]
async fn every_shape_of_a_version_comes_back_with_its_material() {
    let db = Db::new().await;
    for shape in version_shapes() {
        let material = sealed(1, shape.number);
        db.store.commit(vec![Change::InsertVersion(Box::new(shape.clone()), material.clone())]).await.unwrap();
        let found = db.store.material(key_id(1), shape.id).await.unwrap().unwrap();
        assert_eq!((found.version.value, found.version.row_seq), (shape, 1));
        assert_eq!(found.sealed, Some(material));
    }
}

#[tokio::test]
async fn a_version_is_not_found_under_another_key() {
    let db = Db::new().await;
    assert_eq!(db.store.material(key_id(2), version_id(1, 1)).await.unwrap(), None);
    assert_eq!(db.store.material(key_id(1), version_id(1, 9)).await.unwrap(), None);
}

#[tokio::test]
async fn an_update_keeps_the_material_unless_it_is_overwritten() {
    let db = Db::new().await;
    let mut stored = db.version(1, 1).await;
    stored.value.state = VersionState::Disabled;
    db.store.commit(vec![Change::UpdateVersion(Box::new(stored), BlobUpdate::Keep)]).await.unwrap();
    let found = db.store.material(key_id(1), version_id(1, 1)).await.unwrap().unwrap();
    assert_eq!(found.sealed, Some(sealed(1, 1)));
    let mut stored = found.version;
    stored.value.state = VersionState::Destroying { destroy_at: at(1) };
    db.store.commit(vec![Change::UpdateVersion(Box::new(stored), BlobUpdate::Overwrite)]).await.unwrap();
    let found = db.store.material(key_id(1), version_id(1, 1)).await.unwrap().unwrap();
    assert_eq!((found.version.row_seq, found.sealed), (3, None));
}

#[tokio::test]
async fn operations_come_back() {
    let db = Db::new().await;
    let record = operation(1, key(1), version(1, 1));
    db.store.commit(vec![Change::InsertOperation(Box::new(record.clone()))]).await.unwrap();
    assert_eq!(db.store.operation(record.id).await.unwrap(), Some(record));
    assert_eq!(db.store.operation(OperationId::from_bytes([1; 16])).await.unwrap(), None);
}

#[tokio::test]
async fn a_remembered_request_is_kept_once_and_forgotten_in_time() {
    let db = Db::new().await;
    let request = RememberedRequest {
        principal_id: principal_id(),
        key: "client key".to_owned(),
        fingerprint: [3; 32],
        operation_id: OperationId::from_bytes([4; 16]),
        expires_at: at(50),
    };
    db.store.commit(vec![Change::RememberRequest(request.clone())]).await.unwrap();
    let again = db.store.commit(vec![Change::RememberRequest(request.clone())]).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    db.store.forget_requests(at(49)).await.unwrap();
    assert_eq!(db.store.remembered(principal_id(), "client key").await.unwrap(), Some(request));
    db.store.forget_requests(at(50)).await.unwrap();
    assert_eq!(db.store.remembered(principal_id(), "client key").await.unwrap(), None);
}

#[tokio::test]
async fn the_last_heartbeat_comes_back() {
    let db = Db::new().await;
    assert_eq!(db.store.heartbeat().await.unwrap(), None);
    let boot = BootInstant { boot_id: "b00t".into(), elapsed: Duration::from_micros(12_345_678) };
    let first = Heartbeat { at: at(1), boot, held: Some("the clock leapt".to_owned()) };
    let second = Heartbeat { at: at(2), held: None, ..first.clone() };
    for beat in [first, second] {
        db.store.beat(beat.clone()).await.unwrap();
        assert_eq!(db.store.heartbeat().await.unwrap(), Some(beat));
    }
}

#[tokio::test]
async fn leases_follow_each_other_without_gap_or_overlap() {
    let db = Db::new().await;
    let first = db.store.lease_invocations(version_id(1, 1), 100).await.unwrap();
    assert_eq!((first.from, first.to), (0, 100));
    let db = db.restart().unwrap();
    let second = db.store.lease_invocations(version_id(1, 1), 5).await.unwrap();
    assert_eq!((second.from, second.to), (100, 105));
    let internal = MaterialId::from_bytes([8; 16]);
    db.store.commit(vec![Change::InsertCounter(internal)]).await.unwrap();
    assert_eq!(db.store.lease_invocations(internal, 1).await.unwrap().to, 1);
}

#[tokio::test]
async fn all_files_are_readable_by_their_owner_only() {
    let db = Db::new().await;
    let entries: Vec<_> = std::fs::read_dir(db.dir.path()).unwrap().map(Result::unwrap).collect();
    assert!(entries.len() >= 4, "database, WAL, its index and the lock file");
    for entry in entries {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
}
