//! Instants and periods.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The longest rotation, pending or expiry period that is accepted: 100 years of 365 days.
///
/// It keeps every instant that is computed from a caller's period inside [`Timestamp`]'s range.
pub const MAX_PERIOD: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// An instant in UTC, in microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 9999-12-30T00:00:00Z: no end that a caller chooses is later. RFC 3339 has four digits for the year, and libraries
    /// that print it keep the last day for offsets from UTC.
    pub const LATEST_END: Self = Self(253_402_128_000_000_000);

    /// An instant from microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This instant plus `period`, or the last representable instant if that is past it.
    #[must_use]
    pub fn plus(self, period: Duration) -> Self {
        let micros = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this instant is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}
