//! Failed attempts to authenticate: counted per source address and per principal, and told apart above a limit.
//!
//! In: where a failed attempt came from, and whose credential it was if that is known. Out: the error for its caller. Called
//! after verification only, by [`super::credentials`] and [`super::jwt`]: a valid credential never comes here, so nobody
//! can lock others out by failing in their name or from their address.

use super::source::Source;
use crate::domain::id::PrincipalId;
use crate::service::error::ServiceError;
use crate::service::ports::Clock;
use crate::telemetry::metrics;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sources, and principals, that are counted one by one. Each takes about 50 bytes. All further ones share one counter until
/// others have been quiet for a minute.
const COUNTED_ONE_BY_ONE: usize = 50_000;
/// How often those are forgotten that have been quiet for a minute.
const SWEEP_SECONDS: u64 = 60;
/// How often that is tried when there are too many.
const CROWDED_SWEEP_SECONDS: u64 = 1;
const TOO_MANY: &str = "too many failed attempts to authenticate: try again in a minute";

/// Counts failed attempts.
pub struct FailedAttempts {
    clock: Arc<dyn Clock>,
    limits: Option<Limits>,
    /// Second of the boot clock.
    swept_at: AtomicU64,
}

struct Limits {
    sources: Limiter<Source>,
    principals: Limiter<PrincipalId>,
}

type Limiter<K> = RateLimiter<K, Bounded<K>, BootClock, NoOpMiddleware<std::time::Duration>>;

impl FailedAttempts {
    /// Lets this many attempts a minute fail as unauthenticated, per source and per principal; 0 = any number.
    #[must_use]
    pub fn new(per_minute: u32, clock: Arc<dyn Clock>) -> Self {
        let limits = NonZeroU32::new(per_minute).map(|per_minute| Limits {
            sources: limiter(per_minute, &clock, COUNTED_ONE_BY_ONE),
            principals: limiter(per_minute, &clock, COUNTED_ONE_BY_ONE),
        });
        Self { swept_at: AtomicU64::new(clock.boot().elapsed.as_secs()), clock, limits }
    }

    /// Counts a failed attempt, and says how it ends.
    #[must_use]
    pub fn failed(&self, address: Option<IpAddr>, principal: Option<PrincipalId>) -> ServiceError {
        let within = self.limits.as_ref().is_none_or(|limits| {
            self.sweep(limits);
            // Both are counted, whatever the first says.
            let source = limits.sources.check_key(&Source::of(address)).is_ok();
            let principal = principal.is_none_or(|id| limits.principals.check_key(&id).is_ok());
            source && principal
        });
        metrics::authentication_failed(!within);
        if within { ServiceError::Unauthenticated } else { ServiceError::Throttled(TOO_MANY) }
    }

    /// Forgets who has been quiet for a minute, now and then.
    fn sweep(&self, limits: &Limits) {
        let now = self.clock.boot().elapsed.as_secs();
        let last = self.swept_at.load(Ordering::Relaxed);
        let crowded = limits.sources.len().max(limits.principals.len()) >= COUNTED_ONE_BY_ONE;
        let interval = if crowded { CROWDED_SWEEP_SECONDS } else { SWEEP_SECONDS };
        let due = now.saturating_sub(last) >= interval;
        if due && self.swept_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            limits.sources.retain_recent();
            limits.principals.retain_recent();
        }
    }
}

fn limiter<K: Hash + Eq + Clone>(per_minute: NonZeroU32, clock: &Arc<dyn Clock>, most: usize) -> Limiter<K> {
    let state = Bounded { own: DashMapStateStore::default(), shared: InMemoryState::default(), most };
    RateLimiter::new(Quota::per_minute(per_minute), state, BootClock(Arc::clone(clock)))
}

/// The boot clock, which never leaps, as the library wants it.
struct BootClock(Arc<dyn Clock>);

impl GovernorClock for BootClock {
    type Instant = std::time::Duration;

    fn now(&self) -> Self::Instant {
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
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000)))
    }

    fn attempts(per_minute: u32, clock: &Arc<ManualClock>) -> FailedAttempts {
        FailedAttempts::new(per_minute, Arc::clone(clock) as Arc<dyn Clock>)
    }

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    fn principal(n: u8) -> Option<PrincipalId> {
        Some(PrincipalId::from_bytes([n; 16]))
    }

    fn throttled(error: &ServiceError) -> bool {
        match error {
            ServiceError::Throttled(TOO_MANY) => true,
            ServiceError::Unauthenticated => false,
            other => panic!("{other:?}"),
        }
    }

    /// How many attempts in a row end as unauthenticated before one is throttled.
    fn until_throttled(mut attempt: impl FnMut() -> ServiceError) -> usize {
        (0..1000).take_while(|_| !throttled(&attempt())).count()
    }

    #[test]
    fn attempts_above_the_limit_are_throttled_per_source() {
        let attempts = attempts(5, &clock());
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), None)), 5);
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.2"), None)), 5);
    }

    #[test]
    fn attempts_above_the_limit_are_throttled_per_principal_whatever_their_source() {
        let attempts = attempts(5, &clock());
        let mut host = 0;
        let mut attempt = |id| {
            host += 1;
            attempts.failed(Some(IpAddr::from([192, 0, 2, host])), id)
        };
        assert_eq!(until_throttled(|| attempt(principal(1))), 5);
        assert_eq!(until_throttled(|| attempt(principal(2))), 5);
    }

    #[test]
    fn an_attempt_that_its_source_has_throttled_counts_for_its_principal_too() {
        let attempts = attempts(5, &clock());
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), None)), 5);
        for _ in 0..3 {
            assert!(throttled(&attempts.failed(from("192.0.2.1"), principal(1))));
        }
        assert_eq!(until_throttled(|| attempts.failed(None, principal(1))), 2);
    }

    #[test]
    fn after_a_quiet_minute_all_attempts_are_back() {
        let clock = clock();
        let attempts = attempts(60, &clock);
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), None)), 60);
        clock.advance(SECOND);
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), None)), 1);
        clock.advance(60 * SECOND);
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), None)), 60);
    }

    #[test]
    fn a_leap_of_the_wall_clock_changes_nothing() {
        let clock = clock();
        let attempts = attempts(5, &clock);
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), None)), 5);
        clock.leap(3600 * SECOND);
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), None)), 0);
    }

    #[test]
    fn zero_switches_the_limit_off() {
        let attempts = attempts(0, &clock());
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), principal(1))), 1000);
    }

    #[test]
    fn when_the_counters_are_used_up_new_sources_share_one_and_old_ones_keep_theirs() {
        let clock: Arc<dyn Clock> = clock();
        let limiter = limiter::<u32>(NonZeroU32::new(3).unwrap(), &clock, 2);
        let passed = |key| (0..10).take_while(|_| limiter.check_key(&key).is_ok()).count();
        assert!(limiter.check_key(&1).is_ok());
        assert!(limiter.check_key(&2).is_ok());
        assert_eq!((passed(3), passed(4)), (3, 0), "two new keys share one counter");
        assert_eq!((passed(1), passed(2)), (2, 2));
        assert_eq!(limiter.len(), 2);
    }

    #[test]
    fn quiet_sources_are_forgotten() {
        let clock = clock();
        let attempts = attempts(5, &clock);
        for host in 0..100 {
            let _ = attempts.failed(Some(IpAddr::from([192, 0, 2, host])), principal(host));
        }
        let counted = || attempts.limits.as_ref().map(|limits| (limits.sources.len(), limits.principals.len()));
        assert_eq!(counted(), Some((100, 100)));
        clock.advance(120 * SECOND);
        let _ = attempts.failed(from("198.51.100.1"), None);
        assert_eq!(counted(), Some((1, 0)));
    }
}
