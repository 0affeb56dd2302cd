//! People and service accounts.

use super::access_log;
use super::change::retried;
use super::directory::Turn;
use super::error::{Missing, ServiceError};
use super::identity::{CreatePrincipal, checked_name};
use super::kms::Kms;
use super::ports::{BindingScope, Change, CredentialRecord, Cursor, Page, Principal, Stored};
use super::request::RequestContext;
use crate::domain::access::{BindingSet, Decision, Grants, Permission, PrincipalKind, Resource};
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
        let folder_id = request.folder_id;
        self.on_folder(ctx, Permission::ManagePrincipals, folder_id, || async move {
            checked_name(&request.name, 1)?;
            let principal = self.new_principal(folder_id, request.kind, request.name);
            let decision = self.require_on_folder(ctx, Permission::ManagePrincipals, folder_id);
            let (turn, ()) = self.in_turn(ctx, decision).await?;
            self.directory.commit_in_turn(&turn, vec![Change::InsertPrincipal(principal.clone())]).await?;
            access_log::principal_created(ctx, &principal);
            Ok(principal)
        })
        .await
    }

    /// A principal that is not stored yet.
    pub(super) fn new_principal(&self, folder_id: FolderId, kind: PrincipalKind, name: String) -> Principal {
        let id = PrincipalId::from_bytes(self.ids.id());
        Principal { id, folder_id, kind, name, created_at: self.clock.now(), deleted_at: None }
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
        self.on_folder(ctx, Permission::ViewPrincipals, folder_id, || async {
            Ok(self.store.principals(folder_id, after, limit).await?)
        })
        .await
    }

    /// One principal, deleted ones too. Whoever may not see the principals of its folder learns nothing of it, but
    /// everybody may see itself.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn principal(&self, ctx: &RequestContext, id: PrincipalId) -> Result<Principal, ServiceError> {
        self.on_principal(ctx, Permission::ViewPrincipals, id, |stored| async { Ok(stored.value) }).await
    }

    /// Deletes a principal and revokes its credentials, at once. Bindings that name it stay and give nothing.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], [`ServiceError::Invalid`] for the caller itself and if nobody
    /// could change the service's bindings any more, and those of the store.
    pub async fn delete_principal(&self, ctx: &RequestContext, id: PrincipalId) -> Result<Principal, ServiceError> {
        let act = |_| retried(|| self.try_to_delete(ctx, id));
        self.on_principal(ctx, Permission::ManagePrincipals, id, act).await
    }

    async fn try_to_delete(&self, ctx: &RequestContext, id: PrincipalId) -> Result<Principal, ServiceError> {
        let (turn, stored) = self.in_turn(ctx, self.managed_principal(ctx, id)).await?;
        if id == ctx.caller.principal_id {
            // Otherwise a slip would lock out who made it, and leave nobody who can be asked about it.
            return Err(ServiceError::Invalid("a principal cannot delete itself: another one must do it".into()));
        }
        let now = self.clock.now();
        let principal = Principal { deleted_at: Some(now), ..stored.value };
        let mut changes = self.without_power_over_the_service(ctx, &principal).await?;
        changes.push(Change::UpdatePrincipal(Stored { value: principal.clone(), row_seq: stored.row_seq }));
        self.commit_with_revocations(&turn, &principal, changes).await?;
        access_log::principal_deleted(ctx, &principal);
        Ok(principal)
    }

    /// Refuses to delete the last one who can change the service's bindings.
    ///
    /// The bindings do not change, but are written anew if they name the principal: of two changes that each would leave
    /// the other's administrator, the second one finds that the set has moved on.
    async fn without_power_over_the_service(
        &self,
        ctx: &RequestContext,
        principal: &Principal,
    ) -> Result<Vec<Change>, ServiceError> {
        let bindings = self.store.bindings(BindingScope::Service).await?;
        let roles = Grants::of(&bindings.value).roles(principal.kind, principal.id);
        if roles.is_empty() {
            return Ok(Vec::new());
        }
        // A role may have been bound since the decision was made about the folder.
        if !matches!(
            self.decide(ctx, Permission::ManagePrincipals, Resource::Service, None).await?,
            Decision::Allowed(_)
        ) {
            return Err(ServiceError::Denied);
        }
        let administers = roles.permitting(Permission::SetBindings, false).is_some();
        let others = bindings
            .value
            .as_slice()
            .iter()
            .filter(|it| it.subject.principal() != Some((principal.kind, principal.id)));
        let others = BindingSet::new(others.cloned())?;
        if administers && self.service_administrator(&others).await?.is_none() {
            let text =
                "this is the last principal that can change the service's access bindings: bind another one first";
            return Err(ServiceError::Invalid(text.into()));
        }
        Ok(vec![Change::PutBindings(BindingScope::Service, bindings)])
    }

    /// Commits the deletion of a principal together with the revocation of its credentials. More than the store shows at
    /// once are revoked in further commits: they are worth nothing from the first one on.
    async fn commit_with_revocations(
        &self,
        turn: &Turn,
        principal: &Principal,
        mut changes: Vec<Change>,
    ) -> Result<(), ServiceError> {
        loop {
            let left = self.store.credentials_of(principal.id).await?;
            if left.is_empty() && changes.is_empty() {
                return Ok(());
            }
            changes.extend(left.into_iter().map(|stored| Change::UpdateCredential(self.revoked(stored))));
            self.directory.commit_in_turn(turn, std::mem::take(&mut changes)).await?;
        }
    }

    /// A credential that is revoked now.
    pub(super) fn revoked(&self, stored: Stored<CredentialRecord>) -> Stored<CredentialRecord> {
        let value = CredentialRecord { revoked_at: Some(self.clock.now()), ..stored.value };
        Stored { value, row_seq: stored.row_seq }
    }

    /// Runs a use case on a principal: finds it, authorises, acts. Principals that the caller may not know of end exactly
    /// as unknown ones; whoever only looks sees deleted ones too.
    pub(super) async fn on_principal<T, Fut>(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        id: PrincipalId,
        act: impl FnOnce(Stored<Principal>) -> Fut,
    ) -> Result<T, ServiceError>
    where
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        self.limits.count_request(ctx)?;
        let principal = match permission {
            Permission::ManagePrincipals => self.managed_principal(ctx, id).await?,
            _ => self.visible_principal(ctx, id).await?.ok_or_else(|| unknown(id))?,
        };
        act(principal).await
    }

    /// The principal, deleted or not, if the caller may know of it.
    pub(super) async fn visible_principal(
        &self,
        ctx: &RequestContext,
        id: PrincipalId,
    ) -> Result<Option<Stored<Principal>>, ServiceError> {
        let Some(stored) = self.store.principal(id).await? else { return Ok(None) };
        // A token of a key does not even show in whose name it acts.
        if id == ctx.caller.principal_id && ctx.origin.key_token.is_none() {
            return Ok(Some(stored));
        }
        let resource = Resource::Folder(stored.value.folder_id);
        let decision = self.decide(ctx, Permission::ViewPrincipals, resource, None).await?;
        Ok(matches!(decision, Decision::Allowed(_)).then_some(stored))
    }

    /// The principal, if it is not deleted and the caller may change it and its credentials.
    pub(super) async fn managed_principal(
        &self,
        ctx: &RequestContext,
        id: PrincipalId,
    ) -> Result<Stored<Principal>, ServiceError> {
        let visible = self.visible_principal(ctx, id).await?;
        let stored = visible.filter(|it| it.value.deleted_at.is_none()).ok_or_else(|| unknown(id))?;
        self.require_management(ctx, &stored.value).await?;
        Ok(stored)
    }

    /// The one rule about who manages a principal: whoever manages the principals of its folder, unless it has a role on
    /// the service. A folder's administrator could take over the service otherwise, with credentials of the service's.
    pub(super) async fn require_management(
        &self,
        ctx: &RequestContext,
        principal: &Principal,
    ) -> Result<(), ServiceError> {
        let roles = self.directory.grants(BindingScope::Service).await?.roles(principal.kind, principal.id);
        let resource = if roles.is_empty() { Resource::Folder(principal.folder_id) } else { Resource::Service };
        match self.decide(ctx, Permission::ManagePrincipals, resource, None).await? {
            Decision::Allowed(_) => Ok(()),
            Decision::Denied(_) | Decision::Hidden(_) => Err(ServiceError::Denied),
        }
    }
}

fn unknown(id: PrincipalId) -> ServiceError {
    ServiceError::NotFound { what: Missing::Principal, id: id.to_string() }
}
