//! Changing a key's settings.

use super::change::LockedKey;
use super::error::ServiceError;
use super::kms::Kms;
use super::ports::Stored;
use super::request::{KeyPatch, RequestContext, Reschedule};
use crate::domain::Dialect;
use crate::domain::access::Permission;
use crate::domain::error::StateError;
use crate::domain::id::KeyId;
use crate::domain::key::Key;
use crate::domain::operation::{Operation, OperationKind};
use crate::domain::schedule::RotationSchedule;
use std::time::Duration;

impl Kms {
    /// Changes the settings that the patch names, all or none.
    ///
    /// # Errors
    /// [`ServiceError::State`] unless the key is in the state that the patch asks for, [`ServiceError::Value`] for a
    /// rotation period out of range or too many tags, [`ServiceError::Exists`] for a `keyName` that another key of the
    /// folder has, and those of the store.
    pub async fn update_key(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        patch: KeyPatch,
    ) -> Result<Operation, ServiceError> {
        self.on_key(ctx, Permission::UpdateKey, key_id, |_| async move {
            let LockedKey { lock, key, primary } = self.locked_key(ctx, Permission::UpdateKey, key_id).await?;
            let Stored { value, row_seq } = key;
            let (folder_id, key_name) = (value.folder_id, patch.key_name.clone());
            let value = self.patched(ctx.dialect, value, patch)?;
            if let Some(name) = &key_name {
                self.require_free_name(folder_id, name, Some(key_id)).await?;
            }
            let changed = Stored { value, row_seq };
            let done = self.commit_key_change(ctx, lock, changed, primary, OperationKind::UpdateKey).await;
            self.unless_taken(done, folder_id, key_name.as_ref(), Some(key_id)).await
        })
        .await
    }

    fn patched(&self, dialect: Dialect, key: Key, patch: KeyPatch) -> Result<Key, ServiceError> {
        key.require(patch.requires)?;
        let rotation = match patch.rotation_period {
            None => key.rotation,
            Some(None) => None,
            Some(Some(period)) => Some(self.rescheduled(dialect, &key, period, patch.reschedule)?),
        };
        let key = match patch.switch {
            Some(switch) => key.switched(switch)?,
            None => key,
        };
        let key = key.tagged(patch.tags.set, &patch.tags.remove)?;
        let key = match patch.default_algorithm {
            Some(algorithm) => key.with_algorithm(algorithm)?,
            None => key,
        };
        Ok(Key {
            name: patch.name.unwrap_or(key.name),
            key_name: patch.key_name.or(key.key_name),
            description: patch.description.unwrap_or(key.description),
            labels: patch.labels.unwrap_or(key.labels),
            deletion_protection: patch.deletion_protection.unwrap_or(key.deletion_protection),
            rotation,
            ..key
        })
    }

    /// The schedule of a key once its period was set in a dialect, whose rules hold from then on. One that AWS has set
    /// already and that has this period goes on as it is; `reschedule` says what else does, or is refused.
    fn rescheduled(
        &self,
        dialect: Dialect,
        key: &Key,
        period: Duration,
        reschedule: Reschedule,
    ) -> Result<RotationSchedule, ServiceError> {
        match (reschedule, key.rotation) {
            (Reschedule::UnlessOwn, Some(own)) if own.owner == dialect => return Ok(own),
            (Reschedule::IfOn, None) => return Err(StateError::RotationOff.into()),
            _ => {}
        }
        let schedule = self.schedule_of(dialect, period, key.rotated_at)?;
        Ok(match dialect {
            Dialect::Aws => schedule.unless_set_again(key.rotation),
            Dialect::Yandex | Dialect::Ncloud => schedule,
        })
    }
}
