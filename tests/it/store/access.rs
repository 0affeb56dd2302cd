//! Principals, credentials of every kind and bindings: what is written is read back, and what may be there only once.

use super::fixture::{
    Db, access_key, administrators, at, bytes, certificate, credential, folder_id, insert_key, key_id,
    other_principal_id, principal, principal_id, public_key, put, sealed, token_hash, version, viewers,
};
use claviger::domain::access::{Binding, BindingSet, PrincipalKind, Role, Subject, SubjectKind};
use claviger::domain::id::{CredentialId, PrincipalId};
use claviger::domain::version::VersionState;
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{
    BindingScope, BlobUpdate, Change, CredentialLookup, CredentialRecord, CredentialSecret, Principal, Store,
    StoreError, Stored,
};
use rstest::rstest;

/// The names under which a request may present a credential.
fn names(record: &CredentialRecord) -> Vec<CredentialLookup> {
    let by_secret = match &record.secret {
        CredentialSecret::TokenSha256(sha256) => Some(CredentialLookup::TokenSha256(*sha256)),
        CredentialSecret::AccessKey { access_key_id, .. } => Some(CredentialLookup::AccessKeyId(access_key_id.clone())),
        CredentialSecret::CertificateSha256(sha256) => Some(CredentialLookup::CertificateSha256(*sha256)),
        CredentialSecret::PublicKey(_) => None,
    };
    [Some(CredentialLookup::Id(record.id)), by_secret].into_iter().flatten().collect()
}

async fn commit(db: &Db, change: Change) -> Result<(), StoreError> {
    db.store.commit(vec![change]).await
}

#[track_caller]
fn assert_conflict(result: &Result<(), StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict)), "{result:?}");
}

#[rstest]
#[case::token(credential(7))]
#[case::access_key(access_key(7))]
#[case::certificate(certificate(7, [0xf0; 32]))]
#[case::public_key(public_key(7))]
#[tokio::test]
async fn a_credential_of_every_kind_comes_back_by_each_of_its_names(#[case] record: CredentialRecord) {
    let db = Db::new().await;
    commit(&db, Change::InsertCredential(record.clone())).await.unwrap();
    let db = db.restart().unwrap();
    let mut stored = Stored { value: record.clone(), row_seq: 1 };
    for name in names(&record) {
        assert_eq!(db.store.credential(name).await.unwrap(), Some(stored.clone()));
    }
    assert_eq!(db.store.credentials_of(principal_id()).await.unwrap().len(), 2);
    stored.value.expires_at = Some(at(11));
    stored.value.revoked_at = Some(at(10));
    commit(&db, Change::UpdateCredential(stored.clone())).await.unwrap();
    stored.row_seq = 2;
    for name in names(&record) {
        assert_eq!(db.store.credential(name).await.unwrap(), Some(stored.clone()));
    }
    assert_eq!(db.store.credentials_of(principal_id()).await.unwrap().len(), 1);
    let listed = db.store.credentials(principal_id(), None, 10).await.unwrap().items;
    assert_eq!(listed.into_iter().map(|item| item.record).collect::<Vec<_>>(), [credential(1), stored.value]);
}

#[tokio::test]
async fn a_name_of_one_kind_finds_no_credential_of_another() {
    let db = Db::full().await;
    let hash = token_hash(3);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let unknown = [
        CredentialLookup::AccessKeyId(hex),
        CredentialLookup::AccessKeyId(String::new()),
        CredentialLookup::TokenSha256(hash),
        CredentialLookup::CertificateSha256(token_hash(1)),
        CredentialLookup::Id(CredentialId::from_bytes([9; 16])),
    ];
    for name in unknown {
        assert_eq!(db.store.credential(name).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_access_key_id_and_a_token_name_one_credential_for_ever() {
    let db = Db::new().await;
    commit(&db, Change::InsertCredential(access_key(2))).await.unwrap();
    for (taken, new) in [(access_key(2), access_key(3)), (credential(1), credential(3))] {
        let twin = CredentialRecord { secret: taken.secret.clone(), ..new };
        assert_conflict(&commit(&db, Change::InsertCredential(twin.clone())).await);
        let revoked = CredentialRecord { revoked_at: Some(at(9)), ..taken };
        commit(&db, Change::UpdateCredential(Stored { value: revoked, row_seq: 1 })).await.unwrap();
        assert_conflict(&commit(&db, Change::InsertCredential(twin)).await);
    }
    assert_eq!(db.store.stats().integrity_alarms, 0);
}

#[tokio::test]
async fn a_certificate_is_valid_once_and_may_be_issued_again_after_its_revocation() {
    let db = Db::new().await;
    let hash = [0x5a; 32];
    let found = async || {
        let found = db.store.credential(CredentialLookup::CertificateSha256(hash)).await.unwrap().unwrap();
        (found.value.id, found.value.revoked_at.is_some())
    };
    let (first, second, third) = (certificate(20, hash), certificate(19, hash), certificate(21, hash));
    commit(&db, Change::InsertCredential(first.clone())).await.unwrap();
    assert_conflict(&commit(&db, Change::InsertCredential(second.clone())).await);
    // In one commit, whatever comes first in it.
    let revoked = CredentialRecord { revoked_at: Some(at(30)), ..first.clone() };
    let changes =
        vec![Change::InsertCredential(second.clone()), Change::UpdateCredential(Stored { value: revoked, row_seq: 1 })];
    db.store.commit(changes).await.unwrap();
    assert_eq!(found().await, (second.id, false), "the valid one, although it is older");
    let revoked = CredentialRecord { revoked_at: Some(at(31)), ..second.clone() };
    commit(&db, Change::UpdateCredential(Stored { value: revoked, row_seq: 1 })).await.unwrap();
    assert_eq!(found().await, (first.id, true), "the newest, if none is valid");
    commit(&db, Change::InsertCredential(third.clone())).await.unwrap();
    assert_eq!(found().await, (third.id, false));
    // A revoked one cannot become valid beside it.
    assert_conflict(&commit(&db, Change::UpdateCredential(Stored { value: first, row_seq: 2 })).await);
}

#[tokio::test]
async fn a_deleted_principal_is_found_by_its_id_and_not_listed() {
    let db = Db::new().await;
    let deleted = Principal { deleted_at: Some(at(8)), ..principal() };
    commit(&db, Change::UpdatePrincipal(Stored { value: deleted.clone(), row_seq: 1 })).await.unwrap();
    let db = db.restart().unwrap();
    let found = db.store.principal(principal_id()).await.unwrap();
    assert_eq!(found, Some(Stored { value: deleted, row_seq: 2 }));
    assert_eq!(db.store.principals(folder_id(), None, 10).await.unwrap().items, []);
}

#[tokio::test]
async fn sets_of_service_folder_and_key_are_kept_apart() {
    let db = Db::new().await;
    let scopes = [BindingScope::Service, BindingScope::Key(key_id(1)), BindingScope::Key(key_id(2))];
    let set = |number: usize| viewers(&[PrincipalId::from_bytes([u8::try_from(number).unwrap(); 16])]);
    for scope in scopes {
        assert_eq!(db.store.bindings(scope).await.unwrap(), Stored { value: BindingSet::default(), row_seq: 0 });
    }
    for (number, scope) in scopes.into_iter().enumerate() {
        commit(&db, put(scope, set(number), 0)).await.unwrap();
        commit(&db, put(scope, set(number + 10), 1)).await.unwrap();
    }
    let db = db.restart().unwrap();
    for (number, scope) in scopes.into_iter().enumerate() {
        assert_eq!(db.store.bindings(scope).await.unwrap(), Stored { value: set(number + 10), row_seq: 2 });
    }
    let folder = db.store.bindings(BindingScope::Folder(folder_id())).await.unwrap();
    assert_eq!(folder, Stored { value: administrators(), row_seq: 1 });
}

#[tokio::test]
async fn every_role_and_kind_of_subject_comes_back_in_order() {
    let db = Db::new().await;
    let subjects = SubjectKind::ALL.map(|kind| Subject::new(kind, format!("someone \"{}\"", kind.name())).unwrap());
    let all = subjects.iter().flat_map(|subject| Role::ALL.map(|role| Binding { role, subject: subject.clone() }));
    let set = BindingSet::new(all).unwrap();
    for scope in [BindingScope::Service, BindingScope::Key(key_id(1))] {
        commit(&db, put(scope, set.clone(), 0)).await.unwrap();
        assert_eq!(db.store.bindings(scope).await.unwrap().value, set);
    }
}

#[rstest]
#[case::service(BindingScope::Service)]
#[case::folder(BindingScope::Folder(folder_id()))]
#[case::key(BindingScope::Key(key_id(1)))]
#[tokio::test]
async fn of_two_writers_of_a_set_one_gets_a_conflict(#[case] scope: BindingScope) {
    let db = Db::new().await;
    for _ in 0..2 {
        let row_seq = db.store.bindings(scope).await.unwrap().row_seq;
        let change = |id| vec![put(scope, viewers(&[id]), row_seq)];
        let (first, second) =
            tokio::join!(db.store.commit(change(principal_id())), db.store.commit(change(other_principal_id())));
        let (kept, refused) = if first.is_ok() { (principal_id(), second) } else { (other_principal_id(), first) };
        assert_conflict(&refused);
        let stored = db.store.bindings(scope).await.unwrap();
        assert_eq!(stored, Stored { value: viewers(&[kept]), row_seq: row_seq + 1 });
    }
}

#[tokio::test]
async fn of_two_writers_of_a_principal_or_credential_one_gets_a_conflict() {
    let db = Db::new().await;
    let principal = || Change::UpdatePrincipal(Stored { value: principal(), row_seq: 1 });
    let credential = || Change::UpdateCredential(Stored { value: credential(1), row_seq: 1 });
    commit(&db, principal()).await.unwrap();
    assert_conflict(&commit(&db, principal()).await);
    commit(&db, credential()).await.unwrap();
    assert_conflict(&commit(&db, credential()).await);
}

#[tokio::test]
async fn a_conflict_leaves_no_trace_in_the_index_of_named_keys() {
    let db = Db::new().await;
    let scope = BindingScope::Key(key_id(1));
    let stale = Change::UpdateCredential(Stored { value: credential(1), row_seq: 7 });
    assert_conflict(&db.store.commit(vec![put(scope, viewers(&[principal_id()]), 0), stale]).await);
    let somebody = (PrincipalKind::ServiceAccount, principal_id());
    assert!(
        db.store.keys_naming(somebody, folder_id(), KeyFilter::default(), None, 10).await.unwrap().items.is_empty()
    );
    assert_eq!(db.store.bindings(scope).await.unwrap().row_seq, 0);
}

#[tokio::test]
async fn bindings_of_a_key_that_is_not_there_are_refused() {
    let db = Db::new().await;
    let refused = commit(&db, put(BindingScope::Key(key_id(99)), administrators(), 0)).await;
    assert!(matches!(refused, Err(StoreError::Bug(_))), "{refused:?}");
    assert_eq!(db.store.bindings(BindingScope::Key(key_id(99))).await.unwrap().row_seq, 0);
}

#[tokio::test]
async fn a_key_comes_with_its_primary_version_and_its_own_bindings() {
    let db = Db::new().await;
    let record = db.store.key_record(key_id(1)).await.unwrap().unwrap();
    assert_eq!((record.key, record.bindings), (db.key(1).await, BindingSet::default()));
    assert_eq!((record.primary.version.value, record.primary.sealed), (version(1, 1), Some(sealed(1, 1))));
    let set = viewers(&[other_principal_id()]);
    commit(&db, put(BindingScope::Key(key_id(1)), set.clone(), 0)).await.unwrap();
    let mut stored = db.version(1, 1).await;
    stored.value.state = VersionState::Destroying { destroy_at: at(1) };
    commit(&db, Change::UpdateVersion(Box::new(stored), BlobUpdate::Overwrite)).await.unwrap();
    let record = db.store.key_record(key_id(1)).await.unwrap().unwrap();
    assert_eq!((record.primary.sealed, record.bindings), (None, set));
    assert_eq!(db.store.key_record(key_id(9)).await.unwrap(), None);
    db.store.commit(insert_key(9)).await.unwrap();
    assert!(db.store.key_record(key_id(9)).await.unwrap().is_some());
}

#[tokio::test]
async fn the_last_use_of_a_credential_is_the_latest_that_was_written_down() {
    let db = Db::new().await;
    let id = credential(1).id;
    assert_eq!(db.store.last_used_at(id).await.unwrap(), None);
    assert_eq!(db.store.credentials(principal_id(), None, 10).await.unwrap().items[0].last_used_at, None);
    for (used_at, expected) in [(50, 50), (40, 50), (60, 60)] {
        db.store.record_uses(vec![(id, at(used_at))]).await.unwrap();
        assert_eq!(db.store.last_used_at(id).await.unwrap(), Some(at(expected)));
    }
    let many = (0..250_u32).map(|number| (CredentialId::from_bytes(bytes(5, number)), at(70)));
    db.store.record_uses(many.collect()).await.unwrap();
    db.store.record_uses(Vec::new()).await.unwrap();
    let db = db.restart().unwrap();
    for number in [0, 1, 99, 100, 249] {
        assert_eq!(db.store.last_used_at(credential(number).id).await.unwrap(), Some(at(70)));
    }
    let listed = db.store.credentials(principal_id(), None, 10).await.unwrap().items;
    assert_eq!((listed.len(), listed[0].last_used_at), (1, Some(at(70))));
}
