//! From where a key may be used.

use super::access_log;
use super::change::LockedKey;
use super::error::ServiceError;
use super::kms::Kms;
use super::ports::Stored;
use super::request::RequestContext;
use crate::domain::access::Permission;
use crate::domain::address::AddressList;
use crate::domain::error::ValueError;
use crate::domain::id::KeyId;
use crate::domain::key::Key;
use crate::domain::operation::OperationKind;
use std::net::Ipv4Addr;

/// A change of an address list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressChange {
    /// It binds from now on, or does not.
    Enable(bool),
    /// These are in it.
    Add(Vec<Ipv4Addr>),
    /// These are not in it.
    Remove(Vec<Ipv4Addr>),
}

impl AddressChange {
    fn applied(self, list: AddressList) -> Result<AddressList, ValueError> {
        match self {
            Self::Enable(enabled) => Ok(list.switched(enabled)),
            Self::Add(more) => list.with(&more),
            Self::Remove(fewer) => Ok(list.without(&fewer)),
        }
    }
}

impl Kms {
    /// Changes from where a key may be used. Who may say who uses the key may. It binds in all dialects when it is
    /// answered.
    ///
    /// # Errors
    /// [`ServiceError::State`] unless the key is live, [`ServiceError::Value`] for too many addresses, and those of the
    /// store.
    pub async fn change_addresses(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        change: AddressChange,
    ) -> Result<AddressList, ServiceError> {
        self.on_key(ctx, Permission::SetBindings, key_id, |_| async move {
            let LockedKey { lock, key, primary } = self.locked_key(ctx, Permission::SetBindings, key_id).await?;
            let Stored { value, row_seq } = key;
            value.require_live()?;
            let before = value.addresses.clone();
            let addresses = change.applied(before.clone())?;
            if addresses == before {
                return Ok(addresses);
            }
            let changed = Stored { value: Key { addresses: addresses.clone(), ..value }, row_seq };
            self.commit_key_change(ctx, lock, changed, primary, OperationKind::UpdateKey).await?;
            access_log::addresses_changed(ctx, key_id, &before, &addresses);
            Ok(addresses)
        })
        .await
    }
}
