//! Rows of JSON as tables for people. What others have named may contain anything: nothing of it reaches a terminal as a
//! control character.

use serde_json::Value;
use std::fmt::{self, Display};

/// What stands where there is no value.
const NOTHING: &str = "-";
const GAP: &str = "  ";

/// A column: its head, and where its value is in a row (a JSON pointer, RFC 6901).
pub type Column = (&'static str, &'static str);

/// A list, with aligned columns.
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with a head and one line for each row.
    pub fn of<'a>(columns: &[Column], rows: impl IntoIterator<Item = &'a Value>) -> Self {
        let head = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let line = |row: &Value| columns.iter().map(|(_, pointer)| cell(row, pointer)).collect();
        Self(std::iter::once(head).chain(rows.into_iter().map(line)).collect())
    }

    /// One thing, with a line for each of its values that is there.
    pub fn of_one(fields: &[Column], thing: &Value) -> Self {
        let shown = fields.iter().filter(|(_, pointer)| thing.pointer(pointer).is_some());
        Self(shown.map(|(name, pointer)| vec![(*name).to_owned(), cell(thing, pointer)]).collect())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| self.0.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, line) in self.0.iter().enumerate() {
            let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let text = padded.collect::<Vec<_>>().join(GAP);
            write!(f, "{}{}", if number == 0 { "" } else { "\n" }, text.trim_end())?;
        }
        Ok(())
    }
}

/// A value as people read it.
fn cell(row: &Value, pointer: &str) -> String {
    match row.pointer(pointer) {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::String(text)) if text.is_empty() => NOTHING.to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Object(pairs)) => {
            let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
            printable(&pairs.collect::<Vec<_>>().join(" "))
        }
        Some(other) => printable(&other.to_string()),
    }
}

/// A text without control characters, nor those that turn the direction of what follows (Unicode UAX 9, 2).
pub fn printable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || turns(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: [Column; 3] = [("ID", "/id"), ("NAME", "/name"), ("VERSION", "/primary/id")];

    #[test]
    fn columns_are_aligned() {
        let rows = [
            json!({ "id": "1", "name": "short", "primary": { "id": "v1" } }),
            json!({ "id": "1000", "name": "\u{fc}mlaut \u{4e2d}" }),
            json!({ "id": "2", "name": "", "primary": { "id": "v2" } }),
        ];
        insta::assert_snapshot!(Table::of(&COLUMNS, &rows), @r"
        ID    NAME      VERSION
        1     short     v1
        1000  ümlaut 中  -
        2     -         v2
        ");
    }

    #[test]
    fn an_empty_list_has_a_head() {
        assert_eq!(Table::of(&COLUMNS, &[]).to_string(), "ID  NAME  VERSION");
    }

    #[test]
    fn one_thing_has_a_line_for_each_value_that_is_there() {
        let fields = [("id", "/id"), ("labels", "/labels"), ("protected", "/protected"), ("deleted", "/deletedAt")];
        let thing = json!({ "id": "1", "labels": { "a": "b", "c": "" }, "protected": true });
        insta::assert_snapshot!(Table::of_one(&fields, &thing), @r"
        id         1
        labels     a=b c=
        protected  true
        ");
        assert_eq!(Table::of_one(&fields, &json!({})).to_string(), "");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n\u{202e}c"), r"a\u{1b}[2Jb\u{d}\u{a}\u{202e}c");
        let rows = [json!({ "id": "1", "name": "x\ny" })];
        assert_eq!(Table::of(&COLUMNS, &rows).to_string().lines().count(), 2);
    }
}
