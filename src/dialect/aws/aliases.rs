//! Aliases.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::output::Output;

/// CreateAlias.
///
/// # Errors
/// The operation's.
pub async fn create_alias(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// UpdateAlias.
///
/// # Errors
/// The operation's.
pub async fn update_alias(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// DeleteAlias.
///
/// # Errors
/// The operation's.
pub async fn delete_alias(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// ListAliases.
///
/// # Errors
/// The operation's.
pub async fn list_aliases(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}
