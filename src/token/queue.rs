//! The queue between the callers and the data workers: bounded, many to many.
//!
//! A general channel spins and yields before a receiver sleeps. With as many busy threads as cores that costs more
//! than the sleep that it hopes to save, so a receiver of this one sleeps at once and is woken only if it does.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A queue for at most `capacity` items, which is closed by its sender, or when that is dropped.
pub fn queue<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::with_capacity(capacity), capacity, sleeping: 0, woken: 0, closed: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), filled: Condvar::new() });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// The end for callers.
pub struct Sender<T>(Arc<Shared<T>>);

/// The end for workers.
pub struct Receiver<T>(Arc<Shared<T>>);

/// The queue is full, or closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

struct Shared<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    capacity: usize,
    /// Receivers that wait for an item.
    sleeping: usize,
    /// How many of them were told that there is one.
    woken: usize,
    closed: bool,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Adds an item without waiting.
    ///
    /// # Errors
    /// [`Full`]; the item is dropped.
    pub fn try_send(&self, item: T) -> Result<(), Full> {
        let mut state = self.0.state();
        if state.closed || state.items.len() >= state.capacity {
            return Err(Full);
        }
        state.items.push_back(item);
        // Each item wakes one sleeper, who is counted as awake from now on, not from when it runs.
        let wake = state.sleeping > state.woken;
        state.woken += usize::from(wake);
        drop(state);
        if wake {
            self.0.filled.notify_one();
        }
        Ok(())
    }

    /// Lets nothing more in. Receivers still get what is in it.
    pub fn close(&self) {
        self.0.state().closed = true;
        self.0.filled.notify_all();
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> Receiver<T> {
    /// The next item, once there is one; `None` when the queue is closed and empty.
    pub fn recv(&self) -> Option<T> {
        let mut state = self.0.state();
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.sleeping += 1;
            state = self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
            state.woken = state.woken.saturating_sub(1);
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_arrives_once_whoever_takes_it() {
        let (sender, receiver) = queue(10_000);
        let takers: Vec<_> = (0..4)
            .map(|_| receiver.clone())
            .map(|receiver| std::thread::spawn(move || std::iter::from_fn(|| receiver.recv()).collect::<Vec<u32>>()))
            .collect();
        for item in 0..10_000 {
            while sender.try_send(item) == Err(Full) {
                std::thread::yield_now();
            }
        }
        drop(sender);
        let mut items: Vec<u32> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        items.sort_unstable();
        assert_eq!(items, (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_queue_refuses_and_a_closed_one_ends_when_it_is_empty() {
        let (sender, receiver) = queue(2);
        assert_eq!([1, 2, 3].map(|item| sender.try_send(item)), [Ok(()), Ok(()), Err(Full)]);
        drop(sender);
        assert_eq!([receiver.recv(), receiver.recv(), receiver.recv()], [Some(1), Some(2), None]);
    }
}
