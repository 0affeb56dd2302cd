//! Keys.

use crate::domain::Dialect;
use crate::domain::address::AddressList;
use crate::domain::id::{FolderId, KeyId, MaterialId};
use crate::domain::key::{Key, KeyState, Switch};
use crate::domain::schedule::RotationSchedule;
use crate::domain::text::{Description, Labels, Name, ShortName};
use crate::domain::time::Timestamp;
use crate::service::ports::{StoreError, Stored};
use crate::store::sql::{Fields, Row, Value, json};
use crate::store::view::Checked;

/// The columns of a key.
pub(in crate::store) fn key_row(key: &Key) -> Result<Row, StoreError> {
    let mut row = vec![
        Value::from(key.id.as_bytes()),
        Value::from(key.folder_id.as_bytes()),
        Value::from(dialect_text(key.created_by_dialect)),
        Value::from(key.key_tag.as_str()),
        Value::from(key.key_name.as_ref().map(ShortName::as_str)),
        Value::from(key.region.as_str()),
        Value::from(key.name.as_str()),
        Value::from(key.description.as_str()),
        json(&key.labels)?,
        json(&key.tags)?,
        Value::from(key.default_algorithm),
    ];
    row.extend(state_columns(key.state));
    row.extend([
        Value::from(key.primary_version.as_bytes()),
        Value::from(key.latest_version_number),
        Value::from(key.created_at),
        Value::from(key.rotated_at),
        Value::from(key.rotation.map(|rotation| rotation.period)),
        Value::from(key.rotation.map(|rotation| rotation.next_rotation_at)),
        Value::from(key.rotation.map(|rotation| dialect_text(rotation.owner))),
        Value::from(fires_at(key)),
        Value::from(key.deletion_protection),
        Value::from(key.min_destruction_wait),
    ]);
    row.extend(appended_columns(key)?);
    Ok(row)
}

/// What keys have got since their table was made. NULL is what a key without it has (docs/adr/0003).
fn appended_columns(key: &Key) -> Result<[Value; 4], StoreError> {
    let requested_at = match key.state {
        KeyState::PendingDeletion { requested_at, .. } => requested_at,
        KeyState::Live { .. } | KeyState::Deleted { .. } => None,
    };
    Ok([
        Value::from(requested_at),
        Value::from(key.convergent.then_some(true)),
        if key.addresses.is_default() { Value::Null } else { json(&key.addresses)? },
        key.token_generator.as_ref().map_or(Ok(Value::Null), json)?,
    ])
}

/// When the schedule fires, if the key's state lets it fire at all: the domain's rule, asked at the end of time.
fn fires_at(key: &Key) -> Option<Timestamp> {
    let ever = key.rotation_is_due(Timestamp::from_micros(i64::MAX));
    key.rotation.filter(|_| ever).map(|rotation| rotation.next_rotation_at)
}

fn state_columns(state: KeyState) -> [Value; 4] {
    let (name, switch, delete_at, deleted_at) = match state {
        KeyState::Live { switch } => ("live", Some(switch), None, None),
        KeyState::PendingDeletion { delete_at, switch, .. } => {
            ("pending_deletion", Some(switch), Some(delete_at), None)
        }
        KeyState::Deleted { deleted_at } => ("deleted", None, None, Some(deleted_at)),
    };
    let switch = switch.map(|switch| match switch {
        Switch::Active => "active",
        Switch::Inactive => "inactive",
    });
    [Value::from(name), Value::from(switch), Value::from(delete_at), Value::from(deleted_at)]
}

/// A key.
pub(in crate::store) fn key(row: &Checked) -> Result<Stored<Key>, StoreError> {
    let mut fields = row.fields();
    let mut value = Key {
        id: KeyId::from_bytes(fields.bytes()?),
        folder_id: FolderId::from_bytes(fields.bytes()?),
        created_by_dialect: fields.text().and_then(|text| dialect(&fields, text))?,
        key_tag: fields.text()?.to_owned(),
        key_name: short_name(&mut fields)?,
        region: fields.text()?.to_owned(),
        name: Name::new(fields.text()?.to_owned()).map_err(|_| fields.nonsense())?,
        description: Description::new(fields.text()?.to_owned(), usize::MAX).map_err(|_| fields.nonsense())?,
        labels: fields.json::<Labels>()?,
        tags: fields.json()?,
        default_algorithm: fields.algorithm()?,
        state: state(&mut fields)?,
        primary_version: MaterialId::from_bytes(fields.bytes()?),
        latest_version_number: fields.number()?,
        created_at: fields.instant()?,
        rotated_at: fields.instant()?,
        rotation: rotation(&mut fields)?,
        deletion_protection: fields.flag()?,
        min_destruction_wait: fields.period()?,
        convergent: false,
        addresses: AddressList::default(),
        token_generator: None,
    };
    let requested = fields.optional_instant()?;
    if let KeyState::PendingDeletion { requested_at, .. } = &mut value.state {
        *requested_at = requested;
    }
    value.convergent = fields.optional_int()?.is_some_and(|flag| flag != 0);
    value.addresses = fields.optional_json()?.unwrap_or_default();
    value.token_generator = fields.optional_json()?;
    Ok(Stored { value, row_seq: row.row_seq })
}

fn short_name(fields: &mut Fields<'_>) -> Result<Option<ShortName>, StoreError> {
    let name = fields.optional_text()?.map(str::to_owned);
    name.map(ShortName::new).transpose().map_err(|_| fields.nonsense())
}

fn state(fields: &mut Fields<'_>) -> Result<KeyState, StoreError> {
    let name = fields.text()?;
    let switch = match fields.optional_text()? {
        Some("active") => Some(Switch::Active),
        Some("inactive") => Some(Switch::Inactive),
        Some(_) => return Err(fields.nonsense()),
        None => None,
    };
    match (name, switch, fields.optional_instant()?, fields.optional_instant()?) {
        ("live", Some(switch), None, None) => Ok(KeyState::Live { switch }),
        ("pending_deletion", Some(switch), Some(delete_at), None) => {
            Ok(KeyState::PendingDeletion { delete_at, switch, requested_at: None })
        }
        ("deleted", None, None, Some(deleted_at)) => Ok(KeyState::Deleted { deleted_at }),
        _ => Err(fields.nonsense()),
    }
}

fn rotation(fields: &mut Fields<'_>) -> Result<Option<RotationSchedule>, StoreError> {
    let period = fields.optional_int()?;
    let next_rotation_at = fields.optional_instant()?;
    let owner = fields.optional_text()?;
    let _fires_at = fields.optional_int()?;
    let (Some(period), Some(next_rotation_at), Some(owner)) = (period, next_rotation_at, owner) else {
        return Ok(None);
    };
    let period = u64::try_from(period).map(std::time::Duration::from_micros).map_err(|_| fields.nonsense())?;
    Ok(Some(RotationSchedule { period, next_rotation_at, owner: dialect(fields, owner)? }))
}

const fn dialect_text(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Yandex => "yandex",
        Dialect::Aws => "aws",
        Dialect::Ncloud => "ncloud",
    }
}

fn dialect(fields: &Fields<'_>, text: &str) -> Result<Dialect, StoreError> {
    match text {
        "yandex" => Ok(Dialect::Yandex),
        "aws" => Ok(Dialect::Aws),
        "ncloud" => Ok(Dialect::Ncloud),
        _ => Err(fields.nonsense()),
    }
}
