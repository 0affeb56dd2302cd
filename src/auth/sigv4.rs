//! Requests signed by AWS Signature Version 4, header form.
//!
//! In: head and body of a request. Out: who signed it, and for which region. Called by the AWS dialect before it looks at
//! what the request asks for.

use super::Peer;
use super::attempts::FailedAttempts;
use super::turns::Turns;
use crate::domain::access::Caller;
use crate::service::directory::Directory;
use crate::service::error::ServiceError;
use crate::service::ports::Clock;
use bytes::Bytes;
use http::request::Parts;
use std::sync::Arc;

/// The service in the credential scope of requests to a KMS.
pub const SERVICE: &str = "kms";

/// A request whose signature is good.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Who signed it.
    pub caller: Caller,
    /// The caller's name as its ARN has it: the principal's name if `[\w+=,.@-]+` fits it, else its id.
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
    /// The access key is unknown, revoked or expired, or the request names a session, which is not known here.
    #[error("The security token included in the request is invalid.")]
    UnknownClient,
    /// Too many failed attempts, or the directory cannot be asked.
    #[error(transparent)]
    Service(#[from] ServiceError),
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
    /// The regions that are served.
    pub regions: Vec<String>,
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

    /// Refuses what cannot be a signed request of this service, before its body is read.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn look_at(&self, head: &Parts) -> Result<(), SignatureError> {
        let _ = (&self.parts, head);
        Err(SignatureError::Missing)
    }

    /// Who signed the request.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn verify(&self, head: &Parts, body: &Bytes, peer: Option<&Peer>) -> Result<Signed, SignatureError> {
        let _ = (body, peer);
        self.look_at(head)?;
        Err(SignatureError::Missing)
    }
}
