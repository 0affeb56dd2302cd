//! Holds destructions while the wall clock cannot be believed.
//!
//! Destruction cannot be taken back, so a clock that was set forward must not cause it. Wall clock and boot
//! clock must advance together; across a reboot, where they cannot be compared, the wall clock must not be
//! further than the allowed leap from the last durable heartbeat. A hold is durable and ends only by an
//! operator's word.

use super::ports::{BootInstant, Heartbeat};
use crate::domain::time::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The reference that the clocks are compared with.
pub struct ClockGuard {
    max_leap: Duration,
    state: Mutex<State>,
    /// Held while a heartbeat is made and stored, so that an older one cannot overwrite a confirmation.
    pub beating: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    base: Option<(Timestamp, BootInstant)>,
    held: Option<String>,
    last_beat: Option<Timestamp>,
}

impl ClockGuard {
    /// A guard that knows nothing yet. A `max_leap` of zero never holds.
    pub fn new(max_leap: Duration) -> Self {
        Self { max_leap, state: Mutex::new(State::default()), beating: tokio::sync::Mutex::new(()) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the clocks with the reference; the first call takes it from the last durable heartbeat.
    /// Returns the heartbeat to be stored now.
    pub fn observe(&self, stored: Option<&Heartbeat>, at: Timestamp, boot: BootInstant) -> Heartbeat {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.base.is_none() {
            state.base = Some(stored.map_or_else(|| (at, boot.clone()), |beat| (beat.at, beat.boot.clone())));
            state.held = stored.and_then(|beat| beat.held.clone());
        }
        if let Some((base_at, base_boot)) = &state.base {
            let leap = leap(*base_at, base_boot, at, &boot);
            if !self.max_leap.is_zero() && leap > self.max_leap && state.held.is_none() {
                let seconds = leap.as_secs();
                state.held = Some(format!("the wall clock leapt by {seconds} s against the expected time"));
                tracing::error!(leap_seconds = seconds, "destructions are held until an operator confirms the clock");
            }
            if base_boot.boot_id != boot.boot_id {
                state.base = Some((at, boot.clone()));
            }
        }
        Heartbeat { at, boot, held: state.held.clone() }
    }

    /// Ends a hold and takes the clocks of this moment as the new reference.
    pub fn confirm(&self, at: Timestamp, boot: BootInstant) -> Heartbeat {
        let mut state = self.state();
        state.held = None;
        state.base = Some((at, boot.clone()));
        Heartbeat { at, boot, held: None }
    }

    /// Remembers that a heartbeat was stored.
    pub fn stored(&self, at: Timestamp) {
        self.state().last_beat = Some(at);
    }

    /// When the last heartbeat was stored by this process.
    pub fn last_beat(&self) -> Option<Timestamp> {
        self.state().last_beat
    }

    /// Why destructions are held, if they are.
    pub fn held(&self) -> Option<String> {
        self.state().held.clone()
    }
}

/// How far the wall clock is from where it should be.
fn leap(base_at: Timestamp, base_boot: &BootInstant, at: Timestamp, boot: &BootInstant) -> Duration {
    let expected = if base_boot.boot_id == boot.boot_id {
        base_at.plus(boot.elapsed.saturating_sub(base_boot.elapsed))
    } else {
        base_at
    };
    at.since(expected).max(expected.since(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn boot(id: &str, elapsed: Duration) -> BootInstant {
        BootInstant { boot_id: id.into(), elapsed }
    }

    fn at(elapsed: Duration) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000).plus(elapsed)
    }

    #[test]
    fn clocks_that_advance_together_hold_nothing() {
        let guard = ClockGuard::new(HOUR);
        guard.observe(None, at(Duration::ZERO), boot("a", HOUR));
        let beat = guard.observe(None, at(HOUR * 1000), boot("a", HOUR * 1001));
        assert_eq!(beat.held, None);
    }

    #[test]
    fn a_leap_in_either_direction_holds_until_it_is_confirmed() {
        for (wall, ticks) in [(HOUR * 3, HOUR), (HOUR, HOUR * 3)] {
            let guard = ClockGuard::new(HOUR);
            guard.observe(None, at(Duration::ZERO), boot("a", Duration::ZERO));
            assert!(guard.observe(None, at(wall), boot("a", ticks)).held.is_some());
            assert!(guard.observe(None, at(ticks), boot("a", ticks)).held.is_some(), "a hold does not end by itself");
            assert_eq!(guard.confirm(at(wall), boot("a", ticks)).held, None);
            assert_eq!(guard.observe(None, at(wall), boot("a", ticks)).held, None);
        }
    }

    #[test]
    fn many_small_leaps_add_up() {
        let guard = ClockGuard::new(HOUR);
        let held = (0..4u32).map(|step| guard.observe(None, at(HOUR / 2 * step), boot("a", Duration::ZERO)).held);
        assert!(held.last().flatten().is_some());
    }

    #[test]
    fn a_restart_is_compared_with_the_last_durable_heartbeat() {
        let stored = Heartbeat { at: at(Duration::ZERO), boot: boot("a", Duration::ZERO), held: None };
        let same_boot = ClockGuard::new(HOUR);
        assert_eq!(same_boot.observe(Some(&stored), at(HOUR * 50), boot("a", HOUR * 50)).held, None);
        let other_boot = ClockGuard::new(HOUR);
        assert!(other_boot.observe(Some(&stored), at(HOUR * 50), boot("b", Duration::ZERO)).held.is_some());
        let back_in_time = ClockGuard::new(HOUR);
        assert!(back_in_time.observe(Some(&stored), at(Duration::ZERO), boot("a", HOUR * 2)).held.is_some());
    }

    #[test]
    fn a_hold_survives_a_restart_and_zero_switches_the_guard_off() {
        let stored = Heartbeat { at: at(HOUR), boot: boot("a", HOUR), held: Some("before".into()) };
        let guard = ClockGuard::new(HOUR);
        assert_eq!(guard.observe(Some(&stored), at(HOUR), boot("a", HOUR)).held.as_deref(), Some("before"));
        let off = ClockGuard::new(Duration::ZERO);
        off.observe(None, at(Duration::ZERO), boot("a", Duration::ZERO));
        assert_eq!(off.observe(None, at(HOUR * 999), boot("a", Duration::ZERO)).held, None);
    }
}
