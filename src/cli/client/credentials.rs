//! `claviger credential ...`; issuing is in [`issue`].

use super::arguments::{CredentialCommand, Group};
use super::server::Server;
use super::table::Column;
use super::{Failure, done, issue, show, show_list};
use serde_json::json;

const FIELDS: [Column; 12] = [
    ("id", "/id"),
    ("type", "/type"),
    ("name", "/name"),
    ("state", "/state"),
    ("principal", "/principalId"),
    ("folder", "/folderId"),
    ("created", "/createdAt"),
    ("expires", "/expiresAt"),
    ("revoked", "/revokedAt"),
    ("last used", "/lastUsedAt"),
    ("access key id", "/accessKeyId"),
    ("public key SHA-256", "/spkiSha256"),
];
const COLUMNS: [Column; 7] = [
    ("ID", "/id"),
    ("TYPE", "/type"),
    ("NAME", "/name"),
    ("STATE", "/state"),
    ("CREATED", "/createdAt"),
    ("EXPIRES", "/expiresAt"),
    ("LAST USED", "/lastUsedAt"),
];

/// Runs a command.
pub fn run(group: &Group<CredentialCommand>) -> Result<(), Failure> {
    match &group.command {
        CredentialCommand::Create(arguments) => issue::run(arguments, group.json),
        CredentialCommand::List { principal } => {
            let path = format!("/claviger/v1/principals/{principal}/credentials");
            show_list(group.json, &COLUMNS, Server::from_environment()?.list(&path, "credentials")?)
        }
        CredentialCommand::Show { id } => {
            show(group.json, &FIELDS, &Server::from_environment()?.get(&format!("/claviger/v1/credentials/{id}"))?)
        }
        CredentialCommand::Revoke { id } => {
            let path = format!("/claviger/v1/credentials/{id}:revoke");
            let revoked = Server::from_environment()?.post(&path, &json!({}))?;
            done(group.json, &revoked, format_args!("credential {id} is revoked"))
        }
    }
}
