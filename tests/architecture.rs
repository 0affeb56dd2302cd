//! The rules of docs/ARCHITECTURE.md that a compiler does not check, enforced by reading the sources.
//!
//! Each rule is a function from one source file to what is wrong in it, has one test over the whole tree,
//! and one test that shows it a small bad sample: a rule that cannot fail would be none.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources must fail")]

#[path = "architecture/lexer.rs"]
mod lexer;
#[path = "architecture/paths.rs"]
mod paths;

use lexer::{blank_comments_and_literals, function_lengths, without_unit_tests};
use paths::{crate_paths, extern_crates, test_modules};
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Which top-level modules (or `service::ports`) each top-level module may name.
///
/// `main -> cli -> server -> {dialect, scheduler, auth} -> service -> domain`; token and store point inwards.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("service", &["domain"]),
    ("token", &["domain", "service::ports"]),
    ("store", &["domain", "service::ports"]),
    ("auth", &["domain", "service", "telemetry"]),
    ("dialect", &["domain", "service", "auth", "telemetry"]),
    ("scheduler", &["domain", "service", "telemetry"]),
    ("telemetry", &["domain", "service"]),
    ("config", &["domain"]),
    ("server", &["domain", "service", "auth", "dialect", "scheduler", "telemetry", "config"]),
    ("cli", &["domain", "service", "server", "auth", "telemetry", "config"]),
    ("testing", &["domain", "service", "token", "store", "auth", "dialect", "scheduler", "server", "config"]),
];

/// The files that may name adapters: where the server is put together, and commands that run without it.
const ASSEMBLY: &[&str] = &["src/server/assembly", "src/cli/init", "src/cli/dev", "src/cli/doctor", "src/testing/"];

/// Where `unsafe` may stand: the calls that have no safe wrapper, and the PKCS#11 library that tests put before another.
const RAW: &[&str] = &["src/token/raw", "tests/p11shim/"];

/// Libraries that belong to some modules only.
const LIBRARIES: &[(&[&str], &[&str])] = &[
    (&["cryptoki", "cryptoki_sys"], &["src/token/"]),
    (&["rusqlite", "r2d2", "refinery"], &["src/store/"]),
    (
        &[
            "axum",
            "tonic",
            "tonic_prost",
            "tonic_health",
            "tonic_reflection",
            "prost",
            "prost_types",
            "pbjson",
            "pbjson_types",
            "hyper",
            "hyper_util",
            "tower",
            "tower_http",
            "http_body_util",
        ],
        &["src/dialect/", "src/server/", "src/auth/", "src/testing/"],
    ),
    (&["rustls", "tokio_rustls", "rcgen"], &["src/server/", "src/cli/", "src/testing/"]),
    (&["reqwest", "clap"], &["src/cli/", "src/testing/"]),
    (&["figment"], &["src/config"]),
    (&["scratchstack_aws_signature", "chrono"], &["src/auth/sigv4", "src/testing/"]),
];

/// What makes a function's result depend on more than its arguments.
const IMPURE: &[&str] = &[
    "async ",
    "await",
    "tokio::",
    "futures_util::",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::sync",
    "SystemTime",
    "Instant",
    "jiff::",
    "tracing::",
    "metrics::",
    "new_v4",
];

/// One file: its path from the repository's root, with `/`, and its text.
struct Source {
    path: String,
    text: String,
    /// Whether another file declares it as a module of unit tests.
    only_tests: bool,
}

impl Source {
    fn sample(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into(), only_tests: false }
    }

    /// The text without comments and literals.
    fn code(&self) -> String {
        blank_comments_and_literals(&self.text)
    }

    /// The code without its unit tests, which may use what they like.
    fn product_code(&self) -> String {
        if self.only_tests { String::new() } else { without_unit_tests(&self.code()) }
    }

    fn is_product(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// The top-level module of a file in src, such as `token`.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let name = inside.split('/').next()?;
        Some(name.strip_suffix(".rs").unwrap_or(name))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_under(&path, into) } else { into.push(path) }
    }
}

/// The files under these directories and these single files whose names end in one of `endings`.
fn read(places: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for place in places {
        let path = root().join(place);
        if path.is_file() { found.push(path) } else { files_under(&path, &mut found) }
    }
    let wanted = |path: &PathBuf| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending));
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    found.iter().filter(|path| wanted(path)).map(|path| Source::sample(&relative(path), &text_of(path))).collect()
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| format!("unreadable: {error}"))
}

fn rust_sources() -> Vec<Source> {
    let mut sources = read(&["src", "tests", "benches", "build.rs", "fuzz/fuzz_targets"], &[".rs"]);
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the sources were not found");
    let test_modules: Vec<String> =
        sources.iter().flat_map(|source| test_modules(&source.path, &source.code())).collect();
    for source in &mut sources {
        let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let within = |module: &String| path == module || path.starts_with(&format!("{module}/"));
        source.only_tests = test_modules.iter().any(within);
    }
    sources
}

/// Fails with everything that `rule` finds in `sources`, and with what to do about it.
#[track_caller]
fn enforce(sources: &[Source], rule: fn(&Source) -> Vec<String>, advice: &str) {
    let found: Vec<String> = sources
        .iter()
        .flat_map(|source| rule(source).into_iter().map(|what| format!("  {}: {what}", source.path)))
        .collect();
    assert!(found.is_empty(), "{advice}\n{}", found.join("\n"));
}

#[track_caller]
fn assert_finds(rule: fn(&Source) -> Vec<String>, path: &str, bad: &str) {
    assert!(!rule(&Source::sample(path, bad)).is_empty(), "the rule lets this pass in {path}: {bad}");
}

#[track_caller]
fn assert_accepts(rule: fn(&Source) -> Vec<String>, path: &str, good: &str) {
    assert_eq!(rule(&Source::sample(path, good)), Vec::<String>::new(), "in {path}: {good}");
}

// ---- modules

fn is_assembly(path: &str) -> bool {
    ASSEMBLY.iter().any(|prefix| path.starts_with(prefix))
}

fn is_inside(path: &str, allowed: &str) -> bool {
    path == allowed || path.starts_with(&format!("{allowed}::"))
}

fn forbidden_modules(source: &Source) -> Vec<String> {
    let Some(module) = source.module().filter(|module| !matches!(*module, "lib" | "main")) else {
        return Vec::new();
    };
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == module) else {
        return vec![format!("module `{module}` has no line in MAY_NAME of tests/architecture.rs")];
    };
    let known = |path: &str| MAY_NAME.iter().any(|(name, _)| is_inside(path, name));
    let fits = |path: &str| {
        let adapter = is_inside(path, "token") || is_inside(path, "store");
        is_inside(path, module)
            || allowed.iter().any(|name| is_inside(path, name))
            || (adapter && is_assembly(&source.path))
    };
    let named = crate_paths(&source.path, &source.product_code());
    named.into_iter().filter(|path| known(path) && !fits(path)).map(|path| format!("names crate::{path}")).collect()
}

/// The ports are the innermost part of `service`: adapters see them, so they must not drag the use cases along.
fn ports_naming_use_cases(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/service/ports") {
        return Vec::new();
    }
    let named = crate_paths(&source.path, &source.product_code());
    let fits = |path: &str| is_inside(path, "domain") || is_inside(path, "service::ports");
    named.into_iter().filter(|path| !fits(path)).map(|path| format!("names crate::{path}")).collect()
}

fn forbidden_libraries(source: &Source) -> Vec<String> {
    if !source.is_product() {
        return Vec::new();
    }
    let used = extern_crates(&source.product_code());
    let misplaced = |library: &&String| {
        LIBRARIES.iter().any(|(libraries, places)| {
            libraries.contains(&library.as_str()) && !places.iter().any(|place| source.path.starts_with(place))
        })
    };
    used.iter().filter(misplaced).map(|library| format!("uses the library {library}")).collect()
}

fn impure_domain(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/domain/") {
        return Vec::new();
    }
    let code = source.product_code();
    IMPURE.iter().filter(|word| code.contains(**word)).map(|word| format!("contains `{}`", word.trim())).collect()
}

// ---- sizes

fn too_many_lines(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines > FILE_LINES { vec![format!("{lines} lines")] } else { Vec::new() }
}

fn long_functions(source: &Source) -> Vec<String> {
    let lengths = function_lengths(&source.code());
    let long = lengths.into_iter().filter(|function| function.lines > FUNCTION_LINES);
    long.map(|function| format!("fn {} has {} lines", function.name, function.lines)).collect()
}

// ---- words

fn found_in(text: &str, words: &[&str]) -> Vec<String> {
    words.iter().filter(|word| text.contains(**word)).map(|word| format!("contains `{word}`")).collect()
}

fn squeezed(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace()).collect()
}

fn allow_attributes(source: &Source) -> Vec<String> {
    found_in(&squeezed(&source.code()), &["#[allow(", "#![allow(", ",allow(clippy", ",allow(un", ",allow(dead"])
}

fn unfinished_code(source: &Source) -> Vec<String> {
    found_in(&squeezed(&source.code()), &["todo!", "unimplemented!", "dbg!"])
}

fn ignored_tests(source: &Source) -> Vec<String> {
    found_in(&squeezed(&source.code()), &["#[ignore", ",ignore)]"])
}

fn unsafe_code(source: &Source) -> Vec<String> {
    if RAW.iter().any(|place| source.path.starts_with(place)) {
        return Vec::new();
    }
    let code = source.code();
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| *word == "unsafe").map(|_| "contains `unsafe`".to_owned()).collect()
}

fn machine_paths(source: &Source) -> Vec<String> {
    // Put together here, so that this file does not contain them.
    let roots = ["work", "farm", "root", "Users"].map(|name| format!("/{name}/"));
    let hit = |line: &str| {
        roots.iter().any(|path| {
            line.match_indices(path.as_str()).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '*' | '}' | ')'))
            })
        })
    };
    let numbered = source.text.lines().enumerate();
    numbered.filter(|(_, line)| hit(line)).map(|(index, _)| format!("line {}", index + 1)).collect()
}

// ---- the tests: each rule on the tree, then on a bad sample

#[test]
fn modules_name_only_what_they_may() {
    let advice = "The arrows of docs/ARCHITECTURE.md: main -> cli -> server -> {dialect, scheduler, auth} -> service -> domain; \
                  token and store see service::ports and domain, and are named only where the server is put \
                  together. Pass the value in through a port instead.";
    enforce(&rust_sources(), forbidden_modules, advice);
}

#[test]
fn a_forbidden_module_is_found() {
    assert_finds(forbidden_modules, "src/domain/key.rs", "use crate::service::request::Encrypt;");
    assert_finds(forbidden_modules, "src/service/encrypt.rs", "fn f() { crate::store::open(); }");
    assert_finds(forbidden_modules, "src/token/session.rs", "use crate::service::{ports::Token, error::ServiceError};");
    assert_finds(forbidden_modules, "src/token/session.rs", "use super::super::store::Sqlite;");
    assert_finds(forbidden_modules, "src/store/mod.rs", "use super::token::Module;");
    assert_finds(forbidden_modules, "src/dialect/yandex/rest.rs", "use crate::{domain::Dialect, token};");
    assert_finds(forbidden_modules, "src/server/router.rs", "use crate::token::PkcsToken;");
    assert_finds(forbidden_modules, "src/novelty/mod.rs", "");
}

#[test]
fn an_allowed_module_is_accepted() {
    assert_accepts(forbidden_modules, "src/token/session.rs", "use crate::service::ports::{Token, TokenError};");
    assert_accepts(forbidden_modules, "src/service/encrypt.rs", "use super::error::ServiceError; // crate::store");
    assert_accepts(forbidden_modules, "src/server/assembly.rs", "use crate::{token, store::Sqlite};");
    assert_accepts(forbidden_modules, "src/service/a.rs", "#[cfg(test)]\nmod tests {\n use crate::store::X;\n}\n");
}

#[test]
fn ports_do_not_name_use_cases() {
    let advice = "The ports see the domain only: move the type inwards or leave it out of the port.";
    enforce(&rust_sources(), ports_naming_use_cases, advice);
}

#[test]
fn a_port_that_names_a_use_case_is_found() {
    assert_finds(ports_naming_use_cases, "src/service/ports/token.rs", "use crate::service::error::ServiceError;");
    assert_finds(ports_naming_use_cases, "src/service/ports/token.rs", "use super::super::request::Encrypt;");
}

#[test]
fn libraries_stay_in_their_modules() {
    let advice = "PKCS#11 is spoken in src/token only, SQL in src/store only, HTTP and protobuf in dialect, server \
                  and auth only.";
    enforce(&rust_sources(), forbidden_libraries, advice);
}

#[test]
fn a_misplaced_library_is_found() {
    assert_finds(forbidden_libraries, "src/service/encrypt.rs", "use cryptoki::session::Session;");
    assert_finds(forbidden_libraries, "src/token/session.rs", "fn f() -> rusqlite::Connection { g() }");
    assert_finds(forbidden_libraries, "src/service/encrypt.rs", "use {axum::Router, std::fmt};");
    assert_accepts(forbidden_libraries, "src/token/session.rs", "use cryptoki::session::Session;");
    assert_accepts(forbidden_libraries, "src/service/encrypt.rs", "use super::tower::Floor;");
}

#[test]
fn the_domain_is_pure() {
    let advice = "src/domain has no async, I/O, clock, randomness or environment: make it a parameter.";
    enforce(&rust_sources(), impure_domain, advice);
}

#[test]
fn an_impure_domain_is_found() {
    for bad in ["use std::time::SystemTime;", "async fn f() {}", "use std::{env};use std::env;", "use std::fs::File;"] {
        assert_finds(impure_domain, "src/domain/key.rs", bad);
    }
    assert_accepts(impure_domain, "src/domain/key.rs", "/// Instant, async and std::fs are only mentioned.\nstruct A;");
}

#[test]
fn no_file_is_longer_than_500_lines() {
    enforce(&rust_sources(), too_many_lines, "Split the file by what its parts are about.");
}

#[test]
fn a_file_of_501_lines_is_found() {
    assert_finds(too_many_lines, "src/a.rs", &"\n".repeat(FILE_LINES + 1));
    assert_accepts(too_many_lines, "src/a.rs", &"\n".repeat(FILE_LINES));
}

#[test]
fn no_function_is_longer_than_70_lines() {
    enforce(&rust_sources(), long_functions, "Split the function: name its steps.");
}

#[test]
fn a_function_of_71_lines_is_found() {
    let function = |lines: usize| format!("fn f(a: [u8; 2]) -> u8\n{{{}}}\n", "\n".repeat(lines - 2));
    assert_finds(long_functions, "src/a.rs", &function(FUNCTION_LINES + 1));
    assert_accepts(long_functions, "src/a.rs", &function(FUNCTION_LINES));
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    enforce(&rust_sources(), allow_attributes, "Use #[expect(lint, reason = \"...\")].");
}

#[test]
fn an_allow_attribute_is_found() {
    assert_finds(allow_attributes, "src/a.rs", "#[allow(dead_code)] fn f() {}");
    assert_finds(allow_attributes, "src/a.rs", "#![allow(missing_docs)]");
    assert_finds(allow_attributes, "src/a.rs", "#[cfg_attr(test, allow(unused))] fn f() {}");
}

#[test]
fn nothing_is_left_unfinished() {
    enforce(&rust_sources(), unfinished_code, "Finish it, or answer \"not implemented\" through the error type.");
}

#[test]
fn unfinished_code_is_found() {
    assert_finds(unfinished_code, "src/a.rs", "fn f() { todo!() }");
    assert_finds(unfinished_code, "src/a.rs", "fn f() { unimplemented !(\"x\") }");
    assert_finds(unfinished_code, "src/a.rs", "fn f() { dbg!(1); }");
}

#[test]
fn no_test_is_ignored() {
    enforce(&rust_sources(), ignored_tests, "A test that nobody runs is none: mend it or remove it.");
}

#[test]
fn an_ignored_test_is_found() {
    assert_finds(ignored_tests, "src/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}");
}

#[test]
fn unsafe_code_is_only_in_the_raw_part_of_the_token() {
    enforce(&rust_sources(), unsafe_code, "unsafe lives in src/token/raw*, each block with its proof.");
}

#[test]
fn unsafe_code_elsewhere_is_found() {
    assert_finds(unsafe_code, "src/store/mod.rs", "fn f() { unsafe { g() } }");
    assert_accepts(unsafe_code, "src/store/mod.rs", "#![deny(unsafe_code)] // unsafe\nconst A: &str = \"unsafe\";");
    assert_accepts(unsafe_code, "src/token/raw.rs", "fn f() { unsafe { g() } }");
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let places = &[
        "src",
        "tests",
        "benches",
        "fuzz/fuzz_targets",
        "fuzz/run",
        "softhsm",
        "deploy",
        "docs",
        ".ci",
        "README.md",
        "Makefile",
    ];
    let sources = read(places, &[".rs", ".md", ".sh", ".toml", ".conf", ".proto", ".sql", ".service", "run", "file"]);
    enforce(&sources, machine_paths, "Use a path relative to the repository, or one that is the same everywhere.");
}

#[test]
fn a_path_of_a_machine_is_found() {
    assert_finds(machine_paths, "docs/a.md", &format!("see /{}/main/README.md", "work"));
    assert_accepts(machine_paths, "docs/a.md", &format!("see docs/{}/main", "work"));
}
