//! Requests signed by AWS Signature Version 4, header form.
//!
//! In: head and body of a request. Out: who signed it, and for which region. Called by the AWS dialect before it looks at
//! what the request asks for.
//!
//! A request is read strictly first (`claim`), so that nothing which could be read in two ways is taken. Its canonical form,
//! and the rules of time and scope with AWS's texts, are the library's. HMAC is that of the rest of the program.

pub(crate) mod authorization;
mod canonical;
pub(crate) mod claim;
mod signing_key;

use super::Peer;
use super::attempts::FailedAttempts;
use super::body_budget::Sender;
use super::turns::Turns;
use crate::domain::access::Caller;
use crate::domain::id::{CredentialId, PrincipalId};
use crate::service::directory::{AccessKey, Directory, Recognised};
use crate::service::error::ServiceError;
use crate::service::ports::Clock;
use bytes::Bytes;
use claim::{Claim, Rules};
use http::request::Parts;
use scratchstack_aws_signature::SignatureOptions;
use std::net::IpAddr;
use std::sync::Arc;

/// The service in the credential scope of requests to a KMS.
pub const SERVICE: &str = "kms";

/// The longest name in an ARN of a user (IAM: 64 characters).
const MAX_NAME: usize = 64;
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";
const PRESIGNED: &str = "Presigned requests are not supported: sign the request in its Authorization header.";
const QUERY: &str = "This service takes no query string: send the request to / alone.";

/// A request whose signature is good.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Who signed it.
    pub caller: Caller,
    /// The caller's name as its ARN has it: the principal's name if `[\w+=,.@-]{1,64}` fits it, else its id.
    pub name: Arc<str>,
    /// The region of the credential scope, one of those served.
    pub region: Arc<str>,
}

/// Why a request is not taken as signed. The texts are for callers and hold no signature that was computed here.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature at all.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// What is there is not a whole signature of this kind; the text says what is wrong.
    #[error("{0}")]
    Incomplete(String),
    /// The signature is none of this request, or not for now, or not for this service and region; the text says which.
    #[error("{0}")]
    Invalid(String),
    /// The access key is unknown, revoked or expired.
    #[error("The security token included in the request is invalid.")]
    UnknownClient,
    /// The request names a session, which is not known here. AWS's name for it is that of an unknown client.
    #[error("Session tokens are not supported: sign with an access key, without the header X-Amz-Security-Token.")]
    SessionToken,
    /// Too many failed attempts, or the directory cannot be asked.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl SignatureError {
    fn mismatch() -> Self {
        Self::Invalid(MISMATCH.to_owned())
    }

    fn bug(cause: &dyn std::error::Error) -> Self {
        Self::Service(ServiceError::Bug(format!("SigV4: {cause}")))
    }

    fn beyond_calendar() -> Self {
        Self::Service(ServiceError::Bug("the clock is beyond all calendars".to_owned()))
    }
}

/// What signatures are verified with.
pub struct SignatureParts {
    /// Principals and their access keys.
    pub directory: Arc<Directory>,
    /// Counts failures.
    pub attempts: Arc<FailedAttempts>,
    /// Queues of look-ups in the database.
    pub turns: Arc<Turns>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The regions that are served, at least one.
    pub regions: Vec<String>,
}

/// A request whose head is that of a signed one, for now, for this service and a region that is served. Nothing of it is
/// verified.
pub struct Claimed<'a> {
    head: &'a Parts,
    /// Where it comes from.
    address: Option<IpAddr>,
    claim: Claim<'a>,
    /// The credential that it names, one in force. Anybody can name it.
    credential_id: CredentialId,
}

impl Claimed<'_> {
    /// Who is said to send the body.
    #[must_use]
    pub const fn sender(&self) -> Sender {
        Sender { address: self.address, credential_id: self.credential_id }
    }
}

/// Verifies signatures.
pub struct Signatures {
    parts: SignatureParts,
}

impl Signatures {
    /// A verifier.
    #[must_use]
    pub const fn new(parts: SignatureParts) -> Self {
        Self { parts }
    }

    /// Refuses what cannot be a signed request of this service, before its body is read, and counts it as a failed attempt.
    /// Out comes whose signature it claims to have: that of a credential in force, which anybody can claim.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), but for what the signature decides.
    pub async fn look_at<'a>(&self, head: &'a Parts) -> Result<Claimed<'a>, SignatureError> {
        let address = head.extensions.get::<Peer>().map(|peer| peer.address);
        let claim = self.claim(head).map_err(|error| self.refused(address, None, error))?;
        let key = self.key_of(&claim, address).await?;
        Ok(Claimed { head, address, claim, credential_id: key.caller().credential_id })
    }

    /// Who signed the request.
    ///
    /// # Errors
    /// [`SignatureError`]; [`ServiceError::Throttled`] in it instead of any other after too many failed attempts.
    pub async fn verify(&self, request: Claimed<'_>, body: &Bytes) -> Result<Signed, SignatureError> {
        let Claimed { head, address, claim, .. } = request;
        // Once more: the pair may have been revoked while the body came in.
        let key = self.key_of(&claim, address).await?;
        let principal = Some(key.caller().principal_id);
        let signing_key = key.derived(claim.credential.scope, |secret| claim.signing_key(secret, SERVICE));
        let signed = claim.require_signature(&signing_key, head, body, &self.rules());
        signed.map_err(|error| self.refused(address, principal, error))?;
        self.parts.directory.accepted(&key);
        Ok(Signed { caller: key.caller().clone(), name: arn_name(&key), region: claim.credential.region.into() })
    }

    /// The access key that a claim names.
    async fn key_of(&self, claim: &Claim<'_>, address: Option<IpAddr>) -> Result<AccessKey, SignatureError> {
        match self.access_key(claim.credential.access_key_id, address).await? {
            Recognised::InForce(key) => Ok(key),
            // AWS's own names tell an unknown pair from a wrong signature, so equal times would hide nothing. Unknown,
            // revoked, expired and of a deleted principal are one.
            Recognised::Refused(principal) => Err(self.refused(address, principal, SignatureError::UnknownClient)),
        }
    }

    fn rules(&self) -> Rules<'_> {
        let options = SignatureOptions::default();
        Rules { service: SERVICE, regions: &self.parts.regions, options }
    }

    fn claim<'a>(&self, head: &'a Parts) -> Result<Claim<'a>, SignatureError> {
        refuse_query(head)?;
        let rules = self.rules();
        let claim = Claim::read(head)?;
        claim.check(&rules, self.parts.clock.now())?;
        Ok(claim)
    }

    async fn access_key(&self, id: &str, address: Option<IpAddr>) -> Result<Recognised<AccessKey>, ServiceError> {
        if let Some(key) = self.parts.directory.remembered_access_key(id) {
            return Ok(Recognised::InForce(key));
        }
        let _turn = self.parts.turns.turn(address).await;
        self.parts.directory.access_key(id).await
    }

    /// Counts a failed attempt, and says how it ends. What is our fault is none.
    fn refused(
        &self,
        address: Option<IpAddr>,
        principal: Option<PrincipalId>,
        error: SignatureError,
    ) -> SignatureError {
        if matches!(error, SignatureError::Service(_)) {
            return error;
        }
        match self.parts.attempts.failed(address, principal) {
            ServiceError::Unauthenticated => error,
            throttled => throttled.into(),
        }
    }
}

/// Nothing of this protocol is in a query, except a signature of the other form.
pub(crate) fn refuse_query(head: &Parts) -> Result<(), SignatureError> {
    let query = head.uri.query().unwrap_or_default();
    if query.split('&').any(|pair| is_of_presigned(pair.split('=').next().unwrap_or_default())) {
        return Err(SignatureError::Incomplete(PRESIGNED.to_owned()));
    }
    if query.is_empty() { Ok(()) } else { Err(SignatureError::Incomplete(QUERY.to_owned())) }
}

fn is_of_presigned(name: &str) -> bool {
    name.eq_ignore_ascii_case("X-Amz-Algorithm") || name.eq_ignore_ascii_case("X-Amz-Signature")
}

/// What a user is called in an ARN (IAM: letters, digits and `_+=,.@-`).
fn arn_name(key: &AccessKey) -> Arc<str> {
    let name = key.principal_name();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    match (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits) {
        true => Arc::clone(name),
        false => key.caller().principal_id.to_string().into(),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
