//! Key policies: the default policy, which is the only one that is enforced.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::output::Output;

/// GetKeyPolicy.
///
/// # Errors
/// The operation's.
pub async fn get_key_policy(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// PutKeyPolicy.
///
/// # Errors
/// The operation's.
pub async fn put_key_policy(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// ListKeyPolicies.
///
/// # Errors
/// The operation's.
pub async fn list_key_policies(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}
