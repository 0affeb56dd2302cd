//! Answers with what differs from run to run replaced by its kind.

use serde_json::{Value, json};

/// The same value with `"INT"` for the numbers of keys and keystores, `"TAG"` for tags and `"MS"` for instants, where they
/// are what they should be.
pub fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), member(name, value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        other => other.clone(),
    }
}

fn member(name: &str, value: &Value) -> Value {
    match name {
        "keyId" | "keystoreId"
            if value.as_i64().is_some_and(|number| i32::try_from(number).is_ok_and(|it| it >= 0)) =>
        {
            json!("INT")
        }
        "keyTag" if value.as_str().is_some_and(is_tag) => json!("TAG"),
        _ if name.ends_with("Date") && value.as_i64().is_some_and(is_instant) => json!("MS"),
        _ => shape(value),
    }
}

/// Tags are 32 lower-case hexadecimal digits.
pub fn is_tag(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Of this century, in milliseconds.
const fn is_instant(millis: i64) -> bool {
    1_700_000_000_000 < millis && millis < 4_000_000_000_000
}

/// An instant in an answer, in milliseconds.
#[track_caller]
pub fn date(value: &Value) -> i64 {
    value.as_i64().filter(|millis| is_instant(*millis)).unwrap_or_else(|| panic!("{value} is no instant"))
}
