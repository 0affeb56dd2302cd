//! The client commands, run as people run them, against a real `claviger dev`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod bindings;
mod credentials;
mod folders;
mod keys;
mod principals;
mod surroundings;

use crate::support::Dev;
use crate::support::server::claviger;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const REFUSED: i32 = 3;

/// A shell with some variables.
#[derive(Clone)]
pub struct Shell(BTreeMap<String, String>);

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Shell {
    /// As the administrator of a development server.
    pub fn of(dev: &Dev) -> Self {
        Self(dev.credentials().clone())
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Another caller.
    pub fn as_caller(&self, token: &str) -> Self {
        self.clone().with("CLAVIGER_TOKEN", token)
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = claviger();
        command.args(arguments).envs(&self.0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read its input may have ended.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What a command that went well printed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).printed(arguments)
    }

    /// The JSON of a command that went well.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.ok(&[arguments, &["--json"]].concat());
        assert_eq!(printed.lines().count(), 1, "{printed}");
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// The id in the JSON of a command that makes something.
    #[track_caller]
    pub fn id(&self, arguments: &[&str]) -> String {
        text(&self.json(arguments), "/id")
    }

    /// How a command ends that does not go well; it says why on standard error and prints nothing.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str], status: i32, why: &str) {
        self.run(arguments).assert_refused(status, why);
    }

    /// The id of a new key.
    #[track_caller]
    pub fn new_key(&self, name: &str) -> String {
        text(&self.json(&["key", "create", "--name", name]), "/response/id")
    }
}

impl Ran {
    #[track_caller]
    pub fn printed(self, arguments: &[&str]) -> String {
        assert_eq!(self.status, DONE, "{arguments:?}: {}", self.stderr);
        self.stdout
    }

    #[track_caller]
    pub fn assert_refused(&self, status: i32, why: &str) {
        assert_eq!((self.status, self.stdout.as_str()), (status, ""), "{}", self.stderr);
        assert!(self.stderr.contains(why), "{}", self.stderr);
        assert!(status != REFUSED || self.stderr.contains("(request "), "{}", self.stderr);
    }
}

/// A text in JSON.
#[track_caller]
pub fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

/// A table without what differs from run to run. How columns are aligned is tested where they are.
pub fn masked(table: &str) -> String {
    let words = |line: &str| line.split_whitespace().map(mask).collect::<Vec<_>>().join(" ");
    table.lines().map(words).collect::<Vec<_>>().join("\n")
}

fn mask(word: &str) -> &str {
    let hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    match word.len() {
        36 if hex(word) => "<id>",
        64 if hex(word) => "<sha256>",
        12 if word.bytes().all(|byte| byte.is_ascii_digit()) => "<account>",
        20.. if word.ends_with('Z') && word.contains('T') => "<time>",
        _ => word,
    }
}

/// The names of the rows of a list.
pub fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|row| text(row, "/name")).collect()
}

/// A service account, and a shell as which it calls.
pub fn caller(shell: &Shell, name: &str) -> (String, Shell) {
    let id = shell.id(&["principal", "create", "--name", name]);
    let token = shell.ok(&["credential", "create", "--principal", &id, "--type", "api-token"]);
    (id, shell.as_caller(token.trim()))
}
