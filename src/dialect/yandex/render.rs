//! Domain values to wire messages.

mod bindings;

pub use bindings::bindings_page;

use super::proto::yandex::cloud::kms::v1 as kms;
use super::proto::yandex::cloud::kms::v1::{symmetric_key, symmetric_key_version};
use super::proto::yandex::cloud::{access, operation};
use super::wkt::{self, Any};
use crate::domain::algorithm::Algorithm;
use crate::domain::id::KeyId;
use crate::domain::key::{KeyState, Switch};
use crate::domain::operation::{KeyView, Operation, OperationKind, Snapshot, VersionView};
use crate::domain::time::Timestamp;
use crate::domain::version::{KeyVersion, VersionState};
use std::time::Duration;

/// Who made a change that nobody asked for: the scheduler.
const SCHEDULER: &str = "claviger.scheduler";

/// An instant. One without a form in RFC 3339, which only damaged data can have, becomes the nearest that has one: it must
/// not take the answer with it.
#[must_use]
pub fn timestamp(at: Timestamp) -> wkt::Timestamp {
    let micros = at.as_micros().clamp(wkt::MIN_SECONDS * 1_000_000, wkt::MAX_SECONDS * 1_000_000 + 999_999);
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    wkt::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// A period.
#[must_use]
pub fn duration(period: Duration) -> wkt::Duration {
    wkt::Duration {
        seconds: i64::try_from(period.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(period.subsec_nanos()).unwrap_or_default(),
    }
}

const fn algorithm(algorithm: Algorithm) -> kms::SymmetricAlgorithm {
    match algorithm {
        Algorithm::Aes128 => kms::SymmetricAlgorithm::Aes128,
        Algorithm::Aes192 => kms::SymmetricAlgorithm::Aes192,
        Algorithm::Aes256 => kms::SymmetricAlgorithm::Aes256,
        Algorithm::Aes256Hsm => kms::SymmetricAlgorithm::Aes256Hsm,
    }
}

/// A deleted key is shown in the record of its deletion only, as it was then: there is no status for it.
const fn key_status(state: KeyState) -> symmetric_key::Status {
    match state {
        KeyState::Live { switch } | KeyState::PendingDeletion { switch, .. } => match switch {
            Switch::Active => symmetric_key::Status::Active,
            Switch::Inactive => symmetric_key::Status::Inactive,
        },
        KeyState::Deleted { .. } => symmetric_key::Status::Unspecified,
    }
}

/// A disabled version (another dialect can make one) is none of what the enum can say: not usable, not
/// scheduled, not destroyed.
const fn version_status(state: VersionState) -> symmetric_key_version::Status {
    match state {
        VersionState::Active => symmetric_key_version::Status::Active,
        VersionState::Disabled => symmetric_key_version::Status::Unspecified,
        VersionState::ScheduledForDestruction { .. } | VersionState::Destroying { .. } => {
            symmetric_key_version::Status::ScheduledForDestruction
        }
        VersionState::Destroyed { .. } => symmetric_key_version::Status::Destroyed,
    }
}

const fn destroy_at(state: VersionState) -> Option<Timestamp> {
    match state {
        VersionState::ScheduledForDestruction { destroy_at, .. } | VersionState::Destroying { destroy_at } => {
            Some(destroy_at)
        }
        VersionState::Active | VersionState::Disabled | VersionState::Destroyed { .. } => None,
    }
}

fn version_message(version: &KeyVersion, primary: bool) -> kms::SymmetricKeyVersion {
    kms::SymmetricKeyVersion {
        id: version.id.to_string(),
        key_id: version.key_id.to_string(),
        status: version_status(version.state).into(),
        algorithm: algorithm(version.algorithm).into(),
        created_at: Some(timestamp(version.created_at)),
        primary,
        destroy_at: destroy_at(version.state).map(timestamp),
        hosted_by_hsm: version.algorithm.hosted_by_hsm(),
    }
}

/// A version.
#[must_use]
pub fn version(view: &VersionView) -> kms::SymmetricKeyVersion {
    version_message(&view.version, view.primary)
}

/// A key with its primary version.
#[must_use]
pub fn key(view: KeyView) -> kms::SymmetricKey {
    let KeyView { key, primary } = view;
    kms::SymmetricKey {
        id: key.id.to_string(),
        folder_id: key.folder_id.to_string(),
        created_at: Some(timestamp(key.created_at)),
        name: key.name.as_str().to_owned(),
        description: key.description.as_str().to_owned(),
        labels: key.labels.pairs().clone(),
        status: key_status(key.state).into(),
        primary_version: Some(version_message(&primary, true)),
        default_algorithm: algorithm(key.default_algorithm).into(),
        rotated_at: Some(timestamp(key.rotated_at)),
        rotation_period: key.rotation.map(|schedule| duration(schedule.period)),
        deletion_protection: key.deletion_protection,
    }
}

/// The record of a change. Every change is finished before its answer leaves.
#[must_use]
pub fn operation(record: Operation) -> operation::Operation {
    let at = Some(timestamp(record.created_at));
    let (description, metadata) = metadata(&record);
    let response = match record.snapshot {
        Snapshot::Key(view) => Any::pack(&key(*view)),
        Snapshot::Version(view) => Any::pack(&version(&view)),
        Snapshot::Nothing => Any::pack(&wkt::Empty {}),
    };
    operation::Operation {
        id: record.id.to_string(),
        description: description.to_owned(),
        created_at: at,
        created_by: record.created_by.map_or_else(|| SCHEDULER.to_owned(), |principal| principal.to_string()),
        modified_at: at,
        done: true,
        metadata: Some(metadata),
        result: Some(operation::operation::Result::Response(response)),
    }
}

/// What a record says of itself, and its metadata. The cloud has no rpc that restores a key or switches a version; their
/// records are shown as updates, which clients can read.
fn metadata(record: &Operation) -> (&'static str, Any) {
    let key_id = record.key_id;
    match record.kind {
        OperationKind::CreateKey => ("Create symmetric key", created(key_id, primary_of(&record.snapshot))),
        OperationKind::UpdateKey => ("Update symmetric key", updated(key_id)),
        OperationKind::SwitchVersion { .. } => ("Update symmetric key version", updated(key_id)),
        OperationKind::RestoreKey => ("Restore symmetric key", updated(key_id)),
        OperationKind::DeleteKey => {
            let metadata = kms::DeleteSymmetricKeyMetadata { key_id: key_id.to_string() };
            ("Delete symmetric key", Any::pack(&metadata))
        }
        OperationKind::RotateKey => ("Rotate symmetric key", rotated(key_id, primary_of(&record.snapshot))),
        OperationKind::SetPrimaryVersion { version_id } => {
            let (key_id, version_id) = (key_id.to_string(), version_id.to_string());
            let metadata = kms::SetPrimarySymmetricKeyVersionMetadata { key_id, version_id };
            ("Set primary version of symmetric key", Any::pack(&metadata))
        }
        OperationKind::ScheduleVersionDestruction { version_id, destroy_at } => {
            let (key_id, version_id) = (key_id.to_string(), version_id.to_string());
            let destroy_at = Some(timestamp(destroy_at));
            let metadata = kms::ScheduleSymmetricKeyVersionDestructionMetadata { key_id, version_id, destroy_at };
            ("Schedule destruction of symmetric key version", Any::pack(&metadata))
        }
        OperationKind::CancelVersionDestruction { version_id } => {
            let (key_id, version_id) = (key_id.to_string(), version_id.to_string());
            let metadata = kms::CancelSymmetricKeyVersionDestructionMetadata { key_id, version_id };
            ("Cancel destruction of symmetric key version", Any::pack(&metadata))
        }
        OperationKind::SetAccessBindings => {
            let metadata = access::SetAccessBindingsMetadata { resource_id: key_id.to_string() };
            ("Set access bindings of symmetric key", Any::pack(&metadata))
        }
        OperationKind::UpdateAccessBindings => {
            let metadata = access::UpdateAccessBindingsMetadata { resource_id: key_id.to_string() };
            ("Update access bindings of symmetric key", Any::pack(&metadata))
        }
    }
}

fn created(key_id: KeyId, primary_version_id: String) -> Any {
    Any::pack(&kms::CreateSymmetricKeyMetadata { key_id: key_id.to_string(), primary_version_id })
}

fn updated(key_id: KeyId) -> Any {
    Any::pack(&kms::UpdateSymmetricKeyMetadata { key_id: key_id.to_string() })
}

fn rotated(key_id: KeyId, new_primary_version_id: String) -> Any {
    Any::pack(&kms::RotateSymmetricKeyMetadata { key_id: key_id.to_string(), new_primary_version_id })
}

/// The version that a record is about; records of access bindings are about none.
fn primary_of(snapshot: &Snapshot) -> String {
    match snapshot {
        Snapshot::Key(view) => view.key.primary_version.to_string(),
        Snapshot::Version(view) => view.version.id.to_string(),
        Snapshot::Nothing => String::new(),
    }
}

#[cfg(test)]
mod tests;
