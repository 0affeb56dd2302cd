//! Amazon Resource Names: of keys, aliases and callers, and what a `KeyId` may be.

use super::call::Naming;
use super::error::{AwsError, Code};
use crate::domain::alias::{AliasName, PREFIX};
use crate::domain::id::{AccountId, KeyId};
use crate::service::request::KeyName;

/// How much of a name is quoted in a refusal, in characters.
const MAX_QUOTED_CHARS: usize = 300;

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

/// The ARN of what a request named; empty for a key that it did not name.
#[must_use]
pub fn of_name(region: &str, name: &KeyName) -> String {
    match name {
        KeyName::Anywhere(_) => String::new(),
        KeyName::Id(account, key) => of_key(region, *account, *key),
        KeyName::Alias(account, alias) => of_alias(region, *account, alias),
    }
}

/// Whether one of our ARNs is an alias's.
#[must_use]
pub fn is_alias(arn: &str) -> bool {
    arn.splitn(6, ':').nth(5).is_some_and(|resource| resource.starts_with(PREFIX))
}

/// What a request means by a `KeyId`. `region` and `account` are the request's own: a bare key id and an alias's name mean
/// that account, an ARN may name another one.
///
/// # Errors
/// NotFoundException for what cannot name a key of this region, in the cloud's texts, and InvalidArnException instead for
/// what begins as an ARN and is none of a key here, where the operation declares it.
pub fn key_name(given: &str, naming: Naming, region: &str, account: AccountId) -> Result<KeyName, AwsError> {
    if !given.starts_with("arn:") {
        return resource_name(given, given, naming, region, account);
    }
    let arn = Arn::parse(given).ok_or_else(|| bad_arn(given, naming))?;
    if arn.region != region {
        return Err(AwsError::not_found(format!("Invalid arn {}", shortened(arn.region))));
    }
    match arn.resource.strip_prefix("key/") {
        // An alias's name has its prefix in both forms.
        None => resource_name(given, arn.resource, naming, region, arn.account),
        Some(id) => id_name(id, region, arn.account),
    }
}

/// The name of a key or alias that is not an ARN, or what an ARN has in its place.
fn resource_name(
    given: &str,
    name: &str,
    naming: Naming,
    region: &str,
    account: AccountId,
) -> Result<KeyName, AwsError> {
    if !name.starts_with(PREFIX) {
        return id_name(name, region, account);
    }
    if naming == Naming::IdOrArn {
        return Err(invalid_id(given));
    }
    let unknown =
        |_| AwsError::not_found(format!("Alias arn:aws:kms:{region}:{account}:{} is not found.", shortened(name)));
    AliasName::new(name).map(|alias| KeyName::Alias(account, alias)).map_err(unknown)
}

/// The key with this id. Ids in another spelling than ours, and those of multi-Region keys, were never handed out.
fn id_name(id: &str, region: &str, account: AccountId) -> Result<KeyName, AwsError> {
    match KeyId::parse(id) {
        Some(key) => Ok(KeyName::Id(account, key)),
        None if looks_like_id(id) => {
            Err(AwsError::not_found(format!("Key 'arn:aws:kms:{region}:{account}:key/{id}' does not exist")))
        }
        None => Err(invalid_id(id)),
    }
}

/// A UUID in either case, or `mrk-` and 32 hexadecimal digits.
fn looks_like_id(id: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digits) = id.strip_prefix("mrk-") {
        return digits.len() == 32 && hex(digits);
    }
    let parts: Vec<&str> = id.split('-').take(6).collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.into_iter().all(hex)
}

fn invalid_id(given: &str) -> AwsError {
    AwsError::not_found(format!("Invalid keyId '{}'", shortened(given)))
}

fn bad_arn(given: &str, naming: Naming) -> AwsError {
    let code = match naming {
        Naming::IdOrArn | Naming::AnyOrInvalidArn => Code::InvalidArn,
        Naming::Any => Code::NotFound,
    };
    AwsError::new(code, format!("Invalid arn {}", shortened(given)))
}

/// The beginning of what a caller sent.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(MAX_QUOTED_CHARS).map_or(text, |(end, _)| &text[..end])
}

/// `arn:aws:kms:REGION:ACCOUNT:key/ID` or `...:alias/NAME`.
struct Arn<'a> {
    region: &'a str,
    account: AccountId,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads an ARN of a key or alias in this partition and service.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        if (next()?, next()?, next()?) != ("arn", "aws", "kms") {
            return None;
        }
        let (region, account, resource) = (next()?, next()?, next()?);
        let rest = resource.strip_prefix("key/").filter(|id| !id.contains('/'));
        let rest = rest.or_else(|| resource.strip_prefix(PREFIX))?;
        let whole = !region.is_empty() && !rest.is_empty() && !rest.contains(':');
        let account = AccountId::parse(account)?;
        whole.then_some(Self { region, account, resource })
    }
}

#[cfg(test)]
mod tests;
