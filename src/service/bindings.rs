//! Access bindings of the service, of folders and of keys.
//!
//! In: the resource and the new set, or changes of it. Out: exactly what is bound there, or the operation record. Called
//! by the dialects.

use super::access_log;
use super::change::retried;
use super::error::ServiceError;
use super::key_cache::KeyLock;
use super::kms::Kms;
use super::ports::{BindingScope, Change, Principal, Stored};
use super::request::RequestContext;
use crate::domain::access::{BindingDelta, BindingSet, Grants, Permission};
use crate::domain::error::ValueError;
use crate::domain::id::KeyId;
use crate::domain::operation::{Operation, OperationKind, Snapshot};

const LOCKED_OUT: &str = "after this change nobody could change the access bindings of the service any more: \
    keep kms.admin for a user account or service account that exists";

impl Kms {
    /// Exactly the bindings that were set on a resource, without inherited ones. `row_seq` changes with the set.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn access_bindings(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
    ) -> Result<Stored<BindingSet>, ServiceError> {
        let read = || async { Ok(self.store.bindings(scope).await?) };
        match scope {
            BindingScope::Service => self.on_service(ctx, Permission::ListBindings, read).await,
            BindingScope::Folder(id) => self.on_folder(ctx, Permission::ListBindings, id, read).await,
            BindingScope::Key(id) => self.on_key(ctx, Permission::ListBindings, id, |_| read()).await,
        }
    }

    /// Replaces the bindings of a resource. For a key, the answer is the operation record.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`]; [`ServiceError::Invalid`] if nobody could change the
    /// service's bindings any more; [`ServiceError::State`] for a key that is being deleted; those of the store.
    pub async fn set_access_bindings(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
        bindings: BindingSet,
    ) -> Result<Option<Operation>, ServiceError> {
        let kind = OperationKind::SetAccessBindings;
        self.change_bindings(ctx, scope, kind, |_| Ok(bindings.clone())).await
    }

    /// Adds and removes bindings of a resource, in the order given, all or none. For a key, the answer is the operation
    /// record.
    ///
    /// # Errors
    /// As [`set_access_bindings`](Self::set_access_bindings), and [`ServiceError::Value`] above the limit.
    pub async fn update_access_bindings(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
        deltas: Vec<BindingDelta>,
    ) -> Result<Option<Operation>, ServiceError> {
        let kind = OperationKind::UpdateAccessBindings;
        self.change_bindings(ctx, scope, kind, |current| current.changed(deltas.iter().cloned())).await
    }

    /// Whether the caller may replace the bindings of a key, in whatever state it is. Changes nothing.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn may_set_bindings(&self, ctx: &RequestContext, key_id: KeyId) -> Result<(), ServiceError> {
        self.on_key(ctx, Permission::SetBindings, key_id, |_| async { Ok(()) }).await
    }

    async fn change_bindings(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
        kind: OperationKind,
        change: impl Fn(BindingSet) -> Result<BindingSet, ValueError> + Send + Sync,
    ) -> Result<Option<Operation>, ServiceError> {
        let change = &change;
        let act = || retried(|| self.change_once(ctx, scope, kind, change));
        match scope {
            BindingScope::Service => self.on_service(ctx, Permission::SetBindings, act).await,
            BindingScope::Folder(id) => self.on_folder(ctx, Permission::SetBindings, id, act).await,
            BindingScope::Key(id) => self.on_key(ctx, Permission::SetBindings, id, |_| act()).await,
        }
    }

    async fn change_once(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
        kind: OperationKind,
        change: &(impl Fn(BindingSet) -> Result<BindingSet, ValueError> + Send + Sync),
    ) -> Result<Option<Operation>, ServiceError> {
        let permission = Permission::SetBindings;
        let (turn, ()) = match scope {
            BindingScope::Service => self.in_turn(ctx, self.require_on_service(ctx, permission)).await?,
            BindingScope::Folder(id) => self.in_turn(ctx, self.require_on_folder(ctx, permission, id)).await?,
            BindingScope::Key(id) => return self.change_of_key(ctx, id, kind, change).await.map(Some),
        };
        let Stored { value, row_seq } = self.store.bindings(scope).await?;
        let before = value.clone();
        let bindings = Stored { value: change(value)?, row_seq };
        let after = bindings.value.clone();
        let mut changes = Vec::new();
        if scope == BindingScope::Service {
            let keeper = self.service_administrator(&bindings.value).await?;
            let keeper = keeper.ok_or_else(|| ServiceError::Invalid(LOCKED_OUT.into()))?;
            // Written back as it is: if it is deleted at this moment, one of the two changes comes too late.
            changes.push(Change::UpdatePrincipal(keeper));
        }
        changes.push(Change::PutBindings(scope, bindings));
        self.directory.commit_in_turn(&turn, changes).await?;
        access_log::bindings_changed(ctx, scope, &before, &after);
        Ok(None)
    }

    /// Under the key's lock and with its operation record, so that memory forgets the old roles with the commit. In turn
    /// as well: roles on the folder and the service decide too.
    async fn change_of_key(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        kind: OperationKind,
        change: &(impl Fn(BindingSet) -> Result<BindingSet, ValueError> + Send + Sync),
    ) -> Result<Operation, ServiceError> {
        let (turn, (lock, Stored { value, row_seq })) = self.in_turn(ctx, self.locked_bindings(ctx, key_id)).await?;
        let before = value.clone();
        let bindings = Stored { value: change(value)?, row_seq };
        let after = bindings.value.clone();
        let operation = self.operation_record(Some(ctx.caller.principal_id), key_id, kind, Snapshot::Nothing);
        let put = Change::PutBindings(BindingScope::Key(key_id), bindings);
        let changes = vec![put, Change::InsertOperation(Box::new(operation.clone()))];
        self.commit_key(lock.with(turn), key_id, None, changes).await?;
        access_log::bindings_changed(ctx, BindingScope::Key(key_id), &before, &after);
        Ok(operation)
    }

    /// The key's lock and its bindings, if by these the caller may change them: what memory holds may be older.
    async fn locked_bindings(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
    ) -> Result<(KeyLock, Stored<BindingSet>), ServiceError> {
        let lock = self.cache.lock(key_id).await;
        let key = self.stored_key(key_id).await?.value;
        let bindings = self.store.bindings(BindingScope::Key(key_id)).await?;
        self.require_on_key(ctx, Permission::SetBindings, &key, &Grants::of(&bindings.value)).await?;
        key.require_live()?;
        Ok((lock, bindings))
    }

    /// Somebody who is not deleted and can change the service's bindings while they are these.
    pub(super) async fn service_administrator(
        &self,
        bindings: &BindingSet,
    ) -> Result<Option<Stored<Principal>>, ServiceError> {
        for (kind, id, roles) in Grants::of(bindings).principals() {
            if roles.permitting(Permission::SetBindings, false).is_none() {
                continue;
            }
            let found = self.store.principal(id).await?;
            let exists = |stored: &Stored<Principal>| stored.value.kind == kind && stored.value.deleted_at.is_none();
            if let Some(principal) = found.filter(exists) {
                return Ok(Some(principal));
            }
        }
        Ok(None)
    }
}
