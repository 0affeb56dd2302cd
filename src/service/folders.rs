//! Folders: the tenants.

use super::access_log;
use super::error::{Missing, ServiceError};
use super::identity::checked_name;
use super::kms::Kms;
use super::ports::{Change, Cursor, Folder, Page};
use super::request::RequestContext;
use crate::domain::access::{Decision, Permission, Resource};
use crate::domain::id::{AccountId, FolderId};

/// How often another account number is tried if one is taken.
const TRIES: u32 = 5;

impl Kms {
    /// Creates a folder with an account number of its own. It has no bindings: roles on the service hold in it.
    ///
    /// # Errors
    /// [`ServiceError::Denied`], [`ServiceError::Invalid`] for an empty or too long name, and those of the store.
    pub async fn create_folder(&self, ctx: &RequestContext, name: String) -> Result<Folder, ServiceError> {
        self.on_service(ctx, Permission::CreateFolder, || async {
            checked_name(&name, 1)?;
            for _ in 1..TRIES {
                match self.insert_folder(ctx, &name).await {
                    // The number belongs to another folder.
                    Err(ServiceError::Conflict) => {}
                    done => return done,
                }
            }
            self.insert_folder(ctx, &name).await
        })
        .await
    }

    async fn insert_folder(&self, ctx: &RequestContext, name: &str) -> Result<Folder, ServiceError> {
        let folder = self.new_folder(name);
        let (turn, ()) = self.in_turn(ctx, self.require_on_service(ctx, Permission::CreateFolder)).await?;
        self.directory.commit_in_turn(&turn, vec![Change::InsertFolder(folder.clone())]).await?;
        access_log::folder_created(ctx, &folder);
        Ok(folder)
    }

    /// A folder that is not stored yet.
    pub(super) fn new_folder(&self, name: &str) -> Folder {
        let random = self.ids.secret();
        let mut number = [0; 8];
        number.copy_from_slice(&random[..8]);
        Folder {
            id: FolderId::from_bytes(self.ids.id()),
            account_id: AccountId::from_random(number),
            name: name.to_owned(),
            created_at: self.clock.now(),
        }
    }

    /// The folders that the caller may see, oldest first: all of them for who may see them by a role on the service, and
    /// for others those that their roles on single folders show. A next page begins after a folder that the caller may see.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn folders(
        &self,
        ctx: &RequestContext,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Folder>, ServiceError> {
        self.limits.count_request(ctx)?;
        let all = self.decide(ctx, Permission::ViewFolder, Resource::Service, None).await?;
        if matches!(all, Decision::Allowed(_)) {
            return Ok(self.store.folders(after, limit).await?);
        }
        let caller = (ctx.caller.kind, ctx.caller.principal_id);
        let mut page = self.store.folders_naming(caller, after, limit).await?;
        // That an index names the two together says nothing.
        let mut seen = Vec::with_capacity(page.items.len());
        for folder in page.items {
            let decision = self.decide(ctx, Permission::ViewFolder, Resource::Folder(folder.id), None).await?;
            if matches!(decision, Decision::Allowed(_)) {
                seen.push(folder);
            }
        }
        page.items = seen;
        Ok(page)
    }

    /// One folder.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn folder(&self, ctx: &RequestContext, id: FolderId) -> Result<Folder, ServiceError> {
        let missing = || ServiceError::NotFound { what: Missing::Folder, id: id.to_string() };
        self.on_folder(ctx, Permission::ViewFolder, id, || async { self.store.folder(id).await?.ok_or_else(missing) })
            .await
    }
}
