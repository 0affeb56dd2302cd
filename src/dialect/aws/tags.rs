//! Tags.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::output::Output;

/// TagResource.
///
/// # Errors
/// The operation's.
pub async fn tag_resource(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// UntagResource.
///
/// # Errors
/// The operation's.
pub async fn untag_resource(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// ListResourceTags.
///
/// # Errors
/// The operation's.
pub async fn list_resource_tags(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}
