//! Changing a key's settings.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::Stored;
use super::request::{KeyPatch, RequestContext};
use crate::domain::access::Permission;
use crate::domain::id::KeyId;
use crate::domain::key::Key;
use crate::domain::operation::{Operation, OperationKind};
use crate::domain::schedule::RotationSchedule;

impl Kms {
    /// Changes the settings that the patch names, all or none.
    ///
    /// # Errors
    /// [`ServiceError::Value`] for a rotation period out of range, and those of the store.
    pub async fn update_key(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        patch: KeyPatch,
    ) -> Result<Operation, ServiceError> {
        self.on_key(ctx, Permission::UpdateKey, key_id, |_| async move {
            let lock = self.cache.lock(key_id).await;
            let Stored { value, row_seq } = self.stored_key(key_id).await?;
            let primary = self.stored_version(key_id, value.primary_version).await?.value;
            let changed = Stored { value: self.patched(value, patch)?, row_seq };
            self.commit_key_change(ctx, lock, changed, primary, OperationKind::UpdateKey).await
        })
        .await
    }

    fn patched(&self, key: Key, patch: KeyPatch) -> Result<Key, ServiceError> {
        key.require_live()?;
        let rotation = match patch.rotation_period {
            None => key.rotation,
            Some(None) => None,
            Some(Some(period)) => {
                Some(RotationSchedule::native(period, key.rotated_at, self.settings.min_rotation_period)?)
            }
        };
        let key = match patch.switch {
            Some(switch) => key.switched(switch)?,
            None => key,
        };
        Ok(Key {
            name: patch.name.unwrap_or(key.name),
            description: patch.description.unwrap_or(key.description),
            labels: patch.labels.unwrap_or(key.labels),
            default_algorithm: patch.default_algorithm.unwrap_or(key.default_algorithm),
            deletion_protection: patch.deletion_protection.unwrap_or(key.deletion_protection),
            rotation,
            ..key
        })
    }
}
