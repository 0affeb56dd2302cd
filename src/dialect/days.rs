//! Periods in whole days, as AWS and Ncloud have them.

use std::time::Duration;

/// Seconds of a day.
pub const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// A number of days.
#[must_use]
pub const fn days(days: u64) -> Duration {
    Duration::from_secs(days.saturating_mul(SECONDS_PER_DAY))
}

/// A period in days, rounded up: what lasts a little more than a day is not over after one.
#[must_use]
pub const fn whole_days(period: Duration) -> u64 {
    let begun = period.subsec_nanos() > 0;
    (period.as_secs() + begun as u64).div_ceil(SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_rounded_up_to_whole_days() {
        let day = days(1);
        for (period, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (day, 1),
            (day + Duration::from_nanos(1), 2),
            (day * 2 - Duration::from_nanos(1), 2),
            (days(730), 730),
        ] {
            assert_eq!(whole_days(period), expected, "{period:?}");
        }
    }
}
