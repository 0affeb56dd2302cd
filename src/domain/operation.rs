//! The record of a change that the native dialect shows as a long-running operation.
//!
//! Every change of ours is finished when it is answered, so a record is always done.

use super::id::{KeyId, MaterialId, OperationId, PrincipalId};
use super::key::{Key, Switch};
use super::time::Timestamp;
use super::version::KeyVersion;
use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum OperationKind {
    /// A key was created.
    CreateKey,
    /// A key's settings were changed.
    UpdateKey,
    /// A key's deletion was requested.
    DeleteKey,
    /// A pending deletion was taken back.
    RestoreKey,
    /// A new version was made primary.
    RotateKey,
    /// Another version was made primary.
    SetPrimaryVersion {
        /// The version.
        version_id: MaterialId,
    },
    /// A version's destruction was scheduled.
    ScheduleVersionDestruction {
        /// The version.
        version_id: MaterialId,
        /// When it will be destroyed.
        destroy_at: Timestamp,
    },
    /// A version's scheduled destruction was taken back.
    CancelVersionDestruction {
        /// The version.
        version_id: MaterialId,
    },
    /// A version was switched on or off.
    SwitchVersion {
        /// The version.
        version_id: MaterialId,
        /// To what.
        switch: Switch,
    },
    /// The key's access bindings were replaced.
    SetAccessBindings,
    /// Some of the key's access bindings were changed.
    UpdateAccessBindings,
}

/// The changed object as it was right after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshot {
    /// A key and its primary version.
    Key(Box<KeyView>),
    /// A version.
    Version(Box<VersionView>),
    /// Nothing that the native model shows: the change was of access bindings.
    Nothing,
}

/// A key together with its primary version, as `Get` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The key.
    pub key: Key,
    /// Its primary version.
    pub primary: KeyVersion,
}

/// A version together with what only its key knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// The version.
    pub version: KeyVersion,
    /// Whether it is the key's primary version.
    pub primary: bool,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// The key that was changed.
    pub key_id: KeyId,
    /// What was done.
    pub kind: OperationKind,
    /// When.
    pub created_at: Timestamp,
    /// By whom; `None` for the service's own scheduler.
    pub created_by: Option<PrincipalId>,
    /// The result.
    pub snapshot: Snapshot,
}
