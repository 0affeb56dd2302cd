//! The gate between calls and the library: open while the token is in use, closed while the library is started anew.
//!
//! Every call into the library holds the gate's shared side. The recovery closes the gate, waits until the last call
//! has left and only then finalizes the library, because PKCS#11 leaves it undefined what C_Finalize does to
//! calls that are under way (section 5.4), and because a handle or session number of the old generation may
//! stand for something else in the new one. Callers never wait here: a closed gate is an error at once.

use super::live::Live;
use crate::service::ports::TokenError;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::Duration;

/// How often a closing gate looks whether the last call has left.
const DRAIN_POLL: Duration = Duration::from_millis(5);

const OPEN: u8 = 0;
const RECOVERING: u8 = 1;
const CONDEMNED: u8 = 2;
const CLOSED: u8 = 3;

/// The gate.
pub struct Gate {
    phase: AtomicU8,
    /// More calls hang than are allowed.
    stuck: AtomicBool,
    generation: AtomicU64,
    live: RwLock<Option<Live>>,
    refusal: Mutex<TokenError>,
}

/// The right to call the library.
pub struct Pass<'a>(RwLockReadGuard<'a, Option<Live>>);

impl Gate {
    /// An open gate.
    pub fn new(live: Live) -> Self {
        Self {
            phase: AtomicU8::new(OPEN),
            stuck: AtomicBool::new(false),
            generation: AtomicU64::new(live.generation),
            live: RwLock::new(Some(live)),
            refusal: Mutex::new(TokenError::Unavailable("it is being recovered".to_owned())),
        }
    }

    /// The module generation: counts the starts of the library.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether calls are let in.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] or [`TokenError::Untrusted`] with the reason.
    pub fn ready(&self) -> Result<(), TokenError> {
        if self.phase.load(Ordering::Acquire) == OPEN && !self.stuck.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(self.refusal())
    }

    /// Lets a call in.
    ///
    /// # Errors
    /// As [`ready`](Self::ready), except that calls of other sessions do not matter here.
    pub fn enter(&self) -> Result<Pass<'_>, TokenError> {
        if self.phase.load(Ordering::Acquire) != OPEN {
            return Err(self.refusal());
        }
        match self.live.try_read() {
            Ok(live) if live.is_some() => Ok(Pass(live)),
            Err(TryLockError::Poisoned(live)) if live.get_ref().is_some() => Ok(Pass(live.into_inner())),
            _ => Err(self.refusal()),
        }
    }

    /// Closes the gate because the token of this generation is lost. False if that was known already.
    pub fn lose(&self, generation: u64, refusal: TokenError) -> bool {
        if self.generation() != generation {
            return false;
        }
        let closed = self.phase.compare_exchange(OPEN, RECOVERING, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if closed {
            self.explain(refusal);
        }
        closed
    }

    /// Closes the gate until the process is started anew: what happened needs an operator.
    pub fn condemn(&self, refusal: TokenError) {
        self.explain(refusal);
        self.phase.store(CONDEMNED, Ordering::Release);
    }

    /// Closes the gate for good.
    pub fn close(&self) {
        self.explain(TokenError::Unavailable("it was closed".to_owned()));
        self.phase.store(CLOSED, Ordering::Release);
    }

    /// Opens the gate to a new generation.
    pub fn reopen(&self, live: Live) {
        let generation = live.generation;
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(live);
        self.generation.store(generation, Ordering::Release);
        // A gate that was condemned or closed meanwhile stays shut.
        let _ = self.phase.compare_exchange(RECOVERING, OPEN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Waits until the last call has left, at most `patience`. The gate must be closed.
    pub fn drain(&self, patience: Duration) -> Option<RwLockWriteGuard<'_, Option<Live>>> {
        let polls = patience.as_millis() / DRAIN_POLL.as_millis();
        for _ in 0..=polls {
            match self.live.try_write() {
                Ok(live) => return Some(live),
                Err(TryLockError::Poisoned(live)) => return Some(live.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(DRAIN_POLL),
            }
        }
        None
    }

    /// Sets what callers are told while the gate is shut. What condemned the token stays.
    pub fn explain(&self, refusal: TokenError) {
        if self.phase.load(Ordering::Acquire) != CONDEMNED {
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
        }
    }

    /// Sets or clears "more calls hang than are allowed".
    pub fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Relaxed);
    }

    fn refusal(&self) -> TokenError {
        match self.phase.load(Ordering::Acquire) {
            OPEN => TokenError::Unavailable("too many calls hang".to_owned()),
            _ => self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Pass<'_> {
    /// The running library.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if there is none, which [`Gate::enter`] has excluded.
    pub fn live(&self) -> Result<&Live, TokenError> {
        self.0.as_ref().ok_or_else(|| TokenError::Unavailable("the library is not started".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> TokenError {
        TokenError::Unavailable("lost".to_owned())
    }

    #[test]
    fn only_the_first_loss_of_a_generation_closes_the_gate() {
        let gate = Gate::new(Live::without_keys(1));
        assert!(gate.lose(1, lost()));
        assert!(!gate.lose(1, lost()));
        assert_eq!(gate.ready(), Err(lost()));
        drop(gate.drain(Duration::ZERO));
        gate.reopen(Live::without_keys(2));
        assert!(gate.ready().is_ok());
        assert!(!gate.lose(1, lost()), "a late report of the generation before");
        assert!(gate.lose(2, lost()));
    }

    #[test]
    fn the_gate_is_not_drained_while_a_call_is_inside() {
        let gate = Gate::new(Live::without_keys(1));
        let pass = gate.enter().unwrap_or_else(|_| panic!("an open gate"));
        gate.lose(1, lost());
        assert!(gate.drain(Duration::ZERO).is_none());
        assert!(gate.enter().is_err());
        drop(pass);
        assert!(gate.drain(Duration::ZERO).is_some());
    }

    #[test]
    fn a_condemned_token_is_not_opened_again() {
        let gate = Gate::new(Live::without_keys(1));
        gate.lose(1, lost());
        let untrusted = TokenError::Untrusted("it lies".to_owned());
        gate.condemn(untrusted.clone());
        gate.explain(lost());
        gate.reopen(Live::without_keys(2));
        assert_eq!(gate.ready(), Err(untrusted));
    }
}
