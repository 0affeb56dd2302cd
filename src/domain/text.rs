//! Names, descriptions and labels, checked once at the border.

use super::error::ValueError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A key's name: free text, not unique, at most 100 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

/// A key's description: free text. The native dialect accepts at most 1024 characters, AWS 8192, Ncloud 100.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Description(String);

/// Labels of a key: at most 64; names `[a-z][-_0-9a-z]*` and values `[-_0-9a-z]*`, both at most 63 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// Ncloud's name of a key: 3 to 15 of `[a-zA-Z0-9_-]`, a letter first; unique in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShortName(String);

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

impl ShortName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`ValueError::Pattern`].
    pub fn new(text: String) -> Result<Self, ValueError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if (3..=15).contains(&text.len()) && starts && text.bytes().all(allowed) {
            return Ok(Self(text));
        }
        Err(ValueError::Pattern { field: "keyName", pattern: "[a-zA-Z][a-zA-Z0-9_-]{2,14}" })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ShortName {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        Self::new(text)
    }
}

impl From<ShortName> for String {
    fn from(name: ShortName) -> Self {
        name.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_has_3_to_15_characters_and_begins_with_a_letter() {
        for good in ["abc", "A-_", "a23456789012345"] {
            assert_eq!(ShortName::new(good.to_owned()).unwrap().as_str(), good);
        }
        for bad in ["", "ab", "a234567890123456", "1bc", "-bc", "a.c", "a c", "\u{e4}bc", "ab\u{e4}"] {
            assert!(ShortName::new(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<ShortName>("\"1bc\"").is_err());
    }
}
