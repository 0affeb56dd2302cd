//! Failed attempts to authenticate: counted per source address and per principal, and told apart above a limit.
//!
//! In: where a failed attempt came from, and whose credential it was if that is known. Out: the error for its caller. Called
//! after verification only, by [`super::credentials`], [`super::jwt`], [`super::ncloud`] and [`super::sigv4`]: a valid
//! credential never comes here, so nobody can lock others out by failing in their name or from their address.

use super::source::Source;
use crate::domain::id::PrincipalId;
use crate::service::error::ServiceError;
use crate::service::ports::Clock;
use crate::service::rate::RateLimit;
use crate::telemetry::metrics;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

const TOO_MANY: &str = "too many failed attempts to authenticate: try again in a minute";
const RETRY_AFTER_SECONDS: u32 = 60;

/// Counts failed attempts.
pub struct FailedAttempts(Option<Limits>);

struct Limits {
    sources: RateLimit<Source>,
    principals: RateLimit<PrincipalId>,
}

impl FailedAttempts {
    /// Lets this many attempts a minute fail as unauthenticated, per source and per principal; 0 = any number.
    #[must_use]
    pub fn new(per_minute: u32, clock: &Arc<dyn Clock>) -> Self {
        Self(NonZeroU32::new(per_minute).map(|per_minute| Limits {
            sources: RateLimit::per_minute(per_minute, clock),
            principals: RateLimit::per_minute(per_minute, clock),
        }))
    }

    /// Counts a failed attempt, and says how it ends.
    #[must_use]
    pub fn failed(&self, address: Option<IpAddr>, principal: Option<PrincipalId>) -> ServiceError {
        let within = self.0.as_ref().is_none_or(|limits| {
            // Both are counted, whatever the first says.
            let source = limits.sources.admits(&Source::of(address));
            let principal = principal.is_none_or(|id| limits.principals.admits(&id));
            source && principal
        });
        metrics::authentication_failed(!within);
        if within {
            return ServiceError::Unauthenticated;
        }
        ServiceError::Throttled { text: TOO_MANY, retry_after_s: RETRY_AFTER_SECONDS }
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
        FailedAttempts::new(per_minute, &(Arc::clone(clock) as Arc<dyn Clock>))
    }

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    fn principal(n: u8) -> Option<PrincipalId> {
        Some(PrincipalId::from_bytes([n; 16]))
    }

    fn throttled(error: &ServiceError) -> bool {
        match error {
            ServiceError::Throttled { text: TOO_MANY, retry_after_s: RETRY_AFTER_SECONDS } => true,
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
    fn zero_switches_the_limit_off() {
        let attempts = attempts(0, &clock());
        assert_eq!(until_throttled(|| attempts.failed(from("192.0.2.1"), principal(1))), 1000);
    }
}
