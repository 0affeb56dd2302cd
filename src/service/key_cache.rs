//! Keys and versions in memory, so that crypto needs no database.
//!
//! Entries are immutable snapshots. Whoever loads an entry or changes a key holds the key's stripe: a loader
//! cannot put back what a change has just made stale. Hits take no lock. Rows are checked against their MACs
//! by the store when they are loaded.

use super::directory::Turn;
use super::error::ServiceError;
use super::invocations::{Counter, Invocations};
use super::names::AliasLock;
use super::ports::{KeyRecord, Material, Store, StoredMaterial};
use crate::domain::access::{Grants, KeyAttached};
use crate::domain::id::{KeyId, MaterialId};
use crate::domain::key::Key;
use crate::domain::version::KeyVersion;
use moka::sync::Cache;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

const STRIPES: usize = 1024;

/// A key and its primary version.
pub struct KeyEntry {
    /// The key.
    pub key: Key,
    /// Its primary version.
    pub primary: Arc<VersionEntry>,
    /// Roles that are bound on this key.
    pub grants: Grants,
}

impl KeyEntry {
    /// What decisions need of the key.
    pub fn attached(&self) -> KeyAttached<'_> {
        KeyAttached::of(&self.key, &self.grants)
    }
}

/// A version, ready for use.
pub struct VersionEntry {
    /// The version.
    pub version: KeyVersion,
    /// Its material; `None` once it is being destroyed.
    pub material: Option<Arc<Material>>,
    /// Its GCM invocations.
    pub counter: Arc<Counter>,
}

/// Keeps loaders and other changes of a key away until it is dropped.
pub struct KeyLock {
    _stripe: OwnedMutexGuard<()>,
    /// For a change of the key's bindings: it was waited for before the stripe, and goes with it into the commit.
    _turn: Option<Turn>,
    /// The same for a change of an alias.
    _alias: Option<AliasLock>,
}

impl KeyLock {
    /// Keeps the turn for as long as the lock.
    pub(super) fn with(self, turn: Turn) -> Self {
        Self { _turn: Some(turn), ..self }
    }

    /// Keeps the alias for as long as the lock.
    pub(super) fn with_alias(self, alias: AliasLock) -> Self {
        Self { _alias: Some(alias), ..self }
    }
}

/// The cache.
pub struct KeyCache {
    store: Arc<dyn Store>,
    invocations: Arc<Invocations>,
    keys: Cache<KeyId, Arc<KeyEntry>>,
    versions: Cache<MaterialId, Arc<VersionEntry>>,
    numbers: Cache<(KeyId, u32), MaterialId>,
    stripes: Vec<Arc<Mutex<()>>>,
}

impl KeyCache {
    /// An empty cache for `capacity` keys and as many other versions.
    pub fn new(store: Arc<dyn Store>, invocations: Arc<Invocations>, capacity: u64) -> Self {
        Self {
            store,
            invocations,
            keys: Cache::new(capacity),
            versions: Cache::new(capacity),
            numbers: Cache::new(capacity),
            stripes: (0..STRIPES).map(|_| Arc::default()).collect(),
        }
    }

    /// The key if it is in memory.
    pub fn remembered(&self, id: KeyId) -> Option<Arc<KeyEntry>> {
        self.keys.get(&id)
    }

    /// The key with its primary version, in any state.
    pub async fn key(&self, id: KeyId) -> Result<Option<Arc<KeyEntry>>, ServiceError> {
        if let Some(entry) = self.keys.get(&id) {
            return Ok(Some(entry));
        }
        let _stripe = self.lock(id).await;
        if let Some(entry) = self.keys.get(&id) {
            return Ok(Some(entry));
        }
        let Some(KeyRecord { key, primary, bindings }) = self.store.key_record(id).await? else { return Ok(None) };
        let grants = Grants::of(&bindings);
        let primary = self.entry(&key.value, primary);
        let entry = Arc::new(KeyEntry { key: key.value, primary, grants });
        self.keys.insert(id, Arc::clone(&entry));
        Ok(Some(entry))
    }

    /// Any version of a key.
    pub async fn version(&self, key: &KeyEntry, id: MaterialId) -> Result<Option<Arc<VersionEntry>>, ServiceError> {
        if key.primary.version.id == id {
            return Ok(Some(Arc::clone(&key.primary)));
        }
        if let Some(entry) = self.of_key(&key.key, id) {
            return Ok(Some(entry));
        }
        let _stripe = self.lock(key.key.id).await;
        if let Some(entry) = self.of_key(&key.key, id) {
            return Ok(Some(entry));
        }
        let loaded = self.store.material(key.key.id, id).await?.map(|stored| self.entry(&key.key, stored));
        if let Some(entry) = &loaded {
            self.versions.insert(id, Arc::clone(entry));
        }
        Ok(loaded)
    }

    /// The version of a key with this number. Which version has which number never changes.
    pub async fn version_numbered(
        &self,
        key: &KeyEntry,
        number: u32,
    ) -> Result<Option<Arc<VersionEntry>>, ServiceError> {
        let primary = &key.primary;
        if primary.version.number == number {
            return Ok(Some(Arc::clone(primary)));
        }
        let key_id = key.key.id;
        if let Some(id) = self.numbers.get(&(key_id, number)) {
            return self.version(key, id).await;
        }
        if number > key.key.latest_version_number {
            // The key may have been rotated since it was read, but then its caller has read it before that.
            return Ok(None);
        }
        let _stripe = self.lock(key_id).await;
        if let Some(entry) = self.numbers.get(&(key_id, number)).and_then(|id| self.of_key(&key.key, id)) {
            return Ok(Some(entry));
        }
        let loaded = self.store.material_numbered(key_id, number).await?.map(|stored| self.entry(&key.key, stored));
        if let Some(entry) = &loaded {
            self.numbers.insert((key_id, number), entry.version.id);
            self.versions.insert(entry.version.id, Arc::clone(entry));
        }
        Ok(loaded)
    }

    fn of_key(&self, key: &Key, id: MaterialId) -> Option<Arc<VersionEntry>> {
        self.versions.get(&id).filter(|entry| entry.version.key_id == key.id)
    }

    fn entry(&self, key: &Key, StoredMaterial { version, sealed }: StoredMaterial) -> Arc<VersionEntry> {
        let version = version.value;
        let KeyVersion { id, key_id, algorithm, .. } = version;
        let convergent = key.convergent;
        let material = sealed.map(|sealed| Arc::new(Material { id, key_id, algorithm, sealed, convergent }));
        Arc::new(VersionEntry { version, material, counter: self.invocations.counter(id) })
    }

    /// Keeps loaders and other changes of this key away until the guard is dropped. Nobody who has it waits for the
    /// directory's turn or for an alias: see `turn.rs`.
    pub async fn lock(&self, id: KeyId) -> KeyLock {
        let bytes = id.as_bytes();
        let stripe = usize::from(u16::from_le_bytes([bytes[0], bytes[15]])) % STRIPES;
        KeyLock { _stripe: Arc::clone(&self.stripes[stripe]).lock_owned().await, _turn: None, _alias: None }
    }

    /// Drops what a change made stale. Call it under [`lock`](Self::lock), after the commit.
    pub fn forget(&self, key_id: KeyId, version_id: Option<MaterialId>) {
        self.keys.invalidate(&key_id);
        if let Some(version_id) = version_id {
            self.versions.invalidate(&version_id);
        }
    }
}
