//! The routes of joins: which way a join's signals pass between joiner and acceptor.
//!
//! Each node that a request passes remembers where it came from and where it went, for the length of
//! the join. ICE candidates and a cancellation go down that route; the answer, ICE candidates and a rejection
//! go up. A frame that comes from neither end, or goes the wrong way, is dropped: knowing the name of a
//! join gives no peer a part in it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::expiring::Expiring;
use crate::id::{BootstrapId, JoinId, LinkId};
use crate::signal::Signal;
use crate::time::Instant;
use crate::wire::JoinFrame;

/// A peer that a join's frames come from, or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The server, on this connection.
    Server(BootstrapId),
    /// A neighbour.
    Link(LinkId),
}

/// The next hop that a request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextHop {
    /// It waits here, under this number.
    Queue(u64),
    /// To a child.
    Child(LinkId),
    /// To the parent: the joiner is below this node and moves.
    Parent(LinkId),
    /// Nowhere: this node is the acceptor.
    Candidate(LinkId),
}

/// Both ends of a join at this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// Towards the joiner.
    pub(crate) back: Peer,
    /// Towards the acceptor.
    pub(crate) next: NextHop,
}

/// The verdict on a frame of another node's join.
#[derive(Debug)]
pub(crate) enum Routed {
    /// It goes on to this peer.
    Forward(Peer, JoinFrame),
    /// This node is the acceptor: the candidate's connection takes the signal.
    Apply(LinkId, Signal),
    /// The request waits here, under this number: the signal waits with it.
    Keep(u64, Signal),
    /// The joiner has given up a request that waits here, under this number.
    Unqueue(u64),
    /// The joiner has given up, and this link is its candidate's.
    Abort(LinkId),
    /// The join is unknown, or the frame comes from a peer that has no right to it.
    Drop,
}

/// The joins that this node had a part in lately.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    entries: Expiring<JoinId, Entry>,
    /// The joins whose answer has passed, oldest answer first. An entry says when its handshake is over.
    answered: BTreeSet<(Instant, JoinId)>,
}

#[derive(Debug)]
struct Entry {
    route: Route,
    answered: bool,
}

impl Routes {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, join: JoinId) -> Option<Route> {
        self.entries.get(&join).map(|entry| entry.route)
    }

    /// Whether there is room for one more, if need be in place of the join that was answered first, if it
    /// expires by `settled`. All others still need their routes: to forget one in favour of a newer join
    /// would mean that in a crowd no join ever gets through.
    pub(crate) fn make_room(&mut self, limit: usize, settled: Instant) -> bool {
        if self.entries.len() < limit {
            return true;
        }
        match self.answered.first() {
            Some(&(expires, join)) if expires <= settled => self.remove(join).is_some(),
            _ => false,
        }
    }

    pub(crate) fn insert(&mut self, join: JoinId, route: Route, expires: Instant) {
        let answered = false;
        let entry = Entry { route, answered };
        let old = self.entries.insert(join, expires, entry);
        self.forget_answer(join, old);
    }

    /// The verdict on a frame of another node's join, unless it is a request. `handshake_ends`: when a
    /// join is over that is answered now.
    pub(crate) fn route(
        &mut self,
        from: Peer,
        frame: JoinFrame,
        handshake_ends: Instant,
    ) -> Routed {
        let join = frame.join();
        let Some(Route { back, next }) = self.get(join) else {
            return Routed::Drop;
        };
        let from_joiner = from == back;
        let from_acceptor = matches!(next,
            NextHop::Child(link) | NextHop::Parent(link) if from == Peer::Link(link));
        match frame {
            JoinFrame::Signal {
                signal: signal @ Signal::IceCandidate(_),
                ..
            } if from_joiner => match next {
                NextHop::Queue(number) => Routed::Keep(number, signal),
                NextHop::Candidate(link) => Routed::Apply(link, signal),
                NextHop::Child(link) | NextHop::Parent(link) => {
                    Routed::Forward(Peer::Link(link), JoinFrame::Signal { join, signal })
                }
            },
            JoinFrame::Signal { ref signal, .. } if from_acceptor => {
                if matches!(signal, Signal::Answer(_)) {
                    self.answered(join, handshake_ends);
                }
                Routed::Forward(back, frame)
            }
            JoinFrame::Reject { .. } if from_acceptor => {
                self.remove(join);
                Routed::Forward(back, frame)
            }
            JoinFrame::Cancel { .. } if from_joiner => {
                self.remove(join);
                match next {
                    NextHop::Queue(number) => Routed::Unqueue(number),
                    NextHop::Candidate(link) => Routed::Abort(link),
                    NextHop::Child(link) | NextHop::Parent(link) => {
                        Routed::Forward(Peer::Link(link), frame)
                    }
                }
            }
            _ => Routed::Drop,
        }
    }

    /// The answer has passed: all that is left is the handshake, which ends before `expires`.
    fn answered(&mut self, join: JoinId, expires: Instant) {
        if let Some(entry) = self.entries.get_mut(&join)
            && !entry.answered
        {
            entry.answered = true;
            self.entries.defer(&join, expires);
            self.answered.insert((expires, join));
        }
    }

    pub(crate) fn remove(&mut self, join: JoinId) -> Option<Route> {
        let removed = self.entries.remove(&join);
        self.forget_answer(join, removed)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.entries.next_deadline()
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(expires) = self.next_deadline()
            && let Some((join, entry)) = self.entries.pop_due(now)
        {
            self.forget_answer(join, Some((expires, entry)));
        }
    }

    /// An entry is gone, and so is what is remembered of its answer.
    fn forget_answer(&mut self, join: JoinId, gone: Option<(Instant, Entry)>) -> Option<Route> {
        let (expires, entry) = gone?;
        if entry.answered {
            self.answered.remove(&(expires, join));
        }
        Some(entry.route)
    }

    /// The number of joins that have come from there.
    pub(crate) fn count_from(&self, back: Peer) -> usize {
        let entries = self.entries.iter();
        entries
            .filter(|(_, entry)| entry.route.back == back)
            .count()
    }

    /// The joins that went there.
    pub(crate) fn to(&self, next: NextHop) -> Vec<JoinId> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.route.next == next)
            .map(|(join, _)| *join)
            .collect()
    }
}
