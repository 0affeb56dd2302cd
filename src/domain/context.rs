//! The additional authenticated data that a caller binds to a ciphertext.
//!
//! Dialects have different forms of it; each has a kind of its own, and kinds never match each other, except
//! that "nothing" (absent, zero bytes, an empty map) is the same in every dialect.

use std::collections::BTreeMap;

/// A caller's context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EncryptionContext {
    /// None, zero bytes or an empty map.
    #[default]
    Empty,
    /// Raw bytes (the native dialect's `aad_context`).
    Bytes(Vec<u8>),
    /// Pairs of strings (AWS's encryption context).
    Pairs(BTreeMap<String, String>),
    /// Ncloud's context of convergent encryption.
    Convergent(Vec<u8>),
}

impl EncryptionContext {
    /// Raw bytes; none at all if there are zero.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Bytes(bytes) }
    }

    /// Pairs of strings, already free of duplicates; none at all if there are zero.
    #[must_use]
    pub fn from_pairs(pairs: BTreeMap<String, String>) -> Self {
        if pairs.is_empty() { Self::Empty } else { Self::Pairs(pairs) }
    }

    /// The kind's number in the AAD of the envelope.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Empty => 0,
            Self::Bytes(_) => 1,
            Self::Pairs(_) => 2,
            Self::Convergent(_) => 3,
        }
    }

    /// The one byte string that stands for this context: the bytes themselves, or for pairs a `u32` count and
    /// then each name and value, sorted by name as UTF-8 bytes, each with a `u32` length before it (big-endian).
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        match self {
            Self::Empty => Vec::new(),
            Self::Bytes(bytes) | Self::Convergent(bytes) => bytes.clone(),
            Self::Pairs(pairs) => canonical_pairs(pairs),
        }
    }
}

fn canonical_pairs(pairs: &BTreeMap<String, String>) -> Vec<u8> {
    let length_of = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = Vec::new();
    out.extend(u32::try_from(pairs.len()).unwrap_or(u32::MAX).to_be_bytes());
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(length_of(text));
        out.extend(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> EncryptionContext {
        EncryptionContext::from_pairs(list.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    #[test]
    fn nothing_is_the_same_in_every_form() {
        assert_eq!(EncryptionContext::from_bytes(Vec::new()), EncryptionContext::Empty);
        assert_eq!(pairs(&[]), EncryptionContext::Empty);
    }

    #[test]
    fn pairs_are_encoded_sorted_with_lengths() {
        let context = pairs(&[("b", "2"), ("a", "1")]);
        assert_eq!(context.canonical(), b"\0\0\0\x02\0\0\0\x01a\0\0\0\x011\0\0\0\x01b\0\0\0\x012");
    }

    #[test]
    fn moving_a_byte_between_name_and_value_changes_the_encoding() {
        assert_ne!(pairs(&[("ab", "c")]).canonical(), pairs(&[("a", "bc")]).canonical());
    }
}
