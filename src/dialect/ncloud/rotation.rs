//! Rotation of keys, on demand and by schedule.

use super::call::Call;
use super::error::NcloudError;
use super::input::Input;
use super::keys::{DEFAULT_PERIOD_DAYS, rotation_period, updated, view_of};
use super::output::{Output, millis};
use super::view::Rotation;
use crate::dialect::days::days;
use crate::domain::key::Key;
use crate::service::request::{KeyPatch, OnDemandRules, Reschedule};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rotated {
    key_tag: String,
    version: u32,
    rotated_date: i64,
}

/// POST .../rotate
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY unless the key is enabled and has room for a version.
pub async fn rotate(call: &Call<'_>) -> Result<Output, NcloudError> {
    let record = call.kms.rotate_key(&call.ctx, call.key()?, OnDemandRules::default()).await?;
    let view = view_of(record)?;
    let rotated_date = millis(view.primary.created_at);
    call.answer(&Rotated { key_tag: view.key.key_tag, version: view.primary.number, rotated_date })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Enabled {
    key_tag: String,
    #[serde(flatten)]
    rotation: Rotation,
}

/// POST .../enable-auto-rotation. A schedule of this dialect that is on already stays as it is; one of another dialect
/// becomes one of this.
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn enable(call: &Call<'_>) -> Result<Output, NcloudError> {
    let rotation_period = Some(Some(days(DEFAULT_PERIOD_DAYS)));
    let patch = KeyPatch { rotation_period, reschedule: Reschedule::UnlessOwn, ..KeyPatch::default() };
    let key = updated(call, patch).await?;
    call.answer(&Enabled { rotation: Rotation::of(&key), key_tag: key.key_tag })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Disabled {
    key_tag: String,
    is_auto_rotation: bool,
}

/// POST .../disable-auto-rotation. The period is forgotten.
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn disable(call: &Call<'_>) -> Result<Output, NcloudError> {
    let Key { key_tag, .. } = updated(call, KeyPatch { rotation_period: Some(None), ..KeyPatch::default() }).await?;
    call.answer(&Disabled { key_tag, is_auto_rotation: false })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Period {
    key_tag: String,
    rotation_period: u64,
    next_rotation_date: Option<i64>,
}

/// PUT .../rotation-period, where automatic rotation is on. The next rotation is due one period from now.
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn update_period(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let period = rotation_period(&mut input)?.ok_or_else(|| NcloudError::invalid("rotationPeriod is required"))?;
    let patch = KeyPatch { rotation_period: Some(Some(period)), reschedule: Reschedule::IfOn, ..KeyPatch::default() };
    let key = updated(call, patch).await?;
    let Rotation { rotation_period, next_rotation_date, .. } = Rotation::of(&key);
    call.answer(&Period { key_tag: key.key_tag, rotation_period, next_rotation_date })
}
