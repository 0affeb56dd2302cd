//! Just enough of Rust's grammar to look at code without being misled by comments and literals.

/// A function and how many lines it has, from `fn` to its closing brace.
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its lines.
    pub lines: usize,
}

/// The text with comments and the contents of string and character literals replaced by spaces.
/// Lines stay where they are.
pub fn blank_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let length = skipped_length(&chars, at);
        if length == 0 {
            out.push(chars[at]);
            at += 1;
        } else {
            let blanked = chars[at..at + length].iter().map(|c| if *c == '\n' { '\n' } else { ' ' });
            out.extend(blanked);
            at += length;
        }
    }
    out
}

/// How many characters from `at` are a comment or literal; 0 if it is code.
fn skipped_length(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    match rest {
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => quoted_length(rest, '"'),
        ['r', '"' | '#', ..] if !follows_a_word(chars, at) => raw_string_length(rest),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => quoted_length(rest, '\''),
        _ => 0,
    }
}

/// Whether the character before `at` belongs to a word; `b` and `c` before a raw string do not count.
fn follows_a_word(chars: &[char], at: usize) -> bool {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    let before = at.checked_sub(1).and_then(|index| chars.get(index));
    let prefixed =
        matches!(before, Some('b' | 'c')) && !at.checked_sub(2).and_then(|index| chars.get(index)).is_some_and(is_word);
    !prefixed && before.is_some_and(is_word)
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let from = 2 + hashes;
    let close = rest[from..].windows(end.len()).position(|window| window == end);
    close.map_or(rest.len(), |index| from + index + end.len())
}

/// The code up to its unit tests, which are a file's last item.
pub fn without_unit_tests(code: &str) -> String {
    let lines: Vec<&str> = code.lines().collect();
    let is_test_module = |pair: &[&str]| {
        let next = pair[1].trim_start();
        pair[0].trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.trim_end().ends_with('{')
    };
    let end = lines.windows(2).position(is_test_module).unwrap_or(lines.len());
    lines[..end].join("\n")
}

/// The functions of blanked code that have a body.
pub fn function_lengths(code: &str) -> Vec<Function> {
    code.match_indices("fn ").filter_map(|(at, _)| function_at(code, at)).collect()
}

fn function_at(code: &str, at: usize) -> Option<Function> {
    let preceded_by_word = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
    let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if preceded_by_word || name.is_empty() {
        return None;
    }
    let end = body_end(&code[at..])?;
    let lines = code[at..at + end].matches('\n').count() + 1;
    Some(Function { name, lines })
}

/// The index of the brace that closes the first body; `None` for a declaration without one.
fn body_end(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (index, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            _ => {}
        }
        if c == '}' && braces == 0 {
            return Some(index);
        }
    }
    None
}

#[test]
fn comments_and_literals_are_blanked() {
    let code = blank_comments_and_literals("a(\"x // y\", 'z', r#\"q\"#); // c\n/* d /* e */ f */ g<'a>(b\"h\\\"i\");");
    let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["a", "g", "a", "b"]);
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn declarations_are_not_functions_with_bodies() {
    let lengths = function_lengths("trait T { fn a(&self) -> [u8; 2];\n fn b() {\n } }");
    let found: Vec<(&str, usize)> = lengths.iter().map(|f| (f.name.as_str(), f.lines)).collect();
    assert_eq!(found, [("b", 2)]);
}
