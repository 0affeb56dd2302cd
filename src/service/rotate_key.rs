//! Making a new version, and choosing the primary one.

use super::change::LockedKey;
use super::error::ServiceError;
use super::key_cache::KeyLock;
use super::kms::Kms;
use super::material::NewMaterial;
use super::ports::{Change, Stored};
use super::request::{OnDemandRules, RequestContext};
use crate::domain::access::Permission;
use crate::domain::algorithm::Algorithm;
use crate::domain::error::StateError;
use crate::domain::id::{KeyId, MaterialId, PrincipalId};
use crate::domain::key::Key;
use crate::domain::operation::{KeyView, Operation, OperationKind, Snapshot};
use crate::domain::version::{KeyVersion, VersionOrigin};
use std::collections::HashSet;
use std::sync::PoisonError;

/// How often a rotation is tried while others change the key's algorithm.
const TRIES: u32 = 5;

/// Versions that are read at once to count rotations.
const PAGE: u32 = 100;

/// Why a version is being made, and what that does to the key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trigger<'a> {
    /// A caller asked, under these rules.
    OnDemand(&'a RequestContext, OnDemandRules),
    /// The schedule is due.
    Schedule,
    /// The primary version nears its limit of encryptions; the key has a schedule, so it may be rotated.
    Invocations,
}

impl Trigger<'_> {
    const fn origin(self) -> VersionOrigin {
        match self {
            Self::OnDemand(..) => VersionOrigin::OnDemand,
            Self::Schedule | Self::Invocations => VersionOrigin::Automatic,
        }
    }

    fn asked_by(self) -> Option<PrincipalId> {
        match self {
            Self::OnDemand(ctx, _) => Some(ctx.caller.principal_id),
            Self::Schedule | Self::Invocations => None,
        }
    }

    fn apply(self, key: Key, version: &KeyVersion) -> Result<Key, StateError> {
        match self {
            Self::OnDemand(..) | Self::Invocations => key.rotated_on_demand(version),
            Self::Schedule => key.rotated_automatically(version),
        }
    }
}

impl Kms {
    /// Makes a new version with the key's default algorithm and makes it primary, unless the rules forbid it.
    ///
    /// # Errors
    /// [`ServiceError::State`] if the key is not active or about to be rotated by its schedule,
    /// [`ServiceError::OnDemandRotationLimit`], [`ServiceError::VersionLimit`], and those of token and store.
    pub async fn rotate_key(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        rules: OnDemandRules,
    ) -> Result<Operation, ServiceError> {
        self.on_key(ctx, Permission::RotateKey, key_id, |entry| async move {
            entry.key.require_active()?;
            let mut algorithm = entry.key.default_algorithm;
            let trigger = Trigger::OnDemand(ctx, rules);
            for _ in 1..TRIES {
                match self.rotate(key_id, algorithm, trigger).await {
                    Err(ServiceError::Conflict) => {}
                    done => return done,
                }
                algorithm = self.stored_key(key_id).await?.value.default_algorithm;
            }
            self.rotate(key_id, algorithm, trigger).await
        })
        .await
    }

    /// Rotates a key, whoever asked. The token works before the key is locked, so that a slow token does not
    /// keep others from the key.
    pub(super) async fn rotate(
        &self,
        key_id: KeyId,
        algorithm: Algorithm,
        trigger: Trigger<'_>,
    ) -> Result<Operation, ServiceError> {
        let NewMaterial { id, material } = self.generate_material(key_id, algorithm).await?;
        let (lock, Stored { value: key, row_seq }) = self.lock_for(trigger, key_id).await?;
        if key.default_algorithm != algorithm {
            return Err(ServiceError::Conflict);
        }
        self.check_version_limit(&key)?;
        let number = key.latest_version_number.checked_add(1).ok_or(ServiceError::VersionLimit { limit: u32::MAX })?;
        let now = self.clock.now();
        let version = self.version(key_id, number, algorithm, trigger.origin(), id, now);
        let key = trigger.apply(key, &version)?;
        let view = KeyView { key: key.clone(), primary: version.clone() };
        let snapshot = Snapshot::Key(Box::new(view));
        let operation = self.operation_record(trigger.asked_by(), key_id, OperationKind::RotateKey, snapshot);
        let changes = vec![
            Change::InsertVersion(Box::new(version), material),
            Change::UpdateKey(Box::new(Stored { value: key, row_seq })),
            Change::InsertOperation(Box::new(operation.clone())),
        ];
        self.commit_key(lock, key_id, None, changes).await?;
        Ok(operation)
    }

    /// The key's lock and the key, once the trigger may still rotate it.
    async fn lock_for(&self, trigger: Trigger<'_>, key_id: KeyId) -> Result<(KeyLock, Stored<Key>), ServiceError> {
        match trigger {
            Trigger::OnDemand(ctx, rules) => {
                let LockedKey { lock, key, .. } = self.locked_key(ctx, Permission::RotateKey, key_id).await?;
                self.check_rules(&key.value, rules).await?;
                Ok((lock, key))
            }
            Trigger::Schedule | Trigger::Invocations => {
                let lock = self.cache.lock(key_id).await;
                Ok((lock, self.stored_key(key_id).await?))
            }
        }
    }

    /// Refuses a rotation on demand of a key whose lock the caller has: of two at the limit, one finds the other's.
    async fn check_rules(&self, key: &Key, rules: OnDemandRules) -> Result<(), ServiceError> {
        key.require_active()?;
        if key.rotation_is_imminent(self.clock.now(), rules.keep_clear_of_schedule) {
            return Err(StateError::RotationImminent.into());
        }
        match rules.max_rotations {
            Some(limit) if self.has_rotations_on_demand(key, limit).await? => {
                Err(ServiceError::OnDemandRotationLimit { limit })
            }
            _ => Ok(()),
        }
    }

    /// Whether the key was rotated on demand as often as this, by whichever dialect.
    async fn has_rotations_on_demand(&self, key: &Key, limit: u32) -> Result<bool, ServiceError> {
        let (mut found, mut after) = (0_u32, None);
        // The first version came with the key.
        if key.latest_version_number.saturating_sub(1) < limit {
            return Ok(false);
        }
        loop {
            let page = self.store.versions(key.id, after, PAGE).await?;
            let on_demand = page.items.iter().filter(|stored| stored.value.origin == VersionOrigin::OnDemand).count();
            found = found.saturating_add(u32::try_from(on_demand).unwrap_or(u32::MAX));
            after = page.next;
            if found >= limit || after.is_none() {
                return Ok(found >= limit);
            }
        }
    }

    /// Remembers that the primary version of a key nears its limit of encryptions. The next maintenance
    /// rotates the key if its owner lets it rotate by itself.
    pub(super) fn note_overuse(&self, key: &Key) {
        if key.rotation.is_some() {
            let mut overused = self.overused.lock().unwrap_or_else(PoisonError::into_inner);
            if overused.insert(key.id) {
                self.schedule_changed.notify_one();
            }
        }
    }

    /// The keys that [`note_overuse`](Self::note_overuse) remembered since the last call.
    pub(super) fn take_overused(&self) -> HashSet<KeyId> {
        std::mem::take(&mut *self.overused.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn check_version_limit(&self, key: &Key) -> Result<(), ServiceError> {
        let limit = self.settings.max_versions_per_key;
        if limit != 0 && key.latest_version_number >= limit {
            return Err(ServiceError::VersionLimit { limit });
        }
        Ok(())
    }

    /// Makes another active version primary.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown version, [`ServiceError::State`] if it is not active, and
    /// those of the store.
    pub async fn set_primary_version(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        version_id: MaterialId,
    ) -> Result<Operation, ServiceError> {
        self.on_key(ctx, Permission::SetPrimaryVersion, key_id, |_| async move {
            let locked = self.locked_key(ctx, Permission::SetPrimaryVersion, key_id).await?;
            let (lock, Stored { value, row_seq }) = (locked.lock, locked.key);
            let version = self.stored_version(key_id, version_id).await?.value;
            let changed = Stored { value: value.with_primary(&version)?, row_seq };
            let kind = OperationKind::SetPrimaryVersion { version_id };
            self.commit_key_change(ctx, lock, changed, version, kind).await
        })
        .await
    }
}
