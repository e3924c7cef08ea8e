//! The reference model of messages between neighbours, and their names.
//!
//! Each direction of a link is a queue. A sender puts a number into it; what is delivered at the other end must be the number
//! in front. When a link closes its queues are gone; when it closes with a goodbye, the queue of the node that said it must be
//! empty.

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};

use crate::invariants::{Invariant, Violation};
use overlay_testkit::net::EndId;

/// The name of a message: the first eight bytes of its payload.
pub(crate) type MessageNumber = u64;

/// The number of a forger's messages. No node expects them, and none is blamed for them.
pub(crate) const FORGED: MessageNumber = u64::MAX;

#[derive(Debug, Default)]
pub(crate) struct Messages {
    sent: MessageNumber,
    /// What is under way to each end.
    queues: BTreeMap<EndId, VecDeque<MessageNumber>>,
    /// Messages are sent that the model does not know of.
    checks_nothing: bool,
}

impl Messages {
    /// A payload of about this length that no node has sent yet.
    pub(crate) fn compose(&mut self, len: u32) -> (MessageNumber, Bytes) {
        self.sent += 1;
        (self.sent, payload(self.sent, len))
    }

    /// A neighbour sends a message to the one behind this end.
    pub(crate) fn send(&mut self, to: EndId, number: MessageNumber) {
        self.queues.entry(to).or_default().push_back(number);
    }

    /// The message was refused.
    pub(crate) fn retract(&mut self, payload: &[u8]) {
        let number = number(payload);
        for queue in self.queues.values_mut() {
            if queue.back() == Some(&number) {
                queue.pop_back();
            }
        }
    }

    /// A message comes out at an end.
    pub(crate) fn deliver(&mut self, end: EndId, message: &[u8]) -> Result<(), Violation> {
        let number = number(message);
        if number == FORGED || self.checks_nothing {
            return Ok(());
        }
        let expected = self.queues.entry(end).or_default().pop_front();
        let whole = is_whole(message);
        Invariant::LinksAreFifo.holds(expected == Some(number) && whole, || match expected {
            Some(expected) => format!("message {number} is delivered, {expected} was next"),
            None => format!("message {number} is delivered, nothing was under way"),
        })
    }

    /// A neighbour behind this end is none any more; `in_peace` if it was the peer that said goodbye.
    pub(crate) fn closed(&mut self, end: EndId, in_peace: bool) -> Result<(), Violation> {
        let left = self.queues.remove(&end).unwrap_or_default();
        Invariant::GoodbyesComeLast.holds(!in_peace || left.is_empty(), || {
            format!("messages {left:?} had not arrived")
        })
    }

    /// From here on nodes send messages that the model does not know of.
    pub(crate) fn check_nothing(&mut self) {
        self.checks_nothing = true;
    }

    /// Whether all messages are the model's.
    pub(crate) const fn checks(&self) -> bool {
        !self.checks_nothing
    }

    /// How many messages are still under way to an end.
    pub(crate) fn under_way(&self, to: EndId) -> usize {
        self.queues.get(&to).map_or(0, VecDeque::len)
    }
}

/// A payload with this number in front, of at least sixteen bytes. Its length is behind the number, and its last byte is that of
/// the number, so that parts that are lost, doubled or exchanged show.
pub(crate) fn payload(number: MessageNumber, len: u32) -> Bytes {
    let len = (len as usize).max(16);
    let mut payload = BytesMut::with_capacity(len);
    payload.put_u64(number);
    payload.put_u64(len as u64);
    payload.extend((16..len).map(|at| pattern(number, at)));
    payload.freeze()
}

/// Whether a payload is one that [`payload`] has made.
pub(crate) fn is_whole(message: &[u8]) -> bool {
    let len = message.get(8..16).and_then(|len| len.first_chunk());
    let number = number(message);
    len.is_some_and(|len| u64::from_be_bytes(*len) == message.len() as u64)
        && (16..message.len()).all(|at| message.get(at) == Some(&pattern(number, at)))
}

/// The number of a message.
pub(crate) fn number(payload: &[u8]) -> MessageNumber {
    payload
        .first_chunk()
        .map_or(FORGED, |number| u64::from_be_bytes(*number))
}

/// Another byte in each kilobyte of a message.
const fn pattern(number: MessageNumber, at: usize) -> u8 {
    (number.wrapping_add(at as u64 >> 10) & 0xff) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_overtakes_is_noticed() {
        let (mut model, end) = (Messages::default(), EndId::default());
        let (first, _) = model.compose(8);
        let (second, late) = model.compose(8);
        model.send(end, first);
        model.send(end, second);
        let violation = model.deliver(end, &late).unwrap_err();
        assert_eq!(violation.invariant, Invariant::LinksAreFifo);
    }

    #[test]
    fn a_goodbye_before_the_last_message_is_noticed() {
        let (mut model, end) = (Messages::default(), EndId::default());
        let (number, _) = model.compose(8);
        model.send(end, number);
        let violation = model.closed(end, true).unwrap_err();
        assert_eq!(violation.invariant, Invariant::GoodbyesComeLast);
    }

    #[test]
    fn a_message_whose_parts_are_exchanged_is_noticed() {
        let (_, message) = Messages::default().compose(5_000);
        assert!(is_whole(&message));
        let exchanged = [&message[..2_000], &message[3_000..], &message[2_000..3_000]].concat();
        assert!(!is_whole(&exchanged));
        assert!(!is_whole(&message[..4_000]));
    }
}
