//! Counting of GCM invocations per key material (NIST SP 800-38D, 8.3: at most 2^32 with random IVs).
//!
//! Invocations are leased from the store in blocks before they are made, so that a crash counts too many,
//! never too few. A block is leased ahead when a quarter is left, so that callers seldom wait for it.

use super::error::ServiceError;
use super::ports::Store;
use crate::domain::id::MaterialId;
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Mutex;

/// The limit of SP 800-38D, 8.3 for random 96-bit IVs.
pub const LIMIT: u64 = 1 << 32;
/// Where operators are warned and keys with a schedule are rotated.
pub const WARNING: u64 = 1 << 31;
const FIRST_BLOCK: u64 = 1 << 12;
const LARGEST_BLOCK: u64 = 1 << 18;
/// Counters kept in memory. One that falls out leases anew, which only counts too many.
const COUNTERS: u64 = 100_000;

/// All counters.
pub struct Invocations {
    store: Arc<dyn Store>,
    counters: Cache<MaterialId, Arc<Counter>>,
}

/// The counter of one material.
pub struct Counter {
    store: Arc<dyn Store>,
    material: MaterialId,
    remaining: AtomicU64,
    block: AtomicU64,
    over_warning: AtomicBool,
    leasing: Mutex<()>,
}

impl Invocations {
    /// No counters yet.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, counters: Cache::new(COUNTERS) }
    }

    /// The counter of a material. Reads nothing.
    pub fn counter(&self, material: MaterialId) -> Arc<Counter> {
        self.counters.get_with(material, || {
            Arc::new(Counter {
                store: Arc::clone(&self.store),
                material,
                remaining: AtomicU64::new(0),
                block: AtomicU64::new(FIRST_BLOCK),
                over_warning: AtomicBool::new(false),
                leasing: Mutex::new(()),
            })
        })
    }
}

impl Counter {
    /// Takes one invocation.
    ///
    /// # Errors
    /// [`ServiceError::InvocationLimit`] at 2^32; the store's errors while a block is leased.
    pub async fn take(self: &Arc<Self>) -> Result<(), ServiceError> {
        loop {
            match self.take_leased() {
                Some(left) => {
                    if left == self.block.load(Ordering::Relaxed) / 4 {
                        self.lease_ahead();
                    }
                    return Ok(());
                }
                None => self.lease_now().await?,
            }
        }
    }

    /// Whether the material has passed [`WARNING`].
    pub fn is_over_warning(&self) -> bool {
        self.over_warning.load(Ordering::Relaxed)
    }

    fn take_leased(&self) -> Option<u64> {
        let taken = self.remaining.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.ok().map(|before| before - 1)
    }

    fn lease_ahead(self: &Arc<Self>) {
        let counter = Arc::clone(self);
        let enough = self.block.load(Ordering::Relaxed) / 2;
        tokio::spawn(async move {
            if let Err(error) = counter.lease(enough).await {
                tracing::debug!(material = %counter.material, %error, "invocations could not be leased ahead");
            }
        });
    }

    /// Leases a block when there is none. A caller that goes away meanwhile must not waste the block.
    async fn lease_now(self: &Arc<Self>) -> Result<(), ServiceError> {
        let counter = Arc::clone(self);
        let leased = tokio::spawn(async move { counter.lease(0).await }).await;
        leased.map_err(|error| ServiceError::Bug(error.to_string()))?
    }

    /// Leases a block unless more than `enough` invocations are left by the time it is our turn.
    async fn lease(&self, enough: u64) -> Result<(), ServiceError> {
        let _turn = self.leasing.lock().await;
        if self.remaining.load(Ordering::Relaxed) > enough {
            return Ok(());
        }
        let block = self.block.load(Ordering::Relaxed);
        let lease = self.store.lease_invocations(self.material, block).await?;
        if lease.from >= LIMIT {
            return Err(ServiceError::InvocationLimit);
        }
        if lease.to >= WARNING && !self.over_warning.swap(true, Ordering::Relaxed) {
            tracing::warn!(material = %self.material, invocations = lease.to, limit = LIMIT,
                "key material nears its limit of encryptions: rotate the key");
        }
        self.block.store((block * 4).min(LARGEST_BLOCK), Ordering::Relaxed);
        self.remaining.fetch_add(lease.to.min(LIMIT) - lease.from, Ordering::Relaxed);
        Ok(())
    }
}
