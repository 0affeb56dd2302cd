//! Creating a key with its first version.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{Change, RememberedRequest};
use super::request::{CreateKey, Idempotency, RequestContext};
use crate::domain::Dialect;
use crate::domain::access::Permission;
use crate::domain::address::AddressList;
use crate::domain::id::{KeyId, MaterialId, OperationId};
use crate::domain::key::{Key, KeyState, Switch, check_convergent, check_tags};
use crate::domain::operation::{KeyView, Operation, OperationKind, Snapshot};
use crate::domain::schedule::RotationSchedule;
use crate::domain::time::Timestamp;
use crate::domain::version::{KeyVersion, VersionOrigin};
use std::time::Duration;

/// The shortest pending window of AWS (`PendingWindowInDays` of `ScheduleKeyDeletion`).
const AWS_MIN_DESTRUCTION_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a create request with an idempotency key is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

impl Kms {
    /// Creates a key, in the region that the request was made to. A repeated idempotency key gets the first answer again.
    ///
    /// # Errors
    /// [`ServiceError::Value`] for a rotation period out of range or too many tags, [`ServiceError::Invalid`] for an
    /// idempotency key that came with another request, [`ServiceError::Exists`] for a `keyName` that is taken,
    /// [`ServiceError::State`] for a convergent key of another algorithm than `AES_256`, and those of token and store.
    pub async fn create_key(&self, ctx: &RequestContext, request: CreateKey) -> Result<Operation, ServiceError> {
        let folder_id = request.folder_id;
        self.on_folder(ctx, Permission::CreateKey, folder_id, || self.create_once(ctx, request)).await
    }

    async fn create_once(&self, ctx: &RequestContext, request: CreateKey) -> Result<Operation, ServiceError> {
        let Some(idempotency) = request.idempotency.clone() else { return self.create(ctx, request).await };
        if let Some(operation) = self.remembered(ctx, &idempotency).await? {
            return Ok(operation);
        }
        match self.create(ctx, request).await {
            // The same request was answered on another connection meanwhile, and gave its key the name.
            Err(error @ (ServiceError::Conflict | ServiceError::Exists(_))) => {
                self.remembered(ctx, &idempotency).await?.ok_or(error)
            }
            other => other,
        }
    }

    async fn remembered(
        &self,
        ctx: &RequestContext,
        idempotency: &Idempotency,
    ) -> Result<Option<Operation>, ServiceError> {
        let Some(first) = self.store.remembered(ctx.caller.principal_id, &idempotency.key).await? else {
            return Ok(None);
        };
        if first.fingerprint != idempotency.fingerprint {
            return Err(ServiceError::Invalid("the idempotency key was used for a different request".into()));
        }
        Ok(self.store.operation(first.operation_id).await?)
    }

    async fn create(&self, ctx: &RequestContext, request: CreateKey) -> Result<Operation, ServiceError> {
        let now = self.clock.now();
        let rotation = request.rotation_period.map(|period| self.schedule_of(ctx.dialect, period, now)).transpose()?;
        check_tags(&request.tags)?;
        check_convergent(request.convergent, request.algorithm)?;
        if let Some(name) = &request.key_name {
            self.require_free_name(request.folder_id, name, None).await?;
        }
        let key_name = request.key_name.clone();
        let key_id = KeyId::from_bytes(self.ids.id());
        let sealed = self.generate_material(key_id, request.algorithm).await?;
        let primary = self.version(key_id, 1, request.algorithm, VersionOrigin::Creation, sealed.id, now);
        let key = Key {
            id: key_id,
            folder_id: request.folder_id,
            created_by_dialect: ctx.dialect,
            key_tag: key_id.simple(),
            key_name: request.key_name,
            region: ctx.region.as_deref().map_or_else(|| self.settings.region.clone(), str::to_owned),
            name: request.name,
            description: request.description,
            labels: request.labels,
            tags: request.tags,
            default_algorithm: request.algorithm,
            state: KeyState::Live { switch: Switch::Active },
            primary_version: primary.id,
            latest_version_number: 1,
            created_at: now,
            rotated_at: now,
            rotation,
            deletion_protection: request.deletion_protection,
            min_destruction_wait: self.min_destruction_wait(ctx.dialect),
            convergent: request.convergent,
            addresses: AddressList::default(),
            token_generator: None,
        };
        let view = KeyView { key: key.clone(), primary: primary.clone() };
        let operation = self.operation_record(
            Some(ctx.caller.principal_id),
            key_id,
            OperationKind::CreateKey,
            Snapshot::Key(Box::new(view)),
        );
        let mut changes = vec![
            Change::InsertKey(Box::new(key)),
            Change::InsertVersion(Box::new(primary), sealed.material),
            Change::InsertOperation(Box::new(operation.clone())),
        ];
        changes.extend(request.idempotency.map(|client| self.remember(ctx, client, operation.id, now)));
        let committed = self.store.commit(changes).await.map_err(ServiceError::from);
        self.unless_taken(committed, request.folder_id, key_name.as_ref(), None).await?;
        self.schedule_changed.notify_one();
        Ok(operation)
    }

    /// The shortest wait before anything of a key is destroyed that was made in this dialect. It stays the key's,
    /// whichever dialect asks later.
    const fn min_destruction_wait(&self, dialect: Dialect) -> Duration {
        match dialect {
            Dialect::Yandex => self.settings.min_version_pending_period,
            Dialect::Aws => AWS_MIN_DESTRUCTION_WAIT,
            Dialect::Ncloud => Duration::ZERO,
        }
    }

    /// The schedule of a key that is not rotated automatically so far, or was set up in another dialect: by the rules of
    /// the dialect that asks, for a key whose newest version was made at `rotated_at`.
    pub(super) fn schedule_of(
        &self,
        dialect: Dialect,
        period: Duration,
        rotated_at: Timestamp,
    ) -> Result<RotationSchedule, ServiceError> {
        let min = self.settings.min_rotation_period;
        match dialect {
            Dialect::Yandex => Ok(RotationSchedule::native(period, rotated_at, min)?),
            Dialect::Aws => Ok(RotationSchedule::aws(period, self.clock.now(), min)?),
            Dialect::Ncloud => Ok(RotationSchedule::ncloud(period, self.clock.now(), min)?),
        }
    }

    fn remember(&self, ctx: &RequestContext, client: Idempotency, operation_id: OperationId, now: Timestamp) -> Change {
        Change::RememberRequest(RememberedRequest {
            principal_id: ctx.caller.principal_id,
            key: client.key,
            fingerprint: client.fingerprint,
            operation_id,
            expires_at: now.plus(REMEMBERED),
        })
    }

    /// The record of a version whose material is `id`.
    pub(super) fn version(
        &self,
        key_id: KeyId,
        number: u32,
        algorithm: crate::domain::algorithm::Algorithm,
        origin: VersionOrigin,
        id: MaterialId,
        created_at: Timestamp,
    ) -> KeyVersion {
        use super::ports::Protection;
        use crate::domain::version::{Residency, VersionState};
        let weak_token = self.token.description().protection == Protection::Weak;
        KeyVersion {
            id,
            key_id,
            number,
            algorithm,
            residency: Residency::Database,
            origin,
            created_at,
            state: VersionState::Active,
            pin_holder_can_export: weak_token || !algorithm.hosted_by_hsm(),
            state_changed_at: None,
        }
    }
}
