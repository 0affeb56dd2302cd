//! Keys and versions that were written before they had what the Ncloud dialect asks of them.

use super::migration::{FOLDER, First, ROW_KEY, open};
use crate::domain::address::AddressList;
use crate::domain::id::{GeneratorId, KeyId, MaterialId};
use crate::domain::key::{Key, KeyState, Switch};
use crate::domain::key_token::TokenGenerator;
use crate::domain::text::ShortName;
use crate::domain::time::Timestamp;
use crate::domain::version::{KeyVersion, VersionState};
use crate::service::ports::{BlobUpdate, Change, KeyFilter, SealedMaterial, Store, StoreError, Stored};
use crate::store::SqliteStore;
use crate::store::seal::{SealKeys, sha256};
use crate::store::sql::{Row, Sql, Value};
use crate::store::sqlite::Sqlite;
use crate::store::table::{FOLDERS, KEYS, Table, VERSIONS};
use core::net::Ipv4Addr;
use tempfile::TempDir;

const LIVE: [u8; 16] = [0x41; 16];
const LEAVING: [u8; 16] = [0x42; 16];
const BLOB: [u8; 40] = [0x55; 40];

/// The table as it was until the third schema.
fn keys() -> Table {
    let columns = [
        "id",
        "folder_id",
        "created_by_dialect",
        "key_tag",
        "key_name",
        "region",
        "name",
        "description",
        "labels",
        "tags",
        "default_algorithm",
        "state",
        "switch",
        "delete_at",
        "deleted_at",
        "primary_version",
        "latest_version_number",
        "created_at",
        "rotated_at",
        "rotation_period",
        "next_rotation_at",
        "rotation_owner",
        "fires_at",
        "deletion_protection",
        "min_destruction_wait",
    ];
    Table::new("keys", &columns, &[])
}

/// The same.
fn versions() -> Table {
    let columns = [
        "id",
        "key_id",
        "number",
        "algorithm",
        "residency",
        "origin",
        "created_at",
        "state",
        "was_disabled",
        "destroy_at",
        "destroyed_at",
        "pin_holder_can_export",
        "sealed_by",
        "material_row",
        "blob_sha256",
    ];
    Table::new("versions", &columns, &[])
}

fn key_columns(id: [u8; 16], state: &str, delete_at: Value) -> Row {
    let text = |text: &str| Value::from(text);
    let nobody_knows = || Value::Null;
    let mut row = vec![Value::from(&id), Value::from(&FOLDER), text("yandex"), Value::from(hex(&id)), Value::Null];
    row.extend([text("us-east-1"), text("orders"), text("of customers"), text("{}"), text("{}"), Value::Int(4)]);
    row.extend([text(state), text("active"), delete_at, nobody_knows(), Value::from(&id), Value::Int(1)]);
    row.extend([Value::Int(7), Value::Int(7), Value::Null, Value::Null, Value::Null, Value::Null]);
    row.extend([Value::Int(0), Value::Int(0)]);
    row
}

fn version_columns(id: [u8; 16], material_row: i64) -> Row {
    let text = |text: &str| Value::from(text);
    let mut row = vec![Value::from(&id), Value::from(&id), Value::Int(1), Value::Int(4), text("database")];
    row.extend([text("creation"), Value::Int(7), text("active"), Value::Null, Value::Null, Value::Null]);
    row.extend([Value::Int(0), Value::Int(1), Value::Int(material_row), Value::from(&sha256(&BLOB))]);
    row
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A database of the third schema with a live key and one that is leaving, opened by the service of today.
fn third_opened() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let mut third = First::new(&path);
    third.add(&FOLDERS, vec![Value::from(&FOLDER), Value::Int(9), Value::from("default"), Value::Int(1)]);
    third.add(&keys(), key_columns(LIVE, "live", Value::Null));
    third.add(&keys(), key_columns(LEAVING, "pending_deletion", Value::Int(900)));
    for (row, id) in [(1, LIVE), (2, LEAVING)] {
        let blob = Value::Blob(BLOB.to_vec());
        third.execute("INSERT INTO materials (id, blob) VALUES (?1, ?2)", &[Value::Int(row), blob]);
        third.add(&versions(), version_columns(id, row));
    }
    third.finish();
    Sqlite::writer(&path).unwrap().migrate_to(3);
    let store = open(&dir);
    (dir, store)
}

async fn key(store: &SqliteStore, id: [u8; 16]) -> Result<Stored<Key>, StoreError> {
    Ok(store.key(KeyId::from_bytes(id)).await?.unwrap())
}

async fn version(store: &SqliteStore, id: [u8; 16]) -> Result<Stored<KeyVersion>, StoreError> {
    Ok(store.material(KeyId::from_bytes(id), MaterialId::from_bytes(id)).await?.unwrap().version)
}

#[test]
fn nulls_in_the_appended_columns_leave_the_macs_as_they_were() {
    let seal = SealKeys::new(&ROW_KEY);
    let with_nulls = |row: Row, nulls: usize| [row, vec![Value::Null; nulls]].concat();
    let row = key_columns(LIVE, "live", Value::Null);
    assert_eq!(seal.row_mac(&keys(), 1, &row), seal.row_mac(&KEYS, 1, &with_nulls(row.clone(), 4)));
    let row = version_columns(LIVE, 1);
    assert_eq!(seal.row_mac(&versions(), 1, &row), seal.row_mac(&VERSIONS, 1, &with_nulls(row.clone(), 1)));
}

#[tokio::test]
async fn keys_of_the_third_schema_have_what_was_not_asked_for_then() {
    let (_dir, store) = third_opened();
    let live = key(&store, LIVE).await.unwrap();
    assert_eq!((live.row_seq, live.value.name.as_str()), (1, "orders"));
    assert_eq!((live.value.convergent, live.value.token_generator, live.value.key_name), (false, None, None));
    assert!(live.value.addresses.is_default());
    let (delete_at, switch) = (Timestamp::from_micros(900), Switch::Active);
    let leaving = key(&store, LEAVING).await.unwrap().value;
    assert_eq!(leaving.state, KeyState::PendingDeletion { delete_at, switch, requested_at: None });
    let found = store.material_numbered(KeyId::from_bytes(LIVE), 1).await.unwrap().unwrap();
    assert_eq!(found.version.value.state_changed_at, None);
    assert_eq!(found.version.value.state_since(), Timestamp::from_micros(7));
    assert_eq!(found.sealed, Some(SealedMaterial { sealed_by: 1, bytes: BLOB.to_vec() }));
    let filter = KeyFilter { region: None, pending_deletion: true };
    let page = store.keys_at(live.value.folder_id, filter, 0, 10).await.unwrap();
    assert_eq!((page.items.len(), page.total), (2, 2));
    assert_eq!(store.stats().integrity_alarms, 0);
}

#[tokio::test]
async fn a_key_and_a_version_of_the_third_schema_get_what_there_is_now() {
    let (dir, store) = third_opened();
    let mut changed = key(&store, LIVE).await.unwrap();
    changed.value.key_name = Some(ShortName::new("orders".to_owned()).unwrap());
    changed.value.addresses = AddressList::default().with(&[Ipv4Addr::new(192, 0, 2, 1)]).unwrap().switched(true);
    let generator = TokenGenerator::new(GeneratorId::from_bytes([6; 16]), Timestamp::from_micros(10));
    changed.value.token_generator = Some(generator);
    let mut switched = version(&store, LIVE).await.unwrap();
    switched.value.state = VersionState::Disabled;
    switched.value.state_changed_at = Some(Timestamp::from_micros(11));
    let changes = vec![
        Change::UpdateKey(Box::new(changed.clone())),
        Change::UpdateVersion(Box::new(switched.clone()), BlobUpdate::Keep),
    ];
    store.commit(changes).await.unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(key(&store, LIVE).await.unwrap(), Stored { row_seq: 2, ..changed });
    assert_eq!(version(&store, LIVE).await.unwrap(), Stored { row_seq: 2, ..switched });
    assert!(key(&store, LEAVING).await.is_ok() && version(&store, LEAVING).await.is_ok());
}

#[tokio::test]
async fn what_somebody_sets_on_a_row_of_the_third_schema_is_found() {
    let (dir, store) = third_opened();
    let attacker = Sqlite::writer(&dir.path().join("db")).unwrap();
    let set = |table: &str, column: &str, value: &str| {
        assert_eq!(attacker.execute(&format!("UPDATE {table} SET {column} = {value}"), &[]).unwrap(), 2);
    };
    let in_keys = [
        ("deletion_requested_at", "1"),
        ("convergent", "0"),
        ("convergent", "1"),
        ("addresses", "'{\"enabled\":false,\"addresses\":[]}'"),
        ("token_generator", "'null'"),
    ];
    for (column, value) in in_keys {
        set("keys", column, value);
        for id in [LIVE, LEAVING] {
            let found = key(&store, id).await;
            assert!(matches!(found, Err(StoreError::Integrity { table: "keys", .. })), "{column}: {found:?}");
        }
        set("keys", column, "NULL");
        assert!(key(&store, LIVE).await.is_ok() && key(&store, LEAVING).await.is_ok(), "{column}");
    }
    set("versions", "state_changed_at", "7");
    let found = version(&store, LIVE).await;
    assert!(matches!(found, Err(StoreError::Integrity { table: "versions", .. })), "{found:?}");
    set("versions", "state_changed_at", "NULL");
    assert!(version(&store, LIVE).await.is_ok());
}
