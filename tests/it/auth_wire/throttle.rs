//! Many failed attempts: they are throttled, and nobody else notices.

use super::clients::{self, ClientIdentity};
use crate::support::{Dev, Home};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use tonic::Code;

const REFUSAL: &str = r#"{"code":16,"message":"a valid credential is required","details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"same"}]}"#;
const LIMIT: usize = 5;
const TEXT: &str = "too many failed attempts to authenticate: try again in a minute";

fn home() -> Home {
    Home::new().with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", &LIMIT.to_string())
}

fn keys(dev: &Dev) -> String {
    format!("/kms/v1/keys?folderId={}", dev.folder())
}

/// The statuses of this many requests with a token.
async fn statuses(dev: &Dev, token: &str, count: usize) -> Vec<u16> {
    let rest = dev.rest().with_token(token);
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(rest.get(&keys(dev)).await.status);
    }
    statuses
}

#[tokio::test]
async fn attempts_above_the_limit_are_throttled_while_valid_tokens_are_served() {
    let home = home();
    let dev = home.start().await;
    let failed = statuses(&dev, "wrong", 4 * LIMIT).await;
    // A counter fills up again while the requests run, so the exact place of the change is left open.
    assert_eq!(failed[..LIMIT], [401; LIMIT]);
    assert!(failed[LIMIT..].contains(&429), "{failed:?}");
    assert!(failed.iter().all(|status| [401, 429].contains(status)), "{failed:?}");
    assert_eq!(statuses(&dev, dev.credential("CLAVIGER_TOKEN"), 3).await, [200; 3]);
    let answer = loop {
        let answer = dev.rest().with_token("").get(&keys(&dev)).await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!((answer.code(), answer.json()["message"].as_str()), (8, Some(TEXT)));
    assert_eq!(answer.headers["retry-after"], "60");
    let metrics = dev.rest().get("/metrics").await.text;
    let counted = |throttled: &str| {
        let name = format!("claviger_failed_authentications_total{{throttled=\"{throttled}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().to_owned();
        line.parse::<usize>().unwrap()
    };
    assert!(counted("false") >= LIMIT && counted("true") >= 1, "{metrics}");
}

#[tokio::test]
async fn failed_attempts_over_grpc_are_throttled_too() {
    let home = home();
    let dev = home.start().await;
    let mut wrong = dev.grpc().await.with_token("wrong").keys();
    let mut codes = Vec::new();
    for _ in 0..4 * LIMIT {
        codes.push(wrong.get(kms::GetSymmetricKeyRequest::default()).await.unwrap_err().code());
    }
    assert_eq!(codes[..LIMIT], [Code::Unauthenticated; LIMIT]);
    assert!(codes[LIMIT..].contains(&Code::ResourceExhausted), "{codes:?}");
    let request = kms::ListSymmetricKeysRequest { folder_id: dev.folder().into(), ..Default::default() };
    dev.grpc().await.keys().list(request).await.unwrap();
}

#[tokio::test]
async fn without_a_limit_every_failed_attempt_is_unauthenticated() {
    let home = Home::new().with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", "0");
    let dev = home.start().await;
    assert_eq!(statuses(&dev, "wrong", 150).await, [401; 150]);
}

#[tokio::test]
async fn a_certificate_without_credential_is_refused_like_none_at_all() {
    let home = Home::new();
    let dev = home.start().await;
    let stranger = ClientIdentity::new();
    let url = format!("{}{}", dev.credential("CLAVIGER_TLS_ENDPOINT"), keys(&dev));
    for http2 in [false, true] {
        for who in [None, Some(&stranger)] {
            let client = clients::http(dev.ca(), who, http2);
            let answer = client.get(&url).header("x-request-id", "same").send().await.unwrap();
            assert_eq!(answer.status(), 401);
            assert_eq!(answer.text().await.unwrap(), REFUSAL);
            // With a good token nobody asks for the certificate.
            let answer = client.get(&url).bearer_auth(dev.credential("CLAVIGER_TOKEN")).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }
    let channel = clients::grpc(dev.credential("CLAVIGER_TLS_ENDPOINT"), dev.ca(), Some(&stranger)).await;
    let mut service = kms::symmetric_key_service_client::SymmetricKeyServiceClient::new(channel);
    let refused = service.get(kms::GetSymmetricKeyRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
