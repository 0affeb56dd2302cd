//! `IamTokenService`, which nobody needs a token for.

use super::outage::{JWT, LOGIN_TOKEN, REQUEST_ID, Server, THROTTLED, error};
use claviger::dialect::yandex::proto::yandex::cloud::iam::v1 as iam;
use claviger::dialect::yandex::proto::yandex::cloud::iam::v1::create_iam_token_request::Identity;
use claviger::dialect::yandex::proto::yandex::cloud::iam::v1::iam_token_service_client::IamTokenServiceClient;
use reqwest::{Client, Response};
use rstest::rstest;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Status};

const OAUTH: &str = "not implemented: logins with OAuth tokens: send the JWT of a service account's key";
const FOR_OTHERS: &str =
    "not implemented: tokens for other service accounts: log in with the service account's own key";
const REVOKE: &str =
    "not implemented: revoking the token of a login: revoke the key that it was made with, and the token ends too";

async fn client(server: &Server) -> IamTokenServiceClient<Channel> {
    IamTokenServiceClient::connect(server.url("")).await.unwrap()
}

async fn create(server: &Server, identity: Option<Identity>) -> Result<iam::CreateIamTokenResponse, Status> {
    let answer = client(server).await.create(iam::CreateIamTokenRequest { identity }).await?;
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), REQUEST_ID);
    Ok(answer.into_inner())
}

async fn post(server: &Server, path: &str, body: &str) -> Response {
    let request = Client::new().post(server.url(path)).header("content-type", "application/json");
    request.body(body.to_owned()).send().await.unwrap()
}

#[tokio::test]
async fn a_jwt_is_exchanged_for_a_token_over_grpc() {
    let server = Server::start(false).await;
    let answer = create(&server, Some(Identity::Jwt(JWT.into()))).await.unwrap();
    assert_eq!((answer.iam_token.as_str(), answer.expires_at.unwrap().seconds), (LOGIN_TOKEN, 1_800_000_000));
}

#[tokio::test]
async fn a_jwt_is_exchanged_for_a_token_over_rest() {
    let server = Server::start(false).await;
    let answer = post(&server, "/iam/v1/tokens", &json!({"jwt": JWT}).to_string()).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = answer.text().await.unwrap();
    insta::assert_snapshot!(body, @r#"{"iamToken":"login-token","expiresAt":"2027-01-15T08:00:00Z"}"#);
}

#[tokio::test]
async fn credentials_in_the_header_are_not_looked_at() {
    let server = Server::start(false).await;
    for token in ["wrong", THROTTLED] {
        let request = Client::new().post(server.url("/iam/v1/tokens")).bearer_auth(token).json(&json!({"jwt": JWT}));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[rstest]
#[case(None, Code::InvalidArgument, "jwt is required")]
#[case(Some(Identity::Jwt(String::new())), Code::InvalidArgument, "jwt is required")]
#[case(Some(Identity::Jwt("j".repeat(8001))), Code::InvalidArgument, "jwt must be at most 8000 characters long")]
#[case(Some(Identity::Jwt("j".repeat(8000))), Code::Unauthenticated, "a valid credential is required")]
#[case(Some(Identity::Jwt(THROTTLED.into())), Code::ResourceExhausted, "too many failed attempts")]
#[case(Some(Identity::YandexPassportOauthToken("y0".into())), Code::Unimplemented, OAUTH)]
#[case(Some(Identity::Jwt("outage".into())), Code::Unavailable, "the service is temporarily unavailable: try again")]
#[tokio::test]
async fn every_refusal_of_a_login_has_its_grpc_code(
    #[case] identity: Option<Identity>,
    #[case] code: Code,
    #[case] text: &str,
) {
    let server = Server::start(false).await;
    let status = create(&server, identity).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, text));
}

#[rstest]
#[case("", (400, 3, "jwt is required"))]
#[case(r#"{"jwt":""}"#, (400, 3, "jwt is required"))]
#[case(r#"{"jwt":null}"#, (400, 3, "jwt is required"))]
#[case(r#"{"jwt":"SECRET","yandexPassportOauthToken":"SECRET"}"#, (400, 3, "duplicate field `yandexPassportOauthToken`"))]
#[case(r#"{"token":"SECRET"}"#, (400, 3, "unknown field `token`"))]
#[case(r#"{"jwt":"SECRET""#, (400, 3, "the body is not JSON"))]
#[case(r#"{"jwt":"SECRET"}"#, (401, 16, "a valid credential is required"))]
#[case(r#"{"yandexPassportOauthToken":"SECRET"}"#, (501, 12, OAUTH))]
#[case(r#"{"jwt":"outage"}"#, (503, 14, "the service is temporarily unavailable"))]
#[tokio::test]
async fn every_refusal_of_a_login_has_its_status_and_tells_no_secret(
    #[case] body: &str,
    #[case] expected: (u16, i64, &str),
) {
    let server = Server::start(false).await;
    let (status, code, text) = error(post(&server, "/iam/v1/tokens", body).await).await;
    assert_eq!((status, code), (expected.0, expected.1), "{text}");
    assert!(text.starts_with(expected.2) && !text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn a_throttled_login_is_told_when_to_come_back() {
    let server = Server::start(false).await;
    let response = post(&server, "/iam/v1/tokens", &json!({"jwt": THROTTLED}).to_string()).await;
    assert_eq!(response.headers()["retry-after"], "60");
    assert_eq!(error(response).await, (429, 8, "too many failed attempts".into()));
}

#[tokio::test]
async fn whoever_has_not_logged_in_cannot_send_much() {
    let server = Server::start(false).await;
    let long = "j".repeat(70_000);
    let status = create(&server, Some(Identity::Jwt(long.clone()))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let (status, code, text) = error(post(&server, "/iam/v1/tokens", &json!({"jwt": long}).to_string()).await).await;
    assert_eq!((status, code, text.as_str()), (400, 3, "the body must be complete and at most 65536 bytes"));
}

#[tokio::test]
async fn what_is_not_implemented_of_logins_says_what_to_do_instead() {
    let server = Server::start(false).await;
    let message = iam::CreateIamTokenForServiceAccountRequest { service_account_id: "s".into() };
    let other = client(&server).await.create_for_service_account(message).await.unwrap_err();
    assert_eq!((other.code(), other.message()), (Code::Unimplemented, FOR_OTHERS));
    let mut message = iam::RevokeIamTokenRequest::default();
    message.iam_token = "t".into();
    let revoke = client(&server).await.revoke(message).await.unwrap_err();
    assert_eq!((revoke.code(), revoke.message()), (Code::Unimplemented, REVOKE));
    for (path, text) in [("createForServiceAccount", FOR_OTHERS), ("revoke", REVOKE)] {
        let response = post(&server, &format!("/iam/v1/tokens:{path}"), "{}").await;
        assert_eq!(error(response).await, (501, 12, text.into()));
    }
}

#[tokio::test]
async fn logins_take_post_only() {
    let server = Server::start(false).await;
    for path in ["/iam/v1/tokens", "/iam/v1/tokens:createForServiceAccount", "/iam/v1/tokens:revoke"] {
        let response = Client::new().get(server.url(path)).send().await.unwrap();
        assert_eq!(response.headers()["allow"], "POST");
        assert_eq!(error(response).await.0, 405);
    }
}
