//! Aliases: made, pointed to another key, deleted, listed.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{Cursor, Page};
use super::request::RequestContext;
use crate::domain::alias::{Alias, AliasName};
use crate::domain::id::{FolderId, KeyId};

/// Which aliases a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasesOf {
    /// Those of a folder, in the request's region.
    Folder(FolderId),
    /// Those of a key.
    Key(KeyId),
}

impl Kms {
    /// Makes an alias in folder and region of the key that it stands for. Who may update the key may.
    ///
    /// # Errors
    /// [`ServiceError::Exists`] if the name is taken there, [`ServiceError::AliasLimit`], [`ServiceError::State`] unless
    /// the key is live, and those of the store.
    pub async fn create_alias(&self, ctx: &RequestContext, name: AliasName, key_id: KeyId) -> Result<(), ServiceError> {
        let _ = (ctx, name, key_id);
        Err(ServiceError::NotImplemented("aliases"))
    }

    /// Makes an alias of the caller's folder stand for another key of folder and region. Who may update both keys may.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with `Missing::Alias` or `Missing::Key`, [`ServiceError::AliasLimit`],
    /// [`ServiceError::State`] unless the new key is live, and those of the store.
    pub async fn update_alias(&self, ctx: &RequestContext, name: AliasName, key_id: KeyId) -> Result<(), ServiceError> {
        let _ = (ctx, name, key_id);
        Err(ServiceError::NotImplemented("aliases"))
    }

    /// Deletes an alias of the caller's folder, in whatever state its key is. Who may update that key may.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with `Missing::Alias`, and those of the store.
    pub async fn delete_alias(&self, ctx: &RequestContext, name: AliasName) -> Result<(), ServiceError> {
        let _ = (ctx, name);
        Err(ServiceError::NotImplemented("aliases"))
    }

    /// Aliases of keys that the caller may view, oldest first. A page may be short or empty and still have a next one.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for a key that the caller may not know of, and those of the store.
    pub async fn aliases(
        &self,
        ctx: &RequestContext,
        of: AliasesOf,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Alias>, ServiceError> {
        let _ = (ctx, of, after, limit);
        Err(ServiceError::NotImplemented("aliases"))
    }
}
