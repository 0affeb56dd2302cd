//! Requests that are signed by AWS Signature Version 4.

use super::texts;
use crate::auth::sigv4::authorization::Authorization;
use crate::auth::sigv4::claim::{Claim, Rules};
use crate::auth::sigv4::{SERVICE, SignatureError, refuse_query};
use crate::domain::time::Timestamp;
use crate::testing::signer::Signer;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use scratchstack_aws_signature::SignatureOptions;

const SIGNER: Signer<'_> = Signer {
    access_key_id: "CLVAAAAAAAAAAAAAAAAA",
    secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    scope: "20150830/us-east-1/kms/aws4_request",
    at: "20150830T123600Z",
};
/// The instant of [`SIGNER`].
const NOW: Timestamp = Timestamp::from_micros(1_440_938_160_000_000);
const BODY: &[u8] = br#"{"KeyId":"alias/x"}"#;
const TARGET: &str = "TrentService.DescribeKey";
const HEADERS: [(HeaderName, &str); 4] = [
    (header::HOST, "kms.example.com"),
    (HeaderName::from_static("x-amz-date"), SIGNER.at),
    (HeaderName::from_static("x-amz-target"), TARGET),
    (HeaderName::from_static("x-amz-user-agent"), "an sdk"),
];

pub fn authorization_seeds() -> Vec<Vec<u8>> {
    let hex = "0af9".repeat(16);
    texts(&[
        &format!(
            "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/kms/aws4_request, SignedHeaders=host, Signature={hex}"
        ),
        &format!("AWS4-HMAC-SHA256 Signature={hex},SignedHeaders=a;b;c,Credential=B/20150830/x-y-1/kms/aws4_request"),
    ])
}

/// The value of an `authorization` header: what is read of it, written out in the usual form, is read as the same.
pub fn authorization(data: &[u8]) -> bool {
    let Ok(read) = Authorization::parse(data) else {
        return false;
    };
    assert!(read.signed_headers.is_sorted_by(|a, b| a < b), "names in another order: {read:?}");
    let hex: String = read.signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let (credential, names) = (read.credential.text, read.signed_headers.join(";"));
    let usual = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={hex}");
    let again = Authorization::parse(usual.as_bytes());
    assert!(again.is_ok_and(|again| again == read), "{usual} is read otherwise");
    true
}

pub fn request_seeds() -> Vec<Vec<u8>> {
    let mut headers: HeaderMap =
        HEADERS.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    SIGNER.sign(&mut headers, BODY);
    let mut text = b"/\n".to_vec();
    for (name, value) in &headers {
        text.extend_from_slice(&[name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"].concat());
    }
    vec![[text.as_slice(), b"\n", BODY].concat()]
}

/// A target, lines with headers, an empty line and a body, as far as HTTP lets them through.
fn request(data: &[u8]) -> Option<(Parts, Bytes)> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = data[..end].split(|byte| *byte == b'\n');
    let (mut head, ()) = Request::post(lines.next()?).body(()).ok()?.into_parts();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        head.headers.append(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
    }
    Some((head, Bytes::copy_from_slice(&data[end + 2..])))
}

fn verify(head: &Parts, body: &Bytes) -> Result<(), SignatureError> {
    let regions = ["us-east-1".to_owned()];
    let rules = Rules { service: SERVICE, regions: &regions, options: SignatureOptions::default() };
    refuse_query(head)?;
    let claim = Claim::read(head)?;
    claim.check(&rules, NOW)?;
    let key = claim.signing_key(SIGNER.secret.as_bytes(), SERVICE);
    claim.require_signature(&key, head, body, &rules)
}

/// One request is taken, with what nobody signs and with spaces, and no other. No refusal repeats the signature.
pub fn signed_request(data: &[u8]) -> bool {
    let Some((head, body)) = request(data) else { return false };
    if let Err(error) = verify(&head, &body) {
        let error = error.to_string();
        let sent = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let signature = sent.split_once("Signature=").map_or("", |(_, rest)| rest);
        assert!(signature.len() < 8 || !error.contains(signature), "a signature is repeated: {error}");
        return false;
    }
    assert_eq!(body, BODY, "a body that nobody signed");
    for (name, signed) in HEADERS {
        let words = |bytes: &[u8]| {
            let words = bytes.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            words.map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let values: Vec<_> = head.headers.get_all(&name).iter().map(|value| words(value.as_bytes())).collect();
        assert_eq!(values, [words(signed.as_bytes())], "a header {name} that nobody signed");
    }
    let amz = head.headers.keys().filter(|name| name.as_str().starts_with("x-amz-"));
    assert!(
        amz.into_iter().all(|name| HEADERS.iter().any(|(signed, _)| signed == name)),
        "a header that nobody signed"
    );
    true
}
