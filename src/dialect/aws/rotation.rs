//! Rotation of keys, by schedule and on demand.

use super::call::{Call, Naming};
use super::error::AwsError;
use super::input::Input;
use super::keys::{KeyArn, update};
use super::lists::{self, Rest};
use super::marker::List;
use super::metadata::material_id;
use super::output::{Output, epoch_if};
use crate::dialect::days::{self, whole_days};
use crate::domain::key::KeyState;
use crate::domain::operation::{KeyView, VersionView};
use crate::domain::time::Timestamp;
use crate::domain::version::VersionOrigin;
use crate::service::request::{KeyPatch, OnDemandRules};
use serde::Serialize;
use std::time::Duration;

/// The rotation period if a request names none.
const DEFAULT_PERIOD_DAYS: u64 = 365;
/// Most rotations on demand of one key, and how long before the scheduled rotation none is made (RotateKeyOnDemand).
const ON_DEMAND: OnDemandRules =
    OnDemandRules { max_rotations: Some(25), keep_clear_of_schedule: Duration::from_secs(20 * 60) };
/// The first version came with the key: it is no rotation.
const FIRST_VERSION: u32 = 1;

/// EnableKeyRotation; of a key that is rotated already it sets the new period.
///
/// # Errors
/// NotFoundException, DisabledException, KMSInvalidStateException.
pub async fn enable_key_rotation(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let days = input.int("RotationPeriodInDays").map_or(DEFAULT_PERIOD_DAYS, i64::unsigned_abs);
    let period = days::days(days);
    update(call, &input, KeyPatch { rotation_period: Some(Some(period)), ..KeyPatch::default() }).await
}

/// DisableKeyRotation.
///
/// # Errors
/// NotFoundException, DisabledException, KMSInvalidStateException.
pub async fn disable_key_rotation(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    update(call, &input, KeyPatch { rotation_period: Some(None), ..KeyPatch::default() }).await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RotationStatus {
    key_rotation_enabled: bool,
    key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_period_in_days: Option<u64>,
    #[serde(serialize_with = "epoch_if", skip_serializing_if = "Option::is_none")]
    next_rotation_date: Option<Timestamp>,
}

impl RotationStatus {
    /// A key that is pending deletion is not rotated, whatever it was before.
    fn of(view: &KeyView, arn: String) -> Self {
        let rotation = match view.key.state {
            KeyState::Live { .. } => view.key.rotation,
            KeyState::PendingDeletion { .. } | KeyState::Deleted { .. } => None,
        };
        Self {
            key_rotation_enabled: rotation.is_some(),
            key_id: arn,
            rotation_period_in_days: rotation.map(|schedule| whole_days(schedule.period)),
            next_rotation_date: rotation.map(|schedule| schedule.next_rotation_at),
        }
    }
}

/// GetKeyRotationStatus. `OnDemandRotationStartDate` is that of a rotation under way; ours are over when they are
/// answered, so it is never there.
///
/// # Errors
/// NotFoundException.
pub async fn get_key_rotation_status(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    let view = call.kms.key(&call.ctx, key.id()).await.map_err(|error| call.refused(error, &key))?;
    Output::of(&RotationStatus::of(&view, key.arn))
}

/// RotateKeyOnDemand.
///
/// # Errors
/// NotFoundException, DisabledException, KMSInvalidStateException, LimitExceededException, ConflictException.
pub async fn rotate_key_on_demand(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    call.kms.rotate_key(&call.ctx, key.id(), ON_DEMAND).await.map_err(|error| call.refused(error, &key))?;
    Output::of(&KeyArn::of(key))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Rotations {
    rotations: Vec<RotationsListEntry>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RotationsListEntry {
    key_id: String,
    key_material_id: String,
    key_material_state: &'static str,
    #[serde(serialize_with = "epoch_if", skip_serializing_if = "Option::is_none")]
    rotation_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_type: Option<&'static str>,
}

impl RotationsListEntry {
    fn of(view: &VersionView, arn: &str) -> Self {
        let rotation_type = match view.version.origin {
            VersionOrigin::Creation => None,
            VersionOrigin::OnDemand => Some("ON_DEMAND"),
            VersionOrigin::Automatic => Some("AUTOMATIC"),
        };
        Self {
            key_id: arn.to_owned(),
            key_material_id: material_id(view.version.id),
            key_material_state: if view.primary { "CURRENT" } else { "NON_CURRENT" },
            rotation_date: rotation_type.map(|_| view.version.created_at),
            rotation_type,
        }
    }
}

/// ListKeyRotations, oldest first.
///
/// # Errors
/// NotFoundException, InvalidMarkerException.
pub async fn list_key_rotations(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let wanted = lists::wanted_of_key(call, &input, List::Rotations)?;
    let with_first = input.text("IncludeKeyMaterial") == Some("ALL_KEY_MATERIAL");
    let first_after = if with_first { 0 } else { FIRST_VERSION };
    let after = wanted.after.map_or(0, |cursor| u32::try_from(cursor.at).unwrap_or(0)).max(first_after);
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    let found = call.kms.versions_by_age(&call.ctx, key.id(), after, wanted.limit).await;
    let page = found.map_err(|error| call.refused(error, &key))?;
    let rest = Rest::of(lists::of(call, List::Rotations, key.id().as_bytes()), page.next);
    let rotations = page.items.iter().map(|view| RotationsListEntry::of(view, &key.arn)).collect();
    Output::of(&Rotations { rotations, rest })
}
