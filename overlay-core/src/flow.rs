//! Credit-based flow control of app messages, one window for each lane of a link and each direction.
//!
//! A sender may have as many bytes under way as the receiver has granted; the rest waits. So a slow node slows the nodes
//! above it instead of filling their memory. Control frames need no credit, and never wait behind more than a window.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::assembly::{Assembled, Assembly};
use crate::close::ProtocolError;
use crate::wire::{MAX_PART, MAX_RECORDS, Part, Record, record_len};

/// The cost of each message besides its payload, so that a window of tiny messages is a bounded
/// number of them. About what the tables spend on one.
const MESSAGE_OVERHEAD: u32 = 64;

/// The smallest window: half of it must hold the longest record, because up to half of it is freed
/// but not yet granted again.
#[allow(clippy::cast_possible_truncation, reason = "32 KiB and a bit")]
pub const MIN_WINDOW: u32 = 2 * (MAX_PART as u32 + MESSAGE_OVERHEAD);

/// The cost of a message: what `len` bytes take from a window.
#[must_use]
pub fn message_cost(len: usize) -> u32 {
    u32::try_from(len)
        .unwrap_or(u32::MAX)
        .saturating_add(MESSAGE_OVERHEAD)
}

/// The credit of a sender in one lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credit {
    left: u32,
    /// The cost of what was sent, and for which the receiver has not granted credit again.
    under_way: u32,
}

impl Credit {
    /// The receiver takes `bytes` at first.
    pub(crate) fn open(&mut self, bytes: u32) {
        self.left = self.left.saturating_add(bytes);
    }

    /// The receiver has taken `bytes`, and takes as much again.
    pub(crate) fn grant(&mut self, bytes: u32) {
        self.left = self.left.saturating_add(bytes);
        self.under_way = self.under_way.saturating_sub(bytes);
    }

    pub(crate) const fn left(&self) -> u32 {
        self.left
    }

    /// Uses credit that there is.
    pub(crate) fn spend(&mut self, cost: u32) {
        self.left = self.left.saturating_sub(cost);
        self.under_way = self.under_way.saturating_add(cost);
    }

    /// The cost of what the receiver has not taken, as far as it has told.
    pub(crate) const fn under_way(&self) -> usize {
        self.under_way as usize
    }
}

/// The messages to a neighbour that wait for credit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    credit: Credit,
    queue: VecDeque<Bytes>,
    /// How much of the first message is sent.
    begun: usize,
    /// A message that was begun is taken back, and the neighbour is still to learn it.
    cancelled: bool,
    /// The cost of all that waits.
    queued: usize,
    /// A message was refused since the queue was last short.
    refused: bool,
}

impl Outbox {
    pub(crate) fn credit_mut(&mut self) -> &mut Credit {
        &mut self.credit
    }

    /// The cost of all that the neighbour has not taken, as far as it has told.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.queued + self.credit.under_way()
    }

    pub(crate) fn push(&mut self, message: Bytes) {
        self.queued += message_cost(message.len()) as usize;
        self.queue.push_back(message);
    }

    /// Takes the latest message back, as far as it has not gone out.
    pub(crate) fn cancel_latest(&mut self) {
        let is_begun = self.queue.len() == 1 && self.begun > 0;
        if let Some(latest) = self.queue.pop_back() {
            let begun = if is_begun { self.begun } else { 0 };
            self.queued -= message_cost(latest.len() - begun) as usize;
        }
        if is_begun {
            self.begun = 0;
            self.cancelled = true;
        }
    }

    /// The records of the next frame, as far as there is credit.
    pub(crate) fn next_frame(&mut self) -> Option<Vec<u8>> {
        let mut records = Vec::new();
        if self.cancelled && message_cost(0) <= self.credit.left() {
            let (part, payload) = (Part::Cancelled, &[][..]);
            Record { part, payload }.write(&mut records);
            self.credit.spend(message_cost(0));
            self.cancelled = false;
        }
        while let Some(message) = self.queue.front().filter(|_| !self.cancelled) {
            let rest = message.len() - self.begun;
            let space = MAX_RECORDS.saturating_sub(records.len() + record_len(MAX_PART) - MAX_PART);
            let part = rest.min(space);
            // A crumb is not worth a record: the next frame has room for more.
            let crumb = part < rest && part < MAX_PART / 16;
            if crumb || message_cost(part) > self.credit.left() {
                break;
            }
            let (from, to) = (self.begun, self.begun + part);
            Record {
                part: Part::of(from, to, message.len()),
                payload: message.get(from..to).unwrap_or_default(),
            }
            .write(&mut records);
            self.credit.spend(message_cost(part));
            self.queued -= part;
            self.begun = to;
            if to == message.len() {
                self.queued -= message_cost(0) as usize;
                self.begun = 0;
                self.queue.pop_front();
            }
        }
        (!records.is_empty()).then_some(records)
    }

    /// The cost of all that waits.
    pub(crate) const fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && !self.cancelled
    }

    /// Whether fewer than `limit` bytes wait, or none: a message that can be sent at once needs no room.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        self.queued < limit || self.queue.is_empty()
    }

    /// The messages that have not gone out, or not all of them.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = Bytes> {
        self.queue.into_iter()
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

    /// Lets the second message overtake the first.
    #[cfg(planted)]
    pub(crate) fn overtake(&mut self) {
        if self.queue.len() > 1 && self.begun == 0 {
            self.queue.swap(0, 1);
        }
    }
}

/// Both directions of one lane of a link.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
}

/// The messages of a neighbour that this node still holds.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    assembly: Assembly,
    /// Received since the neighbour's credit was last at a full window.
    used: u32,
    /// The cost of the messages that the app has not taken.
    unconsumed: u32,
}

impl Inbox {
    /// Records have arrived; `window` is what the neighbour was granted at first. Returns the messages that are complete.
    pub(crate) fn receive(
        &mut self,
        mut records: &[u8],
        window: u32,
        longest: usize,
    ) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let mut messages = Vec::new();
        while !records.is_empty() {
            let (record, rest) = Record::take(records).ok_or(ProtocolError::BadRecord)?;
            records = rest;
            self.used = self.used.saturating_add(message_cost(record.payload.len()));
            if self.used > window {
                return Err(ProtocolError::WindowExceeded);
            }
            match self
                .assembly
                .push(record.part, record.payload.to_vec(), longest)
            {
                Assembled::Message(message) => {
                    let cost = message_cost(message.len());
                    self.unconsumed = self.unconsumed.saturating_add(cost);
                    messages.push(message);
                }
                Assembled::Part | Assembled::Cancelled => {}
                Assembled::TooLong => return Err(ProtocolError::LongMessage),
                Assembled::Stray => return Err(ProtocolError::BadRecord),
            }
        }
        Ok(messages)
    }

    /// The app has taken a message of this cost.
    pub(crate) fn consumed(&mut self, cost: u32) {
        self.unconsumed = self.unconsumed.saturating_sub(cost);
    }

    /// What to grant the neighbour now, if it is worth a frame. While the app holds a window's worth, nothing is.
    pub(crate) fn grant(&mut self, window: u32) -> Option<u32> {
        let due = self.unconsumed < window && self.used >= window / 2;
        due.then(|| core::mem::take(&mut self.used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn message(len: usize) -> Bytes {
        Bytes::from(vec![7; len])
    }

    /// An outbox with this much credit.
    fn outbox(credit: u32) -> Outbox {
        let mut outbox = Outbox::default();
        outbox.credit_mut().open(credit);
        outbox
    }

    #[test]
    fn messages_wait_for_credit_in_order() {
        let mut outbox = outbox(message_cost(100) - 1);
        outbox.push(message(100));
        outbox.push(message(0));
        assert_eq!(outbox.next_frame(), None);
        outbox.credit_mut().grant(1);
        let frame = outbox.next_frame().unwrap();
        assert_eq!(Record::take(&frame).unwrap().0.payload.len(), 100);
        assert_eq!(outbox.next_frame(), None);
        assert!(!outbox.is_empty());
    }

    #[test]
    fn small_messages_that_wait_travel_in_one_frame() {
        let mut outbox = outbox(MIN_WINDOW);
        (0..10).for_each(|_| outbox.push(message(100)));
        assert_eq!(outbox.next_frame().unwrap().len(), 10 * record_len(100));
        assert!(outbox.is_empty() && outbox.queued() == 0);
    }

    #[test]
    fn a_message_of_any_length_gets_through_the_smallest_window() {
        let (mut outbox, mut inbox) = (outbox(MIN_WINDOW), Inbox::default());
        let long = 20 * MAX_PART + 5;
        outbox.push(message(long));
        let mut arrived = Vec::new();
        while let Some(frame) = outbox.next_frame() {
            arrived.extend(inbox.receive(&frame, MIN_WINDOW, long).unwrap());
            if let Some(bytes) = inbox.grant(MIN_WINDOW) {
                outbox.credit_mut().grant(bytes);
            }
        }
        assert_eq!(arrived, [message(long)]);
        assert_eq!(outbox.queued(), 0);
    }

    #[test]
    fn an_app_that_takes_nothing_stops_its_neighbour() {
        let (mut outbox, mut inbox) = (outbox(MIN_WINDOW), Inbox::default());
        let mut sent = 0;
        loop {
            outbox.push(message(1000));
            let Some(frame) = outbox.next_frame() else {
                break;
            };
            sent += inbox.receive(&frame, MIN_WINDOW, 1000).unwrap().len();
            if let Some(bytes) = inbox.grant(MIN_WINDOW) {
                outbox.credit_mut().grant(bytes);
            }
        }
        // What the app holds, and what was granted before it was too much.
        assert!(sent * message_cost(1000) as usize <= 2 * MIN_WINDOW as usize);
        for _ in 0..sent {
            inbox.consumed(message_cost(1000));
        }
        assert!(inbox.grant(MIN_WINDOW).is_some());
    }

    #[test]
    fn a_message_that_is_taken_back_leaves_nothing_at_its_receiver() {
        let (mut outbox, mut inbox) = (outbox(MIN_WINDOW), Inbox::default());
        outbox.push(message(5 * MAX_PART));
        let begun = outbox.next_frame().unwrap();
        outbox.cancel_latest();
        outbox.push(message(3));
        outbox.push(message(4));
        outbox.cancel_latest();
        let rest = outbox.next_frame().unwrap();
        let mut arrived = Vec::new();
        for frame in [begun, rest] {
            arrived.extend(inbox.receive(&frame, MIN_WINDOW, 5 * MAX_PART).unwrap());
        }
        assert_eq!(arrived, [message(3)]);
        assert!(outbox.is_empty() && outbox.queued() == 0);
    }

    #[test]
    fn a_queue_without_room_takes_one_message_at_a_time() {
        let mut outbox = outbox(0);
        assert!(outbox.has_room(0));
        outbox.push(message(0));
        assert!(!outbox.has_room(0));
        outbox.refuse();
        outbox.credit_mut().grant(message_cost(0));
        outbox.next_frame();
        assert!(outbox.has_room_again(0));
    }

    #[test]
    fn more_than_the_window_is_noticed() {
        let mut inbox = Inbox::default();
        let mut frame = outbox(MIN_WINDOW);
        (0..2).for_each(|_| frame.push(message(MAX_PART)));
        while let Some(records) = frame.next_frame() {
            inbox.receive(&records, MIN_WINDOW, MAX_PART).unwrap();
        }
        let mut more = Vec::new();
        let (part, payload) = (Part::Whole, &[][..]);
        Record { part, payload }.write(&mut more);
        let received = inbox.receive(&more, MIN_WINDOW, MAX_PART);
        assert_eq!(received, Err(ProtocolError::WindowExceeded));
    }

    #[test]
    fn room_is_announced_once_and_only_after_a_refusal() {
        let mut outbox = outbox(0);
        outbox.push(message(1000));
        outbox.refuse();
        assert!(!outbox.has_room_again(1000));
        outbox.credit_mut().grant(2000);
        outbox.next_frame();
        assert!(outbox.has_room_again(1000));
        assert!(!outbox.has_room_again(1000));
    }
}
