//! What the head of a request claims: by whom, when and over which headers it was signed.
//!
//! In: a request's head and what must be signed in it. Out: a [`Claim`], of which nothing is verified but its form, time and
//! scope. Called by [`super`].

use super::SignatureError;
use super::authorization::{Authorization, Credential};
use crate::domain::time::Timestamp;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};
use scratchstack_aws_signature::auth::SigV4Authenticator;
use scratchstack_aws_signature::{SignatureError as LibraryError, SignatureOptions};

/// How far the clocks of client and service may differ (AWS KMS: 5 minutes; the library's default is 15).
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);
/// `20150830T123600Z`.
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const DATE_LENGTH: usize = 16;

pub(crate) const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
pub(crate) const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
pub(crate) const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
pub(crate) const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Headers that are looked at: several of one name could be read in several ways.
const SINGLE: [HeaderName; 5] = [header::HOST, header::DATE, X_AMZ_DATE, X_AMZ_TARGET, X_AMZ_CONTENT_SHA256];
/// Headers of which all must be signed.
const SIGNED_PREFIX: &str = "x-amz-";

/// What a signature must be made for.
pub(crate) struct Rules<'a> {
    /// The service in the credential scope.
    pub service: &'a str,
    /// The regions that are served, at least one.
    pub regions: &'a [String],
    /// How paths are put into canonical form.
    pub options: SignatureOptions,
}

/// What a request's head says of its signature.
pub(crate) struct Claim<'a> {
    pub credential: Credential<'a>,
    /// As [`Authorization::signed_headers`].
    pub signed_headers: Vec<&'a str>,
    pub signature: [u8; 32],
    /// When the request was signed.
    pub signed_at: DateTime<Utc>,
    /// What the request says of its body: 64 hexadecimal digits.
    pub content_sha256: Option<&'a str>,
}

impl<'a> Claim<'a> {
    /// Reads a head. The query is not looked at.
    pub(crate) fn read(head: &'a Parts) -> Result<Self, SignatureError> {
        let authorization = authorization(head)?;
        if head.headers.contains_key(X_AMZ_SECURITY_TOKEN) {
            return Err(SignatureError::SessionToken);
        }
        if let Some(name) = SINGLE.iter().find(|name| head.headers.get_all(*name).iter().nth(1).is_some()) {
            return Err(SignatureError::Incomplete(format!("The header '{name}' was sent more than once.")));
        }
        let Authorization { credential, signed_headers, signature } = Authorization::parse(authorization)?;
        let (date, signed_at) = date(head)?;
        let claim = Self { credential, signed_headers, signature, signed_at, content_sha256: content_sha256(head)? };
        claim.covers(head, date)?;
        Ok(claim)
    }

    /// Refuses what the signature does not protect, and what it protects and is not there.
    fn covers(&self, head: &Parts, date: HeaderName) -> Result<(), SignatureError> {
        let signed = |name: &str| self.signed_headers.binary_search(&name).is_ok();
        let prefixed = head.headers.keys().filter(|name| name.as_str().starts_with(SIGNED_PREFIX));
        let must_be = [header::HOST, date];
        if let Some(name) = must_be.iter().chain(prefixed).find(|name| !signed(name.as_str())) {
            return Err(SignatureError::Invalid(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
        let is_there =
            |name: &str| head.headers.contains_key(name) || (name == header::HOST && authority(head).is_some());
        match self.signed_headers.iter().all(|name| is_there(name)) {
            true => Ok(()),
            false => Err(SignatureError::Invalid("A 'SignedHeader' is missing in the request.".to_owned())),
        }
    }

    /// Refuses another time, date, region, service or end of the scope than there must be.
    pub(crate) fn check(&self, rules: &Rules<'_>, now: Timestamp) -> Result<(), SignatureError> {
        let now = DateTime::from_timestamp_micros(now.as_micros()).ok_or_else(SignatureError::beyond_calendar)?;
        // One of those that are served, so that the library refuses any other.
        let region = rules.regions.iter().find(|region| *region == self.credential.region).or(rules.regions.first());
        let region = region.map_or("", String::as_str);
        let authenticator = self.authenticator([0; 32])?;
        Ok(authenticator.prevalidate(region, rules.service, now, MAX_SKEW)?)
    }

    /// The library's form of this claim over a canonical request.
    pub(crate) fn authenticator(&self, canonical_sha256: [u8; 32]) -> Result<SigV4Authenticator, SignatureError> {
        let mut builder = SigV4Authenticator::builder();
        builder.canonical_request_sha256(canonical_sha256).credential(self.credential.text.to_owned());
        // It is verified here: see `signing_key`.
        builder.signature(String::new()).request_timestamp(self.signed_at);
        builder.build().map_err(|error| SignatureError::bug(&error))
    }
}

/// The one header, or why there is none.
fn authorization(head: &Parts) -> Result<&[u8], SignatureError> {
    let mut values = head.headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        (None, _) => Err(SignatureError::Missing),
        (Some(_), Some(_)) => {
            Err(SignatureError::Incomplete("The header 'authorization' was sent more than once.".to_owned()))
        }
    }
}

/// When the request was signed, and the header that says it.
fn date(head: &Parts) -> Result<(HeaderName, DateTime<Utc>), SignatureError> {
    let found = [X_AMZ_DATE, header::DATE].into_iter().find_map(|name| Some((head.headers.get(&name)?, name)));
    let (value, name) = found.ok_or_else(|| {
        let text = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
        SignatureError::Incomplete(text.to_owned())
    })?;
    let text = value.to_str().ok().filter(|text| is_basic_date(text));
    match text.and_then(|text| NaiveDateTime::parse_from_str(text, DATE_FORMAT).ok()) {
        Some(date) => Ok((name, date.and_utc())),
        None => Err(SignatureError::Incomplete(format!(
            "Date must be in ISO-8601 'basic format', such as 20150830T123600Z, in the header '{name}'."
        ))),
    }
}

/// Whether the text has the one length, so that nothing is left open or out by who reads it.
fn is_basic_date(text: &str) -> bool {
    text.len() == DATE_LENGTH && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'T' || byte == b'Z')
}

/// What the request says of its body, where it says something.
fn content_sha256(head: &Parts) -> Result<Option<&str>, SignatureError> {
    let Some(value) = head.headers.get(X_AMZ_CONTENT_SHA256) else { return Ok(None) };
    let is_hash = |text: &&str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match value.to_str().ok().filter(is_hash) {
        Some(text) => Ok(Some(text)),
        // Such as UNSIGNED-PAYLOAD.
        None => Err(SignatureError::Invalid(
            "'x-amz-content-sha256' must be the SHA-256 of the body in hexadecimal digits: the body must be signed."
                .to_owned(),
        )),
    }
}

/// What stands for the header `host` in HTTP/2 (RFC 9113, 8.3.1).
pub(crate) fn authority(head: &Parts) -> Option<HeaderValue> {
    HeaderValue::from_str(head.uri.authority()?.as_str()).ok()
}

impl From<LibraryError> for SignatureError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::SignatureDoesNotMatch(Some(text)) => Self::Invalid(text),
            LibraryError::IncompleteSignature(text)
            | LibraryError::InvalidURIPath(text)
            | LibraryError::MalformedQueryString(text) => Self::Incomplete(text),
            // None of them comes from what is called here.
            other => Self::bug(&other),
        }
    }
}
