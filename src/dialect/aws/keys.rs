//! Keys: made, shown, listed, switched, described, deleted and taken back.

use super::call::{Call, NamedKey, Naming};
use super::error::{AwsError, Code};
use super::input::Input;
use super::lists::{self, Rest};
use super::marker::{self, List};
use super::metadata::{AWS_KMS, ENCRYPT_DECRYPT, KeyMetadata, SYMMETRIC_DEFAULT, deletion_date, state};
use super::output::{Output, epoch_if};
use super::{arn, policy, states, tags};
use crate::dialect::days::{self, whole_days};
use crate::domain::algorithm::Algorithm;
use crate::domain::error::ValueError;
use crate::domain::key::Switch;
use crate::domain::operation::{KeyView, Operation as Record, Snapshot};
use crate::domain::text::{Description, Labels, Name};
use crate::domain::time::Timestamp;
use crate::service::error::ServiceError;
use crate::service::request::{CreateKey, KeyPatch};
use serde::Serialize;

/// The longest description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 8192;
/// How many days a key's deletion is pending if a request does not say.
const DEFAULT_PENDING_WINDOW_DAYS: u64 = 30;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described<'a> {
    key_metadata: KeyMetadata<'a>,
}

/// CreateKey.
///
/// # Errors
/// UnsupportedOperationException for keys that are not served, TagException, MalformedPolicyDocumentException.
pub async fn create_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    refuse_other_kinds(&input)?;
    let tags = tags::checked(input.tags("Tags"))?;
    if let Some(text) = input.text("Policy") {
        policy::require_default(text, call.account)?;
    }
    let request = CreateKey {
        key_name: None,
        convergent: false,
        folder_id: call.ctx.caller.folder_id,
        name: Name::default(),
        description: description(&input)?,
        labels: Labels::default(),
        tags,
        algorithm: Algorithm::Aes256Hsm,
        rotation_period: None,
        deletion_protection: false,
        idempotency: None,
    };
    let record = call.kms.create_key(&call.ctx, request).await.map_err(|error| call.refused_in_folder(error))?;
    let view = changed_key(record)?;
    Output::of(&Described { key_metadata: KeyMetadata::of(&view, call.account) })
}

/// Refuses kinds of keys that are not served. The texts name what is.
fn refuse_other_kinds(input: &Input) -> Result<(), AwsError> {
    if input.has("KeySpec") && input.has("CustomerMasterKeySpec") {
        return Err(AwsError::new(
            Code::Validation,
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
        ));
    }
    let served = [
        ("KeySpec", SYMMETRIC_DEFAULT),
        ("CustomerMasterKeySpec", SYMMETRIC_DEFAULT),
        ("KeyUsage", ENCRYPT_DECRYPT),
        ("Origin", AWS_KMS),
    ];
    for (member, only) in served {
        if input.text(member).is_some_and(|given| given != only) {
            return Err(AwsError::unsupported(format!("This {member} is not supported: only {only} is.")));
        }
    }
    if input.flag("MultiRegion") {
        return Err(AwsError::unsupported("Multi-Region keys are not supported: only MultiRegion false is."));
    }
    for member in ["CustomKeyStoreId", "XksKeyId"] {
        if input.has(member) {
            return Err(AwsError::unsupported(format!(
                "Custom key stores are not supported: leave {member} out, and the key's Origin is {AWS_KMS}."
            )));
        }
    }
    Ok(())
}

/// The member `Description`; none and an empty one are the same.
fn description(input: &Input) -> Result<Description, AwsError> {
    let text = input.text("Description").unwrap_or_default();
    Ok(Description::new(text.to_owned(), MAX_DESCRIPTION_CHARS).map_err(ServiceError::from)?)
}

/// The key as it was right after a change.
fn changed_key(record: Record) -> Result<Box<KeyView>, AwsError> {
    match record.snapshot {
        Snapshot::Key(view) => Ok(view),
        Snapshot::Version(_) | Snapshot::Nothing => Err(AwsError::bug("a change of a key left no record of it")),
    }
}

/// DescribeKey.
///
/// # Errors
/// NotFoundException, InvalidGrantTokenException.
pub async fn describe_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    refuse_grant_tokens(&input)?;
    let key = call.key(&input, "KeyId", Naming::AnyOrInvalidArn).await?;
    let view = call.kms.key(&call.ctx, key.id()).await.map_err(|error| call.refused(error, &key))?;
    Output::of(&Described { key_metadata: KeyMetadata::of(&view, key.located.account_id) })
}

/// Refuses grant tokens: there are no grants.
///
/// # Errors
/// InvalidGrantTokenException if there is one.
pub fn refuse_grant_tokens(input: &Input) -> Result<(), AwsError> {
    if input.texts("GrantTokens").is_empty() {
        return Ok(());
    }
    Err(AwsError::new(Code::InvalidGrantToken, "Grants are not supported: send no grant tokens."))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    keys: Vec<KeyListEntry>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyListEntry {
    key_id: String,
    key_arn: String,
}

/// ListKeys.
///
/// # Errors
/// InvalidMarkerException, AccessDeniedException.
pub async fn list_keys(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    if input.texts("ResourceOwners").iter().any(|owner| owner != "SELF") {
        return Err(AwsError::unsupported(
            "Keys are not shared through RAM: only the resource owner SELF is supported.",
        ));
    }
    let folder_id = call.ctx.caller.folder_id;
    let listed = lists::of(call, List::Keys, folder_id.as_bytes());
    let wanted = marker::wanted(&input, listed)?;
    let found = call.kms.keys(&call.ctx, folder_id, wanted.after, wanted.limit).await;
    let page = found.map_err(|error| call.refused_in_folder(error))?;
    let entry = |view: KeyView| KeyListEntry {
        key_id: view.key.id.to_string(),
        key_arn: arn::of_key(&view.key.region, call.account, view.key.id),
    };
    let rest = Rest::of(listed, page.next);
    Output::of(&Keys { keys: page.items.into_iter().map(entry).collect(), rest })
}

/// EnableKey.
///
/// # Errors
/// NotFoundException, KMSInvalidStateException.
pub async fn enable_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    update(call, &input, KeyPatch { switch: Some(Switch::Active), ..KeyPatch::default() }).await
}

/// DisableKey.
///
/// # Errors
/// NotFoundException, KMSInvalidStateException.
pub async fn disable_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    update(call, &input, KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() }).await
}

/// UpdateKeyDescription.
///
/// # Errors
/// NotFoundException, KMSInvalidStateException.
pub async fn update_key_description(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    update(call, &input, KeyPatch { description: Some(description(&input)?), ..KeyPatch::default() }).await
}

/// Changes the key that the member `KeyId` names, if it is in the state that the operation asks for. There is nothing to
/// answer.
///
/// # Errors
/// NotFoundException, DisabledException, KMSInvalidStateException, TagException for too many tags.
pub async fn update(call: &Call<'_>, input: &Input, patch: KeyPatch) -> Result<Output, AwsError> {
    let key = call.key(input, "KeyId", Naming::IdOrArn).await?;
    let patch = KeyPatch { requires: states::requires(call.operation), ..patch };
    call.kms.update_key(&call.ctx, key.id(), patch).await.map_err(|error| match error {
        ServiceError::Value(ValueError::TooMany { .. }) => tags::too_many(),
        other => call.refused(other, &key),
    })?;
    Ok(Output::Empty)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Scheduled {
    key_id: String,
    #[serde(serialize_with = "epoch_if", skip_serializing_if = "Option::is_none")]
    deletion_date: Option<Timestamp>,
    key_state: &'static str,
    pending_window_in_days: u64,
}

/// ScheduleKeyDeletion.
///
/// # Errors
/// ValidationException for a window outside of 7 to 30 days, NotFoundException, KMSInvalidStateException.
pub async fn schedule_key_deletion(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let days = input.int("PendingWindowInDays").map_or(DEFAULT_PENDING_WINDOW_DAYS, i64::unsigned_abs);
    let window = days::days(days);
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    let deleted = call.kms.delete_key(&call.ctx, key.id(), Some(window)).await;
    let view = changed_key(deleted.map_err(|error| call.refused(error, &key))?)?;
    Output::of(&Scheduled {
        deletion_date: deletion_date(&view.key),
        key_state: state(&view.key),
        pending_window_in_days: whole_days(window.max(view.key.min_destruction_wait)),
        key_id: key.arn,
    })
}

/// An answer that has nothing but the key's ARN.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyArn {
    key_id: String,
}

impl KeyArn {
    /// That of this key.
    #[must_use]
    pub fn of(key: NamedKey) -> Self {
        Self { key_id: key.arn }
    }
}

/// CancelKeyDeletion. The key is disabled then, whatever it was before.
///
/// # Errors
/// NotFoundException, KMSInvalidStateException.
pub async fn cancel_key_deletion(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    let restored = call.kms.restore_key(&call.ctx, key.id(), Some(Switch::Inactive)).await;
    restored.map_err(|error| call.refused(error, &key))?;
    Output::of(&KeyArn::of(key))
}
