//! Which modules of this crate, and which other crates, a piece of code names.

use std::collections::BTreeSet;

/// The paths inside this crate that the code of `file` names, without `crate::`, at most two segments long.
/// Groups are taken apart; a chain of `super::` that reaches the crate's root counts as `crate::`.
pub fn crate_paths(file: &str, code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if !is_word_before(code, at) {
            expand("", &code[at + "crate::".len()..], &mut found);
        }
    }
    let module = module_path(file);
    for (at, _) in code.match_indices("super::") {
        if !code[..at].ends_with("super::") && !is_word_before(code, at) {
            expand_super(&module, &code[at..], &mut found);
        }
    }
    found
}

/// The module that a file holds: `src/token/session.rs` is `[token, session]`, `src/token/mod.rs` is `[token]`.
fn module_path(file: &str) -> Vec<String> {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let segments = inside.split('/').filter(|name| !matches!(*name, "mod" | "lib" | "main"));
    segments.map(str::to_owned).collect()
}

fn expand_super(module: &[String], code: &str, found: &mut BTreeSet<String>) {
    let mut rest = code;
    let mut levels = 0;
    while let Some(after) = rest.strip_prefix("super::") {
        (rest, levels) = (after, levels + 1);
    }
    let Some(kept) = module.len().checked_sub(levels) else {
        return;
    };
    expand(&module[..kept].join("::"), rest, found);
}

/// Adds every path of the tree at the start of `code`, below `prefix`.
fn expand(prefix: &str, code: &str, found: &mut BTreeSet<String>) {
    let code = code.trim_start();
    let joined = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    if let Some(group) = code.strip_prefix('{') {
        for member in members(group) {
            expand(prefix, member, found);
        }
        return;
    }
    let name: String = code.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let path = joined(&name);
    let is_complete = path.matches("::").count() >= 1;
    match code[name.len()..].trim_start().strip_prefix("::") {
        Some(rest) if !is_complete => expand(&path, rest, found),
        _ if name.is_empty() || name == "self" => drop(found.insert(prefix.to_owned())),
        _ => drop(found.insert(path.split("::").take(2).collect::<Vec<_>>().join("::"))),
    }
}

/// The members of a group whose opening brace is just before `code`.
fn members(code: &str) -> Vec<&str> {
    let (mut depth, mut from, mut out) = (0_usize, 0, Vec::new());
    for (index, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                out.push(&code[from..index]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(&code[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    out.into_iter().filter(|member| !member.trim().is_empty()).collect()
}

/// First segments of paths, `a` of `a::b::c` wherever a path begins, and what `use a;` or `use a as b;` names.
pub fn extern_crates(code: &str) -> BTreeSet<String> {
    let used = code.match_indices("use ").map(|(at, _)| code[at + 4..].trim_start());
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found: BTreeSet<String> = used.map(word).filter(|name| !name.is_empty()).collect();
    for (at, _) in code.match_indices("::") {
        let head = code[..at].trim_end();
        let from = head.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |index| index + 1);
        let starts_a_path = !head[..from].trim_end().ends_with("::");
        if starts_a_path && from < head.len() {
            found.insert(head[from..].to_owned());
        }
    }
    found
}

/// Paths, without `.rs`, of the modules that `file` declares for unit tests only, in files of their own.
pub fn test_modules(file: &str, code: &str) -> Vec<String> {
    let module = module_path(file);
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let tested = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = tested.filter_map(|pair| pair[1].strip_prefix("mod ")?.strip_suffix(';'));
    names.map(|name| format!("src/{}/{name}", module.join("/")).replace("//", "/")).collect()
}

fn is_word_before(code: &str, at: usize) -> bool {
    code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
}

#[test]
fn groups_and_supers_are_taken_apart() {
    let code = "use crate::{a::{b, c::d}, e};\nuse super::super::f::g;\nuse super::h;";
    let found: Vec<String> = crate_paths("src/x/y.rs", code).into_iter().collect();
    assert_eq!(found, ["a::b", "a::c", "e", "f::g", "x::h"]);
}

#[test]
fn only_the_first_segment_names_another_crate() {
    let found: Vec<String> = extern_crates("use one::two::three; four::<five::Six>(); super::tower::x(); use six as s")
        .into_iter()
        .collect();
    assert_eq!(found, ["five", "four", "one", "six", "super"]);
}

#[test]
fn modules_for_tests_are_found_where_they_are_declared() {
    let code = "#[cfg(test)]\nmod properties;\nmod key;\n#[cfg(test)]\nmod tests {\n}";
    assert_eq!(test_modules("src/domain/mod.rs", code), ["src/domain/properties"]);
    assert_eq!(test_modules("src/store/sqlite.rs", code), ["src/store/sqlite/properties"]);
    assert_eq!(test_modules("src/lib.rs", code), ["src/properties"]);
}
