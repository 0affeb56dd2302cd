//! How a key looks in this dialect.

use super::output::millis;
use crate::dialect::days::whole_days;
use crate::domain::algorithm::Algorithm;
use crate::domain::id::{AccountId, FolderId, KeyId};
use crate::domain::key::{Key, KeyState, Switch};
use crate::domain::operation::KeyView;
use crate::domain::version::VersionState;
use serde::Serialize;

/// The longest memo, in characters.
pub const MAX_MEMO_CHARS: usize = 100;
/// Digits of the tag in the name that stands for a key without one: 15 characters are the longest name.
const NAME_DIGITS: usize = 14;

/// `keyId`: a number for display that fits every integer type of clients. It is made of the key's id and not unique by
/// promise: keys are named by their tags.
fn key_number(id: KeyId) -> u32 {
    number(id.as_bytes())
}

/// `keystoreId`: the same of the folder's id.
fn keystore_number(id: FolderId) -> u32 {
    number(id.as_bytes())
}

fn number(bytes: &[u8; 16]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) >> 1
}

/// `keyName`; for a key without one, what stands for it.
#[must_use]
pub fn key_name(key: &Key) -> String {
    match &key.key_name {
        Some(name) => name.as_str().to_owned(),
        None => format!("k{}", &key.key_tag[..NAME_DIGITS.min(key.key_tag.len())]),
    }
}

/// `status` of a key.
const fn status(state: KeyState) -> &'static str {
    match state {
        KeyState::Live { switch } => switch_status(switch),
        KeyState::PendingDeletion { .. } | KeyState::Deleted { .. } => "REVOKE",
    }
}

/// `status` of a key that is not being deleted, and of a version.
#[must_use]
pub const fn switch_status(switch: Switch) -> &'static str {
    match switch {
        Switch::Active => "ENABLE",
        Switch::Inactive => "DISABLE",
    }
}

/// `status` of a version: whether it decrypts. One that is scheduled for destruction, or destroyed, does not.
#[must_use]
pub const fn version_status(state: VersionState) -> &'static str {
    match state {
        VersionState::Active => switch_status(Switch::Active),
        VersionState::Disabled
        | VersionState::ScheduledForDestruction { .. }
        | VersionState::Destroying { .. }
        | VersionState::Destroyed { .. } => switch_status(Switch::Inactive),
    }
}

/// `keyType`. The cloud has `AES256` alone of these; keys of other lengths come from the native dialect.
const fn key_type(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Aes128 => "AES128",
        Algorithm::Aes192 => "AES192",
        Algorithm::Aes256 | Algorithm::Aes256Hsm => "AES256",
    }
}

/// `protectionType`.
const fn protection_type(algorithm: Algorithm) -> &'static str {
    if algorithm.hosted_by_hsm() { "COMMON_HSM" } else { "BASIC" }
}

/// `memo`: the first characters of the description.
#[must_use]
pub fn memo(key: &Key) -> String {
    key.description.as_str().chars().take(MAX_MEMO_CHARS).collect()
}

/// What says when a key is rotated by itself. A key that is pending deletion is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Whether it is.
    pub is_auto_rotation: bool,
    /// In days; 0 if it is not.
    pub rotation_period: u64,
    /// Milliseconds; `null` if it is not.
    pub next_rotation_date: Option<i64>,
}

impl Rotation {
    /// That of a key.
    #[must_use]
    pub fn of(key: &Key) -> Self {
        let schedule = match key.state {
            KeyState::Live { .. } => key.rotation,
            KeyState::PendingDeletion { .. } | KeyState::Deleted { .. } => None,
        };
        Self {
            is_auto_rotation: schedule.is_some(),
            rotation_period: schedule.map_or(0, |schedule| whole_days(schedule.period)),
            next_rotation_date: schedule.map(|schedule| millis(schedule.next_rotation_at)),
        }
    }
}

/// What lists and single keys have in common.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    key_id: u32,
    key_tag: String,
    key_name: String,
    key_type: &'static str,
    status: &'static str,
    protection_type: &'static str,
    is_convergent: bool,
    register_date: i64,
    /// When it will be deleted.
    destroy_date: Option<i64>,
}

impl Summary {
    /// That of a key.
    #[must_use]
    pub fn of(key: &Key) -> Self {
        let destroy_date = match key.state {
            KeyState::PendingDeletion { delete_at, .. } => Some(millis(delete_at)),
            KeyState::Live { .. } | KeyState::Deleted { .. } => None,
        };
        Self {
            key_id: key_number(key.id),
            key_tag: key.key_tag.clone(),
            key_name: key_name(key),
            key_type: key_type(key.default_algorithm),
            status: status(key.state),
            protection_type: protection_type(key.default_algorithm),
            is_convergent: key.convergent,
            register_date: millis(key.created_at),
            destroy_date,
        }
    }
}

/// A single key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    #[serde(flatten)]
    summary: Summary,
    keystore_id: u32,
    current_version: u32,
    memo: String,
    nrn: String,
    base_url: String,
    #[serde(flatten)]
    rotation: Rotation,
}

impl Details {
    /// Those of a key of this account, reached at `base_url`.
    #[must_use]
    pub fn of(KeyView { key, primary }: &KeyView, account: AccountId, base_url: &str) -> Self {
        Self {
            summary: Summary::of(key),
            keystore_id: keystore_number(key.folder_id),
            current_version: primary.number,
            memo: memo(key),
            nrn: format!("nrn:CLAVIGER:KMS:{}:{account}:Key/{}", key.region, key.key_tag),
            base_url: base_url.to_owned(),
            rotation: Rotation::of(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_display_are_positive_for_signed_readers() {
        assert_eq!(key_number(KeyId::from_bytes([0xff; 16])), 0x7fff_ffff);
        assert_eq!(keystore_number(FolderId::from_bytes([1; 16])), 0x0080_8080);
    }

    #[test]
    fn a_version_that_does_not_decrypt_is_shown_as_disabled() {
        use crate::domain::time::Timestamp;
        let at = Timestamp::from_micros(0);
        let scheduled = VersionState::ScheduledForDestruction { destroy_at: at, was_disabled: false };
        let gone = [VersionState::Destroying { destroy_at: at }, VersionState::Destroyed { destroyed_at: at }];
        for state in [VersionState::Disabled, scheduled, gone[0], gone[1]] {
            assert_eq!(version_status(state), "DISABLE", "{state:?}");
        }
        assert_eq!(version_status(VersionState::Active), "ENABLE");
    }
}
