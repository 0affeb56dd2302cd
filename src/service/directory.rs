//! Principals, credentials and bindings, as seen by every request.

use super::error::ServiceError;
use super::ports::{Change, Clock, CredentialRecord, Store};
use crate::domain::access::{BindingSet, Caller};
use crate::domain::id::FolderId;
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::RwLock;

const CACHED_CREDENTIALS: u64 = 10_000;
const CACHED_FOLDERS: u64 = 1_000;

/// Who may do what, from memory where possible.
pub struct Directory {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    tokens: Cache<[u8; 32], Arc<CredentialRecord>>,
    bindings: Cache<FolderId, Arc<BindingSet>>,
    /// Loaders share it, a change has it alone: no loader can put back what a change made stale.
    loading: RwLock<()>,
    refused: AtomicU64,
}

impl Directory {
    /// An empty directory over the store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            tokens: Cache::new(CACHED_CREDENTIALS),
            bindings: Cache::new(CACHED_FOLDERS),
            loading: RwLock::new(()),
            refused: AtomicU64::new(0),
        }
    }

    /// The caller who holds the API token with this SHA-256; `None` if it is unknown, expired or revoked.
    ///
    /// # Errors
    /// The store's.
    pub async fn caller_by_token(&self, sha256: [u8; 32]) -> Result<Option<Caller>, ServiceError> {
        let record = match self.tokens.get(&sha256) {
            Some(record) => Some(record),
            None => self.load_token(sha256).await?,
        };
        let now = self.clock.now();
        let valid = |record: &Arc<CredentialRecord>| {
            record.revoked_at.is_none() && record.expires_at.is_none_or(|expires_at| now < expires_at)
        };
        let Some(record) = record.filter(valid) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        Ok(Some(Caller { principal_id: record.principal_id, credential_id: record.id, folder_id: record.folder_id }))
    }

    /// How many unknown, expired or revoked credentials were presented.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    async fn load_token(&self, sha256: [u8; 32]) -> Result<Option<Arc<CredentialRecord>>, ServiceError> {
        let _turn = self.loading.read().await;
        let Some(stored) = self.store.credential_by_token(sha256).await? else { return Ok(None) };
        let record = Arc::new(stored.value);
        self.tokens.insert(sha256, Arc::clone(&record));
        Ok(Some(record))
    }

    /// The bindings of a folder.
    ///
    /// # Errors
    /// The store's.
    pub async fn bindings(&self, folder_id: FolderId) -> Result<Arc<BindingSet>, ServiceError> {
        if let Some(bindings) = self.bindings.get(&folder_id) {
            return Ok(bindings);
        }
        let _turn = self.loading.read().await;
        let bindings = Arc::new(self.store.bindings(folder_id).await?.value);
        self.bindings.insert(folder_id, Arc::clone(&bindings));
        Ok(bindings)
    }

    /// Commits changes of principals, credentials or bindings and drops what is remembered of them, also if the caller
    /// goes away meanwhile: a stored revocation must bind.
    pub(super) async fn commit(self: &Arc<Self>, changes: Vec<Change>) -> Result<(), ServiceError> {
        let directory = Arc::clone(self);
        let committed = tokio::spawn(async move {
            let _turn = directory.loading.write().await;
            let result = directory.store.commit(changes).await;
            // After a failure too: an error may hide a commit that was made.
            directory.tokens.invalidate_all();
            directory.bindings.invalidate_all();
            result
        });
        let result = committed.await.map_err(|error| ServiceError::Bug(error.to_string()))?;
        Ok(result?)
    }
}
