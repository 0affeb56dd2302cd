//! Switching a version on and off.

use super::error::{Missing, ServiceError};
use super::kms::Kms;
use super::ports::Stored;
use super::request::RequestContext;
use crate::domain::access::Permission;
use crate::domain::id::KeyId;
use crate::domain::key::Switch;
use crate::domain::operation::{OperationKind, VersionView};

impl Kms {
    /// Switches the version with this number on or off, where the key is active. What it encrypted cannot be decrypted
    /// while it is off. Neither the primary nor the newest version can be switched off.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for a number that the key never had, [`ServiceError::State`] if key or version do not let
    /// it, and those of the store.
    pub async fn switch_version(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        number: u32,
        switch: Switch,
    ) -> Result<VersionView, ServiceError> {
        self.on_key(ctx, Permission::UpdateKey, key_id, |_| async move {
            let locked = self.locked_key(ctx, Permission::UpdateKey, key_id).await?;
            let key = locked.key.value;
            key.require_active()?;
            let missing = || ServiceError::NotFound { what: Missing::Version, id: number.to_string() };
            let stored = self.store.material_numbered(key_id, number).await?.ok_or_else(missing)?;
            let Stored { value, row_seq } = stored.version;
            let (id, now) = (value.id, self.clock.now());
            let (primary, newest) = (id == key.primary_version, number == key.latest_version_number);
            let before = value.state;
            let version = match switch {
                Switch::Active => value.enable(now)?,
                Switch::Inactive => value.disable(primary, newest, now)?,
            };
            if version.state == before {
                return Ok(VersionView { version, primary });
            }
            let kind = OperationKind::SwitchVersion { version_id: id, switch };
            let changed = Stored { value: version.clone(), row_seq };
            self.commit_version_change(ctx, locked.lock, changed, primary, kind).await?;
            Ok(VersionView { version, primary })
        })
        .await
    }
}
