//! A map that many threads use at once: shards, each behind a lock of its own.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

/// A concurrent map of values that are cheap to clone. Never waits for more than one shard.
pub(crate) struct Sharded<K, V> {
    shards: [RwLock<HashMap<K, V>>; SHARDS],
    hasher: RandomState,
    len: AtomicUsize,
}

/// The map already holds as much as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<K: Hash + Eq, V: Clone> Sharded<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            len: AtomicUsize::new(0),
        }
    }

    /// How many there are; while others insert and remove, about how many.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// A clone of the value, so that no lock is held on return.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.shard(key).read().get(key).cloned()
    }

    /// Inserts, and gives what was there.
    pub(crate) fn insert(&self, key: K, value: V) -> Option<V> {
        let former = self.shard(&key).write().insert(key, value);
        if former.is_none() {
            self.len.fetch_add(1, Ordering::Relaxed);
        }
        former
    }

    /// Inserts unless the key is taken, which gives `false`, or the map holds `max` already.
    pub(crate) fn insert_new(&self, key: K, value: V, max: usize) -> Result<bool, Full> {
        let mut shard = self.shard(&key).write();
        if shard.contains_key(&key) {
            return Ok(false);
        }
        // Counted first, so that many at once do not pass the bound together.
        if self.len.fetch_add(1, Ordering::Relaxed) >= max {
            self.len.fetch_sub(1, Ordering::Relaxed);
            return Err(Full);
        }
        shard.insert(key, value);
        Ok(true)
    }

    pub(crate) fn remove(&self, key: &K) -> Option<V> {
        let removed = self.shard(key).write().remove(key);
        if removed.is_some() {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let removed = std::mem::take(&mut *shard.write());
            self.len.fetch_sub(removed.len(), Ordering::Relaxed);
        }
    }

    /// Calls `see` with every entry, in no order.
    pub(crate) fn for_each_pair(&self, mut see: impl FnMut(&K, &V)) {
        for shard in &self.shards {
            shard.read().iter().for_each(|(key, value)| see(key, value));
        }
    }

    fn shard(&self, key: &K) -> &RwLock<HashMap<K, V>> {
        // The map in the shard uses a hasher of its own, so the bits may be shared.
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

impl<K: Ord + Copy, V: Clone> Sharded<K, V> {
    /// Calls `see` with every value, in the order of the keys, so that each run does the same.
    pub(crate) fn for_each(&self, mut see: impl FnMut(&V)) {
        self.for_each_entry(|_, value| see(value));
    }

    /// The same with the keys.
    pub(crate) fn for_each_entry(&self, mut see: impl FnMut(K, &V)) {
        let mut entries: Vec<(K, V)> = Vec::with_capacity(self.len.load(Ordering::Relaxed));
        for shard in &self.shards {
            entries.extend(shard.read().iter().map(|(key, value)| (*key, value.clone())));
        }
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.iter().for_each(|(key, value)| see(*key, value));
    }
}

const SHARDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_bound_is_refused_and_a_taken_key_is_kept() {
        let map = Sharded::new();
        assert_eq!(map.insert_new(1, "a", 2), Ok(true));
        assert_eq!(map.insert_new(1, "b", 2), Ok(false));
        assert_eq!(map.insert_new(2, "c", 2), Ok(true));
        assert_eq!(map.insert_new(3, "d", 2), Err(Full));
        assert_eq!((map.get(&1), map.len()), (Some("a"), 2));
        map.remove(&1);
        assert_eq!(map.insert_new(3, "d", 2), Ok(true));
    }
}
