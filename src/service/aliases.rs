//! Aliases: made, pointed to another key, deleted, listed.
//!
//! In: a checked name and a key's id. Out: nothing, or a page of aliases. Called by the dialects that have aliases.
//!
//! A change is decided before anything but the alias itself is looked at, and once more on what is stored, under the
//! stripes of the alias and of the key: changes of one alias are made one after the other. Only the final deletion of a key,
//! which has the key's stripe alone, can come between; the row of the alias says so then. Every change leaves an operation
//! record on the keys concerned.

use super::change::{LockedKey, retried};
use super::error::{Missing, ServiceError};
use super::kms::Kms;
use super::names::AliasLock;
use super::ports::{Change, Cursor, Page, Stored};
use super::request::RequestContext;
use crate::domain::access::{Decision, Permission, Refusal, Resource};
use crate::domain::alias::{Alias, AliasName, AliasPlace, MAX_ALIASES_PER_KEY};
use crate::domain::id::{FolderId, KeyId};
use crate::domain::key::{Key, KeyState};
use crate::domain::operation::{KeyView, OperationKind, Snapshot};

/// A page that holds all aliases of a key.
const ALL_OF_A_KEY: u32 = 1000;
const _: () = assert!(MAX_ALIASES_PER_KEY < 1000, "a page holds all aliases of a key");

/// Which aliases a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasesOf {
    /// Those of a folder, in the request's region.
    Folder(FolderId),
    /// Those of a key.
    Key(KeyId),
}

impl Kms {
    /// Makes an alias of the caller's folder for a key of it, in the key's region. Who may update the key may.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] also for a key of another folder, [`ServiceError::Exists`] if the name is taken,
    /// [`ServiceError::AliasLimit`], [`ServiceError::State`] unless the key is live, and those of the store.
    pub async fn create_alias(&self, ctx: &RequestContext, name: AliasName, key_id: KeyId) -> Result<(), ServiceError> {
        let name = &name;
        self.on_key(ctx, Permission::UpdateKey, key_id, |entry| async move {
            let Key { folder_id, region, .. } = &entry.key;
            if *folder_id != ctx.caller.folder_id {
                return Err(missing_key(key_id));
            }
            let place = &AliasPlace { folder_id: *folder_id, region: region.clone(), name: name.clone() };
            retried(move || self.create_alias_once(ctx, place, key_id)).await
        })
        .await
    }

    async fn create_alias_once(
        &self,
        ctx: &RequestContext,
        place: &AliasPlace,
        key_id: KeyId,
    ) -> Result<(), ServiceError> {
        let alias = self.names.lock(place).await;
        let locked = self.locked_key(ctx, Permission::UpdateKey, key_id).await?;
        let key = &locked.key.value;
        key.require_live()?;
        // Before the name is looked for: whoever asks for names one by one pays for each with an alias.
        self.require_room(key).await?;
        let before = self.store.alias(place.clone()).await?;
        if let Some(target) = before.as_ref().and_then(|stored| stored.value.key_id)
            && !self.is_deleted(target).await?
        {
            return Err(ServiceError::Exists("an alias with this name already exists"));
        }
        let now = self.clock.now();
        let value = Alias { place: place.clone(), key_id: Some(key_id), created_at: now, updated_at: now };
        let put = put(value, before.map_or(0, |stored| stored.row_seq));
        let changes = vec![put, self.alias_record(ctx, &locked)];
        self.commit_key(locked.lock.with_alias(alias), key_id, None, changes).await
    }

    /// Makes an alias of the caller's folder stand for another key of folder and region. Who may update both keys may.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with `Missing::Alias` or `Missing::Key`, [`ServiceError::AliasLimit`],
    /// [`ServiceError::State`] unless the new key is live, and those of the store.
    pub async fn update_alias(&self, ctx: &RequestContext, name: AliasName, key_id: KeyId) -> Result<(), ServiceError> {
        let place = &self.alias_place(ctx, ctx.caller.folder_id, name);
        let target = self.target(place).await?;
        let permission = Permission::UpdateKey;
        let keys = [(permission, target), (permission, key_id)];
        let updated =
            self.on_two_keys(ctx, keys, |_, _| retried(move || self.update_alias_once(ctx, place, key_id))).await;
        updated.map_err(|error| of_alias(error, target, &place.name))
    }

    async fn update_alias_once(
        &self,
        ctx: &RequestContext,
        place: &AliasPlace,
        key_id: KeyId,
    ) -> Result<(), ServiceError> {
        let (alias, before, target) = self.locked_alias(place).await?;
        let old = self.locked_key_of_alias(ctx, place, target).await?;
        let old_record = self.alias_record(ctx, &old);
        // Nobody waits for one key's stripe while holding that of another. The alias's stripe keeps others away.
        drop(old);
        let new = self.locked_key(ctx, Permission::UpdateKey, key_id).await?;
        let key = &new.key.value;
        if key.folder_id != place.folder_id || key.region != place.region {
            return Err(missing_key(key_id));
        }
        key.require_live()?;
        let mut changes = vec![self.alias_record(ctx, &new)];
        if target != key_id {
            self.require_room(key).await?;
            changes.push(old_record);
        }
        let value = Alias { key_id: Some(key_id), updated_at: self.clock.now(), ..before.value };
        changes.push(put(value, before.row_seq));
        self.commit_key(new.lock.with_alias(alias), key_id, None, changes).await
    }

    /// Deletes an alias of the caller's folder, in whatever state its key is. Who may update that key may.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with `Missing::Alias`, and those of the store.
    pub async fn delete_alias(&self, ctx: &RequestContext, name: AliasName) -> Result<(), ServiceError> {
        let place = &self.alias_place(ctx, ctx.caller.folder_id, name);
        let target = self.target(place).await?;
        let act = || retried(move || self.delete_alias_once(ctx, place));
        let deleted = self.on_key(ctx, Permission::UpdateKey, target, |_| act()).await;
        deleted.map_err(|error| of_alias(error, target, &place.name))
    }

    async fn delete_alias_once(&self, ctx: &RequestContext, place: &AliasPlace) -> Result<(), ServiceError> {
        let (alias, before, target) = self.locked_alias(place).await?;
        let old = self.locked_key_of_alias(ctx, place, target).await?;
        let changes = vec![self.alias_removed(before), self.alias_record(ctx, &old)];
        self.commit_key(old.lock.with_alias(alias), target, None, changes).await
    }

    /// Aliases of keys that the caller may view, oldest first. A page may be short or empty and still have a next one.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for a key that the caller may not know of, [`ServiceError::Denied`] for who has roles on the
    /// folder but may not list its keys, and those of the store.
    pub async fn aliases(
        &self,
        ctx: &RequestContext,
        of: AliasesOf,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Alias>, ServiceError> {
        match of {
            AliasesOf::Key(key_id) => {
                self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
                    let (folder_id, region) = (entry.key.folder_id, entry.key.region.clone());
                    Ok(self.store.aliases(folder_id, region, Some(key_id), after, limit).await?)
                })
                .await
            }
            AliasesOf::Folder(folder_id) => self.aliases_of_folder(ctx, folder_id, after, limit).await,
        }
    }

    async fn aliases_of_folder(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Alias>, ServiceError> {
        self.limits.count_request(ctx)?;
        let region = self.region_of(ctx).to_owned();
        match self.decide(ctx, Permission::ListKeys, Resource::Folder(folder_id), None).await? {
            // Every role that lists keys views them.
            Decision::Allowed(_) => Ok(self.store.aliases(folder_id, region, None, after, limit).await?),
            Decision::Denied(Refusal::NotPermitted | Refusal::Address | Refusal::Token) => Err(ServiceError::Denied),
            Decision::Denied(Refusal::NoRole) | Decision::Hidden(_) => {
                let caller = (ctx.caller.kind, ctx.caller.principal_id);
                let page = self.store.aliases_naming(caller, folder_id, region, after, limit).await?;
                self.of_keys_shown(ctx, folder_id, page).await
            }
        }
    }

    /// Without the aliases of keys that the caller may not view. That an index names the two together says nothing.
    async fn of_keys_shown(
        &self,
        ctx: &RequestContext,
        folder_id: FolderId,
        page: Page<Alias>,
    ) -> Result<Page<Alias>, ServiceError> {
        let mut items = Vec::with_capacity(page.items.len());
        for alias in page.items {
            let Some(key_id) = alias.key_id else { continue };
            let Some(entry) = self.cache.key(key_id).await? else { continue };
            if entry.key.folder_id == folder_id && self.is_shown(ctx, &[Permission::ViewKey], &entry).await? {
                items.push(alias);
            }
        }
        Ok(Page { items, next: page.next })
    }

    /// The removal of every alias of a key that is being deleted for good.
    pub(super) async fn aliases_removed(&self, key: &Key) -> Result<Vec<Change>, ServiceError> {
        let all = self.store.aliases(key.folder_id, key.region.clone(), Some(key.id), None, ALL_OF_A_KEY).await?;
        let mut changes = Vec::with_capacity(all.items.len());
        for alias in all.items {
            // Others may have changed it meanwhile.
            let stored = self.store.alias(alias.place).await?;
            let still = stored.filter(|stored| stored.value.key_id == Some(key.id));
            changes.extend(still.map(|before| self.alias_removed(before)));
        }
        Ok(changes)
    }

    fn alias_removed(&self, before: Stored<Alias>) -> Change {
        let value = Alias { key_id: None, updated_at: self.clock.now(), ..before.value };
        put(value, before.row_seq)
    }

    /// The key that an alias stands for, from the database; if it stands for none, a key that nobody has: what follows is
    /// the same then as for a key that the caller may not know of.
    async fn target(&self, place: &AliasPlace) -> Result<KeyId, ServiceError> {
        let stored = self.store.alias(place.clone()).await?;
        Ok(stored.and_then(|stored| stored.value.key_id).unwrap_or_else(|| KeyId::from_bytes(self.ids.id())))
    }

    /// The stripe of an alias, the alias as it is stored then, and its key.
    async fn locked_alias(&self, place: &AliasPlace) -> Result<(AliasLock, Stored<Alias>, KeyId), ServiceError> {
        let lock = self.names.lock(place).await;
        let stored = self.store.alias(place.clone()).await?.ok_or_else(|| missing(&place.name))?;
        let key_id = stored.value.key_id.ok_or_else(|| missing(&place.name))?;
        Ok((lock, stored, key_id))
    }

    /// The key of an alias, locked, if the caller may still update it.
    async fn locked_key_of_alias(
        &self,
        ctx: &RequestContext,
        place: &AliasPlace,
        target: KeyId,
    ) -> Result<LockedKey, ServiceError> {
        let locked = self.locked_key(ctx, Permission::UpdateKey, target).await;
        locked.map_err(|error| of_alias(error, target, &place.name))
    }

    /// From the store alone: whoever asks has the stripe of another key.
    async fn is_deleted(&self, key_id: KeyId) -> Result<bool, ServiceError> {
        let key = self.store.key(key_id).await?;
        Ok(key.is_none_or(|stored| matches!(stored.value.state, KeyState::Deleted { .. })))
    }

    /// Refuses one alias more than a key may have. Whoever asks has the key's stripe. Damaged rows count as well: they keep
    /// nobody from the others.
    async fn require_room(&self, key: &Key) -> Result<(), ServiceError> {
        let count = self.store.count_aliases(key.folder_id, key.region.clone(), key.id).await?;
        let limit = MAX_ALIASES_PER_KEY;
        if count < limit { Ok(()) } else { Err(ServiceError::AliasLimit { limit }) }
    }

    /// The record of a change of a key's aliases.
    fn alias_record(&self, ctx: &RequestContext, locked: &LockedKey) -> Change {
        let view = KeyView { key: locked.key.value.clone(), primary: locked.primary.clone() };
        let (by, key_id) = (Some(ctx.caller.principal_id), view.key.id);
        let snapshot = Snapshot::Key(Box::new(view));
        Change::InsertOperation(Box::new(self.operation_record(by, key_id, OperationKind::UpdateKey, snapshot)))
    }
}

fn put(value: Alias, row_seq: u64) -> Change {
    Change::PutAlias(Box::new(Stored { value, row_seq }))
}

fn missing(name: &AliasName) -> ServiceError {
    ServiceError::NotFound { what: Missing::Alias, id: name.to_string() }
}

fn missing_key(key_id: KeyId) -> ServiceError {
    ServiceError::NotFound { what: Missing::Key, id: key_id.to_string() }
}

/// An alias whose key the caller may not know of ends as one that is not there.
fn of_alias(error: ServiceError, target: KeyId, name: &AliasName) -> ServiceError {
    match error {
        ServiceError::NotFound { what: Missing::Key, id } if id == target.to_string() => missing(name),
        other => other,
    }
}
