//! The joins that an overlay's root knows of.

use alloc::collections::BTreeMap;

use crate::id::{ConnectionId, JoinId, NodeId};
use crate::signal::Signal;
use crate::time::Instant;

/// The joins that were passed to a root and have not ended, one for each joiner at most.
#[derive(Debug, Default)]
pub(super) struct Joins(BTreeMap<NodeId, Join>);

/// A join that was passed to the root.
#[derive(Debug)]
pub(super) struct Join {
    pub(super) id: JoinId,
    /// The connection that asked. No other hears of this join.
    pub(super) joiner: ConnectionId,
    pub(super) since: Instant,
    /// Whether the answer has passed. From then on the joiner may be connected at any moment.
    pub(super) answered: bool,
    candidates_from_joiner: u32,
    candidates_from_root: u32,
}

/// The outcome of a frame about a join.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passage {
    ToRoot,
    /// To the joiner, on this connection.
    ToJoiner(ConnectionId),
    /// Nowhere: the join has ended, which the sender could not know.
    Late,
    /// Nowhere: the join has had its share of such frames.
    Surplus,
}

impl Joins {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The join of a node.
    pub(super) fn of(&self, joiner: NodeId) -> Option<&Join> {
        self.0.get(&joiner)
    }

    /// Begins a join; an older one of the same node must have ended.
    pub(super) fn begin(&mut self, id: JoinId, joiner: ConnectionId, now: Instant) {
        let join = Join {
            id,
            joiner,
            since: now,
            answered: false,
            candidates_from_joiner: 0,
            candidates_from_root: 0,
        };
        self.0.insert(id.origin, join);
    }

    /// Ends the join of a node, whichever of its attempts that is.
    pub(super) fn end_of(&mut self, joiner: NodeId) -> Option<Join> {
        self.0.remove(&joiner)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = Join> {
        self.0.into_values()
    }

    /// An ICE candidate of the joiner.
    pub(super) fn joiner_candidate(&mut self, id: JoinId, limit: u32) -> Passage {
        match self.get_mut(id) {
            None => Passage::Late,
            Some(join) => within(&mut join.candidates_from_joiner, limit, Passage::ToRoot),
        }
    }

    /// The joiner gives up.
    pub(super) fn cancel(&mut self, id: JoinId) -> Passage {
        self.end(id).map_or(Passage::Late, |_| Passage::ToRoot)
    }

    /// The answer, or an ICE candidate of the acceptor.
    pub(super) fn root_signal(&mut self, id: JoinId, signal: &Signal, limit: u32) -> Passage {
        let Some(join) = self.get_mut(id) else {
            return Passage::Late;
        };
        let to_joiner = Passage::ToJoiner(join.joiner);
        match signal {
            Signal::Answer(_) if join.answered => Passage::Surplus,
            Signal::Answer(_) => {
                join.answered = true;
                to_joiner
            }
            Signal::IceCandidate(_) => within(&mut join.candidates_from_root, limit, to_joiner),
        }
    }

    /// The root, or a node below it, rejects the request.
    pub(super) fn reject(&mut self, id: JoinId) -> Passage {
        self.end(id)
            .map_or(Passage::Late, |join| Passage::ToJoiner(join.joiner))
    }

    fn get_mut(&mut self, id: JoinId) -> Option<&mut Join> {
        let join = self.0.get_mut(&id.origin);
        join.filter(|join| join.id == id)
    }

    fn end(&mut self, id: JoinId) -> Option<Join> {
        self.get_mut(id)?;
        self.end_of(id.origin)
    }
}

/// Counts one more candidate, if the limit allows it.
const fn within(count: &mut u32, limit: u32, passage: Passage) -> Passage {
    if *count >= limit {
        return Passage::Surplus;
    }
    *count += 1;
    passage
}
