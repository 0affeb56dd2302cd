//! A client that signs by AWS Signature Version 4, odd requests too, which SDKs do not make.
//!
//! In: an access key pair, a scope and a request to `/`. Out: its `authorization` header. It shares nothing with the code
//! that verifies but HMAC and SHA-256.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use http::{HeaderMap, HeaderValue};

/// Who signs, for what and when.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The public half of the pair.
    pub access_key_id: &'a str,
    /// The other half.
    pub secret: &'a str,
    /// Such as `20150830/us-east-1/kms/aws4_request`.
    pub scope: &'a str,
    /// Such as `20150830T123600Z`.
    pub at: &'a str,
}

impl Signer<'_> {
    /// Adds the header `authorization` over all others to those of a `POST /`.
    pub fn sign(&self, headers: &mut HeaderMap, body: &[u8]) {
        let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        self.sign_these(headers, &names, body);
    }

    /// The same over headers of these names, in the order given.
    pub fn sign_these(&self, headers: &mut HeaderMap, names: &[impl AsRef<str>], body: &[u8]) {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let (credential, signature) =
            (format!("{}/{}", self.access_key_id, self.scope), self.signature(headers, &names, body));
        let names = names.join(";");
        let text = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}");
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(http::header::AUTHORIZATION, value);
        }
    }

    fn signature(&self, headers: &HeaderMap, names: &[&str], body: &[u8]) -> String {
        let mut canonical = b"POST\n/\n\n".to_vec();
        for name in names {
            let values = headers.get_all(*name).iter();
            let values: Vec<Vec<u8>> = values.map(|value| without_runs_of_spaces(value.as_bytes())).collect();
            canonical.extend_from_slice(format!("{name}:").as_bytes());
            canonical.extend_from_slice(&values.join(&b','));
            canonical.push(b'\n');
        }
        canonical.extend_from_slice(format!("\n{}\n{}", names.join(";"), sha256(body)).as_bytes());
        let string_to_sign = format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.at, self.scope, sha256(&canonical));
        let first = format!("AWS4{}", self.secret).into_bytes();
        let step = |key: Vec<u8>, text: &str| sign(&Key::new(HMAC_SHA256, &key), text.as_bytes()).as_ref().to_vec();
        let key = self.scope.split('/').fold(first, step);
        hex(&step(key, &string_to_sign))
    }
}

fn without_runs_of_spaces(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// SHA-256 as hexadecimal digits, such as of a body in `x-amz-content-sha256`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
