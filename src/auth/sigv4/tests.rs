//! Every refusal, on requests that are signed well but for one thing.

use super::authorization::{Authorization, MAX_BYTES};
use super::claim::{Claim, Rules};
use super::{SERVICE, SignatureError, SignatureOptions, refuse_query};
use crate::domain::time::Timestamp;
use crate::testing::signer::{Signer, sha256};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use rstest::rstest;
use std::time::Duration;

const BODY: &[u8] = br#"{"KeyId":"alias/x"}"#;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SIGNER: Signer<'_> = Signer {
    access_key_id: "CLVAAAAAAAAAAAAAAAAA",
    secret: SECRET,
    scope: "20150830/us-east-1/kms/aws4_request",
    at: "20150830T123600Z",
};
/// The instant of [`SIGNER`].
const NOW: Timestamp = Timestamp::from_micros(1_440_938_160_000_000);

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("kms.example.com:8201"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    headers.insert("x-amz-date", HeaderValue::from_static(SIGNER.at));
    headers.insert("x-amz-target", HeaderValue::from_static("TrentService.DescribeKey"));
    headers
}

fn head(headers: HeaderMap) -> Parts {
    let (mut head, ()) = Request::post("/").body(()).unwrap().into_parts();
    head.headers = headers;
    head
}

fn signed(mut headers: HeaderMap) -> Parts {
    SIGNER.sign(&mut headers, BODY);
    head(headers)
}

/// As [`Signatures::verify`](super::Signatures::verify) does, without a directory.
fn verify_at(head: &Parts, body: &[u8], now: Timestamp) -> Result<String, SignatureError> {
    let regions = ["us-east-1".to_owned(), "eu-west-1".to_owned()];
    let rules = Rules { service: SERVICE, regions: &regions, options: SignatureOptions::default() };
    refuse_query(head)?;
    let claim = Claim::read(head)?;
    claim.check(&rules, now)?;
    let key = claim.signing_key(SECRET.as_bytes(), SERVICE);
    claim.require_signature(&key, head, &Bytes::copy_from_slice(body), &rules)?;
    Ok(claim.credential.region.to_owned())
}

fn verify(head: &Parts) -> Result<String, SignatureError> {
    verify_at(head, BODY, NOW)
}

fn invalid(result: Result<String, SignatureError>) -> String {
    match result {
        Err(SignatureError::Invalid(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn incomplete(result: Result<String, SignatureError>) -> String {
    match result {
        Err(SignatureError::Incomplete(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn is_mismatch(result: Result<String, SignatureError>) -> bool {
    invalid(result).starts_with("The request signature we calculated does not match")
}

#[rstest]
#[case("20150830/us-east-1/kms/aws4_request", "us-east-1")]
#[case("20150830/eu-west-1/kms/aws4_request", "eu-west-1")]
fn a_request_for_any_served_region_is_verified(#[case] scope: &str, #[case] region: &str) {
    let mut headers = headers();
    Signer { scope, ..SIGNER }.sign(&mut headers, BODY);
    assert_eq!(verify(&head(headers)).unwrap(), region);
}

#[test]
fn whatever_was_signed_must_be_as_it_was() {
    let good = signed(headers());
    verify(&good).unwrap();
    for name in [HOST, CONTENT_TYPE, HeaderName::from_static("x-amz-target")] {
        let mut other = good.clone();
        other.headers.insert(&name, HeaderValue::from_static("other"));
        assert!(is_mismatch(verify(&other)), "{name}");
    }
    assert!(is_mismatch(verify_at(&good, b"{}", NOW)));
    let mut other = good;
    other.method = http::Method::GET;
    assert!(is_mismatch(verify(&other)));
}

#[test]
fn another_secret_or_another_keys_id_does_not_do() {
    let mut with_other_secret = headers();
    Signer { secret: "xJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ..SIGNER }.sign(&mut with_other_secret, BODY);
    assert!(is_mismatch(verify(&head(with_other_secret))));
}

#[test]
fn a_request_without_a_signature_is_told_so() {
    assert!(matches!(verify(&head(headers())), Err(SignatureError::Missing)));
}

#[test]
fn the_header_must_be_there_once() {
    let mut head = signed(headers());
    let value = head.headers[AUTHORIZATION].clone();
    head.headers.append(AUTHORIZATION, value);
    assert!(incomplete(verify(&head)).contains("'authorization' was sent more than once"));
}

#[rstest]
#[case("host")]
#[case("date")]
#[case("x-amz-date")]
#[case("x-amz-target")]
#[case("x-amz-content-sha256")]
fn headers_that_are_looked_at_must_be_there_once(#[case] name: &'static str) {
    let mut headers = headers();
    for _ in 0..2 {
        let value = headers.get(name).cloned().unwrap_or(HeaderValue::from_static("x"));
        headers.append(name, value);
    }
    assert!(incomplete(verify(&signed(headers))).contains(&format!("'{name}' was sent more than once")));
}

#[rstest]
#[case("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x", "Presigned")]
#[case("/?a=b&X-Amz-Signature=00", "Presigned")]
#[case("/?x-amz-signature", "Presigned")]
#[case("/?a=b", "no query string")]
fn queries_are_refused_signed_or_not(#[case] target: &str, #[case] text: &str) {
    for mut head in [signed(headers()), head(headers())] {
        head.uri = target.parse().unwrap();
        assert!(incomplete(verify(&head)).contains(text));
    }
}

#[test]
fn session_tokens_are_refused_signed_or_not() {
    let mut signed_too = headers();
    signed_too.insert("x-amz-security-token", HeaderValue::from_static("token"));
    let mut added = signed(headers());
    added.headers.insert("x-amz-security-token", HeaderValue::from_static("token"));
    for head in [signed(signed_too), added] {
        let error = verify(&head).unwrap_err();
        assert!(matches!(error, SignatureError::SessionToken));
        assert!(error.to_string().contains("Session tokens are not supported"));
    }
}

#[rstest]
#[case("host")]
#[case("x-amz-date")]
#[case("x-amz-target")]
#[case("x-amz-user-agent")]
fn what_matters_must_be_signed(#[case] left_out: &str) {
    let mut headers = headers();
    headers.insert("x-amz-user-agent", HeaderValue::from_static("sdk"));
    let names = ["content-type", "host", "x-amz-date", "x-amz-target", "x-amz-user-agent"];
    let names: Vec<_> = names.into_iter().filter(|name| *name != left_out).collect();
    SIGNER.sign_these(&mut headers, &names, BODY);
    let text = invalid(verify(&head(headers)));
    assert_eq!(text, format!("'{left_out}' must be a 'SignedHeader' in the AWS Authorization."));
}

#[test]
fn a_request_without_a_target_is_verified_like_any_other() {
    let mut headers = headers();
    headers.remove("x-amz-target");
    verify(&signed(headers)).unwrap();
}

#[test]
fn other_headers_need_not_be_signed_and_may_be_anything() {
    let mut headers = headers();
    SIGNER.sign_these(&mut headers, &["host", "x-amz-date", "x-amz-target"], BODY);
    headers.insert("user-agent", HeaderValue::from_bytes(b"\xff").unwrap());
    headers.insert("x-amzn-trace-id", HeaderValue::from_static("Root=1"));
    headers.append(CONTENT_TYPE, HeaderValue::from_static("other"));
    verify(&head(headers)).unwrap();
}

#[test]
fn a_signed_header_that_is_not_there_is_refused() {
    let mut headers = headers();
    SIGNER.sign_these(&mut headers, &["host", "x-amz-date", "x-amz-target", "x-gone"], BODY);
    assert!(invalid(verify(&head(headers))).contains("is missing"));
}

#[test]
fn values_are_signed_as_bytes_with_single_spaces_and_joined_by_commas() {
    let mut headers = headers();
    headers.append("x-amz-meta", HeaderValue::from_static("one   two"));
    headers.append("x-amz-meta", HeaderValue::from_static("three"));
    headers.insert("x-amz-name", HeaderValue::from_bytes("\u{e9}t\u{e9}".as_bytes()).unwrap());
    headers.insert("x-amz-raw", HeaderValue::from_bytes(b"\xff\x80").unwrap());
    let mut good = signed(headers);
    verify(&good).unwrap();
    good.headers.insert("x-amz-meta", HeaderValue::from_static("one two,three"));
    verify(&good).expect("the standard does not tell them apart");
    good.headers.insert("x-amz-meta", HeaderValue::from_static("three,one two"));
    assert!(is_mismatch(verify(&good)));
}

#[test]
fn in_http_2_the_authority_is_the_host() {
    let mut good = signed(headers());
    good.headers.remove(HOST);
    good.version = http::Version::HTTP_2;
    assert!(invalid(verify(&good)).contains("is missing"));
    good.uri = "https://kms.example.com:8201/".parse().unwrap();
    verify(&good).unwrap();
    good.uri = "https://kms.example.com/".parse().unwrap();
    assert!(is_mismatch(verify(&good)));
    good.headers.insert(HOST, HeaderValue::from_static("kms.example.com:8201"));
    verify(&good).expect("a header goes before the authority");
}

#[test]
fn the_clocks_may_differ_by_five_minutes() {
    let head = signed(headers());
    let second = Duration::from_secs(1);
    let early = Timestamp::from_micros(NOW.as_micros() - 300_000_000);
    verify_at(&head, BODY, early).unwrap();
    verify_at(&head, BODY, NOW.plus(300 * second)).unwrap();
    assert_eq!(
        invalid(verify_at(&head, BODY, NOW.plus(301 * second))),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
    assert_eq!(
        invalid(verify_at(&head, BODY, Timestamp::from_micros(early.as_micros() - 1_000_000))),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    );
    for never in [i64::MIN, i64::MAX] {
        let result = verify_at(&head, BODY, Timestamp::from_micros(never));
        assert!(matches!(result, Err(SignatureError::Invalid(_) | SignatureError::Service(_))));
    }
}

#[rstest]
#[case("20150829/us-east-1/kms/aws4_request", "Date in Credential scope does not match")]
#[case("20150830/us-west-2/kms/aws4_request", "Credential should be scoped to a valid region, not 'us-west-2'.")]
#[case("20150830/us-east-1/s3/aws4_request", "Credential should be scoped to correct service: 'kms'.")]
#[case("20150830/us-east-1/kms/aws5_request", "Credential should be scoped with a valid terminator: 'aws4_request'")]
fn the_scope_is_of_this_day_region_and_service(#[case] scope: &str, #[case] text: &str) {
    let mut headers = headers();
    Signer { scope, ..SIGNER }.sign(&mut headers, BODY);
    let found = invalid(verify(&head(headers)));
    assert!(found.starts_with(text), "{found}");
}

#[rstest]
#[case("")]
#[case("2015-08-30T12:36:00Z")]
#[case("Sun, 30 Aug 2015 12:36:00 GMT")]
#[case("20150830T123600")]
#[case("20150830T123600+")]
#[case("20150830T1236000")]
#[case("20151330T123600Z")]
#[case("20150230T123600Z")]
#[case("20150830T246000Z")]
#[case("ZZZZZZZZZZZZZZZZ")]
fn dates_have_one_form(#[case] at: &'static str) {
    let mut headers = headers();
    headers.insert("x-amz-date", HeaderValue::from_static(at));
    Signer { at, ..SIGNER }.sign(&mut headers, BODY);
    assert!(incomplete(verify(&head(headers))).starts_with("Date must be in ISO-8601 'basic format'"));
}

#[test]
fn the_header_date_does_where_the_other_is_not_there() {
    let mut headers = headers();
    headers.remove("x-amz-date");
    assert!(incomplete(verify(&signed(headers.clone()))).contains("either a 'X-Amz-Date' or a 'Date' header"));
    headers.insert("date", HeaderValue::from_static(SIGNER.at));
    verify(&signed(headers.clone())).unwrap();
    SIGNER.sign_these(&mut headers, &["host", "x-amz-target"], BODY);
    assert!(invalid(verify(&head(headers))).starts_with("'date' must be"));
}

#[test]
fn what_the_request_says_of_its_body_must_be_true() {
    for (value, good) in [(sha256(BODY), true), (sha256(BODY).to_uppercase(), true), (sha256(b"{}"), false)] {
        let mut headers = headers();
        headers.insert("x-amz-content-sha256", value.parse().unwrap());
        let result = verify(&signed(headers));
        assert!(good == result.is_ok(), "{value}: {result:?}");
        assert!(good || invalid(result).contains("does not match what was computed"));
    }
    for value in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""] {
        let mut headers = headers();
        headers.insert("x-amz-content-sha256", value.parse().unwrap());
        assert!(invalid(verify(&signed(headers))).contains("must be the SHA-256 of the body"), "{value}");
    }
}

/// A header, well-formed but for what a test changes in it.
fn authorization(credential: &str, names: &str, signature: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}")
}

const CREDENTIAL: &str = "CLVAAAAAAAAAAAAAAAAA/20150830/us-east-1/kms/aws4_request";
const NAMES: &str = "host;x-amz-date;x-amz-target";

fn hex() -> String {
    "0af9".repeat(16)
}

#[test]
fn the_parts_may_be_in_any_order_with_any_spaces_between_them() {
    let hex = hex();
    let texts = [
        authorization(CREDENTIAL, NAMES, &hex),
        format!("AWS4-HMAC-SHA256 Signature={hex},SignedHeaders={NAMES},Credential={CREDENTIAL}"),
        format!("  AWS4-HMAC-SHA256   SignedHeaders={NAMES}  ,  Credential={CREDENTIAL} ,Signature={hex}  "),
    ];
    for text in texts {
        let Authorization { credential, signed_headers, signature } = Authorization::parse(text.as_bytes()).unwrap();
        assert_eq!(credential.text, CREDENTIAL);
        assert_eq!((credential.access_key_id, credential.date), ("CLVAAAAAAAAAAAAAAAAA", "20150830"));
        assert_eq!((credential.scope, credential.region), (&CREDENTIAL[21..], "us-east-1"));
        assert_eq!(signed_headers, ["host", "x-amz-date", "x-amz-target"]);
        assert_eq!(signature, std::array::from_fn(|at| [0x0a, 0xf9][at % 2]));
    }
}

#[rstest]
#[case::empty("", "Unsupported AWS 'algorithm'")]
#[case::another_scheme("Bearer clv1_secret", "Unsupported AWS 'algorithm'")]
#[case::another_algorithm("AWS4-ECDSA-P256-SHA256 Credential=a", "Unsupported AWS 'algorithm'")]
#[case::lower_case("aws4-hmac-sha256 Credential=a", "Unsupported AWS 'algorithm'")]
#[case::nothing_else(
    "AWS4-HMAC-SHA256",
    "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
     Authorization header requires 'SignedHeaders' parameter."
)]
#[case::no_signature(
    "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b",
    "Authorization header requires 'Signature' parameter."
)]
#[case::no_value("AWS4-HMAC-SHA256 Credential", "The Authorization header must have the form")]
#[case::unknown_part("AWS4-HMAC-SHA256 Expires=300", "The Authorization header must have the form")]
#[case::twice("AWS4-HMAC-SHA256 Credential=a, Credential=a", "The Authorization header must have the form")]
#[case::tab("AWS4-HMAC-SHA256\tCredential=a", "The Authorization header is not ASCII")]
#[case::no_ascii("AWS4-HMAC-SHA256 Credential=\u{e9}", "The Authorization header is not ASCII")]
fn other_headers_are_refused_and_not_repeated(#[case] header: &str, #[case] text: &str) {
    let error = Authorization::parse(header.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with(text), "{error}");
    assert!(!error.contains("clv1_secret"));
}

#[rstest]
#[case("")]
#[case("CLVAAAAAAAAAAAAAAAAA")]
#[case("a/20150830/us-east-1/kms")]
#[case("a/20150830/us-east-1/kms/aws4_request/more")]
#[case("/20150830/us-east-1/kms/aws4_request")]
#[case("a/20150830//kms/aws4_request")]
#[case("a/20150830/us east/kms/aws4_request")]
#[case("a/20150830/<b>/kms/aws4_request")]
fn a_credential_has_five_parts(#[case] credential: &str) {
    let header = authorization(credential, NAMES, &hex());
    let error = Authorization::parse(header.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("Credential must have exactly 5 slash-delimited elements"), "{error}");
}

#[rstest]
#[case("")]
#[case("host;")]
#[case("host;host")]
#[case("Host")]
#[case("x-amz-date;host")]
#[case("host;x amz-date")]
fn signed_headers_are_in_their_one_form(#[case] names: &str) {
    let header = authorization(CREDENTIAL, names, &hex());
    let error = Authorization::parse(header.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("SignedHeaders must be names in lower case, sorted"), "{error}");
}

#[rstest]
#[case(String::new())]
#[case(hex()[1..].to_owned())]
#[case(hex() + "0")]
#[case(hex() + "00")]
#[case(hex().to_uppercase())]
#[case(hex().replace('f', "g"))]
fn a_signature_of_another_form_is_a_wrong_one(#[case] signature: String) {
    let header = authorization(CREDENTIAL, NAMES, &signature);
    let error = Authorization::parse(header.as_bytes()).unwrap_err();
    assert!(is_mismatch(Err(error)));
}

#[test]
fn sizes_are_bounded() {
    let parse = |header: &str| Authorization::parse(header.as_bytes()).map(drop).map_err(|error| error.to_string());
    let names = |count: usize| (100..100 + count).map(|it| format!("h{it}")).collect::<Vec<_>>().join(";");
    let good = authorization(CREDENTIAL, &names(64), &hex());
    parse(&good).unwrap();
    let error = parse(&authorization(CREDENTIAL, &names(65), &hex())).unwrap_err();
    assert!(error.contains("more than 64 names"), "{error}");
    let spaces = |length: usize| good.clone() + &" ".repeat(length - good.len());
    parse(&spaces(MAX_BYTES)).unwrap();
    assert!(parse(&spaces(MAX_BYTES + 1)).unwrap_err().contains("more than 8192 bytes"));
    let id = |length: usize| CREDENTIAL.replace("CLVAAAAAAAAAAAAAAAAA", &"A".repeat(length));
    parse(&authorization(&id(128), NAMES, &hex())).unwrap();
    assert!(parse(&authorization(&id(129), NAMES, &hex())).is_err());
}
