//! The `idempotency-key` of create requests.

use super::super::api::{Transport, rest_refusal};
use super::super::create;
use super::Suite;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation::Operation;
use kms::SymmetricAlgorithm::{Aes128, Aes256};
use reqwest::Method;
use tokio::task::JoinSet;
use tonic::{Code, Request};

#[tokio::test]
async fn a_create_request_with_a_repeated_idempotency_key_is_made_once() {
    let suite = Suite::start().await;
    let request = create(suite.folder(), Aes256);
    let first = over_grpc(&suite, "key-1", &request).await.unwrap();
    assert_eq!(over_grpc(&suite, "key-1", &request).await.unwrap(), first);
    assert_eq!(over_rest(&suite, "key-1", &request).await.unwrap(), first, "the same request over the other protocol");
    let other = over_rest(&suite, "key-2", &request).await.unwrap();
    assert_ne!(other.id, first.id);
    let changed = create(suite.folder(), Aes128);
    assert_eq!(over_grpc(&suite, "key-1", &changed).await, Err(Code::InvalidArgument));
    assert_eq!(over_rest(&suite, "key-1", &changed).await, Err(Code::InvalidArgument));
    assert!(over_grpc(&suite, &"k".repeat(100), &request).await.is_ok());
    for bad in [String::new(), "k".repeat(101)] {
        assert_eq!(over_grpc(&suite, &bad, &request).await, Err(Code::InvalidArgument), "{bad:?}");
        assert_eq!(over_rest(&suite, &bad, &request).await, Err(Code::InvalidArgument), "{bad:?}");
    }
    requests_at_the_same_moment_make_one_key(&suite, &request).await;
    assert_eq!(keys(&suite).await, 4);
    suite.is_up("idempotency keys").await;
    let Suite { dev, home, .. } = suite;
    dev.kill();
    let suite = Suite::start_in(home).await;
    assert_eq!(over_grpc(&suite, "key-1", &request).await.unwrap(), first, "after a power cut");
    assert_eq!(keys(&suite).await, 4);
}

async fn over_grpc(suite: &Suite, key: &str, message: &kms::CreateSymmetricKeyRequest) -> Result<Operation, Code> {
    let Transport::Grpc(grpc) = &suite.grpc().transport else { panic!("not gRPC") };
    let mut request = Request::new(message.clone());
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    grpc.keys().create(request).await.map(tonic::Response::into_inner).map_err(|status| status.code())
}

async fn over_rest(suite: &Suite, key: &str, message: &kms::CreateSymmetricKeyRequest) -> Result<Operation, Code> {
    let rest = suite.dev.rest();
    let request = rest.request(Method::POST, "/kms/v1/keys").header("idempotency-key", key).json(message);
    let answer = rest.send(request).await;
    if answer.status == 200 { Ok(serde_json::from_str(&answer.text).unwrap()) } else { Err(rest_refusal(&answer).code) }
}

async fn requests_at_the_same_moment_make_one_key(suite: &Suite, message: &kms::CreateSymmetricKeyRequest) {
    let mut flying = JoinSet::new();
    for _ in 0..8 {
        let rest = suite.dev.rest();
        let request = rest.request(Method::POST, "/kms/v1/keys").header("idempotency-key", "at once").json(message);
        flying.spawn(async move { rest.send(request).await.ok()["id"].as_str().unwrap().to_owned() });
    }
    let mut ids = flying.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

async fn keys(suite: &Suite) -> usize {
    let request = kms::ListSymmetricKeysRequest { folder_id: suite.folder().to_owned(), ..Default::default() };
    suite.grpc().ok(request).await.keys.len()
}
