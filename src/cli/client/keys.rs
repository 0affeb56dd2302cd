//! `claviger key ...`, over the REST paths of the Yandex dialect.

use super::arguments::{CreateKeyArguments, Group, KeyCommand, VersionArguments};
use super::server::Server;
use super::table::{Column, printable};
use super::{Failure, consent, done, folder_of, say, show, show_list};
use serde_json::{Map, Value, json};
use std::time::Duration;

const PATH: &str = "/kms/v1/keys";
const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("NAME", "/name"),
    ("STATUS", "/status"),
    ("ALGORITHM", "/defaultAlgorithm"),
    ("ROTATION", "/rotationPeriod"),
    ("CREATED", "/createdAt"),
];
/// Of a key as `GET /claviger/v1/keys/{id}` shows it.
const FIELDS: [Column; 18] = [
    ("id", "/key/id"),
    ("name", "/key/name"),
    ("description", "/key/description"),
    ("folder", "/key/folderId"),
    ("status", "/key/status"),
    ("algorithm", "/key/defaultAlgorithm"),
    ("primary version", "/key/primaryVersion/id"),
    ("labels", "/key/labels"),
    ("rotation period", "/key/rotationPeriod"),
    ("deletion protection", "/key/deletionProtection"),
    ("created", "/key/createdAt"),
    ("rotated", "/key/rotatedAt"),
    ("assurance", "/protection/assurance"),
    ("certificate", "/protection/certificate"),
    ("profile", "/protection/profile"),
    ("token", "/protection/tokenLabel"),
    ("used in the token only", "/protection/hostedByHsm"),
    ("PIN holder can export", "/protection/pinHolderCanExport"),
];
const VERSIONS: [Column; 6] = [
    ("VERSION", "/id"),
    ("STATUS", "/status"),
    ("PRIMARY", "/primary"),
    ("ALGORITHM", "/algorithm"),
    ("CREATED", "/createdAt"),
    ("DESTROYED AT", "/destroyAt"),
];

/// Runs a command.
pub fn run(group: &Group<KeyCommand>) -> Result<(), Failure> {
    let (server, json) = (Server::from_environment()?, group.json);
    match &group.command {
        KeyCommand::Create(arguments) => create(&server, json, arguments),
        KeyCommand::List { folder } => {
            let keys = server.list(&format!("{PATH}?folderId={}", folder_of(folder)?), "keys")?;
            show_list(json, &COLUMNS, keys)
        }
        KeyCommand::Show { id } => show_key(&server, json, id),
        KeyCommand::Rotate { id } => {
            let record = server.post(&format!("{PATH}/{id}:rotate"), &json!({}))?;
            let version = printable(record["metadata"]["newPrimaryVersionId"].as_str().unwrap_or("-"));
            done(json, &record, format_args!("key {id} has the new primary version {version}"))
        }
        KeyCommand::SetPrimary(VersionArguments { key, version }) => {
            let record = of_version(&server, key, version, "setPrimaryVersion", None)?;
            done(json, &record, format_args!("version {version} is the primary version of key {key}"))
        }
        KeyCommand::ScheduleDestruction { version: VersionArguments { key, version }, wait, consent } => {
            consent::ask(*consent, || Ok(format!("Destroy version {version} of key {key}{}?", name(&server, key)?)))?;
            let record = of_version(&server, key, version, "scheduleVersionDestruction", *wait)?;
            let at = printable(record["metadata"]["destroyAt"].as_str().unwrap_or("-"));
            done(
                json,
                &record,
                format_args!("version {version} of key {key} is no longer used and is destroyed at {at}"),
            )
        }
        KeyCommand::CancelDestruction(VersionArguments { key, version }) => {
            let record = of_version(&server, key, version, "cancelVersionDestruction", None)?;
            done(json, &record, format_args!("version {version} of key {key} is used again"))
        }
        KeyCommand::Delete { id, consent } => {
            consent::ask(*consent, || Ok(format!("Delete key {id}{}?", name(&server, id)?)))?;
            let record = server.delete(&format!("{PATH}/{id}"))?;
            done(
                json,
                &record,
                format_args!("key {id} is deleted; until its versions are destroyed it can be restored"),
            )
        }
        KeyCommand::Restore { id } => {
            let record = server.post(&format!("/claviger/v1/keys/{id}:restore"), &json!({}))?;
            done(json, &record, format_args!("key {id} is restored"))
        }
    }
}

fn create(server: &Server, as_json: bool, arguments: &CreateKeyArguments) -> Result<(), Failure> {
    let labels: Map<String, Value> =
        arguments.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let mut body = json!({
        "folderId": folder_of(&arguments.folder)?,
        "name": arguments.name,
        "description": arguments.description,
        "defaultAlgorithm": arguments.algorithm,
        "deletionProtection": arguments.deletion_protection,
        "labels": labels,
    });
    if let Some(period) = arguments.rotation_period {
        body["rotationPeriod"] = seconds(period).into();
    }
    let mut record = server.post(PATH, &body)?;
    if as_json { say(record) } else { show(false, &FIELDS, &json!({ "key": record["response"].take() })) }
}

/// The key, what stands behind it, and all its versions.
fn show_key(server: &Server, json: bool, id: &str) -> Result<(), Failure> {
    let mut shown = server.get(&format!("/claviger/v1/keys/{id}"))?;
    let versions = server.list(&format!("{PATH}/{id}/versions"), "keyVersions")?;
    if json {
        shown["versions"] = Value::Array(versions);
        return say(shown);
    }
    show(false, &FIELDS, &shown)?;
    say("")?;
    show_list(false, &VERSIONS, versions)
}

/// Sends a command about a version.
fn of_version(server: &Server, key: &str, version: &str, verb: &str, wait: Option<Duration>) -> Result<Value, Failure> {
    let mut body = json!({ "versionId": version });
    if let Some(wait) = wait {
        body["pendingPeriod"] = seconds(wait).into();
    }
    server.post(&format!("{PATH}/{key}:{verb}"), &body)
}

/// A key's name, for who is asked about it.
fn name(server: &Server, id: &str) -> Result<String, Failure> {
    let key = server.get(&format!("{PATH}/{id}"))?;
    Ok(key["name"].as_str().map(|name| format!(" ({name})")).unwrap_or_default())
}

/// A period as the proto3 JSON mapping has it.
pub fn seconds(period: Duration) -> String {
    match period.subsec_millis() {
        0 => format!("{}s", period.as_secs()),
        millis => format!("{}.{millis:03}s", period.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_seconds() {
        assert_eq!(seconds(Duration::from_secs(90 * 86_400)), "7776000s");
        assert_eq!(seconds(Duration::from_millis(1_005)), "1.005s");
    }
}
