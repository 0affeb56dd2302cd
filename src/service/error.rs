//! Why a use case ended without doing what was asked, by whose fault. Every dialect maps this enum in one
//! total `match`. The texts are for callers: they say what to do and tell nothing of the inside.

use super::ports::{StoreError, TokenError};
use crate::domain::error::{StateError, ValueError};
use crate::domain::version::ScheduleError;

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A folder.
    Folder,
    /// A key.
    Key,
    /// A key version.
    Version,
    /// An operation.
    Operation,
    /// A person or service account.
    Principal,
    /// A credential.
    Credential,
    /// An alias.
    Alias,
}

/// A refusal or failure of a use case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServiceError {
    /// Caller: the request itself is wrong; the text says how.
    #[error("{0}")]
    Invalid(String),
    /// Caller: a value is outside of the rules.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Caller: ciphertext, context and key do not belong together, or the ciphertext was changed.
    #[error("the ciphertext cannot be decrypted with this key and additional data")]
    NotAuthentic,
    /// Caller: more data than the token can process.
    #[error("at most {max_bytes} bytes can be processed with this key")]
    TooLarge {
        /// The largest size.
        max_bytes: usize,
    },
    /// Caller: no credential, or none that is valid.
    #[error("a valid credential is required")]
    Unauthenticated,
    /// Caller: allowed to know of the resource, not to do this.
    #[error("permission denied")]
    Denied,
    /// Caller: allowed to do this with the key, but not from where the request comes.
    #[error("the address list of the key does not let it be used from the address of this request")]
    AddressDenied,
    /// Caller: no such thing, or none that the caller may know of.
    #[error("{what:?} {id} not found")]
    NotFound {
        /// What kind of thing.
        what: Missing,
        /// The id as the caller gave it.
        id: String,
    },
    /// State: the key or version is not in a state for this.
    #[error(transparent)]
    State(#[from] StateError),
    /// Limit: the key has as many versions as are allowed.
    #[error("the key has {limit} versions, which is the limit")]
    VersionLimit {
        /// `limits.max_versions_per_key`.
        limit: u32,
    },
    /// Limit: the key was rotated on demand as often as is allowed.
    #[error("the key was rotated on demand {limit} times, which is the limit")]
    OnDemandRotationLimit {
        /// The limit.
        limit: u32,
    },
    /// Limit: the key has as many aliases as are allowed.
    #[error("the key has {limit} aliases, which is the limit")]
    AliasLimit {
        /// The limit.
        limit: usize,
    },
    /// Limit: the material was used for 2^32 encryptions (NIST SP 800-38D, 8.3).
    #[error("the key version has encrypted 2^32 times, which is the limit for AES-GCM: rotate the key")]
    InvocationLimit,
    /// Caller: such a thing is there already; the text says what.
    #[error("{0}")]
    Exists(&'static str),
    /// Limit: too many requests, or too many failed attempts to authenticate; the text says which.
    #[error("{text}")]
    Throttled {
        /// The text for the caller.
        text: &'static str,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// State: someone else changed the same thing at the same moment, again and again.
    #[error("the resource is being changed by another request: try again")]
    Conflict,
    /// Unavailable: token or database do not answer. The text is the cause, for the log.
    #[error("the service is temporarily unavailable: try again")]
    Unavailable(String),
    /// Integrity: stored data was changed outside of the service. The text is the cause, for the log.
    #[error("the stored data of this resource failed its integrity check: ask the operator")]
    Integrity(String),
    /// The service does not do this (yet).
    #[error("not implemented: {0}")]
    NotImplemented(&'static str),
    /// Bug: a mistake of ours. The text is the cause, for the log.
    #[error("internal error")]
    Bug(String),
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Integrity { .. } => Self::Integrity(error.to_string()),
            StoreError::Unavailable(_) => Self::Unavailable(error.to_string()),
            StoreError::Bug(_) => Self::Bug(error.to_string()),
        }
    }
}

impl From<TokenError> for ServiceError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotAuthentic => Self::NotAuthentic,
            TokenError::TooLarge { max_bytes } => Self::TooLarge { max_bytes },
            TokenError::MaterialDamaged(_) | TokenError::Untrusted(_) => Self::Integrity(error.to_string()),
            TokenError::Unavailable(_) | TokenError::PinRefused(_) => Self::Unavailable(error.to_string()),
            TokenError::NotImplemented(what) => Self::NotImplemented(what),
        }
    }
}

impl From<ScheduleError> for ServiceError {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::State(state) => state.into(),
            ScheduleError::Value(value) => value.into(),
        }
    }
}

impl ServiceError {
    /// What is written to the log beside the caller's text, if there is more to know.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Unavailable(cause) | Self::Integrity(cause) | Self::Bug(cause) => Some(cause),
            _ => None,
        }
    }

    /// When to try again, in seconds, where the caller is told.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Throttled { retry_after_s, .. } => Some(*retry_after_s),
            _ => None,
        }
    }
}
