//! Keys as they would be after years: one version each, a tenth with a rotation schedule, a few due.

use anyhow::Result;
use claviger::domain::Dialect;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{AccountId, FolderId, KeyId, MaterialId};
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::domain::schedule::RotationSchedule;
use claviger::domain::text::{Description, Labels, Name};
use claviger::domain::time::Timestamp;
use claviger::domain::version::{KeyVersion, Residency, VersionOrigin, VersionState};
use claviger::service::ports::{Change, Cursor, Folder, SealedMaterial, Store, Stored};
use claviger::store::SqliteStore;
use std::collections::BTreeMap;
use std::time::Duration;

/// Keys of one commit. SQLite's savepoints get slow with the number of pages that a commit changes.
const BATCH: u32 = 100;
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How many keys are due for rotation at [`now`].
const DUE: u32 = 20;

/// Ids that grow with the number, unlike real ones: the trees are as deep, and are filled in minutes, not in hours.
fn id(kind: u8, number: u32) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The instant of all measurements.
pub const fn now() -> Timestamp {
    Timestamp::from_micros(1_900_000_000_000_000)
}

/// The one folder.
pub fn folder_id() -> FolderId {
    FolderId::from_bytes(id(1, 0))
}

/// Key `number`.
pub fn key_id(number: u32) -> KeyId {
    KeyId::from_bytes(id(2, number))
}

/// The version of key `number`.
pub fn material_id(number: u32) -> MaterialId {
    MaterialId::from_bytes(id(3, number))
}

fn created_at(number: u32) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + i64::from(number))
}

/// The place right after key `number` in the list of keys.
pub fn cursor(number: u32) -> Cursor {
    Cursor { at: created_at(number).as_micros(), id: *key_id(number).as_bytes() }
}

/// Fills an empty database.
pub async fn fill(store: &SqliteStore, keys: u32) -> Result<()> {
    let folder = Folder {
        id: folder_id(),
        account_id: AccountId::from_random([1; 8]),
        name: "default".to_owned(),
        created_at: created_at(0),
    };
    store.commit(vec![Change::InsertFolder(folder)]).await?;
    for first in (0..keys).step_by(BATCH as usize) {
        let batch = first..keys.min(first + BATCH);
        store.commit(batch.flat_map(changes).collect()).await?;
    }
    Ok(())
}

fn changes(number: u32) -> [Change; 2] {
    let version = version(number);
    let sealed =
        SealedMaterial { sealed_by: 1, bytes: [&id(4, number)[..], &id(5, number), &id(6, number)[..8]].concat() };
    [Change::InsertKey(Box::new(key(number))), Change::InsertVersion(Box::new(version), sealed)]
}

fn key(number: u32) -> Key {
    let due = number < DUE;
    let next_rotation_at = if due { now() } else { now().plus(YEAR) };
    let schedule = RotationSchedule { period: YEAR, next_rotation_at, owner: Dialect::Yandex };
    Key {
        id: key_id(number),
        folder_id: folder_id(),
        created_by_dialect: Dialect::Yandex,
        key_tag: key_id(number).simple(),
        key_name: None,
        region: "us-east-1".to_owned(),
        name: Name::default(),
        description: Description::default(),
        labels: Labels::default(),
        tags: BTreeMap::new(),
        default_algorithm: Algorithm::Aes256Hsm,
        state: KeyState::Live { switch: Switch::Active },
        primary_version: material_id(number),
        latest_version_number: 1,
        created_at: created_at(number),
        rotated_at: created_at(number),
        rotation: (due || number.is_multiple_of(10)).then_some(schedule),
        deletion_protection: false,
        min_destruction_wait: Duration::from_secs(86_400),
        convergent: false,
        addresses: claviger::domain::address::AddressList::default(),
        token_generator: None,
    }
}

fn version(number: u32) -> KeyVersion {
    KeyVersion {
        id: material_id(number),
        key_id: key_id(number),
        number: 1,
        algorithm: Algorithm::Aes256Hsm,
        residency: Residency::Database,
        origin: VersionOrigin::Creation,
        created_at: created_at(number),
        state: VersionState::Active,
        pin_holder_can_export: false,
        state_changed_at: None,
    }
}

/// The version with its destruction scheduled.
pub fn scheduled(found: &Stored<KeyVersion>, destroy_at: Timestamp) -> Stored<KeyVersion> {
    let state = VersionState::ScheduledForDestruction { destroy_at, was_disabled: false };
    Stored { value: KeyVersion { state, ..found.value.clone() }, row_seq: found.row_seq }
}
