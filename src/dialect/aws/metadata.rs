//! How keys and their material look to callers.

use super::arn;
use super::output::{epoch, epoch_if};
use crate::domain::id::{AccountId, MaterialId};
use crate::domain::key::{Key, KeyState, Switch};
use crate::domain::operation::KeyView;
use crate::domain::time::Timestamp;
use aws_lc_rs::digest;
use serde::Serialize;

/// The one algorithm of symmetric keys, and their `KeySpec`.
pub const SYMMETRIC_DEFAULT: &str = "SYMMETRIC_DEFAULT";
/// What keys of this service are for.
pub const ENCRYPT_DECRYPT: &str = "ENCRYPT_DECRYPT";
/// Where their material comes from.
pub const AWS_KMS: &str = "AWS_KMS";
/// Domain separation label of the ids of key material.
const MATERIAL_LABEL: &[u8] = b"claviger-aws-key-material-1";

/// `KeyMetadata`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyMetadata<'a> {
    #[serde(rename = "AWSAccountId")]
    account_id: String,
    key_id: String,
    arn: String,
    #[serde(serialize_with = "epoch")]
    creation_date: Timestamp,
    enabled: bool,
    description: &'a str,
    key_usage: &'static str,
    key_state: &'static str,
    #[serde(serialize_with = "epoch_if", skip_serializing_if = "Option::is_none")]
    deletion_date: Option<Timestamp>,
    origin: &'static str,
    key_manager: &'static str,
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    encryption_algorithms: [&'static str; 1],
    multi_region: bool,
    current_key_material_id: String,
}

impl<'a> KeyMetadata<'a> {
    /// What is told of a key, which is in the account `account`.
    #[must_use]
    pub fn of(view: &'a KeyView, account: AccountId) -> Self {
        let key = &view.key;
        Self {
            account_id: account.to_string(),
            key_id: key.id.to_string(),
            arn: arn::of_key(&key.region, account, key.id),
            creation_date: key.created_at,
            enabled: key.require_active().is_ok(),
            description: key.description.as_str(),
            key_usage: ENCRYPT_DECRYPT,
            key_state: state(key),
            deletion_date: deletion_date(key),
            origin: AWS_KMS,
            key_manager: "CUSTOMER",
            customer_master_key_spec: SYMMETRIC_DEFAULT,
            key_spec: SYMMETRIC_DEFAULT,
            encryption_algorithms: [SYMMETRIC_DEFAULT],
            multi_region: false,
            current_key_material_id: material_id(key.primary_version),
        }
    }
}

/// `KeyState`. A deleted key is not shown by the service; it is gone for good, as one that is pending deletion will be.
#[must_use]
pub const fn state(key: &Key) -> &'static str {
    match key.state {
        KeyState::Live { switch: Switch::Active } => "Enabled",
        KeyState::Live { switch: Switch::Inactive } => "Disabled",
        KeyState::PendingDeletion { .. } | KeyState::Deleted { .. } => "PendingDeletion",
    }
}

/// When the key will be deleted, if its deletion is pending.
#[must_use]
pub const fn deletion_date(key: &Key) -> Option<Timestamp> {
    match key.state {
        KeyState::PendingDeletion { delete_at, .. } => Some(delete_at),
        KeyState::Live { .. } | KeyState::Deleted { .. } => None,
    }
}

/// `KeyMaterialId`: 64 hexadecimal digits that name a piece of key material and say nothing of it.
#[must_use]
pub fn material_id(id: MaterialId) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(MATERIAL_LABEL);
    context.update(id.as_bytes());
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests;
