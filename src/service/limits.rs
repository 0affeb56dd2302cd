//! How many requests a principal may send, and how many may be made on a key.
//!
//! In: the id of a principal or key, for every request. Out: nothing, or [`ServiceError::Throttled`]. Called by the
//! frames of the use cases in `kms`. A limit that is off costs nothing.

use super::error::ServiceError;
use super::kms::AccessSettings;
use super::ports::Clock;
use super::rate::RateLimit;
use super::request::{Counted, RequestContext};
use crate::domain::access::Caller;
use crate::domain::id::{KeyId, PrincipalId};
use std::hash::Hash;
use std::sync::Arc;

/// Both limits.
pub struct Limits {
    principals: Option<RateLimit<PrincipalId>>,
    keys: Option<RateLimit<KeyId>>,
}

impl Limits {
    /// The limits of these settings.
    pub fn new(settings: &AccessSettings, clock: &Arc<dyn Clock>) -> Self {
        Self {
            principals: settings.requests_per_principal.map(|limit| RateLimit::per_second(limit, clock)),
            keys: settings.requests_per_key.map(|limit| RateLimit::per_second(limit, clock)),
        }
    }

    /// Counts a request for its principal, whatever will become of it, unless that was done when it came in.
    ///
    /// # Errors
    /// [`ServiceError::Throttled`] above the limit.
    pub fn count_request(&self, ctx: &RequestContext) -> Result<(), ServiceError> {
        if ctx.counted.is_done() { Ok(()) } else { self.count(ctx.caller.principal_id) }
    }

    /// Counts a request that has just come in.
    ///
    /// # Errors
    /// As [`count_request`](Self::count_request).
    pub fn count_incoming(&self, caller: &Caller) -> Result<Counted, ServiceError> {
        self.count(caller.principal_id).map(|()| Counted::done())
    }

    fn count(&self, principal: PrincipalId) -> Result<(), ServiceError> {
        check(self.principals.as_ref(), &principal, "too many requests of this principal: try again later")
    }

    /// Counts an allowed request on a key. Whoever may not use a key must not use up its limit.
    ///
    /// # Errors
    /// [`ServiceError::Throttled`] above the limit.
    pub fn count_use(&self, key: KeyId) -> Result<(), ServiceError> {
        check(self.keys.as_ref(), &key, "too many requests on this key: try again later")
    }
}

fn check<K: Hash + Eq + Clone>(limit: Option<&RateLimit<K>>, id: &K, text: &'static str) -> Result<(), ServiceError> {
    match limit {
        Some(limit) if !limit.admits(id) => Err(ServiceError::Throttled { text, retry_after_s: 1 }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::testing::ManualClock;
    use std::num::NonZeroU32;
    use std::time::Duration;

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
    fn a_limit_that_is_off_refuses_nothing_and_remembers_nothing() {
        let limits = limits(&clock(), 0);
        assert!(limits.principals.is_none() && limits.keys.is_none());
        assert!((0..1000).all(|_| limits.count_use(ONE).is_ok()));
        assert!((0..1000).all(|_| limits.count(PrincipalId::from_bytes([1; 16])).is_ok()));
    }
}
