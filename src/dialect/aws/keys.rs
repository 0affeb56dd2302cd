//! Keys: made, shown, listed, switched, described, deleted and taken back.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::output::Output;

/// CreateKey.
///
/// # Errors
/// The operation's.
pub async fn create_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// DescribeKey.
///
/// # Errors
/// The operation's.
pub async fn describe_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// ListKeys.
///
/// # Errors
/// The operation's.
pub async fn list_keys(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// EnableKey.
///
/// # Errors
/// The operation's.
pub async fn enable_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// DisableKey.
///
/// # Errors
/// The operation's.
pub async fn disable_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// ScheduleKeyDeletion.
///
/// # Errors
/// The operation's.
pub async fn schedule_key_deletion(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// CancelKeyDeletion.
///
/// # Errors
/// The operation's.
pub async fn cancel_key_deletion(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// UpdateKeyDescription.
///
/// # Errors
/// The operation's.
pub async fn update_key_description(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}
