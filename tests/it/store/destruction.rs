//! Destroyed bytes are nowhere in the database's files.

use super::fixture::{Db, assert_alarm, at, key_id, rotation, sealed, version_id};
use claviger::domain::version::VersionState;
use claviger::service::ports::{BlobUpdate, Change, Store, StoreError};

/// How often the bytes are in the database's files, the WAL included.
fn copies(db: &Db, needle: &[u8]) -> usize {
    let files = std::fs::read_dir(db.dir.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.map(|content| content.windows(needle.len()).filter(|window| *window == needle).count()).sum()
}

async fn change_state(db: &Db, key: u32, number: u32, state: VersionState, blob: BlobUpdate) {
    let mut stored = db.version(key, number).await;
    stored.value.state = state;
    db.store.commit(vec![Change::UpdateVersion(Box::new(stored), blob)]).await.unwrap();
}

#[tokio::test]
async fn destroyed_bytes_are_in_no_file_after_the_copies_are_erased() {
    let db = Db::new().await;
    for _ in 0..60 {
        let stored = db.key(1).await;
        db.store.commit(rotation(&stored, 1)).await.unwrap();
    }
    db.store.erase_copies().await.unwrap();
    // Rows that grow and shrink are moved about by SQLite, between pages too.
    for state in [
        VersionState::ScheduledForDestruction { destroy_at: at(5), was_disabled: true },
        VersionState::Active,
        VersionState::ScheduledForDestruction { destroy_at: at(i64::from(u32::MAX)), was_disabled: false },
    ] {
        for number in 1..=61 {
            change_state(&db, 1, number, state, BlobUpdate::Keep).await;
        }
    }
    assert!(copies(&db, &sealed(1, 30).bytes) >= 1, "the search finds what is there");
    let destroying = VersionState::Destroying { destroy_at: at(5) };
    for number in 1..=60 {
        change_state(&db, 1, number, destroying, BlobUpdate::Overwrite).await;
    }
    db.store.erase_copies().await.unwrap();
    for number in 1..=60 {
        assert_eq!(copies(&db, &sealed(1, number).bytes), 0, "version {number}");
        assert_eq!(copies(&db, &sealed(1, number).bytes[16..32]), 0, "a part of version {number}");
    }
    assert_eq!(copies(&db, &sealed(1, 61).bytes), 1, "the version that lives is there once");
    let found = db.store.material(key_id(1), version_id(1, 30)).await.unwrap().unwrap();
    assert_eq!(found.sealed, None);
    assert_eq!(found.version.value.state, destroying);
}

#[tokio::test]
async fn erasing_copies_reports_a_reader_that_holds_old_pages() {
    let db = Db::new().await;
    let reader = db.raw();
    reader.execute_batch("BEGIN; SELECT * FROM keys;").unwrap();
    change_state(&db, 1, 1, VersionState::Disabled, BlobUpdate::Keep).await;
    let busy = db.store.erase_copies().await;
    assert!(matches!(busy, Err(StoreError::Unavailable(_))), "{busy:?}");
    reader.execute_batch("ROLLBACK").unwrap();
    db.store.erase_copies().await.unwrap();
    assert_eq!(std::fs::metadata(db.dir.path().join("claviger.db-wal")).unwrap().len(), 0);
}

#[tokio::test]
async fn a_planted_trigger_does_not_keep_what_is_destroyed() {
    let db = Db::new().await;
    let plant = "CREATE TABLE loot (blob BLOB);
        CREATE TRIGGER thief BEFORE UPDATE ON materials BEGIN INSERT INTO loot VALUES (OLD.blob); END;";
    db.raw().execute_batch(plant).unwrap();
    change_state(&db, 1, 1, VersionState::Destroying { destroy_at: at(1) }, BlobUpdate::Overwrite).await;
    let loot: i64 = db.raw().query_row("SELECT count(*) FROM loot", [], |row| row.get(0)).unwrap();
    assert_eq!(loot, 0);
}

#[tokio::test]
async fn a_blob_put_back_after_its_destruction_is_not_handed_out() {
    let db = Db::new().await;
    change_state(&db, 1, 1, VersionState::Destroying { destroy_at: at(1) }, BlobUpdate::Overwrite).await;
    db.tamper("UPDATE materials SET blob = ?1", [&sealed(1, 1).bytes]);
    let found = db.store.material(key_id(1), version_id(1, 1)).await.unwrap().unwrap();
    assert_eq!(found.sealed, None);
    assert_alarm(&db.store.material(key_id(2), version_id(2, 1)).await, "versions");
}
