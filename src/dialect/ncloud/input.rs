//! A request's members, read strictly, so that handlers take what is there. Texts may be secrets: they are wiped when they
//! are dropped.
//!
//! A body is JSON whatever its content type says: the cloud's own examples send none. Members that nobody asks for are
//! passed over, as in the cloud; of two members of one name nobody knows which is meant.

use super::error::NcloudError;
use crate::dialect::unambiguous::Unambiguous;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use zeroize::Zeroizing;

/// Most texts of one list.
const MAX_LIST: usize = 1000;

/// The members of a body, each name once.
#[derive(Default)]
pub struct Input(Vec<(String, Item)>);

/// A value.
enum Item {
    Null,
    Flag(bool),
    Int(i64),
    Text(Zeroizing<String>),
    List(Vec<Self>),
    /// An object, or a number that is no integer: no member of ours is one.
    Other,
}

/// One text, or a list of them: an answer has the form of its request.
#[derive(Debug, PartialEq, Eq)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list of at least one.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them, and what makes the form again.
    pub fn into_list(self) -> (Vec<T>, Form) {
        match self {
            Self::One(one) => (vec![one], Form::One),
            Self::Many(many) => (many, Form::Many),
        }
    }
}

/// The form of a request, and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One text.
    One,
    /// A list.
    Many,
}

impl Input {
    /// Reads a body. An empty one has no members.
    ///
    /// # Errors
    /// INVALID_REQUEST for what is not JSON, is no object, or has a member twice. The text says where, never what is there.
    pub fn read(body: &[u8]) -> Result<Self, NcloudError> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => "is not a JSON object in which each name stands once",
                _ => "is not JSON",
            };
            NcloudError::invalid(format!("the body {what}, at line {line} column {column}"))
        })
    }

    fn take(&mut self, name: &str) -> Option<Item> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1).filter(|item| !matches!(item, Item::Null))
    }

    /// Whether a member was sent (`null` is not).
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, item)| known == name && !matches!(item, Item::Null))
    }

    /// A text that may be absent.
    ///
    /// # Errors
    /// INVALID_REQUEST for another type.
    pub fn text(&mut self, name: &str) -> Result<Option<Zeroizing<String>>, NcloudError> {
        match self.take(name) {
            None => Ok(None),
            Some(Item::Text(text)) => Ok(Some(text)),
            Some(_) => Err(NcloudError::invalid(format!("{name} must be a string"))),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// INVALID_REQUEST if it is not.
    pub fn required_text(&mut self, name: &str) -> Result<Zeroizing<String>, NcloudError> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// Yes or no; no if it is absent.
    ///
    /// # Errors
    /// INVALID_REQUEST for another type.
    pub fn flag(&mut self, name: &str) -> Result<bool, NcloudError> {
        match self.take(name) {
            None => Ok(false),
            Some(Item::Flag(flag)) => Ok(flag),
            Some(_) => Err(NcloudError::invalid(format!("{name} must be true or false"))),
        }
    }

    /// An integer that may be absent.
    ///
    /// # Errors
    /// INVALID_REQUEST for another type.
    pub fn int(&mut self, name: &str) -> Result<Option<i64>, NcloudError> {
        match self.take(name) {
            None => Ok(None),
            Some(Item::Int(number)) => Ok(Some(number)),
            Some(_) => Err(NcloudError::invalid(format!("{name} must be an integer"))),
        }
    }

    /// An integer or a text, as a text; it may be absent.
    ///
    /// # Errors
    /// INVALID_REQUEST for another type.
    pub fn int_or_text(&mut self, name: &str) -> Result<Option<String>, NcloudError> {
        match self.take(name) {
            None => Ok(None),
            Some(Item::Int(number)) => Ok(Some(number.to_string())),
            Some(Item::Text(text)) => Ok(Some(text.to_string())),
            Some(_) => Err(NcloudError::invalid(format!("{name} must be an integer or a string"))),
        }
    }

    /// A list of texts that must be there, with at least one.
    ///
    /// # Errors
    /// INVALID_REQUEST for another type, and for more than [`MAX_LIST`].
    pub fn list(&mut self, name: &str) -> Result<Vec<Zeroizing<String>>, NcloudError> {
        match self.one_or_many(name)? {
            OneOrMany::Many(texts) => Ok(texts),
            OneOrMany::One(_) => Err(NcloudError::invalid(format!("{name} must be a list of strings"))),
        }
    }

    /// A text or a list of texts that must be there.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn one_or_many(&mut self, name: &str) -> Result<OneOrMany<Zeroizing<String>>, NcloudError> {
        let wrong = || NcloudError::invalid(format!("{name} must be a string or a list of 1 to {MAX_LIST} strings"));
        match self.take(name).ok_or_else(|| missing(name))? {
            Item::Text(text) => Ok(OneOrMany::One(text)),
            Item::List(items) if (1..=MAX_LIST).contains(&items.len()) => {
                let text = |item| match item {
                    Item::Text(text) => Ok(text),
                    _ => Err(wrong()),
                };
                items.into_iter().map(text).collect::<Result<_, _>>().map(OneOrMany::Many)
            }
            _ => Err(wrong()),
        }
    }
}

fn missing(name: &str) -> NcloudError {
    NcloudError::invalid(format!("{name} is required"))
}

/// The bytes of base64 (RFC 4648, section 4, padded).
///
/// # Errors
/// INVALID_REQUEST for anything else.
pub fn bytes_of(name: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, NcloudError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3));
    match STANDARD.decode_vec(text, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(NcloudError::invalid(format!("{name} must be base64"))),
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Input, A::Error> {
                members(access).map(Input)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn members<'de, A: MapAccess<'de>>(mut access: A) -> Result<Vec<(String, Item)>, A::Error> {
    let mut names = std::collections::HashSet::new();
    let mut members = Vec::new();
    while let Some((name, item)) = access.next_entry::<String, Item>()? {
        if !names.insert(name.clone()) {
            return Err(de::Error::custom("duplicate field"));
        }
        members.push((name, item));
    }
    Ok(members)
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Item, E> {
                Ok(Item::Null)
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Item, E> {
                Ok(Item::Flag(flag))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Item, E> {
                Ok(Item::Int(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Item, E> {
                Ok(i64::try_from(number).map_or(Item::Other, Item::Int))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Item, E> {
                Ok(Item::Other)
            }

            fn visit_str<E>(self, text: &str) -> Result<Item, E> {
                Ok(Item::Text(Zeroizing::new(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Item, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Item::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Item, A::Error> {
                Unambiguous.visit_map(access).map(|_| Item::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(body: &str) -> Input {
        Input::read(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
    }

    #[test]
    fn members_are_taken_by_name_and_type() {
        let mut input = read(r#"{"t":"x","f":true,"i":-7,"l":["a","b"],"n":null,"o":{"t":1},"big":1e3}"#);
        assert_eq!(**input.text("t").unwrap().unwrap(), *"x");
        assert!(input.flag("f").unwrap() && !input.flag("absent").unwrap());
        assert_eq!(input.int("i").unwrap(), Some(-7));
        assert_eq!(input.list("l").unwrap().iter().map(|text| text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((input.text("n").unwrap(), input.int("absent").unwrap()), (None, None));
        assert!(input.text("o").is_err() && input.int("big").is_err());
    }

    #[test]
    fn hours_may_be_numbers_or_texts() {
        let mut input = read(r#"{"a":72,"b":"72","c":"UL","d":true}"#);
        let mut take = |name| input.int_or_text(name).ok().flatten();
        assert_eq!(["a", "b", "c", "d", "e"].map(&mut take).map(Option::unwrap_or_default), ["72", "72", "UL", "", ""]);
    }

    #[rstest]
    #[case("[]")]
    #[case("7")]
    #[case("\"x\"")]
    #[case("{")]
    #[case("{\"a\":1} x")]
    #[case(r#"{"a":1,"a":1}"#)]
    #[case(r#"{"a":1,"\u0061":2}"#)]
    #[case(r#"{"o":{"a":1,"a":2}}"#)]
    #[case(r#"{"o":[{"a":1,"a":2}]}"#)]
    #[case("\u{1}")]
    fn what_is_no_object_with_each_name_once_is_refused(#[case] body: &str) {
        assert!(Input::read(body.as_bytes()).is_err(), "{body}");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused() {
        assert!(Input::read(b"{\"a\":\"\xff\"}").is_err());
    }

    #[rstest]
    #[case("")]
    #[case(" \r\n")]
    #[case("{}")]
    fn an_empty_body_has_no_members(#[case] body: &str) {
        assert!(read(body).0.is_empty());
    }

    #[rstest]
    #[case(r#"{"p":[]}"#)]
    #[case(r#"{"p":[1]}"#)]
    #[case(r#"{"p":["a",null]}"#)]
    #[case(r#"{"p":[["a"]]}"#)]
    #[case(r#"{"p":null}"#)]
    #[case(r#"{"p":7}"#)]
    #[case("{}")]
    fn a_list_is_of_texts_and_not_empty(#[case] body: &str) {
        assert!(read(body).one_or_many("p").is_err(), "{body}");
    }

    #[test]
    fn a_list_has_an_end() {
        let list = |count: usize| read(&format!(r#"{{"p":[{}]}}"#, vec!["\"a\""; count].join(","))).one_or_many("p");
        assert!(list(MAX_LIST).is_ok() && list(MAX_LIST + 1).is_err());
    }

    #[test]
    fn a_refusal_does_not_repeat_values() {
        for body in [r#"{"p":"SECRET""#, r#"{"SECRET":1,"SECRET":2}"#, r#"{"p":SECRET}"#] {
            let error = Input::read(body.as_bytes()).err().unwrap();
            assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
        }
        let error = bytes_of("plaintext", "SECRET!").unwrap_err();
        assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
    }

    #[rstest]
    #[case("AA==", true)]
    #[case("", true)]
    #[case("AA", false)]
    #[case("AB==", false)]
    #[case("-_-_", false)]
    #[case("AA==\n", false)]
    fn base64_is_standard_and_padded(#[case] text: &str, #[case] good: bool) {
        assert_eq!(bytes_of("p", text).is_ok(), good, "{text:?}");
    }
}
