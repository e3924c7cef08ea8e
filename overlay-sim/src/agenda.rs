//! What will happen, in the order in which it will.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use overlay_core::Instant;
use slab::Slab;

/// A queue ordered by time; what is due at the same time comes in the order in which it was planned.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    /// Small entries, so that a deep heap moves little memory; what they stand for lies aside.
    heap: BinaryHeap<Reverse<(Instant, u64, u32)>>,
    items: Slab<T>,
    planned: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            items: Slab::new(),
            planned: 0,
        }
    }
}

impl<T> Agenda<T> {
    pub(crate) fn plan(&mut self, at: Instant, item: T) {
        self.planned += 1;
        let key = u32::try_from(self.items.insert(item)).unwrap_or(u32::MAX);
        self.heap.push(Reverse((at, self.planned, key)));
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, T)> {
        let Reverse((at, _, key)) = self.heap.pop()?;
        Some((at, self.items.try_remove(key as usize)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_at_the_same_time_keeps_its_order() {
        let mut agenda = Agenda::default();
        for (at, item) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            agenda.plan(Instant::from_millis(at), item);
        }
        let order: String = std::iter::from_fn(|| agenda.pop())
            .map(|(_, item)| item)
            .collect();
        assert_eq!(order, "abcd");
    }
}
