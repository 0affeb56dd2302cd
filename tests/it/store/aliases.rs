//! Aliases, lists of keys by region and state, folders by account number; and what somebody who can write the database
//! file may try with them.

use super::fixture::{
    Db, REGION, alias, assert_alarm, at, bytes, folder, folder_id, insert_key, key, key_id, other_principal_id, place,
    principal_id, put, viewers,
};
use claviger::domain::access::PrincipalKind;
use claviger::domain::alias::{Alias, AliasPlace};
use claviger::domain::id::{AccountId, FolderId, KeyId, PrincipalId};
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::service::ports::{BindingScope, Change, Cursor, Folder, KeyFilter, Page, Store, StoreError, Stored};
use rstest::rstest;
use rusqlite::{Connection, params};

const OTHER_REGION: &str = "eu-west-1";

fn write(value: Alias, row_seq: u64) -> Change {
    Change::PutAlias(Box::new(Stored { value, row_seq }))
}

/// With these aliases beside what every database has.
async fn with(aliases: impl IntoIterator<Item = Alias>) -> Db {
    let db = Db::new().await;
    db.store.commit(aliases.into_iter().map(|alias| write(alias, 0)).collect()).await.unwrap();
    db
}

async fn of_key(db: &Db, key: u32) -> Result<Page<Alias>, StoreError> {
    db.store.aliases(folder_id(), REGION.to_owned(), Some(key_id(key)), None, 10).await
}

async fn listed(db: &Db) -> Result<Page<Alias>, StoreError> {
    db.store.aliases(folder_id(), REGION.to_owned(), None, None, 10).await
}

fn reader() -> (PrincipalKind, PrincipalId) {
    (PrincipalKind::ServiceAccount, principal_id())
}

async fn naming(db: &Db) -> Result<Page<Alias>, StoreError> {
    db.store.aliases_naming(reader(), folder_id(), REGION.to_owned(), None, 10).await
}

/// All rows of a list, read in pages of three.
async fn all<T>(read: impl AsyncFn(Option<Cursor>, u32) -> Result<Page<T>, StoreError>) -> Vec<T> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = read(after, 3).await.unwrap();
        assert!(page.items.len() == 3 || page.next.is_none());
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

#[tokio::test]
async fn an_alias_comes_back_as_it_was_written_last() {
    let db = with([alias(1, 1)]).await;
    let read = async |db: &Db| db.store.alias(place(1)).await.unwrap();
    assert_eq!(read(&db).await, Some(Stored { value: alias(1, 1), row_seq: 1 }));
    let moved = Alias { updated_at: at(700), ..alias(1, 2) };
    db.store.commit(vec![write(moved.clone(), 1)]).await.unwrap();
    let db = db.restart().unwrap();
    assert_eq!(read(&db).await, Some(Stored { value: moved.clone(), row_seq: 2 }));
    let deleted = Alias { key_id: None, ..moved };
    db.store.commit(vec![write(deleted.clone(), 2)]).await.unwrap();
    assert_eq!(read(&db).await, Some(Stored { value: deleted, row_seq: 3 }));
    assert_eq!(listed(&db).await.unwrap().items, []);
    assert_eq!(db.store.alias(place(2)).await.unwrap(), None);
    let elsewhere = AliasPlace { region: OTHER_REGION.to_owned(), ..place(1) };
    assert_eq!(db.store.alias(elsewhere).await.unwrap(), None);
    db.store.commit(vec![write(alias(1, 1), 3)]).await.unwrap();
    assert_eq!(listed(&db).await.unwrap().items, [alias(1, 1)]);
    assert_eq!(db.store.stats().integrity_alarms, 0);
}

#[tokio::test]
async fn of_two_writers_of_an_alias_one_gets_a_conflict() {
    let db = Db::new().await;
    for row_seq in [0, 1] {
        let change = |key| vec![write(alias(1, key), row_seq)];
        let (first, second) = tokio::join!(db.store.commit(change(1)), db.store.commit(change(2)));
        let (kept, refused) = if first.is_ok() { (1, second) } else { (2, first) };
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        let stored = db.store.alias(place(1)).await.unwrap();
        assert_eq!(stored, Some(Stored { value: alias(1, kept), row_seq: row_seq + 1 }));
    }
    for stale in [0, 1, 3] {
        let refused = db.store.commit(vec![write(alias(1, 1), stale)]).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{stale}: {refused:?}");
    }
    // Of a key that is made by the same commit.
    let mut changes = insert_key(3);
    changes.insert(0, write(alias(2, 3), 0));
    db.store.commit(changes).await.unwrap();
    let refused = db.store.commit(vec![write(alias(3, 99), 0)]).await;
    assert!(matches!(refused, Err(StoreError::Bug(_))), "a key that is not there: {refused:?}");
}

#[tokio::test]
async fn pages_of_aliases_meet_without_gap_or_overlap() {
    let elsewhere =
        |number| Alias { place: AliasPlace { region: OTHER_REGION.to_owned(), ..place(number) }, ..alias(number, 1) };
    let deleted = |number| Alias { key_id: None, ..alias(number, 1) };
    let mine = |number| alias(number, 1 + number % 2);
    let db = with((1..=20).map(mine).chain([elsewhere(1), deleted(30)])).await;
    let key = |list: Vec<Alias>| list.iter().map(|alias| alias.place.name.to_string()).collect::<Vec<_>>();
    let region = || REGION.to_owned();
    let found = all(async |after, limit| db.store.aliases(folder_id(), region(), None, after, limit).await).await;
    assert_eq!(found.len(), 20);
    assert!(found.is_sorted_by_key(|alias| alias.created_at));
    for number in [1, 2] {
        let id = Some(key_id(number));
        let of_key = all(async |after, limit| db.store.aliases(folder_id(), region(), id, after, limit).await).await;
        let expected = found.iter().filter(|alias| alias.key_id == id).cloned().collect();
        assert_eq!(key(of_key), key(expected), "in the same order");
    }
    let there = db.store.aliases(folder_id(), OTHER_REGION.to_owned(), None, None, 10).await.unwrap();
    assert_eq!(there.items, [elsewhere(1)]);
    let nowhere = db.store.aliases(FolderId::from_bytes(bytes(1, 2)), region(), Some(key_id(1)), None, 10).await;
    assert_eq!(nowhere.unwrap().items, []);
    db.store.commit(vec![put(BindingScope::Key(key_id(2)), viewers(&[principal_id()]), 0)]).await.unwrap();
    let naming = async |after, limit| db.store.aliases_naming(reader(), folder_id(), region(), after, limit).await;
    let expected = found.iter().filter(|alias| alias.key_id == Some(key_id(2))).cloned().collect();
    assert_eq!(key(all(naming).await), key(expected));
    let other = (PrincipalKind::ServiceAccount, other_principal_id());
    assert_eq!(db.store.aliases_naming(other, folder_id(), region(), None, 10).await.unwrap().items, []);
}

#[tokio::test]
async fn lists_of_keys_have_those_of_the_region_and_state_that_are_asked_for() {
    let db = Db::new().await;
    let live = KeyState::Live { switch: Switch::Inactive };
    let pending = KeyState::PendingDeletion { delete_at: at(900), switch: Switch::Active, requested_at: None };
    let deleted = KeyState::Deleted { deleted_at: at(900) };
    let cases = [(3, REGION, pending), (4, REGION, deleted), (5, OTHER_REGION, live), (6, OTHER_REGION, pending)];
    for (number, region, state) in cases {
        let mut changes = insert_key(number);
        changes[0] = Change::InsertKey(Box::new(Key { region: region.to_owned(), ..key(number) }));
        db.store.commit(changes).await.unwrap();
        let mut stored = db.key(number).await;
        stored.value.state = state;
        db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
    }
    let bind = |number| put(BindingScope::Key(key_id(number)), viewers(&[principal_id()]), 0);
    db.store.commit([1, 3, 5, 6].map(bind).to_vec()).await.unwrap();
    let ids = |keys: &[u32]| keys.iter().map(|number| key_id(*number)).collect::<Vec<_>>();
    for (region, pending_deletion, expected, named) in [
        (None, false, vec![1, 2, 5], vec![1, 5]),
        (None, true, vec![1, 2, 3, 5, 6], vec![1, 3, 5, 6]),
        (Some(REGION), false, vec![1, 2], vec![1]),
        (Some(REGION), true, vec![1, 2, 3], vec![1, 3]),
        (Some(OTHER_REGION), false, vec![5], vec![5]),
        (Some(OTHER_REGION), true, vec![5, 6], vec![5, 6]),
        (Some("nowhere"), true, vec![], vec![]),
    ] {
        let filter = || KeyFilter { region: region.map(str::to_owned), pending_deletion };
        for limit in [1, 2, 10] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = db.store.keys(folder_id(), filter(), after, limit).await.unwrap();
                found.extend(page.items.into_iter().map(|view| view.key.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, ids(&expected), "{:?} by {limit}", filter());
        }
        let page = db.store.keys_naming(reader(), folder_id(), filter(), None, 10).await.unwrap();
        assert_eq!(page.items.into_iter().map(|view| view.key.id).collect::<Vec<_>>(), ids(&named), "{:?}", filter());
    }
}

#[tokio::test]
async fn a_folder_is_found_by_its_account_number_and_by_no_other() {
    let db = Db::new().await;
    let other = Folder { id: FolderId::from_bytes(bytes(1, 2)), account_id: AccountId::from_stored(7), ..folder() };
    db.store.commit(vec![Change::InsertFolder(other.clone())]).await.unwrap();
    let found = async |number| db.store.folder_by_account(AccountId::from_stored(number)).await;
    assert_eq!(found(folder().account_id.as_u64()).await.unwrap(), Some(folder()));
    assert_eq!(found(7).await.unwrap(), Some(other));
    assert_eq!(found(8).await.unwrap(), None);
    db.tamper("UPDATE folders SET account_id = 8 WHERE account_id = 7", []);
    assert_alarm(&found(8).await, "folders");
}

#[rstest]
#[case::another_key("UPDATE aliases SET key_id = ?1", key_id(2))]
#[case::no_key("UPDATE aliases SET key_id = iif(key_id = ?1, key_id, NULL)", key_id(2))]
#[tokio::test]
async fn an_alias_that_somebody_changes_stands_for_nothing(#[case] statement: &str, #[case] parameter: KeyId) {
    let db = with([alias(1, 1)]).await;
    db.tamper(statement, [parameter.as_bytes()]);
    assert_alarm(&db.store.alias(place(1)).await, "aliases");
    for row_seq in [0, 1] {
        assert_alarm(&db.store.commit(vec![write(alias(1, 1), row_seq)]).await, "aliases");
    }
    assert_alarm(&db.restart().unwrap().store.alias(place(1)).await, "aliases");
}

#[tokio::test]
async fn a_removed_alias_is_not_merely_absent() {
    let db = with([alias(1, 1), alias(2, 1)]).await;
    db.tamper("DELETE FROM aliases WHERE name = 'alias/1'", []);
    assert_alarm(&db.store.alias(place(1)).await, "aliases");
    assert_alarm(&db.store.commit(vec![write(alias(1, 2), 0)]).await, "aliases");
    assert!(db.store.alias(place(2)).await.unwrap().is_some());
    assert_alarm(&db.restart().unwrap().store.alias(place(1)).await, "aliases");
}

#[tokio::test]
async fn an_added_alias_or_one_under_another_name_is_none() {
    let db = with([alias(1, 1), alias(2, 2)]).await;
    let ids = async |name: &str| -> Vec<u8> {
        db.raw().query_row("SELECT id FROM aliases WHERE name = ?1", [name], |row| row.get(0)).unwrap()
    };
    let (one, two) = (ids("alias/1").await, ids("alias/2").await);
    let raw = db.raw();
    for (new, old) in [(vec![0; 16], &one), (one.clone(), &two), (two.clone(), &vec![0; 16])] {
        assert_eq!(raw.execute("UPDATE aliases SET id = ?1 WHERE id = ?2", params![new, old]).unwrap(), 1);
    }
    for number in [1, 2] {
        assert_alarm(&db.store.alias(place(number)).await, "aliases");
        assert_alarm(&of_key(&db, number).await, "aliases");
    }
    let db = with([alias(1, 1)]).await;
    let copy = "INSERT INTO aliases
        SELECT ?1, folder_id, region, 'alias/2', key_id, created_at, updated_at, row_seq, row_mac FROM aliases";
    db.tamper(copy, [two]);
    assert_alarm(&db.store.alias(place(2)).await, "aliases");
    assert_alarm(&db.store.commit(vec![write(alias(2, 1), 0)]).await, "aliases");
    assert_alarm(&listed(&db).await, "aliases");
    assert_alarm(&of_key(&db, 1).await, "aliases");
}

/// A database whose alias 1 was changed after `old.db` was copied from it.
async fn changed(to: Alias) -> (Db, Connection) {
    let db = with([alias(1, 1)]).await;
    let old = db.dir.path().join("old.db");
    db.raw().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();
    db.store.commit(vec![write(to, 1)]).await.unwrap();
    let raw = db.raw();
    raw.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    (db, raw)
}

#[rstest]
#[case::moved_row(alias(1, 2), &["aliases"])]
#[case::moved_row_and_head(alias(1, 2), &["aliases", "row_heads"])]
#[case::moved_row_head_and_leaf(alias(1, 2), &["aliases", "row_heads", "state_leaves", "state_root"])]
#[case::deleted_row(Alias { key_id: None, ..alias(1, 1) }, &["aliases"])]
#[case::deleted_row_and_head(Alias { key_id: None, ..alias(1, 1) }, &["aliases", "row_heads"])]
#[tokio::test]
async fn an_alias_that_is_rolled_back_is_found(#[case] to: Alias, #[case] tables: &[&str]) {
    let (db, raw) = changed(to).await;
    for table in tables {
        raw.execute(&format!("REPLACE INTO main.{table} SELECT * FROM old.{table}"), []).unwrap();
    }
    assert_alarm(&db.store.alias(place(1)).await, "aliases");
    assert_alarm(&of_key(&db, 1).await, "aliases");
    assert_alarm(&listed(&db).await, "aliases");
}

/// Gives an index the content of another one, of a table with other rows: it then leads to genuine rows that were not
/// asked for.
fn exchange_index(db: &Db, table: &str, index: &str, columns: &str, rows: &str) {
    let raw = db.raw();
    raw.execute_batch(&format!(
        "CREATE TABLE other AS {rows}; CREATE INDEX other_index ON other ({columns});
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'other_index')
        WHERE name = '{index}' AND tbl_name = '{table}';"
    ))
    .unwrap();
}

#[tokio::test]
async fn an_index_that_leads_to_an_alias_of_another_key_is_found() {
    let db = with([alias(1, 1), alias(2, 2)]).await;
    assert_eq!(of_key(&db, 1).await.unwrap().items, [alias(1, 1)]);
    let swapped = format!(
        "SELECT CASE name WHEN 'alias/1' THEN x'{0}' ELSE x'{1}' END AS key_id, folder_id, region, created_at, id
        FROM aliases ORDER BY rowid",
        hex(key_id(2).as_bytes()),
        hex(key_id(1).as_bytes())
    );
    exchange_index(&db, "aliases", "aliases_of_key", "key_id, folder_id, region, created_at, id", &swapped);
    let db = db.restart().unwrap();
    assert_alarm(&of_key(&db, 1).await, "aliases");
}

#[tokio::test]
async fn an_index_that_leads_to_a_key_of_another_region_is_found() {
    let db = Db::new().await;
    let elsewhere = "SELECT folder_id, 'eu-west-1' AS region, created_at, id FROM keys ORDER BY rowid";
    exchange_index(&db, "keys", "keys_shown_in_region", "folder_id, region, created_at, id", elsewhere);
    let db = db.restart().unwrap();
    let filter = KeyFilter { region: Some(OTHER_REGION.to_owned()), pending_deletion: true };
    assert_alarm(&db.store.keys(folder_id(), filter, None, 10).await, "keys");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_planted_entry_leads_to_aliases_of_the_folder_and_region_only() {
    let elsewhere = Alias { place: AliasPlace { region: OTHER_REGION.to_owned(), ..place(2) }, ..alias(2, 2) };
    let db = with([alias(1, 1), elsewhere]).await;
    assert_eq!(naming(&db).await.unwrap().items, []);
    let entry = "INSERT INTO bound_keys VALUES (?1, 'service_account', ?2, ?3, ?4, ?5)";
    let plant = |number: u32, created_at: i64| {
        let (folder, key) = (*folder_id().as_bytes(), *key_id(number).as_bytes());
        db.tamper(entry, params![principal_id().as_bytes(), folder, created_at, key, REGION]);
    };
    plant(2, 7);
    assert_eq!(naming(&db).await.unwrap().items, []);
    // An alias to be decided about, whose key's own set names nobody.
    plant(1, 8);
    assert_eq!(naming(&db).await.unwrap().items, [alias(1, 1)]);
    db.tamper("UPDATE aliases SET updated_at = 1", []);
    assert_alarm(&naming(&db).await, "aliases");
}
