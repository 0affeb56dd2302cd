//! How often something may happen, counted per key in bounded memory.
//!
//! In: a key, each time that it happens. Out: whether that is within the limit. Called by `limits` for requests and by
//! `auth` for failed attempts to authenticate. A limit lets through at once what it allows in its whole period, and then
//! as many as it says. It goes by the clock that never leaps: a changed wall clock neither opens nor closes it.

use super::ports::Clock;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Keys that are counted one by one. Each takes about 50 bytes. All further ones share one counter until others have been
/// quiet for the limit's period: nobody can make a counter be forgotten by using up the others.
const COUNTED_ONE_BY_ONE: usize = 100_000;
/// How often quiet keys are forgotten.
const SWEEP_SECONDS: u64 = 10;

/// A limit, the same for every key.
pub struct RateLimit<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, Bounded<K>, Uptime, NoOpMiddleware<Duration>>,
    clock: Uptime,
    /// Second of the boot clock.
    swept_at: AtomicU64,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// This many a second.
    #[must_use]
    pub fn per_second(most: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        Self::new(Quota::per_second(most), clock, COUNTED_ONE_BY_ONE)
    }

    /// This many a minute.
    #[must_use]
    pub fn per_minute(most: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        Self::new(Quota::per_minute(most), clock, COUNTED_ONE_BY_ONE)
    }

    fn new(quota: Quota, clock: &Arc<dyn Clock>, counted_one_by_one: usize) -> Self {
        let clock = Uptime(Arc::clone(clock));
        let (own, shared) = (DashMapStateStore::default(), InMemoryState::default());
        let state = Bounded { own, shared, most: counted_one_by_one };
        let swept_at = AtomicU64::new(clock.now().as_secs());
        Self { limiter: RateLimiter::new(quota, state, clock.clone()), clock, swept_at }
    }

    /// Counts, and says whether it is within the limit.
    pub fn admits(&self, key: &K) -> bool {
        self.sweep();
        self.limiter.check_key(key).is_ok()
    }

    /// Forgets who was quiet, now and then.
    fn sweep(&self) {
        let now = self.clock.now().as_secs();
        let last = self.swept_at.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= SWEEP_SECONDS;
        if due && self.swept_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.limiter.retain_recent();
        }
    }
}

/// The boot clock as the library wants it.
#[derive(Clone)]
struct Uptime(Arc<dyn Clock>);

impl GovernorClock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.boot().elapsed
    }
}

/// Counters of up to `most` keys, and one for all others. Threads that add keys at the same moment may pass it by a few.
struct Bounded<K: Hash + Eq + Clone> {
    own: DashMapStateStore<K>,
    shared: InMemoryState,
    most: usize,
}

impl<K: Hash + Eq + Clone> StateStore for Bounded<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if self.own.contains_key(key) || self.own.len() < self.most {
            self.own.measure_and_replace(key, f)
        } else {
            self.shared.measure_and_replace(&NotKeyed::NonKey, f)
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Bounded<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        ShrinkableKeyedStateStore::retain_recent(&self.own, drop_below);
    }

    fn shrink_to_fit(&self) {
        self.own.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.own.len()
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::testing::ManualClock;

    const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::at(Timestamp::from_micros(0)))
    }

    fn limit(clock: &Arc<ManualClock>, counted_one_by_one: usize) -> RateLimit<u32> {
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        RateLimit::new(Quota::per_minute(THREE), &clock, counted_one_by_one)
    }

    fn admitted(limit: &RateLimit<u32>, key: u32) -> usize {
        (0..10).filter(|_| limit.admits(&key)).count()
    }

    #[test]
    fn when_the_counters_are_used_up_new_keys_share_one_and_old_ones_keep_theirs() {
        let limit = limit(&clock(), 2);
        assert!(limit.admits(&1) && limit.admits(&2));
        assert_eq!((admitted(&limit, 3), admitted(&limit, 4)), (3, 0), "two new keys share one counter");
        assert_eq!((admitted(&limit, 1), admitted(&limit, 2)), (2, 2));
        assert_eq!(limit.limiter.len(), 2);
    }

    #[test]
    fn quiet_keys_are_forgotten_and_busy_ones_are_not() {
        let clock = clock();
        let limit = limit(&clock, 100);
        assert!((0..100).all(|key| limit.admits(&key)));
        clock.advance(Duration::from_secs(50));
        assert_eq!((admitted(&limit, 7), limit.limiter.len()), (3, 1));
        clock.advance(Duration::from_secs(10));
        assert_eq!((admitted(&limit, 7), limit.limiter.len()), (0, 1));
    }

    #[test]
    fn once_others_are_quiet_a_new_key_has_a_counter_of_its_own() {
        let clock = clock();
        let limit = limit(&clock, 1);
        assert!(limit.admits(&1));
        assert_eq!((admitted(&limit, 2), admitted(&limit, 3)), (3, 0));
        clock.advance(Duration::from_secs(120));
        assert_eq!((admitted(&limit, 2), limit.limiter.len()), (3, 1));
    }

    #[test]
    fn a_leap_of_the_wall_clock_opens_no_limit() {
        let clock = clock();
        let limit = limit(&clock, 100);
        assert_eq!(admitted(&limit, 1), 3);
        clock.leap(Duration::from_secs(3600));
        assert_eq!(admitted(&limit, 1), 0);
    }
}
