//! What is wrong with a request's values, in the cloud's words.
//!
//! The form of the texts and those of the constraints are recorded from services of the cloud that use the same
//! framework. Values are quoted where the cloud quotes them, except for lists, maps, bytes and long strings: what may be
//! plaintext, ciphertext or a token is never repeated.

use super::super::error::{AwsError, Code};
use super::super::shapes::{Item, Pattern, Shape, Text};
use super::Value;
use std::fmt::{self, Display};

/// Most violations whose texts are given; the others are counted.
const MAX_TEXTS: usize = 10;
/// The longest value that is quoted, in characters.
const MAX_QUOTED_CHARS: usize = 256;

/// ValidationException for a member that must be there in this request, although the table lets it be absent.
#[must_use]
pub fn missing(member: &'static str) -> AwsError {
    let mut violations = Violations::default();
    violations.missing(Path::member(member));
    violations.into_error()
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// The list of structures that it is in, and which of them, from 1.
    within: Option<(&'static str, usize)>,
    member: &'static str,
}

impl Path {
    /// A member of the request.
    pub const fn member(member: &'static str) -> Self {
        Self { within: None, member }
    }

    /// The member's name on the wire.
    pub const fn name(self) -> &'static str {
        self.member
    }

    /// A member of a structure in a list.
    pub const fn within(within: Option<(&'static str, usize)>, member: &'static str) -> Self {
        Self { within, member }
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((list, number)) = self.within {
            write!(f, "{}.{number}.member.", LowerCamel(list))?;
        }
        write!(f, "{}", LowerCamel(self.member))
    }
}

/// A name as refusals have it.
struct LowerCamel(&'static str);

impl Display for LowerCamel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        match rest.next() {
            Some(first) => write!(f, "{}{}", first.to_ascii_lowercase(), rest.as_str()),
            None => Ok(()),
        }
    }
}

/// What was found wrong with the values of a request.
#[derive(Debug, Default)]
pub struct Violations {
    count: usize,
    texts: Vec<String>,
}

impl Violations {
    /// Whether nothing is wrong.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Everything in one ValidationException.
    pub fn into_error(self) -> AwsError {
        let errors = if self.count == 1 { "error" } else { "errors" };
        let text = format!("{} validation {errors} detected: {}", self.count, self.texts.join("; "));
        AwsError::new(Code::Validation, text)
    }

    fn add(&mut self, value: impl Display, path: Path, constraint: impl Display) {
        self.count += 1;
        if self.texts.len() < MAX_TEXTS {
            let text = format!("Value {value}at '{path}' failed to satisfy constraint: {constraint}");
            self.texts.push(text);
        }
    }

    /// A member that must be there is not.
    pub fn missing(&mut self, path: Path) {
        self.add("null ", path, "Member must not be null");
    }

    /// A value of a map is null.
    pub fn null_in_map(&mut self, path: Path) {
        self.add("", path, "Map value must satisfy constraint: [Member must not be null]");
    }

    /// An item of a list is null.
    pub fn null_in_list(&mut self, path: Path) {
        self.add("", path, "Member must satisfy constraint: [Member must not be null]");
    }

    /// Judges a value.
    pub fn check(&mut self, shape: &Shape, value: &Value, path: Path) {
        match (shape, value) {
            (Shape::Text(limits), Value::Text(text)) => self.check_text(limits, text, path),
            (Shape::Name(names), Value::Text(name)) if !names.contains(&name.as_str()) => {
                self.add(Quoted(name), path, OneOf(names));
            }
            (Shape::Int { min, max }, Value::Int(number)) => self.check_number(*number, *min, *max, path),
            (Shape::Blob { min, max }, Value::Blob(bytes)) => self.check_length("", bytes.len(), *min, *max, path),
            (Shape::Texts { min, max, item }, Value::Texts(texts)) => {
                self.check_length("", texts.len(), *min, *max, path);
                if !texts.iter().all(|text| fits(item, text)) {
                    self.add("", path, format_args!("Member must satisfy constraint: [{}]", Constraints(item)));
                }
            }
            _ => {}
        }
    }

    fn check_text(&mut self, limits: &Text, text: &str, path: Path) {
        self.check_length(Quoted(text), text.chars().count(), limits.min, limits.max, path);
        if let Some(pattern) = &limits.pattern
            && !text.chars().all(pattern.fits)
        {
            self.add(Quoted(text), path, Matching(pattern));
        }
    }

    fn check_length(&mut self, value: impl Display, length: usize, min: usize, max: usize, path: Path) {
        if length > max {
            self.add(value, path, AtMost("length", max));
        } else if length < min {
            self.add(value, path, AtLeast("length", min));
        }
    }

    fn check_number(&mut self, number: i64, min: i64, max: i64, path: Path) {
        let value = format_args!("'{number}' ");
        if number > max {
            self.add(value, path, AtMost("value", max));
        } else if number < min {
            self.add(value, path, AtLeast("value", min));
        }
    }
}

/// A string in quotes with a space behind it; nothing if it is long.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_QUOTED_CHARS) {
            Some(_) => Ok(()),
            None => write!(f, "'{}' ", self.0),
        }
    }
}

fn fits(item: &Item, text: &str) -> bool {
    match item {
        Item::Text(Text { min, max, pattern }) => {
            let length = text.chars().count();
            (*min..=*max).contains(&length) && pattern.is_none_or(|pattern| text.chars().all(pattern.fits))
        }
        Item::Name(names) => names.contains(&text),
    }
}

// ---- the constraints' texts

struct AtMost<T>(&'static str, T);

impl<T: Display> Display for AtMost<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must have {} less than or equal to {}", self.0, self.1)
    }
}

struct AtLeast<T>(&'static str, T);

impl<T: Display> Display for AtLeast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must have {} greater than or equal to {}", self.0, self.1)
    }
}

struct OneOf(&'static [&'static str]);

impl Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must satisfy enum value set: [{}]", self.0.join(", "))
    }
}

struct Matching<'a>(&'a Pattern);

impl Display for Matching<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must satisfy regular expression pattern: {}", self.0.text)
    }
}

/// Everything that is asked of the strings of a list.
struct Constraints<'a>(&'a Item);

impl Display for Constraints<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Item::Name(names) => OneOf(names).fmt(f),
            Item::Text(Text { min, max, pattern }) => {
                write!(f, "{}, {}", AtMost("length", max), AtLeast("length", min))?;
                pattern.map_or(Ok(()), |pattern| write!(f, ", {}", Matching(&pattern)))
            }
        }
    }
}
