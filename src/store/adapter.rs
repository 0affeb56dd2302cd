//! The store itself: reads on a small pool of connections, writes through the writer's queue.

use super::aliases::Within;
use super::locked::LockedStore;
use super::paging::Part;
use super::sql::Sql;
use super::sqlite::Sqlite;
use super::view::{Shared, View};
use super::writer::{Done, Job, Request, Writer};
use super::{aliases, directory, due, reads};
use crate::domain::access::{BindingSet, PrincipalKind};
use crate::domain::alias::{Alias, AliasPlace};
use crate::domain::id::{AccountId, CredentialId, FolderId, GeneratorId, KeyId, MaterialId, OperationId, PrincipalId};
use crate::domain::key::Key;
use crate::domain::operation::{KeyView, Operation};
use crate::domain::text::ShortName;
use crate::domain::time::Timestamp;
use crate::domain::version::KeyVersion;
use crate::service::ports::KeyFilter;
use crate::service::ports::{
    BindingScope, Change, CredentialLookup, CredentialRecord, CredentialView, Cursor, Due, Folder, Heartbeat,
    InvocationLease, KeyRecord, NumberedPage, Page, Principal, RememberedRequest, Store, StoreError, Stored,
    StoredMaterial,
};
use async_trait::async_trait;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Connections that read. Reads are short and rare: keys and material are cached above.
const READERS: usize = 4;
/// Writes that may wait before callers do.
const QUEUE: usize = 1024;
/// Uses of credentials that are written at once: other writes do not wait long behind them.
const USES: usize = 100;

/// Counters for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Rows whose MAC, head and leaf were found good.
    pub rows_checked: u64,
    /// Reads and writes that ended with [`StoreError::Integrity`].
    pub integrity_alarms: u64,
}

struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Sqlite>>,
    shared: Arc<Shared>,
    /// Keeps other processes out for as long as anything of the store is in use.
    _lock: Arc<File>,
}

/// The metadata store on SQLite.
pub struct SqliteStore {
    readers: Arc<Readers>,
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens a database file, creating it (mode 0600) if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be used or another process uses it.
    pub fn open(path: impl AsRef<Path>) -> Result<LockedStore, StoreError> {
        LockedStore::open(path.as_ref())
    }

    pub(super) fn start(path: &Path, lock: File, shared: Arc<Shared>, writer: Writer) -> Result<Self, StoreError> {
        let idle = (0..READERS).map(|_| Sqlite::reader(path)).collect::<Result<Vec<_>, _>>()?;
        let (queue, requests) = mpsc::channel(QUEUE);
        let lock = Arc::new(lock);
        let thread_lock = Arc::clone(&lock);
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            writer.run(requests);
            drop(thread_lock);
        });
        let thread = thread.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let permits = Arc::new(Semaphore::new(READERS));
        let readers = Readers { path: path.to_owned(), permits, idle: Mutex::new(idle), shared, _lock: lock };
        let readers = Arc::new(readers);
        Ok(Self { readers, queue: Some(queue), writer: Some(thread) })
    }

    /// How many rows were checked so far, and how many checks failed.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let shared = &self.readers.shared;
        StoreStats {
            rows_checked: shared.rows_checked.load(Ordering::Relaxed),
            integrity_alarms: shared.alarms.load(Ordering::Relaxed),
        }
    }

    async fn write(&self, job: Job) -> Result<Done, StoreError> {
        let stopped = || StoreError::Unavailable("the store is stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Request { job, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&View<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let permit = Arc::clone(&self.readers.permits).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Unavailable("the store is stopped".to_owned()))?;
        // The permit goes along: a caller that stops waiting does not stop the read.
        let result = tokio::task::spawn_blocking(move || {
            let result = readers.read(&read);
            drop(permit);
            result
        })
        .await;
        result.map_err(|error| StoreError::Bug(error.to_string()))?
    }
}

impl Drop for SqliteStore {
    /// Finishes what is queued.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to finish.
            let _ = writer.join();
        }
    }
}

impl Readers {
    /// Reads without waiting for writers. If what was read does not fit the leaf hashes in memory, a commit may have
    /// come between the two: it is read once more while no commit can.
    fn read<T>(&self, read: &impl Fn(&View<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let sql = idle.map_or_else(|| Sqlite::reader(&self.path), Ok)?;
        let mut result = attempt(&sql, &self.shared, read);
        if matches!(result, Err(StoreError::Integrity { .. })) {
            let _gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
            result = attempt(&sql, &self.shared, read);
        }
        if !sql.in_transaction() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sql);
        }
        self.shared.count(&result);
        result
    }
}

fn attempt<T>(
    sql: &Sqlite,
    shared: &Shared,
    read: &impl Fn(&View<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    sql.execute("BEGIN", &[])?;
    let result = read(&View::new(sql, shared));
    let ended = if sql.in_transaction() { sql.execute("ROLLBACK", &[]).map(|_| ()) } else { Ok(()) };
    result.and_then(|value| ended.map(|()| value))
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.write(Job::Commit(changes)).await.map(drop)
    }

    async fn folder(&self, id: FolderId) -> Result<Option<Folder>, StoreError> {
        self.read(move |view| directory::folder(view, id)).await
    }

    async fn first_folder(&self) -> Result<Option<Folder>, StoreError> {
        self.read(directory::first_folder).await
    }

    async fn folders(&self, after: Option<Cursor>, limit: u32) -> Result<Page<Folder>, StoreError> {
        self.read(move |view| directory::folders(view, Part { after, limit })).await
    }

    async fn folders_naming(
        &self,
        (kind, id): (PrincipalKind, PrincipalId),
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Folder>, StoreError> {
        self.read(move |view| directory::folders_naming(view, kind, id, Part { after, limit })).await
    }

    async fn bindings(&self, scope: BindingScope) -> Result<Stored<BindingSet>, StoreError> {
        self.read(move |view| directory::bindings(view, scope)).await
    }

    async fn principal(&self, id: PrincipalId) -> Result<Option<Stored<Principal>>, StoreError> {
        self.read(move |view| directory::principal(view, id)).await
    }

    async fn first_principal(&self, folder: FolderId) -> Result<Option<Principal>, StoreError> {
        self.read(move |view| directory::first_principal(view, folder)).await
    }

    async fn principals(
        &self,
        folder: FolderId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Principal>, StoreError> {
        self.read(move |view| directory::principals(view, folder, Part { after, limit })).await
    }

    async fn credential(&self, lookup: CredentialLookup) -> Result<Option<Stored<CredentialRecord>>, StoreError> {
        self.read(move |view| directory::credential(view, &lookup)).await
    }

    async fn credentials_of(&self, principal: PrincipalId) -> Result<Vec<Stored<CredentialRecord>>, StoreError> {
        self.read(move |view| directory::credentials_of(view, principal)).await
    }

    async fn credentials(
        &self,
        principal: PrincipalId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CredentialView>, StoreError> {
        self.read(move |view| directory::credentials(view, principal, Part { after, limit })).await
    }

    async fn record_uses(&self, uses: Vec<(CredentialId, Timestamp)>) -> Result<(), StoreError> {
        for batch in uses.chunks(USES) {
            self.write(Job::Uses(batch.to_vec())).await?;
        }
        Ok(())
    }

    async fn last_used_at(&self, credential: CredentialId) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |view| directory::last_used_at(view, credential)).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<Stored<Key>>, StoreError> {
        self.read(move |view| reads::key(view, id)).await
    }

    async fn key_record(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.read(move |view| reads::key_record(view, id)).await
    }

    async fn folder_by_account(&self, account: AccountId) -> Result<Option<Folder>, StoreError> {
        self.read(move |view| directory::folder_by_account(view, account)).await
    }

    async fn keys_at(
        &self,
        folder: FolderId,
        filter: KeyFilter,
        skip: u64,
        limit: u32,
    ) -> Result<NumberedPage<KeyView>, StoreError> {
        self.read(move |view| reads::keys_at(view, folder, &filter, skip, limit)).await
    }

    async fn key_named(&self, folder: FolderId, name: ShortName) -> Result<Option<KeyId>, StoreError> {
        self.read(move |view| reads::key_named(view, folder, &name)).await
    }

    async fn alias(&self, place: AliasPlace) -> Result<Option<Stored<Alias>>, StoreError> {
        self.read(move |view| aliases::alias(view, &place)).await
    }

    async fn aliases(
        &self,
        folder: FolderId,
        region: String,
        key: Option<KeyId>,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Alias>, StoreError> {
        let within = Within { folder, region };
        self.read(move |view| aliases::aliases(view, &within, key, Part { after, limit })).await
    }

    async fn count_aliases(&self, folder: FolderId, region: String, key: KeyId) -> Result<usize, StoreError> {
        let within = Within { folder, region };
        self.read(move |view| aliases::count(view, &within, key)).await
    }

    async fn aliases_naming(
        &self,
        principal: (PrincipalKind, PrincipalId),
        folder: FolderId,
        region: String,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Alias>, StoreError> {
        let within = Within { folder, region };
        self.read(move |view| aliases::aliases_naming(view, principal, &within, Part { after, limit })).await
    }

    async fn keys(
        &self,
        folder: FolderId,
        filter: KeyFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<KeyView>, StoreError> {
        self.read(move |view| reads::keys(view, folder, &filter, Part { after, limit })).await
    }

    async fn keys_naming(
        &self,
        principal: (PrincipalKind, PrincipalId),
        folder: FolderId,
        filter: KeyFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<KeyView>, StoreError> {
        self.read(move |view| reads::keys_naming(view, principal, folder, &filter, Part { after, limit })).await
    }

    async fn material(&self, key: KeyId, version: MaterialId) -> Result<Option<StoredMaterial>, StoreError> {
        self.read(move |view| reads::material(view, key, version)).await
    }

    async fn tokens_issued(&self, generator: GeneratorId) -> Result<u64, StoreError> {
        self.read(move |view| reads::tokens_issued(view, generator)).await
    }

    async fn material_numbered(&self, key: KeyId, number: u32) -> Result<Option<StoredMaterial>, StoreError> {
        self.read(move |view| reads::material_numbered(view, key, number)).await
    }

    async fn versions(
        &self,
        key: KeyId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Stored<KeyVersion>>, StoreError> {
        self.read(move |view| reads::versions(view, key, after, limit)).await
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        self.read(move |view| reads::operation(view, id)).await
    }

    async fn operations(&self, key: KeyId, after: Option<Cursor>, limit: u32) -> Result<Page<Operation>, StoreError> {
        self.read(move |view| reads::operations(view, key, after, limit)).await
    }

    async fn remembered(&self, principal: PrincipalId, key: &str) -> Result<Option<RememberedRequest>, StoreError> {
        let key = key.to_owned();
        self.read(move |view| reads::remembered(view, principal, &key)).await
    }

    async fn lease_invocations(&self, material: MaterialId, count: u64) -> Result<InvocationLease, StoreError> {
        match self.write(Job::Lease(material, count)).await? {
            Done::Lease(lease) => Ok(lease),
            Done::Plain => Err(StoreError::Bug("a lease was answered without one".to_owned())),
        }
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Due, StoreError> {
        self.read(move |view| due::due(view.sql, now, limit)).await
    }

    async fn next_due_after(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |view| due::next_due_after(view.sql, now)).await
    }

    async fn forget_requests(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(Job::Forget(now)).await.map(drop)
    }

    async fn erase_copies(&self) -> Result<(), StoreError> {
        self.write(Job::Erase).await.map(drop)
    }

    async fn heartbeat(&self) -> Result<Option<Heartbeat>, StoreError> {
        self.read(reads::heartbeat).await
    }

    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        self.write(Job::Beat(heartbeat)).await.map(drop)
    }
}
