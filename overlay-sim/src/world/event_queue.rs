//! What will happen, in the order in which it will.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use overlay_core::Instant;
use slab::Slab;

/// A queue ordered by time; what is due at the same time comes in the order in which it was planned.
///
/// Only what is due soon is kept in order. What comes later lies in boxes, one for each 16 ms, and is
/// ordered when its time has come: with a million machines that each plan a heartbeat, one large heap is
/// slower than anything else in the simulation.
#[derive(Debug)]
pub(crate) struct EventQueue<T> {
    /// All that is due up to the end of the present box. Not empty unless there is nothing at all.
    soon: BinaryHeap<Reverse<Entry>>,
    /// The number of the present box.
    present: u64,
    /// All that comes later, by box.
    later: BTreeMap<u64, Vec<Reverse<Entry>>>,
    /// What the entries stand for, aside, so that ordering them moves little memory.
    items: Slab<T>,
    planned: u64,
}

/// When something happens, how much was planned before it, and where it lies.
type Entry = (Instant, u64, u32);

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self {
            soon: BinaryHeap::new(),
            present: 0,
            later: BTreeMap::new(),
            items: Slab::new(),
            planned: 0,
        }
    }
}

impl<T> EventQueue<T> {
    pub(crate) fn plan(&mut self, at: Instant, item: T) {
        self.planned += 1;
        let key = u32::try_from(self.items.insert(item)).unwrap_or(u32::MAX);
        let entry = Reverse((at, self.planned, key));
        if box_of(at) <= self.present {
            self.soon.push(entry);
        } else {
            self.later.entry(box_of(at)).or_default().push(entry);
            self.open_next_box();
        }
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.soon.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, T)> {
        let Reverse((at, _, key)) = self.soon.pop()?;
        self.open_next_box();
        Some((at, self.items.try_remove(key as usize)?))
    }

    fn open_next_box(&mut self) {
        if self.soon.is_empty()
            && let Some((number, entries)) = self.later.pop_first()
        {
            self.present = number;
            self.soon = BinaryHeap::from(entries);
        }
    }
}

/// Boxes are 16,384 µs wide: some ten thousand entries where 20,000 machines join in a second.
const fn box_of(at: Instant) -> u64 {
    at.as_micros() >> 14
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_testkit::Rng;

    #[test]
    fn events_of_one_moment_keep_their_order() {
        let mut queue = EventQueue::default();
        for (at, item) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            queue.plan(Instant::from_millis(at), item);
        }
        let order: String = std::iter::from_fn(|| queue.pop())
            .map(|(_, item)| item)
            .collect();
        assert_eq!(order, "abcd");
    }

    #[test]
    fn whatever_is_planned_comes_in_the_order_of_one_large_heap() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let mut queue = EventQueue::default();
            let mut heap = BinaryHeap::new();
            let mut now = Instant::ZERO;
            let reach = 1 << rng.between(0, 24);
            for number in 0..500_u32 {
                // Now and then something for a time that has passed.
                let at = now.as_micros().saturating_sub(50) + rng.below(reach);
                let at = Instant::from_micros(at);
                queue.plan(at, number);
                heap.push(Reverse((at, number)));
                if rng.chance(45) {
                    let expected = heap.pop().map(|Reverse(next)| next);
                    assert_eq!(queue.next_at(), expected.map(|(at, _)| at));
                    assert_eq!(queue.pop(), expected);
                    now = expected.map_or(now, |(at, _)| at);
                }
            }
            while let Some(Reverse(expected)) = heap.pop() {
                assert_eq!(queue.pop(), Some(expected));
            }
            assert_eq!(queue.pop(), None);
        }
    }
}
