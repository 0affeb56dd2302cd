//! The core that all dialects call, and the one frame in which every use case runs.

use super::directory::{Directory, DirectoryParts};
use super::error::{Missing, ServiceError};
use super::invocations::Invocations;
use super::key_cache::{KeyCache, KeyEntry};
use super::limits::Limits;
use super::names::Names;
use super::pair_places::PairPlaces;
use super::ports::{BindingScope, Clock, IdSource, Store, Token};
use super::request::{Counted, RequestContext};
use crate::domain::access::{
    AccessContext, Caller, Decision, Grants, Grounds, KeyAttached, Level, Permission, Refusal, Resource, authorise,
};
use crate::domain::id::{FolderId, KeyId};
use crate::domain::key::Key;
use crate::domain::time::Timestamp;
use std::collections::HashSet;
use std::future::Future;
use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// The rules of access that an operator can set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessSettings {
    /// Folders in which `kms.editor` and `kms.admin` use keys, as they do in the cloud.
    pub editors_use_keys_in: HashSet<FolderId>,
    /// Folders in which address lists of keys bind tokens of keys only, as they do in the cloud.
    pub addresses_bind_tokens_only_in: HashSet<FolderId>,
    /// Requests per second of one principal; `None` = any number.
    pub requests_per_principal: Option<NonZeroU32>,
    /// Requests per second on one key; `None` = any number.
    pub requests_per_key: Option<NonZeroU32>,
    /// How long a token lasts that a service account gets for a signed JWT.
    pub login_period: Duration,
}

/// The rules that an operator can set.
#[derive(Debug, Clone)]
pub struct KmsSettings {
    /// Rules of access.
    pub access: AccessSettings,
    /// Shortest rotation period.
    pub min_rotation_period: Duration,
    /// Shortest wait before a version of a natively created key is destroyed.
    pub min_version_pending_period: Duration,
    /// The wait if a request names none.
    pub default_version_pending_period: Duration,
    /// Wait between the deletion of a key and the destruction of its versions.
    pub key_deletion_period: Duration,
    /// Most versions of one key; 0 = no limit.
    pub max_versions_per_key: u32,
    /// The region that keys of dialects without regions are in.
    pub region: String,
    /// How far the wall clock may leap before destructions are held; zero = any.
    pub max_clock_leap: Duration,
    /// How many keys, and how many versions beside primary ones, are kept in memory.
    pub cached_keys: u64,
}

/// What the core is built on.
pub struct KmsParts {
    /// The metadata database.
    pub store: Arc<dyn Store>,
    /// The token.
    pub token: Arc<dyn Token>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub ids: Arc<dyn IdSource>,
    /// Authenticates the tokens of logins. The same at every start.
    pub login_key: Zeroizing<[u8; 32]>,
    /// Rules.
    pub settings: KmsSettings,
}

/// The key management service.
pub struct Kms {
    pub(super) store: Arc<dyn Store>,
    pub(super) token: Arc<dyn Token>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) settings: KmsSettings,
    pub(super) directory: Arc<Directory>,
    pub(super) cache: Arc<KeyCache>,
    pub(super) names: Arc<Names>,
    pub(super) limits: Limits,
    pub(super) pair_places: PairPlaces,
    pub(super) invocations: Arc<Invocations>,
    pub(super) clock_guard: super::clock_guard::ClockGuard,
    pub(super) schedule_changed: Arc<Notify>,
    /// How many due changes failed in the last run.
    pub(super) failing: AtomicU32,
    /// When the last run of maintenance ended.
    pub(super) last_maintenance: Mutex<Option<Timestamp>>,
    /// Keys whose primary version nears its limit of encryptions.
    pub(super) overused: Mutex<HashSet<KeyId>>,
}

impl Kms {
    /// Puts the core together. Reads nothing.
    #[must_use]
    pub fn new(parts: KmsParts) -> Self {
        let invocations = Arc::new(Invocations::new(Arc::clone(&parts.store)));
        Self {
            directory: Arc::new(Directory::new(DirectoryParts {
                store: Arc::clone(&parts.store),
                token: Arc::clone(&parts.token),
                clock: Arc::clone(&parts.clock),
                ids: Arc::clone(&parts.ids),
                login_key: parts.login_key,
                login_period: parts.settings.access.login_period,
            })),
            cache: Arc::new(KeyCache::new(
                Arc::clone(&parts.store),
                Arc::clone(&invocations),
                parts.settings.cached_keys,
            )),
            names: Arc::new(Names::new(Arc::clone(&parts.store), parts.settings.cached_keys)),
            limits: Limits::new(&parts.settings.access, &parts.clock),
            pair_places: PairPlaces::default(),
            invocations,
            clock_guard: super::clock_guard::ClockGuard::new(parts.settings.max_clock_leap),
            schedule_changed: Arc::default(),
            failing: AtomicU32::new(0),
            last_maintenance: Mutex::new(None),
            overused: Mutex::new(HashSet::new()),
            store: parts.store,
            token: parts.token,
            clock: parts.clock,
            ids: parts.ids,
            settings: parts.settings,
        }
    }

    /// Principals and their credentials.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    /// The token behind this service.
    #[must_use]
    pub fn token(&self) -> &Arc<dyn Token> {
        &self.token
    }

    /// Refuses a caller whose credential is not in force any more: for dialects that know the caller before the body of a
    /// request has come in.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`], and those of the store.
    pub async fn require_in_force(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.directory.require_in_force(caller).await
    }

    /// Counts a request for its principal as soon as it is known who sent it: for dialects whose requests may end before a
    /// use case, or take several. Use cases do not count it again.
    ///
    /// # Errors
    /// [`ServiceError::Throttled`] above the limit.
    pub fn count_incoming(&self, caller: &Caller) -> Result<Counted, ServiceError> {
        self.limits.count_incoming(caller)
    }

    /// Runs a use case on one key: finds the key, authorises, acts. Keys that the caller may not know of, keys that the
    /// dialect hides and keys of other regions end exactly as unknown ones.
    ///
    /// Every frame, and every use case without one, counts the request before anything else, so that refused ones count
    /// too, unless it was counted when it came in.
    pub(super) async fn on_key<T, F, Fut>(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        key_id: KeyId,
        act: F,
    ) -> Result<T, ServiceError>
    where
        F: FnOnce(Arc<KeyEntry>) -> Fut,
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        self.limits.count_request(ctx)?;
        let entry = self.permitted_key(ctx, permission, key_id).await?;
        self.limits.count_use(key_id)?;
        act(entry).await
    }

    /// Runs a use case on two keys, which may be one. Both are decided before the state of either is looked at.
    pub(super) async fn on_two_keys<T, F, Fut>(
        &self,
        ctx: &RequestContext,
        [first, second]: [(Permission, KeyId); 2],
        act: F,
    ) -> Result<T, ServiceError>
    where
        F: FnOnce(Arc<KeyEntry>, Arc<KeyEntry>) -> Fut,
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        self.limits.count_request(ctx)?;
        let first_entry = self.permitted_key(ctx, first.0, first.1).await?;
        let second_entry = self.permitted_key(ctx, second.0, second.1).await?;
        self.limits.count_use(first.1)?;
        if second.1 != first.1 {
            self.limits.count_use(second.1)?;
        }
        act(first_entry, second_entry).await
    }

    /// The key, if the caller may do this with it.
    pub(super) async fn permitted_key(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        key_id: KeyId,
    ) -> Result<Arc<KeyEntry>, ServiceError> {
        if ctx.origin.key_token.is_some_and(|token| token.key_id != key_id) {
            // Before anybody looks: a token of one key is no way to find out which others there are.
            return Err(ServiceError::Unauthenticated);
        }
        let may = async |entry: &KeyEntry| match self.require_on_key(ctx, permission, &entry.key, &entry.grants).await {
            Ok(()) => Ok(true),
            Err(ServiceError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        };
        let found = self.key_if(key_id, may).await?;
        found.ok_or_else(|| ServiceError::NotFound { what: Missing::Key, id: key_id.to_string() })
    }

    /// The key, if there is one that the caller may know of.
    ///
    /// An unknown id is looked for in the database every time. A key that is hidden must not be told from it by saving that
    /// read, or by being answered while the database is away. That the time is equal to the last microsecond is not promised:
    /// see docs/security.md.
    pub(super) async fn key_if(
        &self,
        key_id: KeyId,
        is_known: impl AsyncFnOnce(&KeyEntry) -> Result<bool, ServiceError>,
    ) -> Result<Option<Arc<KeyEntry>>, ServiceError> {
        let remembered = self.cache.remembered(key_id);
        let was_remembered = remembered.is_some();
        let found = match remembered {
            Some(entry) => Some(entry),
            None => self.cache.key(key_id).await?,
        };
        if let Some(entry) = found
            && is_known(&entry).await?
        {
            return Ok(Some(entry));
        }
        if was_remembered {
            self.cache.key(KeyId::from_bytes(self.ids.id())).await?;
        }
        Ok(None)
    }

    /// Refuses what the caller may not do with a key on which these roles are bound.
    pub(super) async fn require_on_key(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        key: &Key,
        grants: &Grants,
    ) -> Result<(), ServiceError> {
        let resource = Resource::Key { key_id: key.id, folder_id: key.folder_id };
        let decision = self.decide(ctx, permission, resource, Some(KeyAttached::of(key, grants))).await?;
        let shown = ctx.shows(key) || (permission == Permission::RestoreKey && ctx.is_in_region(key));
        match decision {
            Decision::Denied(Refusal::Token) => Err(ServiceError::Unauthenticated),
            Decision::Allowed(_) if shown => Ok(()),
            Decision::Denied(Refusal::Address) if shown => Err(ServiceError::AddressDenied),
            Decision::Denied(_) if shown => Err(ServiceError::Denied),
            Decision::Allowed(_) | Decision::Denied(_) | Decision::Hidden(_) => {
                Err(ServiceError::NotFound { what: Missing::Key, id: key.id.to_string() })
            }
        }
    }

    /// Runs a use case on a folder as a whole. Unknown folders end as hidden ones.
    pub(super) async fn on_folder<T, Fut>(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        folder_id: FolderId,
        act: impl FnOnce() -> Fut,
    ) -> Result<T, ServiceError>
    where
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        self.limits.count_request(ctx)?;
        self.require_on_folder(ctx, permission, folder_id).await?;
        act().await
    }

    /// Refuses what the caller may not do with a folder.
    pub(super) async fn require_on_folder(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        folder_id: FolderId,
    ) -> Result<(), ServiceError> {
        let not_found = || ServiceError::NotFound { what: Missing::Folder, id: folder_id.to_string() };
        match self.decide(ctx, permission, Resource::Folder(folder_id), None).await? {
            Decision::Hidden(_) => Err(not_found()),
            Decision::Denied(_) => Err(ServiceError::Denied),
            Decision::Allowed(Grounds::Role { level, .. }) => {
                // A role that is bound on the folder shows that there is one; a role on the service holds for any id.
                if level == Level::Service && self.store.folder(folder_id).await?.is_none() {
                    return Err(not_found());
                }
                Ok(())
            }
        }
    }

    /// Runs a use case on the service itself.
    pub(super) async fn on_service<T, Fut>(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        act: impl FnOnce() -> Fut,
    ) -> Result<T, ServiceError>
    where
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        self.limits.count_request(ctx)?;
        self.require_on_service(ctx, permission).await?;
        act().await
    }

    /// Refuses what the caller may not do with the service itself.
    pub(super) async fn require_on_service(
        &self,
        ctx: &RequestContext,
        permission: Permission,
    ) -> Result<(), ServiceError> {
        match self.decide(ctx, permission, Resource::Service, None).await? {
            Decision::Allowed(_) => Ok(()),
            Decision::Hidden(_) | Decision::Denied(_) => Err(ServiceError::Denied),
        }
    }

    /// The one place where a request is decided, with everything that is attached to the resource. From memory this
    /// takes one look-up in a cache beside that of the key, and allocates nothing.
    pub(super) async fn decide(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        resource: Resource,
        key: Option<KeyAttached<'_>>,
    ) -> Result<Decision, ServiceError> {
        let service = self.directory.grants(BindingScope::Service).await?;
        let folder_id = match resource {
            Resource::Folder(folder_id) | Resource::Key { folder_id, .. } => Some(folder_id),
            Resource::Service => None,
        };
        let folder = match folder_id {
            Some(id) => Some(self.directory.grants(BindingScope::Folder(id)).await?),
            None => None,
        };
        let access = &self.settings.access;
        let context = AccessContext {
            service: &service,
            folder: folder.as_deref(),
            key,
            editors_use_keys: folder_id.is_some_and(|id| access.editors_use_keys_in.contains(&id)),
            addresses_bind_tokens_only: folder_id.is_some_and(|id| access.addresses_bind_tokens_only_in.contains(&id)),
        };
        Ok(authorise(&ctx.caller, &ctx.origin, permission, resource, &context))
    }
}
