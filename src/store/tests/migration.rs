//! Databases that were made by the first schema go on: no row is rewritten, and what was appended since is covered.

use crate::domain::access::{Binding, PrincipalKind, Role, Subject};
use crate::domain::alias::{Alias, AliasName, AliasPlace};
use crate::domain::id::{AccountId, CredentialId, FolderId, PrincipalId};
use crate::domain::time::Timestamp;
use crate::service::ports::{
    BindingScope, Change, CredentialLookup, CredentialSecret, SealedMaterial, Store, StoreError, Stored,
};
use crate::store::SqliteStore;
use crate::store::seal::{Bucket, Head, SealKeys, bucket_of, head_id};
use crate::store::sql::{Row, Sql, Value, int};
use crate::store::sqlite::Sqlite;
use crate::store::table::{BINDINGS, CREDENTIALS, FOLDERS, PRINCIPALS, Table};
use crate::store::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(super) const ROW_KEY: [u8; 32] = [1; 32];
pub(super) const FOLDER: [u8; 16] = [3; 16];
const PRINCIPAL: [u8; 16] = [2; 16];
const CREDENTIAL: [u8; 16] = [5; 16];
const TOKEN: [u8; 32] = [6; 32];

/// The tables that have grown, as they were.
fn first_principals() -> Table {
    Table::new("principals", &["id", "folder_id", "kind", "name", "created_at"], &[])
}

fn first_credentials() -> Table {
    let columns =
        ["id", "principal_id", "folder_id", "name", "kind", "token_sha256", "created_at", "expires_at", "revoked_at"];
    Table::new("credentials", &columns, &[])
}

fn principal_columns() -> Row {
    let (kind, name) = (Value::from("user"), Value::from("administrator"));
    vec![Value::from(&PRINCIPAL), Value::from(&FOLDER), kind, name, Value::Int(1_000_000)]
}

fn credential_columns() -> Row {
    vec![
        Value::from(&CREDENTIAL),
        Value::from(&PRINCIPAL),
        Value::from(&FOLDER),
        Value::from("tests"),
        Value::from("api_token"),
        Value::from(&TOKEN),
        Value::Int(7),
        Value::Null,
        Value::Null,
    ]
}

/// A writer of the first schema.
pub(super) struct First {
    sql: Sqlite,
    keys: SealKeys,
    heads: BTreeMap<u16, Bucket>,
}

impl First {
    /// A new database.
    pub(super) fn new(path: &Path) -> Self {
        let mut sql = Sqlite::writer(path).unwrap();
        sql.migrate_to(1);
        Self { sql, keys: SealKeys::new(&ROW_KEY), heads: BTreeMap::new() }
    }

    /// Rows without a MAC of their own.
    pub(super) fn execute(&self, sql: &str, params: &[Value]) {
        self.sql.execute(sql, params).unwrap();
    }

    pub(super) fn add(&mut self, table: &Table, columns: Row) {
        let row_mac = self.keys.row_mac(table, 1, &columns);
        let id = head_id(table.name, &columns[0]);
        let mut params = columns;
        params.extend([int(1), Value::from(&row_mac)]);
        self.sql.execute(&table.insert, &params).unwrap();
        let head = [Value::from(&id), int(1), Value::from(&row_mac)];
        self.sql.execute("INSERT INTO row_heads (id, row_seq, row_mac) VALUES (?1, ?2, ?3)", &head).unwrap();
        let head = Head { row_seq: 1, row_mac: row_mac.to_vec() };
        self.heads.entry(bucket_of(id)).or_default().insert(id, head);
    }

    pub(super) fn finish(self) {
        let mut tree = Tree::empty();
        for (bucket, heads) in &self.heads {
            tree.set(*bucket, self.keys.leaf(*bucket, heads));
        }
        for bucket in self.heads.keys() {
            tree.save_group(&self.sql, bucket / 16).unwrap();
        }
        tree.save_first_root(&self.sql, &self.keys).unwrap();
    }
}

/// A database of the first schema with a folder, its administrator, his token and his role.
fn first(path: &Path) {
    let mut first = First::new(path);
    first.add(&FOLDERS, vec![Value::from(&FOLDER), Value::Int(9), Value::from("default"), Value::Int(1)]);
    first.add(&first_principals(), principal_columns());
    first.add(&first_credentials(), credential_columns());
    let principal_id = PrincipalId::from_bytes(PRINCIPAL);
    let bindings = format!(r#"[{{"role":"kms.admin","principal_id":"{principal_id}"}}]"#);
    first.add(&BINDINGS, vec![Value::from(&FOLDER), Value::from(bindings)]);
    first.finish();
}

const KEYS: [([u8; 16], &str); 2] = [([0x41; 16], "us-east-1"), ([0x42; 16], "eu-west-1")];

/// Goes on to the second schema and adds keys of two regions to the index of those that name the administrator, and an
/// entry that leads to no key.
fn second(path: &Path) {
    let mut sql = Sqlite::writer(path).unwrap();
    sql.migrate_to(2);
    let entry = "INSERT INTO bound_keys VALUES (?1, 'user', ?2, 5, ?3)";
    for key in KEYS.map(|(id, _)| id).into_iter().chain([[0x43; 16]]) {
        sql.execute(entry, &[Value::from(&PRINCIPAL), Value::from(&FOLDER), Value::from(&key)]).unwrap();
    }
    for (id, region) in KEYS {
        let statement = "INSERT INTO keys VALUES (?1, ?2, 'yandex', hex(?1), NULL, ?3, 'n', 'd', '{}', '{}', 4, 'live',
            'active', NULL, NULL, zeroblob(16), 1, 5, 5, NULL, NULL, NULL, NULL, 0, 0, 1, zeroblob(32))";
        sql.execute(statement, &[Value::from(&id), Value::from(&FOLDER), Value::from(region)]).unwrap();
    }
}

pub(super) fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(dir.path().join("db")).unwrap().unlock(Zeroizing::new(ROW_KEY)).unwrap()
}

fn first_opened() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    first(&dir.path().join("db"));
    let store = open(&dir);
    (dir, store)
}

async fn token(store: &SqliteStore) -> Result<Option<Stored<crate::service::ports::CredentialRecord>>, StoreError> {
    store.credential(CredentialLookup::TokenSha256(TOKEN)).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The values were computed by another implementation of docs/adr/0003-state-tree.md.
#[test]
fn the_mac_of_a_row_is_the_one_of_the_first_schema_until_an_appended_column_is_set() {
    let keys = SealKeys::new(&ROW_KEY);
    let with = |columns: Row, appended: &[Value]| [columns, appended.to_vec()].concat();
    let mut columns = principal_columns();
    columns[1] = Value::from(&[1; 16]);
    let first = "f3cef4b6c92618a16042d5e4d0df4c0ede06f908eead84ebbe6fede41ec74228";
    assert_eq!(hex(&keys.row_mac(&first_principals(), 3, &columns)), first);
    assert_eq!(hex(&keys.row_mac(&PRINCIPALS, 3, &with(columns.clone(), &[Value::Null]))), first);
    let deleted = "20950826d6051c3ee4065893621f071f463efa48e3a361bcfd4036fca426a97f";
    assert_eq!(hex(&keys.row_mac(&PRINCIPALS, 3, &with(columns, &[Value::Int(2_000_000)]))), deleted);
    let mut columns = credential_columns();
    columns[2] = Value::from(&[1; 16]);
    // Its last two columns are NULL, and count: they were there from the first.
    let first = "a5b08de72c9af9a1b33a9f27a89f7e3270f86ab644126489e438ae7eab4fa646";
    assert_eq!(hex(&keys.row_mac(&first_credentials(), 1, &columns)), first);
    let nulls = [Value::Null, Value::Null, Value::Null];
    assert_eq!(hex(&keys.row_mac(&CREDENTIALS, 1, &with(columns, &nulls))), first);
}

#[test]
fn no_two_rows_of_a_table_have_the_same_mac() {
    let keys = SealKeys::new(&ROW_KEY);
    let table = Table::new("t", &["a", "b"], &["c", "d", "e"]);
    let choices = [Value::Null, Value::Int(0), Value::from("")];
    let rows = (0..3_usize.pow(5)).map(|number| {
        let digit = |place: u32| choices[number / 3_usize.pow(place) % 3].clone();
        (0..5).map(digit).collect::<Row>()
    });
    let macs: BTreeSet<_> = rows.map(|row| keys.row_mac(&table, 1, &row)).collect();
    assert_eq!(macs.len(), 3_usize.pow(5));
}

#[tokio::test]
async fn a_database_of_the_first_schema_is_read() {
    let (_dir, store) = first_opened();
    let (folder, principal) = (FolderId::from_bytes(FOLDER), PrincipalId::from_bytes(PRINCIPAL));
    assert_eq!(store.first_folder().await.unwrap().unwrap().id, folder);
    let stored = store.principal(principal).await.unwrap().unwrap();
    assert_eq!((stored.value.name.as_str(), stored.value.deleted_at), ("administrator", None));
    assert_eq!(store.principals(folder, None, 10).await.unwrap().items, [stored.value]);
    let stored = token(&store).await.unwrap().unwrap();
    assert_eq!((stored.value.secret, stored.row_seq), (CredentialSecret::TokenSha256(TOKEN), 1));
    assert_eq!(store.credentials(principal, None, 10).await.unwrap().items.len(), 1);
    let role = Binding { role: Role::Admin, subject: Subject::of(PrincipalKind::User, principal) };
    assert_eq!(store.bindings(BindingScope::Folder(folder)).await.unwrap().value.as_slice(), [role]);
    assert_eq!(store.bindings(BindingScope::Service).await.unwrap().row_seq, 0);
    let shown = async |kind| store.folders_naming((kind, principal), None, 10).await.unwrap().items;
    assert_eq!(shown(PrincipalKind::User).await, [store.first_folder().await.unwrap().unwrap()]);
    assert_eq!(shown(PrincipalKind::ServiceAccount).await, []);
    assert_eq!(store.stats().integrity_alarms, 0);
}

#[tokio::test]
async fn a_row_of_the_first_schema_is_changed_and_read_after_a_restart() {
    let (dir, store) = first_opened();
    let mut credential = token(&store).await.unwrap().unwrap();
    credential.value.revoked_at = Some(Timestamp::from_micros(8));
    let mut principal = store.principal(PrincipalId::from_bytes(PRINCIPAL)).await.unwrap().unwrap();
    principal.value.deleted_at = Some(Timestamp::from_micros(9));
    let mut key = credential.value.clone();
    key.id = CredentialId::from_bytes([8; 16]);
    let sealed = SealedMaterial { sealed_by: 3, bytes: vec![4; 60] };
    key.secret = CredentialSecret::AccessKey { access_key_id: "AKIAAAAAAAAAAAAAAAAA".to_owned(), sealed };
    let changes = vec![
        Change::UpdateCredential(credential.clone()),
        Change::UpdatePrincipal(principal.clone()),
        Change::InsertCredential(key.clone()),
    ];
    store.commit(changes).await.unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(token(&store).await.unwrap(), Some(Stored { row_seq: 2, ..credential }));
    let found = store.principal(principal.value.id).await.unwrap();
    assert_eq!(found, Some(Stored { row_seq: 2, ..principal }));
    let found = store.credential(CredentialLookup::Id(key.id)).await.unwrap();
    assert_eq!(found, Some(Stored { value: key, row_seq: 1 }));
}

#[tokio::test]
async fn an_appended_column_that_somebody_sets_on_a_row_of_the_first_schema_is_found() {
    let (dir, store) = first_opened();
    let attacker = Sqlite::writer(&dir.path().join("db")).unwrap();
    for (column, value) in [("handle", "''"), ("sealed_by", "0"), ("secret", "x''")] {
        assert_eq!(attacker.execute(&format!("UPDATE credentials SET {column} = {value}"), &[]).unwrap(), 1);
        let found = token(&store).await;
        assert!(matches!(found, Err(StoreError::Integrity { table: "credentials", .. })), "{column}: {found:?}");
        assert_eq!(attacker.execute(&format!("UPDATE credentials SET {column} = NULL"), &[]).unwrap(), 1);
        assert!(token(&store).await.is_ok(), "{column}");
    }
    attacker.execute("UPDATE principals SET deleted_at = 0", &[]).unwrap();
    let found = store.principal(PrincipalId::from_bytes(PRINCIPAL)).await;
    assert!(matches!(found, Err(StoreError::Integrity { table: "principals", .. })), "{found:?}");
}

#[test]
fn the_index_of_named_keys_gets_the_regions_of_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    first(&path);
    second(&path);
    let mut sql = Sqlite::writer(&path).unwrap();
    sql.migrate().unwrap();
    let rows = sql.query("SELECT key_id, key_region FROM bound_keys ORDER BY key_id", &[]).unwrap();
    let mut expected = KEYS.map(|(id, region)| vec![Value::from(&id), Value::from(region)]).to_vec();
    expected.push(vec![Value::from(&[0x43; 16]), Value::Null]);
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_database_of_the_first_schema_gets_aliases() {
    let (dir, store) = first_opened();
    let folder_id = FolderId::from_bytes(FOLDER);
    let name = AliasName::new("alias/orders").unwrap();
    let place = AliasPlace { folder_id, region: "us-east-1".to_owned(), name };
    assert_eq!(store.alias(place.clone()).await.unwrap(), None);
    let at = Timestamp::from_micros(9);
    let alias = Alias { place: place.clone(), key_id: None, created_at: at, updated_at: at };
    store.commit(vec![Change::PutAlias(Box::new(Stored { value: alias.clone(), row_seq: 0 }))]).await.unwrap();
    assert_eq!(store.folder_by_account(AccountId::from_stored(9)).await.unwrap().unwrap().id, folder_id);
    drop(store);
    assert_eq!(open(&dir).alias(place).await.unwrap(), Some(Stored { value: alias, row_seq: 1 }));
}
