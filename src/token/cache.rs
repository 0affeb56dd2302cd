//! A bounded cache with one loader per entry, for key handles and for software keys.
//!
//! In: a material id and a future that loads its value. Out: a shared value. A value that is evicted, forgotten
//! or outdated lives on in the hands of its borrowers and is dropped by the last of them; what a drop does is
//! the value's affair. Eviction is second chance (CLOCK): an entry that was used since the hand last passed
//! it is spared once, so that a hit needs a shared lock and one store only. The budget shrinks when the place of the
//! values turns out to be smaller, and grows back.

use super::stats::CacheCounters;
use crate::domain::id::MaterialId;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::OnceCell;

/// The cache.
pub struct Cache<V> {
    inner: RwLock<Inner<V>>,
    full_budget: usize,
    /// Never above the full one.
    budget: AtomicUsize,
    /// Counts the shrinks.
    shrinks: AtomicU64,
    /// Counts the sweeps, so that ages need no clock.
    now: AtomicU64,
    counters: Arc<CacheCounters>,
}

struct Inner<V> {
    entries: HashMap<MaterialId, Arc<Entry<V>>>,
    /// The clock's face: every entry of `entries` once, and remnants of removed ones.
    ring: VecDeque<(MaterialId, Arc<Entry<V>>)>,
}

struct Entry<V> {
    value: OnceCell<Arc<V>>,
    used: AtomicBool,
    made_at: u64,
}

impl<V> Cache<V> {
    /// An empty cache of at most `budget` entries (at least one).
    pub fn new(budget: usize, counters: Arc<CacheCounters>) -> Self {
        let inner = Inner { entries: HashMap::new(), ring: VecDeque::new() };
        let full_budget = budget.max(1);
        Self {
            inner: RwLock::new(inner),
            full_budget,
            budget: AtomicUsize::new(full_budget),
            shrinks: AtomicU64::new(0),
            now: AtomicU64::new(0),
            counters,
        }
    }

    /// The cached value, if it is there.
    pub fn hit(&self, id: MaterialId) -> Option<Arc<V>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let entry = inner.entries.get(&id)?;
        let value = entry.value.get()?.clone();
        entry.used.store(true, Ordering::Relaxed);
        self.counters.hits.fetch_add(1, Ordering::Relaxed);
        Some(value)
    }

    /// After a miss: the value that `load` makes. Of many callers that miss at once one loads; if it fails
    /// or is cancelled the next one tries.
    ///
    /// # Errors
    /// What `load` fails with. Nothing is cached then.
    pub async fn load<E, F>(&self, id: MaterialId, load: impl FnOnce() -> F) -> Result<Arc<V>, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        let entry = self.entry(id);
        let loaded = entry.value.get_or_try_init(|| async { load().await.map(Arc::new) }).await;
        match loaded {
            Ok(value) => Ok(Arc::clone(value)),
            Err(error) => {
                self.remove_if(id, |current| Arc::ptr_eq(current, &entry) && current.value.get().is_none());
                Err(error)
            }
        }
    }

    /// Removes this value, unless another one took its place.
    pub fn remove_value(&self, id: MaterialId, value: &Arc<V>) {
        self.remove_if(id, |entry| entry.value.get().is_some_and(|current| Arc::ptr_eq(current, value)));
    }

    /// Removes whatever is cached, or being loaded, for a material.
    pub fn remove(&self, id: MaterialId) {
        self.remove_if(id, |_| true);
    }

    /// Removes everything.
    pub fn clear(&self) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *inner, Inner { entries: HashMap::new(), ring: VecDeque::new() });
        drop(inner);
        drop(old);
    }

    /// How often [`shrink`](Self::shrink) has evicted something.
    pub fn shrinks(&self) -> u64 {
        self.shrinks.load(Ordering::Acquire)
    }

    /// Evicts a quarter of the values, and keeps no more than are left until [`grow`](Self::grow). Nothing happens if
    /// that was done since `shrinks` was read. The answer is how many are left.
    pub fn shrink(&self, shrinks: u64) -> Option<usize> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if self.shrinks.load(Ordering::Acquire) != shrinks {
            return None;
        }
        let loaded = inner.entries.values().filter(|entry| entry.value.get().is_some()).count();
        let evicted = inner.evict_loaded(loaded.div_ceil(4));
        let left = inner.entries.len();
        self.budget.store(left.clamp(1, self.full_budget), Ordering::Relaxed);
        self.shrinks.fetch_add(1, Ordering::Release);
        self.counters.evictions.fetch_add(evicted.len() as u64, Ordering::Relaxed);
        drop(inner);
        drop(evicted);
        Some(left)
    }

    /// Gives back a quarter of what the cache may keep, up to the full budget.
    pub fn grow(&self) {
        let budget = self.budget.load(Ordering::Relaxed);
        if budget < self.full_budget {
            self.budget.store((budget + budget.div_ceil(4)).min(self.full_budget), Ordering::Relaxed);
        }
    }

    /// Counts one sweep, and removes what was made `max_age` sweeps ago or earlier.
    pub fn sweep(&self, max_age: u64) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let expired = |entry: &Entry<V>| now.saturating_sub(entry.made_at) >= max_age;
        let any = self.inner.read().unwrap_or_else(PoisonError::into_inner).entries.values().any(|e| expired(e));
        if !any {
            return;
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.entries.retain(|_, entry| !expired(entry));
        inner.ring.retain(|(_, entry)| !expired(entry));
    }

    fn entry(&self, id: MaterialId) -> Arc<Entry<V>> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = inner.entries.get(&id) {
            return Arc::clone(entry);
        }
        let mut evicted = Vec::new();
        while inner.entries.len() >= self.budget.load(Ordering::Relaxed) {
            match inner.evict_one() {
                Some(entry) => evicted.push(entry),
                None => break,
            }
        }
        self.counters.evictions.fetch_add(evicted.len() as u64, Ordering::Relaxed);
        let made_at = self.now.load(Ordering::Relaxed);
        let entry = Arc::new(Entry { value: OnceCell::new(), used: AtomicBool::new(false), made_at });
        inner.entries.insert(id, Arc::clone(&entry));
        inner.ring.push_back((id, Arc::clone(&entry)));
        drop(inner);
        drop(evicted);
        entry
    }

    fn remove_if(&self, id: MaterialId, condition: impl Fn(&Arc<Entry<V>>) -> bool) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if !inner.entries.get(&id).is_some_and(condition) {
            return;
        }
        let removed = inner.entries.remove(&id);
        // Remnants in the ring keep their values alive, so they go at once; removals are rare beside hits.
        if let Some(removed) = &removed {
            inner.ring.retain(|(_, entry)| !Arc::ptr_eq(entry, removed));
        }
        drop(inner);
        drop(removed);
    }
}

impl<V> Inner<V> {
    /// Evicts so many values, those first that were not used since the hand last passed. What is being loaded stays.
    fn evict_loaded(&mut self, count: usize) -> Vec<Arc<Entry<V>>> {
        let mut evicted = Vec::with_capacity(count);
        for _ in 0..self.ring.len() * 2 {
            let Some((id, entry)) = self.ring.pop_front() else { break };
            let spared = entry.value.get().is_none() || entry.used.swap(false, Ordering::Relaxed);
            if spared || evicted.len() == count {
                self.ring.push_back((id, entry));
            } else {
                self.entries.remove(&id);
                evicted.push(entry);
            }
        }
        evicted
    }

    /// Moves the hand until it meets an entry that was not used since it last passed.
    fn evict_one(&mut self) -> Option<Arc<Entry<V>>> {
        loop {
            let (id, entry) = self.ring.pop_front()?;
            if entry.used.swap(false, Ordering::Relaxed) {
                self.ring.push_back((id, entry));
                continue;
            }
            self.entries.remove(&id);
            return Some(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;

    fn id(number: u8) -> MaterialId {
        MaterialId::from_bytes([number; 16])
    }

    fn cache(budget: usize) -> Cache<u8> {
        Cache::new(budget, Arc::default())
    }

    async fn put(cache: &Cache<u8>, number: u8) -> Arc<u8> {
        let Ok(value) = cache.load(id(number), || async { Ok::<_, Infallible>(number) }).await;
        value
    }

    #[tokio::test]
    async fn an_entry_that_was_used_outlives_one_that_was_not() {
        let cache = cache(2);
        put(&cache, 1).await;
        put(&cache, 2).await;
        assert!(cache.hit(id(1)).is_some());
        put(&cache, 3).await;
        assert!(cache.hit(id(1)).is_some());
        assert!(cache.hit(id(2)).is_none());
    }

    #[tokio::test]
    async fn no_more_than_the_budget_is_kept_and_borrowed_values_live_on() {
        let cache = cache(4);
        let first = put(&cache, 0).await;
        for number in 1..100 {
            put(&cache, number).await;
        }
        assert_eq!((0..100).filter(|number| cache.hit(id(*number)).is_some()).count(), 4);
        assert_eq!((*first, Arc::strong_count(&first)), (0, 1));
    }

    #[tokio::test]
    async fn callers_that_miss_at_once_load_once() {
        let (cache, loads) = (cache(4), AtomicUsize::new(0));
        let load = || async {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(7)
        };
        let all = tokio::join!(cache.load(id(1), load), cache.load(id(1), load), cache.load(id(1), load));
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert!([all.0, all.1, all.2].into_iter().all(|value| value.is_ok_and(|value| *value == 7)));
    }

    #[tokio::test]
    async fn a_failed_load_is_not_kept_and_the_next_caller_tries_again() {
        let cache = cache(4);
        assert_eq!(cache.load(id(1), || async { Err("no") }).await, Err("no"));
        assert!(cache.hit(id(1)).is_none());
        assert_eq!(*put(&cache, 1).await, 1);
    }

    #[tokio::test]
    async fn what_is_forgotten_while_it_is_loaded_is_not_kept() {
        let cache = cache(4);
        let load = || async {
            cache.remove(id(1));
            Ok::<_, Infallible>(7)
        };
        assert!(cache.load(id(1), load).await.is_ok());
        assert!(cache.hit(id(1)).is_none());
    }

    #[tokio::test]
    async fn a_stale_value_does_not_take_its_successor_along() {
        let cache = cache(4);
        let stale = put(&cache, 1).await;
        cache.remove_value(id(1), &stale);
        put(&cache, 1).await;
        cache.remove_value(id(1), &stale);
        assert!(cache.hit(id(1)).is_some());
    }

    #[tokio::test]
    async fn a_cache_that_shrank_keeps_less_until_it_has_grown_again() {
        let cache = cache(8);
        let kept = |cache: &Cache<u8>| (0..200).filter(|number| cache.hit(id(*number)).is_some()).count();
        for number in 0..8 {
            put(&cache, number).await;
        }
        assert_eq!((cache.shrink(0), cache.shrinks()), (Some(6), 1));
        assert_eq!(cache.shrink(0), None, "others have made room");
        for number in 100..120 {
            put(&cache, number).await;
        }
        assert_eq!(kept(&cache), 6);
        for _ in 0..9 {
            cache.grow();
        }
        for number in 120..140 {
            put(&cache, number).await;
        }
        assert_eq!(kept(&cache), 8);
    }

    #[tokio::test]
    async fn what_is_being_loaded_is_kept_when_the_cache_shrinks() {
        let cache = cache(8);
        put(&cache, 1).await;
        let load = || async {
            assert_eq!(cache.shrink(0), Some(1));
            Ok::<_, Infallible>(2)
        };
        assert!(cache.load(id(2), load).await.is_ok());
        assert_eq!((cache.hit(id(1)).is_some(), cache.hit(id(2)).is_some()), (false, true));
    }

    #[tokio::test]
    async fn values_are_swept_out_at_their_age() {
        let cache = cache(4);
        put(&cache, 1).await;
        cache.sweep(2);
        put(&cache, 2).await;
        cache.sweep(2);
        assert!(cache.hit(id(1)).is_none());
        assert!(cache.hit(id(2)).is_some());
    }
}
