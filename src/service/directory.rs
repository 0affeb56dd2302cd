//! Principals, credentials and bindings, as seen by every request.

use super::error::ServiceError;
use super::identity::LoginToken;
use super::ports::{BindingScope, Change, Clock, CredentialLookup, CredentialRecord, CredentialSecret, Store, Token};
use crate::domain::access::{Caller, Grants};
use crate::domain::id::{CredentialId, PrincipalId};
use moka::sync::Cache;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::RwLock;
use zeroize::Zeroizing;

const CACHED_CREDENTIALS: u64 = 10_000;
const CACHED_SETS: u64 = 1_000;

/// What the directory is built on.
pub struct DirectoryParts {
    /// The metadata database.
    pub store: Arc<dyn Store>,
    /// Opens the secrets of access keys.
    pub token: Arc<dyn Token>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Authenticates the tokens of logins.
    pub login_key: Zeroizing<[u8; 32]>,
    /// How long such a token lasts.
    pub login_period: Duration,
}

/// Who may do what, from memory where possible.
pub struct Directory {
    parts: DirectoryParts,
    credentials: Cache<CredentialLookup, Arc<Entry>>,
    grants: Cache<BindingScope, Arc<Grants>>,
    /// The one set that every decision needs.
    service_grants: std::sync::RwLock<Option<Arc<Grants>>>,
    /// Loaders share it, a change has it alone: no loader can put back what a change made stale.
    loading: RwLock<()>,
    refused: AtomicU64,
}

/// A credential and its principal.
struct Entry {
    record: CredentialRecord,
    caller: Caller,
    /// The principal was deleted.
    orphaned: bool,
}

/// Whether a credential is one of ours that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// It is.
    Caller(Caller),
    /// It is not. Callers learn nothing more; the failure is counted for the principal that it once was issued to.
    Refused(Option<PrincipalId>),
}

/// The public half of a service account's key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginKey {
    /// Who logs in with it.
    pub caller: Caller,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
}

/// An access key pair that is in force.
pub struct AccessKey {
    /// Who signs with it.
    pub caller: Caller,
    /// The secret, 40 characters.
    pub secret: Zeroizing<Vec<u8>>,
}

impl Directory {
    /// An empty directory over the store.
    pub fn new(parts: DirectoryParts) -> Self {
        Self {
            parts,
            credentials: Cache::new(CACHED_CREDENTIALS),
            grants: Cache::new(CACHED_SETS),
            service_grants: std::sync::RwLock::default(),
            loading: RwLock::new(()),
            refused: AtomicU64::new(0),
        }
    }

    /// Who presents this bearer token: an API token, or the token of a login.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_token(&self, token: &str) -> Result<Recognised, ServiceError> {
        let sha256 = super::provision::token_sha256(token);
        self.recognise(CredentialLookup::TokenSha256(sha256)).await
    }

    /// Who presents a client certificate with this SHA-256 of its SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_certificate(&self, spki_sha256: [u8; 32]) -> Result<Recognised, ServiceError> {
        self.recognise(CredentialLookup::CertificateSha256(spki_sha256)).await
    }

    /// The key that a JWT with this `kid` is signed with; `None` if there is none in force.
    ///
    /// # Errors
    /// The store's.
    pub async fn login_key(&self, kid: CredentialId) -> Result<Option<LoginKey>, ServiceError> {
        let Some(entry) = self.load(CredentialLookup::Id(kid)).await? else { return Ok(None) };
        match &entry.record.secret {
            CredentialSecret::PublicKey(spki) if self.is_in_force(&entry) => {
                Ok(Some(LoginKey { caller: entry.caller.clone(), spki: spki.clone() }))
            }
            _ => Ok(None),
        }
    }

    /// A token for who has just logged in with a key of a service account. It ends with the key's own end, and with
    /// the key's revocation.
    ///
    /// # Errors
    /// The store's.
    pub async fn login(&self, caller: &Caller) -> Result<LoginToken, ServiceError> {
        let _ = (&self.parts.login_key, self.parts.login_period, caller);
        Err(ServiceError::NotImplemented("logins"))
    }

    /// The access key pair with this public id; `None` if there is none in force.
    ///
    /// # Errors
    /// Those of store and token.
    pub async fn access_key(&self, access_key_id: &str) -> Result<Option<AccessKey>, ServiceError> {
        let _ = (&self.parts.token, access_key_id);
        Err(ServiceError::NotImplemented("access keys"))
    }

    /// How many unknown, expired or revoked credentials were presented.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    async fn recognise(&self, lookup: CredentialLookup) -> Result<Recognised, ServiceError> {
        let entry = self.load(lookup).await?;
        match entry {
            Some(entry) if self.is_in_force(&entry) => Ok(Recognised::Caller(entry.caller.clone())),
            entry => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Ok(Recognised::Refused(entry.map(|entry| entry.caller.principal_id)))
            }
        }
    }

    fn is_in_force(&self, entry: &Entry) -> bool {
        let record = &entry.record;
        let now = self.parts.clock.now();
        !entry.orphaned && record.revoked_at.is_none() && record.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    async fn load(&self, lookup: CredentialLookup) -> Result<Option<Arc<Entry>>, ServiceError> {
        if let Some(entry) = self.credentials.get(&lookup) {
            return Ok(Some(entry));
        }
        let _turn = self.loading.read().await;
        let Some(stored) = self.parts.store.credential(lookup.clone()).await? else { return Ok(None) };
        let record = stored.value;
        let principal = self.parts.store.principal(record.principal_id).await?;
        let missing = || ServiceError::Integrity(format!("credential {} has no principal", record.id));
        let principal = principal.ok_or_else(missing)?.value;
        let caller = Caller {
            principal_id: principal.id,
            kind: principal.kind,
            credential_id: record.id,
            folder_id: principal.folder_id,
        };
        let entry = Arc::new(Entry { record, caller, orphaned: principal.deleted_at.is_some() });
        self.credentials.insert(lookup, Arc::clone(&entry));
        Ok(Some(entry))
    }

    /// The roles that are bound on the service or on a folder, without inherited ones.
    ///
    /// # Errors
    /// The store's.
    pub async fn grants(&self, scope: BindingScope) -> Result<Arc<Grants>, ServiceError> {
        if let Some(grants) = self.remembered_grants(scope) {
            return Ok(grants);
        }
        let _turn = self.loading.read().await;
        let grants = Arc::new(Grants::of(&self.parts.store.bindings(scope).await?.value));
        match scope {
            BindingScope::Service => self.remember_service_grants(Some(Arc::clone(&grants))),
            BindingScope::Folder(_) | BindingScope::Key(_) => self.grants.insert(scope, Arc::clone(&grants)),
        }
        Ok(grants)
    }

    fn remembered_grants(&self, scope: BindingScope) -> Option<Arc<Grants>> {
        match scope {
            BindingScope::Service => self.service_grants.read().unwrap_or_else(PoisonError::into_inner).clone(),
            BindingScope::Folder(_) | BindingScope::Key(_) => self.grants.get(&scope),
        }
    }

    fn remember_service_grants(&self, grants: Option<Arc<Grants>>) {
        *self.service_grants.write().unwrap_or_else(PoisonError::into_inner) = grants;
    }

    /// Commits changes of principals, credentials or bindings and drops what is remembered of them, also if the caller
    /// goes away meanwhile: a stored revocation must bind.
    pub(super) async fn commit(self: &Arc<Self>, changes: Vec<Change>) -> Result<(), ServiceError> {
        let directory = Arc::clone(self);
        let committed = tokio::spawn(async move {
            let _turn = directory.loading.write().await;
            let result = directory.parts.store.commit(changes).await;
            // After a failure too: an error may hide a commit that was made.
            directory.credentials.invalidate_all();
            directory.grants.invalidate_all();
            directory.remember_service_grants(None);
            result
        });
        let result = committed.await.map_err(|error| ServiceError::Bug(error.to_string()))?;
        Ok(result?)
    }
}
