//! Passing a join's signals between joiner and acceptor.
//!
//! Each node that a request passes remembers where it came from and where it went, for the length of
//! the join. Candidates and a cancellation go down that route, the answer, candidates and a rejection
//! up. A frame that comes from neither end, or goes the wrong way, is dropped: knowing the name of a
//! join gives nobody a part in it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Node;
use super::link::LinkState;
use crate::action::{Action, CloseReason};
use crate::id::{BootstrapId, JoinId, LinkId};
use crate::signal::Signal;
use crate::time::Instant;
use crate::wire::{JoinFrame, LinkFrame};

/// A side that a join's frames come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// The server, on this connection.
    Server(BootstrapId),
    /// A neighbour.
    Link(LinkId),
}

/// Where a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Towards {
    /// It waits here, under this number.
    Parked(u64),
    /// To a child.
    Child(LinkId),
    /// To the parent: the joiner stands below this node and moves.
    Parent(LinkId),
    /// Nowhere: this node is the acceptor.
    Candidate(LinkId),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) back: Hop,
    pub(super) towards: Towards,
}

/// The joins that this node had a part in lately.
#[derive(Debug, Default)]
pub(super) struct Routes {
    entries: BTreeMap<JoinId, Entry>,
    /// Those that have no answer yet, by when they expire.
    unanswered: BTreeSet<(Instant, JoinId)>,
    /// Those whose answer has passed, by when they expire: oldest answer first.
    answered: BTreeSet<(Instant, JoinId)>,
}

#[derive(Debug)]
struct Entry {
    route: Route,
    expires: Instant,
    answered: bool,
}

impl Routes {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, join: JoinId) -> Option<Route> {
        self.entries.get(&join).map(|entry| entry.route)
    }

    /// Whether there is room for one more, if need be in place of the join that was answered first, if it
    /// expires by `settled`. All others still need their routes: to forget one in favour of a newcomer
    /// would mean that in a crowd nobody ever gets through.
    pub(super) fn make_room(&mut self, limit: usize, settled: Instant) -> bool {
        if self.entries.len() < limit {
            return true;
        }
        match self.answered.first() {
            Some(&(expires, join)) if expires <= settled => self.remove(join).is_some(),
            _ => false,
        }
    }

    fn insert(&mut self, join: JoinId, route: Route, expires: Instant) {
        self.remove(join);
        let entry = Entry {
            route,
            expires,
            answered: false,
        };
        self.entries.insert(join, entry);
        self.unanswered.insert((expires, join));
    }

    /// The answer has passed: all that is left is the handshake, which ends before `expires`.
    fn answered(&mut self, join: JoinId, expires: Instant) {
        if let Some(entry) = self.entries.get_mut(&join)
            && !entry.answered
        {
            self.unanswered.remove(&(entry.expires, join));
            entry.expires = expires;
            entry.answered = true;
            self.answered.insert((expires, join));
        }
    }

    pub(super) fn remove(&mut self, join: JoinId) -> Option<Route> {
        let entry = self.entries.remove(&join)?;
        let of_its_kind = if entry.answered {
            &mut self.answered
        } else {
            &mut self.unanswered
        };
        of_its_kind.remove(&(entry.expires, join));
        Some(entry.route)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.first().map(|(expires, _)| expires)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((expires, join)) = self.first()
            && expires <= now
        {
            self.remove(join);
        }
    }

    /// The one that expires next.
    fn first(&self) -> Option<(Instant, JoinId)> {
        let first = [self.unanswered.first(), self.answered.first()];
        first.into_iter().flatten().min().copied()
    }

    /// How many joins have come from there.
    pub(super) fn back_to(&self, back: Hop) -> usize {
        let entries = self.entries.values();
        entries.filter(|entry| entry.route.back == back).count()
    }

    fn towards(&self, towards: Towards) -> Vec<JoinId> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.route.towards == towards)
            .map(|(join, _)| *join)
            .collect()
    }
}

impl Node {
    /// Whether one more join can be remembered.
    pub(super) fn room_for_route(&mut self) -> bool {
        // Answered longer than `patience` ago.
        let settled = self.now.before(self.config.patience) + self.config.request_timeout;
        self.routes.make_room(self.config.max_routes, settled)
    }

    pub(super) fn remember_route(&mut self, join: JoinId, back: Hop, towards: Towards) {
        let expires = self.now + self.config.route_lifetime();
        let route = Route { back, towards };
        self.routes.insert(join, route, expires);
    }

    /// Whether the root is on that side, or the server who introduces to it.
    pub(super) fn is_above(&self, hop: Hop) -> bool {
        match hop {
            Hop::Server(_) => true,
            Hop::Link(link) => self.parent_link() == Some(link),
        }
    }

    /// Passes on a frame of somebody else's join, unless it is a request.
    pub(super) fn route(&mut self, from: Hop, frame: JoinFrame, out: &mut Vec<Action>) {
        let join = frame.join();
        let Some(route) = self.routes.get(join) else {
            self.stats.join_frames_dropped += 1;
            return;
        };
        let from_joiner = from == route.back;
        let from_acceptor = matches!(route.towards,
            Towards::Child(link) | Towards::Parent(link) if from == Hop::Link(link));
        match frame {
            JoinFrame::Signal {
                signal: signal @ Signal::Candidate(_),
                ..
            } if from_joiner => self.signal_acceptor(join, route.towards, signal, out),
            JoinFrame::Signal { ref signal, .. } if from_acceptor => {
                if matches!(signal, Signal::Answer(_)) {
                    let expires = self.now + self.config.request_timeout;
                    self.routes.answered(join, expires);
                }
                self.send_hop(route.back, frame, out);
            }
            JoinFrame::Reject { .. } if from_acceptor => {
                self.routes.remove(join);
                self.send_hop(route.back, frame, out);
            }
            #[cfg(planted)]
            JoinFrame::Cancel { .. } if self.config.has_bug(crate::Planted::CancelIgnored) => {}
            JoinFrame::Cancel { .. } if from_joiner => {
                self.routes.remove(join);
                match route.towards {
                    Towards::Parked(number) => self.unpark(number),
                    Towards::Child(link) | Towards::Parent(link) => {
                        self.send_hop(Hop::Link(link), frame, out);
                    }
                    Towards::Candidate(link) => self.shut(link, CloseReason::Cancelled, out),
                }
            }
            _ => self.stats.join_frames_dropped += 1,
        }
    }

    /// The embedder has a signal for the other side of a link's handshake.
    pub(super) fn link_signal(&mut self, id: LinkId, signal: Signal, out: &mut Vec<Action>) {
        match self.links.get(id).map(|link| &link.state) {
            Some(LinkState::Dialing(dialing)) => {
                let (join, way) = (dialing.join, dialing.way);
                self.dial_signal(join, way, signal, out);
            }
            Some(LinkState::Candidate(candidate)) => {
                let join = candidate.join;
                match self.routes.get(join) {
                    Some(route) => {
                        self.send_hop(route.back, JoinFrame::Signal { join, signal }, out);
                    }
                    None => self.stats.join_frames_dropped += 1,
                }
            }
            // Candidates that are found after the channel has opened are of no use.
            Some(_) => {}
            None => self.stats.late_events += 1,
        }
    }

    /// Sends a join's frame to the next node on its route.
    pub(super) fn send_hop(&mut self, to: Hop, frame: JoinFrame, out: &mut Vec<Action>) {
        match to {
            Hop::Server(id) if self.is_current_bootstrap(id) => self.send_server(frame, out),
            Hop::Link(link)
                if self
                    .links
                    .get(link)
                    .is_some_and(|link| link.state.neighbour().is_some()) =>
            {
                self.transmit(link, &LinkFrame::Join(frame), out);
            }
            _ => self.stats.join_frames_dropped += 1,
        }
    }

    /// A neighbour is gone: the joins that went there can't go on, and their joiners are told.
    pub(super) fn reject_routes(&mut self, towards: Towards, out: &mut Vec<Action>) {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::RouteKeptTooLong) {
            return;
        }
        for join in self.routes.towards(towards) {
            if let Some(route) = self.routes.remove(join) {
                self.reject(route.back, join, crate::wire::RejectReason::Busy, out);
            }
        }
    }

    fn signal_acceptor(
        &mut self,
        join: JoinId,
        towards: Towards,
        signal: Signal,
        out: &mut Vec<Action>,
    ) {
        match towards {
            Towards::Parked(number) => self.keep_early(number, signal),
            Towards::Child(link) | Towards::Parent(link) => {
                self.send_hop(Hop::Link(link), JoinFrame::Signal { join, signal }, out);
            }
            Towards::Candidate(link) => out.push(Action::ApplySignal(link, signal)),
        }
    }
}
