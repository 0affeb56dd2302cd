//! The real store, with a power switch: after a given number of writes every call fails, as if the process
//! had been killed between two steps. It also counts reads, can say that somebody else was faster, and can hold commits
//! back.

use async_trait::async_trait;
use claviger::domain::access::{BindingSet, PrincipalKind};
use claviger::domain::alias::{Alias, AliasPlace};
use claviger::domain::id::{
    AccountId, CredentialId, FolderId, GeneratorId, KeyId, MaterialId, OperationId, PrincipalId,
};
use claviger::domain::key::Key;
use claviger::domain::operation::{KeyView, Operation};
use claviger::domain::text::ShortName;
use claviger::domain::time::Timestamp;
use claviger::domain::version::KeyVersion;
use claviger::service::ports::{
    BindingScope, Change, CredentialLookup, CredentialRecord, CredentialView, Cursor, Due, Folder, Heartbeat,
    InvocationLease, KeyRecord, Page, Principal, RememberedRequest, Store, StoreError, Stored, StoredMaterial,
};
use claviger::service::ports::{KeyFilter, NumberedPage};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, oneshot};

pub struct FaultyStore {
    inner: Arc<dyn Store>,
    writes_left: AtomicI64,
    planted: Mutex<Option<Due>>,
    planted_credential: Mutex<Option<Stored<CredentialRecord>>>,
    reads: Mutex<Vec<&'static str>>,
    conflicts: AtomicI64,
    /// Whoever has it alone holds commits back.
    gate: Arc<RwLock<()>>,
    under_way: AtomicUsize,
    planted_folders: Mutex<Option<Page<Folder>>>,
    held: tokio::sync::RwLock<()>,
    /// How the next reader of an alias learns that it may go on.
    held_alias: Mutex<Option<oneshot::Receiver<()>>>,
}

/// A call that the store has not answered.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            writes_left: AtomicI64::new(i64::MAX),
            planted: Mutex::default(),
            planted_credential: Mutex::default(),
            reads: Mutex::default(),
            conflicts: AtomicI64::new(0),
            gate: Arc::default(),
            under_way: AtomicUsize::new(0),
            planted_folders: Mutex::default(),
            held: tokio::sync::RwLock::default(),
            held_alias: Mutex::default(),
        }
    }

    /// Lets `writes` more writes through.
    pub fn cut_after(&self, writes: i64) {
        self.writes_left.store(writes, Ordering::SeqCst);
    }

    /// What the store says is due the next time it is asked: the answer of a moment ago, or of a changed index.
    pub fn plant_due(&self, due: Due) {
        *self.planted.lock().unwrap() = Some(due);
    }

    /// The credential that the store finds the next time, whatever it is asked for: an index was changed.
    pub fn plant_credential(&self, found: Stored<CredentialRecord>) {
        *self.planted_credential.lock().unwrap() = Some(found);
    }

    /// The folders that the index leads to the next time, whoever asks.
    pub fn plant_folders(&self, page: Page<Folder>) {
        *self.planted_folders.lock().unwrap() = Some(page);
    }

    /// Answers no look-up of a credential as long as the guard is there.
    pub async fn hold_credentials(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.held.write().await
    }

    /// Holds the next alias that is read back, after it was read, until what this gives is dropped.
    pub fn hold_next_alias(&self) -> oneshot::Sender<()> {
        let (open, closed) = oneshot::channel();
        *self.held_alias.lock().unwrap() = Some(closed);
        open
    }

    /// Whether an alias that was to be held back has been read.
    pub fn holds_alias(&self) -> bool {
        self.held_alias.lock().unwrap().is_none()
    }

    /// The reads since the last call, in their order.
    pub fn take_reads(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.reads.lock().unwrap())
    }

    /// The next `count` commits find that the row was changed meanwhile.
    pub fn plant_conflicts(&self, count: i64) {
        self.conflicts.store(count, Ordering::SeqCst);
    }

    /// Lets no commit begin until what it gives is dropped.
    pub fn hold_commits(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).try_write_owned().unwrap()
    }

    /// Whether a call waits for the store; a commit that is held back does not count.
    pub fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 0
    }

    fn under_way(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(&self.under_way)
    }

    fn write_unless_conflicting(&self, name: &'static str) -> Result<(), StoreError> {
        let planted =
            self.conflicts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then(|| left - 1));
        if planted.is_ok() { Err(StoreError::Conflict) } else { self.write(name) }
    }

    fn write(&self, _name: &'static str) -> Result<(), StoreError> {
        if self.writes_left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.writes_left.store(0, Ordering::SeqCst);
        }
        self.power()
    }

    fn read(&self, name: &'static str) -> Result<(), StoreError> {
        self.reads.lock().unwrap().push(name);
        self.power()
    }

    fn power(&self) -> Result<(), StoreError> {
        if self.writes_left.load(Ordering::SeqCst) <= 0 {
            return Err(StoreError::Unavailable("switched off by the test".into()));
        }
        Ok(())
    }
}

macro_rules! pass {
    ($($kind:ident $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for FaultyStore {
            $(async fn $name(&self, $($arg: $ty),*) -> Result<$out, StoreError> {
                self.$kind(stringify!($name))?;
                let _under_way = self.under_way();
                self.inner.$name($($arg),*).await
            })*

            async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
                let _open = self.gate.read().await;
                let _under_way = self.under_way();
                self.write_unless_conflicting("commit")?;
                self.inner.commit(changes).await
            }

            async fn credential(&self, lookup: CredentialLookup) -> Result<Option<Stored<CredentialRecord>>, StoreError> {
                self.read("credential")?;
                let _under_way = self.under_way();
                drop(self.held.read().await);
                let planted = self.planted_credential.lock().unwrap().take();
                match planted {
                    Some(credential) => Ok(Some(credential)),
                    None => self.inner.credential(lookup).await,
                }
            }

            async fn alias(&self, place: AliasPlace) -> Result<Option<Stored<Alias>>, StoreError> {
                self.read("alias")?;
                let found = self.inner.alias(place).await;
                let held = self.held_alias.lock().unwrap().take();
                if let Some(held) = held {
                    // Its other end is dropped, not used.
                    let _ = held.await;
                }
                found
            }

            async fn folders_naming(
                &self,
                principal: (PrincipalKind, PrincipalId),
                after: Option<Cursor>,
                limit: u32,
            ) -> Result<Page<Folder>, StoreError> {
                self.read("folders_naming")?;
                let planted = self.planted_folders.lock().unwrap().take();
                match planted {
                    Some(page) => Ok(page),
                    None => self.inner.folders_naming(principal, after, limit).await,
                }
            }

            async fn due(&self, now: Timestamp, limit: u32) -> Result<Due, StoreError> {
                self.read("due")?;
                let _under_way = self.under_way();
                let planted = self.planted.lock().unwrap().take();
                match planted {
                    Some(due) => Ok(due),
                    None => self.inner.due(now, limit).await,
                }
            }
        }
    };
}

pass! {
    read folder(id: FolderId) -> Option<Folder>;
    read first_folder() -> Option<Folder>;
    read folders(after: Option<Cursor>, limit: u32) -> Page<Folder>;
    read bindings(scope: BindingScope) -> Stored<BindingSet>;
    read principal(id: PrincipalId) -> Option<Stored<Principal>>;
    read first_principal(folder: FolderId) -> Option<Principal>;
    read principals(folder: FolderId, after: Option<Cursor>, limit: u32) -> Page<Principal>;
    read credentials_of(principal: PrincipalId) -> Vec<Stored<CredentialRecord>>;
    read credentials(principal: PrincipalId, after: Option<Cursor>, limit: u32) -> Page<CredentialView>;
    write record_uses(uses: Vec<(CredentialId, Timestamp)>) -> ();
    read last_used_at(credential: CredentialId) -> Option<Timestamp>;
    read keys_naming(principal: (PrincipalKind, PrincipalId), folder: FolderId, filter: KeyFilter, after: Option<Cursor>, limit: u32) -> Page<KeyView>;
    read key(id: KeyId) -> Option<Stored<Key>>;
    read key_record(id: KeyId) -> Option<KeyRecord>;
    read folder_by_account(account: AccountId) -> Option<Folder>;
    read aliases(folder: FolderId, region: String, key: Option<KeyId>, after: Option<Cursor>, limit: u32) -> Page<Alias>;
    read count_aliases(folder: FolderId, region: String, key: KeyId) -> usize;
    read aliases_naming(principal: (PrincipalKind, PrincipalId), folder: FolderId, region: String, after: Option<Cursor>, limit: u32) -> Page<Alias>;
    read keys(folder: FolderId, filter: KeyFilter, after: Option<Cursor>, limit: u32) -> Page<KeyView>;
    read keys_at(folder: FolderId, filter: KeyFilter, skip: u64, limit: u32) -> NumberedPage<KeyView>;
    read key_named(folder: FolderId, name: ShortName) -> Option<KeyId>;
    read material(key: KeyId, version: MaterialId) -> Option<StoredMaterial>;
    read tokens_issued(generator: GeneratorId) -> u64;
    read material_numbered(key: KeyId, number: u32) -> Option<StoredMaterial>;
    read versions(key: KeyId, after: Option<Cursor>, limit: u32) -> Page<Stored<KeyVersion>>;
    read operation(id: OperationId) -> Option<Operation>;
    read operations(key: KeyId, after: Option<Cursor>, limit: u32) -> Page<Operation>;
    read remembered(principal: PrincipalId, key: &str) -> Option<RememberedRequest>;
    write lease_invocations(material: MaterialId, count: u64) -> InvocationLease;
    read next_due_after(now: Timestamp) -> Option<Timestamp>;
    write forget_requests(now: Timestamp) -> ();
    write erase_copies() -> ();
    read heartbeat() -> Option<Heartbeat>;
    write beat(heartbeat: Heartbeat) -> ();
}
