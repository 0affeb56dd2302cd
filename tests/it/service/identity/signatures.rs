//! Signed requests, from the headers to the caller, over a real directory.

use super::counting_token::CountingToken;
use super::{Office, Shown};
use crate::service::in_own_process;
use bytes::Bytes;
use claviger::auth::attempts::FailedAttempts;
use claviger::auth::sigv4::{SignatureError, SignatureParts, Signatures, Signed};
use claviger::auth::turns::Turns;
use claviger::auth::{Authenticator, Credentials, Peer};
use claviger::domain::access::PrincipalKind;
use claviger::domain::id::CredentialId;
use claviger::service::Kms;
use claviger::service::error::ServiceError;
use claviger::service::identity::{CreatePrincipal, NewCredential};
use claviger::service::ports::{Clock, Principal};
use claviger::telemetry;
use claviger::testing::signer::Signer;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, header};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::{info, trace};

const BODY: &[u8] = br#"{"Plaintext":"bm90IGZvciBsb2dz"}"#;
const TARGET: &str = "TrentService.Encrypt";
const REGION: &str = "eu-west-1";
const ATTEMPTS: u32 = 3;

/// One who verifies, for the directory of this service.
pub(super) fn signatures(office: &Office, kms: &Kms, attempts: u32) -> Signatures {
    let clock = Arc::clone(&office.service.clock) as Arc<dyn Clock>;
    Signatures::new(SignatureParts {
        directory: kms.directory(),
        attempts: Arc::new(FailedAttempts::new(attempts, &clock)),
        turns: Arc::default(),
        clock,
        regions: vec!["us-east-1".into(), REGION.into()],
    })
}

fn from(host: u8) -> Peer {
    Peer { address: [192, 0, 2, host].into(), certificate_sha256: None }
}

/// A request of who has this pair, now.
fn request(office: &Office, id: &str, secret: &str) -> Parts {
    let now = jiff::Timestamp::from_microsecond(office.kms().now().as_micros()).unwrap();
    let at = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/{REGION}/kms/aws4_request", &at[..8]);
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("kms.example.com"));
    headers.insert("x-amz-target", HeaderValue::from_static(TARGET));
    headers.insert("x-amz-date", at.parse().unwrap());
    Signer { access_key_id: id, secret, scope: &scope, at: &at }.sign(&mut headers, BODY);
    let (mut head, ()) = Request::post("/").body(()).unwrap().into_parts();
    head.headers = headers;
    head
}

fn good(office: &Office, key: &Shown) -> Parts {
    let Shown::AccessKey { id, secret } = key else { unreachable!() };
    request(office, id, secret)
}

fn bad(office: &Office, key: &Shown) -> Parts {
    let Shown::AccessKey { id, .. } = key else { unreachable!() };
    request(office, id, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
}

async fn verify(signatures: &Signatures, head: &Parts, host: u8) -> Result<Signed, SignatureError> {
    let mut head = head.clone();
    head.extensions.insert(from(host));
    // What is read before the body is refused there too.
    let claimed = signatures.look_at(&head).await?;
    signatures.verify(claimed, &Bytes::from_static(BODY)).await
}

fn is_throttled<T>(result: &Result<T, SignatureError>) -> bool {
    matches!(result, Err(SignatureError::Service(ServiceError::Throttled { .. })))
}

async fn named(office: &Office, name: &str) -> Principal {
    let request =
        CreatePrincipal { folder_id: office.home(), kind: PrincipalKind::ServiceAccount, name: name.to_owned() };
    office.kms().create_principal(office.root(), request).await.unwrap()
}

async fn pair(office: &Office, principal: &Principal) -> (CredentialId, Shown) {
    office.issue(principal, NewCredential::AccessKey).await
}

#[test]
fn who_signed_is_known_without_database_or_token_once_it_was_seen() {
    let name = "who_signed_is_known_without_database_or_token_once_it_was_seen";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, key) = pair(&office, &account).await;
        let token = Arc::new(CountingToken::new(&office.service.core.token));
        let kms = office.service.another(|parts| parts.token = Arc::clone(&token) as _);
        let signatures = signatures(&office, &kms, ATTEMPTS);
        office.service.store.take_reads();
        let first = verify(&signatures, &good(&office, &key), 1).await.unwrap();
        assert_eq!(first.caller, office.with_credential(&account, id).caller);
        assert_eq!((&*first.name, &*first.region), ("somebody", REGION));
        assert_eq!((office.service.store.take_reads(), token.opened()), (vec!["credential", "principal"], 1));
        for _ in 0..50 {
            office.service.clock.advance(Duration::from_secs(60));
            let again = verify(&signatures, &good(&office, &key), 1).await.unwrap();
            assert_eq!(again.caller, first.caller);
            assert!(matches!(verify(&signatures, &bad(&office, &key), 1).await, Err(SignatureError::Invalid(_))));
        }
        assert_eq!((office.service.store.take_reads(), token.opened()), (Vec::new(), 1));
        let used_at = kms.credential(office.root(), id).await.unwrap().last_used_at;
        assert_eq!(used_at, Some(office.kms().now()), "bad ones are no uses, good ones are");
    });
}

#[test]
fn a_pair_that_is_not_in_force_is_unknown_from_then_on() {
    in_own_process(module_path!(), "a_pair_that_is_not_in_force_is_unknown_from_then_on", async |core| {
        let office = Office::start(core).await;
        let signatures = signatures(&office, office.kms(), 0);
        let unknown = async |head: &Parts| match verify(&signatures, head, 1).await {
            Err(SignatureError::UnknownClient) => true,
            Ok(_) => false,
            Err(other) => panic!("{other:?}"),
        };
        let (account, doomed) = (office.account().await, office.account().await);
        let ((id, revoked), (_, of_deleted)) = (pair(&office, &account).await, pair(&office, &doomed).await);
        let end = office.kms().now().plus(Duration::from_secs(60));
        let expiring = office.try_to_issue(&account, NewCredential::AccessKey, Some(end)).await.unwrap();
        let expiring = super::shown(expiring);
        for key in [&revoked, &of_deleted, &expiring] {
            assert!(!unknown(&good(&office, key)).await);
        }
        office.revoke(id).await;
        office.kms().delete_principal(office.root(), doomed.id).await.unwrap();
        office.service.clock.advance(Duration::from_secs(60));
        for key in [&revoked, &of_deleted, &expiring] {
            assert!(unknown(&good(&office, key)).await);
            assert!(unknown(&bad(&office, key)).await, "and nobody learns whether the secret was right");
        }
        assert!(unknown(&request(&office, "CLVAAAAAAAAAAAAAAAAA", "x")).await);
        let by_id = request(&office, &id.to_string(), "x");
        assert!(unknown(&by_id).await, "another kind of name");
    });
}

#[test]
fn failures_are_counted_for_their_source_and_for_whose_pair_it_is() {
    in_own_process(module_path!(), "failures_are_counted_for_their_source_and_for_whose_pair_it_is", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, key) = pair(&office, &account).await;
        let verifier = || signatures(&office, office.kms(), ATTEMPTS);
        let ways: [(&str, Way); 5] = [
            ("a wrong signature", bad),
            ("an unknown pair", |office, _| request(office, "CLVAAAAAAAAAAAAAAAAA", "x")),
            ("no signature", |office, key| without(good(office, key), "authorization")),
            ("no target", |office, key| without(good(office, key), "x-amz-target")),
            ("a broken header", |office, key| {
                let mut head = good(office, key);
                head.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("AWS4-HMAC-SHA256 x"));
                head
            }),
        ];
        for (what, head) in ways {
            let verifier = verifier();
            for _ in 0..ATTEMPTS {
                let refused = verify(&verifier, &head(&office, &key), 1).await;
                assert!(refused.is_err() && !is_throttled(&refused), "{what}: {refused:?}");
            }
            assert!(is_throttled(&verify(&verifier, &head(&office, &key), 1).await), "{what}");
            verify(&verifier, &good(&office, &key), 1).await.expect("nobody is locked out");
            assert!(!is_throttled(&verify(&verifier, &without(good(&office, &key), "authorization"), 2).await));
        }
        let verifier = verifier();
        for host in 0..u8::try_from(ATTEMPTS).unwrap() {
            assert!(!is_throttled(&verify(&verifier, &bad(&office, &key), host).await));
        }
        assert!(is_throttled(&verify(&verifier, &bad(&office, &key), 100).await), "from wherever");
        office.revoke(id).await;
        assert!(is_throttled(&verify(&verifier, &good(&office, &key), 101).await), "a revoked one is its owner's too");
    });
}

/// A request that is refused.
type Way = fn(&Office, &Shown) -> Parts;

fn without(mut head: Parts, name: &str) -> Parts {
    head.headers.remove(name);
    head
}

#[test]
fn a_caller_is_called_by_its_name_where_an_arn_can_have_it() {
    in_own_process(module_path!(), "a_caller_is_called_by_its_name_where_an_arn_can_have_it", async |core| {
        let office = Office::start(core).await;
        let signatures = signatures(&office, office.kms(), ATTEMPTS);
        let long = "a".repeat(64);
        for name in ["ci", "a_b+c=d,e.f@g-h", &long] {
            let (_, key) = pair(&office, &named(&office, name).await).await;
            assert_eq!(&*verify(&signatures, &good(&office, &key), 1).await.unwrap().name, name);
        }
        let longer = "a".repeat(65);
        for name in ["two words", "a/b", "a:b", "J\u{fc}rgen", &longer] {
            let principal = named(&office, name).await;
            let (_, key) = pair(&office, &principal).await;
            let signed = verify(&signatures, &good(&office, &key), 1).await.unwrap();
            assert_eq!(*signed.name, principal.id.to_string(), "{name}");
        }
    });
}

/// A pair is for signing: neither half is a bearer token.
#[test]
fn no_half_of_a_pair_is_a_token() {
    in_own_process(module_path!(), "no_half_of_a_pair_is_a_token", async |core| {
        let office = Office::start(core).await;
        let (_, key) = pair(&office, &office.account().await).await;
        let Shown::AccessKey { id, secret } = &key else { unreachable!() };
        let clock = Arc::clone(&office.service.clock) as Arc<dyn Clock>;
        let attempts = Arc::new(FailedAttempts::new(0, &clock));
        let credentials = Credentials::new(office.kms().directory(), attempts, Arc::new(Turns::default()));
        for token in [id, secret.as_str()] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            let refused = credentials.authenticate(&headers, None).await;
            assert!(matches!(refused, Err(ServiceError::Unauthenticated)), "{refused:?}");
        }
        let signed = good(&office, &key);
        let refused = credentials.authenticate(&signed.headers, None).await;
        assert!(matches!(refused, Err(ServiceError::Unauthenticated)), "{refused:?}");
    });
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_of_a_signed_request_is_logged_whatever_the_filter_says() {
    in_own_process(module_path!(), "nothing_of_a_signed_request_is_logged_whatever_the_filter_says", async |core| {
        let log = Log::default();
        let writer = log.clone();
        let filter = "trace,scratchstack_aws_signature=trace,scratchstack_aws_signature::canonical=trace";
        telemetry::start_logs_to(filter, false, false, move || writer.clone()).unwrap();
        let office = Office::start(core).await;
        let (_, key) = pair(&office, &office.account().await).await;
        let signatures = signatures(&office, office.kms(), 0);
        let (head, wrong) = (good(&office, &key), bad(&office, &key));
        verify(&signatures, &head, 1).await.unwrap();
        assert!(verify(&signatures, &wrong, 1).await.is_err());
        let mut late = head.clone();
        late.headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        assert!(verify(&signatures, &late, 1).await.is_err());
        trace!("a record of ours");
        info!(target: "scratchstack_aws_signatures", "a record of another library");
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(logged.contains("a record of ours") && logged.contains("a record of another library"));
        let signature = |head: &Parts| {
            let text = head.headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
            text.split_once("Signature=").unwrap().1.to_owned()
        };
        let forbidden = [signature(&head), signature(&wrong), "AWS4-HMAC-SHA256".into(), TARGET.into()];
        for text in forbidden.iter().map(String::as_str).chain(["kms.example.com", "prevalidate", "Canonical request"])
        {
            assert!(!logged.contains(text), "{text} in the log");
        }
    });
}

/// Signing keys are for one day: a day later another one is made, of the secret that memory has.
#[test]
fn a_pair_signs_on_every_day() {
    in_own_process(module_path!(), "a_pair_signs_on_every_day", async |core| {
        let office = Office::start(core).await;
        let (_, key) = pair(&office, &office.account().await).await;
        let signatures = signatures(&office, office.kms(), 0);
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            let head = good(&office, &key);
            verify(&signatures, &head, 1).await.unwrap();
            seen.insert(head.headers[header::AUTHORIZATION].clone().to_str().unwrap().to_owned());
            office.service.clock.advance(crate::service::DAY);
        }
        assert_eq!(seen.len(), 20);
    });
}

#[test]
fn before_the_body_it_is_known_whose_signature_a_request_claims_and_who_has_none_counts_once() {
    let name = "before_the_body_it_is_known_whose_signature_a_request_claims_and_who_has_none_counts_once";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, key) = pair(&office, &account).await;
        let signatures = signatures(&office, office.kms(), ATTEMPTS);
        // The signature itself is over the body.
        for head in [good(&office, &key), bad(&office, &key)] {
            assert_eq!(signatures.look_at(&head).await.unwrap().sender().credential_id, id);
        }
        let mut unknown = request(&office, "AKIAIOSFODNN7EXAMPLE", "secret");
        unknown.extensions.insert(from(1));
        for _ in 0..ATTEMPTS {
            let refused = signatures.look_at(&unknown).await.map(|_| ());
            assert!(matches!(refused, Err(SignatureError::UnknownClient)), "{refused:?}");
        }
        assert!(is_throttled(&signatures.look_at(&unknown).await));
        assert!(verify(&signatures, &good(&office, &key), 1).await.is_ok());
        office.revoke(id).await;
        let mut again = good(&office, &key);
        again.extensions.insert(from(2));
        let revoked = signatures.look_at(&again).await.map(|_| ());
        assert!(matches!(revoked, Err(SignatureError::UnknownClient)), "{revoked:?}");
    });
}
