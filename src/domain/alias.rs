//! Aliases: names that callers give to keys, unique within an account and region.

use super::error::ValueError;
use super::id::{FolderId, KeyId};
use super::time::Timestamp;
use std::fmt;

/// Most aliases of one key.
pub const MAX_ALIASES_PER_KEY: usize = 50;
/// What every name begins with.
pub const PREFIX: &str = "alias/";
const MAX_CHARS: usize = 256;

/// An alias's whole name: `alias/` and at least one of `[a-zA-Z0-9/_-]`, 256 characters at most.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(String);

impl AliasName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`ValueError`] naming the rule that is broken.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        if text.len() > MAX_CHARS {
            return Err(ValueError::TooLong { field: "alias", limit: MAX_CHARS });
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
        match text.strip_prefix(PREFIX) {
            Some(rest) if !rest.is_empty() && rest.bytes().all(allowed) => Ok(Self(text.to_owned())),
            _ => Err(ValueError::Pattern { field: "alias", pattern: "alias/[a-zA-Z0-9/_-]+" }),
        }
    }

    /// The text, with `alias/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is kept for keys that a cloud provider makes (`alias/aws/...`).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("alias/aws/")
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an alias's name is unique.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AliasPlace {
    /// The folder, which has one account number.
    pub folder_id: FolderId,
    /// The region.
    pub region: String,
    /// The name.
    pub name: AliasName,
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Where it is.
    pub place: AliasPlace,
    /// The key that it stands for, which is in the same folder and region; `None` once the alias is deleted. The row
    /// stays, so that its removal by others is noticed, and is used again for an alias of the same name.
    pub key_id: Option<KeyId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last made to stand for another key.
    pub updated_at: Timestamp,
}
