//! A database writer is not an administrator: what is written past the service is found.

use super::fixture::{
    Db, assert_alarm, at, bytes, credential, folder_id, key_id, place, principal_id, sealed, token_hash, version_id,
};
use claviger::domain::id::{CredentialId, FolderId, KeyId, MaterialId, PrincipalId};
use claviger::domain::version::VersionState;
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{BindingScope, BlobUpdate, Change, CredentialLookup, Store, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};

#[tokio::test]
async fn two_swapped_blobs_are_found() {
    let db = Db::new().await;
    for (row, number) in [(1, 2), (2, 1)] {
        db.tamper("UPDATE materials SET blob = ?1 WHERE id = ?2", params![sealed(number, 1).bytes, row]);
    }
    for number in [1, 2] {
        let result = db.store.material(key_id(number), version_id(number, 1)).await;
        assert_alarm(&result, "versions");
    }
}

#[tokio::test]
async fn two_swapped_material_rows_are_found() {
    let db = Db::new().await;
    let swap = "WITH old AS MATERIALIZED (SELECT id, material_row, blob_sha256 FROM versions)
        UPDATE versions SET material_row = old.material_row, blob_sha256 = old.blob_sha256
        FROM old WHERE old.id <> versions.id";
    db.tamper(swap, []);
    for number in [1, 2] {
        assert_alarm(&db.store.material(key_id(number), version_id(number, 1)).await, "versions");
    }
}

#[tokio::test]
async fn a_version_moved_to_another_key_is_found() {
    let db = Db::new().await;
    let (key, version) = (*key_id(2).as_bytes(), *version_id(1, 1).as_bytes());
    db.tamper("UPDATE versions SET key_id = ?1, number = 2 WHERE id = ?2", params![key, version]);
    assert_alarm(&db.store.material(key_id(2), version_id(1, 1)).await, "versions");
    assert_alarm(&db.store.material(key_id(1), version_id(1, 1)).await, "versions");
}

#[tokio::test]
async fn versions_of_two_keys_with_swapped_ids_are_found() {
    let db = Db::new().await;
    let (first, second) = (*version_id(1, 1).as_bytes(), *version_id(2, 1).as_bytes());
    let raw = db.raw();
    let rename = "UPDATE versions SET id = ?1 WHERE id = ?2";
    for (new, old) in [([0; 16], first), (first, second), (second, [0; 16])] {
        assert_eq!(raw.execute(rename, params![new, old]).unwrap(), 1);
    }
    for number in [1, 2] {
        assert_alarm(&db.store.material(key_id(number), version_id(number, 1)).await, "versions");
    }
}

#[tokio::test]
async fn a_flipped_algorithm_is_found() {
    let db = Db::new().await;
    db.tamper("UPDATE versions SET algorithm = 3", []);
    db.tamper("UPDATE keys SET default_algorithm = 3", []);
    assert_alarm(&db.store.material(key_id(1), version_id(1, 1)).await, "versions");
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
    assert_alarm(&db.store.keys(folder_id(), KeyFilter::default(), None, 10).await, "keys");
}

#[tokio::test]
async fn every_column_of_every_row_of_every_sealed_table_is_covered() {
    let tables = [
        ("folders", 1),
        ("principals", 2),
        ("credentials", 4),
        ("bindings", 1),
        ("service_bindings", 1),
        ("key_bindings", 1),
        ("keys", 2),
        ("versions", 2),
        ("aliases", 2),
        ("counters", 2),
        ("heartbeat", 1),
    ];
    let db = Db::full().await;
    for (table, rows) in tables {
        let raw = db.raw();
        let mut row_ids = raw.prepare(&format!("SELECT rowid FROM {table}")).unwrap();
        let row_ids: Vec<i64> = row_ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(row_ids.len(), rows, "{table}");
        for row in row_ids {
            for column in columns(&raw, table) {
                attack_column(&db, table, &column, row).await;
            }
        }
    }
}

struct Column {
    name: String,
    kind: String,
    nullable: bool,
}

/// All columns of a table but its primary key.
fn columns(raw: &Connection, table: &str) -> Vec<Column> {
    let statement = "SELECT name, type, \"notnull\" = 0 FROM pragma_table_info(?1) WHERE pk = 0";
    let mut columns = raw.prepare(statement).unwrap();
    let column = |row: &Row<'_>| Ok(Column { name: row.get(0)?, kind: row.get(1)?, nullable: row.get(2)? });
    columns.query_map([table], column).unwrap().map(Result::unwrap).collect()
}

/// Changes one column of one row to another value and to NULL, looks for the alarm, and puts it back.
async fn attack_column(db: &Db, table: &str, column: &Column, row: i64) {
    let Column { name, kind, nullable } = column;
    let raw = db.raw();
    raw.pragma_update(None, "ignore_check_constraints", "ON").unwrap();
    let key = raw.prepare(&format!("SELECT * FROM {table}")).unwrap().column_name(0).unwrap().to_owned();
    let select = format!("SELECT {key}, {name} FROM {table} WHERE rowid = ?1");
    let (key, old): (Value, Value) = raw.query_row(&select, [row], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let other = match kind.as_str() {
        "INTEGER" => format!("coalesce({name}, 0) + 1"),
        "TEXT" => format!("coalesce({name}, '') || 'x'"),
        _ => "randomblob(16)".to_owned(),
    };
    let to_null = *nullable && old != Value::Null;
    for new in [Some(other.as_str()), to_null.then_some("NULL")].into_iter().flatten() {
        let update = format!("UPDATE {table} SET {name} = {new} WHERE rowid = ?1");
        assert_eq!(raw.execute(&update, [row]).unwrap(), 1);
        let found = look_up(db, table, &key).await;
        assert!(found.is_err(), "{table}.{name} of row {row} can become {new} unnoticed");
        assert_alarm(&found, table);
        let restore = format!("UPDATE {table} SET {name} = ?2 WHERE rowid = ?1");
        assert_eq!(raw.execute(&restore, params![row, old]).unwrap(), 1);
        assert!(look_up(db, table, &key).await.is_ok(), "{table}.{name} was put back");
    }
}

/// Reads a row by its id.
async fn look_up(db: &Db, table: &str, key: &Value) -> Result<(), StoreError> {
    let id = || match key {
        Value::Blob(bytes) => <[u8; 16]>::try_from(bytes.as_slice()).unwrap(),
        other => panic!("{table} has no id {other:?}"),
    };
    let store = &db.store;
    match table {
        "folders" => store.folder(FolderId::from_bytes(id())).await.map(drop),
        "principals" => store.principal(PrincipalId::from_bytes(id())).await.map(drop),
        "credentials" => store.credential(CredentialLookup::Id(CredentialId::from_bytes(id()))).await.map(drop),
        "bindings" => store.bindings(BindingScope::Folder(FolderId::from_bytes(id()))).await.map(drop),
        "service_bindings" => store.bindings(BindingScope::Service).await.map(drop),
        "key_bindings" => store.bindings(BindingScope::Key(KeyId::from_bytes(id()))).await.map(drop),
        "aliases" => {
            store.alias(place(1)).await?;
            store.alias(place(2)).await.map(drop)
        }
        "keys" => store.key(KeyId::from_bytes(id())).await.map(drop),
        "versions" => store.material(key_id(1), MaterialId::from_bytes(id())).await.map(drop),
        "counters" => store.lease_invocations(MaterialId::from_bytes(id()), 1).await.map(drop),
        _ => store.heartbeat().await.map(drop),
    }
}

#[tokio::test]
async fn a_lowered_counter_is_found() {
    let db = Db::new().await;
    db.store.lease_invocations(version_id(1, 1), 1000).await.unwrap();
    db.tamper("UPDATE counters SET leased = 0", []);
    assert_alarm(&db.store.lease_invocations(version_id(1, 1), 1).await, "counters");
}

#[tokio::test]
async fn a_deleted_counter_is_found_and_not_begun_anew() {
    let db = Db::new().await;
    db.store.lease_invocations(version_id(1, 1), 1000).await.unwrap();
    db.tamper("DELETE FROM counters", []);
    assert_alarm(&db.store.lease_invocations(version_id(1, 1), 1).await, "counters");
    assert_alarm(&db.store.commit(vec![Change::InsertCounter(version_id(1, 1))]).await, "counters");
    db.tamper("DELETE FROM row_heads", []);
    assert_alarm(&db.store.lease_invocations(version_id(1, 1), 1).await, "counters");
    assert_alarm(&db.store.commit(vec![Change::InsertCounter(version_id(1, 1))]).await, "counters");
}

#[tokio::test]
async fn an_added_token_hash_is_no_credential() {
    let db = Db::new().await;
    let statement = "INSERT INTO credentials
        SELECT ?1, principal_id, folder_id, name, kind, ?2, created_at, expires_at, revoked_at, row_seq, row_mac, handle,
        sealed_by, secret FROM credentials";
    db.tamper(statement, params![bytes(5, 9), token_hash(9)]);
    assert_alarm(&db.store.credential(CredentialLookup::TokenSha256(token_hash(9))).await, "credentials");
    db.tamper(
        "UPDATE credentials SET token_sha256 = ?1 WHERE id = ?2",
        params![token_hash(8), credential(1).id.as_bytes()],
    );
    assert_alarm(&db.store.credential(CredentialLookup::TokenSha256(token_hash(8))).await, "credentials");
}

#[tokio::test]
async fn an_added_binding_is_no_right() {
    let db = Db::new().await;
    let json = format!(r#"[{{"role":"kms.keys.encrypterDecrypter","principal_id":"{}"}}]"#, principal_id());
    db.tamper("UPDATE bindings SET bindings = ?1", [&json]);
    assert_alarm(&db.store.bindings(BindingScope::Folder(folder_id())).await, "bindings");
    db.tamper("DELETE FROM bindings", []);
    assert_alarm(&db.store.bindings(BindingScope::Folder(folder_id())).await, "bindings");
    let planted = "INSERT INTO bindings VALUES (?1, ?2, 1, zeroblob(32))";
    db.tamper(planted, params![bytes(1, 2), json]);
    let other = FolderId::from_bytes(bytes(1, 2));
    assert_alarm(&db.store.bindings(BindingScope::Folder(other)).await, "bindings");
}

#[tokio::test]
async fn an_added_administrator_is_nobody() {
    let db = Db::new().await;
    let statement =
        "INSERT INTO principals SELECT ?1, folder_id, kind, 'me too', 0, row_seq, row_mac, NULL FROM principals";
    db.tamper(statement, [bytes(2, 2)]);
    let id = PrincipalId::from_bytes(bytes(2, 2));
    assert_alarm(&db.store.principal(id).await, "principals");
    assert_alarm(&db.store.first_principal(folder_id()).await, "principals");
    assert_alarm(&db.store.principals(folder_id(), None, 10).await, "principals");
}

#[tokio::test]
async fn an_added_head_does_not_make_a_planted_row_good() {
    let db = Db::new().await;
    let raw = db.raw();
    db.tamper("INSERT INTO counters VALUES (?1, 0, 1, zeroblob(32))", [bytes(4, 77)]);
    let encoded = [b"\x02\0\0\0\0\0\0\0\x08counters\x03\0\0\0\0\0\0\0\x10".as_slice(), &bytes(4, 77)].concat();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &encoded);
    raw.execute("INSERT INTO row_heads VALUES (?1, 1, zeroblob(32))", [&hash.as_ref()[..16]]).unwrap();
    let planted = MaterialId::from_bytes(bytes(4, 77));
    assert_alarm(&db.store.lease_invocations(planted, 1).await, "counters");
}

#[tokio::test]
async fn a_deleted_key_or_version_is_not_merely_absent() {
    let db = Db::new().await;
    db.tamper("DELETE FROM versions WHERE id = ?1", [version_id(1, 1).as_bytes()]);
    assert_alarm(&db.store.material(key_id(1), version_id(1, 1)).await, "versions");
    assert_alarm(&db.store.versions(key_id(1), None, 10).await, "versions");
    assert_alarm(&db.store.keys(folder_id(), KeyFilter::default(), None, 10).await, "versions");
    db.tamper("DELETE FROM keys WHERE id = ?1", [key_id(1).as_bytes()]);
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
    assert_eq!(db.store.stats().integrity_alarms, 4);
}

#[tokio::test]
async fn a_write_does_not_bless_what_was_changed_beside_it() {
    let db = Db::new().await;
    let head = "UPDATE row_heads SET row_seq = row_seq + 1";
    db.tamper(head, []);
    let mut stored = super::fixture::key(1);
    stored.deletion_protection = true;
    let change = Change::UpdateKey(Box::new(claviger::service::ports::Stored { value: stored, row_seq: 1 }));
    assert_alarm(&db.store.commit(vec![change]).await, "keys");
}

#[tokio::test]
async fn a_destroyed_version_cannot_be_revived_from_an_old_copy() {
    let db = Db::new().await;
    let old = db.dir.path().join("old.db");
    db.raw().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();
    let mut stored = db.version(1, 1).await;
    stored.value.state = VersionState::Destroying { destroy_at: at(1) };
    db.store.commit(vec![Change::UpdateVersion(Box::new(stored), BlobUpdate::Overwrite)]).await.unwrap();
    db.store.erase_copies().await.unwrap();
    let raw = db.raw();
    raw.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    for table in ["versions", "materials"] {
        raw.execute(&format!("REPLACE INTO main.{table} SELECT * FROM old.{table}"), []).unwrap();
    }
    assert_alarm(&db.store.material(key_id(1), version_id(1, 1)).await, "versions");
    let db = db.restart().unwrap();
    assert_alarm(&db.store.material(key_id(1), version_id(1, 1)).await, "versions");
}
