//! From JSON to values, by the table of an operation.
//!
//! A body is read once, from its bytes to values: no text of it is kept beside them, so that what is decoded of a secret
//! is all there is of it. Every object must have each name once, also where nobody looks. The depth is bounded by the JSON
//! library, at 128.
//!
//! Texts of SerializationException that begin with a kind of value, `Start of` or `Expected` are recorded from services of
//! the cloud that use the same framework; for a body that is no JSON the cloud has no text, and ours says where it ends to
//! be one. Ours are stricter in two places: a string is not taken for a flag, nor a number with a fraction for an integer.

use super::super::error::{AwsError, Code};
use super::super::shapes::{Member, Shape, TAG, Text};
use super::check::{Path, Violations};
use super::{Members, Value};
use crate::dialect::unambiguous::Unambiguous;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use zeroize::Zeroizing;

/// What a name that is there twice is called on its way out of the JSON library.
const TWICE: &str = "duplicate field";

/// Reads a body; an empty one is an empty object.
pub fn read(table: &'static [Member], body: &[u8]) -> Result<Members, AwsError> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = Request { table, found: &mut found }.deserialize(&mut json);
    let members = members.and_then(|members| json.end().map(|()| members)).map_err(|error| not_json(&error))?;
    match found {
        Found { wrong: Some(text), .. } => Err(AwsError::new(Code::Serialization, text)),
        Found { violations, .. } if !violations.is_empty() => Err(violations.into_error()),
        Found { .. } => Ok(members),
    }
}

/// The place of the mistake, never what stands there.
fn not_json(error: &serde_json::Error) -> AwsError {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        Category::Data => "a name is given twice in one object",
        Category::Syntax | Category::Eof | Category::Io => "the body is not JSON",
    };
    AwsError::new(Code::Serialization, format!("{what}, at line {line} column {column}"))
}

/// What is wrong with a request. A value of the wrong type counts before any that breaks a constraint.
#[derive(Default)]
struct Found {
    wrong: Option<String>,
    violations: Violations,
}

impl Found {
    fn wrong(&mut self, text: impl Into<String>) {
        self.wrong.get_or_insert_with(|| text.into());
    }

    fn mismatch(&mut self, json: Json<'_>, shape: &Shape) {
        self.wrong(mismatch(json, shape));
    }
}

/// A JSON value, without what lists and objects hold.
#[derive(Clone, Copy)]
enum Json<'a> {
    Text(&'a str),
    Int(i64),
    Decimal,
    Flag(bool),
    List,
    Object,
}

/// The text for a value that its shape does not take.
fn mismatch(json: Json<'_>, shape: &Shape) -> String {
    let scalar = match json {
        Json::List => return "Start of list found where not expected".into(),
        Json::Object => return "Start of structure or map found where not expected.".into(),
        Json::Text(_) => "STRING_VALUE",
        Json::Int(_) => "NUMBER_VALUE",
        Json::Decimal => "DECIMAL_VALUE",
        Json::Flag(true) => "TRUE_VALUE",
        Json::Flag(false) => "FALSE_VALUE",
    };
    match shape {
        Shape::Text(_) | Shape::Name(_) => format!("{scalar} can not be converted to a String"),
        Shape::Int { .. } => format!("{scalar} can not be converted to an Integer"),
        Shape::Flag => format!("{scalar} can not be converted to a Boolean"),
        Shape::Blob { .. } => format!("{scalar} can not be converted to a Blob"),
        Shape::Texts { .. } | Shape::Tags => "Expected list or null".into(),
        Shape::Map => "Expected map or null".into(),
        Shape::Structure => "Expected null".into(),
    }
}

/// Implements what every reader of a value does with null and with what is neither list nor object.
macro_rules! any_json {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(self.null())
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(self.other(Json::Flag(value)))
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
            Ok(self.other(Json::Int(value)))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            // No limit is near.
            Ok(self.other(Json::Int(i64::try_from(value).unwrap_or(i64::MAX))))
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok(self.other(Json::Decimal))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(self.other(Json::Text(text)))
        }
    };
}

/// Reads the whole request.
struct Request<'f> {
    table: &'static [Member],
    found: &'f mut Found,
}

impl Request<'_> {
    /// The cloud has no text for these.
    fn null(self) -> Members {
        self.found.wrong("Expected a structure");
        Members::new()
    }

    fn other(self, _: Json<'_>) -> Members {
        self.null()
    }
}

impl<'de> DeserializeSeed<'de> for Request<'_> {
    type Value = Members;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Members, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Request<'_> {
    type Value = Members;

    any_json!();

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Members, A::Error> {
        Unambiguous.visit_seq(items)?;
        self.found.mismatch(Json::List, &Shape::Structure);
        Ok(Members::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Members, A::Error> {
        structure(members, self.table, None, self.found)
    }
}

/// Reads a structure, and finds what of it is missing.
fn structure<'de, A: MapAccess<'de>>(
    mut access: A,
    table: &'static [Member],
    within: Option<(&'static str, usize)>,
    found: &mut Found,
) -> Result<Members, A::Error> {
    let mut members = Members::with_capacity(table.len());
    // No table has 32 members.
    let mut seen = 0_u32;
    let mut unknown = HashSet::new();
    while let Some(name) = access.next_key_seed(Name(table))? {
        match name {
            Ok(at) => {
                if seen & (1 << at) != 0 {
                    return Err(A::Error::custom(TWICE));
                }
                seen |= 1 << at;
                let member = &table[at];
                let path = Path::within(within, member.name);
                let value = access.next_value_seed(Of { shape: &member.shape, path, found: &mut *found })?;
                match value {
                    Some(value) => members.push((member.name, value)),
                    None if member.required => found.violations.missing(path),
                    None => {}
                }
            }
            Err(name) => {
                access.next_value::<Unambiguous>()?;
                if !unknown.insert(name) {
                    return Err(A::Error::custom(TWICE));
                }
            }
        }
    }
    let absent = table.iter().enumerate().filter(|(at, member)| member.required && seen & (1 << at) == 0);
    absent.for_each(|(_, member)| found.violations.missing(Path::within(within, member.name)));
    Ok(members)
}

/// Reads a member's name: its place in the table, or the name if it has none there.
struct Name(&'static [Member]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|member| member.name == name).ok_or_else(|| name.to_owned()))
    }
}

/// Reads a value of a shape and judges it; `None` if it is null or of a wrong type.
struct Of<'f> {
    shape: &'f Shape,
    path: Path,
    found: &'f mut Found,
}

impl Of<'_> {
    /// Null is the same as absent.
    const fn null(self) -> Option<Value> {
        None
    }

    fn other(self, json: Json<'_>) -> Option<Value> {
        let value = match (self.shape, json) {
            (Shape::Text(_) | Shape::Name(_), Json::Text(text)) => Value::Text(text.to_owned()),
            (Shape::Int { .. }, Json::Int(number)) => Value::Int(number),
            (Shape::Flag, Json::Flag(flag)) => Value::Flag(flag),
            (Shape::Blob { .. }, Json::Text(text)) => match decoded(text) {
                Some(bytes) => Value::Blob(bytes),
                None => return self.not_base64(),
            },
            _ => {
                self.found.mismatch(json, self.shape);
                return None;
            }
        };
        self.judged(value)
    }

    fn not_base64(self) -> Option<Value> {
        self.found.wrong(format!("The value at '{}' is not valid Base64 (RFC 4648, section 4)", self.path));
        None
    }

    fn judged(self, value: Value) -> Option<Value> {
        self.found.violations.check(self.shape, &value, self.path);
        Some(value)
    }
}

/// Decodes padded base64 of the standard alphabet. What is decoded before a mistake is wiped too.
fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(base64::decoded_len_estimate(text.len())));
    STANDARD.decode_vec(text, &mut bytes).ok()?;
    Some(bytes)
}

impl<'de> DeserializeSeed<'de> for Of<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Of<'_> {
    type Value = Option<Value>;

    any_json!();

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        let value = match self.shape {
            Shape::Texts { .. } => Value::Texts(texts(items, self.path, self.found)?),
            Shape::Tags => Value::Tags(tags(items, self.path, self.found)?),
            _ => {
                Unambiguous.visit_seq(items)?;
                return Ok(self.other(Json::List));
            }
        };
        Ok(self.judged(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        match self.shape {
            Shape::Map => Ok(Some(Value::Map(map(entries, self.path, self.found)?))),
            Shape::Structure => Unambiguous.visit_map(entries).map(|_| Some(Value::Present)),
            _ => {
                Unambiguous.visit_map(entries)?;
                Ok(self.other(Json::Object))
            }
        }
    }
}

/// A string of a list or map: its own limits are judged with the whole.
const ANY_TEXT: Shape = Shape::Text(Text { min: 0, max: usize::MAX, pattern: None });

fn texts<'de, A: SeqAccess<'de>>(mut items: A, path: Path, found: &mut Found) -> Result<Vec<String>, A::Error> {
    let mut texts = Vec::new();
    let mut nulls = false;
    while let Some(item) = items.next_element_seed(Of { shape: &ANY_TEXT, path, found: &mut *found })? {
        match item {
            Some(Value::Text(text)) => texts.push(text),
            _ => nulls = true,
        }
    }
    if nulls {
        found.violations.null_in_list(path);
    }
    Ok(texts)
}

fn map<'de, A: MapAccess<'de>>(
    mut entries: A,
    path: Path,
    found: &mut Found,
) -> Result<BTreeMap<String, String>, A::Error> {
    let mut map = BTreeMap::new();
    let mut nulls = false;
    while let Some(name) = entries.next_key::<String>()? {
        let value = entries.next_value_seed(Of { shape: &ANY_TEXT, path, found: &mut *found })?;
        nulls |= value.is_none();
        let text = match value {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        };
        if map.insert(name, text).is_some() {
            return Err(A::Error::custom(TWICE));
        }
    }
    if nulls {
        found.violations.null_in_map(path);
    }
    Ok(map)
}

fn tags<'de, A: SeqAccess<'de>>(
    mut items: A,
    path: Path,
    found: &mut Found,
) -> Result<Vec<(String, String)>, A::Error> {
    let mut tags = Vec::new();
    let list = path.name();
    while let Some(tag) = items.next_element_seed(Tag { within: (list, tags.len() + 1), found: &mut *found })? {
        tags.push(tag);
    }
    Ok(tags)
}

/// Reads a tag. One that is wrong is empty, and was found wrong.
struct Tag<'f> {
    within: (&'static str, usize),
    found: &'f mut Found,
}

impl Tag<'_> {
    fn null(self) -> (String, String) {
        self.found.violations.null_in_list(Path::member(self.within.0));
        (String::new(), String::new())
    }

    fn other(self, json: Json<'_>) -> (String, String) {
        self.found.mismatch(json, &Shape::Structure);
        (String::new(), String::new())
    }
}

impl<'de> DeserializeSeed<'de> for Tag<'_> {
    type Value = (String, String);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tag<'_> {
    type Value = (String, String);

    any_json!();

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Unambiguous.visit_seq(items)?;
        Ok(self.other(Json::List))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let members = structure(members, TAG, Some(self.within), self.found)?;
        let mut tag = (String::new(), String::new());
        for (name, value) in members {
            match (name, value) {
                ("TagKey", Value::Text(text)) => tag.0 = text,
                (_, Value::Text(text)) => tag.1 = text,
                _ => {}
            }
        }
        Ok(tag)
    }
}
