//! Folders: the tenants.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{Cursor, Folder, Page};
use super::request::RequestContext;
use crate::domain::id::FolderId;

impl Kms {
    /// Creates a folder with an account number of its own. It has no bindings: roles on the service hold in it.
    ///
    /// # Errors
    /// [`ServiceError::Denied`], [`ServiceError::Invalid`] for an empty or too long name, and those of the store.
    pub async fn create_folder(&self, ctx: &RequestContext, name: String) -> Result<Folder, ServiceError> {
        let _ = (ctx, name);
        Err(ServiceError::NotImplemented("folders"))
    }

    /// The folders that the caller may see, oldest first. A page may be short or empty and still have a next one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn folders(
        &self,
        ctx: &RequestContext,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Folder>, ServiceError> {
        let _ = (ctx, after, limit);
        Err(ServiceError::NotImplemented("folders"))
    }

    /// One folder.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn folder(&self, ctx: &RequestContext, id: FolderId) -> Result<Folder, ServiceError> {
        let _ = (ctx, id);
        Err(ServiceError::NotImplemented("folders"))
    }
}
