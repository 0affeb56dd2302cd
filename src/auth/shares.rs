//! Shares of something limited, one for each owner that uses or waits for a part of its own.
//!
//! In: an owner, how large its share is and how much of it is wanted. Out: a [`Part`], as soon as there is as much left.
//! Called by [`super::turns`] and [`super::body_budget`]. Nothing is kept of owners without visitors, so that there are never
//! more shares than requests.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The shares of all owners that have visitors.
pub(super) struct Shares<K: Copy + Eq + Hash>(Mutex<HashMap<K, Share>>);

/// The share of one owner.
struct Share {
    left: Arc<Semaphore>,
    /// Who has a part of it or waits for one.
    visitors: usize,
}

/// A part of a share, until it is dropped.
pub(super) struct Part<'a, K: Copy + Eq + Hash> {
    _taken: Option<OwnedSemaphorePermit>,
    // Dropped after what is taken: a share without visitors is forgotten, with what it knows of its parts.
    _visit: Visit<'a, K>,
}

/// Somebody at a share, also if it goes away while it waits.
struct Visit<'a, K: Copy + Eq + Hash> {
    shares: &'a Shares<K>,
    owner: K,
}

impl<K: Copy + Eq + Hash> Default for Shares<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Shares<K> {
    /// Waits for `units` of the share of `owner`, which has `size` of them: the same for every part of an owner.
    pub(super) async fn take(&self, owner: K, size: usize, units: u32) -> Part<'_, K> {
        let (visit, left) = self.visit(owner, size);
        // It is never closed.
        Part { _taken: left.acquire_many_owned(units).await.ok(), _visit: visit }
    }

    fn visit(&self, owner: K, size: usize) -> (Visit<'_, K>, Arc<Semaphore>) {
        let mut shares = self.lock();
        let new = || Share { left: Arc::new(Semaphore::new(size)), visitors: 0 };
        let share = shares.entry(owner).or_insert_with(new);
        share.visitors += 1;
        (Visit { shares: self, owner }, Arc::clone(&share.left))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Share>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many owners have visitors.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many visitors an owner has.
    #[cfg(test)]
    pub(super) fn visitors_of(&self, owner: K) -> usize {
        self.lock().get(&owner).map_or(0, |share| share.visitors)
    }
}

impl<K: Copy + Eq + Hash> Drop for Visit<'_, K> {
    fn drop(&mut self) {
        let mut shares = self.shares.lock();
        let Some(share) = shares.get_mut(&self.owner) else { return };
        share.visitors -= 1;
        if share.visitors == 0 {
            shares.remove(&self.owner);
        }
    }
}
