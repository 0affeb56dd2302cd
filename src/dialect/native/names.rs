//! The names of operations in logs and metrics.

use http::Method;

/// This API in logs and metrics.
pub const DIALECT: &str = "claviger";

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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("POST", "keys/x:restore", Some("Restore"))]
    #[case("POST", "clock:confirm", Some("ConfirmClock"))]
    #[case("GET", "keys/x", Some("Get"))]
    #[case("GET", "whoami", Some("WhoAmI"))]
    #[case("GET", "folders", Some("ListFolders"))]
    #[case("POST", "folders", Some("CreateFolder"))]
    #[case("GET", "folders/x", Some("GetFolder"))]
    #[case("GET", "folders/x:listAccessBindings", Some("ListAccessBindings"))]
    #[case("POST", "service:setAccessBindings", Some("SetAccessBindings"))]
    #[case("POST", "service:updateAccessBindings", Some("UpdateAccessBindings"))]
    #[case("GET", "principals", Some("ListPrincipals"))]
    #[case("POST", "principals", Some("CreatePrincipal"))]
    #[case("GET", "principals/x", Some("GetPrincipal"))]
    #[case("DELETE", "principals/x", Some("DeletePrincipal"))]
    #[case("POST", "principals/x/credentials", Some("IssueCredential"))]
    #[case("GET", "principals/x/credentials", Some("ListCredentials"))]
    #[case("GET", "credentials/x", Some("GetCredential"))]
    #[case("POST", "credentials/x:revoke", Some("RevokeCredential"))]
    #[case("PUT", "principals", None)]
    #[case("POST", "service:explode", None)]
    #[case("GET", "folders/x/y", None)]
    #[case("POST", "principals/x:revoke", None)]
    #[case("GET", "nothing", None)]
    #[case("GET", "", None)]
    fn requests_are_named(#[case] method: Method, #[case] below: &str, #[case] name: Option<&str>) {
        assert_eq!(operation(&method, below), name);
    }
}
