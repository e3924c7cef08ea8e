//! The root of an overlay, and the joins that it has been told of.

use alloc::collections::BTreeMap;

use crate::id::{ConnectionId, JoinId, NodeId};
use crate::signal::Signal;
use crate::time::Instant;

/// A connected root. Its pending joins are its own: they end with it.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) connection: ConnectionId,
    /// One for each joiner at most.
    pending: BTreeMap<NodeId, PendingJoin>,
}

/// A join that was passed to the root and has not ended.
#[derive(Debug)]
pub(super) struct PendingJoin {
    pub(super) join: JoinId,
    /// The connection that asked: nobody else hears of this join.
    pub(super) joiner: ConnectionId,
    pub(super) since: Instant,
    /// Whether the answer has passed. From there on the joiner may be connected at any moment.
    pub(super) answered: bool,
    candidates_from_joiner: u32,
    candidates_from_root: u32,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passage {
    /// It goes on to this connection.
    To(ConnectionId),
    /// It is dropped: its join has ended, which its sender could not know.
    Late,
    /// It is dropped: its join has had its share.
    Surplus,
}

impl Root {
    pub(super) const fn new(connection: ConnectionId) -> Self {
        Self {
            connection,
            pending: BTreeMap::new(),
        }
    }

    /// Begins a join; one of the same node must have ended.
    pub(super) fn begin(&mut self, join: JoinId, joiner: ConnectionId, now: Instant) {
        let pending = PendingJoin {
            join,
            joiner,
            since: now,
            answered: false,
            candidates_from_joiner: 0,
            candidates_from_root: 0,
        };
        self.pending.insert(join.origin, pending);
    }

    pub(super) fn join_of(&self, joiner: NodeId) -> Option<&PendingJoin> {
        self.pending.get(&joiner)
    }

    /// Ends whatever join a node has under way.
    pub(super) fn end_join_of(&mut self, joiner: NodeId) -> Option<PendingJoin> {
        self.pending.remove(&joiner)
    }

    pub(super) fn pending_joins(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn into_pending(self) -> impl Iterator<Item = PendingJoin> {
        self.pending.into_values()
    }

    /// A candidate from the joiner.
    pub(super) fn joiner_candidate(&mut self, join: JoinId, limit: u32) -> Passage {
        let to = self.connection;
        match self.pending_mut(join) {
            None => Passage::Late,
            Some(pending) => within(&mut pending.candidates_from_joiner, limit, to),
        }
    }

    /// The joiner gives up.
    pub(super) fn cancel(&mut self, join: JoinId) -> Passage {
        match self.end(join) {
            None => Passage::Late,
            Some(_) => Passage::To(self.connection),
        }
    }

    /// The answer, or a candidate from the acceptor.
    pub(super) fn signal(&mut self, join: JoinId, signal: &Signal, limit: u32) -> Passage {
        let Some(pending) = self.pending_mut(join) else {
            return Passage::Late;
        };
        match signal {
            Signal::Answer(_) if pending.answered => Passage::Surplus,
            Signal::Answer(_) => {
                pending.answered = true;
                Passage::To(pending.joiner)
            }
            Signal::Candidate(_) => {
                within(&mut pending.candidates_from_root, limit, pending.joiner)
            }
        }
    }

    /// The attempt has failed.
    pub(super) fn reject(&mut self, join: JoinId) -> Passage {
        self.end(join)
            .map_or(Passage::Late, |pending| Passage::To(pending.joiner))
    }

    fn pending_mut(&mut self, join: JoinId) -> Option<&mut PendingJoin> {
        self.pending
            .get_mut(&join.origin)
            .filter(|pending| pending.join == join)
    }

    fn end(&mut self, join: JoinId) -> Option<PendingJoin> {
        self.pending_mut(join)?;
        self.end_join_of(join.origin)
    }
}

/// Counts one more, if the limit allows it.
const fn within(count: &mut u32, limit: u32, to: ConnectionId) -> Passage {
    if *count >= limit {
        return Passage::Surplus;
    }
    *count += 1;
    Passage::To(to)
}
