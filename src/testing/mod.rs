//! What tests of several layers share. Nothing here stands in for a token or a database: those are real.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod mutate;
pub mod signer;

use crate::domain::time::Timestamp;
use crate::service::ports::{BootInstant, Clock};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A clock that moves when a test says so: years pass in milliseconds.
pub struct ManualClock {
    state: Mutex<(Timestamp, BootInstant)>,
}

impl ManualClock {
    /// A clock that stands at `at`, on the first boot of its machine.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        let boot = BootInstant { boot_id: "first".into(), elapsed: Duration::from_secs(60) };
        Self { state: Mutex::new((at, boot)) }
    }

    fn state(&self) -> MutexGuard<'_, (Timestamp, BootInstant)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass.
    pub fn advance(&self, period: Duration) {
        let mut state = self.state();
        state.0 = state.0.plus(period);
        state.1.elapsed += period;
    }

    /// Sets the wall clock forward without letting time pass.
    pub fn leap(&self, period: Duration) {
        let mut state = self.state();
        state.0 = state.0.plus(period);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state().0
    }

    fn boot(&self) -> BootInstant {
        self.state().1.clone()
    }
}
