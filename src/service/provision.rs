//! Making the first folder, the first administrator and API tokens, without a caller: for `init` and `dev`,
//! which run on the machine of the database and the token.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{BindingScope, Change, CredentialRecord, CredentialSecret, Folder, Principal, Stored};
use crate::domain::access::{Binding, BindingSet, PrincipalKind, Role, Subject};
use crate::domain::id::{AccountId, CredentialId, FolderId, MaterialId, PrincipalId};
use crate::domain::time::Timestamp;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// What an API token begins with, so that scanners can find leaked ones.
pub const TOKEN_PREFIX: &str = "clv1_";

/// A folder and the principal that administers it.
#[derive(Debug, Clone)]
pub struct Administration {
    /// The folder.
    pub folder: Folder,
    /// Its administrator.
    pub administrator: Principal,
}

/// A new API token. The text is shown once and stored nowhere.
pub struct IssuedToken {
    /// The credential's id.
    pub credential_id: CredentialId,
    /// The token.
    pub text: Zeroizing<String>,
}

/// The SHA-256 by which the database knows an API token.
#[must_use]
pub fn token_sha256(token: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    out
}

impl Kms {
    /// The first folder and its administrator, made now if there are none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ensure_administration(
        &self,
        folder_name: &str,
        administrator_name: &str,
        roles: &[Role],
    ) -> Result<Administration, ServiceError> {
        if let Some(folder) = self.store.first_folder().await? {
            let administrator = self.store.first_principal(folder.id).await?;
            let missing = || ServiceError::Integrity("the first folder has no administrator".into());
            return Ok(Administration { administrator: administrator.ok_or_else(missing)?, folder });
        }
        let now = self.clock.now();
        let random = self.ids.id();
        let mut number = [0; 8];
        number.copy_from_slice(&random[..8]);
        let folder = Folder {
            id: FolderId::from_bytes(self.ids.id()),
            account_id: AccountId::from_random(number),
            name: folder_name.to_owned(),
            created_at: now,
        };
        let administrator = Principal {
            id: PrincipalId::from_bytes(self.ids.id()),
            folder_id: folder.id,
            kind: PrincipalKind::User,
            name: administrator_name.to_owned(),
            created_at: now,
            deleted_at: None,
        };
        let subject = Subject::of(administrator.kind, administrator.id);
        let bind = |role: &Role| Binding { role: *role, subject: subject.clone() };
        let bindings = Stored { value: BindingSet::new(roles.iter().map(bind))?, row_seq: 0 };
        let changes = vec![
            Change::InsertFolder(folder.clone()),
            Change::InsertPrincipal(administrator.clone()),
            Change::PutBindings(BindingScope::Folder(folder.id), bindings),
        ];
        self.directory.commit(changes).await?;
        Ok(Administration { folder, administrator })
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
        let secret = self.ids.secret();
        let text = Zeroizing::new(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret.as_slice())));
        let record = CredentialRecord {
            id: CredentialId::from_bytes(self.ids.id()),
            principal_id: principal.id,
            folder_id: principal.folder_id,
            name: name.to_owned(),
            secret: CredentialSecret::TokenSha256(token_sha256(&text)),
            created_at: self.clock.now(),
            expires_at,
            revoked_at: None,
        };
        let credential_id = record.id;
        let changes = vec![Change::InsertCredential(record)];
        self.directory.commit(changes).await?;
        Ok(IssuedToken { credential_id, text })
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
        let now = self.clock.now();
        let revoke = |stored: Stored<CredentialRecord>| {
            let value = CredentialRecord { revoked_at: Some(now), ..stored.value };
            Change::UpdateCredential(Stored { value, row_seq: stored.row_seq })
        };
        let valid = self.store.credentials_of(principal_id).await?;
        let changes: Vec<_> = valid.into_iter().filter(|stored| stored.value.name == name).map(revoke).collect();
        let count = changes.len();
        self.directory.commit(changes).await?;
        Ok(count)
    }
}
