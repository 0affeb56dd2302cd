//! Old rows with their old, valid MACs.

use super::fixture::{Db, assert_alarm, at, folder_id, key_id, token_hash};
use claviger::domain::key::{KeyState, Switch};
use claviger::service::ports::{BindingScope, Change, CredentialLookup, Store, StoreError};
use rstest::rstest;
use rusqlite::Connection;

/// A database whose key 1 was switched off after `old.db` was copied from it.
async fn changed() -> (Db, Connection) {
    let db = Db::new().await;
    let old = db.dir.path().join("old.db");
    db.raw().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();
    let mut stored = db.key(1).await;
    stored.value.state = KeyState::Live { switch: Switch::Inactive };
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
    let raw = db.raw();
    raw.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    (db, raw)
}

/// Puts the old rows of these tables back.
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

#[tokio::test]
async fn an_unrevoked_credential_is_found() {
    let db = Db::new().await;
    let old = db.dir.path().join("old.db");
    db.raw().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();
    let mut stored = db.store.credential(CredentialLookup::TokenSha256(token_hash(1))).await.unwrap().unwrap();
    stored.value.revoked_at = Some(at(9));
    db.store.commit(vec![Change::UpdateCredential(stored)]).await.unwrap();
    let raw = db.raw();
    raw.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    roll_back(&raw, &["credentials"]);
    assert_alarm(&db.store.credential(CredentialLookup::TokenSha256(token_hash(1))).await, "credentials");
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
