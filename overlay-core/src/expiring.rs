//! A map whose entries have deadlines.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::RangeBounds;

use crate::time::Instant;

/// Entries by key, each with a deadline, and the earliest deadline at hand. Nothing is removed by itself: the owner
/// takes out what is due. Thousands of entries cost no scan.
#[derive(Debug)]
pub(crate) struct Expiring<K, V = ()> {
    entries: BTreeMap<K, (Instant, V)>,
    /// The same keys, the earliest deadline first; keys of one deadline in their own order.
    by_deadline: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Clone, V> Expiring<K, V> {
    /// Adds an entry, or replaces the one of this key together with its deadline; returns that one, if there was one.
    pub(crate) fn insert(&mut self, key: K, deadline: Instant, value: V) -> Option<(Instant, V)> {
        let old = self.entries.insert(key.clone(), (deadline, value));
        if let Some((old_deadline, _)) = &old {
            self.forget_deadline(&key, *old_deadline);
        }
        self.by_deadline.insert((deadline, key));
        old
    }

    /// Gives an entry another deadline.
    pub(crate) fn defer(&mut self, key: &K, deadline: Instant) {
        if let Some((old, _)) = self.entries.get_mut(key) {
            let old = core::mem::replace(old, deadline);
            self.forget_deadline(key, old);
            self.by_deadline.insert((deadline, key.clone()));
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// The deadline of an entry.
    pub(crate) fn deadline(&self, key: &K) -> Option<Instant> {
        self.entries.get(key).map(|(deadline, _)| *deadline)
    }

    /// Takes an entry out, with its deadline.
    pub(crate) fn remove(&mut self, key: &K) -> Option<(Instant, V)> {
        let (deadline, value) = self.entries.remove(key)?;
        self.forget_deadline(key, deadline);
        Some((deadline, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entries in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.range(..)
    }

    /// The entries with a key in `keys`, in the order of their keys.
    pub(crate) fn range(&self, keys: impl RangeBounds<K>) -> impl Iterator<Item = (&K, &V)> {
        let entries = self.entries.range(keys);
        entries.map(|(key, (_, value))| (key, value))
    }

    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Takes out the entry with the earliest deadline, if that has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(K, V)> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.pop_first()
    }

    /// Takes out the entry with the earliest deadline, due or not.
    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        let (_, key) = self.by_deadline.pop_first()?;
        let (_, value) = self.entries.remove(&key)?;
        Some((key, value))
    }

    fn forget_deadline(&mut self, key: &K, deadline: Instant) {
        self.by_deadline.remove(&(deadline, key.clone()));
    }
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            by_deadline: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Keys and deadlines in milliseconds.
    fn expiring(entries: &[(u8, u64)]) -> Expiring<u8> {
        let mut expiring = Expiring::default();
        for (key, ms) in entries {
            expiring.insert(*key, at(*ms), ());
        }
        expiring
    }

    fn due(expiring: &mut Expiring<u8>, ms: u64) -> Vec<u8> {
        core::iter::from_fn(|| expiring.pop_due(at(ms)))
            .map(|(key, ())| key)
            .collect()
    }

    #[test]
    fn entries_become_due_in_the_order_of_deadlines_and_then_of_keys() {
        let mut expiring = expiring(&[(1, 30), (3, 20), (2, 20), (4, 10), (5, 40)]);
        assert_eq!(expiring.next_deadline(), Some(at(10)));
        assert_eq!(due(&mut expiring, 30), [4, 2, 3, 1]);
        assert_eq!(expiring.next_deadline(), Some(at(40)));
        assert_eq!(due(&mut expiring, 39), [0; 0]);
    }

    #[test]
    fn a_new_deadline_replaces_the_old_one() {
        let mut expiring = expiring(&[(1, 10), (2, 20)]);
        expiring.insert(1, at(30), ());
        assert_eq!(expiring.deadline(&1), Some(at(30)));
        assert_eq!(due(&mut expiring, 20), [2]);
        assert_eq!(due(&mut expiring, 30), [1]);
        assert_eq!(expiring.len(), 0);
    }

    #[test]
    fn a_removed_entry_never_becomes_due() {
        let mut expiring = expiring(&[(1, 10), (2, 20)]);
        assert_eq!(expiring.remove(&1), Some((at(10), ())));
        assert_eq!(expiring.remove(&1), None);
        assert_eq!(expiring.next_deadline(), Some(at(20)));
        assert_eq!(due(&mut expiring, 20), [2]);
        assert_eq!(expiring.len(), 0);
    }

    #[test]
    fn entries_are_listed_in_the_order_of_keys() {
        let expiring = expiring(&[(1, 30), (3, 20), (2, 10)]);
        assert!(expiring.iter().map(|(key, ())| *key).eq([1, 2, 3]));
        assert!(expiring.range(2..).map(|(key, ())| *key).eq([2, 3]));
    }

    #[test]
    fn the_earliest_entry_can_be_taken_before_it_is_due() {
        let mut expiring = expiring(&[(1, 30), (2, 10)]);
        assert_eq!(expiring.pop_first(), Some((2, ())));
        assert_eq!(expiring.next_deadline(), Some(at(30)));
    }
}
