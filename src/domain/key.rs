//! A key: what its versions have in common, and the state machine that all dialects share.

use super::Dialect;
use super::address::AddressList;
use super::algorithm::Algorithm;
use super::context::EncryptionContext;
use super::error::{StateError, ValueError};
use super::id::{FolderId, KeyId, MaterialId};
use super::key_token::TokenGenerator;
use super::schedule::RotationSchedule;
use super::text::{Description, Labels, Name, ShortName};
use super::time::Timestamp;
use super::version::KeyVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most tags of one key.
pub const MAX_TAGS: usize = 50;

/// What a key is switched to while it is not being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Crypto works.
    Active,
    /// Crypto is refused.
    Inactive,
}

/// What a change or a use asks of a key's state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Requires {
    /// Neither pending deletion nor deleted.
    #[default]
    Live,
    /// Live and switched on.
    Active,
    /// Live and switched off.
    Inactive,
}

/// The state of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum KeyState {
    /// In use, switched on or off.
    Live {
        /// On or off.
        switch: Switch,
    },
    /// Hidden (native dialect) or shown as pending deletion; nothing works, everything can come back.
    PendingDeletion {
        /// When all versions are destroyed.
        delete_at: Timestamp,
        /// What a restore leads back to.
        switch: Switch,
        /// When the deletion was requested; `None` where that was not written down.
        #[serde(default)]
        requested_at: Option<Timestamp>,
    },
    /// Every version is destroyed or being destroyed.
    Deleted {
        /// When deletion began.
        deleted_at: Timestamp,
    },
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// The folder that owns it.
    pub folder_id: FolderId,
    /// The dialect that created it.
    pub created_by_dialect: Dialect,
    /// Ncloud's stable tag: 32 lower-case hexadecimal digits, fixed at creation.
    pub key_tag: String,
    /// Ncloud's name, unique in the folder where it is set.
    pub key_name: Option<ShortName>,
    /// AWS region: that of the creating request.
    pub region: String,
    /// Free name; not unique.
    pub name: Name,
    /// Free text.
    pub description: Description,
    /// Labels of the native dialect.
    pub labels: Labels,
    /// Tags of the AWS dialect, apart from labels.
    pub tags: BTreeMap<String, String>,
    /// Algorithm of the next version.
    pub default_algorithm: Algorithm,
    /// Its state.
    pub state: KeyState,
    /// The version that encrypts by default.
    pub primary_version: MaterialId,
    /// Number of the newest version.
    pub latest_version_number: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its newest version was made.
    pub rotated_at: Timestamp,
    /// Automatic rotation, if it is on.
    pub rotation: Option<RotationSchedule>,
    /// Whether deletion is refused.
    pub deletion_protection: bool,
    /// The shortest wait before anything of this key is destroyed, whichever dialect asks.
    pub min_destruction_wait: Duration,
    /// Whether equal plaintexts under equal contexts have equal ciphertexts. Fixed at creation; of `AES_256` keys only.
    #[serde(default)]
    pub convergent: bool,
    /// From where the key may be used.
    #[serde(default)]
    pub addresses: AddressList,
    /// What the tokens depend on with which the key is used.
    #[serde(default)]
    pub token_generator: Option<TokenGenerator>,
}

impl Key {
    /// Checks that the key exists for a management request.
    ///
    /// # Errors
    /// [`StateError::KeyPendingDeletion`] or [`StateError::KeyDeleted`].
    pub const fn require_live(&self) -> Result<Switch, StateError> {
        match self.state {
            KeyState::Live { switch } => Ok(switch),
            KeyState::PendingDeletion { .. } => Err(StateError::KeyPendingDeletion),
            KeyState::Deleted { .. } => Err(StateError::KeyDeleted),
        }
    }

    /// Checks that the key is in the state that is asked for.
    ///
    /// # Errors
    /// As [`require_live`](Self::require_live) or [`require_active`](Self::require_active), and [`StateError::KeyActive`].
    pub fn require(&self, what: Requires) -> Result<(), StateError> {
        match what {
            Requires::Live => self.require_live().map(drop),
            Requires::Active => self.require_active(),
            Requires::Inactive => match self.require_live()? {
                Switch::Active => Err(StateError::KeyActive),
                Switch::Inactive => Ok(()),
            },
        }
    }

    /// Whether a dialect treats the key as if it did not exist. The native one hides keys from the moment
    /// their deletion is requested; the others show them until they are gone.
    #[must_use]
    pub const fn is_hidden_in(&self, dialect: Dialect) -> bool {
        match self.state {
            KeyState::Live { .. } => false,
            KeyState::PendingDeletion { .. } => !dialect.shows_pending_deletion(),
            KeyState::Deleted { .. } => true,
        }
    }

    /// Checks that the key can be used for crypto.
    ///
    /// # Errors
    /// As [`require_live`](Self::require_live), and [`StateError::KeyInactive`].
    pub fn require_active(&self) -> Result<(), StateError> {
        match self.require_live()? {
            Switch::Active => Ok(()),
            Switch::Inactive => Err(StateError::KeyInactive),
        }
    }

    /// Switches the key on or off. Idempotent.
    ///
    /// # Errors
    /// As [`require_live`](Self::require_live).
    pub fn switched(self, switch: Switch) -> Result<Self, StateError> {
        self.require_live()?;
        Ok(Self { state: KeyState::Live { switch }, ..self })
    }

    /// Checks that the key is used with such a context. A convergent key shows which of its plaintexts are equal under one
    /// context, so there must be one, in whatever form the dialect has.
    ///
    /// # Errors
    /// [`ValueError::ContextRequired`] or [`ValueError::NotConvergent`].
    pub const fn check_context(&self, context: &EncryptionContext) -> Result<(), ValueError> {
        match (self.convergent, context) {
            (true, EncryptionContext::Empty) => Err(ValueError::ContextRequired),
            (false, EncryptionContext::Convergent(_)) => Err(ValueError::NotConvergent),
            _ => Ok(()),
        }
    }

    /// The key with another algorithm for its next version.
    ///
    /// # Errors
    /// [`StateError::KeyIsConvergent`] for another one than `AES_256`, where that is the only one.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, StateError> {
        check_convergent(self.convergent, algorithm)?;
        Ok(Self { default_algorithm: algorithm, ..self })
    }

    /// The key without the tags that are named in `remove`, and then with those of `set`, which replace tags of the same
    /// names. Removing a tag that is not there changes nothing.
    ///
    /// # Errors
    /// [`ValueError::TooMany`] if it had more than [`MAX_TAGS`] then.
    pub fn tagged(mut self, set: BTreeMap<String, String>, remove: &[String]) -> Result<Self, ValueError> {
        for name in remove {
            self.tags.remove(name);
        }
        self.tags.extend(set);
        check_tags(&self.tags)?;
        Ok(self)
    }

    /// The key after a caller asked for a rotation and `version` was made for it.
    ///
    /// # Errors
    /// As [`require_active`](Self::require_active).
    pub fn rotated_on_demand(self, version: &KeyVersion) -> Result<Self, StateError> {
        self.require_active()?;
        let rotation = self.rotation.map(|schedule| schedule.after_manual_rotation(version.created_at));
        Ok(self.with_newest(version, rotation))
    }

    /// Whether the schedule is going to rotate the key within `period` from `now`, or is overdue.
    #[must_use]
    pub fn rotation_is_imminent(&self, now: Timestamp, period: Duration) -> bool {
        !period.is_zero() && self.rotation_is_due(now.plus(period))
    }

    /// Whether the schedule asks for a rotation now.
    #[must_use]
    pub fn rotation_is_due(&self, now: Timestamp) -> bool {
        let Some(schedule) = self.rotation else {
            return false;
        };
        let may_fire = match self.state {
            KeyState::Live { switch: Switch::Active } => true,
            KeyState::Live { switch: Switch::Inactive } => schedule.fires_while_inactive(),
            KeyState::PendingDeletion { .. } | KeyState::Deleted { .. } => false,
        };
        may_fire && schedule.next_rotation_at <= now
    }

    /// The key after its schedule fired and `version` was made for it.
    ///
    /// # Errors
    /// [`StateError::NotDue`] if the schedule does not ask for it at the version's creation time.
    pub fn rotated_automatically(self, version: &KeyVersion) -> Result<Self, StateError> {
        if !self.rotation_is_due(version.created_at) {
            return Err(StateError::NotDue);
        }
        let rotation = self.rotation.map(|schedule| schedule.after_automatic_rotation(version.created_at));
        Ok(self.with_newest(version, rotation))
    }

    fn with_newest(self, version: &KeyVersion, rotation: Option<RotationSchedule>) -> Self {
        Self {
            primary_version: version.id,
            latest_version_number: version.number,
            rotated_at: version.created_at,
            rotation,
            ..self
        }
    }

    /// Makes another version primary.
    ///
    /// # Errors
    /// As [`require_live`](Self::require_live), or the version's reason for not being usable.
    pub fn with_primary(self, version: &KeyVersion) -> Result<Self, StateError> {
        self.require_live()?;
        version.require_active()?;
        Ok(Self { primary_version: version.id, ..self })
    }

    /// Begins deletion: everything stops now, and all versions are destroyed after `wait` or, where that is
    /// longer, the key's own shortest wait.
    ///
    /// # Errors
    /// [`StateError::DeletionProtected`], or as [`require_live`](Self::require_live).
    pub fn deletion_requested(self, now: Timestamp, wait: Duration) -> Result<Self, StateError> {
        let switch = self.require_live()?;
        if self.deletion_protection {
            return Err(StateError::DeletionProtected);
        }
        let delete_at = now.plus(wait.max(self.min_destruction_wait));
        Ok(Self { state: KeyState::PendingDeletion { delete_at, switch, requested_at: Some(now) }, ..self })
    }

    /// Takes a deletion back. `switch` is what the dialect wants the key to be then; `None` is what it was.
    ///
    /// # Errors
    /// [`StateError::KeyNotPendingDeletion`] or [`StateError::KeyDeleted`].
    pub fn restored(self, switch: Option<Switch>) -> Result<Self, StateError> {
        match self.state {
            KeyState::PendingDeletion { switch: before, .. } => {
                Ok(Self { state: KeyState::Live { switch: switch.unwrap_or(before) }, ..self })
            }
            KeyState::Live { .. } => Err(StateError::KeyNotPendingDeletion),
            KeyState::Deleted { .. } => Err(StateError::KeyDeleted),
        }
    }

    /// Brings the end of the wait forward to `now`.
    ///
    /// The key's own shortest wait must be over: its beginning has to be known, unless it is zero.
    ///
    /// # Errors
    /// [`StateError::DestructionWait`], [`StateError::DeletionProtected`], [`StateError::KeyNotPendingDeletion`] or
    /// [`StateError::KeyDeleted`].
    pub fn deletion_hastened(self, now: Timestamp) -> Result<Self, StateError> {
        let (delete_at, switch, requested_at) = match self.state {
            KeyState::PendingDeletion { delete_at, switch, requested_at } => (delete_at, switch, requested_at),
            KeyState::Live { .. } => return Err(StateError::KeyNotPendingDeletion),
            KeyState::Deleted { .. } => return Err(StateError::KeyDeleted),
        };
        if self.deletion_protection {
            return Err(StateError::DeletionProtected);
        }
        let waited = requested_at.is_some_and(|at| at.plus(self.min_destruction_wait) <= now);
        if !waited && !self.min_destruction_wait.is_zero() && now < delete_at {
            return Err(StateError::DestructionWait);
        }
        Ok(Self { state: KeyState::PendingDeletion { delete_at: delete_at.min(now), switch, requested_at }, ..self })
    }

    /// Ends the wait: from here on the key cannot come back. Its name is free for others then.
    ///
    /// # Errors
    /// [`StateError::NotDue`] before `delete_at`, [`StateError::KeyNotPendingDeletion`] or
    /// [`StateError::KeyDeleted`] in other states.
    pub fn deleted(self, now: Timestamp) -> Result<Self, StateError> {
        match self.state {
            KeyState::PendingDeletion { delete_at, .. } if delete_at <= now => Ok(Self {
                state: KeyState::Deleted { deleted_at: now },
                rotation: None,
                key_name: None,
                token_generator: None,
                ..self
            }),
            KeyState::PendingDeletion { .. } => Err(StateError::NotDue),
            KeyState::Live { .. } => Err(StateError::KeyNotPendingDeletion),
            KeyState::Deleted { .. } => Err(StateError::KeyDeleted),
        }
    }
}

/// Checks that a key may have these tags.
///
/// # Errors
/// [`ValueError::TooMany`] above [`MAX_TAGS`].
pub fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ValueError> {
    if tags.len() > MAX_TAGS {
        return Err(ValueError::TooMany { field: "tags", limit: MAX_TAGS });
    }
    Ok(())
}

/// Checks that a key with this algorithm may be convergent. What makes a key convergent is derived from its bytes, which
/// a token does not hand out and, under the KEK's template, does not derive from.
///
/// # Errors
/// [`StateError::KeyIsConvergent`] if it may not.
pub fn check_convergent(convergent: bool, algorithm: Algorithm) -> Result<(), StateError> {
    if convergent && algorithm != Algorithm::Aes256 { Err(StateError::KeyIsConvergent) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
