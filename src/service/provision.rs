//! Making the first folder, the first administrator and its credentials, without a caller: for `init` and `dev`,
//! which run on the machine of the database and the token.

pub use super::new_secret::{TOKEN_PREFIX, token_sha256};

use super::change::retried;
use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{BindingScope, Change, CredentialRecord, CredentialSecret, Folder, Principal, Stored};
use crate::domain::access::{Binding, BindingDelta, BindingSet, Grants, Permission, PrincipalKind, Role, Subject};
use crate::domain::id::{CredentialId, MaterialId, PrincipalId};
use crate::domain::time::Timestamp;
use zeroize::Zeroizing;

/// A folder and the principal that administers the service.
#[derive(Debug, Clone)]
pub struct Administration {
    /// The first folder.
    pub folder: Folder,
    /// The administrator. Others may have deleted it, or taken its roles.
    pub administrator: Principal,
    /// Whether it is not deleted and can change the service's access bindings.
    pub in_office: bool,
}

/// A new API token. The text is shown once and stored nowhere.
pub struct IssuedToken {
    /// The credential's id.
    pub credential_id: CredentialId,
    /// The token.
    pub text: Zeroizing<String>,
}

/// A new access key pair. The secret is shown once; the database has it encrypted by the token.
pub struct IssuedAccessKey {
    /// The credential's id.
    pub credential_id: CredentialId,
    /// The public id, 20 characters.
    pub access_key_id: String,
    /// The secret, 40 characters.
    pub secret: Zeroizing<String>,
}

impl Kms {
    /// The first folder and the administrator of the service, made now if there are none. Roles are bound on the service
    /// if none ever were: in a new installation, and in one that was made when there were roles on folders only. What
    /// administrators have changed since stays as it is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ensure_administration(
        &self,
        folder_name: &str,
        administrator_name: &str,
        roles: &[Role],
    ) -> Result<Administration, ServiceError> {
        let Some(folder) = self.store.first_folder().await? else {
            return self.make_administration(folder_name, administrator_name, roles).await;
        };
        let bindings = self.store.bindings(BindingScope::Service).await?;
        let first = self.store.first_principal(folder.id).await?;
        if bindings.row_seq == 0
            && let Some(administrator) = first.clone().filter(|it| is_made_here(it, administrator_name))
        {
            let value = BindingSet::new(bound(&administrator, roles))?;
            let changes = vec![Change::PutBindings(BindingScope::Service, Stored { value, row_seq: 0 })];
            self.directory.commit(changes).await?;
            return Ok(Administration { folder, administrator, in_office: true });
        }
        if let Some(administrator) = self.in_office(&folder, administrator_name, &bindings.value).await? {
            return Ok(Administration { folder, administrator, in_office: true });
        }
        let missing = || ServiceError::Integrity("the first folder has no administrator".into());
        Ok(Administration { folder, administrator: first.ok_or_else(missing)?, in_office: false })
    }

    async fn make_administration(
        &self,
        folder_name: &str,
        administrator_name: &str,
        roles: &[Role],
    ) -> Result<Administration, ServiceError> {
        let folder = self.new_folder(folder_name);
        let administrator = self.new_principal(folder.id, PrincipalKind::User, administrator_name.to_owned());
        let bindings = Stored { value: BindingSet::new(bound(&administrator, roles))?, row_seq: 0 };
        let changes = vec![
            Change::InsertFolder(folder.clone()),
            Change::InsertPrincipal(administrator.clone()),
            Change::PutBindings(BindingScope::Service, bindings),
        ];
        self.directory.commit(changes).await?;
        Ok(Administration { folder, administrator, in_office: true })
    }

    /// The administrator that was made here and can change the service's bindings: the oldest one, if another was made
    /// after the first. Administrators that others have made are theirs.
    async fn in_office(
        &self,
        folder: &Folder,
        name: &str,
        bindings: &BindingSet,
    ) -> Result<Option<Principal>, ServiceError> {
        let mut found: Vec<Principal> = Vec::new();
        for (kind, id, roles) in Grants::of(bindings).principals() {
            if roles.permitting(Permission::SetBindings, false).is_none() {
                continue;
            }
            let Some(Stored { value, .. }) = self.store.principal(id).await? else { continue };
            if value.kind == kind && value.folder_id == folder.id && is_made_here(&value, name) {
                found.push(value);
            }
        }
        Ok(found.into_iter().min_by_key(|it| (it.created_at, it.id)))
    }

    /// Makes another administrator of the service in a folder: the way back in when the first one was deleted or has lost
    /// its role. Everybody else keeps what they have.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn appoint_administrator(
        &self,
        folder: &Folder,
        name: &str,
        roles: &[Role],
    ) -> Result<Administration, ServiceError> {
        let administrator = self.new_principal(folder.id, PrincipalKind::User, name.to_owned());
        let appointed = &administrator;
        retried(|| async move {
            let Stored { value, row_seq } = self.store.bindings(BindingScope::Service).await?;
            let value = value.changed(bound(appointed, roles).map(BindingDelta::Add))?;
            let changes = vec![
                Change::InsertPrincipal(appointed.clone()),
                Change::PutBindings(BindingScope::Service, Stored { value, row_seq }),
            ];
            self.directory.commit(changes).await
        })
        .await?;
        Ok(Administration { folder: folder.clone(), administrator, in_office: true })
    }

    /// Makes invocation counters for the internal GCM keys of the token. Once, right after the ceremony.
    ///
    /// # Errors
    /// Those of the store; [`ServiceError::Conflict`] if they are there already.
    pub async fn make_internal_counters(&self, keys: &[MaterialId]) -> Result<(), ServiceError> {
        let changes = keys.iter().map(|id| Change::InsertCounter(*id)).collect();
        Ok(self.store.commit(changes).await?)
    }

    /// Issues an API token of 256 random bits to a principal.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn issue_token(
        &self,
        principal: &Principal,
        name: &str,
        expires_at: Option<Timestamp>,
    ) -> Result<IssuedToken, ServiceError> {
        let (secret, text) = self.new_api_token();
        let credential_id = CredentialId::from_bytes(self.ids.id());
        self.insert_credential(credential_id, principal, name, secret, expires_at).await?;
        Ok(IssuedToken { credential_id, text })
    }

    /// Issues an access key pair to a principal. It lasts until it is revoked.
    ///
    /// # Errors
    /// Those of token and store.
    pub async fn issue_access_key(&self, principal: &Principal, name: &str) -> Result<IssuedAccessKey, ServiceError> {
        let credential_id = CredentialId::from_bytes(self.ids.id());
        let (access_key_id, sealed, text) = self.new_access_key(credential_id).await?;
        let stored = CredentialSecret::AccessKey { access_key_id: access_key_id.clone(), sealed };
        self.insert_credential(credential_id, principal, name, stored, None).await?;
        Ok(IssuedAccessKey { credential_id, access_key_id, secret: text })
    }

    async fn insert_credential(
        &self,
        id: CredentialId,
        principal: &Principal,
        name: &str,
        secret: CredentialSecret,
        expires_at: Option<Timestamp>,
    ) -> Result<(), ServiceError> {
        let record = CredentialRecord {
            id,
            principal_id: principal.id,
            folder_id: principal.folder_id,
            name: name.to_owned(),
            secret,
            created_at: self.clock.now(),
            expires_at,
            revoked_at: None,
        };
        self.directory.commit(vec![Change::InsertCredential(record)]).await
    }

    /// Whether a principal has credentials that are not revoked.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn has_credentials(&self, principal_id: PrincipalId) -> Result<bool, ServiceError> {
        Ok(!self.store.credentials_of(principal_id).await?.is_empty())
    }

    /// Revokes every credential of a principal that was issued under `name`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn revoke_credentials(&self, principal_id: PrincipalId, name: &str) -> Result<usize, ServiceError> {
        let valid = self.store.credentials_of(principal_id).await?;
        let named = valid.into_iter().filter(|stored| stored.value.name == name);
        let changes: Vec<_> = named.map(|stored| Change::UpdateCredential(self.revoked(stored))).collect();
        let count = changes.len();
        self.directory.commit(changes).await?;
        Ok(count)
    }
}

fn is_made_here(principal: &Principal, name: &str) -> bool {
    principal.kind == PrincipalKind::User && principal.name == name && principal.deleted_at.is_none()
}

/// The bindings of these roles.
fn bound(principal: &Principal, roles: &[Role]) -> impl Iterator<Item = Binding> {
    let subject = Subject::of(principal.kind, principal.id);
    roles.iter().map(move |role| Binding { role: *role, subject: subject.clone() })
}
