//! A group of writes on a database that is full or read-only.

use crate::domain::id::MaterialId;
use crate::domain::time::Timestamp;
use crate::service::ports::{BootInstant, Change, Heartbeat, StoreError};
use crate::store::seal::SealKeys;
use crate::store::sql::{Sql, Value};
use crate::store::sqlite::Sqlite;
use crate::store::tree::Tree;
use crate::store::view::Shared;
use crate::store::writer::{Job, Writer};
use std::sync::Arc;
use std::time::Duration;

const ROW_KEY: [u8; 32] = [1; 32];

/// A writer whose connection was prepared with these pragmas after the schema was made.
fn writer(dir: &tempfile::TempDir, pragmas: &[&str]) -> Writer {
    let mut sql = Sqlite::writer(&dir.path().join("db")).unwrap();
    sql.migrate().unwrap();
    let shared = Arc::new(Shared::new(SealKeys::new(&ROW_KEY), Tree::empty().leaves().to_vec()));
    Tree::empty().save_first_root(&sql, &shared.keys).unwrap();
    for pragma in pragmas {
        sql.query(pragma, &[]).unwrap();
    }
    Writer::new(sql, shared, Tree::empty())
}

fn counter(number: u8) -> Job {
    Job::Commit(vec![Change::InsertCounter(MaterialId::from_bytes([number; 16]))])
}

/// A write that needs this many bytes.
fn large(bytes: usize) -> Job {
    let boot = BootInstant { boot_id: "b".into(), elapsed: Duration::ZERO };
    Job::Beat(Heartbeat { at: Timestamp::from_micros(1), boot, held: Some("x".repeat(bytes)) })
}

fn counters(dir: &tempfile::TempDir) -> Vec<Value> {
    let sql = Sqlite::reader(&dir.path().join("db")).unwrap();
    let tree = Tree::load(&sql, &SealKeys::new(&ROW_KEY)).unwrap();
    assert!(tree.is_some(), "what is stored fits the root");
    sql.query("SELECT id FROM counters ORDER BY id", &[]).unwrap().into_iter().flatten().collect()
}

#[test]
fn a_member_that_fills_the_disk_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&dir, &["PRAGMA max_page_count = 200"]);
    let results = writer.perform(&[&counter(1), &large(4_000_000), &counter(2)]);
    assert!(matches!(results[1], Err(StoreError::Unavailable(_))), "{:?}", results[1]);
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert_eq!(counters(&dir), [Value::Blob(vec![1; 16]), Value::Blob(vec![2; 16])]);
    let again = writer.perform(&[&counter(3)]);
    assert!(again[0].is_ok(), "{again:?}");
    assert_eq!(counters(&dir).len(), 3);
}

#[test]
fn a_read_only_database_is_unavailable_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&dir, &["PRAGMA query_only = ON"]);
    for result in writer.perform(&[&counter(1), &counter(2)]) {
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
    assert_eq!(counters(&dir), []);
}

#[test]
fn a_changed_root_stops_all_writes() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&dir, &[]);
    assert!(writer.perform(&[&counter(1)])[0].is_ok());
    let attacker = Sqlite::writer(&dir.path().join("db")).unwrap();
    attacker.execute("UPDATE state_root SET state_seq = 0", &[]).unwrap();
    let refused = writer.perform(&[&counter(2)]);
    assert!(matches!(refused[0], Err(StoreError::Integrity { table: "state_root", .. })), "{refused:?}");
    attacker.execute("UPDATE state_root SET state_seq = 1", &[]).unwrap();
    assert!(writer.perform(&[&counter(3)])[0].is_ok(), "the tree in memory was not moved by the refused write");
    assert_eq!(counters(&dir).len(), 2);
}
