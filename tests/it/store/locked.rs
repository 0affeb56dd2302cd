//! Before and at the unlock.

use super::fixture::{Db, ROW_KEY, assert_alarm, at};
use claviger::domain::id::ClusterId;
use claviger::service::ports::{
    Assurance, IvMode, Protection, StoreError, TokenBinding, TokenCapabilities, TokenIdentity, TokenStateStore,
    WrapMechanism,
};
use claviger::store::{LockedStore, SqliteStore};
use rusqlite::Connection;
use std::path::Path;
use zeroize::Zeroizing;

fn binding(serial: &str) -> TokenBinding {
    let text = |text: &str| text.to_owned();
    TokenBinding {
        cluster_id: ClusterId::from_bytes([5; 16]),
        complete: true,
        created_at: at(1),
        identity: TokenIdentity {
            label: text("claviger"),
            manufacturer: text("SoftHSM project"),
            model: text("SoftHSM v2"),
            serial: text(serial),
            firmware: text("2.6"),
            library: text("SoftHSM 2.6"),
        },
        capabilities: TokenCapabilities {
            max_gcm_bytes: 65_536,
            iv_mode: IvMode::Given,
            wrap_mechanism: WrapMechanism::AesKeyWrap,
            value_len_on_unwrap: false,
            rw_sessions_only: false,
            max_sessions: None,
            cached_keys: 1000,
        },
        protection: Protection::Trusted,
        assurance: Assurance::Software,
        attacks: Vec::new(),
        keks: Vec::new(),
        internal_keys: Vec::new(),
    }
}

fn unlock(store: LockedStore) -> Result<SqliteStore, StoreError> {
    store.unlock(Zeroizing::new(ROW_KEY))
}

/// A database that was bound and unlocked once.
fn bound(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    assert_eq!(store.token_binding().unwrap(), None);
    store.save_token_binding(&binding("draft")).unwrap();
    store.save_token_binding(&binding("1")).unwrap();
    drop(store);
    let store = SqliteStore::open(path).unwrap();
    assert_eq!(store.token_binding().unwrap(), Some(binding("1")));
    unlock(store).unwrap();
}

#[test]
fn the_token_binding_is_kept_and_sealed_by_the_first_unlock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    bound(&path);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.token_binding().unwrap(), Some(binding("1")));
    unlock(store).unwrap();
}

#[test]
fn a_changed_token_binding_is_found_at_unlock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    bound(&path);
    let statement = "UPDATE token_binding SET binding = replace(binding, '\"T\"', '\"W\"')";
    assert_eq!(Connection::open(&path).unwrap().execute(statement, []).unwrap(), 1);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.token_binding().unwrap().unwrap().protection, Protection::Weak);
    assert_alarm(&unlock(store).map(drop), "token_binding");
    let statement = "UPDATE token_binding SET row_seq = 0, row_mac = NULL";
    assert_eq!(Connection::open(&path).unwrap().execute(statement, []).unwrap(), 1);
    assert_alarm(&unlock(SqliteStore::open(&path).unwrap()).map(drop), "token_binding");
}

#[test]
fn a_token_binding_that_was_changed_while_it_was_read_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    bound(&path);
    let store = SqliteStore::open(&path).unwrap();
    let raw = Connection::open(&path).unwrap();
    let forth = "UPDATE token_binding SET binding = replace(binding, '\"T\"', '\"W\"')";
    let back = "UPDATE token_binding SET binding = replace(binding, '\"W\"', '\"T\"')";
    raw.execute(forth, []).unwrap();
    store.token_binding().unwrap();
    raw.execute(back, []).unwrap();
    assert_alarm(&unlock(store).map(drop), "token_binding");
}

#[test]
fn a_sealed_token_binding_is_replaced_by_the_unlock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    bound(&path);
    let store = SqliteStore::open(&path).unwrap();
    store.save_token_binding(&binding("2")).unwrap();
    assert_eq!(store.token_binding().unwrap(), Some(binding("2")));
    unlock(store).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.token_binding().unwrap(), Some(binding("2")));
    unlock(store).unwrap();
}

#[tokio::test]
async fn another_row_key_does_not_unlock() {
    let db = Db::new().await;
    let path = db.path();
    drop(db.store);
    let refused = SqliteStore::open(&path).unwrap().unlock(Zeroizing::new([8; 32]));
    assert_alarm(&refused.map(drop), "state_root");
}

#[tokio::test]
async fn a_database_in_use_is_refused_under_a_link_to_it_too() {
    let db = Db::new().await;
    let link = db.dir.path().join("link.db");
    std::os::unix::fs::symlink(db.path(), &link).unwrap();
    assert!(matches!(SqliteStore::open(&link), Err(StoreError::Unavailable(_))));
    drop(db.store);
    assert!(SqliteStore::open(&link).is_ok());
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    assert!(SqliteStore::open(&path).is_err());
}
