//! Rotation of keys, by schedule and on demand.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::output::Output;

/// EnableKeyRotation.
///
/// # Errors
/// The operation's.
pub async fn enable_key_rotation(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// DisableKeyRotation.
///
/// # Errors
/// The operation's.
pub async fn disable_key_rotation(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// GetKeyRotationStatus.
///
/// # Errors
/// The operation's.
pub async fn get_key_rotation_status(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// RotateKeyOnDemand.
///
/// # Errors
/// The operation's.
pub async fn rotate_key_on_demand(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// ListKeyRotations.
///
/// # Errors
/// The operation's.
pub async fn list_key_rotations(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}
