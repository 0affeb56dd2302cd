//! `claviger folder ...`

use super::arguments::{FolderCommand, Group};
use super::server::Server;
use super::table::Column;
use super::{Failure, show, show_list};
use serde_json::json;

const PATH: &str = "/claviger/v1/folders";
const FIELDS: [Column; 4] = [("id", "/id"), ("name", "/name"), ("account", "/accountId"), ("created", "/createdAt")];
const COLUMNS: [Column; 4] = [("ID", "/id"), ("NAME", "/name"), ("ACCOUNT", "/accountId"), ("CREATED", "/createdAt")];

/// Runs a command.
pub fn run(group: &Group<FolderCommand>) -> Result<(), Failure> {
    let server = Server::from_environment()?;
    match &group.command {
        FolderCommand::Create { name } => show(group.json, &FIELDS, &server.post(PATH, &json!({ "name": name }))?),
        FolderCommand::List => show_list(group.json, &COLUMNS, server.list(PATH, "folders")?),
        FolderCommand::Show { id } => show(group.json, &FIELDS, &server.get(&format!("{PATH}/{id}"))?),
    }
}
