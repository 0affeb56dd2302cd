//! Keys by place and by name, versions by number.

use super::fixture::{
    Db, assert_alarm, at, bytes, folder, folder_id, insert_key, key, key_id, rotation, short_name, version, version_id,
};
use claviger::domain::id::{AccountId, FolderId, KeyId};
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::domain::version::VersionState;
use claviger::service::ports::{BlobUpdate, Change, Folder, KeyFilter, Store, StoreError, Stored};
use rstest::rstest;
use rusqlite::params;

const OTHER_REGION: &str = "eu-west-9";

fn filter(region: Option<&str>, pending_deletion: bool) -> KeyFilter {
    KeyFilter { region: region.map(str::to_owned), pending_deletion }
}

fn pending() -> KeyState {
    KeyState::PendingDeletion { delete_at: at(900), switch: Switch::Active, requested_at: Some(at(800)) }
}

async fn insert(db: &Db, changed: Key, number: u32) {
    let mut changes = insert_key(number);
    changes[0] = Change::InsertKey(Box::new(changed));
    db.store.commit(changes).await.unwrap();
}

/// Keys 1 to 12: some share their age, 5 and 6 are in another region, 6 and 7 are leaving, 8 is deleted.
async fn many() -> Db {
    let db = Db::new().await;
    for number in 3..=12 {
        let state = match number {
            6 | 7 => pending(),
            8 => KeyState::Deleted { deleted_at: at(901) },
            _ => key(number).state,
        };
        let region = if matches!(number, 5 | 6) { OTHER_REGION.to_owned() } else { key(number).region };
        let created_at = at(200 + i64::from(number / 4));
        insert(&db, Key { state, region, created_at, ..key(number) }, number).await;
    }
    db
}

async fn keys_at(db: &Db, filter: &KeyFilter, skip: u64, limit: u32) -> (Vec<Key>, u64) {
    let page = db.store.keys_at(folder_id(), filter.clone(), skip, limit).await.unwrap();
    assert!(page.items.iter().all(|view| view.primary.id == view.key.primary_version));
    (page.items.into_iter().map(|view| view.key).collect(), page.total)
}

#[rstest]
#[case::live(filter(None, false), 9)]
#[case::with_leaving(filter(None, true), 11)]
#[case::of_a_region(filter(Some(OTHER_REGION), false), 1)]
#[case::of_a_region_with_leaving(filter(Some(OTHER_REGION), true), 2)]
#[case::of_an_empty_region(filter(Some("nowhere"), true), 0)]
#[tokio::test]
async fn every_place_of_the_list_has_one_key_and_the_newest_is_first(#[case] filter: KeyFilter, #[case] expected: u64) {
    let db = many().await;
    let (all, total) = keys_at(&db, &filter, 0, 100).await;
    assert_eq!((all.len() as u64, total), (expected, expected));
    let places: Vec<_> = all.iter().map(|key| (key.created_at, key.id)).collect();
    assert!(places.is_sorted_by(|a, b| a > b), "{places:?}");
    for key in &all {
        assert!(filter.region.as_ref().is_none_or(|region| *region == key.region));
        assert!(filter.pending_deletion || matches!(key.state, KeyState::Live { .. }));
        assert!(!matches!(key.state, KeyState::Deleted { .. }));
    }
    for limit in [1, 3, 4] {
        let mut found = Vec::new();
        for skip in (0..=expected).step_by(usize::try_from(limit).unwrap()) {
            let (page, total) = keys_at(&db, &filter, skip, limit).await;
            assert_eq!(total, expected, "the whole list is counted on every page");
            found.extend(page);
        }
        assert_eq!(found, all, "pages of {limit}");
    }
    for skip in [expected, expected + 1, u64::MAX] {
        assert_eq!(keys_at(&db, &filter, skip, 5).await, (Vec::new(), expected), "nothing is behind the end");
    }
}

#[tokio::test]
async fn a_folder_lists_its_own_keys_by_place() {
    let db = many().await;
    let other = Folder { id: FolderId::from_bytes(bytes(1, 2)), account_id: AccountId::from_stored(2), ..folder() };
    db.store.commit(vec![Change::InsertFolder(other.clone())]).await.unwrap();
    insert(&db, Key { folder_id: other.id, ..key(20) }, 20).await;
    let page = db.store.keys_at(other.id, filter(None, true), 0, 10).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].key.id, page.total), (1, key_id(20), 1));
    assert_eq!(keys_at(&db, &filter(None, true), 0, 100).await.1, 11);
}

#[tokio::test]
async fn a_forged_key_spoils_the_page_that_it_is_on() {
    let db = many().await;
    db.tamper("UPDATE keys SET name = 'x' WHERE id = ?1", [key_id(12).as_bytes()]);
    assert_alarm(&db.store.keys_at(folder_id(), filter(None, true), 0, 10).await, "keys");
    db.tamper("UPDATE keys SET folder_id = ?1 WHERE id = ?2", params![bytes(1, 2), key_id(11).as_bytes()]);
    assert_alarm(&db.store.keys_at(FolderId::from_bytes(bytes(1, 2)), filter(None, true), 0, 10).await, "keys");
}

/// Gives an index the content of another one, as somebody may who writes the file: rows are where they are not.
fn forge_index(db: &Db, index: &str, content: &str) {
    let raw = db.raw();
    raw.execute_batch(&format!("CREATE INDEX forged {content}")).unwrap();
    raw.execute_batch("PRAGMA writable_schema = ON; BEGIN").unwrap();
    let root: i64 =
        raw.query_row("SELECT rootpage FROM sqlite_master WHERE name = 'forged'", [], |row| row.get(0)).unwrap();
    let point = "UPDATE sqlite_master SET rootpage = ?1 WHERE name = ?2";
    assert_eq!(raw.execute(point, params![root, index]).unwrap(), 1);
    assert_eq!(raw.execute("DELETE FROM sqlite_master WHERE name = 'forged'", []).unwrap(), 1);
    raw.execute_batch("COMMIT").unwrap();
}

#[tokio::test]
async fn an_index_that_leads_elsewhere_lists_no_key_of_another_folder() {
    let db = many().await;
    let other = FolderId::from_bytes([9; 16]);
    let moved = "ON keys (coalesce(zeroblob(0) || NULL, x'09090909090909090909090909090909'), created_at, id, state)
        WHERE state <> 'deleted'";
    forge_index(&db, "keys_shown", moved);
    let db = db.restart().unwrap();
    assert_alarm(&db.store.keys_at(other, filter(None, true), 0, 10).await, "keys");
}

async fn named(db: &Db, name: &str) -> Option<KeyId> {
    db.store.key_named(folder_id(), short_name(name)).await.unwrap()
}

async fn change(db: &Db, number: u32, change: impl FnOnce(&mut Key)) -> Result<(), StoreError> {
    let mut stored = db.key(number).await;
    change(&mut stored.value);
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await
}

async fn give_name(db: &Db, number: u32, name: Option<&str>) -> Result<(), StoreError> {
    change(db, number, |key| key.key_name = name.map(short_name)).await
}

#[tokio::test]
async fn a_name_leads_to_the_one_key_of_the_folder_that_has_it() {
    let db = Db::new().await;
    assert_eq!(named(&db, "orders").await, None);
    give_name(&db, 1, Some("orders")).await.unwrap();
    assert_eq!(named(&db, "orders").await, Some(key_id(1)));
    assert_eq!(named(&db, "Orders").await, None, "letters of both cases differ");
    assert!(matches!(give_name(&db, 2, Some("orders")).await, Err(StoreError::Conflict)));
    let other = Folder { id: FolderId::from_bytes(bytes(1, 2)), account_id: AccountId::from_stored(2), ..folder() };
    db.store.commit(vec![Change::InsertFolder(other.clone())]).await.unwrap();
    insert(&db, Key { folder_id: other.id, key_name: Some(short_name("orders")), ..key(20) }, 20).await;
    assert_eq!(named(&db, "orders").await, Some(key_id(1)));
    assert_eq!(db.store.key_named(other.id, short_name("orders")).await.unwrap(), Some(key_id(20)));
}

#[tokio::test]
async fn a_leaving_key_keeps_its_name_and_one_that_lost_it_frees_it() {
    let db = Db::new().await;
    give_name(&db, 1, Some("orders")).await.unwrap();
    change(&db, 1, |key| key.state = pending()).await.unwrap();
    assert_eq!(named(&db, "orders").await, Some(key_id(1)));
    assert!(matches!(give_name(&db, 2, Some("orders")).await, Err(StoreError::Conflict)));
    let deleted = db.key(1).await.value.deleted(at(900)).unwrap();
    change(&db, 1, |key| *key = deleted).await.unwrap();
    assert_eq!(named(&db, "orders").await, None);
    give_name(&db, 2, Some("orders")).await.unwrap();
    assert_eq!(named(&db, "orders").await, Some(key_id(2)));
    give_name(&db, 2, Some("customers")).await.unwrap();
    assert_eq!((named(&db, "orders").await, named(&db, "customers").await), (None, Some(key_id(2))));
}

#[tokio::test]
async fn a_name_that_was_written_past_the_service_is_found() {
    let db = Db::new().await;
    db.tamper("UPDATE keys SET key_name = 'orders' WHERE id = ?1", [key_id(1).as_bytes()]);
    assert_alarm(&db.store.key_named(folder_id(), short_name("orders")).await, "keys");
}

#[tokio::test]
async fn an_index_of_names_that_leads_elsewhere_is_found() {
    let db = Db::new().await;
    give_name(&db, 1, Some("orders")).await.unwrap();
    give_name(&db, 2, Some("customers")).await.unwrap();
    let swapped = "ON keys (folder_id, iif(key_name = 'orders', 'customers', 'orders')) WHERE key_name IS NOT NULL";
    forge_index(&db, "keys_by_key_name", swapped);
    let db = db.restart().unwrap();
    for name in ["orders", "customers"] {
        assert_alarm(&db.store.key_named(folder_id(), short_name(name)).await, "keys");
    }
}

/// A database whose key 1 has three versions.
async fn three_versions() -> Db {
    let db = Db::new().await;
    for _ in 0..2 {
        let stored = db.key(1).await;
        db.store.commit(rotation(&stored, 1)).await.unwrap();
    }
    db
}

#[tokio::test]
async fn a_version_is_found_by_its_number_under_its_key() {
    let db = three_versions().await;
    for number in 1..=3 {
        let found = db.store.material_numbered(key_id(1), number).await.unwrap();
        assert_eq!(found, db.store.material(key_id(1), version_id(1, number)).await.unwrap());
        assert_eq!(found.unwrap().version.value, version(1, number));
    }
    for (key, number) in [(key_id(1), 0), (key_id(1), 4), (key_id(1), u32::MAX), (key_id(2), 2), (key_id(9), 1)] {
        assert_eq!(db.store.material_numbered(key, number).await.unwrap(), None, "{number}");
    }
}

#[tokio::test]
async fn a_version_whose_bytes_are_gone_is_found_by_number_without_them() {
    let db = three_versions().await;
    let mut stored = db.version(1, 1).await;
    stored.value.state = VersionState::Destroying { destroy_at: at(1) };
    db.store.commit(vec![Change::UpdateVersion(Box::new(stored.clone()), BlobUpdate::Overwrite)]).await.unwrap();
    let found = db.store.material_numbered(key_id(1), 1).await.unwrap().unwrap();
    assert_eq!((found.version, found.sealed), (Stored { row_seq: 2, ..stored }, None));
}

#[tokio::test]
async fn a_number_that_leads_to_another_version_is_found() {
    let db = three_versions().await;
    forge_index(&db, "sqlite_autoindex_versions_2", "ON versions (key_id, 4 - number)");
    let db = db.restart().unwrap();
    assert!(db.store.material_numbered(key_id(1), 2).await.is_ok(), "its entry is as it was");
    for number in [1, 3] {
        assert_alarm(&db.store.material_numbered(key_id(1), number).await, "versions");
    }
}

#[tokio::test]
async fn a_number_that_was_changed_is_found() {
    let db = three_versions().await;
    db.tamper("UPDATE versions SET number = 9 WHERE id = ?1", [version_id(1, 1).as_bytes()]);
    assert_alarm(&db.store.material_numbered(key_id(1), 9).await, "versions");
    assert_alarm(&db.store.material_numbered(key_id(1), 1).await, "versions");
    assert!(db.store.material_numbered(key_id(1), 2).await.is_ok_and(|found| found.is_some()));
}
