//! From the names that callers give to keys and folders.

use super::error::ServiceError;
use super::kms::Kms;
use super::request::{KeyName, Located, RequestContext};
use crate::domain::id::{AccountId, FolderId};

impl Kms {
    /// Finds the key that a request names, in the request's region. Decides nothing: the use case that gets the key does,
    /// and an unknown name ends as a key that the caller may not know of.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn locate(&self, ctx: &RequestContext, name: &KeyName) -> Result<Located, ServiceError> {
        let _ = (ctx, name);
        Err(ServiceError::NotImplemented("names of keys"))
    }

    /// The account number of a folder, which never changes.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn account_of(&self, folder_id: FolderId) -> Result<AccountId, ServiceError> {
        let _ = folder_id;
        Err(ServiceError::NotImplemented("accounts"))
    }
}
