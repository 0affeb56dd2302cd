//! `claviger key ...`, over the REST paths of the Yandex dialect.

use super::arguments::{
    CreateKeyArguments, Group, KeyChanges, KeyCommand, KeyStatus, Rotation, UpdateKeyArguments, VersionArguments,
};
use super::server::Server;
use super::table::{Column, printable};
use super::{Failure, consent, done, folder_of, say, show, show_list};
use crate::config::Period;
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
            show_keys(json, keys)
        }
        KeyCommand::Show { id } => show_key(&server, json, id),
        KeyCommand::Update(UpdateKeyArguments { id, changes }) => {
            let record = server.patch(&format!("{PATH}/{id}"), &patch(changes))?;
            show_made(json, record)
        }
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
    show_made(as_json, server.post(PATH, &body)?)
}

/// What an update changes, and what it says of that.
fn patch(changes: &KeyChanges) -> Value {
    let KeyChanges { name, description, status, deletion_protection, rotation_period } = changes;
    let status = status.map(|status| match status {
        KeyStatus::Active => "ACTIVE",
        KeyStatus::Inactive => "INACTIVE",
    });
    // In the mask without a value, a period is taken away.
    let rotation = rotation_period.map(|rotation| match rotation {
        Rotation::Every(period) => seconds(period).into(),
        Rotation::Never => Value::Null,
    });
    let fields = [
        ("name", name.clone().map(Value::from)),
        ("description", description.clone().map(Value::from)),
        ("status", status.map(Value::from)),
        ("deletionProtection", deletion_protection.map(Value::from)),
        ("rotationPeriod", rotation),
    ];
    let named: Vec<_> = fields.into_iter().filter_map(|(field, value)| Some((field, value?))).collect();
    let mask = named.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(",");
    let values = named.into_iter().filter(|(_, value)| !value.is_null());
    let mut body: Map<String, Value> = values.map(|(field, value)| (field.to_owned(), value)).collect();
    body.insert("updateMask".to_owned(), mask.into());
    Value::Object(body)
}

/// The key of an operation that made or changed it.
fn show_made(as_json: bool, mut record: Value) -> Result<(), Failure> {
    if as_json {
        return say(record);
    }
    let mut shown = json!({ "key": record["response"].take() });
    make_period_readable(&mut shown["key"]);
    show(false, &FIELDS, &shown)
}

fn show_keys(json: bool, mut keys: Vec<Value>) -> Result<(), Failure> {
    if !json {
        keys.iter_mut().for_each(make_period_readable);
    }
    show_list(json, &COLUMNS, keys)
}

/// `90d` for people instead of `7776000s`.
fn make_period_readable(key: &mut Value) {
    let Some(Value::String(text)) = key.get_mut("rotationPeriod") else { return };
    if let Some(Ok(seconds)) = text.strip_suffix('s').map(str::parse) {
        *text = Period(Duration::from_secs(seconds)).to_string();
    }
}

/// The key, what stands behind it, and all its versions.
fn show_key(server: &Server, json: bool, id: &str) -> Result<(), Failure> {
    let mut shown = server.get(&format!("/claviger/v1/keys/{id}"))?;
    let versions = server.list(&format!("{PATH}/{id}/versions"), "keyVersions")?;
    if json {
        shown["versions"] = Value::Array(versions);
        return say(shown);
    }
    make_period_readable(&mut shown["key"]);
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
    fn people_read_periods_in_whole_units() {
        let shown = |text: &str| {
            let mut key = json!({ "rotationPeriod": text });
            make_period_readable(&mut key);
            key["rotationPeriod"].as_str().unwrap().to_owned()
        };
        let texts = ["7776000s", "90000s", "86401s", "0s", "1.500s", "soon"].map(shown);
        assert_eq!(texts, ["90d", "25h", "86401s", "0s", "1.500s", "soon"]);
    }

    #[test]
    fn an_update_names_what_it_changes_and_nothing_else() {
        let nothing = || KeyChanges {
            name: None,
            description: None,
            status: None,
            deletion_protection: None,
            rotation_period: None,
        };
        let one = KeyChanges { deletion_protection: Some(false), ..nothing() };
        assert_eq!(patch(&one), json!({ "updateMask": "deletionProtection", "deletionProtection": false }));
        let never =
            KeyChanges { rotation_period: Some(Rotation::Never), status: Some(KeyStatus::Inactive), ..nothing() };
        assert_eq!(patch(&never), json!({ "updateMask": "status,rotationPeriod", "status": "INACTIVE" }));
    }

    #[test]
    fn a_period_is_seconds() {
        assert_eq!(seconds(Duration::from_secs(90 * 86_400)), "7776000s");
        assert_eq!(seconds(Duration::from_millis(1_005)), "1.005s");
    }
}
