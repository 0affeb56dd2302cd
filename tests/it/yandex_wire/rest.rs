//! REST.

use super::outage::{ADVERTISED, REQUEST_ID, Server, THROTTLED, TOKEN, error};
use rstest::rstest;
use serde_json::{Value, json};

const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
const OTHER_ID: &str = "5d4f3f7e-9d0a-4f6b-8f0e-0c5d7a1b2c3d";

/// Every documented route that needs a token.
const ROUTES: [(&str, &str); 27] = [
    ("GET", "/kms/v1/keys"),
    ("POST", "/kms/v1/keys"),
    ("GET", "/kms/v1/keys/x"),
    ("PATCH", "/kms/v1/keys/x"),
    ("DELETE", "/kms/v1/keys/x"),
    ("GET", "/kms/v1/keys/x/versions"),
    ("GET", "/kms/v1/keys/x/operations"),
    ("POST", "/kms/v1/keys/x:encrypt"),
    ("POST", "/kms/v1/keys/x:decrypt"),
    ("POST", "/kms/v1/keys/x:reEncrypt"),
    ("POST", "/kms/v1/keys/x:generateDataKey"),
    ("POST", "/kms/v1/keys/x:setPrimaryVersion"),
    ("POST", "/kms/v1/keys/x:scheduleVersionDestruction"),
    ("POST", "/kms/v1/keys/x:cancelVersionDestruction"),
    ("POST", "/kms/v1/keys/x:rotate"),
    ("GET", "/kms/v1/keys/x:listAccessBindings"),
    ("POST", "/kms/v1/keys/x:setAccessBindings"),
    ("POST", "/kms/v1/keys/x:updateAccessBindings"),
    ("GET", "/operations/x"),
    ("GET", "/operations/x:cancel"),
    ("POST", "/operations/x:cancel"),
    ("GET", "/kms/v1/asymmetricEncryptionKeys"),
    ("POST", "/kms/v1/asymmetricEncryptionKeys/x:decrypt"),
    ("GET", "/kms/v1/asymmetricSignatureKeys/x/publicKey"),
    ("POST", "/kms/v1/asymmetricSignatureKeys/x:sign"),
    ("POST", "/claviger/v1/keys/x:restore"),
    ("POST", "/claviger/v1/clock:confirm"),
];

#[tokio::test]
async fn no_route_is_served_without_a_valid_token() {
    let server = Server::start(false).await;
    for (method, path) in ROUTES {
        for authorization in [None, Some("Bearer wrong"), Some("Basic Z29vZC10b2tlbg==")] {
            let mut request = server.request(method, path).body("not json");
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            let (status, code, _) = error(response).await;
            assert_eq!((status, code), (401, 16), "{method} {path} {authorization:?}");
        }
    }
}

#[tokio::test]
async fn the_error_body_has_the_documented_form() {
    let server = Server::start(false).await;
    let body = server.request("GET", "/kms/v1/keys").send().await.unwrap().text().await.unwrap();
    insta::assert_snapshot!(body, @r#"{"code":16,"message":"a valid credential is required","details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"request-1"}]}"#);
}

#[rstest]
#[case("GET", "/")]
#[case("GET", "/kms/v1")]
#[case("GET", "/kms/v1/keys/")]
#[case("GET", "/kms/v2/keys")]
#[case("POST", "/kms/v1/keys/x:explode")]
#[case("POST", "/kms/v1/keys/x:Encrypt")]
#[case("GET", "/kms/v1/keys/x/aliases")]
#[case("GET", "/operations/x:explode")]
#[case("POST", "/claviger/v1/keys/x:explode")]
#[case("GET", "/endpoints/kms/x")]
#[tokio::test]
async fn an_unknown_path_is_not_found(#[case] method: &str, #[case] path: &str) {
    let server = Server::start(false).await;
    assert_eq!(server.refused(method, path, "").await, (404, 5, "no such path".into()));
}

#[rstest]
#[case("PUT", "/kms/v1/keys", "GET, POST")]
#[case("POST", "/kms/v1/keys/x", "GET, PATCH, DELETE")]
#[case("GET", "/kms/v1/keys/x:encrypt", "POST")]
#[case("POST", "/kms/v1/keys/x:listAccessBindings", "GET")]
#[case("POST", "/kms/v1/keys/x/versions", "GET")]
#[case("DELETE", "/operations/x", "GET")]
#[case("DELETE", "/operations/x:cancel", "GET, POST")]
#[case("POST", "/endpoints", "GET")]
#[case("GET", "/claviger/v1/clock:confirm", "POST")]
#[tokio::test]
async fn a_wrong_method_is_405_with_the_right_ones(#[case] method: &str, #[case] path: &str, #[case] allow: &str) {
    let server = Server::start(false).await;
    let response = server.request(method, path).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(response.headers()["allow"], allow);
    let (status, code, _) = error(response).await;
    assert_eq!((status, code), (405, 12));
}

#[rstest]
#[case("GET", "/kms/v1/keys/x", "", "key x not found")]
#[case("DELETE", "/kms/v1/keys/x", "", "key x not found")]
#[case("GET", "/kms/v1/keys/x/versions", "", "key x not found")]
#[case("POST", "/kms/v1/keys/x:rotate", "", "key x not found")]
#[case("POST", "/kms/v1/keys/a:b:rotate", "", "key a:b not found")]
#[case("POST", "/kms/v1/keys/x:encrypt", r#"{"plaintext":"aGk="}"#, "key x not found")]
#[case("POST", "/kms/v1/keys/x%3Aencrypt", r#"{"plaintext":"aGk="}"#, "key x not found")]
#[case("POST", "/kms/v1/keys", r#"{"folderId":"f","defaultAlgorithm":"AES_256"}"#, "folder f not found")]
#[case("GET", "/kms/v1/keys/x:listAccessBindings", "", "key x not found")]
#[case("POST", "/kms/v1/keys/x:setAccessBindings", "", "key x not found")]
#[case(
    "POST",
    "/kms/v1/keys/x:updateAccessBindings",
    r#"{"accessBindingDeltas":[{"action":"ADD","accessBinding":{"roleId":"kms.viewer","subject":{"id":"s","type":"group"}}}]}"#,
    "key x not found"
)]
#[case("GET", "/operations/x", "", "operation x not found")]
#[case("GET", "/operations/x:cancel", "", "operation x not found")]
#[case("POST", "/operations/x:cancel", "{}", "operation x not found")]
#[case("POST", "/claviger/v1/keys/x:restore", "", "key x not found")]
#[tokio::test]
async fn an_id_that_was_never_handed_out_is_not_found(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] text: &str,
) {
    let server = Server::start(false).await;
    assert_eq!(server.refused(method, path, body).await, (404, 5, text.into()));
}

#[rstest]
#[case("GET", "/kms/v1/keys", "", "folder_id is required")]
#[case("GET", "/kms/v1/keys?folderId=f&pageSize=1001", "", "page_size must be between 0 and 1000")]
#[case("GET", "/kms/v1/keys?folderId=f&page_token=x", "", "page_token is not one of this list")]
#[case("GET", "/kms/v1/keys?folderId=f&color=red", "", "unknown field `color`")]
#[case("GET", "/kms/v1/keys/x?color=red", "", "unknown field `color`")]
#[case("POST", "/kms/v1/keys/x:rotate?color=red", "", "this request has no query parameters")]
#[case("POST", "/kms/v1/keys/x:encrypt", "{", "the body is not JSON")]
#[case("POST", "/kms/v1/keys/x:encrypt", "{}", "plaintext is required")]
#[case("POST", "/kms/v1/keys/x:encrypt", "", "plaintext is required")]
#[case("POST", "/kms/v1/keys/x:encrypt", r#"{"plaintext":"%"}"#, "a field has a value of the wrong type or form")]
#[case(
    "POST",
    "/kms/v1/keys/x:encrypt",
    r#"{"keyId":"y","plaintext":"aGk="}"#,
    "key_id differs from the id in the path"
)]
#[case("POST", "/kms/v1/keys/x:decrypt", "{}", "ciphertext is required")]
#[case("POST", "/kms/v1/keys/x:reEncrypt", r#"{"ciphertext":"aGk="}"#, "source_key_id is required")]
#[case("POST", "/kms/v1/keys/x:generateDataKey", "{}", "data_key_spec is required")]
#[case("POST", "/kms/v1/keys", r#"{"folderId":"f"}"#, "default_algorithm is required")]
#[case(
    "POST",
    "/kms/v1/keys",
    r#"{"folderId":"f","defaultAlgorithm":"GOST_R_3412_2015_K"}"#,
    "default_algorithm: GOST"
)]
#[case("PATCH", "/kms/v1/keys/x", r#"{"name":"n"}"#, "update_mask is required")]
#[case("PATCH", "/kms/v1/keys/x", r#"{"updateMask":"name,nme"}"#, "update_mask: unknown path \"nme\"")]
#[case("POST", "/kms/v1/keys/x:setPrimaryVersion", "{}", "version_id is required")]
#[case(
    "POST",
    "/kms/v1/keys/x:scheduleVersionDestruction",
    r#"{"versionId":"v","pendingPeriod":"-1s"}"#,
    "pending_period"
)]
#[case("POST", "/kms/v1/keys/x:scheduleVersionDestruction", r#"{"versionId":"v","pendingPeriod":"7d"}"#, "a field has")]
#[case("GET", "/kms/v1/keys/x:listAccessBindings?resourceId=y", "", "resource_id differs from the id in the path")]
#[case("POST", "/kms/v1/keys/x:setAccessBindings", r#"{"bindings":[]}"#, "unknown field `bindings`")]
#[case(
    "POST",
    "/kms/v1/keys/x:setAccessBindings",
    r#"{"accessBindings":[{"roleId":"kms.boss","subject":{"id":"s","type":"group"}}]}"#,
    "access_bindings[0].role_id: \"kms.boss\" is not a role; roles are kms.keys.user, "
)]
#[case(
    "POST",
    "/kms/v1/keys/x:setAccessBindings",
    r#"{"accessBindings":[{"roleId":"kms.admin","subject":{"id":"s","type":"robot"}}]}"#,
    "access_bindings[0].subject.type: \"robot\" is not a type; types are userAccount, "
)]
#[case("POST", "/kms/v1/keys/x:updateAccessBindings", "{}", "access_binding_deltas must have 1 to 1000 items")]
#[case(
    "POST",
    "/kms/v1/keys/x:updateAccessBindings",
    r#"{"accessBindingDeltas":[{"accessBinding":{"roleId":"kms.admin","subject":null}}]}"#,
    "access_binding_deltas[0].action is required"
)]
#[case(
    "POST",
    "/kms/v1/keys/x:updateAccessBindings",
    r#"{"accessBindingDeltas":[{"action":"REPLACE"}]}"#,
    "unknown variant `REPLACE`"
)]
#[case("POST", "/claviger/v1/clock:confirm", r#"{"force":true}"#, "this request has no fields")]
#[tokio::test]
async fn what_breaks_a_rule_of_the_message_is_an_invalid_argument(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] text: &str,
) {
    let server = Server::start(false).await;
    let (status, code, message) = server.refused(method, path, body).await;
    assert_eq!((status, code), (400, 3), "{message}");
    assert!(message.starts_with(text), "{message}");
}

#[tokio::test]
async fn an_id_over_50_characters_is_an_invalid_argument() {
    let server = Server::start(false).await;
    let long = "a".repeat(51);
    for path in [format!("/kms/v1/keys/{long}"), format!("/operations/{long}")] {
        let (status, code, _) = server.refused("GET", &path, "").await;
        assert_eq!((status, code), (400, 3), "{path}");
    }
}

#[rstest]
#[case("POST", &format!("/kms/v1/keys/{ID}:rotate"), "")]
#[case("POST", &format!("/kms/v1/keys/{ID}:rotate"), "{}")]
#[case("GET", &format!("/kms/v1/keys/{ID}?keyId={ID}"), "")]
#[case("POST", &format!("/kms/v1/keys/{ID}:encrypt"), r#"{"key_id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","plaintext":"aGk"}"#)]
#[case("PATCH", &format!("/kms/v1/keys/{ID}"), r#"{"updateMask":"rotationPeriod","rotationPeriod":null}"#)]
#[case("GET", &format!("/kms/v1/keys?folder_id={OTHER_ID}&page_size=5"), "")]
#[tokio::test]
async fn an_outage_is_unavailable_and_its_cause_stays_inside(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
) {
    let server = Server::start(false).await;
    let (status, code, message) = server.refused(method, path, body).await;
    assert_eq!((status, code), (503, 14), "{message}");
    assert!(!message.contains("SECRET-CAUSE"));
}

#[tokio::test]
async fn a_folder_that_cannot_exist_has_no_keys() {
    let server = Server::start(false).await;
    let response = server.request("GET", "/kms/v1/keys?folderId=nobody").bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap(), json!({}));
}

#[rstest]
#[case("application/json", 503)]
#[case("application/json; charset=utf-8", 503)]
#[case("Application/JSON", 503)]
#[case("application/vnd.api+json", 503)]
#[case("application/x-www-form-urlencoded", 503)]
#[case("text/plain", 400)]
#[case("multipart/form-data; boundary=x", 400)]
#[tokio::test]
async fn json_is_taken_under_its_names_and_from_plain_curl(#[case] content_type: &str, #[case] expected: u16) {
    let server = Server::start(false).await;
    let request = server.request("POST", &format!("/kms/v1/keys/{ID}:encrypt")).bearer_auth(TOKEN);
    let response = request.header("content-type", content_type).body(r#"{"plaintext":"aGk="}"#).send().await.unwrap();
    assert_eq!(error(response).await.0, expected);
}

#[tokio::test]
async fn a_throttled_caller_is_told_when_to_come_back() {
    let server = Server::start(false).await;
    let response = server.request("GET", "/kms/v1/keys").bearer_auth(THROTTLED).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "60");
    assert_eq!(error(response).await, (429, 8, "too many failed attempts".into()));
}

#[tokio::test]
async fn an_oversize_body_is_refused_and_the_server_stays_up() {
    let server = Server::start(false).await;
    let body = format!(r#"{{"plaintext":"{}"}}"#, "A".repeat(4 * 1024 * 1024));
    let path = format!("/kms/v1/keys/{ID}:encrypt");
    let (status, code, message) = server.refused("POST", &path, &body).await;
    assert_eq!((status, code), (400, 3), "{message}");
    assert_eq!(server.refused("GET", "/kms/v1/keys/x", "").await.0, 404);
}

#[tokio::test]
async fn an_id_that_is_not_utf_8_was_never_handed_out() {
    let server = Server::start(false).await;
    for path in ["/kms/v1/keys/%ff", "/kms/v1/keys/%ff/versions", "/operations/%ff", "/endpoints/%ff"] {
        assert_eq!(server.refused("GET", path, "").await.1, 5, "{path}");
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_and_the_server_stays_up() {
    let server = Server::start(false).await;
    let body = format!(r#"{{"x":null,"labels":{}"#, r#"{"a":"#.repeat(100_000));
    assert_eq!(server.refused("POST", "/kms/v1/keys", &body).await.0, 400);
    let nulls = format!(r#"{{"name":null,"labels":{}"#, "[".repeat(100_000));
    assert_eq!(server.refused("POST", "/kms/v1/keys", &nulls).await.0, 400);
    assert_eq!(server.refused("GET", "/kms/v1/keys/x", "").await.0, 404);
}

#[tokio::test]
async fn what_is_not_implemented_says_so_after_authentication() {
    let server = Server::start(false).await;
    let asymmetric = "not implemented: asymmetric keys";
    for (method, path, text) in [
        ("POST", "/kms/v1/asymmetricEncryptionKeys", asymmetric),
        ("POST", "/kms/v1/asymmetricSignatureKeys/x:signHash", asymmetric),
    ] {
        assert_eq!(server.refused(method, path, "").await, (501, 12, text.into()), "{method} {path}");
    }
}

#[tokio::test]
async fn discovery_needs_no_token_and_ignores_a_wrong_one() {
    let server = Server::start(false).await;
    for authorization in ["", "Bearer wrong"] {
        let request = server.request("GET", "/endpoints").header("authorization", authorization);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["x-request-id"], REQUEST_ID);
        let at = |id: &str| json!({"id": id, "address": ADVERTISED});
        let all = ["kms", "kms-crypto", "operation", "iam", "endpoint"].map(at);
        assert_eq!(response.json::<Value>().await.unwrap(), json!({"endpoints": all}));
    }
    let one = server.request("GET", "/endpoints/kms-crypto").send().await.unwrap();
    assert_eq!(one.json::<Value>().await.unwrap(), json!({"id": "kms-crypto", "address": ADVERTISED}));
    let unknown = server.request("GET", "/endpoints/compute").send().await.unwrap();
    assert_eq!(error(unknown).await, (404, 5, "endpoint \"compute\" not found".into()));
}
