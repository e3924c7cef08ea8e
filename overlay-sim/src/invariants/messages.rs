//! The reference model of app messages: a naive tree of queues, obviously right.
//!
//! Each direction of a link is a queue. A sender puts a number into it; what is delivered at the other
//! end must be the number in front. A broadcast that is delivered goes into the queues to all children that
//! the node has at that moment. One that the node has had by way of another parent is dropped. When a link closes its queues are gone; when it closes with a goodbye, the
//! queue of the node that said it must be empty.

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use overlay_core::{Epoch, Scope};

use crate::invariants::{Invariant, Violation};
use crate::world::machine::Ix;
use overlay_testkit::net::EndId;

/// The name of a message: the first eight bytes of its payload.
pub(crate) type MessageNumber = u64;

/// The number of a forger's messages. No node expects them, and none is blamed for them.
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
    /// The epoch in which each was sent: an epoch has one root.
    senders: BTreeMap<MessageNumber, Epoch>,
    /// How far each node has come with a root's broadcasts.
    had: BTreeMap<Ix, Position>,
    /// The last message of the stream of an epoch.
    ends: BTreeMap<Epoch, MessageNumber>,
    /// How far a parent had come when it took the child behind this end.
    welcomed: BTreeMap<EndId, Position>,
    /// A node has lied: what is missed can't be told any more.
    deceived: bool,
    /// Messages are sent that the model does not know of.
    checks_nothing: bool,
}

/// The latest broadcast of a root that a node has had, or was told it has missed; 0 if there was none yet.
#[derive(Clone, Copy, Debug)]
struct Position {
    epoch: Epoch,
    latest: MessageNumber,
}

impl Model {
    /// A payload of about this length that no node has sent yet.
    pub(crate) fn compose(&mut self, len: u32) -> (MessageNumber, Bytes) {
        self.sent += 1;
        (self.sent, payload(self.sent, len))
    }

    /// A neighbour sends a message to the one behind this end.
    pub(crate) fn send(&mut self, to: EndId, number: MessageNumber) {
        self.queues.entry(to).or_default().push_back(number);
    }

    /// A node is the root now, and has sent nothing yet.
    pub(crate) fn leaders(&mut self, root: Ix, epoch: Epoch) {
        let latest = 0;
        self.had.insert(root, Position { epoch, latest });
    }

    /// The root sends a message to every node.
    pub(crate) fn broadcast(&mut self, from: Ix, epoch: Epoch, number: MessageNumber) {
        self.reached.insert(number, 0);
        self.senders.insert(number, epoch);
        let latest = number;
        self.had.insert(from, Position { epoch, latest });
        self.pass_down(from, number);
    }

    /// The root ends its stream with a message that is sent already.
    pub(crate) fn end(&mut self, epoch: Epoch, number: MessageNumber) {
        self.ends.insert(epoch, number);
    }

    /// The message was refused.
    pub(crate) fn retract(&mut self, payload: &[u8]) {
        let number = number(payload);
        self.reached.remove(&number);
        self.senders.remove(&number);
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
    ) -> Result<(), Violation> {
        let number = number(payload);
        if number == FORGED || self.checks_nothing {
            return Ok(());
        }
        let had = |number: &MessageNumber| has_had(&self.senders, &self.had, owner, *number);
        let queue = self.queues.entry(end).or_default();
        while queue.front().is_some_and(had) {
            queue.pop_front();
        }
        let expected = queue.pop_front();
        let invariant = match scope {
            Scope::Direct => Invariant::LinksAreFifo,
            Scope::Broadcast | Scope::End => Invariant::BroadcastsFollowTheTree,
        };
        invariant.holds(expected == Some(number), || match expected {
            Some(expected) => format!("message {number} is delivered, {expected} was next"),
            None => format!("message {number} is delivered, nothing was under way"),
        })?;
        if scope != Scope::Direct {
            self.is_counted(owner, number)?;
            self.pass_down(owner, number);
            if let Some(reached) = self.reached.get_mut(&number) {
                *reached += 1;
            }
        }
        Ok(())
    }

    /// A node has a child: the node's end of the link, and the child's. `ended`: the stream that the node is in has ended
    /// there.
    pub(crate) fn child_connected(&mut self, parent: Ix, ends: [EndId; 2], ended: bool) {
        self.children.entry(parent).or_default().push(ends);
        let Some(&had) = self.had.get(&parent) else {
            return;
        };
        let mut welcomed = had;
        // A child that comes behind the end gets the last message nevertheless.
        if ended && self.ends.get(&had.epoch) == Some(&had.latest) {
            self.queues
                .entry(ends[1])
                .or_default()
                .push_back(had.latest);
            welcomed.latest -= 1;
        }
        self.welcomed.insert(ends[1], welcomed);
    }

    /// A node has a parent behind this end. If it is the first, it has a right to what comes from now on.
    pub(crate) fn parent_connected(&mut self, owner: Ix, end: EndId) {
        if let Some(latest) = self.welcomed.remove(&end) {
            self.had.entry(owner).or_insert(latest);
        }
    }

    /// A node has the child behind its end of the link no more.
    pub(crate) fn child_closed(&mut self, parent: Ix, end: EndId) {
        if let Some(children) = self.children.get_mut(&parent) {
            children.retain(|[own, _]| *own != end);
        }
    }

    /// A neighbour behind this end is none any more; `in_peace` if it was the peer that said goodbye.
    pub(crate) fn closed(
        &mut self,
        owner: Ix,
        end: EndId,
        in_peace: bool,
    ) -> Result<(), Violation> {
        let mut left = self.queues.remove(&end).unwrap_or_default();
        left.retain(|number| !has_had(&self.senders, &self.had, owner, *number));
        Invariant::GoodbyesComeLast.holds(!in_peace || left.is_empty(), || {
            format!("messages {left:?} had not arrived")
        })
    }

    /// How many nodes a broadcast has reached.
    pub(crate) fn reached(&self, number: MessageNumber) -> u32 {
        self.reached.get(&number).copied().unwrap_or(0)
    }

    /// A node is told that it has missed this many broadcasts.
    pub(crate) fn told_of_missed(&mut self, owner: Ix, broadcasts: u64) {
        let Some(Position { epoch, latest }) = self.had.remove(&owner) else {
            return;
        };
        let later = self.senders.range(latest + 1..);
        let last = self.ends.get(&epoch);
        // The last one is never missed: every parent has it for its children.
        let mut later = later.filter(|(number, from)| **from == epoch && Some(*number) != last);
        let missed = usize::try_from(broadcasts.saturating_sub(1)).unwrap_or(usize::MAX);
        // There are fewer if they were another root's: then the numbers begin anew.
        if let Some((&latest, _)) = later.nth(missed) {
            self.had.insert(owner, Position { epoch, latest });
        }
    }

    /// A node is told lies.
    pub(crate) fn deceive(&mut self) {
        self.deceived = true;
    }

    /// From here on nodes send messages that the model does not know of.
    pub(crate) fn check_nothing(&mut self) {
        self.checks_nothing = true;
    }

    /// A node begins anew, in whatever tree.
    pub(crate) fn begins(&mut self, owner: Ix) {
        self.had.remove(&owner);
    }

    /// How many messages are still under way to an end, but for those that come a second time.
    pub(crate) fn under_way(&self, owner: Ix, to: EndId) -> usize {
        let queue = self.queues.get(&to).into_iter().flatten();
        let new = queue.filter(|number| !has_had(&self.senders, &self.had, owner, **number));
        new.count()
    }

    /// Between the last one that a node has had, or was told of as missed, and this one there is none.
    fn is_counted(&mut self, owner: Ix, number: MessageNumber) -> Result<(), Violation> {
        let Some(&epoch) = self.senders.get(&number) else {
            return Ok(());
        };
        let latest = number;
        let last = self.had.insert(owner, Position { epoch, latest });
        let last = last.filter(|last| last.epoch == epoch && !self.deceived);
        let Some(Position { latest: last, .. }) = last else {
            return Ok(());
        };
        let invariant = Invariant::BroadcastsAreCounted;
        invariant.holds(number > last, || format!("{number} comes after {last}"))?;
        let between = self.senders.range(last + 1..number);
        let missing = between.filter(|(_, from)| **from == epoch).count();
        invariant.holds(missing == 0, || {
            format!("{missing} are missing between {last} and {number}, and it was not told")
        })
    }

    fn pass_down(&mut self, from: Ix, number: MessageNumber) {
        for [_, child] in self.children.get(&from).into_iter().flatten() {
            self.queues.entry(*child).or_default().push_back(number);
        }
    }
}

/// Whether a message is a broadcast that the node has had: then it is dropped when it comes again.
fn has_had(
    senders: &BTreeMap<MessageNumber, Epoch>,
    had: &BTreeMap<Ix, Position>,
    owner: Ix,
    number: MessageNumber,
) -> bool {
    let sender = senders.get(&number);
    let last = had.get(&owner);
    last.is_some_and(|last| sender == Some(&last.epoch) && number <= last.latest)
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
        let violation = model.deliver(1, end, Scope::Direct, &late).unwrap_err();
        assert_eq!(violation.invariant, Invariant::LinksAreFifo);
    }

    #[test]
    fn a_goodbye_before_the_last_message_is_noticed() {
        let (mut model, end) = (Model::default(), EndId::default());
        let (number, _) = model.compose(8);
        model.send(end, number);
        let violation = model.closed(1, end, true).unwrap_err();
        assert_eq!(violation.invariant, Invariant::GoodbyesComeLast);
    }

    #[test]
    fn a_broadcast_is_expected_by_the_children_of_that_moment() {
        let (mut model, early) = (Model::default(), EndId::default());
        model.child_connected(0, [early; 2], false);
        let (number, bytes) = model.compose(8);
        model.broadcast(0, Epoch(1), number);
        model.child_closed(0, early);
        assert_eq!(model.under_way(1, early), 1);
        model.deliver(1, early, Scope::Broadcast, &bytes).unwrap();
        assert_eq!((model.reached(number), model.under_way(1, early)), (1, 0));
    }
}
