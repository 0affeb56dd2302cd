//! Old rows with their old, valid MACs.

use super::fixture::{
    Db, access_key_id, administrators, assert_alarm, at, bytes, folder_id, key_id, principal_id, put, token_hash,
};
use claviger::domain::access::BindingSet;
use claviger::domain::id::CredentialId;
use claviger::domain::key::{KeyState, Switch};
use claviger::service::ports::{BindingScope, Change, CredentialLookup, Store, StoreError};
use rstest::rstest;
use rusqlite::Connection;

/// A connection to a database that knows `old.db`, a copy of it as it was before these changes.
async fn change(db: &Db, changes: Vec<Change>) -> Connection {
    let old = db.dir.path().join("old.db");
    db.raw().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();
    db.store.commit(changes).await.unwrap();
    let raw = db.raw();
    raw.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    raw
}

/// A database whose key 1 was switched off after `old.db` was copied from it.
async fn changed() -> (Db, Connection) {
    let db = Db::new().await;
    let mut stored = db.key(1).await;
    stored.value.state = KeyState::Live { switch: Switch::Inactive };
    let raw = change(&db, vec![Change::UpdateKey(Box::new(stored))]).await;
    (db, raw)
}

/// Puts the old rows of these tables back, one of each.
fn roll_back(raw: &Connection, tables: &[&str]) {
    for table in tables {
        let differing = format!("SELECT count(*) FROM (SELECT * FROM main.{table} EXCEPT SELECT * FROM old.{table})");
        let differing: i64 = raw.query_row(&differing, [], |row| row.get(0)).unwrap();
        assert_eq!(differing, 1, "one row of {table} was changed");
        raw.execute(&format!("REPLACE INTO main.{table} SELECT * FROM old.{table}"), []).unwrap();
    }
}

#[rstest]
#[case::row(&["keys"])]
#[case::row_and_head(&["keys", "row_heads"])]
#[case::row_head_and_leaf(&["keys", "row_heads", "state_leaves"])]
#[case::row_head_leaf_and_root(&["keys", "row_heads", "state_leaves", "state_root"])]
#[tokio::test]
async fn a_rolled_back_row_is_found_while_the_process_runs(#[case] tables: &[&str]) {
    let (db, raw) = changed().await;
    roll_back(&raw, tables);
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
    // Whatever else is written meanwhile does not make it good.
    let other = db.store.key(key_id(2)).await;
    if let Ok(Some(other)) = other {
        let _ = db.store.commit(vec![Change::UpdateKey(Box::new(other))]).await;
    }
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
}

#[rstest]
#[case::row(&["keys"])]
#[case::row_and_head(&["keys", "row_heads"])]
#[tokio::test]
async fn a_rolled_back_row_is_found_after_a_restart(#[case] tables: &[&str]) {
    let (db, raw) = changed().await;
    roll_back(&raw, tables);
    drop(raw);
    let db = db.restart().unwrap();
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
}

#[rstest]
#[case::leaf(&["keys", "row_heads", "state_leaves"])]
#[case::root(&["keys", "row_heads", "state_root"])]
#[tokio::test]
async fn a_rolled_back_leaf_or_root_is_found_at_start(#[case] tables: &[&str]) {
    let (db, raw) = changed().await;
    roll_back(&raw, tables);
    drop(raw);
    let refused = db.restart().map(drop);
    assert_alarm(&refused, "state_root");
}

#[tokio::test]
async fn a_state_tree_that_was_removed_is_not_begun_anew() {
    let db = Db::new().await;
    db.raw().execute_batch("DELETE FROM state_root; DELETE FROM state_leaves; DELETE FROM row_heads;").unwrap();
    assert_alarm(&db.restart().map(drop), "state_root");
}

#[rstest]
#[case::token(CredentialLookup::TokenSha256(token_hash(1)))]
#[case::access_key(CredentialLookup::AccessKeyId(access_key_id(2)))]
#[case::certificate(CredentialLookup::CertificateSha256(token_hash(3)))]
#[case::id(CredentialLookup::Id(CredentialId::from_bytes(bytes(5, 1))))]
#[tokio::test]
async fn an_unrevoked_credential_is_found(#[case] lookup: CredentialLookup) {
    let db = Db::full().await;
    let mut stored = db.store.credential(lookup.clone()).await.unwrap().unwrap();
    stored.value.revoked_at = Some(at(9));
    let raw = change(&db, vec![Change::UpdateCredential(stored)]).await;
    roll_back(&raw, &["credentials"]);
    assert_alarm(&db.store.credential(lookup.clone()).await, "credentials");
    roll_back(&raw, &["row_heads", "state_leaves"]);
    assert_alarm(&db.store.credential(lookup).await, "credentials");
}

#[tokio::test]
async fn an_undeleted_principal_is_found() {
    let db = Db::new().await;
    let mut stored = db.store.principal(principal_id()).await.unwrap().unwrap();
    stored.value.deleted_at = Some(at(9));
    let raw = change(&db, vec![Change::UpdatePrincipal(stored)]).await;
    roll_back(&raw, &["principals"]);
    assert_alarm(&db.store.principal(principal_id()).await, "principals");
    assert_alarm(&db.store.principals(folder_id(), None, 10).await, "principals");
}

#[rstest]
#[case::service(BindingScope::Service, "service_bindings")]
#[case::folder(BindingScope::Folder(folder_id()), "bindings")]
#[case::key(BindingScope::Key(key_id(1)), "key_bindings")]
#[tokio::test]
async fn a_rolled_back_or_removed_set_of_bindings_is_found(#[case] scope: BindingScope, #[case] table: &str) {
    let db = Db::full().await;
    let raw = change(&db, vec![put(scope, BindingSet::default(), 1)]).await;
    roll_back(&raw, &[table]);
    assert_alarm(&db.store.bindings(scope).await, table);
    roll_back(&raw, &["row_heads", "state_leaves"]);
    assert_alarm(&db.store.bindings(scope).await, table);
    raw.execute(&format!("DELETE FROM {table}"), []).unwrap();
    assert_alarm(&db.store.bindings(scope).await, table);
    if let BindingScope::Key(id) = scope {
        assert_alarm(&db.store.key_record(id).await, table);
    }
    let again = db.store.commit(vec![put(scope, administrators(), 0)]).await;
    assert_alarm(&again, table);
}

#[tokio::test]
async fn a_write_on_a_rolled_back_row_is_refused_and_changes_nothing() {
    let (db, raw) = changed().await;
    let mut stale = db.key(1).await;
    roll_back(&raw, &["keys", "row_heads", "state_leaves"]);
    stale.row_seq = 1;
    let refused = db.store.commit(vec![Change::UpdateKey(Box::new(stale))]).await;
    assert_alarm(&refused, "keys");
    let row_seq: i64 = raw.query_row("SELECT max(row_seq) FROM keys", [], |row| row.get(0)).unwrap();
    assert_eq!(row_seq, 1);
}

#[tokio::test]
async fn other_rows_stay_usable_while_one_is_bad() {
    let (db, raw) = changed().await;
    roll_back(&raw, &["keys"]);
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
    let other = db.key(2).await;
    db.store.commit(vec![Change::UpdateKey(Box::new(other))]).await.unwrap();
    assert_eq!(db.key(2).await.row_seq, 2);
    assert!(matches!(db.store.bindings(BindingScope::Folder(folder_id())).await, Ok(stored) if stored.row_seq == 1));
    assert!(!matches!(db.store.heartbeat().await, Err(StoreError::Integrity { .. })));
}
