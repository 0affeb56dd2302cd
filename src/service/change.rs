//! What all changes of a key have in common: read the rows anew under the key's lock, decide, commit, and
//! drop what memory holds of them.

use super::error::{Missing, ServiceError};
use super::key_cache::KeyLock;
use super::kms::Kms;
use super::ports::{Change, Stored};
use super::request::RequestContext;
use crate::domain::id::{KeyId, MaterialId, OperationId, PrincipalId};
use crate::domain::key::Key;
use crate::domain::operation::{KeyView, Operation, OperationKind, Snapshot, VersionView};
use crate::domain::version::KeyVersion;
use std::sync::Arc;

impl Kms {
    /// The key as it is stored now.
    pub(super) async fn stored_key(&self, id: KeyId) -> Result<Stored<Key>, ServiceError> {
        let missing = || ServiceError::NotFound { what: Missing::Key, id: id.to_string() };
        self.store.key(id).await?.ok_or_else(missing)
    }

    /// The version as it is stored now.
    pub(super) async fn stored_version(
        &self,
        key_id: KeyId,
        id: MaterialId,
    ) -> Result<Stored<KeyVersion>, ServiceError> {
        let missing = || ServiceError::NotFound { what: Missing::Version, id: id.to_string() };
        Ok(self.store.material(key_id, id).await?.ok_or_else(missing)?.version)
    }

    /// Commits changes of one key and gives its lock back.
    ///
    /// A caller may go away at any moment: its connection breaks, or its time is up. What was sent to the store is
    /// committed all the same, so forgetting the cached rows must not depend on who waits for it.
    pub(super) async fn commit_key(
        &self,
        lock: KeyLock,
        key_id: KeyId,
        version_id: Option<MaterialId>,
        changes: Vec<Change>,
    ) -> Result<(), ServiceError> {
        let (store, cache) = (Arc::clone(&self.store), Arc::clone(&self.cache));
        let schedule_changed = Arc::clone(&self.schedule_changed);
        let committed = tokio::spawn(async move {
            let result = store.commit(changes).await;
            // After a failure too: an error may hide a commit that was made.
            cache.forget(key_id, version_id);
            schedule_changed.notify_one();
            drop(lock);
            result
        });
        let result = committed.await.map_err(|error| ServiceError::Bug(error.to_string()))?;
        Ok(result?)
    }

    /// The record of a change that is being made by a caller, or by the service itself.
    pub(super) fn operation_record(
        &self,
        created_by: Option<PrincipalId>,
        key_id: KeyId,
        kind: OperationKind,
        snapshot: Snapshot,
    ) -> Operation {
        Operation {
            id: OperationId::from_bytes(self.ids.id()),
            key_id,
            kind,
            created_at: self.clock.now(),
            created_by,
            snapshot,
        }
    }

    /// Stores a changed key together with its operation record.
    pub(super) async fn commit_key_change(
        &self,
        ctx: &RequestContext,
        lock: KeyLock,
        changed: Stored<Key>,
        primary: KeyVersion,
        kind: OperationKind,
    ) -> Result<Operation, ServiceError> {
        let key_id = changed.value.id;
        let view = KeyView { key: changed.value.clone(), primary };
        let operation =
            self.operation_record(Some(ctx.caller.principal_id), key_id, kind, Snapshot::Key(Box::new(view)));
        let changes = vec![Change::UpdateKey(Box::new(changed)), Change::InsertOperation(Box::new(operation.clone()))];
        self.commit_key(lock, key_id, None, changes).await?;
        Ok(operation)
    }

    /// Stores a changed version together with its operation record.
    pub(super) async fn commit_version_change(
        &self,
        ctx: &RequestContext,
        lock: KeyLock,
        changed: Stored<KeyVersion>,
        primary: bool,
        kind: OperationKind,
    ) -> Result<Operation, ServiceError> {
        let (key_id, version_id) = (changed.value.key_id, changed.value.id);
        let view = VersionView { version: changed.value.clone(), primary };
        let operation =
            self.operation_record(Some(ctx.caller.principal_id), key_id, kind, Snapshot::Version(Box::new(view)));
        let changes = vec![
            Change::UpdateVersion(Box::new(changed), super::ports::BlobUpdate::Keep),
            Change::InsertOperation(Box::new(operation.clone())),
        ];
        self.commit_key(lock, key_id, Some(version_id), changes).await?;
        Ok(operation)
    }
}
