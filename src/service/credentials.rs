//! Credentials of principals. A principal may have several at once, so that they can be replaced without a gap.

use super::error::ServiceError;
use super::identity::{IssueCredential, IssuedCredential};
use super::kms::Kms;
use super::ports::{CredentialView, Cursor, Page};
use super::request::RequestContext;
use crate::domain::id::{CredentialId, PrincipalId};

impl Kms {
    /// Issues a credential. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], [`ServiceError::Invalid`] for an end that has passed or a kind
    /// that the principal cannot have, [`ServiceError::Exists`] for a certificate in use, and those of token and store.
    pub async fn issue_credential(
        &self,
        ctx: &RequestContext,
        request: IssueCredential,
    ) -> Result<IssuedCredential, ServiceError> {
        let _ = (ctx, request);
        Err(ServiceError::NotImplemented("credentials"))
    }

    /// All credentials of a principal, oldest first, revoked and expired ones too.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn credentials(
        &self,
        ctx: &RequestContext,
        principal_id: PrincipalId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CredentialView>, ServiceError> {
        let _ = (ctx, principal_id, after, limit);
        Err(ServiceError::NotImplemented("credentials"))
    }

    /// One credential.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn credential(&self, ctx: &RequestContext, id: CredentialId) -> Result<CredentialView, ServiceError> {
        let _ = (ctx, id);
        Err(ServiceError::NotImplemented("credentials"))
    }

    /// Revokes a credential; from the answer on nothing is accepted with it, nor with tokens that were got with it. A
    /// repetition changes nothing.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn revoke_credential(
        &self,
        ctx: &RequestContext,
        id: CredentialId,
    ) -> Result<CredentialView, ServiceError> {
        let _ = (ctx, id);
        Err(ServiceError::NotImplemented("credentials"))
    }
}
