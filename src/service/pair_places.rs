//! Places for requests that wait for a data key pair or are served with one: each takes up to seconds of a processor.
//!
//! In: the principal that asks. Out: a place, held until it is dropped, or [`ServiceError::Throttled`]. Called by
//! `data_key_pair`. The token decides how many pairs are made at once; here is decided who may wait for that.
//!
//! A place ends with its request. A pair whose request has gone away is made to its end all the same, so that there may be
//! one pair more under way for each processor that makes them.

use super::error::ServiceError;
use crate::domain::id::PrincipalId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All places. The largest pairs take 1 to 2 seconds each, on a busy machine twice as long: where one is made at a time,
/// the last in the queue is served after 8 to 30 seconds, within the default of `server.request_timeout`.
const PLACES: usize = 8;
/// Places of one principal: nobody takes the pairs from everybody else alone, nor do two or three together.
const SHARE: usize = 2;
const _: () = assert!(SHARE * 4 <= PLACES);

/// After about this time a place is free again, in seconds.
const RETRY_AFTER_S: u32 = 2;

/// The places.
#[derive(Default)]
pub struct PairPlaces {
    /// How many places each principal has. Who has none is not in it.
    taken: Mutex<HashMap<PrincipalId, usize>>,
}

/// One place. Dropped, it is free again.
pub struct PairPlace<'a> {
    places: &'a PairPlaces,
    principal: PrincipalId,
}

impl PairPlaces {
    /// A place for one request, without waiting.
    ///
    /// # Errors
    /// [`ServiceError::Throttled`] if the principal has its share, or all places are taken.
    pub fn take(&self, principal: PrincipalId) -> Result<PairPlace<'_>, ServiceError> {
        let mut taken = self.taken();
        let own = taken.get(&principal).copied().unwrap_or(0);
        if own >= SHARE {
            return Err(throttled("too many data key pairs are being made for this principal: try again later"));
        }
        if taken.values().sum::<usize>() >= PLACES {
            return Err(throttled("too many data key pairs are being made: try again later"));
        }
        taken.insert(principal, own + 1);
        Ok(PairPlace { places: self, principal })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<PrincipalId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PairPlace<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(own) = taken.get_mut(&self.principal) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.principal);
            }
        }
    }
}

const fn throttled(text: &'static str) -> ServiceError {
    ServiceError::Throttled { text, retry_after_s: RETRY_AFTER_S }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn principal(number: u8) -> PrincipalId {
        PrincipalId::from_bytes([number; 16])
    }

    fn refusal(taken: Result<PairPlace<'_>, ServiceError>) -> String {
        match taken {
            Err(ServiceError::Throttled { text, retry_after_s: RETRY_AFTER_S }) => text.to_owned(),
            Err(other) => unreachable!("{other:?}"),
            Ok(_) => unreachable!("there was no place left"),
        }
    }

    #[test]
    fn one_principal_has_its_share_and_leaves_the_rest_to_others() {
        let places = PairPlaces::default();
        let own: Vec<_> = (0..SHARE).map(|_| places.take(principal(1)).unwrap()).collect();
        assert!(refusal(places.take(principal(1))).contains("for this principal"));
        let others: Vec<_> = (2..).take(PLACES - SHARE).map(|number| places.take(principal(number)).unwrap()).collect();
        assert!(refusal(places.take(principal(100))).contains("being made: "), "all places are taken");
        drop(others);
        assert!(refusal(places.take(principal(1))).contains("for this principal"));
        drop(own);
        assert!(places.take(principal(1)).is_ok());
    }

    #[test]
    fn a_place_that_is_given_back_is_free_at_once_and_nobody_is_remembered() {
        let places = PairPlaces::default();
        for _ in 0..100 {
            let own: Vec<_> = (0..SHARE).map(|_| places.take(principal(1)).unwrap()).collect();
            assert_eq!(places.taken().len(), 1);
            drop(own);
            assert!(places.taken().is_empty());
        }
    }
}
