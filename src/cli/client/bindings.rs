//! `claviger binding ...`

use super::arguments::{self, BindingArguments, BindingCommand, Consent, FolderArgument, Group, TargetArguments};
use super::server::Server;
use super::subjects::Subjects;
use super::table::{Column, printable};
use super::{Exit, Failure, consent, count, done, folder_of, show_list};
use crate::domain::access::SubjectKind;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;

const COLUMNS: [Column; 4] =
    [("ROLE", "/roleId"), ("SUBJECT TYPE", "/subject/type"), ("SUBJECT", "/subject/id"), ("NAME", "/name")];
/// More than 1000 bindings with the longest names.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A binding, as the server writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Binding {
    role_id: String,
    subject: Subject,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    id: String,
    r#type: String,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role_id, subject: Subject { id, r#type } } = self;
        f.write_str(&printable(&format!("{role_id} {type}:{id}")))
    }
}

/// Runs a command.
pub fn run(group: &Group<BindingCommand>) -> Result<(), Failure> {
    let (server, json) = (Server::from_environment()?, group.json);
    match &group.command {
        BindingCommand::List { target } => {
            let mut rows = server.list(&format!("{}:listAccessBindings", path(target)?), "accessBindings")?;
            if !json {
                Subjects::of(&server).name(&mut rows);
            }
            show_list(json, &COLUMNS, rows)
        }
        BindingCommand::Add(arguments) => update(&server, json, arguments, "ADD"),
        BindingCommand::Remove(arguments) => update(&server, json, arguments, "REMOVE"),
        BindingCommand::Set { target, file, consent } => set(&server, json, target, file, *consent),
    }
}

/// The path of what roles are bound on.
fn path(target: &TargetArguments) -> Result<String, Failure> {
    match target {
        TargetArguments { service: true, .. } => Ok("/claviger/v1/service".to_owned()),
        TargetArguments { key: Some(id), .. } => Ok(format!("/kms/v1/keys/{id}")),
        TargetArguments { folder, .. } => {
            let folder = folder_of(&FolderArgument { folder: folder.clone() })?;
            Ok(format!("/claviger/v1/folders/{folder}"))
        }
    }
}

fn update(server: &Server, json: bool, arguments: &BindingArguments, action: &str) -> Result<(), Failure> {
    let path = path(&arguments.target)?;
    let subject = Who::parse(&arguments.subject)?.resolved(server)?;
    let binding = Binding { role_id: arguments.role.clone(), subject };
    let body = json!({ "accessBindingDeltas": [{ "action": action, "accessBinding": &binding }] });
    let answer = server.post(&format!("{path}:updateAccessBindings"), &body)?;
    let what = if action == "ADD" { "bound" } else { "no longer bound" };
    done(json, &answer, format_args!("{binding} is {what}"))?;
    if action == "ADD" {
        Subjects::of(server).warn([(binding.subject.r#type.as_str(), binding.subject.id.as_str())]);
    }
    Ok(())
}

fn set(server: &Server, json: bool, target: &TargetArguments, file: &Path, consent: Consent) -> Result<(), Failure> {
    let path = path(target)?;
    let wanted = wanted(server, file, &read(file)?)?;
    let rows = server.list(&format!("{path}:listAccessBindings"), "accessBindings")?;
    let current: Vec<Binding> = serde_json::from_value(Value::Array(rows)).context("the server's answer")?;
    let changes = changes(&current, &wanted);
    // Whoever has closed standard error does not want to see the changes.
    let _ = changes.iter().try_for_each(|line| writeln!(std::io::stderr(), "{line}"));
    if !changes.is_empty() {
        consent::ask(consent, || Ok("Make these changes?".to_owned()))?;
    }
    let answer = server.post(&format!("{path}:setAccessBindings"), &json!({ "accessBindings": wanted }))?;
    let are = if wanted.len() == 1 { "is" } else { "are" };
    let (bindings, changed) = (count(wanted.len(), "binding"), count(changes.len(), "change"));
    done(json, &answer, format_args!("{bindings} {are} set, {changed}"))?;
    let new = wanted.iter().filter(|binding| !current.contains(binding));
    Subjects::of(server).warn(new.map(|binding| (binding.subject.r#type.as_str(), binding.subject.id.as_str())));
    Ok(())
}

/// What comes and what goes, in lines.
fn changes(current: &[Binding], wanted: &[Binding]) -> Vec<String> {
    let missing = |from: &[Binding], in_other: &[Binding], sign: char| -> Vec<String> {
        let rest = from.iter().filter(|binding| !in_other.contains(binding));
        rest.map(|binding| format!("{sign} {binding}")).collect()
    };
    [missing(current, wanted, '-'), missing(wanted, current, '+')].concat()
}

/// The text of a file, or of standard input.
fn read(file: &Path) -> Result<String, Failure> {
    let name = name_of(file);
    let mut text = String::new();
    let read = match std::fs::File::open(file) {
        _ if file == Path::new("-") => std::io::stdin().take(MAX_FILE_BYTES + 1).read_to_string(&mut text),
        Ok(open) => open.take(MAX_FILE_BYTES + 1).read_to_string(&mut text),
        Err(error) => Err(error),
    };
    let bytes = read.with_context(|| name.clone())?;
    if bytes as u64 > MAX_FILE_BYTES {
        return Err(Failure::new(Exit::Usage, format!("{name} is too large")));
    }
    Ok(text)
}

fn name_of(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// The bindings of a file: JSON as `binding list --json` or the API has it, or lines `ROLE SUBJECT`. Nothing at all is
/// what a command before a pipe leaves that has failed: that takes nothing away.
fn wanted(server: &Server, file: &Path, text: &str) -> Result<Vec<Binding>, Failure> {
    if text.trim_start().starts_with(['[', '{']) {
        return from_json(text);
    }
    let lines = from_lines(text)?;
    if lines.is_empty() {
        let text = format!("{}: there is no binding in it; to take all bindings away, give it []", name_of(file));
        return Err(Failure::new(Exit::Usage, text));
    }
    lines.into_iter().map(|(role_id, who)| Ok(Binding { role_id, subject: who.resolved(server)? })).collect()
}

fn from_json(text: &str) -> Result<Vec<Binding>, Failure> {
    let wrong = |what: String| Failure::new(Exit::Usage, format!("this is not JSON with access bindings: {what}"));
    let entries = match serde_json::from_str(text).map_err(|error| wrong(error.to_string()))? {
        Value::Array(entries) => entries,
        Value::Object(mut request) => match request.remove("accessBindings") {
            Some(Value::Array(entries)) => entries,
            _ => return Err(wrong("there is no array accessBindings in the object".to_owned())),
        },
        _ => return Err(wrong("it is neither an array nor an object".to_owned())),
    };
    let numbered = entries.into_iter().zip(1..);
    numbered.map(|(value, number)| entry(value).map_err(|what| wrong(format!("entry {number}: {what}")))).collect()
}

fn entry(value: Value) -> Result<Binding, String> {
    let binding: Binding = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if binding.role_id.is_empty() {
        return Err("roleId is empty".to_owned());
    }
    Who::parse(&format!("{}:{}", binding.subject.r#type, binding.subject.id)).map_err(|failure| failure.text)?;
    Ok(binding)
}

/// Empty lines and what follows a `#` are left out.
fn from_lines(text: &str) -> Result<Vec<(String, Who)>, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [role, subject] => {
                let wrong = |failure: Failure| usage(format!("line {}: {}", number + 1, failure.text));
                found.push(((*role).to_owned(), Who::parse(subject).map_err(wrong)?));
            }
            _ => return Err(usage(format!("line {} is not ROLE SUBJECT", number + 1))),
        }
    }
    Ok(found)
}

/// A subject, as people write it.
#[derive(Debug, PartialEq, Eq)]
enum Who {
    /// `TYPE:ID`
    Subject { kind: SubjectKind, id: String },
    /// The id of a principal of the server, which knows its type.
    Principal(String),
}

impl Who {
    fn parse(text: &str) -> Result<Self, Failure> {
        let kinds = SubjectKind::ALL.map(SubjectKind::name).join(", ");
        let usage = |text: String| Failure::new(Exit::Usage, text);
        match text.split_once(':') {
            Some((kind, id)) => {
                let wrong = || usage(format!("{kind:?} is none of {kinds}"));
                let kind = SubjectKind::parse(kind).ok_or_else(wrong)?;
                if id.is_empty() {
                    return Err(usage(format!("{text:?} has no id")));
                }
                Ok(Self::Subject { kind, id: id.to_owned() })
            }
            None => {
                let wrong =
                    |_| usage(format!("{text:?} is neither TYPE:ID (one of {kinds}) nor the id of a principal"));
                arguments::id(text).map(Self::Principal).map_err(wrong)
            }
        }
    }

    fn resolved(self, server: &Server) -> Result<Subject, Failure> {
        match self {
            Self::Subject { kind, id } => Ok(Subject { id, r#type: kind.name().to_owned() }),
            Self::Principal(id) => {
                let principal = server.get(&format!("/claviger/v1/principals/{id}"))?;
                let kind = principal["type"].as_str().context("the server's answer has no type")?;
                Ok(Subject { id, r#type: kind.to_owned() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn binding(role: &str, id: &str) -> Binding {
        Binding { role_id: role.into(), subject: Subject { id: id.into(), r#type: "group".into() } }
    }

    #[test]
    fn changes_say_what_comes_and_what_goes() {
        let (a, b, c) = (binding("r", "a"), binding("r", "b"), binding("r", "c"));
        assert_eq!(changes(&[a.clone(), b.clone()], &[b.clone(), c]), ["- r group:a", "+ r group:c"]);
        assert_eq!(changes(&[a.clone(), b.clone()], &[b, a]), Vec::<String>::new());
    }

    #[test]
    fn json_is_read_in_both_forms() {
        let one = r#"{"roleId":"r","subject":{"id":"a","type":"group"}}"#;
        for text in [format!("[{one}]"), format!(r#" {{"accessBindings":[{one}]}}"#)] {
            assert_eq!(from_json(&text).unwrap(), [binding("r", "a")]);
        }
        assert_eq!(serde_json::to_string(&binding("r", "a")).unwrap(), one);
    }

    #[rstest]
    #[case("[{]")]
    #[case(r#"[{"roleId":"r"}]"#)]
    #[case(r#"[{"roleId":"r","subject":{"id":"a","type":"group"},"color":"red"}]"#)]
    #[case(r#"{"bindings":[]}"#)]
    fn other_json_is_refused(#[case] text: &str) {
        assert_eq!(from_json(text).unwrap_err().exit, Exit::Usage);
    }

    #[rstest]
    #[case(r#"[{"roleId":"kms.viewer"}]"#, "entry 1: missing field `subject`")]
    #[case(r#"[{"roleId":"r","subject":{"id":"a","type":"group"}},7]"#, "entry 2: ")]
    #[case(r#"[{"roleId":"r","subject":{"id":"a","type":"robot"}}]"#, "entry 1: \"robot\" is none of")]
    #[case(r#"[{"roleId":"r","subject":{"id":"","type":"group"}}]"#, "entry 1: \"group:\" has no id")]
    #[case(r#"[{"roleId":"","subject":{"id":"a","type":"group"}}]"#, "entry 1: roleId is empty")]
    fn a_wrong_entry_is_named(#[case] text: &str, #[case] why: &str) {
        let failure = from_json(text).unwrap_err();
        assert!(failure.text.contains(why), "{}", failure.text);
    }

    #[test]
    fn lines_are_read() {
        let lines = from_lines("# who\n\nkms.admin  group:a # b\n  kms.viewer 0b7c1b6e\n").unwrap();
        let group = Who::Subject { kind: SubjectKind::Group, id: "a".into() };
        let principal = Who::Principal("0b7c1b6e".into());
        assert_eq!(lines, [("kms.admin".to_owned(), group), ("kms.viewer".to_owned(), principal)]);
        assert!(from_lines("kms.admin").is_err());
        assert!(from_lines("kms.admin group:a more").is_err());
        assert!(from_lines("# who\nkms.admin robot:a").unwrap_err().text.starts_with("line 2: "));
    }

    #[rstest]
    #[case("robot:a")]
    #[case("group:")]
    #[case("")]
    #[case("a/b")]
    fn what_is_no_subject_is_refused(#[case] text: &str) {
        assert_eq!(Who::parse(text).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn an_id_may_contain_colons() {
        let expected = Who::Subject { kind: SubjectKind::System, id: "a:b".into() };
        assert_eq!(Who::parse("system:a:b").unwrap(), expected);
    }
}
