//! What the watch sees of a thread that calls the library.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The place of one thread. It tells by numbers whether the thread is still busy with the same request, so that
/// nobody reads a clock on the way of a request.
#[derive(Default)]
pub struct Seat {
    /// Counts the requests; odd while one is under way.
    progress: AtomicU64,
    given_away: AtomicBool,
}

/// Marks a request as under way until it is dropped.
pub struct Working<'a>(&'a Seat);

impl Seat {
    /// Begins a request.
    pub fn work(&self) -> Working<'_> {
        self.progress.fetch_add(1, Ordering::Release);
        Working(self)
    }

    /// The number of the request that is under way.
    pub fn request(&self) -> Option<u64> {
        let progress = self.progress.load(Ordering::Acquire);
        (progress % 2 == 1).then_some(progress)
    }

    /// Tells the thread to end after its request: another thread works in its place.
    pub fn give_away(&self) {
        self.given_away.store(true, Ordering::Release);
    }

    /// Whether [`give_away`](Self::give_away) was called.
    pub fn is_given_away(&self) -> bool {
        self.given_away.load(Ordering::Acquire)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.progress.fetch_add(1, Ordering::Release);
    }
}
