//! The IVs that a token has made lately, so that one that repeats itself is found.
//!
//! In: every IV that the token wrote into a buffer of ours, from whatever thread. Out: whether it can come from a working
//! generator. Only tokens that make IVs come here: where we draw them, nothing is shared on the way of a request.
//!
//! The limit: a repetition is found among the last [`REMEMBERED`] IVs of this process. Two processes on one token, and a
//! generator that repeats itself after more IVs than that, are not found. Keys are not told apart: a generator that
//! is at its start again after the token was restarted would give other keys the same IVs first.

use crate::domain::envelope::IV_BYTES;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many IVs are remembered: less than half a megabyte.
pub const REMEMBERED: usize = 8192;

/// An IV of AES-GCM.
type Iv = [u8; IV_BYTES];

/// The IVs that were made lately, oldest first.
#[derive(Default)]
pub struct MadeIvs(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    known: HashSet<Iv>,
    order: VecDeque<Iv>,
}

impl MadeIvs {
    /// Remembers an IV. False if it is all zero, as the buffer was handed in, or was made before.
    pub fn accept(&self, iv: Iv) -> bool {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if iv == [0; IV_BYTES] || !ring.known.insert(iv) {
            return false;
        }
        ring.order.push_back(iv);
        if ring.order.len() > REMEMBERED
            && let Some(oldest) = ring.order.pop_front()
        {
            ring.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iv(number: usize) -> Iv {
        let mut iv = [1; IV_BYTES];
        iv[..8].copy_from_slice(&number.to_be_bytes());
        iv
    }

    #[test]
    fn an_iv_that_was_not_made_or_is_repeated_is_not_accepted() {
        let made = MadeIvs::default();
        assert!(!made.accept([0; IV_BYTES]));
        assert!(made.accept(iv(1)) && made.accept(iv(2)));
        assert!(!made.accept(iv(1)));
    }

    #[test]
    fn no_more_ivs_than_the_limit_are_remembered() {
        let made = MadeIvs::default();
        assert!((0..=REMEMBERED).all(|number| made.accept(iv(number))));
        assert!(!made.accept(iv(1)), "the oldest but one");
        assert!(made.accept(iv(0)), "the oldest was forgotten");
        let ring = made.0.lock().unwrap();
        assert_eq!((ring.known.len(), ring.order.len()), (REMEMBERED, REMEMBERED));
    }
}
