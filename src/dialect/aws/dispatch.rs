//! From operations to handlers.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::operation::Operation;
use super::output::Output;
use super::{aliases, crypto, data_keys, keys, policies, re_encrypt, rotation, tags};

/// Runs an operation.
///
/// # Errors
/// The operation's; UnsupportedOperationException for those that are not served.
pub async fn dispatch(operation: Operation, call: &Call<'_>, body: &[u8]) -> Result<Output, AwsError> {
    use Operation as O;
    if !is_served(operation) {
        return Err(not_served(operation));
    }
    let input = Input::read(operation, body)?;
    match operation {
        O::CreateKey => keys::create_key(call, input).await,
        O::DescribeKey => keys::describe_key(call, input).await,
        O::ListKeys => keys::list_keys(call, input).await,
        O::EnableKey => keys::enable_key(call, input).await,
        O::DisableKey => keys::disable_key(call, input).await,
        O::ScheduleKeyDeletion => keys::schedule_key_deletion(call, input).await,
        O::CancelKeyDeletion => keys::cancel_key_deletion(call, input).await,
        O::UpdateKeyDescription => keys::update_key_description(call, input).await,
        O::EnableKeyRotation => rotation::enable_key_rotation(call, input).await,
        O::DisableKeyRotation => rotation::disable_key_rotation(call, input).await,
        O::GetKeyRotationStatus => rotation::get_key_rotation_status(call, input).await,
        O::RotateKeyOnDemand => rotation::rotate_key_on_demand(call, input).await,
        O::ListKeyRotations => rotation::list_key_rotations(call, input).await,
        O::Encrypt => crypto::encrypt(call, input).await,
        O::Decrypt => crypto::decrypt(call, input).await,
        O::ReEncrypt => re_encrypt::re_encrypt(call, input).await,
        O::GenerateDataKey => data_keys::generate_data_key(call, input).await,
        O::GenerateDataKeyWithoutPlaintext => data_keys::generate_data_key_without_plaintext(call, input).await,
        O::GenerateDataKeyPair => data_keys::generate_data_key_pair(call, input).await,
        O::GenerateDataKeyPairWithoutPlaintext => {
            data_keys::generate_data_key_pair_without_plaintext(call, input).await
        }
        O::GenerateRandom => crypto::generate_random(call, input).await,
        O::CreateAlias => aliases::create_alias(call, input).await,
        O::UpdateAlias => aliases::update_alias(call, input).await,
        O::DeleteAlias => aliases::delete_alias(call, input).await,
        O::ListAliases => aliases::list_aliases(call, input).await,
        O::TagResource => tags::tag_resource(call, input).await,
        O::UntagResource => tags::untag_resource(call, input).await,
        O::ListResourceTags => tags::list_resource_tags(call, input).await,
        O::GetKeyPolicy => policies::get_key_policy(call, input).await,
        O::PutKeyPolicy => policies::put_key_policy(call, input).await,
        O::ListKeyPolicies => policies::list_key_policies(call, input).await,
        _ => Err(not_served(operation)),
    }
}

fn not_served(operation: Operation) -> AwsError {
    AwsError::unsupported(format!("{} is not supported.", operation.name()))
}

/// Whether an operation is served.
#[must_use]
pub const fn is_served(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::CreateKey
            | O::DescribeKey
            | O::ListKeys
            | O::EnableKey
            | O::DisableKey
            | O::ScheduleKeyDeletion
            | O::CancelKeyDeletion
            | O::UpdateKeyDescription
            | O::EnableKeyRotation
            | O::DisableKeyRotation
            | O::GetKeyRotationStatus
            | O::RotateKeyOnDemand
            | O::ListKeyRotations
            | O::Encrypt
            | O::Decrypt
            | O::ReEncrypt
            | O::GenerateDataKey
            | O::GenerateDataKeyWithoutPlaintext
            | O::GenerateDataKeyPair
            | O::GenerateDataKeyPairWithoutPlaintext
            | O::GenerateRandom
            | O::CreateAlias
            | O::UpdateAlias
            | O::DeleteAlias
            | O::ListAliases
            | O::TagResource
            | O::UntagResource
            | O::ListResourceTags
            | O::GetKeyPolicy
            | O::PutKeyPolicy
            | O::ListKeyPolicies
    )
}
