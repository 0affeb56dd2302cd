//! Whether a request was signed with a key.
//!
//! In: a request, what it claims and a signing key. Out: nothing, or a refusal. Called by [`super`]. The canonical form of
//! the request and its string to sign are the library's.

use super::SignatureError;
use super::claim::{Claim, Rules, authority};
use super::signing_key::{is_signature, signing_key};
use crate::service::directory::DerivedKey;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, header};
use scratchstack_aws_signature::SignatureOptions;
use scratchstack_aws_signature::canonical::CanonicalRequest;

impl Claim<'_> {
    /// The key that this claim must be signed with by who has this secret.
    pub(crate) fn signing_key(&self, secret: &[u8], service: &str) -> DerivedKey {
        signing_key(secret, self.credential.date, self.credential.region, service)
    }

    /// Refuses a request that was not signed with this key. The claim was read from its head, and checked.
    pub(crate) fn require_signature(
        &self,
        key: &DerivedKey,
        head: &Parts,
        body: &Bytes,
        rules: &Rules<'_>,
    ) -> Result<(), SignatureError> {
        let string_to_sign = string_to_sign(self, head, body, rules.options)?;
        match is_signature(key, &string_to_sign, &self.signature) {
            true => Ok(()),
            false => Err(SignatureError::mismatch()),
        }
    }
}

fn string_to_sign(
    claim: &Claim<'_>,
    head: &Parts,
    body: &Bytes,
    options: SignatureOptions,
) -> Result<Vec<u8>, SignatureError> {
    let (canonical, ..) = CanonicalRequest::from_request_parts(signed_part(claim, head), body.clone(), options)?;
    if claim.content_sha256.is_some_and(|sha256| !sha256.eq_ignore_ascii_case(canonical.body_sha256())) {
        let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(SignatureError::Invalid(text.to_owned()));
    }
    let names = claim.signed_headers.iter().map(ToString::to_string).collect();
    let sha256 = canonical.canonical_request_sha256(&names);
    Ok(claim.authenticator(sha256)?.get_string_to_sign())
}

/// The request with its signed headers alone: the library copies all that there are.
fn signed_part(claim: &Claim<'_>, head: &Parts) -> Parts {
    let (mut part, ()) = Request::new(()).into_parts();
    part.method = head.method.clone();
    part.uri = head.uri.clone();
    for (name, value) in &head.headers {
        if claim.signed_headers.binary_search(&name.as_str()).is_ok() {
            part.headers.append(name, value.clone());
        }
    }
    if let (false, Some(host)) = (part.headers.contains_key(header::HOST), authority(head)) {
        part.headers.insert(header::HOST, host);
    }
    part
}
