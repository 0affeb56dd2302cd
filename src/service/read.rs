//! Looking at keys, versions and operations.

use super::error::{Missing, ServiceError};
use super::kms::Kms;
use super::ports::{Cursor, NumberedPage, Page};
use super::request::RequestContext;
use crate::domain::access::{Decision, Permission, Refusal, Resource};
use crate::domain::id::{FolderId, KeyId, OperationId};
use crate::domain::operation::{KeyView, Operation, VersionView};
use crate::domain::version::KeyVersion;

/// Most versions of one page that is read from the oldest on. The store cuts pages there too, at the other end.
const MAX_VERSIONS: u32 = 1000;
/// Keys that are read at once where all are looked at.
const MAX_ROWS: u32 = 1000;

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

    /// Keys of a folder that the asking dialect shows, those of the request's region where it has one, oldest first: all
    /// of them for who may list them, and for who has no role on the folder those that its roles on single keys let it
    /// view. A folder that the caller may not know of has none. A page may be short or empty and still have a next one.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] for who has roles on the folder but may not list its keys, and those of the store.
    pub async fn keys(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<KeyView>, ServiceError> {
        self.limits.count_request(ctx)?;
        match self.decide(ctx, Permission::ListKeys, Resource::Folder(folder_id), None).await? {
            Decision::Allowed(_) => Ok(self.store.keys(folder_id, ctx.key_filter(), after, limit).await?),
            Decision::Denied(Refusal::NotPermitted | Refusal::Address | Refusal::Token) => Err(ServiceError::Denied),
            Decision::Denied(Refusal::NoRole) | Decision::Hidden(_) => {
                self.keys_with_roles(ctx, folder_id, after, limit).await
            }
        }
    }

    /// As [`keys`](Self::keys), by place in the list and newest first, with the number of keys. It takes longer the more
    /// keys there are; for who may view single keys only, all of these are looked at.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    pub async fn keys_at(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        skip: u64,
        limit: u32,
    ) -> Result<NumberedPage<KeyView>, ServiceError> {
        self.limits.count_request(ctx)?;
        match self.decide(ctx, Permission::ListKeys, Resource::Folder(folder_id), None).await? {
            Decision::Allowed(_) => Ok(self.store.keys_at(folder_id, ctx.key_filter(), skip, limit).await?),
            Decision::Denied(Refusal::NotPermitted | Refusal::Address | Refusal::Token) => Err(ServiceError::Denied),
            Decision::Denied(Refusal::NoRole) | Decision::Hidden(_) => {
                let (mut all, mut after) = (Vec::new(), None);
                loop {
                    let mut page = self.keys_with_roles(ctx, folder_id, after, MAX_ROWS).await?;
                    all.append(&mut page.items);
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                let total = all.len() as u64;
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                let items = all.into_iter().rev().skip(skip).take(limit as usize).collect();
                Ok(NumberedPage { items, total })
            }
        }
    }

    /// The keys of a folder that the caller may view by roles that are bound on them.
    async fn keys_with_roles(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<KeyView>, ServiceError> {
        let caller = (ctx.caller.kind, ctx.caller.principal_id);
        let named = self.store.keys_naming(caller, folder_id, ctx.key_filter(), after, limit).await?;
        let mut items = Vec::with_capacity(named.items.len());
        for view in named.items {
            items.extend(self.viewable(ctx, folder_id, view.key.id).await?);
        }
        Ok(Page { items, next: named.next })
    }

    /// A key of a folder, if the caller may view it. That an index names the two together says nothing.
    async fn viewable(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        key_id: KeyId,
    ) -> Result<Option<KeyView>, ServiceError> {
        let Some(entry) = self.cache.key(key_id).await? else { return Ok(None) };
        if entry.key.folder_id != folder_id || !ctx.shows(&entry.key) {
            return Ok(None);
        }
        let decision =
            self.decide(ctx, Permission::ViewKey, Resource::Key { key_id, folder_id }, Some(entry.attached())).await?;
        let view = || KeyView { key: entry.key.clone(), primary: entry.primary.version.clone() };
        Ok(matches!(decision, Decision::Allowed(_)).then(view))
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

    /// At most `limit` (and never more than 1000) versions of a key with numbers above `after`, oldest first, destroyed ones
    /// too. The next page is that after the number in `next`.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn versions_by_age(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        after: u32,
        limit: u32,
    ) -> Result<Page<VersionView>, ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
            let newest = entry.key.latest_version_number;
            let last = after.saturating_add(limit.min(MAX_VERSIONS)).min(newest);
            // The store reads from the newest to the oldest, but numbers have no gaps: so many, below this one.
            let below = Cursor { at: i64::from(last) + 1, id: [0; 16] };
            let page = self.store.versions(key_id, Some(below), last.saturating_sub(after)).await?;
            let view = |version: KeyVersion| VersionView { primary: version.id == entry.key.primary_version, version };
            let items: Vec<_> = page.items.into_iter().rev().map(|stored| view(stored.value)).collect();
            let next = items.last().filter(|view| view.version.number < newest);
            let next = next.map(|view| Cursor { at: view.version.number.into(), id: *view.version.id.as_bytes() });
            Ok(Page { items, next })
        })
        .await
    }

    /// A key and its versions, oldest first, destroyed ones too; of more than `most` the newest.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn key_with_versions(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        most: usize,
    ) -> Result<(KeyView, Vec<VersionView>), ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
            let (mut newest_first, mut after) = (Vec::new(), None);
            loop {
                let page = self.store.versions(key_id, after, MAX_VERSIONS).await?;
                newest_first.extend(page.items.into_iter().map(|stored| stored.value));
                after = page.next;
                if after.is_none() || newest_first.len() >= most {
                    break;
                }
            }
            newest_first.truncate(most);
            let view = |version: KeyVersion| VersionView { primary: version.id == entry.key.primary_version, version };
            let versions = newest_first.into_iter().rev().map(view).collect();
            Ok((KeyView { key: entry.key.clone(), primary: entry.primary.version.clone() }, versions))
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
        self.limits.count_request(ctx)?;
        let missing = || ServiceError::NotFound { what: Missing::Operation, id: id.to_string() };
        let operation = self.store.operation(id).await?.ok_or_else(missing)?;
        let key = self.cache.key(operation.key_id).await?.ok_or_else(missing)?;
        if !ctx.is_in_region(&key.key) {
            return Err(missing());
        }
        let resource = Resource::Key { key_id: operation.key_id, folder_id: key.key.folder_id };
        match self.decide(ctx, Permission::ViewKey, resource, Some(key.attached())).await? {
            Decision::Allowed(_) => self.limits.count_use(operation.key_id).map(|()| operation),
            Decision::Denied(_) | Decision::Hidden(_) => Err(missing()),
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
