//! Scheduling the destruction of a version, and taking that back.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::Stored;
use super::request::RequestContext;
use crate::domain::access::Permission;
use crate::domain::error::StateError;
use crate::domain::id::{KeyId, MaterialId};
use crate::domain::operation::{Operation, OperationKind};
use crate::domain::version::VersionState;
use std::time::Duration;

impl Kms {
    /// Schedules the destruction of a version; it cannot be used from now on. Without `pending_period` the
    /// configured default holds, or the key's own shortest wait where that is longer.
    ///
    /// # Errors
    /// [`ServiceError::State`] for the primary version and for one that is scheduled or destroyed,
    /// [`ServiceError::Value`] for a period that is too short, and those of the store.
    pub async fn schedule_version_destruction(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        version_id: MaterialId,
        pending_period: Option<Duration>,
    ) -> Result<Operation, ServiceError> {
        self.on_key(ctx, Permission::DestroyVersion, key_id, |_| async move {
            let locked = self.locked_key(ctx, Permission::DestroyVersion, key_id).await?;
            let (lock, key) = (locked.lock, locked.key.value);
            key.require_live()?;
            let Stored { value, row_seq } = self.stored_version(key_id, version_id).await?;
            let floor = key.min_destruction_wait;
            let wait = pending_period.unwrap_or(self.settings.default_version_pending_period.max(floor));
            let is_primary = key.primary_version == version_id;
            let version = value.schedule_destruction(is_primary, self.clock.now(), wait, floor)?;
            let VersionState::ScheduledForDestruction { destroy_at, .. } = version.state else {
                return Err(StateError::VersionNotScheduled.into());
            };
            let kind = OperationKind::ScheduleVersionDestruction { version_id, destroy_at };
            self.commit_version_change(ctx, lock, Stored { value: version, row_seq }, false, kind).await
        })
        .await
    }

    /// Takes a scheduled destruction back.
    ///
    /// # Errors
    /// [`ServiceError::State`] if the version is not scheduled, and those of the store.
    pub async fn cancel_version_destruction(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        version_id: MaterialId,
    ) -> Result<Operation, ServiceError> {
        self.on_key(ctx, Permission::DestroyVersion, key_id, |_| async move {
            let locked = self.locked_key(ctx, Permission::DestroyVersion, key_id).await?;
            let (lock, key) = (locked.lock, locked.key.value);
            key.require_live()?;
            let Stored { value, row_seq } = self.stored_version(key_id, version_id).await?;
            let changed = Stored { value: value.cancel_destruction(self.clock.now())?, row_seq };
            let kind = OperationKind::CancelVersionDestruction { version_id };
            self.commit_version_change(ctx, lock, changed, key.primary_version == version_id, kind).await
        })
        .await
    }
}
