//! Who calls: credentials to principals.
//!
//! In: the headers of a request. Out: a [`Caller`], or [`ServiceError::Unauthenticated`] without a reason, so that
//! nobody learns which part of a credential was wrong. Called by the dialects before they look at a request.

pub mod bearer;

use crate::domain::access::Caller;
use crate::service::error::ServiceError;
use async_trait::async_trait;
use http::HeaderMap;

/// Finds out who sent a request.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The caller whose credential is in these headers.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] if there is no valid credential, and whatever keeps the service from
    /// looking it up.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, ServiceError>;
}
