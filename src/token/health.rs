//! One probe for all who doubt the token.
//!
//! In: waiters whose call failed with a code that says nothing. Out: a verdict of a probe that started after they
//! asked. Any number of waiters share one probe, so that a flood of bad ciphertexts costs one KEK operation at a
//! time, whatever its rate.

use crate::service::ports::TokenError;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// How many callers may wait for one probe.
const MAX_WAITERS: usize = 16_384;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The KEK wraps as it did at `init`.
    Well,
    /// It does not; what callers are told.
    Unwell(TokenError),
}

/// The waiting list of the next probe.
#[derive(Default)]
pub struct WaitingRoom {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiters: Vec<oneshot::Sender<Verdict>>,
    /// A probe is queued that has not started yet, so it will serve whoever joins now.
    queued: bool,
}

impl WaitingRoom {
    /// Joins the next probe. `order` is called if none is queued yet and must queue one.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if too many wait already.
    pub fn join(&self, order: impl FnOnce()) -> Result<oneshot::Receiver<Verdict>, TokenError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiters.len() >= MAX_WAITERS {
            return Err(TokenError::Unavailable("too many calls wait for a probe".to_owned()));
        }
        let (sender, receiver) = oneshot::channel();
        state.waiters.push(sender);
        let first = !std::mem::replace(&mut state.queued, true);
        drop(state);
        if first {
            order();
        }
        Ok(receiver)
    }

    /// Begins a probe: takes everybody who joined before it.
    pub fn begin(&self) -> Vec<oneshot::Sender<Verdict>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.queued = false;
        std::mem::take(&mut state.waiters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_that_join_before_the_start_share_one_probe() {
        let room = WaitingRoom::default();
        let mut orders = 0;
        for _ in 0..3 {
            room.join(|| orders += 1).unwrap();
        }
        assert_eq!(orders, 1);
        assert_eq!(room.begin().len(), 3);
    }

    #[test]
    fn a_caller_that_joins_after_the_start_gets_a_probe_of_its_own() {
        let room = WaitingRoom::default();
        let mut orders = 0;
        let mut early = room.join(|| orders += 1).unwrap();
        let running = room.begin();
        let mut late = room.join(|| orders += 1).unwrap();
        assert_eq!(orders, 2);
        for waiter in running {
            waiter.send(Verdict::Well).unwrap();
        }
        assert_eq!(early.try_recv(), Ok(Verdict::Well));
        assert!(late.try_recv().is_err());
    }
}
