//! Why a rule refuses. Each variant is one situation that a caller can act on.

use std::time::Duration;

/// The state of a key or version forbids what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The key is switched off; crypto and rotation need an active key.
    #[error("the key is inactive: set its status to ACTIVE first")]
    KeyInactive,
    /// The key is switched on already.
    #[error("the key is active already")]
    KeyActive,
    /// The key waits for its deletion (other dialects show it; the native one hides it).
    #[error("the key is pending deletion")]
    KeyPendingDeletion,
    /// The key is gone for good.
    #[error("the key is deleted")]
    KeyDeleted,
    /// A rotation was asked for so shortly before the schedule's own one that the two could be taken for one.
    #[error("the key is about to be rotated by its schedule: try again after that")]
    RotationImminent,
    /// A restore was asked for a key that is not pending deletion.
    #[error("the key is not pending deletion")]
    KeyNotPendingDeletion,
    /// Deletion protection is on.
    #[error("deletion protection is on: switch it off first")]
    DeletionProtected,
    /// The version is not ACTIVE.
    #[error("the key version is not active")]
    VersionNotActive,
    /// The version's bytes are gone or going.
    #[error("the key version is destroyed")]
    VersionDestroyed,
    /// The version is already scheduled for destruction.
    #[error("the key version is already scheduled for destruction")]
    VersionAlreadyScheduled,
    /// A cancel was asked for a version that is not scheduled.
    #[error("the key version is not scheduled for destruction")]
    VersionNotScheduled,
    /// The primary version can be neither destroyed nor disabled.
    #[error("the primary version cannot be destroyed or disabled: make another version primary first")]
    VersionIsPrimary,
    /// The newest version can not be switched off: it is what a rotation was made for.
    #[error("the newest version cannot be disabled: rotate the key first")]
    VersionIsNewest,
    /// Automatic rotation is off.
    #[error("automatic rotation is off: switch it on first")]
    RotationOff,
    /// The key's shortest wait before a destruction is not over.
    #[error("the key's shortest wait before its deletion is not over: it is deleted by itself when that is")]
    DestructionWait,
    /// Destructions are held because the clock leapt.
    #[error("destructions are held because the clock of the server leapt: an operator must confirm it first")]
    DestructionsHeld,
    /// A convergent key has one algorithm.
    #[error("a convergent key has the algorithm AES_256, which cannot be changed")]
    KeyIsConvergent,
    /// The key has no generator of tokens.
    #[error("the key has no token generator: create one first")]
    NoTokenGenerator,
    /// The destruction time is not reached yet.
    #[error("the destruction time of the key version is not reached")]
    NotDue,
}

/// A value is outside of what the rules allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A rotation period below the configured floor or above the maximum.
    #[error("rotation period must be between {min:?} and {max:?}")]
    RotationPeriod {
        /// Shortest accepted period.
        min: Duration,
        /// Longest accepted period.
        max: Duration,
    },
    /// A destruction wait below the key's floor or above the maximum.
    #[error("pending period must be between {min:?} and {max:?}")]
    PendingPeriod {
        /// Shortest accepted period.
        min: Duration,
        /// Longest accepted period.
        max: Duration,
    },
    /// A text is longer than its limit.
    #[error("{field} must be at most {limit} characters long")]
    TooLong {
        /// The field's name in the native model.
        field: &'static str,
        /// The limit, in characters.
        limit: usize,
    },
    /// A text that must say something is empty.
    #[error("{field} must not be empty")]
    Empty {
        /// The field's name in the native model.
        field: &'static str,
    },
    /// A text has a character outside of its pattern.
    #[error("{field} must match {pattern}")]
    Pattern {
        /// The field's name in the native model.
        field: &'static str,
        /// The pattern, as a regular expression.
        pattern: &'static str,
    },
    /// A convergent key is used without additional data.
    #[error("the key is convergent: it needs a context (additional data) that is not empty")]
    ContextRequired,
    /// The context of convergent encryption is given for another key.
    #[error("context is for convergent keys only, and this key is not convergent")]
    NotConvergent,
    /// Too many entries.
    #[error("at most {limit} {field} are allowed")]
    TooMany {
        /// The field's name in the native model.
        field: &'static str,
        /// The limit.
        limit: usize,
    },
}
