//! Aliases.

use super::arn;
use super::call::{Call, NamedKey, Naming};
use super::error::{AwsError, Code};
use super::input::Input;
use super::lists::{self, Rest};
use super::marker::{self, List};
use super::output::{Output, epoch};
use crate::domain::alias::{Alias, AliasName, PREFIX};
use crate::domain::id::AccountId;
use crate::domain::time::Timestamp;
use crate::service::aliases::AliasesOf;
use crate::service::error::{Missing, ServiceError};
use serde::Serialize;

/// The name that a request gives a new alias.
fn new_name(input: &Input) -> Result<AliasName, AwsError> {
    let text = input.text("AliasName").unwrap_or_default();
    if !text.starts_with(PREFIX) {
        return Err(AwsError::new(
            Code::Validation,
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    }
    match AliasName::new(text) {
        Ok(name) if name.is_reserved() => {
            Err(AwsError::new(Code::InvalidAliasName, "Aliases that begin with alias/aws/ are reserved."))
        }
        Ok(name) => Ok(name),
        Err(_) => Err(AwsError::new(
            Code::InvalidAliasName,
            "An alias has after \"alias/\" at least one of these characters and no other: a-z A-Z 0-9 / _ -",
        )),
    }
}

/// The name of an alias that is there. Names that none can have are as unknown.
fn known_name(call: &Call<'_>, input: &Input) -> Result<AliasName, AwsError> {
    new_name(input).map_err(|error| match error.code {
        Code::InvalidAliasName => {
            let name = input.text("AliasName").unwrap_or_default();
            let (region, account) = (call.region(), call.account);
            AwsError::not_found(format!("Alias arn:aws:kms:{region}:{account}:{name} is not found."))
        }
        _ => error,
    })
}

/// The key that an alias is to stand for. An alias is in the account of its key, and is found only there: a key of
/// another account is as unknown, whoever asks.
async fn target(call: &Call<'_>, input: &Input) -> Result<NamedKey, AwsError> {
    let key = call.key(input, "TargetKeyId", Naming::IdOrArn).await?;
    if key.located.account_id == call.account {
        return Ok(key);
    }
    let id = key.id().to_string();
    Err(call.refused(ServiceError::NotFound { what: Missing::Key, id }, &key))
}

/// CreateAlias.
///
/// # Errors
/// AlreadyExistsException, InvalidAliasNameException, NotFoundException, LimitExceededException,
/// KMSInvalidStateException.
pub async fn create_alias(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let name = new_name(&input)?;
    let key = target(call, &input).await?;
    call.kms.create_alias(&call.ctx, name.clone(), key.id()).await.map_err(|error| match error {
        ServiceError::Exists(_) => refused(call, error, &name),
        other => call.refused(other, &key),
    })?;
    Ok(Output::Empty)
}

/// UpdateAlias.
///
/// # Errors
/// NotFoundException, LimitExceededException, KMSInvalidStateException of the new key.
pub async fn update_alias(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let name = known_name(call, &input)?;
    let key = target(call, &input).await?;
    call.kms.update_alias(&call.ctx, name.clone(), key.id()).await.map_err(|error| match error {
        ServiceError::NotFound { what: Missing::Alias, .. } | ServiceError::Denied => refused(call, error, &name),
        other => call.refused(other, &key),
    })?;
    Ok(Output::Empty)
}

/// DeleteAlias, in whatever state its key is.
///
/// # Errors
/// NotFoundException.
pub async fn delete_alias(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let name = known_name(call, &input)?;
    call.kms.delete_alias(&call.ctx, name.clone()).await.map_err(|error| refused(call, error, &name))?;
    Ok(Output::Empty)
}

/// A refusal that is about an alias. The key that it stands for is never named: the caller may not know of it.
fn refused(call: &Call<'_>, error: ServiceError, name: &AliasName) -> AwsError {
    let arn = arn::of_alias(call.region(), call.account, name);
    call.refusal(error, &arn, &arn)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aliases {
    aliases: Vec<AliasListEntry>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AliasListEntry {
    alias_name: String,
    alias_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_key_id: Option<String>,
    #[serde(serialize_with = "epoch")]
    creation_date: Timestamp,
    #[serde(serialize_with = "epoch")]
    last_updated_date: Timestamp,
}

impl AliasListEntry {
    fn of(alias: &Alias, account: AccountId) -> Self {
        Self {
            alias_arn: arn::of_alias(&alias.place.region, account, &alias.place.name),
            alias_name: alias.place.name.to_string(),
            target_key_id: alias.key_id.map(|id| id.to_string()),
            creation_date: alias.created_at,
            last_updated_date: alias.updated_at,
        }
    }
}

/// ListAliases: of the account and region, or of one key.
///
/// # Errors
/// InvalidMarkerException, InvalidArnException, NotFoundException.
pub async fn list_aliases(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    if !input.has("KeyId") {
        let folder_id = call.ctx.caller.folder_id;
        let all = lists::of(call, List::Aliases, folder_id.as_bytes());
        let wanted = marker::wanted(&input, all)?;
        let found = call.kms.aliases(&call.ctx, AliasesOf::Folder(folder_id), wanted.after, wanted.limit).await;
        let page = found.map_err(|error| call.refused_in_folder(error))?;
        let rest = Rest::of(all, page.next);
        return listed(&page.items, call.account, rest);
    }
    let wanted = lists::wanted_of_key(call, &input, List::Aliases)?;
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    let found = call.kms.aliases(&call.ctx, AliasesOf::Key(key.id()), wanted.after, wanted.limit).await;
    let page = found.map_err(|error| call.refused(error, &key))?;
    let rest = Rest::of(lists::of(call, List::Aliases, key.id().as_bytes()), page.next);
    listed(&page.items, key.located.account_id, rest)
}

fn listed(aliases: &[Alias], account: AccountId, rest: Rest) -> Result<Output, AwsError> {
    let aliases = aliases.iter().map(|alias| AliasListEntry::of(alias, account)).collect();
    Output::of(&Aliases { aliases, rest })
}
