//! The reference model of app messages: a naive tree of queues, obviously right.
//!
//! Each direction of a link is a queue. Who sends puts a number into it; what is delivered at the other
//! end must be the number in front. A broadcast that is delivered goes into the queues to all children that
//! the node has at that moment. When a link closes its queues are gone; when it closes with a goodbye, the
//! queue of the one who said it must be empty.

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use overlay_core::Scope;

use crate::breach::{Breach, Claim};
use crate::machine::Ix;
use crate::webrtc::EndId;

/// The name of a message: the first eight bytes of its payload.
pub(crate) type MessageNumber = u64;

/// What a forger's messages are called. Nobody expects them, and nobody is blamed for them.
pub(crate) const FORGED: MessageNumber = u64::MAX;

#[derive(Debug, Default)]
pub(crate) struct Model {
    sent: MessageNumber,
    /// What is under way to each end.
    queues: BTreeMap<EndId, VecDeque<MessageNumber>>,
    /// The children of each node: its own end and the other end of each link to one.
    children: BTreeMap<Ix, Vec<[EndId; 2]>>,
    /// How many nodes each broadcast has reached.
    reached: BTreeMap<MessageNumber, u32>,
}

impl Model {
    /// A payload of about this length that nobody has sent yet.
    pub(crate) fn compose(&mut self, len: u32) -> (MessageNumber, Bytes) {
        self.sent += 1;
        (self.sent, payload(self.sent, len))
    }

    /// A neighbour sends a message to the one behind this end.
    pub(crate) fn send(&mut self, to: EndId, number: MessageNumber) {
        self.queues.entry(to).or_default().push_back(number);
    }

    /// The root sends a message to everybody.
    pub(crate) fn broadcast(&mut self, from: Ix, number: MessageNumber) {
        self.reached.insert(number, 0);
        self.pass_down(from, number);
    }

    /// The message was refused.
    pub(crate) fn retract(&mut self, payload: &[u8]) {
        let number = number(payload);
        self.reached.remove(&number);
        for queue in self.queues.values_mut() {
            if queue.back() == Some(&number) {
                queue.pop_back();
            }
        }
    }

    /// A message comes out at an end that belongs to `owner`.
    pub(crate) fn deliver(
        &mut self,
        owner: Ix,
        end: EndId,
        scope: Scope,
        payload: &[u8],
    ) -> Result<(), Breach> {
        let number = number(payload);
        if number == FORGED {
            return Ok(());
        }
        let queue = self.queues.entry(end).or_default();
        let expected = queue.pop_front();
        let claim = match scope {
            Scope::Direct => Claim::LinksAreFifo,
            Scope::Broadcast => Claim::BroadcastsFollowTheTree,
        };
        claim.holds(expected == Some(number), || match expected {
            Some(expected) => format!("message {number} is delivered, {expected} was next"),
            None => format!("message {number} is delivered, nothing was under way"),
        })?;
        if scope == Scope::Broadcast {
            self.pass_down(owner, number);
            if let Some(reached) = self.reached.get_mut(&number) {
                *reached += 1;
            }
        }
        Ok(())
    }

    /// A node has a child: the node's end of the link, and the child's.
    pub(crate) fn child_connected(&mut self, parent: Ix, ends: [EndId; 2]) {
        self.children.entry(parent).or_default().push(ends);
    }

    /// A node has the child behind its end of the link no more.
    pub(crate) fn child_closed(&mut self, parent: Ix, end: EndId) {
        if let Some(children) = self.children.get_mut(&parent) {
            children.retain(|[own, _]| *own != end);
        }
    }

    /// A neighbour behind this end is none any more; `in_peace` if it was the peer who said goodbye.
    pub(crate) fn closed(&mut self, end: EndId, in_peace: bool) -> Result<(), Breach> {
        let left = self.queues.remove(&end).unwrap_or_default();
        Claim::GoodbyesComeLast.holds(!in_peace || left.is_empty(), || {
            format!("messages {left:?} had not arrived")
        })
    }

    /// How many nodes a broadcast has reached.
    pub(crate) fn reached(&self, number: MessageNumber) -> u32 {
        self.reached.get(&number).copied().unwrap_or(0)
    }

    /// How many messages are still under way to an end.
    pub(crate) fn under_way(&self, to: EndId) -> usize {
        self.queues.get(&to).map_or(0, VecDeque::len)
    }

    fn pass_down(&mut self, from: Ix, number: MessageNumber) {
        for [_, child] in self.children.get(&from).into_iter().flatten() {
            self.queues.entry(*child).or_default().push_back(number);
        }
    }
}

/// A payload with this number in front, of at least eight bytes.
pub(crate) fn payload(number: MessageNumber, len: u32) -> Bytes {
    let len = (len as usize).max(8);
    let mut payload = BytesMut::with_capacity(len);
    payload.put_u64(number);
    payload.resize(len, 0);
    payload.freeze()
}

fn number(payload: &[u8]) -> MessageNumber {
    payload
        .first_chunk()
        .map_or(FORGED, |number| u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_overtakes_is_noticed() {
        let (mut model, end) = (Model::default(), EndId::default());
        let (first, _) = model.compose(8);
        let (second, late) = model.compose(8);
        model.send(end, first);
        model.send(end, second);
        let breach = model.deliver(1, end, Scope::Direct, &late).unwrap_err();
        assert_eq!(breach.claim, Claim::LinksAreFifo);
    }

    #[test]
    fn a_goodbye_before_the_last_message_is_noticed() {
        let (mut model, end) = (Model::default(), EndId::default());
        let (number, _) = model.compose(8);
        model.send(end, number);
        let breach = model.closed(end, true).unwrap_err();
        assert_eq!(breach.claim, Claim::GoodbyesComeLast);
    }

    #[test]
    fn a_broadcast_is_expected_by_those_who_are_children_when_it_comes() {
        let (mut model, early) = (Model::default(), EndId::default());
        model.child_connected(0, [early; 2]);
        let (number, bytes) = model.compose(8);
        model.broadcast(0, number);
        model.child_closed(0, early);
        assert_eq!(model.under_way(early), 1);
        model.deliver(1, early, Scope::Broadcast, &bytes).unwrap();
        assert_eq!((model.reached(number), model.under_way(early)), (1, 0));
    }
}
