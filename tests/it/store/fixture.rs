//! A database in a temporary directory, with a folder, a principal, a credential, bindings and keys.

use claviger::domain::Dialect;
use claviger::domain::access::{Binding, BindingSet, PrincipalKind, Role, Subject};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::alias::{Alias, AliasName, AliasPlace};
use claviger::domain::id::{AccountId, CredentialId, FolderId, KeyId, MaterialId, OperationId, PrincipalId};
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::domain::operation::{KeyView, Operation, OperationKind, Snapshot};
use claviger::domain::text::{Description, Labels, Name, ShortName};
use claviger::domain::time::Timestamp;
use claviger::domain::version::{KeyVersion, Residency, VersionOrigin, VersionState};
use claviger::service::ports::{
    BindingScope, BootInstant, Change, CredentialRecord, CredentialSecret, Folder, Heartbeat, Principal,
    SealedMaterial, Store, StoreError, Stored,
};
use claviger::store::SqliteStore;
use rusqlite::{Connection, Params};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// The region of every key here.
pub const REGION: &str = "eu-central-1";
pub const ROW_KEY: [u8; 32] = [7; 32];

/// 16 bytes that differ for each pair of arguments and spread like a UUID's.
pub fn bytes(kind: u8, number: u32) -> [u8; 16] {
    let spread = number.wrapping_mul(2_654_435_761).to_be_bytes();
    let mut id = [kind; 16];
    id[..4].copy_from_slice(&spread);
    id[12..].copy_from_slice(&number.to_be_bytes());
    id
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub fn folder_id() -> FolderId {
    FolderId::from_bytes(bytes(1, 1))
}

pub fn principal_id() -> PrincipalId {
    PrincipalId::from_bytes(bytes(2, 1))
}

pub fn other_principal_id() -> PrincipalId {
    PrincipalId::from_bytes(bytes(2, 2))
}

pub fn key_id(number: u32) -> KeyId {
    KeyId::from_bytes(bytes(3, number))
}

/// The id of version `version` of key `key`.
pub fn version_id(key: u32, version: u32) -> MaterialId {
    MaterialId::from_bytes(bytes(4, key * 1000 + version))
}

pub fn folder() -> Folder {
    let account_id = AccountId::from_random([9; 8]);
    Folder { id: folder_id(), account_id, name: "default".to_owned(), created_at: at(1) }
}

pub fn principal() -> Principal {
    let kind = PrincipalKind::User;
    Principal {
        id: principal_id(),
        folder_id: folder_id(),
        kind,
        name: "administrator".to_owned(),
        created_at: at(1),
        deleted_at: None,
    }
}

pub fn credential(number: u32) -> CredentialRecord {
    CredentialRecord {
        id: CredentialId::from_bytes(bytes(5, number)),
        principal_id: principal_id(),
        folder_id: folder_id(),
        name: "tests".into(),
        secret: CredentialSecret::TokenSha256(token_hash(number)),
        created_at: at(i64::from(number)),
        expires_at: None,
        revoked_at: None,
    }
}

fn credential_with(number: u32, secret: CredentialSecret) -> CredentialRecord {
    CredentialRecord { secret, ..credential(number) }
}

pub fn access_key(number: u32) -> CredentialRecord {
    let secret = CredentialSecret::AccessKey { access_key_id: access_key_id(number), sealed: sealed(900, number) };
    credential_with(number, secret)
}

pub fn access_key_id(number: u32) -> String {
    format!("AKIA{number:016}")
}

pub fn certificate(number: u32, spki_sha256: [u8; 32]) -> CredentialRecord {
    credential_with(number, CredentialSecret::CertificateSha256(spki_sha256))
}

pub fn public_key(number: u32) -> CredentialRecord {
    credential_with(number, CredentialSecret::PublicKey(vec![0x30, 0x82, 1, 2, 3]))
}

/// The set that gives a role to these service accounts.
pub fn viewers(principals: &[PrincipalId]) -> BindingSet {
    let subject = |id: &PrincipalId| Subject::of(PrincipalKind::ServiceAccount, *id);
    BindingSet::new(principals.iter().map(|id| Binding { role: Role::Viewer, subject: subject(id) })).unwrap()
}

pub fn put(scope: BindingScope, value: BindingSet, row_seq: u64) -> Change {
    Change::PutBindings(scope, Stored { value, row_seq })
}

pub fn token_hash(number: u32) -> [u8; 32] {
    let mut hash = [0xab; 32];
    hash[..16].copy_from_slice(&bytes(6, number));
    hash
}

pub fn administrators() -> BindingSet {
    let subject = Subject::of(PrincipalKind::User, principal_id());
    BindingSet::new([Binding { role: Role::Admin, subject }]).unwrap()
}

pub fn key(number: u32) -> Key {
    Key {
        id: key_id(number),
        folder_id: folder_id(),
        created_by_dialect: Dialect::Yandex,
        key_tag: key_id(number).simple(),
        key_name: None,
        region: REGION.to_owned(),
        name: Name::new(format!("key {number}")).unwrap(),
        description: Description::new("a description".to_owned(), 1024).unwrap(),
        labels: Labels::new(BTreeMap::from([("team".to_owned(), "payments".to_owned())])).unwrap(),
        tags: BTreeMap::from([("Cost Center".to_owned(), "42".to_owned())]),
        default_algorithm: Algorithm::Aes256Hsm,
        state: KeyState::Live { switch: Switch::Active },
        primary_version: version_id(number, 1),
        latest_version_number: 1,
        created_at: at(100 + i64::from(number)),
        rotated_at: at(100 + i64::from(number)),
        rotation: None,
        deletion_protection: false,
        min_destruction_wait: Duration::from_secs(86_400),
        convergent: false,
        addresses: claviger::domain::address::AddressList::default(),
        token_generator: None,
    }
}

pub fn version(key: u32, number: u32) -> KeyVersion {
    KeyVersion {
        id: version_id(key, number),
        key_id: key_id(key),
        number,
        algorithm: Algorithm::Aes256Hsm,
        residency: Residency::Database,
        origin: VersionOrigin::Creation,
        created_at: at(100),
        state: VersionState::Active,
        pin_holder_can_export: false,
        state_changed_at: None,
    }
}

/// Bytes that can be searched for in a file.
pub fn sealed(key: u32, number: u32) -> SealedMaterial {
    let mut blob = Vec::from(b"sealed-material-".as_slice());
    blob.extend_from_slice(&bytes(7, key * 1000 + number));
    blob.extend_from_slice(b"-end-eight");
    SealedMaterial { sealed_by: 1, bytes: blob }
}

pub fn place(number: u32) -> AliasPlace {
    let name = AliasName::new(&format!("alias/{number}")).unwrap();
    AliasPlace { folder_id: folder_id(), region: REGION.to_owned(), name }
}

/// An alias of a key. Some share their age, so that the id has to decide.
pub fn alias(number: u32, key: u32) -> Alias {
    let created_at = at(500 - i64::from(number / 3));
    Alias { place: place(number), key_id: Some(key_id(key)), created_at, updated_at: at(600) }
}

pub fn operation(number: u32, key: Key, version: KeyVersion) -> Operation {
    Operation {
        id: OperationId::from_bytes(bytes(8, number)),
        key_id: key.id,
        kind: OperationKind::CreateKey,
        created_at: at(i64::from(number)),
        created_by: Some(principal_id()),
        snapshot: Snapshot::Key(Box::new(KeyView { key, primary: version })),
    }
}

pub fn insert_key(number: u32) -> Vec<Change> {
    vec![
        Change::InsertKey(Box::new(key(number))),
        Change::InsertVersion(Box::new(version(number, 1)), sealed(number, 1)),
    ]
}

/// A new version of a key that has `before` of them.
pub fn rotation(stored: &Stored<Key>, number: u32) -> Vec<Change> {
    let newest = stored.value.latest_version_number + 1;
    let mut changed = stored.clone();
    changed.value.latest_version_number = newest;
    vec![
        Change::InsertVersion(Box::new(version(number, newest)), sealed(number, newest)),
        Change::UpdateKey(Box::new(changed)),
    ]
}

pub struct Db {
    pub dir: TempDir,
    pub store: SqliteStore,
}

impl Db {
    /// With folder, principal, credential 1, bindings and keys 1 and 2 of one version each.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("claviger.db")).unwrap();
        let store = store.unlock(Zeroizing::new(ROW_KEY)).unwrap();
        let mut changes = vec![
            Change::InsertFolder(folder()),
            Change::InsertPrincipal(principal()),
            Change::InsertCredential(credential(1)),
            Change::PutBindings(BindingScope::Folder(folder_id()), Stored { value: administrators(), row_seq: 0 }),
        ];
        changes.extend(insert_key(1));
        changes.extend(insert_key(2));
        store.commit(changes).await.unwrap();
        Self { dir, store }
    }

    /// With a credential of each kind (1 to 4), the last one revoked, bindings of service and key 1, a deleted principal
    /// an alias, a deleted one and a heartbeat as well.
    pub async fn full() -> Self {
        let db = Self::new().await;
        let retired = Principal { id: other_principal_id(), deleted_at: Some(at(5)), ..principal() };
        let changes = vec![
            Change::InsertPrincipal(retired),
            Change::InsertCredential(access_key(2)),
            Change::InsertCredential(certificate(3, token_hash(3))),
            Change::InsertCredential(CredentialRecord { revoked_at: Some(at(6)), ..public_key(4) }),
            put(BindingScope::Service, administrators(), 0),
            put(BindingScope::Key(key_id(1)), viewers(&[other_principal_id()]), 0),
            Change::PutAlias(Box::new(Stored { value: alias(1, 1), row_seq: 0 })),
            Change::PutAlias(Box::new(Stored { value: Alias { key_id: None, ..alias(2, 1) }, row_seq: 0 })),
        ];
        db.store.commit(changes).await.unwrap();
        let boot = BootInstant { boot_id: "b".into(), elapsed: Duration::ZERO };
        db.store.beat(Heartbeat { at: at(1), boot, held: Some("leap".to_owned()) }).await.unwrap();
        db
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("claviger.db")
    }

    /// Stops the store and starts it again, as a restart of the process does.
    pub fn restart(self) -> Result<Self, StoreError> {
        let Self { dir, store } = self;
        drop(store);
        let store = SqliteStore::open(dir.path().join("claviger.db"))?.unlock(Zeroizing::new(ROW_KEY))?;
        Ok(Self { dir, store })
    }

    /// The attacker's own connection to the file.
    pub fn raw(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
        connection
    }

    /// Runs an attacker's statement, which has to change something.
    pub fn tamper(&self, sql: &str, params: impl Params) {
        assert_ne!(self.raw().execute(sql, params).unwrap(), 0, "the attack changed nothing: {sql}");
    }

    pub async fn key(&self, number: u32) -> Stored<Key> {
        self.store.key(key_id(number)).await.unwrap().unwrap()
    }

    pub async fn version(&self, key: u32, number: u32) -> Stored<KeyVersion> {
        self.store.material(key_id(key), version_id(key, number)).await.unwrap().unwrap().version
    }
}

#[track_caller]
pub fn assert_alarm<T: Debug>(result: &Result<T, StoreError>, table: &str) {
    match result {
        Err(StoreError::Integrity { table: found, .. }) if *found == table => {}
        other => panic!("expected an integrity alarm for {table}, got {other:?}"),
    }
}

/// A name of a key.
pub fn short_name(text: &str) -> ShortName {
    ShortName::new(text.to_owned()).unwrap()
}
