//! Looking at keys, versions and operations.

use super::error::{Missing, ServiceError};
use super::kms::Kms;
use super::ports::{Cursor, Page};
use super::request::RequestContext;
use crate::domain::access::{Decision, Permission, Resource};
use crate::domain::id::{FolderId, KeyId, OperationId};
use crate::domain::operation::{KeyView, Operation, VersionView};
use crate::domain::version::KeyVersion;

impl Kms {
    /// A key and its primary version.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn key(&self, ctx: &RequestContext, key_id: KeyId) -> Result<KeyView, ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
            Ok(KeyView { key: entry.key.clone(), primary: entry.primary.version.clone() })
        })
        .await
    }

    /// Live keys of a folder, oldest first. A folder that the caller may not know of has none.
    ///
    /// # Errors
    /// [`ServiceError::Denied`], and those of the store.
    pub async fn keys(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<KeyView>, ServiceError> {
        let listed = self
            .on_folder(ctx, Permission::ListKeys, folder_id, || async {
                Ok(self.store.keys(folder_id, after, limit).await?)
            })
            .await;
        match listed {
            Err(ServiceError::NotFound { what: Missing::Folder, .. }) => Ok(Page { items: Vec::new(), next: None }),
            other => other,
        }
    }

    /// Versions of a key, newest first, destroyed ones too.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn versions(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<VersionView>, ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
            let page = self.store.versions(key_id, after, limit).await?;
            let primary = entry.key.primary_version;
            let view = |version: KeyVersion| VersionView { primary: version.id == primary, version };
            let items = page.items.into_iter().map(|stored| view(stored.value)).collect();
            Ok(Page { items, next: page.next })
        })
        .await
    }

    /// Operations on a key, newest first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn key_operations(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Operation>, ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |_| async move {
            Ok(self.store.operations(key_id, after, limit).await?)
        })
        .await
    }

    /// An operation, for whoever may view its key, also after the key's deletion.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn operation(&self, ctx: &RequestContext, id: OperationId) -> Result<Operation, ServiceError> {
        let missing = || ServiceError::NotFound { what: Missing::Operation, id: id.to_string() };
        let operation = self.store.operation(id).await?.ok_or_else(missing)?;
        let key = self.cache.key(operation.key_id).await?.ok_or_else(missing)?;
        let resource = Resource::Key { key_id: operation.key_id, folder_id: key.key.folder_id };
        match self.decide(ctx, Permission::ViewKey, resource, Some(&key.grants)).await? {
            Decision::Allowed(_) => Ok(operation),
            _ => Err(missing()),
        }
    }

    /// Cancels an operation as far as that is still possible, which it never is: every operation is finished
    /// when its answer leaves. The answer is the finished operation.
    ///
    /// # Errors
    /// As [`operation`](Self::operation).
    pub async fn cancel_operation(&self, ctx: &RequestContext, id: OperationId) -> Result<Operation, ServiceError> {
        self.operation(ctx, id).await
    }
}
