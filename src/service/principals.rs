//! People and service accounts.

use super::error::ServiceError;
use super::identity::CreatePrincipal;
use super::kms::Kms;
use super::ports::{Cursor, Page, Principal};
use super::request::RequestContext;
use crate::domain::id::{FolderId, PrincipalId};

impl Kms {
    /// Creates a principal without credentials and roles.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], [`ServiceError::Invalid`] for an empty or too long name, and
    /// those of the store.
    pub async fn create_principal(
        &self,
        ctx: &RequestContext,
        request: CreatePrincipal,
    ) -> Result<Principal, ServiceError> {
        let _ = (ctx, request);
        Err(ServiceError::NotImplemented("principals"))
    }

    /// Principals of a folder that are not deleted, oldest first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn principals(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Principal>, ServiceError> {
        let _ = (ctx, folder_id, after, limit);
        Err(ServiceError::NotImplemented("principals"))
    }

    /// One principal. Whoever may not see the principals of its folder learns nothing of it, but everybody may see
    /// itself.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn principal(&self, ctx: &RequestContext, id: PrincipalId) -> Result<Principal, ServiceError> {
        let _ = (ctx, id);
        Err(ServiceError::NotImplemented("principals"))
    }

    /// Deletes a principal and revokes its credentials, at once. Bindings that name it stay and give nothing.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], [`ServiceError::Invalid`] if nobody could change the
    /// service's bindings any more, and those of the store.
    pub async fn delete_principal(&self, ctx: &RequestContext, id: PrincipalId) -> Result<Principal, ServiceError> {
        let _ = (ctx, id);
        Err(ServiceError::NotImplemented("principals"))
    }
}
