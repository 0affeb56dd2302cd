//! From the names that callers give to keys and folders.
//!
//! What a caller may not know of ends as what is not there, after as many reads: whatever memory cannot answer to this
//! caller takes one look into each table that a name leads through, with an id that nobody has where the way ends. It does
//! not end after exactly the same time: roles are looked up for what is there only, and what is not in memory yet is read
//! whole and put there. docs/security.md has the figures and what is promised.

use super::error::{Missing, ServiceError};
use super::key_cache::KeyEntry;
use super::kms::Kms;
use super::request::{KeyName, Located, RequestContext};
use crate::domain::access::{Decision, Permission, Resource};
use crate::domain::alias::{AliasName, AliasPlace};
use crate::domain::id::{AccountId, FolderId, KeyId};
use std::sync::Arc;

/// Who has none of these on a key has no permission on it at all, and may not know of it.
const KNOWN_BY: [Permission; 2] = [Permission::ViewKey, Permission::RestoreKey];

impl Kms {
    /// Finds the key that a request names, in the request's region, if the caller may know of it. Whether the caller may do
    /// what it asks for is decided by the use case that gets the key, which also counts the request; one that ends here is
    /// counted here, unless it was counted when it came in.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with `Missing::Key` or, for an alias, `Missing::Alias`, and those of the store.
    pub async fn locate(&self, ctx: &RequestContext, name: &KeyName) -> Result<Located, ServiceError> {
        let located = match name {
            KeyName::Anywhere(key_id) => self.locate_id(ctx, None, *key_id).await,
            KeyName::Id(account, key_id) => self.locate_id(ctx, Some(*account), *key_id).await,
            KeyName::Alias(account, alias) => self.locate_alias(ctx, *account, alias).await,
        };
        if located.is_err() {
            self.limits.count_request(ctx)?;
        }
        located
    }

    /// The account number of a folder, which never changes.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn account_of(&self, folder_id: FolderId) -> Result<AccountId, ServiceError> {
        let missing = || ServiceError::NotFound { what: Missing::Folder, id: folder_id.to_string() };
        self.names.account(folder_id).await?.ok_or_else(missing)
    }

    async fn locate_id(
        &self,
        ctx: &RequestContext,
        account: Option<AccountId>,
        key_id: KeyId,
    ) -> Result<Located, ServiceError> {
        let missing = || ServiceError::NotFound { what: Missing::Key, id: key_id.to_string() };
        let entry = self.known_key(ctx, key_id).await?.ok_or_else(missing)?;
        let account_id = self.account_of(entry.key.folder_id).await?;
        if account.is_none_or(|account| account == account_id) {
            Ok(Located { key_id, account_id })
        } else {
            Err(missing())
        }
    }

    async fn locate_alias(
        &self,
        ctx: &RequestContext,
        account_id: AccountId,
        name: &AliasName,
    ) -> Result<Located, ServiceError> {
        if let Some(entry) = self.remembered_target(ctx, account_id, name)
            && self.is_shown(ctx, &KNOWN_BY, &entry).await?
        {
            return Ok(Located { key_id: entry.key.id, account_id });
        }
        let folder = self.names.look_up_folder(account_id).await?;
        let folder_id = folder.unwrap_or_else(|| FolderId::from_bytes(self.ids.id()));
        let found = self.names.look_up_alias(self.alias_place(ctx, folder_id, name.clone())).await?;
        let key_id = found.unwrap_or_else(|| KeyId::from_bytes(self.ids.id()));
        match self.known_key(ctx, key_id).await? {
            Some(entry) if entry.key.folder_id == folder_id => Ok(Located { key_id, account_id }),
            _ => Err(ServiceError::NotFound { what: Missing::Alias, id: name.to_string() }),
        }
    }

    /// What an alias stands for, if memory alone can say so.
    fn remembered_target(&self, ctx: &RequestContext, account: AccountId, name: &AliasName) -> Option<Arc<KeyEntry>> {
        let folder_id = self.names.remembered_folder(account)?;
        let key_id = self.names.remembered_alias(&self.alias_place(ctx, folder_id, name.clone()))?;
        self.cache.remembered(key_id).filter(|entry| entry.key.folder_id == folder_id)
    }

    /// Where an alias of a folder is looked for by a request.
    pub(super) fn alias_place(&self, ctx: &RequestContext, folder_id: FolderId, name: AliasName) -> AliasPlace {
        AliasPlace { folder_id, region: self.region_of(ctx).to_owned(), name }
    }

    /// The region of a request; that of keys without one if the dialect has no regions.
    pub(super) fn region_of<'a>(&'a self, ctx: &'a RequestContext) -> &'a str {
        ctx.region.as_deref().unwrap_or(&self.settings.region)
    }

    /// The key, if the caller may know of it. If not, the database was asked once for a key, as for an unknown one.
    async fn known_key(&self, ctx: &RequestContext, key_id: KeyId) -> Result<Option<Arc<KeyEntry>>, ServiceError> {
        self.key_if(key_id, async |entry| self.is_shown(ctx, &KNOWN_BY, entry).await).await
    }

    /// Whether a key is there for the request's dialect and region, and the caller has one of these permissions on it.
    pub(super) async fn is_shown(
        &self,
        ctx: &RequestContext,
        permissions: &[Permission],
        entry: &KeyEntry,
    ) -> Result<bool, ServiceError> {
        let key = &entry.key;
        if !ctx.shows(key) {
            return Ok(false);
        }
        let resource = Resource::Key { key_id: key.id, folder_id: key.folder_id };
        for permission in permissions {
            let decision = self.decide(ctx, *permission, resource, Some(entry.attached())).await?;
            if matches!(decision, Decision::Allowed(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;

    /// The permissions that are asked for on single keys.
    const ON_KEYS: [Permission; 11] = [
        Permission::ViewKey,
        Permission::UpdateKey,
        Permission::RotateKey,
        Permission::SetPrimaryVersion,
        Permission::DeleteKey,
        Permission::DestroyVersion,
        Permission::Encrypt,
        Permission::Decrypt,
        Permission::RestoreKey,
        Permission::ListBindings,
        Permission::SetBindings,
    ];

    #[test]
    fn who_may_do_anything_with_a_key_may_know_of_it() {
        for role in Role::ALL {
            for uses_keys in [false, true] {
                let has = |permission: &Permission| role.permits(*permission, uses_keys);
                assert_eq!(ON_KEYS.iter().any(has), KNOWN_BY.iter().any(has), "{role:?}");
            }
        }
    }

    #[test]
    fn who_may_list_keys_may_view_them() {
        let lists = |role: &Role| role.permits(Permission::ListKeys, false);
        assert!(Role::ALL.iter().filter(|role| lists(role)).all(|role| role.permits(Permission::ViewKey, false)));
    }
}
