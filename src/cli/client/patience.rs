//! How long a throttled request is waited for before the caller is told.

use std::time::Duration;

/// How often a request is sent again.
const AGAIN: u32 = 3;
/// The longest wait for one request, all its waits together.
const LONGEST: Duration = Duration::from_secs(5);
/// The wait if the server names none.
const USUAL: Duration = Duration::from_secs(1);

/// What is left of the patience with one request.
pub struct Patience {
    again: u32,
    left: Duration,
}

impl Patience {
    /// All of it.
    pub const fn new() -> Self {
        Self { again: AGAIN, left: LONGEST }
    }

    /// How long to wait before the request is sent again, by the answer's status and `retry-after`; `None` if this
    /// answer is the last.
    pub fn wait(&mut self, status: u16, retry_after: Option<&str>) -> Option<Duration> {
        if status != 429 || self.again == 0 {
            return None;
        }
        let wait = retry_after.and_then(|text| text.parse().ok()).map_or(USUAL, Duration::from_secs);
        // Another try before the time that the server named would only be refused.
        self.left = self.left.checked_sub(wait)?;
        self.again -= 1;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tries_and_five_seconds_are_all() {
        let waits = |retry_after: Option<&str>| -> Vec<u64> {
            let mut patience = Patience::new();
            std::iter::from_fn(|| patience.wait(429, retry_after)).map(|wait| wait.as_secs()).collect()
        };
        assert_eq!(waits(Some("0")), [0, 0, 0]);
        assert_eq!(waits(Some("1")), [1, 1, 1]);
        assert_eq!(waits(Some("2")), [2, 2]);
        assert_eq!(waits(Some("6")), Vec::<u64>::new());
        assert_eq!(waits(Some("18446744073709551615")), Vec::<u64>::new());
        assert_eq!(waits(None), [1, 1, 1]);
        assert_eq!(waits(Some("Sun, 06 Nov 1994 08:49:37 GMT")), [1, 1, 1]);
    }

    #[test]
    fn only_throttling_is_waited_for() {
        for status in [200, 400, 409, 500, 503] {
            assert_eq!(Patience::new().wait(status, Some("1")), None);
        }
    }
}
