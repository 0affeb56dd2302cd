//! Deleting a key, and taking that back.

use super::change::LockedKey;
use super::error::ServiceError;
use super::kms::Kms;
use super::ports::Stored;
use super::request::RequestContext;
use crate::domain::access::Permission;
use crate::domain::error::StateError;
use crate::domain::id::KeyId;
use crate::domain::key::{Key, Switch};
use crate::domain::operation::{Operation, OperationKind};
use std::time::Duration;

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
