//! Names, descriptions and labels, checked once at the border.

use super::error::ValueError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A key's name: free text, not unique, at most 100 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

/// A key's description: free text. The native dialect accepts at most 1024 characters, AWS 8192.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Description(String);

/// Labels of a key: at most 64; names `[a-z][-_0-9a-z]*` and values `[-_0-9a-z]*`, both at most 63 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// A text with at most `limit` characters.
fn bounded(field: &'static str, limit: usize, text: String) -> Result<String, ValueError> {
    if text.chars().count() > limit {
        return Err(ValueError::TooLong { field, limit });
    }
    Ok(text)
}

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// [`ValueError::TooLong`] above 100 characters.
    pub fn new(text: String) -> Result<Self, ValueError> {
        bounded("name", 100, text).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Description {
    /// Checks a description.
    ///
    /// # Errors
    /// [`ValueError::TooLong`] above `limit` characters, which is the dialect's.
    pub fn new(text: String, limit: usize) -> Result<Self, ValueError> {
        bounded("description", limit, text).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Labels {
    /// Checks a set of labels.
    ///
    /// # Errors
    /// [`ValueError`] naming the first rule that is broken.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, ValueError> {
        if pairs.len() > 64 {
            return Err(ValueError::TooMany { field: "labels", limit: 64 });
        }
        for (name, value) in &pairs {
            Self::check(name, value)?;
        }
        Ok(Self(pairs))
    }

    fn check(name: &str, value: &str) -> Result<(), ValueError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        for (field, text) in [("label name", name), ("label value", value)] {
            if text.chars().count() > 63 {
                return Err(ValueError::TooLong { field, limit: 63 });
            }
        }
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(allowed) {
            return Err(ValueError::Pattern { field: "label name", pattern: "[a-z][-_0-9a-z]*" });
        }
        if !value.chars().all(allowed) {
            return Err(ValueError::Pattern { field: "label value", pattern: "[-_0-9a-z]*" });
        }
        Ok(())
    }

    /// The pairs, ordered by name.
    #[must_use]
    pub const fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}
