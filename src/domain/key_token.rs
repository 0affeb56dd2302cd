//! Tokens with which one key is used in the name of who issued them, and the generator on which they depend.
//!
//! They are of the Ncloud dialect. Single tokens cannot be revoked: all tokens of a key depend on its generator, and are
//! worth nothing once it is replaced or deleted.

use super::error::StateError;
use super::id::{GeneratorId, KeyId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// Using the key.
    Access,
    /// Getting new tokens.
    Refresh,
}

/// What a request with a token may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyToken {
    /// What the token is good for.
    pub usage: TokenUse,
    /// The one key.
    pub key_id: KeyId,
    /// The generator that it was issued under.
    pub generator_id: GeneratorId,
}

/// A key's generator of tokens. A deleted one is kept to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGenerator {
    /// Names it. A replacement has a new one.
    pub id: GeneratorId,
    /// Since when it is there.
    pub enabled_at: Timestamp,
    /// When it was deleted.
    pub disabled_at: Option<Timestamp>,
}

impl TokenGenerator {
    /// A new one.
    #[must_use]
    pub const fn new(id: GeneratorId, now: Timestamp) -> Self {
        Self { id, enabled_at: now, disabled_at: None }
    }

    /// Whether tokens depend on it that are worth something.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }

    /// The generator after its end.
    ///
    /// # Errors
    /// [`StateError::NoTokenGenerator`] if it is deleted already.
    pub const fn deleted(self, now: Timestamp) -> Result<Self, StateError> {
        if !self.is_active() {
            return Err(StateError::NoTokenGenerator);
        }
        Ok(Self { disabled_at: Some(now), ..self })
    }
}
