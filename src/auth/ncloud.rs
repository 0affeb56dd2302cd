//! Requests of the Ncloud dialect: signed by signature v2 of its API Gateway, or with the token of a key.
//!
//! In: the head of a request. Out: who sent it. Called by the Ncloud dialect before it looks at what is asked for.
//!
//! A signature is over method, request target, time and access key, and not over the body. So whoever can change a request
//! on its way can change its body, and whoever sees one can send it again for five minutes: docs/dialects/ncloud.md.

use super::Peer;
use super::attempts::FailedAttempts;
use super::turns::Turns;
use crate::domain::access::Caller;
use crate::domain::id::{KeyId, PrincipalId};
use crate::domain::key_token::KeyToken;
use crate::domain::time::Timestamp;
use crate::service::Kms;
use crate::service::directory::{AccessKey, ByKeyToken, Directory, Recognised};
use crate::service::error::ServiceError;
use crate::service::ports::Clock;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use http::request::Parts;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// When the request was signed: milliseconds since the Unix epoch, decimal.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("x-ncp-apigw-timestamp");
/// The public id of the access key pair.
pub const ACCESS_KEY: HeaderName = HeaderName::from_static("x-ncp-iam-access-key");
/// The signature: base64 of HMAC-SHA256.
pub const SIGNATURE: HeaderName = HeaderName::from_static("x-ncp-apigw-signature-v2");
/// The token of a key.
pub const TOKEN: HeaderName = HeaderName::from_static("x-ncp-ocapi-token");

/// How far the clocks of client and service may differ; as much as this is too much ("5 minutes or more").
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);
/// The most digits of a time: until the year 5138.
const MAX_TIME_DIGITS: usize = 14;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The principal, by its access key or by the credential that the token was issued with.
    pub caller: Caller,
    /// The token, if it was one.
    pub key_token: Option<KeyToken>,
}

/// Why it is not known who sent a request.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NcloudAuthError {
    /// There is no whole and valid signature. The text says what is wrong, but not whether it is the access key or the
    /// signature that is.
    #[error("{0}")]
    Signature(String),
    /// The token is none of ours, has ended, or was issued with a credential that is not in force any more.
    #[error("the token is not valid: issue a new one")]
    Token,
    /// Too many failed attempts, or the directory cannot be asked.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// What requests are verified with.
pub struct NcloudParts {
    /// Says which generator a key has.
    pub kms: Arc<Kms>,
    /// Principals and their access keys.
    pub directory: Arc<Directory>,
    /// Counts failures.
    pub attempts: Arc<FailedAttempts>,
    /// Queues of look-ups in the database.
    pub turns: Arc<Turns>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Verifies signatures and tokens.
pub struct NcloudRequests {
    parts: NcloudParts,
}

/// What a request's head says of its signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim<'a> {
    access_key: &'a str,
    /// As it was sent: it is signed so.
    time: &'a str,
    signed_at: Timestamp,
    signature: [u8; 32],
}

impl NcloudRequests {
    /// A verifier.
    #[must_use]
    pub const fn new(parts: NcloudParts) -> Self {
        Self { parts }
    }

    /// Who sent a request about this key, or about none. A token is good for its own key only.
    ///
    /// # Errors
    /// [`NcloudAuthError`]; [`ServiceError::Throttled`] in it instead of any other after too many failed attempts.
    pub async fn identify(&self, head: &Parts, key_id: Option<KeyId>) -> Result<Identified, NcloudAuthError> {
        let address = head.extensions.get::<Peer>().map(|peer| peer.address);
        if head.headers.contains_key(TOKEN) {
            self.by_token(head, key_id, address).await
        } else {
            self.by_key(head, address).await
        }
    }

    async fn by_key(&self, head: &Parts, address: Option<IpAddr>) -> Result<Identified, NcloudAuthError> {
        let claim = Claim::read(head).and_then(|claim| claim.in_time(self.parts.clock.now()));
        let claim = claim.map_err(|text| self.refused(address, None, NcloudAuthError::Signature(text.into())))?;
        let wrong = |principal| {
            let text = "The access key or the signature is not valid.";
            Err(self.refused(address, principal, NcloudAuthError::Signature(text.into())))
        };
        match self.access_key(claim.access_key, address).await? {
            Recognised::InForce(key) if claim.is_signed(head, key.secret()) => {
                self.parts.directory.accepted(&key);
                Ok(Identified { caller: key.caller().clone(), key_token: None })
            }
            Recognised::InForce(key) => wrong(Some(key.caller().principal_id)),
            Recognised::Refused(principal) => wrong(principal),
        }
    }

    async fn access_key(&self, id: &str, address: Option<IpAddr>) -> Result<Recognised<AccessKey>, ServiceError> {
        if let Some(key) = self.parts.directory.remembered_access_key(id) {
            return Ok(Recognised::InForce(key));
        }
        let _turn = self.parts.turns.turn(address).await;
        self.parts.directory.access_key(id).await
    }

    async fn by_token(
        &self,
        head: &Parts,
        key_id: Option<KeyId>,
        address: Option<IpAddr>,
    ) -> Result<Identified, NcloudAuthError> {
        let refused = |principal| self.refused(address, principal, NcloudAuthError::Token);
        // Which of two proofs would be meant, a proxy may see otherwise.
        let alone = ![SIGNATURE, ACCESS_KEY].iter().any(|name| head.headers.contains_key(name));
        let token = single(head, &TOKEN).filter(|_| alone).ok_or_else(|| refused(None))?;
        let (caller, token) = match self.recognised(token, address).await? {
            Recognised::InForce(found) => found,
            Recognised::Refused(principal) => return Err(refused(principal)),
        };
        // Before anything is done or counted in the principal's name. Another key is not looked at.
        let of_another = key_id.is_some_and(|key_id| key_id != token.key_id);
        if of_another || !self.parts.kms.has_generator_of(&token).await? {
            return Err(refused(Some(caller.principal_id)));
        }
        self.parts.directory.accepted_token_of(&caller);
        Ok(Identified { caller, key_token: Some(token) })
    }

    async fn recognised(&self, token: &str, address: Option<IpAddr>) -> Result<Recognised<ByKeyToken>, ServiceError> {
        if let Some(found) = self.parts.directory.remembered_by_key_token(token) {
            return Ok(Recognised::InForce(found));
        }
        let _turn = self.parts.turns.turn(address).await;
        self.parts.directory.by_key_token(token).await
    }

    /// Counts a failed attempt, and says how it ends.
    fn refused(
        &self,
        address: Option<IpAddr>,
        principal: Option<PrincipalId>,
        error: NcloudAuthError,
    ) -> NcloudAuthError {
        match self.parts.attempts.failed(address, principal) {
            ServiceError::Unauthenticated => error,
            throttled => throttled.into(),
        }
    }
}

impl<'a> Claim<'a> {
    /// Reads a head. The text of a refusal says what is missing or malformed.
    pub(crate) fn read(head: &'a Parts) -> Result<Self, &'static str> {
        let access_key = single(head, &ACCESS_KEY).ok_or("The header x-ncp-iam-access-key is required, once.")?;
        let time = single(head, &TIMESTAMP).ok_or("The header x-ncp-apigw-timestamp is required, once.")?;
        let text = single(head, &SIGNATURE).ok_or("The header x-ncp-apigw-signature-v2 is required, once.")?;
        let signed_at = instant(time).ok_or("The header x-ncp-apigw-timestamp must be the time in milliseconds.")?;
        let signature = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let signature = signature.ok_or("The header x-ncp-apigw-signature-v2 must be the base64 of 32 bytes.")?;
        Ok(Self { access_key, time, signed_at, signature })
    }

    fn in_time(self, now: Timestamp) -> Result<Self, &'static str> {
        let skew = now.since(self.signed_at).max(self.signed_at.since(now));
        if skew < MAX_SKEW {
            return Ok(self);
        }
        Err("The time of the request differs from the server's by 5 minutes or more: set the client's clock.")
    }

    /// Whether the request was signed with this secret, compared in constant time.
    pub(crate) fn is_signed(&self, head: &Parts, secret: &[u8]) -> bool {
        // As it stands on the request line: nothing is decoded or put in order.
        let target = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        let message = format!("{} {target}\n{}\n{}", head.method, self.time, self.access_key);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, message.as_bytes(), &self.signature).is_ok()
    }
}

/// The value of a header that is there once and is text.
fn single<'a>(head: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    let mut values = head.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// The instant of a decimal number of milliseconds.
fn instant(text: &str) -> Option<Timestamp> {
    let digits = (1..=MAX_TIME_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let millis: i64 = text.parse().ok().filter(|_| digits)?;
    Some(Timestamp::from_micros(millis.checked_mul(1000)?))
}

#[cfg(test)]
mod tests;
