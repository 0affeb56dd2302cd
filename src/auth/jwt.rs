//! Logins of service accounts: a JWT that they signed becomes a short-lived token, as the SDKs of Yandex Cloud log in.
//!
//! In: a JWT (RFC 7519) with the signature PS256 (RFC 7518, 3.5), and where it came from. Out: a [`LoginToken`], or the same
//! [`ServiceError::Unauthenticated`] whatever was wrong. Called by the dialects that serve logins. The key's id is the id of
//! its credential, so a JWT for somebody else can have neither our `kid` nor our `iss`.
//!
//! A JWT can be exchanged again until it ends, as in the cloud: SDKs repeat a call whose answer was lost.

mod audience;

pub use audience::{Addresses, audiences};

use super::attempts::FailedAttempts;
use super::certificate::{CertificateError, rsa_public_key};
use super::turns::Turns;
use super::{Logins, Peer};
use crate::domain::access::Caller;
use crate::domain::id::CredentialId;
use crate::domain::time::Timestamp;
use crate::service::directory::{Directory, LoginKey, Recognised};
use crate::service::error::ServiceError;
use crate::service::identity::LoginToken;
use crate::service::ports::Clock;
use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

/// The longest JWT in bytes (IamTokenService: `jwt` has at most 8000 characters).
const MAX_BYTES: usize = 8000;
/// The longest time from `iat` to `exp` (Yandex Cloud: one hour).
const MAX_SECONDS: i64 = 60 * 60;
/// How far a client's clock may be ahead.
const CLOCK_SKEW_SECONDS: i64 = 60;
/// A key whose private half was thrown away: with it, a JWT of an unknown key costs as much time as one with a bad signature.
const NOBODYS_KEY: &[u8] = include_bytes!("jwt/nobodys_key.pem");

/// Exchanges JWTs for tokens.
pub struct JwtLogins {
    directory: Arc<Directory>,
    attempts: Arc<FailedAttempts>,
    turns: Arc<Turns>,
    clock: Arc<dyn Clock>,
    rules: Rules,
}

impl JwtLogins {
    /// Logins with JWTs that are addressed to one of `audiences`.
    ///
    /// # Errors
    /// None, unless the key in the program's text is broken.
    pub fn new(
        directory: Arc<Directory>,
        attempts: Arc<FailedAttempts>,
        turns: Arc<Turns>,
        clock: Arc<dyn Clock>,
        audiences: HashSet<String>,
    ) -> Result<Self, CertificateError> {
        Ok(Self { directory, attempts, turns, clock, rules: Rules::new(audiences)? })
    }

    async fn key(&self, kid: CredentialId, address: Option<IpAddr>) -> Result<Recognised<LoginKey>, ServiceError> {
        if let Some(key) = self.directory.remembered_login_key(kid) {
            return Ok(Recognised::InForce(key));
        }
        let _turn = self.turns.turn(address).await;
        self.directory.login_key(kid).await
    }
}

#[async_trait]
impl Logins for JwtLogins {
    async fn exchange(&self, jwt: &str, peer: Option<&Peer>) -> Result<LoginToken, ServiceError> {
        let address = peer.map(|peer| peer.address);
        let Some(kid) = key_id(jwt) else { return Err(self.attempts.failed(address, None)) };
        let (key, principal) = match self.key(kid, address).await? {
            Recognised::InForce(key) => {
                let principal = key.caller.principal_id;
                (Some(key), Some(principal))
            }
            Recognised::Refused(principal) => (None, principal),
        };
        let accepted = self.rules.accept(jwt, key.as_ref(), self.clock.now());
        let token = match accepted {
            Some(caller) => self.directory.login(caller).await,
            None => Err(ServiceError::Unauthenticated),
        };
        match token {
            // Also if the key was revoked a moment ago.
            Err(ServiceError::Unauthenticated) => Err(self.attempts.failed(address, principal)),
            other => other,
        }
    }
}

/// The `kid` of a JWT whose header is in order. Nothing is verified, so nothing else of the JWT is looked at.
#[must_use]
pub fn key_id(jwt: &str) -> Option<CredentialId> {
    if jwt.len() > MAX_BYTES {
        return None;
    }
    // Algorithms that the library does not know, `none` among them, end here.
    let header = decode_header(jwt).ok()?;
    // Not every SDK sends `typ`.
    let typed = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    // RFC 7515, 4.1.11: extensions that must be understood. We know none.
    let plain = header.crit.is_none();
    let algorithm = header.alg == Algorithm::PS256;
    if typed && plain && algorithm { CredentialId::parse(&header.kid?) } else { None }
}

/// What a JWT must say.
pub(crate) struct Rules {
    audiences: HashSet<String>,
    nobodys_key: Vec<u8>,
}

impl Rules {
    /// Rules for JWTs to one of `audiences`.
    pub(crate) fn new(audiences: HashSet<String>) -> Result<Self, CertificateError> {
        Ok(Self { audiences, nobodys_key: rsa_public_key(NOBODYS_KEY)? })
    }

    /// The caller who signed `jwt` with `key`, if all is in order.
    pub(crate) fn accept<'key>(&self, jwt: &str, key: Option<&'key LoginKey>, now: Timestamp) -> Option<&'key Caller> {
        let spki = key.map_or(&self.nobodys_key, |key| &key.spki);
        let claims = verified_claims(jwt, spki);
        let (claims, caller) = (claims?, &key?.caller);
        self.admit(&claims, caller, now).then_some(caller)
    }

    /// Whether these verified claims let this caller in.
    pub(crate) fn admit(&self, claims: &Claims, caller: &Caller, now: Timestamp) -> bool {
        let issued = claims.iss == caller.principal_id.to_string();
        issued && self.audiences.contains(claims.aud.only()) && claims.are_timely(now)
    }
}

/// The claims of a JWT if this RSA key signed them with PS256. The library checks no claim: time comes from the port.
fn verified_claims(jwt: &str, spki: &[u8]) -> Option<Claims> {
    key_id(jwt)?;
    let mut validation = Validation::new(Algorithm::PS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    Some(decode::<Claims>(jwt, &DecodingKey::from_rsa_der(spki), &validation).ok()?.claims)
}

/// The claims that are looked at (RFC 7519, 4.1). Times are in whole seconds.
#[derive(Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: Audience,
    iat: i64,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

impl Claims {
    fn are_timely(&self, now: Timestamp) -> bool {
        let now = now.as_micros().div_euclid(1_000_000);
        let soon = now.saturating_add(CLOCK_SKEW_SECONDS);
        let begun = self.iat <= soon && self.nbf.is_none_or(|nbf| nbf <= soon);
        let short = self.exp.checked_sub(self.iat).is_some_and(|seconds| (1..=MAX_SECONDS).contains(&seconds));
        begun && short && now < self.exp
    }
}

/// Exactly one audience, as a text or as a list of one: a JWT that is also for others could be replayed by them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    Text(String),
    List([String; 1]),
}

impl Audience {
    fn only(&self) -> &str {
        match self {
            Self::Text(text) | Self::List([text]) => text,
        }
    }
}

#[cfg(test)]
mod tests;
