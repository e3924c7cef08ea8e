//! The reference model of the roots' streams: a list for each, and how far each node has come.
//!
//! Whatever parents a node has had and lost, what its app gets must be the next in the list, or the app was told of a gap that
//! ends right there.

use std::collections::BTreeMap;

use overlay_core::{Epoch, Position};

use super::messages::{FORGED, MessageNumber, is_whole, number};
use crate::invariants::{Invariant, Violation};
use crate::world::machine::Ix;

#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// What the root of each epoch has broadcast, in order.
    sent: BTreeMap<Epoch, Vec<Sent>>,
    readers: BTreeMap<Ix, Reader>,
    /// How many nodes each broadcast has reached.
    reached: BTreeMap<MessageNumber, u32>,
    /// A node has lied: what is missed can't be told any more.
    deceived: bool,
    checks_nothing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Position,
    number: MessageNumber,
    /// The root has taken it back when some of it was sent.
    cancelled: bool,
}

/// How far a node has come.
#[derive(Clone, Copy, Debug, Default)]
struct Reader {
    /// The latest that it has had: of which epoch, and its place in the list.
    latest: Option<(Epoch, usize)>,
    /// It was told that the stream goes on here.
    jumped: Option<Position>,
}

impl Streams {
    /// The root broadcasts a message at this position of its stream.
    pub(crate) fn broadcast(&mut self, at: Position, number: MessageNumber) {
        self.reached.insert(number, 0);
        let cancelled = false;
        let sent = Sent {
            at,
            number,
            cancelled,
        };
        self.sent.entry(at.epoch).or_default().push(sent);
    }

    /// The root takes a message back of which some is in its stream.
    pub(crate) fn cancel(&mut self, payload: &[u8]) {
        let number = number(payload);
        self.reached.remove(&number);
        let all = self.sent.values_mut().flatten();
        for sent in all.filter(|sent| sent.number == number) {
            sent.cancelled = true;
        }
    }

    /// The message was refused.
    pub(crate) fn retract(&mut self, payload: &[u8]) {
        let number = number(payload);
        if self.reached.remove(&number).is_some() {
            for sent in self.sent.values_mut() {
                sent.pop_if(|sent| sent.number == number);
            }
        }
    }

    /// A broadcast comes out at a node.
    pub(crate) fn deliver(
        &mut self,
        owner: Ix,
        at: Position,
        payload: &[u8],
    ) -> Result<(), Violation> {
        let number = number(payload);
        if number == FORGED || self.checks_nothing {
            return Ok(());
        }
        if let Some(reached) = self.reached.get_mut(&number) {
            *reached += 1;
        }
        let stream = self.sent.get(&at.epoch).map_or(&[][..], Vec::as_slice);
        let place = stream.binary_search_by_key(&at.offset, |sent| sent.at.offset);
        let same = |place: &usize| {
            let sent = stream[*place];
            sent.number == number && !sent.cancelled && is_whole(payload)
        };
        let place = place.ok().filter(same);
        let reader = self.readers.entry(owner).or_default();
        let before = core::mem::take(reader);
        if self.deceived {
            return Ok(());
        }
        let Some(place) = place else {
            let detail = format!("message {number} is delivered as what is at {at:?}");
            return Err(Invariant::BroadcastsAreTrue.broken(detail));
        };
        reader.latest = Some((at.epoch, place));
        let cancelled = stream[..place].iter().rev();
        let before_this = place - cancelled.take_while(|sent| sent.cancelled).count();
        let follows = match (before.jumped, before.latest) {
            (Some(to), _) => (before_this..=place).any(|place| stream[place].at == to),
            (None, None) => true,
            (None, Some((epoch, latest))) if epoch == at.epoch => {
                (before_this..=place).contains(&(latest + 1))
            }
            (None, Some((epoch, _))) => epoch < at.epoch && before_this == 0,
        };
        Invariant::GapsAreTold.holds(follows, || {
            format!(
                "message {number}, {place} of {:?}, comes after {before:?}",
                at.epoch
            )
        })
    }

    /// A node is told of a gap.
    pub(crate) fn gap(&mut self, owner: Ix, from: Position, to: Position) -> Result<(), Violation> {
        let reader = self.readers.entry(owner).or_default();
        let before = reader.jumped.replace(to);
        let Some((epoch, latest)) = reader.latest.filter(|_| !self.deceived) else {
            return Ok(());
        };
        let sent = self.sent.get(&epoch).map_or(&[][..], Vec::as_slice);
        let later = sent.get(latest + 1..).unwrap_or_default();
        let cancelled = later.iter().take_while(|sent| sent.cancelled).count();
        let mut next = later.iter().take(cancelled + 1);
        let begins = match before {
            // What was taken back meanwhile is in no gap.
            Some(before) => {
                let between = before.offset..from.offset;
                let mut between = sent.iter().filter(|sent| between.contains(&sent.at.offset));
                before == from || before.is_of(&from) && between.all(|sent| sent.cancelled)
            }
            None => from.epoch != epoch || later.is_empty() || next.any(|next| next.at == from),
        };
        Invariant::GapsAreTold.holds(begins && from != to, || {
            format!("a gap from {from:?} to {to:?}, after {latest} of {epoch:?}")
        })
    }

    /// How many nodes a broadcast has reached.
    pub(crate) fn reached(&self, number: MessageNumber) -> u32 {
        self.reached.get(&number).copied().unwrap_or(0)
    }

    /// A node is told lies.
    pub(crate) fn deceive(&mut self) {
        self.deceived = true;
    }

    pub(crate) const fn is_deceived(&self) -> bool {
        self.deceived
    }

    /// From here on nodes send messages that the model does not know of.
    pub(crate) fn check_nothing(&mut self) {
        self.checks_nothing = true;
    }

    /// A node begins anew, in whatever tree.
    pub(crate) fn begins(&mut self, owner: Ix) {
        self.readers.remove(&owner);
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;
    use overlay_core::NodeId;

    const START: Position = Position::beginning(NodeId::from_u128(0), Epoch(1));

    fn at(offset: u64) -> Position {
        Position { offset, ..START }
    }

    /// Three broadcasts, at 0, 20 and 40.
    fn three() -> Streams {
        let mut streams = Streams::default();
        (0..3).for_each(|n| streams.broadcast(at(n * 20), n));
        streams
    }

    fn comes(streams: &mut Streams, number: u64) -> Result<(), Violation> {
        streams.deliver(1, at(number * 20), &messages::payload(number, 0))
    }

    #[test]
    fn a_broadcast_that_is_missing_is_noticed_unless_it_is_told() {
        let mut streams = three();
        comes(&mut streams, 0).unwrap();
        let violation = comes(&mut streams, 2).unwrap_err();
        assert_eq!(violation.invariant, Invariant::GapsAreTold);
        let mut streams = three();
        comes(&mut streams, 0).unwrap();
        streams.gap(1, at(20), at(40)).unwrap();
        comes(&mut streams, 2).unwrap();
    }

    #[test]
    fn a_gap_with_false_bounds_is_noticed() {
        let mut streams = three();
        comes(&mut streams, 0).unwrap();
        assert!(streams.gap(1, at(0), at(40)).is_err());
        let mut streams = three();
        comes(&mut streams, 0).unwrap();
        streams.gap(1, at(20), at(30)).unwrap();
        assert!(comes(&mut streams, 2).is_err());
    }

    #[test]
    fn a_broadcast_that_comes_twice_is_noticed() {
        let mut streams = three();
        comes(&mut streams, 0).unwrap();
        assert!(comes(&mut streams, 0).is_err());
    }

    #[test]
    fn a_broadcast_with_the_name_of_another_is_noticed() {
        let mut streams = three();
        let wrong = streams.deliver(1, at(20), &messages::payload(2, 0));
        assert_eq!(wrong.unwrap_err().invariant, Invariant::BroadcastsAreTrue);
    }
}
