//! The names of operations in logs and metrics.

use http::Method;

/// The operation of a request below `/claviger/v1/`, if it is one.
#[must_use]
pub fn operation(method: &Method, below: &str) -> Option<&'static str> {
    let (path, verb) = below.rsplit_once(':').map_or((below, None), |(path, verb)| (path, Some(verb)));
    let mut parts = path.splitn(3, '/');
    let collection = parts.next()?;
    let (id, list) = (parts.next().filter(|id| !id.is_empty()), parts.next());
    let named = |names: &[(Method, &'static str)]| names.iter().find(|(of, _)| of == method).map(|(_, name)| *name);
    match (collection, id, list, verb) {
        ("whoami", None, None, None) => Some("WhoAmI"),
        ("clock", None, None, Some("confirm")) => Some("ConfirmClock"),
        ("service", None, None, Some(verb)) | ("folders", Some(_), None, Some(verb)) => bindings(verb),
        ("folders", None, None, None) => named(&[(Method::GET, "ListFolders"), (Method::POST, "CreateFolder")]),
        ("folders", Some(_), None, None) => Some("GetFolder"),
        ("principals", None, None, None) => {
            named(&[(Method::GET, "ListPrincipals"), (Method::POST, "CreatePrincipal")])
        }
        ("principals", Some(_), None, None) => {
            named(&[(Method::GET, "GetPrincipal"), (Method::DELETE, "DeletePrincipal")])
        }
        ("principals", Some(_), Some("credentials"), None) => {
            named(&[(Method::GET, "ListCredentials"), (Method::POST, "IssueCredential")])
        }
        ("credentials", Some(_), None, None) => Some("GetCredential"),
        ("credentials", Some(_), None, Some("revoke")) => Some("RevokeCredential"),
        ("keys", Some(_), None, None) => Some("Get"),
        ("keys", Some(_), None, Some("restore")) => Some("Restore"),
        _ => None,
    }
}

/// As the Yandex dialect calls them for keys.
fn bindings(verb: &str) -> Option<&'static str> {
    match verb {
        "listAccessBindings" => Some("ListAccessBindings"),
        "setAccessBindings" => Some("SetAccessBindings"),
        "updateAccessBindings" => Some("UpdateAccessBindings"),
        _ => None,
    }
}
