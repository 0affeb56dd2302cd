//! Who calls comes before what is asked.

use super::super::api::{PATHS, rest_refusal};
use super::super::{Api, Rpc, new_key, raw};
use super::Suite;
use crate::support::{Grpc, Home};
use claviger::dialect::yandex::proto::yandex::cloud::access::{
    ListAccessBindingsRequest, SetAccessBindingsRequest, UpdateAccessBindingsRequest,
};
use claviger::dialect::yandex::proto::yandex::cloud::endpoint::api_endpoint_service_client::ApiEndpointServiceClient;
use claviger::dialect::yandex::proto::yandex::cloud::endpoint::{GetApiEndpointRequest, ListApiEndpointsRequest};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation::{CancelOperationRequest, GetOperationRequest};
use kms::SymmetricAlgorithm::Aes256;
use reqwest::{Method, RequestBuilder};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

const KEYS: &str = "/yandex.cloud.kms.v1.SymmetricKeyService";
const CRYPTO: &str = "/yandex.cloud.kms.v1.SymmetricCryptoService";
const OPERATIONS: &str = "/yandex.cloud.operation.OperationService";
const UNKNOWN: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

#[tokio::test]
async fn without_a_valid_token_nothing_is_read_and_nothing_is_told() {
    // What happens after many failures is another test's.
    let suite = Suite::start_in(Home::new().with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", "0")).await;
    every_rpc_wants_a_token(&suite).await;
    a_token_comes_before_the_message(&suite).await;
    other_schemes_are_no_token(&suite).await;
    every_route_wants_a_token(&suite).await;
    what_is_open_needs_none(&suite).await;
    suite.is_up("requests of nobody").await;
}

async fn refused<M: Rpc>(suite: &Suite, message: M) {
    let token = suite.dev.credential("CLAVIGER_TOKEN");
    let cut = &token[..token.len() - 1];
    for api in &suite.apis {
        for bad in ["", "x", "clv1_", cut, &format!("{token}x"), &token.to_uppercase()] {
            let refusal = api.with_token(bad).refused("no valid token", message.clone()).await;
            assert_eq!(refusal.code, Code::Unauthenticated, "{} over {}: {refusal:?}", M::full_name(), api.name);
        }
    }
}

/// Messages of an existing key, so that nothing else can be the reason.
async fn every_rpc_wants_a_token(suite: &Suite) {
    let id = new_key(suite.grpc(), suite.folder(), Aes256).await.id;
    let key_id = || id.clone();
    refused(suite, super::super::create(suite.folder(), Aes256)).await;
    refused(suite, kms::GetSymmetricKeyRequest { key_id: key_id() }).await;
    let folder_id = suite.folder().to_owned();
    refused(suite, kms::ListSymmetricKeysRequest { folder_id, ..Default::default() }).await;
    refused(suite, kms::ListSymmetricKeyVersionsRequest { key_id: key_id(), ..Default::default() }).await;
    refused(suite, kms::ListSymmetricKeyOperationsRequest { key_id: key_id(), ..Default::default() }).await;
    refused(suite, kms::UpdateSymmetricKeyRequest { key_id: key_id(), ..Default::default() }).await;
    refused(suite, kms::DeleteSymmetricKeyRequest { key_id: key_id() }).await;
    refused(suite, kms::RotateSymmetricKeyRequest { key_id: key_id() }).await;
    refused(suite, ListAccessBindingsRequest { resource_id: key_id(), ..Default::default() }).await;
    refused(suite, SetAccessBindingsRequest { resource_id: key_id(), ..Default::default() }).await;
    refused(suite, UpdateAccessBindingsRequest { resource_id: key_id(), ..Default::default() }).await;
    refused(suite, kms::SetPrimarySymmetricKeyVersionRequest { key_id: key_id(), ..Default::default() }).await;
    refused(suite, super::super::schedule(&id, "", None)).await;
    refused(suite, kms::CancelSymmetricKeyVersionDestructionRequest { key_id: key_id(), ..Default::default() }).await;
    refused(suite, super::super::encrypt(&id, b"x", b"")).await;
    refused(suite, super::super::decrypt(&id, b"x", b"")).await;
    refused(suite, kms::SymmetricReEncryptRequest { key_id: key_id(), ..Default::default() }).await;
    refused(suite, kms::GenerateDataKeyRequest { key_id: key_id(), ..Default::default() }).await;
    refused(suite, GetOperationRequest { operation_id: UNKNOWN.into() }).await;
    refused(suite, CancelOperationRequest { operation_id: UNKNOWN.into() }).await;
    let untouched = kms::ListSymmetricKeyOperationsRequest { key_id: key_id(), ..Default::default() };
    assert_eq!(suite.grpc().ok(untouched).await.operations.len(), 1, "a request of nobody changed the key");
}

/// The gRPC connection of the suite.
async fn connection(suite: &Suite) -> Grpc {
    suite.dev.grpc().await.with_token("")
}

fn grpc_paths() -> Vec<String> {
    let camel = |name: &str| -> String {
        name.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..])).collect()
    };
    let service = |client: &str| match client {
        "keys" => KEYS,
        "crypto" => CRYPTO,
        _ => OPERATIONS,
    };
    // Logins are for those who have no token yet.
    let protected = PATHS.iter().filter(|(client, _)| *client != "logins");
    let served = protected.map(|(client, rpc)| format!("{}/{}", service(client), camel(rpc)));
    let not_served = [
        "/yandex.cloud.kms.v1.asymmetricencryption.AsymmetricEncryptionKeyService/Create",
        "/yandex.cloud.kms.v1.asymmetricencryption.AsymmetricEncryptionCryptoService/Decrypt",
        "/yandex.cloud.kms.v1.asymmetricsignature.AsymmetricSignatureKeyService/List",
        "/yandex.cloud.kms.v1.asymmetricsignature.AsymmetricSignatureCryptoService/SignHash",
    ];
    served.chain(not_served.map(str::to_owned)).collect()
}

async fn a_token_comes_before_the_message(suite: &Suite) {
    let client = connection(suite).await;
    for path in grpc_paths() {
        for message in [b"".as_slice(), b"\xff\xff\xff garbage", &[0; 100_000]] {
            let status = raw::call(&client, &[], &path, message.to_vec()).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{path}: {status:?}");
        }
    }
    let nobody = suite.dev.rest().with_token("");
    for body in ["", "{", "[]", r#"{"unknown":1}"#, &"[".repeat(10_000), &"x".repeat(5_000_000)] {
        for path in
            ["/kms/v1/keys".to_owned(), format!("/kms/v1/keys/{UNKNOWN}:encrypt"), "/kms/v1/keys/:rotate".into()]
        {
            let request = nobody.request(Method::POST, &path).body(body.to_owned());
            assert_unauthenticated(suite, &path, request).await;
        }
    }
}

async fn other_schemes_are_no_token(suite: &Suite) {
    let client = connection(suite).await;
    let token = suite.dev.credential("CLAVIGER_TOKEN");
    let bearer = format!("Bearer {token}");
    let bad = [
        vec![token.to_owned()],
        vec![format!("Basic {token}")],
        vec![format!("Api-Key {token}")],
        vec![format!("Bearer{token}")],
        vec!["Bearer".to_owned()],
        vec![format!("Bearer {token} {token}")],
        vec![bearer.clone(), bearer.clone()],
        vec![format!("Bearer {}", "x".repeat(5_000))],
    ];
    let path = format!("/kms/v1/keys?folderId={}", suite.folder());
    for values in bad {
        let headers: Vec<&str> = values.iter().map(String::as_str).collect();
        let status = raw::call(&client, &headers, &format!("{KEYS}/List"), Vec::new()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
        let nobody = suite.dev.rest().with_token("");
        let request = nobody.request(Method::GET, &path);
        let request = headers.iter().fold(request, |request, value| request.header("authorization", *value));
        assert_unauthenticated(suite, "another scheme", request).await;
    }
    // The scheme's name is not case-sensitive (RFC 9110, 11.1).
    let request = suite.dev.rest().with_token("").request(Method::GET, &path);
    suite.dev.rest().send(request.header("authorization", format!("bearer {token}"))).await.ok();
}

async fn assert_unauthenticated(suite: &Suite, case: &str, request: RequestBuilder) {
    let answer = suite.dev.rest().send(request).await;
    let refusal = rest_refusal(&answer);
    assert_eq!(refusal.code, Code::Unauthenticated, "{case}: {}", answer.text);
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}

async fn every_route_wants_a_token(suite: &Suite) {
    let (key, asymmetric) = (format!("/kms/v1/keys/{UNKNOWN}"), "/kms/v1/asymmetricEncryptionKeys");
    let routes = [
        (Method::GET, format!("{key}:listAccessBindings")),
        (Method::POST, format!("{key}:setAccessBindings")),
        (Method::POST, format!("{key}:updateAccessBindings")),
        (Method::POST, format!("{key}:noSuchVerb")),
        (Method::PUT, key.clone()),
        (Method::GET, format!("{key}/nothing")),
        (Method::GET, asymmetric.to_owned()),
        (Method::POST, format!("{asymmetric}/{UNKNOWN}:decrypt")),
        (Method::POST, format!("/kms/v1/asymmetricSignatureKeys/{UNKNOWN}:sign")),
        (Method::GET, format!("/operations/{UNKNOWN}:cancel")),
        (Method::POST, format!("/claviger/v1/keys/{UNKNOWN}:restore")),
        (Method::POST, "/claviger/v1/clock:confirm".to_owned()),
    ];
    for token in ["", "clv1_wrong"] {
        let nobody = suite.dev.rest().with_token(token);
        for (method, path) in &routes {
            assert_unauthenticated(suite, path, nobody.request(method.clone(), path)).await;
        }
    }
}

async fn what_is_open_needs_none(suite: &Suite) {
    let tls = suite.dev.credential("CLAVIGER_TLS_ENDPOINT").trim_start_matches("https://").to_owned();
    let ids = ["kms", "kms-crypto", "operation", "iam", "endpoint"];
    for token in ["", "clv1_wrong"] {
        let rest = suite.dev.rest().with_token(token);
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(rest.get(path).await.status, 200, "{path}");
        }
        let all = rest.get("/endpoints").await.ok();
        let expected: Vec<_> = ids.map(|id| serde_json::json!({ "id": id, "address": tls })).into();
        assert_eq!(all["endpoints"], serde_json::json!(expected));
        assert_eq!(rest.get("/endpoints/kms-crypto").await.ok()["address"], tls.as_str());
        assert_eq!(rest_refusal(&rest.get("/endpoints/nothing").await).code, Code::NotFound);
        let grpc = suite.dev.grpc().await.with_token(token);
        discovery_over_grpc(&grpc, &ids, &tls).await;
        health_and_reflection(&grpc).await;
    }
    for api in Api::all(&suite.dev).await.into_iter().filter(|api| api.name.ends_with("TLS")) {
        let refusal = api.with_token("").refused("over TLS", kms::GetSymmetricKeyRequest::default()).await;
        assert!([Code::Unauthenticated, Code::NotFound].contains(&refusal.code), "{}: {refusal:?}", api.name);
    }
}

async fn discovery_over_grpc(grpc: &Grpc, ids: &[&str], address: &str) {
    let mut discovery = ApiEndpointServiceClient::new(grpc.channel());
    let listed = discovery.list(ListApiEndpointsRequest::default()).await.unwrap().into_inner();
    let shown: Vec<_> = listed.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
    assert_eq!(shown, ids);
    for id in ids {
        let request = GetApiEndpointRequest { api_endpoint_id: (*id).to_owned() };
        assert_eq!(discovery.get(request).await.unwrap().into_inner().address, address);
    }
    let unknown = discovery.get(GetApiEndpointRequest { api_endpoint_id: "storage".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

async fn health_and_reflection(grpc: &Grpc) {
    let mut health = HealthClient::new(grpc.channel());
    let asked = health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
    assert_eq!(asked.into_inner().status, 1);
    let unknown = health.check(HealthCheckRequest { service: "nothing".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(grpc.channel());
    let mut answers = reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(listed) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = listed.service.iter().map(|service| format!("/{}", service.name)).collect();
    assert!([KEYS, CRYPTO, OPERATIONS].iter().all(|wanted| names.iter().any(|name| name == wanted)), "{names:?}");
}
