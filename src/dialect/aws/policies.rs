//! Key policies: the default policy, which is the only one that is enforced. None is stored.

use super::call::{Call, Naming};
use super::error::AwsError;
use super::input::Input;
use super::lists::{self, Rest};
use super::marker::List;
use super::output::Output;
use super::policy;
use serde::Serialize;

/// The one name that a key policy can have.
const DEFAULT: &str = "default";

/// Refuses names of policies that do not exist.
fn require_default_name(input: &Input) -> Result<(), AwsError> {
    match input.text("PolicyName") {
        None | Some(DEFAULT) => Ok(()),
        Some(_) => Err(AwsError::not_found("No such policy exists")),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy: String,
    policy_name: &'static str,
}

/// GetKeyPolicy.
///
/// # Errors
/// NotFoundException.
pub async fn get_key_policy(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    require_default_name(&input)?;
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    call.kms.key(&call.ctx, key.id()).await.map_err(|error| call.refused(error, &key))?;
    Output::of(&Policy { policy: policy::default_of(key.located.account_id), policy_name: DEFAULT })
}

/// PutKeyPolicy of the default policy, which changes nothing. Whether it is that one is told only to who may set
/// policies: it is that of the key's account.
///
/// # Errors
/// MalformedPolicyDocumentException, NotFoundException, UnsupportedOperationException for any other policy.
pub async fn put_key_policy(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    require_default_name(&input)?;
    let policy = policy::parse(input.text("Policy").unwrap_or_default())?;
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    call.kms.may_set_bindings(&call.ctx, key.id()).await.map_err(|error| call.refused(error, &key))?;
    policy.require_default(key.located.account_id)?;
    Ok(Output::Empty)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyNames {
    policy_names: [&'static str; 1],
    #[serde(flatten)]
    rest: Rest,
}

/// ListKeyPolicies: there is one, so that no marker leads on.
///
/// # Errors
/// NotFoundException.
pub async fn list_key_policies(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    lists::wanted_of_key(call, &input, List::Policies)?;
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    call.kms.key(&call.ctx, key.id()).await.map_err(|error| call.refused(error, &key))?;
    let rest = Rest::of(lists::of(call, List::Policies, key.id().as_bytes()), None);
    Output::of(&PolicyNames { policy_names: [DEFAULT], rest })
}
