//! Somebody who can write the database file makes credentials, principals and bindings of his own, or points the index
//! of named keys at what he likes.

use super::fixture::{
    Db, access_key_id, administrators, assert_alarm, at, bytes, credential, folder, folder_id, key_id,
    other_principal_id, principal_id, put, token_hash, viewers,
};
use claviger::domain::access::PrincipalKind;
use claviger::domain::id::{AccountId, CredentialId, FolderId, KeyId, PrincipalId};
use claviger::domain::time::Timestamp;
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{BindingScope, Change, CredentialLookup, Folder, Store};
use rstest::rstest;
use rusqlite::params;

/// A copy of a credential with its MAC, under another id and other names.
const COPY: &str = "INSERT INTO credentials
    SELECT ?1, principal_id, folder_id, name, kind, iif(token_sha256 IS NULL, NULL, ?3), created_at, expires_at, NULL,
    row_seq, row_mac, iif(handle IS NULL, NULL, ?4), sealed_by, secret FROM credentials WHERE id = ?2";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[rstest]
#[case::token(1, CredentialLookup::TokenSha256(token_hash(9)), "")]
#[case::access_key(2, CredentialLookup::AccessKeyId(access_key_id(9)), &access_key_id(9))]
#[case::certificate(3, CredentialLookup::CertificateSha256(token_hash(9)), &hex(&token_hash(9)))]
#[case::public_key(4, CredentialLookup::Id(CredentialId::from_bytes(bytes(5, 9))), "")]
#[tokio::test]
async fn an_added_credential_is_none(#[case] like: u32, #[case] lookup: CredentialLookup, #[case] handle: &str) {
    let db = Db::full().await;
    db.tamper(COPY, params![bytes(5, 9), credential(like).id.as_bytes(), token_hash(9), handle]);
    assert_alarm(&db.store.credential(lookup.clone()).await, "credentials");
    assert_alarm(&db.store.credentials(principal_id(), None, 10).await, "credentials");
    assert_alarm(&db.store.credentials_of(principal_id()).await, "credentials");
    let db = db.restart().unwrap();
    assert_alarm(&db.store.credential(lookup).await, "credentials");
}

#[rstest]
#[case::access_key("UPDATE credentials SET handle = ?1 WHERE kind = 'access_key'", access_key_id(9))]
#[case::certificate("UPDATE credentials SET handle = ?1 WHERE kind = 'certificate'", hex(&token_hash(9)))]
#[case::kind("UPDATE credentials SET kind = 'access_key', handle = ?1 WHERE kind = 'certificate'", access_key_id(9))]
#[tokio::test]
async fn a_credential_under_another_name_is_none(#[case] statement: &str, #[case] handle: String) {
    let db = Db::full().await;
    db.tamper(statement, [&handle]);
    let lookup = match handle.len() {
        20 => CredentialLookup::AccessKeyId(handle),
        _ => CredentialLookup::CertificateSha256(token_hash(9)),
    };
    assert_alarm(&db.store.credential(lookup).await, "credentials");
}

#[tokio::test]
async fn a_credential_that_was_given_to_somebody_else_is_refused() {
    let db = Db::full().await;
    db.tamper("UPDATE credentials SET principal_id = ?1", [other_principal_id().as_bytes()]);
    for lookup in [
        CredentialLookup::TokenSha256(token_hash(1)),
        CredentialLookup::AccessKeyId(access_key_id(2)),
        CredentialLookup::CertificateSha256(token_hash(3)),
        CredentialLookup::Id(credential(4).id),
    ] {
        assert_alarm(&db.store.credential(lookup).await, "credentials");
    }
    assert_alarm(&db.store.credentials(other_principal_id(), None, 10).await, "credentials");
}

#[tokio::test]
async fn an_added_principal_or_folder_is_none() {
    let db = Db::new().await;
    let copy = "INSERT INTO principals
        SELECT ?1, folder_id, 'service_account', 'me too', created_at, row_seq, row_mac, NULL FROM principals";
    db.tamper(copy, [bytes(2, 9)]);
    assert_alarm(&db.store.principal(PrincipalId::from_bytes(bytes(2, 9))).await, "principals");
    assert_alarm(&db.store.principals(folder_id(), None, 10).await, "principals");
    db.tamper("INSERT INTO folders SELECT ?1, 7, 'mine', created_at, row_seq, row_mac FROM folders", [bytes(1, 9)]);
    assert_alarm(&db.store.folder(FolderId::from_bytes(bytes(1, 9))).await, "folders");
    assert_alarm(&db.store.folders(None, 10).await, "folders");
}

#[rstest]
#[case::service(BindingScope::Service, "service_bindings", "1")]
#[case::key(BindingScope::Key(key_id(1)), "key_bindings", "(SELECT id FROM keys ORDER BY created_at LIMIT 1)")]
#[case::folder(BindingScope::Folder(FolderId::from_bytes([0; 16])), "bindings", "zeroblob(16)")]
#[tokio::test]
async fn an_added_set_of_bindings_gives_nothing(#[case] scope: BindingScope, #[case] table: &str, #[case] id: &str) {
    let db = Db::new().await;
    // The set of the folder with its own MAC: under another table or id it is not what was sealed.
    db.tamper(&format!("INSERT INTO {table} SELECT {id}, bindings, row_seq, row_mac FROM bindings"), []);
    assert_alarm(&db.store.bindings(scope).await, table);
    if let BindingScope::Key(id) = scope {
        assert_alarm(&db.store.key_record(id).await, table);
    }
    let over = db.store.commit(vec![put(scope, administrators(), 0)]).await;
    assert_alarm(&over, table);
    assert_alarm(&db.restart().unwrap().store.bindings(scope).await, table);
}

#[rstest]
#[case::service(BindingScope::Service, "service_bindings")]
#[case::folder(BindingScope::Folder(folder_id()), "bindings")]
#[case::key(BindingScope::Key(key_id(1)), "key_bindings")]
#[tokio::test]
async fn a_binding_that_was_added_to_a_set_gives_nothing(#[case] scope: BindingScope, #[case] table: &str) {
    let db = Db::full().await;
    let set = serde_json::to_string(&viewers(&[PrincipalId::from_bytes(bytes(2, 9))])).unwrap();
    db.tamper(&format!("UPDATE {table} SET bindings = ?1"), [set]);
    assert_alarm(&db.store.bindings(scope).await, table);
}

#[tokio::test]
async fn sets_of_two_keys_that_were_swapped_are_found() {
    let db = Db::full().await;
    db.store.commit(vec![put(BindingScope::Key(key_id(2)), administrators(), 0)]).await.unwrap();
    let swap = "WITH old AS MATERIALIZED (SELECT key_id AS id, bindings, row_mac FROM key_bindings)
        UPDATE key_bindings SET bindings = old.bindings, row_mac = old.row_mac FROM old WHERE old.id <> key_id";
    db.tamper(swap, []);
    for number in [1, 2] {
        assert_alarm(&db.store.bindings(BindingScope::Key(key_id(number))).await, "key_bindings");
        assert_alarm(&db.store.key_record(key_id(number)).await, "key_bindings");
    }
}

const ENTRY: &str = "INSERT INTO bound_keys (principal_id, principal_kind, key_folder_id, key_created_at, key_id)
    VALUES (?1, 'user', ?2, ?3, ?4)";

fn administrator() -> (PrincipalKind, PrincipalId) {
    (PrincipalKind::User, principal_id())
}

async fn naming(db: &Db, folder: FolderId) -> Vec<KeyId> {
    let page = db.store.keys_naming(administrator(), folder, KeyFilter::default(), None, 10).await.unwrap();
    assert_eq!(page.next, None);
    page.items.into_iter().map(|view| view.key.id).collect()
}

fn point_at(db: &Db, folder: FolderId, created_at: Timestamp, key: KeyId) {
    let (folder, key) = (*folder.as_bytes(), *key.as_bytes());
    db.tamper(ENTRY, params![principal_id().as_bytes(), folder, created_at.as_micros(), key]);
}

#[tokio::test]
async fn a_planted_entry_leads_to_live_keys_of_the_folder_only() {
    let db = Db::new().await;
    let other = Folder { id: FolderId::from_bytes(bytes(1, 2)), account_id: AccountId::from_stored(2), ..folder() };
    db.store.commit(vec![Change::InsertFolder(other.clone())]).await.unwrap();
    let key = db.key(1).await.value;
    // Another age, where it would send a reader of pages in circles; another folder; a key that is not there.
    point_at(&db, folder_id(), at(7), key.id);
    point_at(&db, folder_id(), at(999), key.id);
    point_at(&db, other.id, key.created_at, key.id);
    point_at(&db, folder_id(), key.created_at, KeyId::from_bytes(bytes(3, 9)));
    assert_eq!(naming(&db, folder_id()).await, []);
    assert_eq!(naming(&db, other.id).await, []);
    // Its own folder and age: a key to be decided about, whose own set names nobody.
    point_at(&db, folder_id(), key.created_at, key.id);
    assert_eq!(naming(&db, folder_id()).await, [key.id]);
    assert!(db.store.key_record(key.id).await.unwrap().unwrap().bindings.as_slice().is_empty());
}

#[tokio::test]
async fn a_key_that_was_moved_to_be_listed_is_found() {
    let db = Db::new().await;
    let other = FolderId::from_bytes(bytes(1, 2));
    db.tamper("UPDATE keys SET folder_id = ?1 WHERE id = ?2", params![other.as_bytes(), key_id(1).as_bytes()]);
    point_at(&db, other, super::fixture::key(1).created_at, key_id(1));
    assert_alarm(&db.store.keys_naming(administrator(), other, KeyFilter::default(), None, 10).await, "keys");
}

#[tokio::test]
async fn a_removed_entry_hides_a_key_from_the_list_until_its_set_is_written_again() {
    let db = Db::new().await;
    let scope = BindingScope::Key(key_id(1));
    db.store.commit(vec![put(scope, administrators(), 0)]).await.unwrap();
    point_at(&db, folder_id(), at(7), key_id(1));
    db.tamper("DELETE FROM bound_keys WHERE key_created_at <> 7000000", []);
    assert_eq!(naming(&db, folder_id()).await, []);
    assert_eq!(db.store.key_record(key_id(1)).await.unwrap().unwrap().bindings, administrators());
    db.store.commit(vec![put(scope, administrators(), 1)]).await.unwrap();
    assert_eq!(naming(&db, folder_id()).await, [key_id(1)]);
    let entries: i64 = db.raw().query_row("SELECT count(*) FROM bound_keys", [], |row| row.get(0)).unwrap();
    assert_eq!(entries, 1, "what was planted is gone");
}

#[tokio::test]
async fn a_planted_entry_leads_to_folders_that_were_checked_and_goes_with_the_next_set() {
    let db = Db::new().await;
    let other = Folder { id: FolderId::from_bytes(bytes(1, 2)), account_id: AccountId::from_stored(2), ..folder() };
    db.store.commit(vec![Change::InsertFolder(other.clone())]).await.unwrap();
    let plant = |at: Timestamp, id: FolderId| {
        let entry = "INSERT INTO bound_folders (principal_id, principal_kind, folder_created_at, folder_id)
            VALUES (?1, 'user', ?2, ?3)";
        db.tamper(entry, params![principal_id().as_bytes(), at.as_micros(), id.as_bytes()]);
    };
    let shown = async || db.store.folders_naming(administrator(), None, 10).await.map(|page| page.items);
    // Another age, and a folder that is not there.
    plant(at(7), other.id);
    plant(other.created_at, FolderId::from_bytes(bytes(1, 9)));
    assert_eq!(shown().await.unwrap(), [folder()]);
    // Its own age: a folder to be decided about, whose own set names nobody.
    plant(other.created_at, other.id);
    assert_eq!(shown().await.unwrap(), [other.clone(), folder()], "both of one age");
    let scope = BindingScope::Folder(other.id);
    assert!(db.store.bindings(scope).await.unwrap().value.as_slice().is_empty());
    db.store.commit(vec![put(scope, viewers(&[principal_id()]), 0)]).await.unwrap();
    assert_eq!(shown().await.unwrap(), [folder()], "what was planted is gone");
    plant(other.created_at, other.id);
    db.tamper("UPDATE folders SET name = 'x' WHERE id = ?1", [other.id.as_bytes()]);
    assert_alarm(&shown().await, "folders");
}

#[tokio::test]
async fn a_planted_use_changes_no_credential() {
    let db = Db::new().await;
    db.tamper("INSERT INTO credential_uses VALUES (?1, 5)", [credential(1).id.as_bytes()]);
    let found = db.store.credential(CredentialLookup::Id(credential(1).id)).await.unwrap().unwrap();
    assert_eq!(found.value, credential(1));
    assert_eq!(db.store.last_used_at(credential(1).id).await.unwrap(), Some(Timestamp::from_micros(5)));
}
