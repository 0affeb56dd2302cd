//! Who calls: credentials to principals.
//!
//! In: the headers of a request, and the [`Peer`] of its connection. Out: a [`Caller`], or
//! [`ServiceError::Unauthenticated`] without a reason, so that nobody learns which part of a credential was wrong. Called
//! by the dialects before they look at a request.

pub mod attempts;
pub mod bearer;
pub mod body_budget;
pub mod certificate;
pub mod credentials;
pub mod jwt;
pub mod ncloud;
mod shares;
pub mod sigv4;
mod source;
pub mod turns;

pub use credentials::Credentials;
pub use jwt::JwtLogins;
pub use ncloud::{NcloudAuthError, NcloudRequests};
pub use sigv4::{Signatures, Signed};

use crate::domain::access::Caller;
use crate::service::error::ServiceError;
use crate::service::identity::LoginToken;
use async_trait::async_trait;
use http::HeaderMap;
use std::net::IpAddr;

/// Who is at the other end of a connection. The listeners put it into the extensions of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where requests come from.
    pub address: IpAddr,
    /// SHA-256 of the SubjectPublicKeyInfo (DER) of the client certificate, whose private key the client has proved to
    /// hold in the TLS handshake.
    pub certificate_sha256: Option<[u8; 32]>,
}

/// Finds out who sent a request.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The caller whose credential is in these headers, or else in the TLS handshake of their connection.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] if there is no valid credential, and whatever keeps the service from
    /// looking it up; [`ServiceError::Throttled`] instead of it after too many failed attempts.
    async fn authenticate(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Caller, ServiceError>;
}

/// Turns proofs of identity into short-lived tokens.
#[async_trait]
pub trait Logins: Send + Sync {
    /// A token for the service account that signed this JWT.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] if it is not valid, [`ServiceError::Throttled`] after too many failed attempts,
    /// and whatever keeps the service from looking the key up.
    async fn exchange(&self, jwt: &str, peer: Option<&Peer>) -> Result<LoginToken, ServiceError>;
}
