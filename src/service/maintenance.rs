//! What happens without being asked: rotations and destructions that are due, and the ends of those that a
//! crash cut off. Each step is durable before the next begins, so that a run may stop anywhere and the next
//! one goes on. One bad key never keeps the others from their turn.

use super::change::retried;
use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{BlobUpdate, Change, Due, Heartbeat, Stored};
use super::rotate_key::Trigger;
use crate::domain::error::StateError;
use crate::domain::id::{KeyId, MaterialId};
use crate::domain::key::{Key, KeyState};
use crate::domain::time::Timestamp;
use crate::domain::version::{KeyVersion, VersionState};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Rows of each kind that one run takes.
const BATCH: u32 = 200;
/// How often the erasure of copies is tried again while a reader is busy.
const ERASE_TRIES: u32 = 40;
const ERASE_PAUSE: Duration = Duration::from_millis(50);

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// Keys rotated by their schedule.
    pub rotated: u32,
    /// Versions whose destruction ended.
    pub destroyed: u32,
    /// Keys whose deletion became final.
    pub deleted: u32,
    /// Keys and versions that failed and will be tried again.
    pub failed: u32,
    /// Why destructions are held, if they are.
    pub held: Option<String>,
    /// When the next thing is due, as far as is known.
    pub next_due_at: Option<Timestamp>,
    /// Whether a batch was full, so that more may be due now.
    pub more: bool,
}

impl Kms {
    /// Does everything that is due, up to a batch of each kind.
    ///
    /// # Errors
    /// The store's, if it cannot even be asked what is due. Failures of single keys are logged and counted.
    pub async fn maintain(&self) -> Result<MaintenanceReport, ServiceError> {
        // What is due is judged by the instant that the clock guard has looked at, not by a later look at the clock.
        let Heartbeat { at: now, held, .. } = self.beat().await?;
        // Rows that keep failing must not fill the batch.
        let limit = BATCH + self.failing.load(Ordering::Relaxed);
        let due = self.store.due(now, limit).await?;
        let full = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut report = MaintenanceReport { held, ..MaintenanceReport::default() };
        report.more = due.rotations.len() >= full || due.destructions.len() >= full || due.deletions.len() >= full;
        self.rotate_due(&due, &mut report).await;
        // What has begun is finished also while destructions are held: it was decided before, and cannot be taken back.
        let due = match report.held {
            None => due,
            Some(_) => Due { destructions: Vec::new(), deletions: Vec::new(), ..due },
        };
        self.destroy_due(&due, now, &mut report).await?;
        self.store.forget_requests(now).await?;
        if let Err(error) = self.flush_uses().await {
            // Keys come first: they do not wait for this, and it is tried again the next time.
            let cause = error.cause().unwrap_or_default();
            tracing::warn!(%error, cause, "the last uses of credentials could not be written down");
        }
        report.next_due_at = self.store.next_due_after(now).await?;
        self.failing.store(report.failed, Ordering::Relaxed);
        *self.last_maintenance.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clock.now());
        Ok(report)
    }

    /// When the last run of maintenance ended: the sign that the scheduler lives.
    #[must_use]
    pub fn last_maintenance(&self) -> Option<Timestamp> {
        *self.last_maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a heartbeat: a real write, which also shows that the database works.
    ///
    /// # Errors
    /// The store's.
    pub async fn beat(&self) -> Result<Heartbeat, ServiceError> {
        let _turn = self.clock_guard.beating.lock().await;
        let stored = match self.clock_guard.last_beat() {
            Some(_) => None,
            None => self.store.heartbeat().await?,
        };
        let beat = self.clock_guard.observe(stored.as_ref(), self.clock.now(), self.clock.boot());
        self.store.beat(beat.clone()).await?;
        self.clock_guard.stored(beat.at);
        Ok(beat)
    }

    /// When the last heartbeat was stored by this process.
    #[must_use]
    pub fn last_beat(&self) -> Option<Timestamp> {
        self.clock_guard.last_beat()
    }

    /// Why destructions are held, if they are.
    #[must_use]
    pub fn destructions_held(&self) -> Option<String> {
        self.clock_guard.held()
    }

    /// Waits until a change may have moved the next due date.
    pub async fn schedule_changed(&self) {
        self.schedule_changed.notified().await;
    }

    /// The present, for who waits for a date.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn rotate_due(&self, due: &Due, report: &mut MaintenanceReport) {
        for key_id in &due.rotations {
            self.settle(*key_id, self.rotate_now(*key_id, Trigger::Schedule).await, report, |r| &mut r.rotated);
        }
        for key_id in self.take_overused() {
            self.settle(key_id, self.rotate_now(key_id, Trigger::Invocations).await, report, |r| &mut r.rotated);
        }
    }

    async fn rotate_now(&self, key_id: KeyId, trigger: Trigger<'_>) -> Result<(), ServiceError> {
        let key = self.stored_key(key_id).await?.value;
        if matches!(trigger, Trigger::Schedule) && !key.rotation_is_due(self.clock.now()) {
            return Err(StateError::NotDue.into());
        }
        self.rotate(key_id, key.default_algorithm, trigger).await.map(drop)
    }

    async fn destroy_due(&self, due: &Due, now: Timestamp, report: &mut MaintenanceReport) -> Result<(), ServiceError> {
        for key_id in &due.deletions {
            self.settle(*key_id, self.delete_for_good(*key_id, now).await, report, |r| &mut r.deleted);
        }
        let mut begun = due.unfinished_destructions.clone();
        for key_id in due.deletions.iter().chain(&due.unfinished_deletions) {
            match self.destroy_versions_of(*key_id).await {
                Ok(mut versions) => begun.append(&mut versions),
                Err(error) => self.failed(*key_id, &error, report),
            }
        }
        for (key_id, version_id) in &due.destructions {
            match self.begin_destruction(*key_id, *version_id, |version| version.begin_destruction(now)).await {
                Ok(()) => begun.push((*key_id, *version_id)),
                Err(error) => self.failed(*key_id, &error, report),
            }
        }
        if begun.is_empty() {
            return Ok(());
        }
        self.erase_copies().await?;
        for (key_id, version_id) in begun {
            let ended = self.end_destruction(key_id, version_id).await;
            self.settle(key_id, ended, report, |r| &mut r.destroyed);
        }
        Ok(())
    }

    /// With its aliases. One of them may be made to stand for another key at the same moment.
    async fn delete_for_good(&self, key_id: KeyId, now: Timestamp) -> Result<(), ServiceError> {
        retried(|| async {
            let lock = self.cache.lock(key_id).await;
            let Stored { value, row_seq } = self.stored_key(key_id).await?;
            let changes = self.deletion_changes(Stored { value: value.deleted(now)?, row_seq }).await?;
            self.commit_key(lock, key_id, None, changes).await
        })
        .await
    }

    /// The changes that make a deletion final: the deleted key, and its aliases.
    pub(super) async fn deletion_changes(&self, deleted: Stored<Key>) -> Result<Vec<Change>, ServiceError> {
        let mut changes = match self.aliases_removed(&deleted.value).await {
            // Nobody keeps a key from its destruction by changing an alias, which stands for nothing afterwards.
            Err(error @ ServiceError::Integrity(_)) => {
                let cause = error.cause().unwrap_or_default();
                tracing::error!(key = %deleted.value.id, %error, cause, "a key is deleted without its aliases");
                Vec::new()
            }
            found => found?,
        };
        changes.push(Change::UpdateKey(Box::new(deleted)));
        Ok(changes)
    }

    /// Destroys every version of a deleted key, from the first byte to the last copy.
    pub(super) async fn destroy_versions_for_good(&self, key_id: KeyId) -> Result<(), ServiceError> {
        let begun = self.destroy_versions_of(key_id).await?;
        self.erase_copies().await?;
        for (key_id, version_id) in begun {
            unless_done(self.end_destruction(key_id, version_id).await)?;
        }
        Ok(())
    }

    /// Begins the destruction of every version of a deleted key that still has its bytes.
    ///
    /// Nothing of a key that is not deleted: its deletion may have been taken back since the store was asked what
    /// is due, or have failed to become final, and the work list carries no MAC. A deleted key stays deleted, so that
    /// no lock is needed.
    async fn destroy_versions_of(&self, key_id: KeyId) -> Result<Vec<(KeyId, MaterialId)>, ServiceError> {
        if !matches!(self.stored_key(key_id).await?.value.state, KeyState::Deleted { .. }) {
            tracing::warn!(key = %key_id, "nothing is destroyed with a key that is not deleted");
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let mut begun = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.versions(key_id, after, BATCH).await?;
            for Stored { value: version, .. } in page.items {
                let gone = matches!(version.state, VersionState::Destroying { .. } | VersionState::Destroyed { .. });
                if !gone {
                    let destroying = |it: KeyVersion| it.begin_destruction_with_key(now);
                    unless_done(self.begin_destruction(key_id, version.id, destroying).await)?;
                    begun.push((key_id, version.id));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(begun);
            }
        }
    }

    async fn begin_destruction(
        &self,
        key_id: KeyId,
        version_id: MaterialId,
        begin: impl FnOnce(KeyVersion) -> Result<KeyVersion, StateError>,
    ) -> Result<(), ServiceError> {
        let lock = self.cache.lock(key_id).await;
        let Stored { value, row_seq } = self.stored_version(key_id, version_id).await?;
        let changed = Stored { value: begin(value)?, row_seq };
        let changes = vec![Change::UpdateVersion(Box::new(changed), BlobUpdate::Overwrite)];
        self.commit_key(lock, key_id, Some(version_id), changes).await
    }

    /// Empties the places where the database keeps copies of overwritten bytes. Until that succeeds, nothing
    /// is called destroyed.
    async fn erase_copies(&self) -> Result<(), ServiceError> {
        for _ in 1..ERASE_TRIES {
            if self.store.erase_copies().await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(ERASE_PAUSE).await;
        }
        Ok(self.store.erase_copies().await?)
    }

    async fn end_destruction(&self, key_id: KeyId, version_id: MaterialId) -> Result<(), ServiceError> {
        let lock = self.cache.lock(key_id).await;
        let Stored { value, row_seq } = self.stored_version(key_id, version_id).await?;
        let changed = Stored { value: value.end_destruction(self.clock.now())?, row_seq };
        let changes = vec![Change::UpdateVersion(Box::new(changed), BlobUpdate::Keep)];
        self.commit_key(lock, key_id, Some(version_id), changes).await?;
        tracing::info!(key = %key_id, version = %version_id, "key version destroyed");
        Ok(())
    }

    fn settle(
        &self,
        key_id: KeyId,
        result: Result<(), ServiceError>,
        report: &mut MaintenanceReport,
        count: impl FnOnce(&mut MaintenanceReport) -> &mut u32,
    ) {
        match result {
            Ok(()) => *count(report) += 1,
            Err(error) => self.failed(key_id, &error, report),
        }
    }

    fn failed(&self, key_id: KeyId, error: &ServiceError, report: &mut MaintenanceReport) {
        if matches!(error, ServiceError::State(_) | ServiceError::Conflict) {
            // Somebody else changed the key between the question and the turn: nothing is due any more.
            return;
        }
        report.failed += 1;
        let cause = error.cause().unwrap_or_default();
        tracing::error!(key = %key_id, %error, cause, "a due change failed and will be tried again");
    }
}

/// What somebody else did at the same moment is done: the scheduler and a deletion at once may work on the same versions.
fn unless_done(result: Result<(), ServiceError>) -> Result<(), ServiceError> {
    match result {
        Err(ServiceError::State(_) | ServiceError::Conflict) => Ok(()),
        other => other,
    }
}
