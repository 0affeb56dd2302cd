//! What the running token counts, for metrics and tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one cache.
#[derive(Debug, Default)]
pub struct CacheCounters {
    /// Look-ups that found a value.
    pub hits: AtomicU64,
    /// Look-ups that had to load or wait for a load.
    pub misses: AtomicU64,
    /// Values that made room for others.
    pub evictions: AtomicU64,
}

/// Counters of the token.
#[derive(Debug, Default)]
pub struct Counters {
    /// The cache of unwrapped keys in the token.
    pub handles: Arc<CacheCounters>,
    /// The cache of software keys in this process.
    pub software: Arc<CacheCounters>,
    /// Keys unwrapped in the token.
    pub unwraps: AtomicU64,
    /// Session keys destroyed in the token.
    pub destroys: AtomicU64,
    /// Probes that were run.
    pub probes: AtomicU64,
    /// Calls that did not return within the deadline, ever.
    pub hung_calls: AtomicU64,
    /// Calls that have not returned yet though their deadline is over.
    pub hung_now: AtomicU64,
    /// Times the library was started anew.
    pub recoveries: AtomicU64,
    /// Data sessions that were closed and opened again after an error.
    pub reopened_sessions: AtomicU64,
    /// Threads that ended in a panic, and were replaced.
    pub crashed_threads: AtomicU64,
    /// Times the token had no room for a key.
    pub exhaustions: AtomicU64,
}

/// A reading of all counters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenStats {
    /// Look-ups of unwrapped keys that found one.
    pub cache_hits: u64,
    /// Look-ups of unwrapped keys that had to unwrap or wait for it.
    pub cache_misses: u64,
    /// Unwrapped keys that made room for others.
    pub cache_evictions: u64,
    /// Look-ups of software keys that found one.
    pub software_hits: u64,
    /// Look-ups of software keys that had to decrypt or wait for it.
    pub software_misses: u64,
    /// Keys unwrapped in the token.
    pub unwraps: u64,
    /// Session keys destroyed in the token.
    pub destroys: u64,
    /// Probes that were run.
    pub probes: u64,
    /// Calls that did not return within the deadline, ever.
    pub hung_calls: u64,
    /// Calls that have not returned yet though their deadline is over.
    pub hung_now: u64,
    /// Times the library was started anew.
    pub recoveries: u64,
    /// Data sessions that were closed and opened again after an error.
    pub reopened_sessions: u64,
    /// Threads that ended in a panic, and were replaced.
    pub crashed_threads: u64,
    /// Times the token had no room for a key.
    pub exhaustions: u64,
    /// The module generation: 1 at the start, one more with each recovery.
    pub generation: u64,
}

impl Counters {
    /// Reads all counters.
    #[must_use]
    pub fn read(&self, generation: u64) -> TokenStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TokenStats {
            cache_hits: of(&self.handles.hits),
            cache_misses: of(&self.handles.misses),
            cache_evictions: of(&self.handles.evictions),
            software_hits: of(&self.software.hits),
            software_misses: of(&self.software.misses),
            unwraps: of(&self.unwraps),
            destroys: of(&self.destroys),
            probes: of(&self.probes),
            hung_calls: of(&self.hung_calls),
            hung_now: of(&self.hung_now),
            recoveries: of(&self.recoveries),
            reopened_sessions: of(&self.reopened_sessions),
            crashed_threads: of(&self.crashed_threads),
            exhaustions: of(&self.exhaustions),
            generation,
        }
    }
}

/// Counts one.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
