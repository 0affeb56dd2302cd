//! Credentials of principals. A principal may have several at once, so that they can be replaced without a gap.

use super::access_log;
use super::change::retried;
use super::directory::is_in_force;
use super::error::{Missing, ServiceError};
use super::identity::{IssueCredential, IssuedCredential, NewCredential, ShownSecret, checked_name};
use super::kms::Kms;
use super::ports::{
    Change, CredentialLookup, CredentialRecord, CredentialSecret, CredentialView, Cursor, Page, Principal, Stored,
};
use super::request::RequestContext;
use crate::domain::access::{Permission, PrincipalKind};
use crate::domain::id::{CredentialId, PrincipalId};
use crate::domain::time::Timestamp;

/// The most credentials of a principal that are in force at the same time.
const MOST_IN_FORCE: usize = 100;
/// The most that are not revoked, expired ones too: what the store shows at once.
const MOST_NOT_REVOKED: usize = 1000;
/// The largest public key: RSA with 16384 bits is below.
const MAX_PUBLIC_KEY_BYTES: usize = 4096;

impl Kms {
    /// Issues a credential. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], [`ServiceError::Invalid`] for an end that has passed, a kind
    /// that the principal cannot have and too many credentials, [`ServiceError::Exists`] for a certificate in use, and
    /// those of token and store.
    pub async fn issue_credential(
        &self,
        ctx: &RequestContext,
        request: IssueCredential,
    ) -> Result<IssuedCredential, ServiceError> {
        let id = request.principal_id;
        self.on_principal(ctx, Permission::ManagePrincipals, id, |stored| self.issue(ctx, stored.value, request)).await
    }

    async fn issue(
        &self,
        ctx: &RequestContext,
        principal: Principal,
        request: IssueCredential,
    ) -> Result<IssuedCredential, ServiceError> {
        let now = self.clock.now();
        checked_name(&request.name, 0)?;
        let expires_at = checked_end(&request, now)?;
        require_kind(&request.kind, principal.kind)?;
        // The token works before others are kept waiting.
        let id = CredentialId::from_bytes(self.ids.id());
        let (stored, secret) = self.make_secret(id, request.kind).await?;
        let record = CredentialRecord {
            id,
            principal_id: principal.id,
            folder_id: principal.folder_id,
            name: request.name,
            secret: stored,
            created_at: now,
            expires_at,
            revoked_at: None,
        };
        self.store_credential(ctx, record.clone()).await?;
        access_log::credential_issued(ctx, &record);
        Ok(IssuedCredential { record, secret })
    }

    /// Stores a new credential, if its principal is still there and has not too many of them.
    async fn store_credential(&self, ctx: &RequestContext, record: CredentialRecord) -> Result<(), ServiceError> {
        let (turn, _) = self.in_turn(ctx, self.managed_principal(ctx, record.principal_id)).await?;
        let held = self.store.credentials_of(record.principal_id).await?;
        let in_force = held.iter().filter(|it| is_in_force(&it.value, record.created_at)).count();
        if in_force >= MOST_IN_FORCE || held.len() >= MOST_NOT_REVOKED {
            return Err(ServiceError::Invalid(format!(
                "a principal has at most {MOST_IN_FORCE} credentials in force: revoke those that are not used any more, \
                 and those that have expired"
            )));
        }
        let mut changes = Vec::new();
        if let CredentialSecret::CertificateSha256(sha256) = record.secret {
            changes.extend(self.make_room_for_certificate(sha256, &record).await?);
        }
        changes.push(Change::InsertCredential(record));
        self.directory.commit_in_turn(&turn, changes).await
    }

    /// Refuses a certificate that is in use. One that has expired is revoked: only one that is not may have its key. One
    /// of another folder is not the caller's to revoke, and looks as if it were in force.
    async fn make_room_for_certificate(
        &self,
        sha256: [u8; 32],
        new: &CredentialRecord,
    ) -> Result<Option<Change>, ServiceError> {
        let found = self.store.credential(CredentialLookup::CertificateSha256(sha256)).await?;
        let Some(stored) = found.filter(|it| it.value.revoked_at.is_none()) else { return Ok(None) };
        if is_in_force(&stored.value, new.created_at) || stored.value.folder_id != new.folder_id {
            return Err(ServiceError::Exists("the key of this certificate is in use by another credential"));
        }
        Ok(Some(Change::UpdateCredential(self.revoked(stored))))
    }

    /// Makes what is stored of a new credential, and what is shown once.
    async fn make_secret(
        &self,
        id: CredentialId,
        kind: NewCredential,
    ) -> Result<(CredentialSecret, ShownSecret), ServiceError> {
        Ok(match kind {
            NewCredential::ApiToken => {
                let (stored, text) = self.new_api_token();
                (stored, ShownSecret::ApiToken(text))
            }
            NewCredential::AccessKey => {
                let (access_key_id, sealed, text) = self.new_access_key(id).await?;
                (CredentialSecret::AccessKey { access_key_id, sealed }, ShownSecret::AccessKey(text))
            }
            NewCredential::Certificate { spki_sha256, .. } => {
                (CredentialSecret::CertificateSha256(spki_sha256), ShownSecret::None)
            }
            NewCredential::PublicKey { spki } => (CredentialSecret::PublicKey(spki), ShownSecret::None),
        })
    }

    /// All credentials of a principal, oldest first, revoked and expired ones too.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn credentials(
        &self,
        ctx: &RequestContext,
        principal_id: PrincipalId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CredentialView>, ServiceError> {
        self.on_principal(ctx, Permission::ViewPrincipals, principal_id, |_| async {
            let mut page = self.store.credentials(principal_id, after, limit).await?;
            for view in &mut page.items {
                view.last_used_at = view.last_used_at.max(self.directory.uses().of(view.record.id));
            }
            Ok(page)
        })
        .await
    }

    /// One credential.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], and those of the store.
    pub async fn credential(&self, ctx: &RequestContext, id: CredentialId) -> Result<CredentialView, ServiceError> {
        self.limits.count_request(ctx)?;
        let (stored, _) = self.visible_credential(ctx, id).await?;
        self.view(stored.value).await
    }

    /// Revokes a credential; from the answer on nothing is accepted with it, nor with tokens that were got with it. A
    /// repetition changes nothing.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn revoke_credential(
        &self,
        ctx: &RequestContext,
        id: CredentialId,
    ) -> Result<CredentialView, ServiceError> {
        self.limits.count_request(ctx)?;
        // Before the turn: whoever may not do this keeps nobody waiting.
        self.managed_credential(ctx, id).await?;
        retried(|| self.try_to_revoke(ctx, id)).await
    }

    async fn try_to_revoke(&self, ctx: &RequestContext, id: CredentialId) -> Result<CredentialView, ServiceError> {
        let (turn, (stored, _)) = self.in_turn(ctx, self.managed_credential(ctx, id)).await?;
        if stored.value.revoked_at.is_some() {
            return self.view(stored.value).await;
        }
        let revoked = self.revoked(stored);
        let record = revoked.value.clone();
        self.directory.commit_in_turn(&turn, vec![Change::UpdateCredential(revoked)]).await?;
        access_log::credential_revoked(ctx, &record);
        self.view(record).await
    }

    /// The credential and its principal, if the caller may revoke it.
    async fn managed_credential(
        &self,
        ctx: &RequestContext,
        id: CredentialId,
    ) -> Result<(Stored<CredentialRecord>, Principal), ServiceError> {
        let (stored, principal) = self.visible_credential(ctx, id).await?;
        self.require_management(ctx, &principal).await?;
        Ok((stored, principal))
    }

    /// The credential and its principal, if the caller may know of them.
    async fn visible_credential(
        &self,
        ctx: &RequestContext,
        id: CredentialId,
    ) -> Result<(Stored<CredentialRecord>, Principal), ServiceError> {
        let unknown = || ServiceError::NotFound { what: Missing::Credential, id: id.to_string() };
        let stored = self.store.credential(CredentialLookup::Id(id)).await?.ok_or_else(unknown)?;
        let principal = self.visible_principal(ctx, stored.value.principal_id).await?.ok_or_else(unknown)?;
        Ok((stored, principal.value))
    }

    async fn view(&self, record: CredentialRecord) -> Result<CredentialView, ServiceError> {
        let written = self.store.last_used_at(record.id).await?;
        let last_used_at = written.max(self.directory.uses().of(record.id));
        Ok(CredentialView { record, last_used_at })
    }
}

/// When the credential ends: as was asked, and not after its certificate.
fn checked_end(request: &IssueCredential, now: Timestamp) -> Result<Option<Timestamp>, ServiceError> {
    if request.expires_at.is_some_and(|end| end > Timestamp::LATEST_END) {
        return Err(ServiceError::Invalid("the credential must end by 9999-12-30T00:00:00Z, or never".into()));
    }
    let end = match request.kind {
        NewCredential::Certificate { not_after, .. } => {
            // Certificates that never end say 99991231235959Z (RFC 5280, 4.1.2.5).
            let not_after = not_after.min(Timestamp::LATEST_END);
            Some(request.expires_at.map_or(not_after, |wanted| wanted.min(not_after)))
        }
        _ => request.expires_at,
    };
    if end.is_some_and(|end| end <= now) {
        return Err(ServiceError::Invalid("the credential would have expired already".into()));
    }
    Ok(end)
}

/// Refuses what the principal cannot have.
fn require_kind(kind: &NewCredential, principal: PrincipalKind) -> Result<(), ServiceError> {
    let NewCredential::PublicKey { spki } = kind else { return Ok(()) };
    if principal != PrincipalKind::ServiceAccount {
        return Err(ServiceError::Invalid("only service accounts log in with keys of their own".into()));
    }
    if spki.len() > MAX_PUBLIC_KEY_BYTES {
        return Err(ServiceError::Invalid("the public key is too large".into()));
    }
    Ok(())
}
