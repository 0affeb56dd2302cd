//! `claviger principal ...`

use super::arguments::{Group, PrincipalCommand, PrincipalType};
use super::server::Server;
use super::table::Column;
use super::{Failure, consent, done, folder_of, show, show_list};
use serde_json::json;

const PATH: &str = "/claviger/v1/principals";
const FIELDS: [Column; 6] = [
    ("id", "/id"),
    ("type", "/type"),
    ("name", "/name"),
    ("folder", "/folderId"),
    ("created", "/createdAt"),
    ("deleted", "/deletedAt"),
];
const COLUMNS: [Column; 4] = [("ID", "/id"), ("TYPE", "/type"), ("NAME", "/name"), ("CREATED", "/createdAt")];

/// Runs a command.
pub fn run(group: &Group<PrincipalCommand>) -> Result<(), Failure> {
    let server = Server::from_environment()?;
    match &group.command {
        PrincipalCommand::Create { folder, name, kind } => {
            let kind = match kind {
                PrincipalType::ServiceAccount => "serviceAccount",
                PrincipalType::UserAccount => "userAccount",
            };
            let body = json!({ "folderId": folder_of(folder)?, "type": kind, "name": name });
            show(group.json, &FIELDS, &server.post(PATH, &body)?)
        }
        PrincipalCommand::List { folder } => {
            let rows = server.list(&format!("{PATH}?folderId={}", folder_of(folder)?), "principals")?;
            show_list(group.json, &COLUMNS, rows)
        }
        PrincipalCommand::Show { id } => show(group.json, &FIELDS, &server.get(&format!("{PATH}/{id}"))?),
        PrincipalCommand::Delete { id, consent } => {
            consent::ask(*consent, || {
                let principal = server.get(&format!("{PATH}/{id}"))?;
                let name = principal["name"].as_str().unwrap_or_default();
                Ok(format!("Delete principal {id} ({name}) and revoke its credentials?"))
            })?;
            let deleted = server.delete(&format!("{PATH}/{id}"))?;
            done(group.json, &deleted, format_args!("principal {id} is deleted and its credentials are revoked"))
        }
    }
}
