//! A request's members, read strictly and checked against the table of its operation, so that handlers only take what is
//! there. Values of secrets are wiped when they are dropped.
//!
//! [`reader`] turns JSON into values, [`check`] judges them; both say what is wrong in the cloud's words.

mod check;
mod reader;

use super::error::AwsError;
use super::shapes::Member;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

pub use check::missing;

/// The members of a request that its operation knows. Others are ignored, as in the cloud.
pub struct Input {
    members: Members,
}

/// Members in the order of the request, each name once.
type Members = Vec<(&'static str, Value)>;

/// A checked value.
pub enum Value {
    /// A string, or an enumeration's name.
    Text(String),
    /// A number.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// Bytes, which are base64 on the wire.
    Blob(Zeroizing<Vec<u8>>),
    /// A map from string to string.
    Map(BTreeMap<String, String>),
    /// A list of strings.
    Texts(Vec<String>),
    /// Tags, in the order of the request.
    Tags(Vec<(String, String)>),
    /// A structure that only has to be known to be there (`Recipient`).
    Present,
}

impl Input {
    /// Reads a body: JSON without duplicate members, whose members have the types, lengths, ranges, patterns and names of
    /// `table`.
    ///
    /// # Errors
    /// SerializationException for what is not JSON of these types, ValidationException for values that the table refuses.
    pub fn read(table: &'static [Member], body: &[u8]) -> Result<Self, AwsError> {
        reader::read(table, body).map(|members| Self { members })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.members.iter().position(|(known, _)| *known == name)?;
        Some(self.members.swap_remove(at).1)
    }

    /// Whether a member was sent (`null` is not).
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// Yes or no; no if it is absent.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Flag(true)))
    }

    /// Takes bytes out.
    pub fn take_blob(&mut self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.take(name) {
            Some(Value::Blob(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Takes a map out; empty if it is absent.
    pub fn take_map(&mut self, name: &str) -> BTreeMap<String, String> {
        match self.take(name) {
            Some(Value::Map(map)) => map,
            _ => BTreeMap::new(),
        }
    }

    /// A list of strings; empty if it is absent.
    #[must_use]
    pub fn texts(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Tags; empty if they are absent.
    #[must_use]
    pub fn tags(&self, name: &str) -> &[(String, String)] {
        match self.get(name) {
            Some(Value::Tags(tags)) => tags,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests;
