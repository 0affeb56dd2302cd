//! How many requests a principal may send, and how many may be made on a key.
//!
//! In: the id of a principal or key, for every request. Out: nothing, or [`ServiceError::Throttled`]. Called by the
//! frames of the use cases in `kms`. A limit that is off costs nothing; one that is on lets a second's worth of requests
//! through at once, and then as many as the limit says.

use super::error::ServiceError;
use super::kms::AccessSettings;
use super::ports::Clock;
use crate::domain::id::{KeyId, PrincipalId};
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// The most ids that a limit remembers. Whoever was quiet for longest is forgotten first.
const REMEMBERED: u64 = 100_000;
/// After a second without a request a bucket is as new, so that nothing is lost with it.
const IDLE: Duration = Duration::from_secs(60);

/// Both limits.
pub struct Limits {
    principals: Option<Limiter<PrincipalId>>,
    keys: Option<Limiter<KeyId>>,
}

impl Limits {
    /// The limits of these settings.
    pub fn new(settings: &AccessSettings, clock: &Arc<dyn Clock>) -> Self {
        let uptime = || Uptime(Arc::clone(clock));
        Self {
            principals: settings.requests_per_principal.map(|limit| Limiter::new(limit, REMEMBERED, uptime())),
            keys: settings.requests_per_key.map(|limit| Limiter::new(limit, REMEMBERED, uptime())),
        }
    }

    /// Counts a request of a principal, whatever will become of it.
    ///
    /// # Errors
    /// [`ServiceError::Throttled`] above the limit.
    pub fn count_request(&self, principal: PrincipalId) -> Result<(), ServiceError> {
        check(self.principals.as_ref(), principal, "too many requests of this principal: try again later")
    }

    /// Counts an allowed request on a key. Whoever may not use a key must not use up its limit.
    ///
    /// # Errors
    /// [`ServiceError::Throttled`] above the limit.
    pub fn count_use(&self, key: KeyId) -> Result<(), ServiceError> {
        check(self.keys.as_ref(), key, "too many requests on this key: try again later")
    }
}

fn check<K: Id>(limiter: Option<&Limiter<K>>, id: K, text: &'static str) -> Result<(), ServiceError> {
    match limiter {
        Some(limiter) if !limiter.admits(id) => Err(ServiceError::Throttled { text, retry_after_s: 1 }),
        _ => Ok(()),
    }
}

/// What can be counted.
trait Id: Hash + Eq + Copy + Send + Sync + 'static {}
impl Id for PrincipalId {}
impl Id for KeyId {}

/// The clock that never leaps: a changed wall clock neither opens nor closes a limit.
#[derive(Clone)]
struct Uptime(Arc<dyn Clock>);

impl GovernorClock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.boot().elapsed
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Uptime, NoOpMiddleware<Duration>>;

struct Limiter<K> {
    quota: Quota,
    clock: Uptime,
    buckets: Cache<K, Arc<Bucket>>,
}

impl<K: Id> Limiter<K> {
    fn new(per_second: NonZeroU32, remembered: u64, clock: Uptime) -> Self {
        // Least recently used: somebody new is always remembered, however busy the others are.
        let buckets =
            Cache::builder().max_capacity(remembered).eviction_policy(EvictionPolicy::lru()).time_to_idle(IDLE).build();
        Self { quota: Quota::per_second(per_second), clock, buckets }
    }

    fn admits(&self, id: K) -> bool {
        let fresh = || Arc::new(RateLimiter::direct_with_clock(self.quota, self.clock.clone()));
        self.buckets.get_with(id, fresh).check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::testing::ManualClock;

    const ONE: KeyId = KeyId::from_bytes([1; 16]);
    const OTHER: KeyId = KeyId::from_bytes([2; 16]);

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::at(Timestamp::from_micros(0)))
    }

    fn limits(clock: &Arc<ManualClock>, per_key: u32) -> Limits {
        let settings = AccessSettings { requests_per_key: NonZeroU32::new(per_key), ..AccessSettings::default() };
        Limits::new(&settings, &(Arc::clone(clock) as Arc<dyn Clock>))
    }

    #[test]
    fn a_second_has_as_many_requests_as_the_limit_says_and_each_id_has_its_own() {
        let clock = clock();
        let limits = limits(&clock, 4);
        for id in [ONE, OTHER] {
            let admitted = (0..10).filter(|_| limits.count_use(id).is_ok()).count();
            assert_eq!(admitted, 4);
        }
        clock.advance(Duration::from_millis(249));
        assert!(matches!(limits.count_use(ONE), Err(ServiceError::Throttled { .. })));
        clock.advance(Duration::from_millis(1));
        assert!(limits.count_use(ONE).is_ok() && limits.count_use(ONE).is_err());
        clock.advance(Duration::from_secs(3600));
        let admitted = (0..10).filter(|_| limits.count_use(ONE).is_ok()).count();
        assert_eq!(admitted, 4, "rest is not saved up");
    }

    #[test]
    fn a_leap_of_the_wall_clock_opens_no_limit() {
        let clock = clock();
        let limits = limits(&clock, 1);
        assert!(limits.count_use(ONE).is_ok());
        clock.leap(Duration::from_secs(3600));
        assert!(limits.count_use(ONE).is_err());
    }

    #[test]
    fn a_limit_that_is_off_refuses_nothing_and_remembers_nothing() {
        let limits = limits(&clock(), 0);
        assert!(limits.principals.is_none() && limits.keys.is_none());
        assert!((0..1000).all(|_| limits.count_use(ONE).is_ok()));
        assert!((0..1000).all(|_| limits.count_request(PrincipalId::from_bytes([1; 16])).is_ok()));
    }

    #[test]
    fn memory_is_bounded_and_whoever_came_last_is_remembered() {
        const MOST: u64 = 100;
        let limiter = Limiter::new(NonZeroU32::MIN, MOST, Uptime(clock()));
        let id = |number: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            KeyId::from_bytes(bytes)
        };
        for number in 0..10_000 {
            assert!(limiter.admits(id(number)));
        }
        limiter.buckets.run_pending_tasks();
        assert!(limiter.buckets.entry_count() <= MOST);
        assert!(!limiter.admits(id(9_999)), "the last one was forgotten");
    }
}
