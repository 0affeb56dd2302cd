//! What requests of the AWS dialect count as for their principal, whatever becomes of them.

use super::signatures::signatures;
use super::{Office, Shown};
use crate::service::in_own_process;
use axum::Router;
use axum::body::{Body, to_bytes};
use claviger::auth::body_budget::BodyBudget;
use claviger::dialect::aws::{AwsDeps, routes};
use claviger::domain::access::Role;
use claviger::domain::algorithm::Algorithm;
use claviger::service::identity::NewCredential;
use claviger::service::ports::BindingScope;
use claviger::testing::signer::Signer;
use http::{HeaderValue, Request};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

const LIMIT: u32 = 3;
const ABSENT: &str = "7f3c1b5e-0d2a-4c66-9b1f-3d5a8e0c9f21";

/// The dialect with a limit of requests, and who sends them.
struct Desk {
    office: Office,
    router: Router,
    key: Shown,
}

impl Desk {
    async fn send(&self, operation: &str, content_type: &'static str, body: &Value) -> Value {
        let Shown::AccessKey { id, secret } = &self.key else { unreachable!() };
        let now = jiff::Timestamp::from_microsecond(self.office.kms().now().as_micros()).unwrap();
        let at = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/us-east-1/kms/aws4_request", &at[..8]);
        let body = body.to_string();
        let mut request = Request::post("/").body(()).unwrap();
        let headers = request.headers_mut();
        headers.insert("host", HeaderValue::from_static("kms.example.com"));
        headers.insert("content-type", HeaderValue::from_static(content_type));
        headers.insert("x-amz-target", format!("TrentService.{operation}").parse().unwrap());
        headers.insert("x-amz-date", at.parse().unwrap());
        Signer { access_key_id: id, secret, scope: &scope, at: &at }.sign(headers, body.as_bytes());
        let answer = self.router.clone().oneshot(request.map(|()| Body::from(body))).await.unwrap();
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() }
    }

    async fn call(&self, operation: &str, body: &Value) -> Value {
        self.send(operation, "application/x-amz-json-1.1", body).await
    }

    /// All that the limit lets through, and one more.
    async fn assert_counts_once(&self, operation: &str, content_type: &'static str, body: &Value) {
        self.office.service.clock.advance(Duration::from_secs(1));
        for number in 0..=LIMIT {
            let answer = self.send(operation, content_type, body).await;
            let throttled = answer["__type"] == "ThrottlingException";
            assert_eq!(throttled, number == LIMIT, "{number}: {operation} {body}: {answer}");
        }
    }
}

async fn desk(office: Office) -> Desk {
    let account = office.account().await;
    let home = BindingScope::Folder(office.home());
    for role in [Role::Admin, Role::KeysEncrypterDecrypter] {
        office.bind(home, role, &account).await;
    }
    let (_, key) = office.issue(&account, NewCredential::AccessKey).await;
    let kms = office.service.another(|parts| parts.settings.access.requests_per_principal = NonZeroU32::new(LIMIT));
    let signatures = Arc::new(signatures(&office, &kms, 0));
    let router = routes(AwsDeps { kms: Arc::new(kms), signatures, bodies: Arc::new(BodyBudget::default()) });
    Desk { office, router, key }
}

/// Requests that end well, in a use case, and before any.
fn requests(id: &str, other: &str, own: &Value, hidden: &str) -> Vec<(&'static str, Value)> {
    let garbage = "YWFh";
    vec![
        ("DescribeKey", json!({"KeyId": id})),
        ("DescribeKey", json!({"KeyId": ABSENT})),
        ("DescribeKey", json!({"KeyId": "alias/absent"})),
        ("DescribeKey", json!({"KeyId": "x"})),
        ("DescribeKey", json!({"KeyId": "arn:aws:s3:::x"})),
        ("DescribeKey", json!({"KeyId": format!("arn:aws:kms:eu-west-1:111111111111:key/{id}")})),
        ("DescribeKey", json!({})),
        ("DescribeKey", json!([])),
        ("DescribeKey", json!({"KeyId": id, "GrantTokens": ["a"]})),
        ("ListKeys", json!({})),
        ("ListKeys", json!({"Marker": "zz"})),
        ("ListResourceTags", json!({"KeyId": id})),
        ("UpdateAlias", json!({"AliasName": "alias/absent", "TargetKeyId": id})),
        ("PutKeyPolicy", json!({"KeyId": id, "Policy": "{}"})),
        ("GenerateRandom", json!({"NumberOfBytes": 8})),
        ("Sign", json!({})),
        ("Foo", json!({})),
        ("Encrypt", json!({"KeyId": id, "Plaintext": "YQ==", "DryRun": true})),
        ("Decrypt", json!({"CiphertextBlob": own})),
        ("Decrypt", json!({"CiphertextBlob": hidden})),
        ("Decrypt", json!({"CiphertextBlob": garbage})),
        ("Decrypt", json!({"CiphertextBlob": garbage, "KeyId": id})),
        ("Decrypt", json!({"CiphertextBlob": own, "KeyId": other})),
        ("ReEncrypt", json!({"CiphertextBlob": own, "DestinationKeyId": other})),
        ("ReEncrypt", json!({"CiphertextBlob": hidden, "DestinationKeyId": id})),
        ("ReEncrypt", json!({"CiphertextBlob": garbage, "DestinationKeyId": id})),
        ("ReEncrypt", json!({"CiphertextBlob": garbage, "SourceKeyId": id, "DestinationKeyId": id})),
        ("ReEncrypt", json!({"CiphertextBlob": own, "SourceKeyId": other, "DestinationKeyId": id})),
        ("ReEncrypt", json!({"CiphertextBlob": own, "DestinationKeyId": ABSENT})),
        ("ReEncrypt", json!({"CiphertextBlob": own, "DestinationKeyId": id, "DryRun": true})),
    ]
}

#[test]
fn every_signed_request_counts_once() {
    in_own_process(module_path!(), "every_signed_request_counts_once", async |core| {
        let desk = desk(Office::start(core).await).await;
        let service = &desk.office.service;
        let ids = [(); 2].map(|()| Algorithm::Aes256);
        let id = service.create(ids[0], None).await;
        let other = service.create(ids[1], None).await.to_string();
        let own = desk.call("Encrypt", &json!({"KeyId": id.to_string(), "Plaintext": "YQ=="})).await;
        let own = &own["CiphertextBlob"];
        assert!(own.is_string(), "{own}");
        // The envelope of a key that is not there.
        let absent = uuid::Uuid::parse_str(ABSENT).unwrap().into_bytes();
        let mut bytes = service.encrypt(id, None).await.unwrap();
        let at = bytes.windows(16).position(|window| window == id.as_bytes()).unwrap();
        bytes[at..at + 16].copy_from_slice(&absent);
        let hidden = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        for (operation, body) in requests(&id.to_string(), &other, own, &hidden) {
            desk.assert_counts_once(operation, "application/x-amz-json-1.1", &body).await;
        }
        desk.assert_counts_once("ListKeys", "text/plain", &json!({})).await;
    });
}
