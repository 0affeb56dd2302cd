//! What names of folders and keys stand for, in memory, so that crypto by an alias needs no database.
//!
//! In: an account number, a folder, an alias's place. Out: what it stands for. Called by `locate`; changes of aliases are
//! committed through it, by `Kms::commit_key`.
//!
//! Only what is there is kept: names that stand for nothing are looked for in the database every time, and push nothing out
//! of memory. Account numbers never change.

use super::error::ServiceError;
use super::ports::{Change, Store, StoreError};
use crate::domain::alias::AliasPlace;
use crate::domain::id::{AccountId, FolderId, KeyId};
use moka::sync::Cache;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard, RwLock};

const CACHED_FOLDERS: u64 = 1_000;
const STRIPES: u64 = 1024;

/// Keeps other changes of an alias away until it is dropped.
pub struct AliasLock(#[expect(dead_code, reason = "held, never read")] OwnedMutexGuard<()>);

/// The names.
pub struct Names {
    store: Arc<dyn Store>,
    accounts: Cache<FolderId, AccountId>,
    folders: Cache<AccountId, FolderId>,
    aliases: Cache<AliasPlace, KeyId>,
    /// Loaders of aliases share it, a change has it alone: no loader can put back what a change made stale. Whoever has it
    /// waits for nothing but the store: see `turn.rs`.
    loading: RwLock<()>,
    /// Whoever changes an alias has the stripe of its place: see `turn.rs`.
    stripes: Vec<Arc<Mutex<()>>>,
    /// Nobody can choose names that keep each other waiting.
    stripe_of: RandomState,
}

impl Names {
    /// Nothing in memory yet; `capacity` aliases at most later.
    pub fn new(store: Arc<dyn Store>, capacity: u64) -> Self {
        Self {
            store,
            accounts: Cache::new(CACHED_FOLDERS),
            folders: Cache::new(CACHED_FOLDERS),
            aliases: Cache::new(capacity),
            loading: RwLock::new(()),
            stripes: (0..STRIPES).map(|_| Arc::default()).collect(),
            stripe_of: RandomState::new(),
        }
    }

    /// The account number of a folder.
    pub async fn account(&self, folder_id: FolderId) -> Result<Option<AccountId>, ServiceError> {
        if let Some(account) = self.accounts.get(&folder_id) {
            return Ok(Some(account));
        }
        let Some(folder) = self.store.folder(folder_id).await? else { return Ok(None) };
        self.accounts.insert(folder.id, folder.account_id);
        Ok(Some(folder.account_id))
    }

    /// The folder with this account number if it is in memory.
    pub fn remembered_folder(&self, account: AccountId) -> Option<FolderId> {
        self.folders.get(&account)
    }

    /// The folder with this account number, from the database.
    pub async fn look_up_folder(&self, account: AccountId) -> Result<Option<FolderId>, ServiceError> {
        let found = self.store.folder_by_account(account).await?.map(|folder| folder.id);
        if let Some(folder_id) = found
            && self.folders.get(&account).is_none()
        {
            self.folders.insert(account, folder_id);
        }
        Ok(found)
    }

    /// The key that an alias stands for if it is in memory.
    pub fn remembered_alias(&self, place: &AliasPlace) -> Option<KeyId> {
        self.aliases.get(place)
    }

    /// The key that an alias stands for, from the database.
    pub async fn look_up_alias(&self, place: AliasPlace) -> Result<Option<KeyId>, ServiceError> {
        let _loading = self.loading.read().await;
        let found = self.store.alias(place.clone()).await?.and_then(|stored| stored.value.key_id);
        // What is there already is not put there again for every caller who may not know of it: that takes time.
        if let Some(key_id) = found
            && self.aliases.get(&place) != Some(key_id)
        {
            self.aliases.insert(place, key_id);
        }
        Ok(found)
    }

    /// Keeps other changes of this alias away until the guard is dropped. Nobody who has a key's stripe waits for it.
    pub async fn lock(&self, place: &AliasPlace) -> AliasLock {
        let stripe = usize::try_from(self.stripe_of.hash_one(place) % STRIPES).unwrap_or_default();
        AliasLock(Arc::clone(&self.stripes[stripe]).lock_owned().await)
    }

    /// Commits changes and forgets the aliases among them.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let stale: Vec<AliasPlace> = changes.iter().filter_map(renamed).collect();
        if stale.is_empty() {
            return self.store.commit(changes).await;
        }
        let _loading = self.loading.write().await;
        let result = self.store.commit(changes).await;
        // After a failure too: an error may hide a commit that was made.
        for place in &stale {
            self.aliases.invalidate(place);
        }
        result
    }
}

fn renamed(change: &Change) -> Option<AliasPlace> {
    match change {
        Change::PutAlias(stored) => Some(stored.value.place.clone()),
        _ => None,
    }
}
