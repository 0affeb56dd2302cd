//! gRPC, with the generated clients and with hand-made bytes.

use super::outage::{ADVERTISED, REQUEST_ID, Server, THROTTLED, TOKEN};
use claviger::dialect::yandex::proto::google::rpc as google;
use claviger::dialect::yandex::proto::yandex::cloud::access::{
    AccessBinding, AccessBindingDelta, ListAccessBindingsRequest, Subject, UpdateAccessBindingsRequest,
};
use claviger::dialect::yandex::proto::yandex::cloud::endpoint::api_endpoint_service_client::ApiEndpointServiceClient;
use claviger::dialect::yandex::proto::yandex::cloud::endpoint::{GetApiEndpointRequest, ListApiEndpointsRequest};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1::symmetric_crypto_service_client::SymmetricCryptoServiceClient;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1::symmetric_key_service_client::SymmetricKeyServiceClient;
use claviger::dialect::yandex::proto::yandex::cloud::operation::GetOperationRequest;
use claviger::dialect::yandex::proto::yandex::cloud::operation::operation_service_client::OperationServiceClient;
use prost::Message;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
const ENCRYPT: &str = "/yandex.cloud.kms.v1.SymmetricCryptoService/Encrypt";

async fn channel(server: &Server) -> Channel {
    Channel::from_shared(server.url("")).unwrap().connect().await.unwrap()
}

fn with_token<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    request
}

fn encrypt_request(key_id: &str) -> kms::SymmetricEncryptRequest {
    kms::SymmetricEncryptRequest { key_id: key_id.into(), plaintext: b"hi".to_vec(), ..Default::default() }
}

/// The id of the request in the details of an error.
fn request_id_of(status: &Status) -> String {
    let details = google::Status::decode(status.details()).unwrap();
    assert_eq!(details.code, status.code() as i32);
    details.details[0].unpack::<google::RequestInfo>().unwrap().request_id
}

/// Sends bytes as the messages of a call; code and text of the refusal.
async fn send_raw(server: &Server, path: &str, token: Option<&str>, body: Vec<u8>) -> (Code, String) {
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut request = client.post(server.url(path)).header("content-type", "application/grpc").header("te", "trailers");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-request-id"], REQUEST_ID);
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(request_id_of(&status), REQUEST_ID);
    (status.code(), status.message().to_owned())
}

/// A message with its length, as gRPC frames it.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    frame
}

#[tokio::test]
async fn no_service_is_served_without_a_valid_token() {
    let server = Server::start(false).await;
    let channel = channel(&server).await;
    let crypto = SymmetricCryptoServiceClient::new(channel.clone()).encrypt(encrypt_request("x")).await;
    let keys = SymmetricKeyServiceClient::new(channel.clone()).get(kms::GetSymmetricKeyRequest::default()).await;
    let operations = OperationServiceClient::new(channel).get(GetOperationRequest::default()).await;
    for status in [crypto.unwrap_err(), keys.unwrap_err(), operations.unwrap_err()] {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(request_id_of(&status), REQUEST_ID);
        assert_eq!(status.metadata().get("x-request-id").unwrap(), REQUEST_ID);
    }
}

#[tokio::test]
async fn authentication_comes_before_the_message_is_read() {
    let server = Server::start(false).await;
    for token in [None, Some("wrong")] {
        let (code, _) = send_raw(&server, ENCRYPT, token, framed(b"\xff\xff")).await;
        assert_eq!(code, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn bytes_that_are_not_the_message_are_an_invalid_argument() {
    let server = Server::start(false).await;
    let compressed = [&[1, 0, 0, 0, 1][..], b"x"].concat();
    let huge = [0, 0xff, 0xff, 0xff, 0xff].to_vec();
    let wrong_type = framed(&[0x08, 0x01]);
    for body in [framed(b"\xff\xff"), wrong_type, huge, compressed, vec![0, 0, 0, 0, 9, 1], vec![], vec![0]] {
        let (code, text) = send_raw(&server, ENCRYPT, Some(TOKEN), body.clone()).await;
        assert_eq!(code, Code::InvalidArgument, "{body:?}: {text}");
    }
    let (code, text) = send_raw(&server, ENCRYPT, Some(TOKEN), framed(&encrypt_request("x").encode_to_vec())).await;
    assert_eq!((code, text.as_str()), (Code::NotFound, "key x not found"));
}

#[tokio::test]
async fn a_message_over_4_mib_is_an_invalid_argument() {
    let server = Server::start(false).await;
    let mut client = SymmetricCryptoServiceClient::new(channel(&server).await);
    let ciphertext = vec![0; 4 * 1024 * 1024 + 1];
    let message = kms::SymmetricDecryptRequest { key_id: ID.into(), ciphertext, ..Default::default() };
    let status = client.decrypt(with_token(message)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn limits_and_unknown_ids_have_their_codes() {
    let server = Server::start(false).await;
    let mut client = SymmetricCryptoServiceClient::new(channel(&server).await);
    let mut code = async |message| client.encrypt(with_token(message)).await.unwrap_err().code();
    assert_eq!(code(encrypt_request("")).await, Code::InvalidArgument);
    assert_eq!(code(encrypt_request(&"k".repeat(51))).await, Code::InvalidArgument);
    assert_eq!(code(encrypt_request("k")).await, Code::NotFound);
    assert_eq!(code(encrypt_request(ID)).await, Code::Unavailable);
    let too_long = kms::SymmetricEncryptRequest { plaintext: vec![0; 32_769], ..encrypt_request(ID) };
    assert_eq!(code(too_long).await, Code::InvalidArgument);
}

#[tokio::test]
async fn unknown_methods_and_services_are_unimplemented() {
    let server = Server::start(false).await;
    let unknown_method = "/yandex.cloud.kms.v1.SymmetricCryptoService/Explode";
    assert_eq!(
        send_raw(&server, unknown_method, Some(TOKEN), vec![]).await,
        (Code::Unimplemented, "no such method".into())
    );
    let unknown_service = "/yandex.cloud.kms.v1.NoService/Get";
    assert_eq!(
        send_raw(&server, unknown_service, Some(TOKEN), vec![]).await,
        (Code::Unimplemented, "no such service".into())
    );
}

#[tokio::test]
async fn asymmetric_services_are_unimplemented_after_authentication() {
    let server = Server::start(false).await;
    for service in [
        "asymmetricencryption.AsymmetricEncryptionKeyService/Create",
        "asymmetricencryption.AsymmetricEncryptionCryptoService/Decrypt",
        "asymmetricsignature.AsymmetricSignatureKeyService/List",
        "asymmetricsignature.AsymmetricSignatureCryptoService/Sign",
    ] {
        let path = format!("/yandex.cloud.kms.v1.{service}");
        let expected = (Code::Unimplemented, "not implemented: asymmetric keys".into());
        assert_eq!(send_raw(&server, &path, Some(TOKEN), framed(b"")).await, expected);
        assert_eq!(send_raw(&server, &path, None, framed(b"")).await.0, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn access_bindings_have_limits_and_need_a_key() {
    let server = Server::start(false).await;
    let mut client = SymmetricKeyServiceClient::new(channel(&server).await);
    let mut list = async |id: &str, page_size| {
        let message = ListAccessBindingsRequest { resource_id: id.into(), page_size, ..Default::default() };
        client.list_access_bindings(with_token(message)).await.unwrap_err().code()
    };
    assert_eq!(list("", 0).await, Code::InvalidArgument);
    assert_eq!(list(&"k".repeat(65), 0).await, Code::InvalidArgument);
    assert_eq!(list(ID, 1001).await, Code::InvalidArgument);
    assert_eq!(list(&"k".repeat(64), 0).await, Code::NotFound);
    let mut client = SymmetricKeyServiceClient::new(channel(&server).await);
    let subject = Some(Subject { id: "s".into(), r#type: "group".into() });
    let binding = Some(AccessBinding { role_id: "kms.viewer".into(), subject });
    for (action, code) in [(0, Code::InvalidArgument), (7, Code::InvalidArgument), (1, Code::NotFound)] {
        let delta = AccessBindingDelta { action, access_binding: binding.clone() };
        let message = UpdateAccessBindingsRequest { resource_id: "k".into(), access_binding_deltas: vec![delta] };
        let status = client.update_access_bindings(with_token(message)).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
    }
}

#[tokio::test]
async fn a_throttled_caller_exhausts_its_resources() {
    let server = Server::start(false).await;
    let (code, text) = send_raw(&server, ENCRYPT, Some(THROTTLED), framed(b"")).await;
    assert_eq!((code, text.as_str()), (Code::ResourceExhausted, "too many failed attempts"));
}

#[tokio::test]
async fn a_grpc_path_without_a_grpc_content_type_is_415() {
    let server = Server::start(false).await;
    let response = reqwest::Client::new().post(server.url(ENCRYPT)).bearer_auth(TOKEN).json(&1).send().await.unwrap();
    assert_eq!(response.status(), 415);
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["code"], 3);
}

#[tokio::test]
async fn discovery_needs_no_token() {
    let server = Server::start(false).await;
    let mut client = ApiEndpointServiceClient::new(channel(&server).await);
    let all = client.list(ListApiEndpointsRequest::default()).await.unwrap();
    assert_eq!(all.metadata().get("x-request-id").unwrap(), REQUEST_ID);
    let all = all.into_inner().endpoints;
    let ids: Vec<_> = all.iter().map(|endpoint| endpoint.id.as_str()).collect();
    assert_eq!(ids, ["kms", "kms-crypto", "operation", "iam", "endpoint"]);
    assert!(all.iter().all(|endpoint| endpoint.address == ADVERTISED));
    let unknown = client.get(GetApiEndpointRequest { api_endpoint_id: "vpc".into() }).await.unwrap_err();
    assert_eq!((unknown.code(), request_id_of(&unknown).as_str()), (Code::NotFound, REQUEST_ID));
}

#[tokio::test]
async fn health_needs_no_token() {
    let server = Server::start(false).await;
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel(&server).await);
    let answer = client.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
}

/// The services that reflection lists.
async fn reflected(server: &Server) -> Result<Vec<String>, Status> {
    let mut client = ServerReflectionClient::new(channel(server).await);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client.server_reflection_info(tokio_stream::once(list)).await?.into_inner();
    match answers.message().await?.and_then(|answer| answer.message_response) {
        Some(MessageResponse::ListServicesResponse(list)) => Ok(list.service.into_iter().map(|s| s.name).collect()),
        other => panic!("not a list of services: {other:?}"),
    }
}

#[tokio::test]
async fn reflection_lists_the_services_and_can_be_switched_off() {
    let services = reflected(&Server::start(true).await).await.unwrap();
    for name in [
        "yandex.cloud.kms.v1.SymmetricKeyService",
        "yandex.cloud.kms.v1.SymmetricCryptoService",
        "yandex.cloud.operation.OperationService",
        "yandex.cloud.endpoint.ApiEndpointService",
        "yandex.cloud.iam.v1.IamTokenService",
        "grpc.health.v1.Health",
    ] {
        assert!(services.iter().any(|service| service == name), "{name}");
    }
    let off = reflected(&Server::start(false).await).await.unwrap_err();
    assert_eq!(off.code(), Code::Unimplemented);
}
