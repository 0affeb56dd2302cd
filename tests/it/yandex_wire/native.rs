//! Paths of the native API: what is answered before anything is looked for.

use super::outage::{Server, TOKEN, error};
use rstest::rstest;

const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

/// Every path and its methods.
const ROUTES: [(&str, &str); 17] = [
    ("whoami", "GET"),
    ("folders", "GET, POST"),
    ("folders/x", "GET"),
    ("folders/x:listAccessBindings", "GET"),
    ("folders/x:setAccessBindings", "POST"),
    ("folders/x:updateAccessBindings", "POST"),
    ("service:listAccessBindings", "GET"),
    ("service:setAccessBindings", "POST"),
    ("service:updateAccessBindings", "POST"),
    ("principals", "GET, POST"),
    ("principals/x", "GET, DELETE"),
    ("principals/x/credentials", "GET, POST"),
    ("credentials/x", "GET"),
    ("credentials/x:revoke", "POST"),
    ("keys/x", "GET"),
    ("keys/x:restore", "POST"),
    ("clock:confirm", "POST"),
];

fn path_of(below: &str) -> String {
    format!("/claviger/v1/{below}")
}

#[tokio::test]
async fn no_path_is_served_without_a_valid_token() {
    let server = Server::start(false).await;
    for (path, methods) in ROUTES {
        for method in methods.split(", ") {
            for token in ["", "wrong"] {
                let sent =
                    server.request(method, &path_of(path)).bearer_auth(token).body("not json").send().await.unwrap();
                let (status, code, _) = error(sent).await;
                assert_eq!((status, code), (401, 16), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_right_ones() {
    let server = Server::start(false).await;
    for (path, methods) in ROUTES {
        for method in ["GET", "POST", "PUT", "DELETE"].into_iter().filter(|method| !methods.contains(method)) {
            let sent = server.request(method, &path_of(path)).bearer_auth(TOKEN).send().await.unwrap();
            assert_eq!(sent.headers()["allow"], methods, "{method} {path}");
            assert_eq!(error(sent).await.0, 405);
        }
    }
}

#[rstest]
#[case("GET", "")]
#[case("GET", "nothing")]
#[case("GET", "folders/")]
#[case("GET", "folders/x/y")]
#[case("POST", "folders/x:explode")]
#[case("POST", "service:explode")]
#[case("POST", "principals/x/keys")]
#[case("POST", "credentials/x:explode")]
#[case("POST", "keys/x:explode")]
#[tokio::test]
async fn an_unknown_path_is_not_found(#[case] method: &str, #[case] path: &str) {
    let server = Server::start(false).await;
    assert_eq!(server.refused(method, &path_of(path), "").await, (404, 5, "no such path".into()));
}

#[rstest]
#[case("GET", "folders/x", "", "folder x not found")]
#[case("GET", "folders/service:listAccessBindings", "", "folder service not found")]
#[case("POST", "folders/x:setAccessBindings", r#"{"accessBindings":[]}"#, "folder x not found")]
#[case("GET", "principals?folderId=x", "", "folder x not found")]
#[case("POST", "principals", r#"{"folderId":"x","type":"serviceAccount","name":"n"}"#, "folder x not found")]
#[case("GET", "principals/x", "", "principal x not found")]
#[case("DELETE", "principals/x", "", "principal x not found")]
#[case("GET", "principals/x/credentials", "", "principal x not found")]
#[case("POST", "principals/x/credentials", r#"{"type":"apiToken"}"#, "principal x not found")]
#[case("GET", "credentials/x", "", "credential x not found")]
#[case("POST", "credentials/x:revoke", "", "credential x not found")]
#[case("GET", "keys/x", "", "key x not found")]
#[tokio::test]
async fn an_id_that_was_never_handed_out_is_not_found(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] text: &str,
) {
    let server = Server::start(false).await;
    assert_eq!(server.refused(method, &path_of(path), body).await, (404, 5, text.into()));
}

#[rstest]
#[case("GET", "whoami?x=1", "", "unknown field `x`")]
#[case("GET", "folders?pageSize=1001", "", "page_size must be")]
#[case("GET", "folders?pageToken=x", "", "page_token is not one of this list")]
#[case("GET", "folders?page_size=1", "", "unknown field `page_size`")]
#[case("POST", "folders", r#"{"name":"n","color":"red"}"#, "unknown field `color`")]
#[case("POST", "folders", r#"{"name":"n","name":"n"}"#, "duplicate field `name`")]
#[case("POST", "folders", r#"["n"]"#, "a field has a value of the wrong type or form")]
#[case("POST", "folders?x=1", r#"{"name":"n"}"#, "this request has no query parameters")]
#[case("GET", "principals", "", "folderId is required")]
#[case("POST", "principals", r#"{"name":"n"}"#, "type is required")]
#[case("POST", "principals", r#"{"type":"robot"}"#, "unknown variant `robot`")]
#[case("DELETE", "principals/x?force=true", "", "unknown field `force`")]
#[case("POST", "credentials/x:revoke", r#"{"now":true}"#, "this request has no fields")]
#[case("GET", "service:listAccessBindings?pageSize=-1", "", "page_size must be")]
#[case("GET", "service:listAccessBindings?resourceId=x", "", "resource_id differs from the id in the path")]
#[case("POST", "service:setAccessBindings", r#"{"accessBindings":[{"roleId":"kms.king"}]}"#, "access_bindings[0]")]
#[case("POST", "service:updateAccessBindings", "{}", "access_binding_deltas must have 1 to 1000 items")]
#[tokio::test]
async fn what_breaks_a_rule_of_the_message_is_an_invalid_argument(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] text: &str,
) {
    let server = Server::start(false).await;
    let (status, code, message) = server.refused(method, &path_of(path), body).await;
    assert_eq!((status, code), (400, 3), "{message}");
    assert!(message.starts_with(text), "{message}");
}

#[tokio::test]
async fn a_private_key_is_refused_without_being_repeated() {
    let server = Server::start(false).await;
    let private = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let body = serde_json::json!({ "type": "certificate", "certificate": private }).to_string();
    let (status, _, message) = server.refused("POST", &path_of(&format!("principals/{ID}/credentials")), &body).await;
    assert!(status == 400 && message.contains("private key"), "{message}");
    assert!(private.lines().all(|line| line.starts_with('-') || !message.contains(line)), "{message}");
}
