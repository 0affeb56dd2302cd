//! Deleting a key, and taking that back.

use super::change::{LockedKey, retried};
use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{Change, Heartbeat, Stored};
use super::request::RequestContext;
use crate::domain::access::Permission;
use crate::domain::error::StateError;
use crate::domain::id::KeyId;
use crate::domain::key::{Key, Switch};
use crate::domain::operation::{KeyView, Operation, OperationKind, Snapshot};
use std::time::Duration;
use tokio::time::timeout;

/// How long a deletion at once waits for the end of the destruction, which readers of the database can put off.
const DESTRUCTION_PATIENCE: Duration = Duration::from_secs(2);

impl Kms {
    /// Requests the deletion of a key: it stops working now; its versions are destroyed after `wait`
    /// (`limits.key_deletion_period` if the caller leaves it to the service), or after the key's own shortest wait where
    /// that is longer. The answer shows the date.
    ///
    /// # Errors
    /// [`ServiceError::State`] under deletion protection, and those of the store.
    pub async fn delete_key(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        wait: Option<Duration>,
    ) -> Result<Operation, ServiceError> {
        let wait = wait.unwrap_or(self.settings.key_deletion_period);
        self.on_key(ctx, Permission::DeleteKey, key_id, |_| {
            self.change_deletion(ctx, Permission::DeleteKey, key_id, OperationKind::DeleteKey, move |key| {
                key.deletion_requested(self.clock.now(), wait)
            })
        })
        .await
    }

    /// Takes a requested deletion back; the key is then switched to `switch`, or as it was before.
    ///
    /// # Errors
    /// [`ServiceError::State`] if the key is not pending deletion, and those of the store.
    pub async fn restore_key(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        switch: Option<Switch>,
    ) -> Result<Operation, ServiceError> {
        self.on_key(ctx, Permission::RestoreKey, key_id, |_| {
            let restored = move |key: Key| key.restored(switch);
            self.change_deletion(ctx, Permission::RestoreKey, key_id, OperationKind::RestoreKey, restored)
        })
        .await
    }

    /// Deletes a key that is pending deletion at once and for good, where its shortest wait is over.
    ///
    /// Once the key is deleted, what is left is finished by the scheduler if it cannot be finished here.
    ///
    /// # Errors
    /// [`ServiceError::State`] if the key is not pending deletion, is protected, or must wait; if destructions are held
    /// because the clock leapt, by which a wait cannot be judged; and those of the store.
    pub async fn delete_key_at_once(&self, ctx: &RequestContext, key_id: KeyId) -> Result<(), ServiceError> {
        // One of its aliases may be made to stand for another key at the same moment.
        self.on_key(ctx, Permission::DeleteKey, key_id, |_| retried(|| self.end_wait(ctx, key_id))).await?;
        // Nobody can take it back any more: what is left is due at once, and each step of it is durable.
        let left = match timeout(DESTRUCTION_PATIENCE, self.destroy_versions_for_good(key_id)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.cause().unwrap_or_default().to_owned(),
            Err(_) => "it takes long".to_owned(),
        };
        tracing::warn!(key = %key_id, cause = left, "the scheduler finishes the deletion of a key");
        self.schedule_changed.notify_one();
        Ok(())
    }

    /// Makes a requested deletion final, where the key's shortest wait is over.
    async fn end_wait(&self, ctx: &RequestContext, key_id: KeyId) -> Result<(), ServiceError> {
        let LockedKey { lock, key: Stored { value, row_seq }, primary } =
            self.locked_key(ctx, Permission::DeleteKey, key_id).await?;
        let now = if value.min_destruction_wait.is_zero() {
            self.clock.now()
        } else {
            // A wait is judged by an instant that the clock guard has looked at: the clock may have leapt since it did last.
            let Heartbeat { at, held, .. } = self.beat().await?;
            if held.is_some() {
                value.deletion_hastened(at)?;
                return Err(StateError::DestructionsHeld.into());
            }
            at
        };
        let changed = value.deletion_hastened(now)?.deleted(now)?;
        let view = Snapshot::Key(Box::new(KeyView { key: changed.clone(), primary }));
        let record = self.operation_record(Some(ctx.caller.principal_id), key_id, OperationKind::DeleteKey, view);
        let mut changes = self.deletion_changes(Stored { value: changed, row_seq }).await?;
        changes.push(Change::InsertOperation(Box::new(record)));
        self.commit_key(lock, key_id, None, changes).await
    }

    async fn change_deletion(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        key_id: KeyId,
        kind: OperationKind,
        change: impl FnOnce(Key) -> Result<Key, StateError>,
    ) -> Result<Operation, ServiceError> {
        let LockedKey { lock, key: Stored { value, row_seq }, primary } =
            self.locked_key(ctx, permission, key_id).await?;
        let changed = Stored { value: change(value)?, row_seq };
        self.commit_key_change(ctx, lock, changed, primary, kind).await
    }
}
