//! What each operation asks of a key's state: one table, that of the cloud's documentation ("Key states of AWS KMS
//! keys"), with the columns that can occur here.

use super::operation::Operation;
use crate::domain::key::Requires;

/// What an operation asks of the state of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    Nothing,
    /// Not pending deletion. UpdateAlias asks this of the new key only.
    Live,
    /// Enabled.
    Active,
    /// Pending deletion.
    PendingDeletion,
}

/// What an operation asks of the state of its key; `None` for operations that have none.
#[must_use]
pub const fn asks(operation: Operation) -> Option<Asks> {
    use Operation as O;
    Some(match operation {
        O::CancelKeyDeletion => Asks::PendingDeletion,

        O::CreateAlias
        | O::DisableKey
        | O::EnableKey
        | O::GetParametersForImport
        | O::ImportKeyMaterial
        | O::ScheduleKeyDeletion
        | O::TagResource
        | O::UntagResource
        | O::UpdateAlias
        | O::UpdateKeyDescription => Asks::Live,

        O::CreateGrant
        | O::Decapsulate
        | O::Decrypt
        | O::DeriveSharedSecret
        | O::DisableKeyRotation
        | O::EnableKeyRotation
        | O::Encapsulate
        | O::Encrypt
        | O::GenerateDataKey
        | O::GenerateDataKeyPair
        | O::GenerateDataKeyPairWithoutPlaintext
        | O::GenerateDataKeyWithoutPlaintext
        | O::GenerateMac
        | O::GetPublicKey
        | O::ReEncrypt
        | O::ReplicateKey
        | O::RotateKeyOnDemand
        | O::Sign
        | O::UpdatePrimaryRegion
        | O::Verify
        | O::VerifyMac => Asks::Active,

        O::DeleteAlias
        | O::DeleteImportedKeyMaterial
        | O::DescribeKey
        | O::GetKeyLastUsage
        | O::GetKeyPolicy
        | O::GetKeyRotationStatus
        | O::ListAliases
        | O::ListGrants
        | O::ListKeyPolicies
        | O::ListKeyRotations
        | O::ListResourceTags
        | O::PutKeyPolicy
        | O::RetireGrant
        | O::RevokeGrant => Asks::Nothing,

        O::ConnectCustomKeyStore
        | O::CreateCustomKeyStore
        | O::CreateKey
        | O::DeleteCustomKeyStore
        | O::DescribeCustomKeyStores
        | O::DisconnectCustomKeyStore
        | O::GenerateRandom
        | O::ListKeys
        | O::ListRetirableGrants
        | O::UpdateCustomKeyStore => return None,
    })
}

/// What a change of a key's settings asks of it. A key that is pending deletion is never changed.
#[must_use]
pub const fn requires(operation: Operation) -> Requires {
    match asks(operation) {
        Some(Asks::Active) => Requires::Active,
        _ => Requires::Live,
    }
}

#[cfg(test)]
mod tests;
