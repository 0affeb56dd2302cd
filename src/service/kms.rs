//! The core that all dialects call, and the one frame in which every use case runs.

use super::directory::{Directory, DirectoryParts};
use super::error::{Missing, ServiceError};
use super::invocations::Invocations;
use super::key_cache::{KeyCache, KeyEntry};
use super::ports::{BindingScope, Clock, IdSource, Store, Token};
use super::request::RequestContext;
use crate::domain::access::{AccessContext, Decision, Grants, Permission, Resource, authorise};
use crate::domain::id::{FolderId, KeyId};
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

    /// Runs a use case on one key: finds the key, authorises, acts. Keys that the caller may not know of,
    /// and keys that the dialect hides, end exactly as unknown ones.
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
        let not_found = || ServiceError::NotFound { what: Missing::Key, id: key_id.to_string() };
        let entry = self.cache.key(key_id).await?.ok_or_else(not_found)?;
        let resource = Resource::Key { key_id, folder_id: entry.key.folder_id };
        let decision = self.decide(ctx, permission, resource, Some(&entry.grants)).await?;
        let hidden = entry.key.is_hidden_in(ctx.dialect) && permission != Permission::RestoreKey;
        match decision {
            Decision::Hidden(_) => Err(not_found()),
            Decision::Denied(_) | Decision::Allowed(_) if hidden => Err(not_found()),
            Decision::Denied(_) => Err(ServiceError::Denied),
            Decision::Allowed(_) => act(entry).await,
        }
    }

    /// Runs a use case on a folder as a whole.
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
        match self.decide(ctx, permission, Resource::Folder(folder_id), None).await? {
            Decision::Hidden(_) => Err(ServiceError::NotFound { what: Missing::Folder, id: folder_id.to_string() }),
            Decision::Denied(_) => Err(ServiceError::Denied),
            Decision::Allowed(_) => act().await,
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
        match self.decide(ctx, permission, Resource::Service, None).await? {
            Decision::Allowed(_) => act().await,
            Decision::Hidden(_) | Decision::Denied(_) => Err(ServiceError::Denied),
        }
    }

    /// The one place where a request is decided, with everything that is attached to the resource.
    pub(super) async fn decide(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        resource: Resource,
        key: Option<&Grants>,
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
        let context = AccessContext {
            service: &service,
            folder: folder.as_deref(),
            key,
            editors_use_keys: folder_id.is_some_and(|id| self.settings.access.editors_use_keys_in.contains(&id)),
        };
        Ok(authorise(&ctx.caller, permission, resource, &context))
    }
}
