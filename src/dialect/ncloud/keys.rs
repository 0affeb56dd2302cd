//! Keys: made, listed, shown, switched, named, deleted.

use super::call::Call;
use super::error::NcloudError;
use super::input::Input;
use super::output::{Counts, Output, millis};
use super::route::Operation;
use super::view::{Details, MAX_MEMO_CHARS, Summary, key_name, memo, switch_status};
use crate::dialect::days::days;
use crate::domain::algorithm::Algorithm;
use crate::domain::key::{Key, Requires, Switch};
use crate::domain::operation::{KeyView, Operation as Record, Snapshot};
use crate::domain::text::{Description, Labels, Name, ShortName};
use crate::service::error::ServiceError;
use crate::service::request::{CreateKey, KeyPatch};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between request-deletion and the deletion.
const DELETION_WAIT: Duration = Duration::from_secs(72 * 60 * 60);
/// The rotation period if a request names none, and the longest, in days.
pub const DEFAULT_PERIOD_DAYS: u64 = 90;
const MAX_PERIOD_DAYS: i64 = 730;
const DEFAULT_PAGE_SIZE: u32 = 100;
const MAX_PAGE_SIZE: u32 = 200;

/// POST /keys
///
/// # Errors
/// INVALID_REQUEST, FORBIDDEN, UNPROCESSABLE_ENTITY for a name that is taken.
pub async fn create(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let name = short_name(&mut input)?;
    require_aes(&input.required_text("keyType")?)?;
    let algorithm = algorithm(&input.required_text("protectionType")?)?;
    let convergent = input.flag("isConvergent")?;
    if convergent && algorithm.hosted_by_hsm() {
        let text = "isConvergent needs protectionType BASIC: keys in the HSM are kept from every use but encryption, and \
                    convergent encryption derives from them";
        return Err(NcloudError::invalid(text));
    }
    let memo = input.text("memo")?.map(|text| text.to_string()).unwrap_or_default();
    let period = rotation_period(&mut input)?.unwrap_or(days(DEFAULT_PERIOD_DAYS));
    let rotation_period = input.flag("isAutoRotation")?.then_some(period);
    let request = CreateKey {
        folder_id: call.ctx.caller.folder_id,
        name: Name::new(name.as_str().to_owned()).map_err(ServiceError::from)?,
        key_name: Some(name),
        description: checked_memo(memo)?,
        labels: Labels::default(),
        tags: BTreeMap::new(),
        algorithm,
        convergent,
        rotation_period,
        deletion_protection: false,
        idempotency: None,
    };
    // Before: a client that is told of a failure tries again, and would find the name taken.
    let account = call.kms.account_of(request.folder_id).await?;
    let record = call.kms.create_key(&call.ctx, request).await.map_err(in_folder)?;
    call.answer(&Details::of(&view_of(record)?, account, call.base_url))
}

/// To a caller without any role its folder does not exist; here it is the keystore, which everybody has.
fn in_folder(error: ServiceError) -> NcloudError {
    match error {
        ServiceError::NotFound { .. } => ServiceError::Denied.into(),
        other => other.into(),
    }
}

fn short_name(input: &mut Input) -> Result<ShortName, NcloudError> {
    let name = input.required_text("keyName")?;
    Ok(ShortName::new(name.to_string()).map_err(ServiceError::from)?)
}

fn checked_memo(text: String) -> Result<Description, NcloudError> {
    let too_long = |_| NcloudError::invalid(format!("memo must be at most {MAX_MEMO_CHARS} characters long"));
    Description::new(text, MAX_MEMO_CHARS).map_err(too_long)
}

fn require_aes(key_type: &str) -> Result<(), NcloudError> {
    match key_type {
        "AES256" => Ok(()),
        "RSA2048" | "ECDSA" => {
            Err(NcloudError::invalid(format!("keyType {key_type} is not served yet: the only keyType is AES256")))
        }
        _ => Err(NcloudError::invalid("keyType must be AES256")),
    }
}

fn algorithm(protection_type: &str) -> Result<Algorithm, NcloudError> {
    match protection_type {
        "BASIC" => Ok(Algorithm::Aes256),
        "COMMON_HSM" => Ok(Algorithm::Aes256Hsm),
        _ => Err(NcloudError::invalid("protectionType must be BASIC or COMMON_HSM")),
    }
}

/// The member `rotationPeriod`, if it is there.
///
/// # Errors
/// INVALID_REQUEST outside of 1 to 730 days.
pub fn rotation_period(input: &mut Input) -> Result<Option<Duration>, NcloudError> {
    match input.int("rotationPeriod")? {
        None => Ok(None),
        Some(period @ 1..=MAX_PERIOD_DAYS) => Ok(Some(days(period.unsigned_abs()))),
        Some(_) => Err(NcloudError::invalid(format!("rotationPeriod must be 1 to {MAX_PERIOD_DAYS} days"))),
    }
}

/// The key of a record of a change.
///
/// # Errors
/// INTERNAL_SERVER_ERROR for a record that shows none.
pub fn view_of(record: Record) -> Result<KeyView, NcloudError> {
    match record.snapshot {
        Snapshot::Key(view) => Ok(*view),
        Snapshot::Version(_) | Snapshot::Nothing => {
            Err(ServiceError::Bug("the record of a key's change shows no key".to_owned()).into())
        }
    }
}

/// GET /keys/{keyTag}
///
/// # Errors
/// NOT_FOUND.
pub async fn info(call: &Call<'_>) -> Result<Output, NcloudError> {
    let view = call.kms.key(&call.ctx, call.key()?).await?;
    let account = call.kms.account_of(view.key.folder_id).await?;
    call.answer(&Details::of(&view, account, call.base_url))
}

/// A list has its entries under both names that the cloud's documents print.
#[derive(Serialize)]
struct KeyList<'a> {
    #[serde(rename = "keyList")]
    keys: &'a [Summary],
    #[serde(rename = "KeyList")]
    same_keys: &'a [Summary],
    #[serde(flatten)]
    counts: Counts,
}

/// GET /keys, newest first.
///
/// # Errors
/// INVALID_REQUEST, FORBIDDEN.
pub async fn list(call: &Call<'_>) -> Result<Output, NcloudError> {
    let page = number(call.query, "pageNo", 1, u32::MAX)?;
    let size = number(call.query, "pageSize", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)?;
    let skip = u64::from(page - 1) * u64::from(size);
    let found = call.kms.keys_at(&call.ctx, call.ctx.caller.folder_id, skip, size).await?;
    let counts = Counts {
        current_page_no: page.into(),
        total_page_no: found.total.div_ceil(size.into()),
        total_count: found.total,
    };
    let keys: Vec<_> = found.items.iter().map(|view| Summary::of(&view.key)).collect();
    Output::counted(&KeyList { keys: &keys, same_keys: &keys, counts }, counts)
}

/// A number of the query, from 1 to `most`. Parameters that nobody asks for are passed over, as in the cloud.
pub(crate) fn number(query: &str, name: &str, default: u32, most: u32) -> Result<u32, NcloudError> {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = match (values.next(), values.next()) {
        (None, _) => Some(default),
        (Some(text), None) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let wrong = || NcloudError::invalid(format!("{name} must be there once at most, as a number from 1 to {most}"));
    number.filter(|number| (1..=most).contains(number)).ok_or_else(wrong)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    key_tag: &'a str,
    status: &'static str,
    status_date: i64,
}

fn status(call: &Call<'_>, record: Record, status: &'static str) -> Result<Output, NcloudError> {
    let status_date = millis(record.created_at);
    call.answer(&Status { key_tag: &view_of(record)?.key.key_tag, status, status_date })
}

/// POST .../enable and .../disable
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY unless the key is in the other of the two states.
pub async fn switch(call: &Call<'_>) -> Result<Output, NcloudError> {
    let (switch, requires) = match call.route.operation {
        Operation::EnableKey => (Switch::Active, Requires::Inactive),
        _ => (Switch::Inactive, Requires::Active),
    };
    let record = update(call, KeyPatch { switch: Some(switch), requires, ..KeyPatch::default() }).await?;
    status(call, record, switch_status(switch))
}

/// Changes settings of the key that the path names.
///
/// # Errors
/// The core's.
pub async fn update(call: &Call<'_>, patch: KeyPatch) -> Result<Record, NcloudError> {
    Ok(call.kms.update_key(&call.ctx, call.key()?, patch).await?)
}

/// The key after a change.
///
/// # Errors
/// The core's.
pub async fn updated(call: &Call<'_>, patch: KeyPatch) -> Result<Key, NcloudError> {
    Ok(view_of(update(call, patch).await?)?.key)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NamedKey {
    key_tag: String,
    key_name: String,
}

/// PUT .../name
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY for a name that is taken.
pub async fn update_name(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let name = short_name(&mut input)?;
    let key = updated(call, KeyPatch { key_name: Some(name), ..KeyPatch::default() }).await?;
    call.answer(&NamedKey { key_name: key_name(&key), key_tag: key.key_tag })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memo {
    key_tag: String,
    memo: String,
}

/// PUT .../memo
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN.
pub async fn update_memo(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let text = checked_memo(input.required_text("memo")?.to_string())?;
    let key = updated(call, KeyPatch { description: Some(text), ..KeyPatch::default() }).await?;
    call.answer(&Memo { memo: memo(&key), key_tag: key.key_tag })
}

/// POST .../request-deletion
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn request_deletion(call: &Call<'_>) -> Result<Output, NcloudError> {
    let record = call.kms.delete_key(&call.ctx, call.key()?, Some(DELETION_WAIT)).await?;
    status(call, record, "REVOKE")
}

/// POST .../cancel-deletion
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn cancel_deletion(call: &Call<'_>) -> Result<Output, NcloudError> {
    let record = call.kms.restore_key(&call.ctx, call.key()?, Some(Switch::Inactive)).await?;
    status(call, record, switch_status(Switch::Inactive))
}

/// DELETE /keys/{keyTag}
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn delete(call: &Call<'_>) -> Result<Output, NcloudError> {
    call.kms.delete_key_at_once(&call.ctx, call.key()?).await?;
    call.answer(&())
}

/// GET .../activities and .../last-use-info: there is no record of uses yet that could answer them.
///
/// # Errors
/// NOT_IMPLEMENTED; NOT_FOUND before that.
pub async fn not_recorded(call: &Call<'_>) -> Result<Output, NcloudError> {
    call.kms.key(&call.ctx, call.key()?).await?;
    Err(ServiceError::NotImplemented("uses of keys are not recorded yet").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", Some(100))]
    #[case("pageSize=1", Some(1))]
    #[case("pageNo=2&pageSize=200", Some(200))]
    #[case("responseFormatType=json&pageSizes=7", Some(100))]
    #[case("pageSize=0", None)]
    #[case("pageSize=201", None)]
    #[case("pageSize=-1", None)]
    #[case("pageSize=+1", None)]
    #[case("pageSize=", None)]
    #[case("pageSize=1&pageSize=1", None)]
    #[case("pageSize=99999999999", None)]
    fn numbers_of_a_query_are_read_strictly(#[case] query: &str, #[case] expected: Option<u32>) {
        assert_eq!(number(query, "pageSize", 100, 200).ok(), expected);
    }

    #[rstest]
    #[case(r#"{"rotationPeriod":1}"#, Some(Some(1)))]
    #[case(r#"{"rotationPeriod":730}"#, Some(Some(730)))]
    #[case("{}", Some(None))]
    #[case(r#"{"rotationPeriod":0}"#, None)]
    #[case(r#"{"rotationPeriod":731}"#, None)]
    #[case(r#"{"rotationPeriod":"90"}"#, None)]
    #[case(r#"{"rotationPeriod":1.5}"#, None)]
    fn a_rotation_period_is_1_to_730_days(#[case] body: &str, #[case] expected: Option<Option<u64>>) {
        let mut input = Input::read(body.as_bytes()).unwrap();
        let period = rotation_period(&mut input).ok().map(|period| period.map(|period| period.as_secs() / 86_400));
        assert_eq!(period, expected);
    }
}
