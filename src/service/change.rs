//! What all changes of a key have in common: read the rows anew under the key's lock, decide again, commit, and
//! drop what memory holds of them. And what is done where another change of the same rows came first.

use super::error::{Missing, ServiceError};
use super::key_cache::KeyLock;
use super::kms::Kms;
use super::ports::{Change, KeyRecord, Stored};
use super::request::RequestContext;
use crate::domain::access::{Grants, Permission};
use crate::domain::id::{KeyId, MaterialId, OperationId, PrincipalId};
use crate::domain::key::Key;
use crate::domain::operation::{KeyView, Operation, OperationKind, Snapshot, VersionView};
use crate::domain::version::KeyVersion;
use std::future::Future;
use std::sync::Arc;

/// How often a change is tried while others change the same rows. In this process they mostly take turns.
const TRIES: u32 = 5;

/// Makes a change that reads what it depends on; if another one came first, once more.
///
/// # Errors
/// [`ServiceError::Conflict`] if others came first every time, and those of the change.
pub(super) async fn retried<T, Fut>(change: impl Fn() -> Fut) -> Result<T, ServiceError>
where
    Fut: Future<Output = Result<T, ServiceError>>,
{
    for _ in 1..TRIES {
        match change().await {
            Err(ServiceError::Conflict) => {}
            done => return done,
        }
    }
    change().await
}

/// A key that nobody else changes, as it is stored now.
pub(super) struct LockedKey {
    /// Keeps others away.
    pub lock: KeyLock,
    /// The key.
    pub key: Stored<Key>,
    /// Its primary version.
    pub primary: KeyVersion,
}

impl Kms {
    /// Waits for the key's lock, reads the key anew and decides once more: those ahead may have taken the caller's role,
    /// have hidden the key or changed its state, and their callers were told that this binds. So were those who revoked
    /// the caller's credential meanwhile; memory knows that without the database.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] if the caller's credential is not in force any more,
    /// [`ServiceError::NotFound`] and [`ServiceError::Denied`], as without the lock, and those of the store.
    pub(super) async fn locked_key(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        key_id: KeyId,
    ) -> Result<LockedKey, ServiceError> {
        let lock = self.cache.lock(key_id).await;
        self.directory.require_in_force(&ctx.caller).await?;
        let missing = || ServiceError::NotFound { what: Missing::Key, id: key_id.to_string() };
        let KeyRecord { key, primary, bindings } = self.store.key_record(key_id).await?.ok_or_else(missing)?;
        self.require_on_key(ctx, permission, &key.value, &Grants::of(&bindings)).await?;
        Ok(LockedKey { lock, key, primary: primary.version.value })
    }

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
        let (names, cache) = (Arc::clone(&self.names), Arc::clone(&self.cache));
        let (schedule_changed, token) = (Arc::clone(&self.schedule_changed), Arc::clone(&self.token));
        let committed = tokio::spawn(async move {
            let result = names.commit(changes).await;
            // After a failure too: an error may hide a commit that was made.
            cache.forget(key_id, version_id);
            if let Some(version_id) = version_id {
                // It may have been switched off or be destroyed.
                token.forget(version_id).await;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// How a change ends before which others come this often, and how often it was tried.
    async fn beaten(times: u32) -> (Result<(), ServiceError>, u32) {
        let tried = Cell::new(0);
        let change = || async {
            tried.set(tried.get() + 1);
            if tried.get() > times { Ok(()) } else { Err(ServiceError::Conflict) }
        };
        (retried(change).await, tried.get())
    }

    #[tokio::test]
    async fn a_change_that_others_came_before_is_made_anew_some_times() {
        assert!(matches!(beaten(0).await, (Ok(()), 1)));
        assert!(matches!(beaten(4).await, (Ok(()), 5)));
        assert!(matches!(beaten(5).await, (Err(ServiceError::Conflict), 5)));
    }

    #[tokio::test]
    async fn another_failure_ends_a_change_at_once() {
        let tried = Cell::new(0);
        let change = || async {
            tried.set(tried.get() + 1);
            Err::<(), _>(ServiceError::Denied)
        };
        assert!(matches!(retried(change).await, Err(ServiceError::Denied)));
        assert_eq!(tried.get(), 1);
    }
}
