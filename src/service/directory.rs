//! Principals, credentials and bindings, as seen by every request.
//!
//! In: what a request presents. Out: a [`Caller`], or nothing. Called by `auth` for every request, and by the use cases
//! that change principals, credentials or bindings.
//!
//! Only what is in force is kept in memory: whatever else is presented (unknown, revoked, expired, of a deleted
//! principal) takes the same way through the database every time, and can push nothing out of memory.

mod access_key;
mod key_token;

pub use access_key::{AccessKey, DerivedKey};
pub use key_token::ByKeyToken;

use super::error::ServiceError;
use super::identity::LoginToken;
use super::key_token_text::KeyTokens;
use super::last_uses::{LastUse, LastUses};
use super::login_token::{Claim, LOGIN_TOKEN_PREFIX, LoginTokens};
use super::ports::{
    BindingScope, Change, Clock, CredentialLookup, CredentialRecord, CredentialSecret, IdSource, Store, Token,
};
use super::stale::Stale;
use crate::domain::access::{Caller, Grants};
use crate::domain::id::{CredentialId, PrincipalId};
use crate::domain::time::Timestamp;
use access_key::Opened;
use aws_lc_rs::hmac;
use moka::sync::Cache;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard, RwLock, Semaphore};
use zeroize::Zeroizing;

const CACHED_CREDENTIALS: u64 = 10_000;
const CACHED_SETS: u64 = 1_000;
/// Credentials that are looked up in the database at once. Anybody can send unknown ones: they must leave readers of the
/// database to others, and a change waits for those that hold `loading`.
const LOOK_UPS: usize = 2;

/// What the directory is built on.
pub struct DirectoryParts {
    /// The metadata database.
    pub store: Arc<dyn Store>,
    /// Opens the secrets of access keys.
    pub token: Arc<dyn Token>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Makes tokens of logins differ.
    pub ids: Arc<dyn IdSource>,
    /// Authenticates the tokens of logins.
    pub login_key: Zeroizing<[u8; 32]>,
    /// How long such a token lasts.
    pub login_period: Duration,
}

/// Who may do what, from memory where possible.
pub struct Directory {
    store: Arc<dyn Store>,
    token: Arc<dyn Token>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    login_tokens: LoginTokens,
    key_tokens: KeyTokens,
    login_period: Duration,
    credentials: Cache<CredentialLookup, Arc<Entry>>,
    grants: Cache<BindingScope, Arc<Grants>>,
    /// The one set that every decision needs.
    service_grants: std::sync::RwLock<Option<Arc<Grants>>>,
    uses: LastUses,
    /// Whoever looks a credential up has one before it waits for `loading`.
    look_ups: Semaphore,
    /// Loaders share it, a change has it alone: no loader can put back what a change made stale.
    loading: RwLock<()>,
    /// Whoever changes principals, credentials or bindings has it: see `turn.rs`.
    turn: Arc<Mutex<()>>,
}

/// A credential that was in force when it was loaded, and its principal.
struct Entry {
    record: CredentialRecord,
    caller: Caller,
    /// The principal's name.
    name: Arc<str>,
    last_use: LastUse,
    /// The secret of an access key pair, once it was needed.
    secret: OnceCell<Arc<Opened>>,
}

/// What was found under the name that a request gave.
type Found = Recognised<Arc<Entry>>;

/// Keeps other changes of principals, credentials and bindings away until its last copy is dropped.
#[derive(Clone)]
pub(super) struct Turn(#[expect(dead_code, reason = "held, never read")] Arc<OwnedMutexGuard<()>>);

/// Whether a credential is one of ours that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised<T = Caller> {
    /// It is: who presents it, or what it is verified with.
    InForce(T),
    /// It is not. Callers learn nothing more; the failure is counted for the principal that it once was issued to.
    Refused(Option<PrincipalId>),
}

impl<T> Recognised<T> {
    /// What is in force, if it is.
    pub fn in_force(self) -> Option<T> {
        match self {
            Self::InForce(value) => Some(value),
            Self::Refused(_) => None,
        }
    }
}

/// The public half of a service account's key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginKey {
    /// Who logs in with it.
    pub caller: Caller,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
}

impl LoginKey {
    fn of(entry: &Entry) -> Option<Self> {
        let CredentialSecret::PublicKey(spki) = &entry.record.secret else { return None };
        Some(Self { caller: entry.caller.clone(), spki: spki.clone() })
    }
}

impl Directory {
    /// An empty directory over the store.
    pub fn new(parts: DirectoryParts) -> Self {
        Self {
            store: parts.store,
            token: parts.token,
            clock: parts.clock,
            ids: parts.ids,
            login_tokens: LoginTokens::new(&parts.login_key),
            key_tokens: KeyTokens::new(&key_token_key(&parts.login_key)),
            login_period: parts.login_period,
            credentials: Cache::new(CACHED_CREDENTIALS),
            grants: Cache::new(CACHED_SETS),
            service_grants: std::sync::RwLock::default(),
            uses: LastUses::default(),
            look_ups: Semaphore::new(LOOK_UPS),
            loading: RwLock::new(()),
            turn: Arc::default(),
        }
    }

    /// Who presents this bearer token: an API token, or the token of a login.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_token(&self, token: &str) -> Result<Recognised, ServiceError> {
        let found = match token.strip_prefix(LOGIN_TOKEN_PREFIX) {
            Some(text) => self.by_login_token(text).await?,
            None => self.find(CredentialLookup::TokenSha256(super::provision::token_sha256(token))).await?,
        };
        Ok(self.recognise(found))
    }

    /// As [`by_token`](Self::by_token), if memory says that the token is in force.
    #[must_use]
    pub fn remembered_by_token(&self, token: &str) -> Option<Caller> {
        let Some(text) = token.strip_prefix(LOGIN_TOKEN_PREFIX) else {
            let lookup = CredentialLookup::TokenSha256(super::provision::token_sha256(token));
            return Some(self.used(&*self.remembered(&lookup)?));
        };
        let claim = self.login_tokens.read(text)?;
        let entry = self.remembered(&CredentialLookup::Id(claim.parent))?;
        self.is_good(&claim, &entry.record).then(|| self.used(&entry))
    }

    /// As [`by_certificate`](Self::by_certificate), if memory says that it is in force.
    #[must_use]
    pub fn remembered_by_certificate(&self, spki_sha256: [u8; 32]) -> Option<Caller> {
        Some(self.used(&*self.remembered(&CredentialLookup::CertificateSha256(spki_sha256))?))
    }

    /// As [`login_key`](Self::login_key), if memory says that it is in force.
    #[must_use]
    pub fn remembered_login_key(&self, kid: CredentialId) -> Option<LoginKey> {
        LoginKey::of(&*self.remembered(&CredentialLookup::Id(kid))?)
    }

    /// Who presents a client certificate with this SHA-256 of its SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_certificate(&self, spki_sha256: [u8; 32]) -> Result<Recognised, ServiceError> {
        let found = self.find(CredentialLookup::CertificateSha256(spki_sha256)).await?;
        Ok(self.recognise(found))
    }

    /// The key that a JWT with this `kid` is signed with.
    ///
    /// # Errors
    /// The store's.
    pub async fn login_key(&self, kid: CredentialId) -> Result<Recognised<LoginKey>, ServiceError> {
        let found = self.find(CredentialLookup::Id(kid)).await?.keep(is_public_key);
        let entry = match found {
            Recognised::InForce(entry) => entry,
            Recognised::Refused(principal) => return Ok(Recognised::Refused(principal)),
        };
        Ok(LoginKey::of(&entry).map_or(Recognised::Refused(None), Recognised::InForce))
    }

    /// A token for who has just logged in with a key of a service account. It ends with the key's own end, and with
    /// the key's revocation.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] if the key is not in force any more, and those of the store.
    pub async fn login(&self, caller: &Caller) -> Result<LoginToken, ServiceError> {
        let found = self.find(CredentialLookup::Id(caller.credential_id)).await?.keep(is_public_key);
        let Recognised::InForce(entry) = found else { return Err(ServiceError::Unauthenticated) };
        self.note_use(&entry);
        let end = self.clock.now().plus(self.login_period).min(Timestamp::LATEST_END);
        let expires_at = entry.record.expires_at.map_or(end, |last| last.min(end));
        let claim = Claim { parent: entry.record.id, expires_at };
        let text = self.login_tokens.issue(claim, self.ids.id());
        Ok(LoginToken { principal_id: caller.principal_id, text, expires_at })
    }

    async fn by_login_token(&self, text: &str) -> Result<Found, ServiceError> {
        let Some(claim) = self.login_tokens.read(text) else { return Ok(Found::Refused(None)) };
        let parent = self.find(CredentialLookup::Id(claim.parent)).await?;
        Ok(parent.keep(|record| self.is_good(&claim, record)))
    }

    /// Whether the token of a login with this credential has not ended.
    fn is_good(&self, claim: &Claim, parent: &CredentialRecord) -> bool {
        is_public_key(parent) && self.clock.now() < claim.expires_at
    }

    /// The access key pair with this public id. Whoever has verified a signature with it calls
    /// [`accepted`](Self::accepted).
    ///
    /// # Errors
    /// Those of store and token.
    pub async fn access_key(&self, access_key_id: &str) -> Result<Recognised<AccessKey>, ServiceError> {
        let found = self.find(CredentialLookup::AccessKeyId(access_key_id.to_owned())).await?;
        let entry = match found {
            Recognised::InForce(entry) => entry,
            Recognised::Refused(principal) => return Ok(Recognised::Refused(principal)),
        };
        let CredentialSecret::AccessKey { sealed, .. } = &entry.record.secret else {
            return Ok(Recognised::Refused(None));
        };
        let open = async || {
            let secret = self.token.open_secret(entry.record.id, sealed.clone()).await?;
            Ok::<_, ServiceError>(Arc::new(Opened::new(secret)))
        };
        let opened = Arc::clone(entry.secret.get_or_try_init(open).await?);
        Ok(Recognised::InForce(AccessKey::new(opened, entry)))
    }

    /// As [`access_key`](Self::access_key), if memory has it with its secret and says that it is in force.
    #[must_use]
    pub fn remembered_access_key(&self, access_key_id: &str) -> Option<AccessKey> {
        let entry = self.remembered(&CredentialLookup::AccessKeyId(access_key_id.to_owned()))?;
        let opened = Arc::clone(entry.secret.get()?);
        Some(AccessKey::new(opened, entry))
    }

    /// Takes note that a request was signed with this access key.
    pub fn accepted(&self, key: &AccessKey) {
        self.note_use(key.entry());
    }

    /// When credentials were used, as far as it is not written down.
    pub(super) const fn uses(&self) -> &LastUses {
        &self.uses
    }

    fn note_use(&self, entry: &Entry) {
        let now = self.clock.now();
        if entry.last_use.is_news(now) {
            self.uses.note(entry.record.id, now);
        }
    }

    fn recognise(&self, found: Found) -> Recognised {
        match found {
            Recognised::InForce(entry) => Recognised::InForce(self.used(&entry)),
            Recognised::Refused(principal) => Recognised::Refused(principal),
        }
    }

    fn used(&self, entry: &Entry) -> Caller {
        self.note_use(entry);
        entry.caller.clone()
    }

    /// Refuses a caller whose credential, that of its login included, was revoked or has ended since it was recognised,
    /// or who was deleted.
    pub(super) async fn require_in_force(&self, caller: &Caller) -> Result<(), ServiceError> {
        match self.find(CredentialLookup::Id(caller.credential_id)).await? {
            Found::InForce(entry) if entry.caller == *caller => Ok(()),
            Found::InForce(_) | Found::Refused(_) => Err(ServiceError::Unauthenticated),
        }
    }

    async fn find(&self, lookup: CredentialLookup) -> Result<Found, ServiceError> {
        if let Some(entry) = self.remembered(&lookup) {
            return Ok(Found::InForce(entry));
        }
        let _look_up = self.look_ups.acquire().await.map_err(|error| ServiceError::Bug(error.to_string()))?;
        // Others may have looked for the same meanwhile.
        match self.remembered(&lookup) {
            Some(entry) => Ok(Found::InForce(entry)),
            None => self.load(lookup).await,
        }
    }

    fn remembered(&self, lookup: &CredentialLookup) -> Option<Arc<Entry>> {
        let entry = self.credentials.get(lookup)?;
        if is_in_force(&entry.record, self.clock.now()) {
            return Some(entry);
        }
        self.credentials.invalidate(lookup);
        None
    }

    async fn load(&self, lookup: CredentialLookup) -> Result<Found, ServiceError> {
        let _turn = self.loading.read().await;
        let Some(stored) = self.store.credential(lookup.clone()).await? else { return Ok(Found::Refused(None)) };
        let record = stored.value;
        if !is_named(&record, &lookup) {
            // Other rows than by their ids are found through indexes, which carry no MAC.
            return Err(ServiceError::Integrity(format!("credential {} was found under another's name", record.id)));
        }
        if !is_in_force(&record, self.clock.now()) {
            return Ok(Found::Refused(Some(record.principal_id)));
        }
        let principal = self.store.principal(record.principal_id).await?;
        let missing = || ServiceError::Integrity(format!("credential {} has no principal", record.id));
        let principal = principal.ok_or_else(missing)?.value;
        if principal.deleted_at.is_some() {
            return Ok(Found::Refused(Some(principal.id)));
        }
        let caller = Caller {
            principal_id: principal.id,
            kind: principal.kind,
            credential_id: record.id,
            folder_id: principal.folder_id,
        };
        let name = principal.name.into();
        let entry = Arc::new(Entry { record, caller, name, last_use: LastUse::default(), secret: OnceCell::new() });
        self.credentials.insert(lookup, Arc::clone(&entry));
        Ok(Found::InForce(entry))
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
        let grants = Arc::new(Grants::of(&self.store.bindings(scope).await?.value));
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

    /// Keeps other changes of principals, credentials and bindings away. Changes that a caller asks for wait by
    /// `Kms::in_turn`, which decides afterwards.
    pub(super) async fn turn(&self) -> Turn {
        Turn(Arc::new(Arc::clone(&self.turn).lock_owned().await))
    }

    /// Commits changes of principals, credentials or bindings and drops what is remembered of them, also if the caller
    /// goes away meanwhile: a stored revocation must bind.
    pub(super) async fn commit(self: &Arc<Self>, changes: Vec<Change>) -> Result<(), ServiceError> {
        self.commit_in(None, changes).await
    }

    /// As [`commit`](Self::commit), for whoever has the [`turn`](Self::turn).
    pub(super) async fn commit_in_turn(
        self: &Arc<Self>,
        turn: &Turn,
        changes: Vec<Change>,
    ) -> Result<(), ServiceError> {
        self.commit_in(Some(turn.clone()), changes).await
    }

    async fn commit_in(self: &Arc<Self>, turn: Option<Turn>, changes: Vec<Change>) -> Result<(), ServiceError> {
        let directory = Arc::clone(self);
        let committed = tokio::spawn(async move {
            let _loading = directory.loading.write().await;
            let stale: Vec<Stale> = changes.iter().flat_map(Stale::after).collect();
            let result = directory.store.commit(changes).await;
            // After a failure too: an error may hide a commit that was made.
            directory.forget(stale);
            drop(turn);
            result
        });
        let result = committed.await.map_err(|error| ServiceError::Bug(error.to_string()))?;
        Ok(result?)
    }

    fn forget(&self, stale: Vec<Stale>) {
        for stale in stale {
            match stale {
                Stale::Credential(lookup) => self.credentials.invalidate(&lookup),
                Stale::AllCredentials => self.credentials.invalidate_all(),
                Stale::Grants(BindingScope::Service) => self.remember_service_grants(None),
                Stale::Grants(scope) => self.grants.invalidate(&scope),
            }
        }
        // Lets go of the values, and with them of opened secrets.
        self.credentials.run_pending_tasks();
    }
}

impl Found {
    /// Refuses what is in force but not good for this.
    fn keep(self, good: impl FnOnce(&CredentialRecord) -> bool) -> Self {
        match self {
            Self::InForce(entry) if !good(&entry.record) => Self::Refused(Some(entry.caller.principal_id)),
            other => other,
        }
    }
}

/// What authenticates tokens of keys follows from what authenticates those of logins.
fn key_token_key(login_key: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, login_key), b"claviger-key-token-1");
    key.copy_from_slice(tag.as_ref());
    key
}

/// Whether the name is one of this credential.
fn is_named(record: &CredentialRecord, lookup: &CredentialLookup) -> bool {
    match (lookup, &record.secret) {
        (CredentialLookup::Id(id), _) => *id == record.id,
        (CredentialLookup::TokenSha256(named), CredentialSecret::TokenSha256(sha256))
        | (CredentialLookup::CertificateSha256(named), CredentialSecret::CertificateSha256(sha256)) => named == sha256,
        (CredentialLookup::AccessKeyId(named), CredentialSecret::AccessKey { access_key_id, .. }) => {
            named == access_key_id
        }
        _ => false,
    }
}

/// Whether a credential is neither revoked nor expired.
pub(super) fn is_in_force(record: &CredentialRecord, now: Timestamp) -> bool {
    record.revoked_at.is_none() && record.expires_at.is_none_or(|expires_at| now < expires_at)
}

const fn is_public_key(record: &CredentialRecord) -> bool {
    matches!(record.secret, CredentialSecret::PublicKey(_))
}
