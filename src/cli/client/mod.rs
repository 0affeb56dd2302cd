//! Commands that are requests to the running server: people's side of the native API.
//!
//! In: a command of [`arguments`], the server and the caller's credential from the environment. Out: what the server
//! answered, as a table for people or as its JSON. Called by [`super::run`].

pub mod arguments;
mod bindings;
mod consent;
mod credentials;
mod environment;
mod folders;
mod issue;
mod key_pair;
mod keys;
mod patience;
mod principals;
mod secret_file;
mod server;
mod subjects;
mod table;

use super::{Exit, Failure, variable};
use arguments::{ClientCommand, ClockCommand, FolderArgument, Group};
use serde_json::{Value, json};
use server::Server;
use std::io::{ErrorKind, Write};
use table::{Column, Table};

/// Runs a command.
pub fn run(command: ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::Whoami { json } => who_am_i(json),
        ClientCommand::Folder(group) => folders::run(&group),
        ClientCommand::Principal(group) => principals::run(&group),
        ClientCommand::Credential(group) => credentials::run(&group),
        ClientCommand::Binding(group) => bindings::run(&group),
        ClientCommand::Key(group) => keys::run(&group),
        ClientCommand::Clock(Group { json, command: ClockCommand::Confirm }) => {
            let answer = Server::from_environment()?.post("/claviger/v1/clock:confirm", &json!({}))?;
            done(json, &answer, "the clock is confirmed: destructions go on")
        }
    }
}

/// `claviger whoami`
fn who_am_i(json: bool) -> Result<(), Failure> {
    const FIELDS: [Column; 8] = [
        ("principal", "/principal/id"),
        ("type", "/principal/type"),
        ("name", "/principal/name"),
        ("folder", "/principal/folderId"),
        ("credential", "/credential/id"),
        ("credential type", "/credential/type"),
        ("credential name", "/credential/name"),
        ("expires", "/credential/expiresAt"),
    ];
    show(json, &FIELDS, &Server::from_environment()?.get("/claviger/v1/whoami")?)
}

/// Prints one thing.
fn show(json: bool, fields: &[Column], thing: &Value) -> Result<(), Failure> {
    if json { say(thing) } else { say(Table::of_one(fields, thing)) }
}

/// Prints a list.
fn show_list(json: bool, columns: &[Column], rows: Vec<Value>) -> Result<(), Failure> {
    if json { say(Value::Array(rows)) } else { say(Table::of(columns, &rows)) }
}

/// Prints what was done: the server's JSON, or a sentence.
fn done(json: bool, answer: &Value, sentence: impl std::fmt::Display) -> Result<(), Failure> {
    if json { say(answer) } else { say(sentence) }
}

/// Prints a line. Whoever has closed standard output, as `head` does, has seen enough: that is no failure.
fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A number of things: `1 change`, `2 changes`.
fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The folder of the command line, or else of the environment.
fn folder_of(argument: &FolderArgument) -> Result<String, Failure> {
    let usage = |text: &str| Failure::new(Exit::Usage, text);
    match &argument.folder {
        Some(id) => Ok(id.clone()),
        None => {
            let id = variable("CLAVIGER_FOLDER").ok_or_else(|| usage("say --folder, or set CLAVIGER_FOLDER"))?;
            arguments::id(&id).map_err(|text| usage(&format!("CLAVIGER_FOLDER: {text}")))
        }
    }
}
