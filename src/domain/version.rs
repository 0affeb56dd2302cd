//! A key version: one piece of key material and its life.

use super::algorithm::Algorithm;
use super::error::{StateError, ValueError};
use super::id::{KeyId, MaterialId};
use super::time::{MAX_PERIOD, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where the material lives between two uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residency {
    /// Wrapped or encrypted by a token key, in the database.
    Database,
    /// A permanent object of the token. Not implemented: it is refused wherever it is asked for.
    Token,
}

/// Why a version was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionOrigin {
    /// It came with the key.
    Creation,
    /// A caller asked for a rotation.
    OnDemand,
    /// The rotation schedule was due.
    Automatic,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum VersionState {
    /// Usable.
    Active,
    /// Switched off; nothing is lost.
    Disabled,
    /// Not usable; destroyed at `destroy_at` unless that is cancelled.
    ScheduledForDestruction {
        /// When the bytes will be destroyed.
        destroy_at: Timestamp,
        /// Whether a cancel leads back to [`VersionState::Disabled`].
        was_disabled: bool,
    },
    /// The bytes are overwritten in the table, copies elsewhere in the database may still be there.
    Destroying {
        /// When they were due.
        destroy_at: Timestamp,
    },
    /// Gone for good.
    Destroyed {
        /// When the last copy was erased.
        destroyed_at: Timestamp,
    },
}

/// A key version, without its material.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersion {
    /// The version's id, which is its material's.
    pub id: MaterialId,
    /// The key it belongs to.
    pub key_id: KeyId,
    /// 1 for the first version of the key, then counted up.
    pub number: u32,
    /// Algorithm; also says whether the version is hosted by the HSM.
    pub algorithm: Algorithm,
    /// Where the material lives.
    pub residency: Residency,
    /// Why it was made.
    pub origin: VersionOrigin,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its state.
    pub state: VersionState,
    /// Whether a holder of the user PIN and of the database could export it when it was made: true for
    /// software-protected versions and on tokens that enforce nothing (profile W).
    pub pin_holder_can_export: bool,
    /// When its state was changed last; `None` = never since it was made.
    #[serde(default)]
    pub state_changed_at: Option<Timestamp>,
}

impl KeyVersion {
    /// Checks that the version can be used for `encrypt` and `decrypt`.
    ///
    /// # Errors
    /// [`StateError::VersionNotActive`] or [`StateError::VersionDestroyed`].
    pub const fn require_active(&self) -> Result<(), StateError> {
        match self.state {
            VersionState::Active => Ok(()),
            VersionState::Disabled | VersionState::ScheduledForDestruction { .. } => Err(StateError::VersionNotActive),
            VersionState::Destroying { .. } | VersionState::Destroyed { .. } => Err(StateError::VersionDestroyed),
        }
    }

    /// Schedules the destruction for `wait` after `now`.
    ///
    /// # Errors
    /// [`ScheduleError`] if the version is primary, already scheduled or destroyed, or if `wait` is
    /// outside of `min_wait` to [`MAX_PERIOD`].
    pub fn schedule_destruction(
        self,
        is_primary: bool,
        now: Timestamp,
        wait: Duration,
        min_wait: Duration,
    ) -> Result<Self, ScheduleError> {
        let was_disabled = match self.state {
            VersionState::Active => false,
            VersionState::Disabled => true,
            VersionState::ScheduledForDestruction { .. } => {
                return Err(StateError::VersionAlreadyScheduled.into());
            }
            VersionState::Destroying { .. } | VersionState::Destroyed { .. } => {
                return Err(StateError::VersionDestroyed.into());
            }
        };
        if is_primary {
            return Err(StateError::VersionIsPrimary.into());
        }
        if wait < min_wait || wait > MAX_PERIOD {
            return Err(ValueError::PendingPeriod { min: min_wait, max: MAX_PERIOD }.into());
        }
        let state = VersionState::ScheduledForDestruction { destroy_at: now.plus(wait), was_disabled };
        Ok(self.at(now, state))
    }

    /// Takes a scheduled destruction back.
    ///
    /// # Errors
    /// [`StateError::VersionNotScheduled`], or [`StateError::VersionDestroyed`] once destruction has begun.
    pub fn cancel_destruction(self, now: Timestamp) -> Result<Self, StateError> {
        let state = match self.state {
            VersionState::ScheduledForDestruction { was_disabled: true, .. } => VersionState::Disabled,
            VersionState::ScheduledForDestruction { was_disabled: false, .. } => VersionState::Active,
            VersionState::Active | VersionState::Disabled => {
                return Err(StateError::VersionNotScheduled);
            }
            VersionState::Destroying { .. } | VersionState::Destroyed { .. } => {
                return Err(StateError::VersionDestroyed);
            }
        };
        Ok(self.at(now, state))
    }

    /// Begins the destruction of a version whose time has come.
    ///
    /// # Errors
    /// [`StateError::NotDue`] before `destroy_at`, [`StateError::VersionNotScheduled`] or
    /// [`StateError::VersionDestroyed`] in other states.
    pub fn begin_destruction(self, now: Timestamp) -> Result<Self, StateError> {
        match self.state {
            VersionState::ScheduledForDestruction { destroy_at, .. } if destroy_at <= now => {
                Ok(self.at(now, VersionState::Destroying { destroy_at }))
            }
            VersionState::ScheduledForDestruction { .. } => Err(StateError::NotDue),
            VersionState::Active | VersionState::Disabled => Err(StateError::VersionNotScheduled),
            VersionState::Destroying { .. } | VersionState::Destroyed { .. } => Err(StateError::VersionDestroyed),
        }
    }

    /// Begins the destruction because the whole key is deleted, whatever state the version is in.
    ///
    /// # Errors
    /// [`StateError::VersionDestroyed`] if it has begun already.
    pub fn begin_destruction_with_key(self, delete_at: Timestamp) -> Result<Self, StateError> {
        match self.state {
            VersionState::Destroying { .. } | VersionState::Destroyed { .. } => Err(StateError::VersionDestroyed),
            _ => Ok(self.at(delete_at, VersionState::Destroying { destroy_at: delete_at })),
        }
    }

    /// Ends the destruction, once no copy of the bytes is left in the database.
    ///
    /// # Errors
    /// [`StateError::VersionNotScheduled`] unless the version is [`VersionState::Destroying`].
    pub fn end_destruction(self, now: Timestamp) -> Result<Self, StateError> {
        match self.state {
            VersionState::Destroying { .. } => Ok(self.at(now, VersionState::Destroyed { destroyed_at: now })),
            _ => Err(StateError::VersionNotScheduled),
        }
    }

    /// Switches the version off. Idempotent.
    ///
    /// # Errors
    /// [`StateError::VersionIsPrimary`] or [`StateError::VersionIsNewest`], and [`StateError::VersionNotActive`] if it is
    /// scheduled or destroyed.
    pub fn disable(self, is_primary: bool, is_newest: bool, now: Timestamp) -> Result<Self, StateError> {
        match self.state {
            _ if is_primary => Err(StateError::VersionIsPrimary),
            _ if is_newest => Err(StateError::VersionIsNewest),
            VersionState::Disabled => Ok(self),
            VersionState::Active => Ok(self.at(now, VersionState::Disabled)),
            _ => Err(StateError::VersionNotActive),
        }
    }

    /// Switches the version on again. Idempotent.
    ///
    /// # Errors
    /// [`StateError::VersionNotActive`] if it is scheduled or destroyed.
    pub fn enable(self, now: Timestamp) -> Result<Self, StateError> {
        match self.state {
            VersionState::Active => Ok(self),
            VersionState::Disabled => Ok(self.at(now, VersionState::Active)),
            _ => Err(StateError::VersionNotActive),
        }
    }

    /// Since when it is in its state.
    #[must_use]
    pub fn state_since(&self) -> Timestamp {
        self.state_changed_at.unwrap_or(self.created_at)
    }

    fn at(self, now: Timestamp, state: VersionState) -> Self {
        Self { state, state_changed_at: Some(now), ..self }
    }
}

/// Why a destruction could not be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The state forbids it.
    #[error(transparent)]
    State(#[from] StateError),
    /// The wait is out of range.
    #[error(transparent)]
    Value(#[from] ValueError),
}

#[cfg(test)]
mod tests;
