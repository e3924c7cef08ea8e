//! Which place a joiner gets, or in whose subtree. The first that applies:
//!
//! 1. A free place: this node takes the joiner itself. A subtree that is too small for it lets a single node go
//!    first, once (`balance`).
//! 2. An orphan is led back to where its lost parent stood: down, or to a place that is about to become free.
//! 3. A child makes room for a subtree that is larger than its own, or is making room for another one, below which
//!    this joiner does best.
//! 4. The policy chooses a child. It sees candidates too, because in a flash crowd the best parent for a
//!    newcomer is often one that is about to connect; then the request waits for that (`parking`).
//!
//! A hanging candidate must not hold up others: after `patience` a parked request settles for a connected child, the
//! first that has a place, and after `park_timeout`, counted over all the nodes that it waits at, it is
//! rejected.

use super::Node;
use super::balance::Lead;
use super::link::{Door, LinkState};
use super::parking::{Awaits, Waiting};
use super::routing::Hop;
use crate::census::Census;
use crate::id::{LinkId, NodeId};
use crate::policy::{self, Policy, Subtree};
use crate::wire::{ANYWHERE, RejectReason};

/// What becomes of a request.
pub(super) enum Placement {
    /// It gets this place.
    Here(usize),
    /// It is sent to a child; perhaps because the joiner's lost path led there.
    Below { child: LinkId, led: bool },
    /// It waits.
    After(Awaits),
    /// It is rejected.
    Nowhere(RejectReason),
}

/// Whom a policy chooses among.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Children and candidates.
    All,
    /// Those that are connected.
    Children,
}

impl Node {
    /// Where a request is to go.
    pub(super) fn placement(&self, waiting: &Waiting) -> Placement {
        if let Some(slot) = self.slot_for(waiting) {
            return if self.gives_way(waiting) {
                Placement::After(Awaits::Single)
            } else {
                Placement::Here(slot)
            };
        }
        match self.lead(waiting) {
            Some(Lead::Down(child)) => return Placement::Below { child, led: true },
            Some(Lead::Behind(child)) if self.can_wait(waiting) => {
                return Placement::After(Awaits::Hole(child));
            }
            _ => {}
        }
        if let Some(child) = self.who_makes_room(waiting) {
            return Placement::After(Awaits::Room(child));
        }
        if let Some(link) = self.who_goes_first(waiting) {
            return Placement::After(Awaits::Turn(link));
        }
        match self.choose(waiting, Among::All) {
            Some(link) if self.is_child(link) => Placement::Below {
                child: link,
                led: false,
            },
            Some(link) if self.can_wait(waiting) => Placement::After(Awaits::Candidate(link)),
            Some(_) => Placement::Nowhere(RejectReason::Busy),
            None => Placement::Nowhere(self.why_nowhere(waiting)),
        }
    }

    /// Whether this node is that one, or below it: what it takes in would be its own ancestor. An orphan knows
    /// no path, and is still itself.
    pub(super) fn stands_below(&self, node: NodeId) -> bool {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::LoopCheckGone) {
            return false;
        }
        node == self.id || self.path.contains(node)
    }

    /// The child or candidate that takes a joiner for whom there is no place here.
    /// Never a link to the joiner itself: it would not ask if that one were alive. Nor the one that the
    /// request has come from, or a child that takes no joins.
    pub(super) fn choose(&self, waiting: &Waiting, among: Among) -> Option<LinkId> {
        let (origin, from) = (waiting.request.join.origin, waiting.from);
        let within = usize::from(waiting.request.way.within());
        let open = |door: Door| door == Door::Open;
        #[cfg(planted)]
        let open =
            |door: Door| open(door) || self.config.has_bug(crate::Planted::ClosedChildChosen);
        let subtree = |link: LinkId| match &self.links.get(link)?.state {
            _ if from == Hop::Link(link) => None,
            LinkState::Child(child) if child.node != origin && open(child.door) => {
                Some(&child.subtree.predicted)
            }
            #[cfg(planted)]
            LinkState::Child(child) if self.config.has_bug(crate::Planted::TwinChosen) => {
                Some(&child.subtree.predicted)
            }
            LinkState::Candidate(candidate)
                if candidate.join.origin != origin && among == Among::All =>
            {
                Some(&candidate.subtree.predicted)
            }
            _ => None,
        };
        match self.config.policy {
            Policy::Hash => {
                let slot = policy::hash_slot(origin, self.id, self.config.max_degree);
                let link = (*self.slots.get(slot)?)?;
                subtree(link).map(|_| link)
            }
            Policy::Balanced => {
                let height = self.height_to_place(&waiting.request);
                let seen = self.slots.iter().map(|slot| {
                    let census = slot.and_then(subtree);
                    Subtree {
                        shallowest_place: census.and_then(|census| census.shallowest_for(height)),
                        size: census.map_or(0, Census::size),
                    }
                });
                let link = self.slots[policy::balanced(seen)?]?;
                let depth = 1 + subtree(link)?.shallowest_place()?;
                (depth <= within || within == usize::from(ANYWHERE)).then_some(link)
            }
        }
    }

    /// The child that is asked to go elsewhere in favour of this request, if there is one and the request can
    /// wait for that.
    fn who_makes_room(&self, waiting: &Waiting) -> Option<LinkId> {
        if waiting.made_room || !self.can_wait(waiting) {
            return None;
        }
        let below = self.best_depth(waiting);
        let room = below.map_or(0, |depth| self.census().height().saturating_sub(depth));
        self.smaller_child(&waiting.request, room)
    }

    /// The child whose place another high subtree waits for, if this joiner does best below that one. Not for who
    /// has a place while it waits: others may wait for that.
    fn who_goes_first(&self, waiting: &Waiting) -> Option<LinkId> {
        let height = self.height_to_place(&waiting.request);
        if height < 2 || waiting.request.way.is_move() || !self.can_wait(waiting) {
            return None;
        }
        let best = self.best_depth(waiting).unwrap_or(usize::MAX);
        let below = |first: &Waiting| {
            let depth = first.request.census.shallowest_for(height);
            depth.is_some_and(|depth| depth + 1 < best)
        };
        self.parked.who_makes_room_for(below)
    }

    /// Whether a single node had better take the free place, with this joiner below it.
    fn gives_way(&self, waiting: &Waiting) -> bool {
        // Not who has been made room for: the place is its own.
        let once = !waiting.gave_way && !waiting.made_room && self.can_wait(waiting);
        once && self.is_small_for(&waiting.request)
    }

    /// How far below this node a joiner comes to stand, as far as is known.
    pub(super) fn best_depth(&self, waiting: &Waiting) -> Option<usize> {
        let height = self.height_to_place(&waiting.request);
        let link = self.choose(waiting, Among::All)?;
        let subtree = match &self.links.get(link)?.state {
            LinkState::Child(child) => &child.subtree,
            LinkState::Candidate(candidate) => &candidate.subtree,
            _ => return None,
        };
        Some(subtree.predicted.shallowest_for(height)? + 1)
    }

    pub(super) fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    /// How many places are held by children and candidates that stay and take joins.
    fn places_open(&self) -> usize {
        let held = |link: &LinkId| match self.links.get(*link).map(|link| &link.state) {
            Some(LinkState::Child(child)) => child.door == Door::Open,
            Some(LinkState::Candidate(_)) => true,
            _ => false,
        };
        self.slots
            .iter()
            .flatten()
            .filter(|link| held(link))
            .count()
    }

    pub(super) fn has_child(&self, node: NodeId) -> bool {
        self.children().any(|child| child.node == node)
    }

    /// Whether there is room among those who wait, and time left for it.
    fn can_wait(&self, waiting: &Waiting) -> bool {
        let room = self.parked.len() < self.config.max_parked;
        #[cfg(planted)]
        let room = room || self.config.has_bug(crate::Planted::ParkedWithoutLimit);
        room && waiting.until > self.now
    }

    /// The free place that it may take: no deeper than it asks for, and not for a child that moves.
    fn slot_for(&self, waiting: &Waiting) -> Option<usize> {
        let way = waiting.request.way;
        let twin = way.is_move() && self.has_child(waiting.request.join.origin);
        let fits = !twin && way.within() >= 1;
        self.free_slot().filter(|_| fits)
    }

    /// Why nobody here takes a joiner: some place may be free soon, or open again.
    fn why_nowhere(&self, waiting: &Waiting) -> RejectReason {
        let anywhere = waiting.request.way.within() == ANYWHERE;
        if anywhere && self.slots.len() > self.places_open() {
            RejectReason::Busy
        } else {
            RejectReason::Full
        }
    }

    fn is_child(&self, link: LinkId) -> bool {
        let state = self.links.get(link).map(|link| &link.state);
        matches!(state, Some(LinkState::Child(_)))
    }
}
