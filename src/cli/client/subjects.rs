//! Who the subjects of bindings are, as far as the caller may see it.
//!
//! In: subjects of bindings. Out: their names for a list, and warnings of bindings that give nobody anything. What
//! cannot be looked up fails no command: that the bindings were listed or changed is the answer. Called by
//! [`super::bindings`].

use super::server::Server;
use super::table::printable;
use super::{Exit, arguments};
use crate::domain::access::SubjectKind;
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;

/// Principals that were asked for, each once.
pub struct Subjects<'a> {
    server: &'a Server,
    /// `None` for those that the caller may not see, and those that are not.
    known: HashMap<String, Option<Value>>,
    /// The server has stopped answering.
    given_up: bool,
}

impl<'a> Subjects<'a> {
    /// Nobody yet.
    pub fn of(server: &'a Server) -> Self {
        Self { server, known: HashMap::new(), given_up: false }
    }

    /// Puts its subject's `name` into each row.
    pub fn name(mut self, rows: &mut [Value]) {
        for row in rows {
            let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            if is_principal(&text("/subject/type"))
                && let Some(principal) = self.principal(&text("/subject/id"))
            {
                row["name"] = shown_name(principal).into();
            }
        }
    }

    /// Says on standard error which of these subjects, as type and id, get nothing by a binding.
    pub fn warn<'s>(mut self, subjects: impl IntoIterator<Item = (&'s str, &'s str)>) {
        for (kind, id) in subjects {
            let principal = if is_principal(kind) { self.principal(id) } else { None };
            let Some(why) = gets_nothing(kind, principal) else { continue };
            // Of a principal that could not be looked up nothing is known.
            if !(self.given_up && is_principal(kind)) {
                warn(&format!("{kind}:{id} {why}"));
            }
        }
    }

    fn principal(&mut self, id: &str) -> Option<&Value> {
        if !self.known.contains_key(id) {
            let principal = self.look_up(id);
            self.known.insert(id.to_owned(), principal);
        }
        self.known.get(id).and_then(Option::as_ref)
    }

    fn look_up(&mut self, id: &str) -> Option<Value> {
        if self.given_up || arguments::id(id).is_err() {
            return None;
        }
        match self.server.get(&format!("/claviger/v1/principals/{id}")) {
            Ok(principal) => Some(principal),
            Err(failure) if failure.exit == Exit::Refused => None,
            Err(failure) => {
                self.given_up = true;
                warn(&format!("principals could not be looked up: {}", failure.text));
                None
            }
        }
    }
}

/// Whether a subject of this type can be a principal of the server.
fn is_principal(kind: &str) -> bool {
    matches!(SubjectKind::parse(kind), Some(SubjectKind::ServiceAccount | SubjectKind::UserAccount))
}

fn shown_name(principal: &Value) -> String {
    let name = principal["name"].as_str().unwrap_or_default();
    if principal["deletedAt"].is_null() { name.to_owned() } else { "(deleted)".to_owned() }
}

/// Why a binding gives nothing to a subject, by the principal that the caller sees under its id.
fn gets_nothing(kind: &str, principal: Option<&Value>) -> Option<String> {
    const DEAD: &str = "the binding gives nobody anything";
    if !is_principal(kind) {
        return Some(format!("is nobody on this server: {DEAD}"));
    }
    let Some(principal) = principal else {
        return Some(format!("is no principal that you can see: unless there is one, {DEAD}"));
    };
    let actual = principal["type"].as_str().unwrap_or_default();
    if actual != kind {
        return Some(format!("is of the type {actual}: {DEAD}"));
    }
    (!principal["deletedAt"].is_null()).then(|| format!("is deleted: {DEAD}"))
}

fn warn(text: &str) {
    // Whoever has closed standard error does not want to be warned.
    let _ = writeln!(std::io::stderr(), "claviger: warning: {}", printable(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("serviceAccount", Some(json!({ "type": "serviceAccount" })), None)]
    #[case("userAccount", Some(json!({ "type": "userAccount", "deletedAt": null })), None)]
    #[case("serviceAccount", Some(json!({ "type": "userAccount" })), Some("is of the type userAccount"))]
    #[case("userAccount", Some(json!({ "type": "userAccount", "deletedAt": "t" })), Some("is deleted"))]
    #[case("userAccount", None, Some("is no principal that you can see"))]
    #[case("group", None, Some("is nobody on this server"))]
    #[case("system", None, Some("is nobody on this server"))]
    #[case("federatedUser", None, Some("is nobody on this server"))]
    fn a_subject_that_gets_nothing_is_known(
        #[case] kind: &str,
        #[case] principal: Option<Value>,
        #[case] why: Option<&str>,
    ) {
        let found = gets_nothing(kind, principal.as_ref());
        assert_eq!(found.is_some(), why.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().starts_with(why.unwrap_or_default()));
    }
}
