//! Credit-based flow control of app messages, one window for each direction of a link.
//!
//! A sender may have as many bytes under way as the receiver has granted, and queues the rest. A
//! receiver grants again what its app has taken *and* what it has itself passed on to its children.
//! So a slow node slows the nodes above it instead of filling their memory. Control frames need no credit, and never
//! wait behind more than a window.

use alloc::collections::VecDeque;

use bytes::Bytes;

use crate::wire::MAX_PAYLOAD;

/// The cost of each message besides its payload, so that a window of tiny messages is a bounded
/// number of them. About what the tables spend on one.
const MESSAGE_OVERHEAD: u32 = 64;

/// The smallest window: half of it must hold the longest message, because up to half of it is freed
/// but not yet granted again.
#[allow(clippy::cast_possible_truncation, reason = "32 KiB and a bit")]
pub const MIN_WINDOW: u32 = 2 * (MAX_PAYLOAD as u32 + MESSAGE_OVERHEAD);

/// The cost of a message: what `len` bytes take from a window.
#[must_use]
pub fn message_cost(len: usize) -> u32 {
    u32::try_from(len)
        .unwrap_or(u32::MAX)
        .saturating_add(MESSAGE_OVERHEAD)
}

/// App messages on their way to a neighbour.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    credit: u32,
    /// The cost of what was sent, and for which the neighbour has not granted credit again.
    under_way: u32,
    queue: VecDeque<Queued>,
    /// The cost of all that is in the queue.
    queued: usize,
    /// A message was refused since the queue was last short.
    refused: bool,
}

/// A frame that waits for credit.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) frame: Bytes,
    pub(crate) cost: u32,
    /// The broadcast it belongs to, if it is one.
    pub(crate) broadcast: Option<usize>,
}

impl Outbox {
    /// The neighbour takes `bytes` at first.
    pub(crate) fn open(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes);
    }

    /// The neighbour has taken `bytes`, and takes as much again.
    pub(crate) fn grant(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes);
        self.under_way = self.under_way.saturating_sub(bytes);
    }

    /// The cost of all that the neighbour has not taken, as far as it has told.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.queued + self.under_way as usize
    }

    pub(crate) fn push(&mut self, message: Queued) {
        self.queued += message.cost as usize;
        self.queue.push_back(message);
    }

    /// Queues a frame that takes its turn, but no credit. Two in a row say no more than the second.
    pub(crate) fn push_mark(&mut self, frame: Bytes) {
        let is_mark = |last: &Queued| last.cost == 0;
        if self.queue.back().is_some_and(is_mark) {
            self.queue.pop_back();
        }
        let (cost, broadcast) = (0, None);
        self.queue.push_back(Queued {
            frame,
            cost,
            broadcast,
        });
    }

    /// The next message that there is credit for.
    pub(crate) fn pop(&mut self) -> Option<Queued> {
        let cost = self.queue.front()?.cost;
        self.credit = self.credit.checked_sub(cost)?;
        self.queued -= cost as usize;
        self.under_way = self.under_way.saturating_add(cost);
        self.queue.pop_front()
    }

    /// The cost of all that waits.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Lets the second message overtake the first.
    #[cfg(planted)]
    pub(crate) fn overtake(&mut self) {
        if self.queue.len() > 1 {
            self.queue.swap(0, 1);
        }
    }

    /// The number of messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether fewer than `limit` bytes wait, or none: a message that can be sent at once needs no room.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        self.queued < limit || self.queue.is_empty()
    }

    /// Notes that a sender waits for room.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
    }

    /// True once when there is room again after a refusal. Waits for half of `limit`, so
    /// that a sender is woken for more than one message.
    pub(crate) fn has_room_again(&mut self, limit: usize) -> bool {
        self.queued <= limit / 2 && core::mem::take(&mut self.refused)
    }

    /// The messages that are never sent because the link is gone.
    pub(crate) fn into_unsent(self) -> impl Iterator<Item = Queued> {
        self.queue.into_iter()
    }
}

/// The neighbour sent more than it was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowExceeded;

/// App messages from a neighbour that this node still holds.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Received, and held by the app or by an outbox.
    held: u32,
    /// Let go of since the last grant.
    freed: u32,
}

impl Inbox {
    /// A message has arrived; `window` is what the neighbour was granted at first.
    pub(crate) fn receive(&mut self, cost: u32, window: u32) -> Result<(), WindowExceeded> {
        let held = self.held.checked_add(cost).ok_or(WindowExceeded)?;
        if held.saturating_add(self.freed) > window {
            return Err(WindowExceeded);
        }
        self.held = held;
        Ok(())
    }

    /// A message is no longer held. Returns what to grant the neighbour now, if it is worth a frame.
    pub(crate) fn free(&mut self, cost: u32, window: u32) -> Option<u32> {
        let cost = cost.min(self.held);
        self.held -= cost;
        self.freed += cost;
        (self.freed >= window / 2).then(|| core::mem::take(&mut self.freed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize) -> Queued {
        Queued {
            frame: Bytes::from(alloc::vec![0; len]),
            cost: message_cost(len),
            broadcast: None,
        }
    }

    #[test]
    fn messages_wait_for_credit_in_order() {
        let mut outbox = Outbox::default();
        outbox.push(message(100));
        outbox.push(message(0));
        outbox.grant(message_cost(100) - 1);
        assert!(outbox.pop().is_none());
        outbox.grant(1);
        assert_eq!(outbox.pop().unwrap().frame.len(), 100);
        assert!(outbox.pop().is_none());
        assert!(!outbox.is_empty());
    }

    #[test]
    fn the_longest_message_always_fits_in_time() {
        let longest = message_cost(MAX_PAYLOAD);
        let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
        outbox.grant(MIN_WINDOW);
        for _ in 0..10 {
            outbox.push(message(MAX_PAYLOAD));
            assert_eq!(outbox.pop().map(|m| m.cost), Some(longest));
            inbox.receive(longest, MIN_WINDOW).unwrap();
            if let Some(bytes) = inbox.free(longest, MIN_WINDOW) {
                outbox.grant(bytes);
            }
        }
    }

    #[test]
    fn a_queue_without_room_takes_one_message_at_a_time() {
        let mut outbox = Outbox::default();
        assert!(outbox.has_room(0));
        outbox.push(message(0));
        assert!(!outbox.has_room(0));
        outbox.refuse();
        outbox.grant(message_cost(0));
        outbox.pop();
        assert!(outbox.has_room_again(0));
    }

    #[test]
    fn more_than_the_window_is_noticed() {
        let mut inbox = Inbox::default();
        inbox.receive(MIN_WINDOW, MIN_WINDOW).unwrap();
        assert_eq!(inbox.receive(1, MIN_WINDOW), Err(WindowExceeded));
        // What is free but not granted again is not the sender's to use.
        assert_eq!(inbox.free(100, MIN_WINDOW), None);
        assert_eq!(inbox.receive(100, MIN_WINDOW), Err(WindowExceeded));
    }

    #[test]
    fn room_is_announced_once_and_only_after_a_refusal() {
        let mut outbox = Outbox::default();
        outbox.push(message(1000));
        outbox.refuse();
        assert!(!outbox.has_room_again(1000));
        outbox.grant(2000);
        outbox.pop();
        assert!(outbox.has_room_again(1000));
        assert!(!outbox.has_room_again(1000));
    }
}
