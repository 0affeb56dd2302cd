//! Key versions.

use crate::domain::id::{KeyId, MaterialId};
use crate::domain::version::{KeyVersion, Residency, VersionOrigin, VersionState};
use crate::service::ports::{StoreError, Stored};
use crate::store::seal::Hash;
use crate::store::sql::{Fields, Row, Value};
use crate::store::view::Checked;

/// The columns of a version that say where its material is. The blob's hash makes the row's MAC cover the blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct SealedColumns {
    /// The row of `materials`.
    pub(in crate::store) material_row: i64,
    /// Which token key protects the blob, and the blob's SHA-256; `None` once it is overwritten.
    pub(in crate::store) sealed: Option<(u32, Hash)>,
}

/// The columns of a version.
pub(in crate::store) fn version_row(version: &KeyVersion, columns: &SealedColumns) -> Row {
    let residency = match version.residency {
        Residency::Database => "database",
        Residency::Token => "token",
    };
    let origin = match version.origin {
        VersionOrigin::Creation => "creation",
        VersionOrigin::OnDemand => "on_demand",
        VersionOrigin::Automatic => "automatic",
    };
    let mut row = vec![
        Value::from(version.id.as_bytes()),
        Value::from(version.key_id.as_bytes()),
        Value::from(version.number),
        Value::from(version.algorithm),
        Value::from(residency),
        Value::from(origin),
        Value::from(version.created_at),
    ];
    row.extend(state_columns(version.state));
    row.extend([
        Value::from(version.pin_holder_can_export),
        Value::from(columns.sealed.map(|(sealed_by, _)| sealed_by)),
        Value::from(columns.material_row),
        Value::from(columns.sealed.as_ref().map(|(_, hash)| hash)),
        Value::from(version.state_changed_at),
    ]);
    row
}

fn state_columns(state: VersionState) -> [Value; 4] {
    let (name, was_disabled, destroy_at, destroyed_at) = match state {
        VersionState::Active => ("active", None, None, None),
        VersionState::Disabled => ("disabled", None, None, None),
        VersionState::ScheduledForDestruction { destroy_at, was_disabled } => {
            ("scheduled", Some(was_disabled), Some(destroy_at), None)
        }
        VersionState::Destroying { destroy_at } => ("destroying", None, Some(destroy_at), None),
        VersionState::Destroyed { destroyed_at } => ("destroyed", None, None, Some(destroyed_at)),
    };
    [Value::from(name), Value::from(was_disabled), Value::from(destroy_at), Value::from(destroyed_at)]
}

/// A version and where its material is.
pub(in crate::store) fn version(row: &Checked) -> Result<(Stored<KeyVersion>, SealedColumns), StoreError> {
    let mut fields = row.fields();
    let mut value = KeyVersion {
        id: MaterialId::from_bytes(fields.bytes()?),
        key_id: KeyId::from_bytes(fields.bytes()?),
        number: fields.number()?,
        algorithm: fields.algorithm()?,
        residency: match fields.text()? {
            "database" => Residency::Database,
            "token" => Residency::Token,
            _ => return Err(fields.nonsense()),
        },
        origin: match fields.text()? {
            "creation" => VersionOrigin::Creation,
            "on_demand" => VersionOrigin::OnDemand,
            "automatic" => VersionOrigin::Automatic,
            _ => return Err(fields.nonsense()),
        },
        created_at: fields.instant()?,
        state: state(&mut fields)?,
        pin_holder_can_export: fields.flag()?,
        state_changed_at: None,
    };
    let columns = sealed_columns(&mut fields)?;
    value.state_changed_at = fields.optional_instant()?;
    Ok((Stored { value, row_seq: row.row_seq }, columns))
}

fn state(fields: &mut Fields<'_>) -> Result<VersionState, StoreError> {
    let name = fields.text()?;
    let was_disabled = fields.optional_int()?.map(|flag| flag != 0);
    match (name, was_disabled, fields.optional_instant()?, fields.optional_instant()?) {
        ("active", None, None, None) => Ok(VersionState::Active),
        ("disabled", None, None, None) => Ok(VersionState::Disabled),
        ("scheduled", Some(was_disabled), Some(destroy_at), None) => {
            Ok(VersionState::ScheduledForDestruction { destroy_at, was_disabled })
        }
        ("destroying", None, Some(destroy_at), None) => Ok(VersionState::Destroying { destroy_at }),
        ("destroyed", None, None, Some(destroyed_at)) => Ok(VersionState::Destroyed { destroyed_at }),
        _ => Err(fields.nonsense()),
    }
}

fn sealed_columns(fields: &mut Fields<'_>) -> Result<SealedColumns, StoreError> {
    let sealed_by = fields.optional_int()?;
    let material_row = fields.int()?;
    let blob_sha256 = fields.optional_bytes()?;
    let sealed = match (sealed_by, blob_sha256) {
        (Some(number), Some(hash)) => Some((
            u32::try_from(number).map_err(|_| fields.nonsense())?,
            hash.try_into().map_err(|_| fields.nonsense())?,
        )),
        (None, None) => None,
        _ => return Err(fields.nonsense()),
    };
    Ok(SealedColumns { material_row, sealed })
}
