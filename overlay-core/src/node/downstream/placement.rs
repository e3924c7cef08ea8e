//! Placement: which slot a joiner gets, or in whose subtree. One pure function, [`View::placement`]; the first rule that
//! applies decides:
//!
//! 1. *A free slot.* This node takes the joiner itself. A subtree that is too small for the slot lets a single node go
//!    first, once.
//! 2. *The lost parent's slot.* An orphan is led back to where its lost parent was: down, or to a slot that is about to
//!    become free.
//! 3. *Room.* A child makes room for a subtree that is much larger than its own.
//! 4. *The policy* chooses a child. It sees candidates too, because in a flash crowd the best parent for a
//!    joiner is often one that is about to connect; then the request waits for that (`queue`).
//!
//! A hanging candidate must not hold up others. After `settle_timeout` a waiting request settles for a connected child, the
//! first that has a slot. After `wait_timeout`, counted over all the nodes that it waits at, it is rejected.
//!
//! # Why subtrees are not placed like single nodes
//!
//! An orphan brings a subtree, for which the shallowest slot is not the best one. Below a lost node of the
//! third level from below there are ten subtrees of two levels. If one of them took its slot, its children would have to
//! make room for the other nine. So such a joiner gives way to a single node where there is such a slot: a newcomer,
//! or a leaf that is invited. Then it goes below that. For the same reason all of a lost parent's orphans are led
//! to its slot.
//!
//! Where a joiner's subtree would be too deep, the smallest child *makes room*: it is invited to go elsewhere. Sizes
//! decide, because what grows in a lost node's slot before its orphans come is often as high as they are, but
//! thin. A child that makes room may ask the same of others, but is less than half as large as the joiner. So
//! there is an end to it, and no child comes back for its slot.
//!
//! `ARCHITECTURE.md` has what each of these rules buys, measured without it.

use super::queue::{Awaits, WaitQueue, Waiting};
use super::slots::Slots;
use crate::census::Census;
use crate::id::{LinkId, NodeId};
use crate::node::effects::Effects;
use crate::node::link::{Child, Forecast, Links, State};
use crate::node::routing::Peer;
use crate::policy::{self, Policy, Subtree};
use crate::wire::{ANY_DEPTH, JoinRequest, RejectReason};

/// A child that has been silent for this many halves of a `heartbeat_interval` is taken for the lost parent of the
/// orphan that asks for its slot. Three: two heartbeats are due, and a sibling has not heard them either. With five, the
/// smallest share of 1,000 nodes at their depth under churn falls from 0.985 to 0.945; two change nothing.
const SILENT_HALF_HEARTBEATS: u32 = 3;

/// A joiner's subtree is too small for a slot here below two thirds of the children's average: it was below a node in
/// such a slot. Of two children of a binary tree's node, each has half. Half or all of the average do as well, to
/// 0.003 of the share.
const SMALL_SHARE: (u64, u64) = (2, 3);

/// A child makes room for a joiner of more than this many times its size: what the joiner gains is then worth a move.
/// Under churn the smallest share of 10,000 nodes at their depth is 0.984; with 1 it is 0.981. With 4, that of 1,000
/// nodes falls from 0.985 to 0.974.
const SMALL_BESIDE: u32 = 2;

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// It gets this slot.
    Here(usize),
    /// It is sent to a child; perhaps because the joiner's lost path led there.
    Below { child: LinkId, led: bool },
    /// It waits.
    After(Awaits),
    /// It is rejected.
    Nowhere(RejectReason),
}

/// The choices of a policy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Children and candidates.
    All,
    /// Children, which are connected.
    Children,
}

/// A child and what is below it, as far as depth is concerned.
#[derive(Clone, Copy)]
pub(super) struct Branch {
    pub(super) link: LinkId,
    /// The depth of its deepest leaf below this node.
    pub(super) depth: usize,
    /// The same for its shallowest free slot.
    pub(super) slot: Option<usize>,
    pub(super) size: u32,
    /// The size once the joiners that are on their way there are in.
    size_to_come: u32,
}

/// All that placement looks at.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) slots: &'a Slots,
    pub(super) links: &'a Links,
    pub(super) queue: &'a WaitQueue,
    pub(super) fx: &'a Effects,
}

impl<'a> View<'a> {
    /// The place to which a request is to go.
    pub(super) fn placement(&self, waiting: &Waiting) -> Placement {
        if let Some(slot) = self.slot_for(&waiting.request) {
            return if self.gives_way(waiting) {
                Placement::After(Awaits::Single)
            } else {
                Placement::Here(slot)
            };
        }
        if let Some(placement) = self.lost_parents_slot(waiting) {
            return placement;
        }
        if let Some(child) = self.makes_room(waiting) {
            return Placement::After(Awaits::Room(child));
        }
        match self.choose(waiting, Among::All) {
            Some(child) if self.links.child(child).is_some() => {
                let led = false;
                Placement::Below { child, led }
            }
            Some(link) if self.can_wait(waiting) => Placement::After(Awaits::Candidate(link)),
            Some(_) => Placement::Nowhere(RejectReason::Busy),
            None => Placement::Nowhere(self.why_nowhere(&waiting.request)),
        }
    }

    /// The child or candidate that takes a joiner for which there is no slot here.
    /// Never a link to the joiner itself: it would not ask if that one were alive. Nor the one that the
    /// request has come from, or a child that takes no joins.
    pub(super) fn choose(&self, waiting: &Waiting, among: Among) -> Option<LinkId> {
        let origin = waiting.request.join.origin;
        match self.fx.config.policy {
            Policy::Hash => {
                let slot = policy::hash_slot(origin, self.fx.id, self.fx.config.max_degree);
                let link = self.slots.iter().nth(slot)??;
                self.eligible(link, waiting, among).map(|_| link)
            }
            Policy::Balanced => {
                let seen = self.slots.iter().map(|holder| {
                    let census = holder.and_then(|link| self.eligible(link, waiting, among));
                    Subtree {
                        shallowest_slot: census.and_then(Census::shallowest_slot),
                        size: census.map_or(0, Census::size),
                    }
                });
                let link = self.slots.iter().nth(policy::balanced(seen)?)??;
                let depth = 1 + self.eligible(link, waiting, among)?.shallowest_slot()?;
                let max_depth = waiting.request.kind.max_depth();
                (depth <= usize::from(max_depth) || max_depth == ANY_DEPTH).then_some(link)
            }
        }
    }

    /// The predicted subtree of a link that may take the joiner.
    fn eligible(&self, link: LinkId, waiting: &Waiting, among: Among) -> Option<&'a Census> {
        let origin = waiting.request.join.origin;
        match self.links.state(link)? {
            _ if waiting.from == Peer::Link(link) => None,
            State::Child(child) if self.takes(child, origin) => Some(&child.subtree.predicted),
            State::Candidate(candidate)
                if candidate.join.origin != origin && among == Among::All =>
            {
                Some(&candidate.subtree.predicted)
            }
            _ => None,
        }
    }

    fn takes(&self, child: &Child, joiner: NodeId) -> bool {
        let open = child.is_open() || planted!(self.fx.config, ClosedChildChosen);
        open && (child.node != joiner || planted!(self.fx.config, TwinChosen))
    }

    /// The free slot that a joiner may take: no deeper than it asks for, and not for a child that moves.
    fn slot_for(&self, request: &JoinRequest) -> Option<usize> {
        let twin = request.kind.is_move() && self.has_child(request.join.origin);
        let fits = !twin && request.kind.max_depth() >= 1;
        self.slots.first_free().filter(|_| fits)
    }

    /// Whether a single node had better take the free slot, with this joiner below it.
    fn gives_way(&self, waiting: &Waiting) -> bool {
        // A joiner for which a child has made room takes the slot: it is its own.
        let once = !waiting.gave_way && !waiting.made_room && self.can_wait(waiting);
        once && self.is_too_small(&waiting.request)
    }

    /// Whether a joiner's subtree is too small for a slot here. Then a single node fills it best, and all of the lost
    /// parent's orphans go below, as before.
    fn is_too_small(&self, request: &JoinRequest) -> bool {
        let sizes = self.branches().map(|child| u64::from(child.size));
        let (children, all) = sizes.fold((0, 0), |(n, all), size| (n + 1, all + size));
        let size = u64::from(request.census.size());
        let (share, of) = SMALL_SHARE;
        self.brings_subtree(request) && size * of * children < all * share
    }

    /// Where an orphan's lost parent was there is, or will be, a hole, and below the first of its orphans that
    /// takes it the others find their slots. Not for a single node, which any slot suits, nor when
    /// one as good is known elsewhere.
    fn lost_parents_slot(&self, waiting: &Waiting) -> Option<Placement> {
        let ids = waiting.request.lost.ids();
        let at = ids.iter().position(|id| *id == self.fx.id)?;
        let next = *ids.get(at + 1)?;
        if !self.brings_subtree(&waiting.request) {
            return None;
        }
        let child = self.link_to_child(next)?;
        let levels_to_hole = ids.len() - 1 - at;
        if levels_to_hole == 1 {
            let config = &self.fx.config;
            let silence = self.fx.now.since(self.links.get(child)?.heard);
            let lost = silence
                > config
                    .heartbeat_interval
                    .saturating_mul(SILENT_HALF_HEARTBEATS)
                    / 2;
            let waits = lost && self.can_wait(waiting);
            return waits.then_some(Placement::After(Awaits::Hole(child)));
        }
        let best = self.best_depth(waiting);
        let open = self.links.child(child).is_some_and(Child::is_open);
        let worth_it = open && best.is_none_or(|best| levels_to_hole < best);
        let led = true;
        worth_it.then_some(Placement::Below { child, led })
    }

    /// The child that is asked to go elsewhere in favour of this request, if there is one and the request can
    /// wait for that. A single node needs no room.
    fn makes_room(&self, waiting: &Waiting) -> Option<LinkId> {
        if !self.brings_subtree(&waiting.request) || waiting.made_room || !self.can_wait(waiting) {
            return None;
        }
        let below = self.best_depth(waiting);
        let room = below.map_or(0, |depth| self.census().height().saturating_sub(depth));
        self.smaller_child(&waiting.request, room)
    }

    /// The smallest child, if it is small beside the joiner. Not if the joiner has `room` for its levels below it,
    /// as far as is known: then this subtree gets no deeper.
    fn smaller_child(&self, request: &JoinRequest, room: usize) -> Option<LinkId> {
        if request.census.height() <= room {
            return None;
        }
        let (joiner, origin) = (request.census.size(), request.join.origin);
        let smaller = self.branches().filter(|child| {
            let is_joiner = self.links.neighbour(child.link) == Some(origin);
            !is_joiner && child.size_to_come.saturating_mul(SMALL_BESIDE) < joiner
        });
        let smallest = smaller.min_by_key(|child| child.size_to_come)?;
        Some(smallest.link)
    }

    /// The depth below this node at which a joiner ends up, as far as is known.
    fn best_depth(&self, waiting: &Waiting) -> Option<usize> {
        let link = self.choose(waiting, Among::All)?;
        let subtree = match self.links.state(link)? {
            State::Child(child) => &child.subtree,
            State::Candidate(candidate) => &candidate.subtree,
            _ => return None,
        };
        Some(subtree.predicted.shallowest_slot()? + 1)
    }

    /// Whether a joiner brings a subtree for which others make room. They do so at its first attempt only, or it
    /// would ask for that again and again; and not for one that may only go so deep.
    fn brings_subtree(&self, request: &JoinRequest) -> bool {
        let first = request.kind.is_move() || !request.lost.ids().is_empty();
        let anywhere = request.kind.max_depth() == ANY_DEPTH && first;
        anywhere && self.fx.config.policy == Policy::Balanced && request.census.nodes().len() >= 2
    }

    /// Whether there is room in the queue, and time left for waiting.
    fn can_wait(&self, waiting: &Waiting) -> bool {
        let room = self.queue.len() < self.fx.config.max_waiting;
        (room || planted!(self.fx.config, WaitingWithoutLimit)) && waiting.until > self.fx.now
    }

    /// The reason for which there is no slot for a joiner: some slot may be free soon, or open again.
    fn why_nowhere(&self, request: &JoinRequest) -> RejectReason {
        let stays = |link: &LinkId| match self.links.state(*link) {
            Some(State::Child(child)) => child.is_open(),
            Some(State::Candidate(_)) => true,
            _ => false,
        };
        let staying = self.slots.holders().filter(stays).count();
        if request.kind.max_depth() == ANY_DEPTH && self.slots.len() > staying {
            RejectReason::Busy
        } else {
            RejectReason::Full
        }
    }

    /// The children that take joins.
    pub(super) fn branches(&self) -> impl Iterator<Item = Branch> {
        let links = self.links;
        self.slots.holders().filter_map(move |link| {
            let child = links.child(link)?;
            child.is_open().then(|| Branch::of(link, child))
        })
    }

    /// The subtree below this node, itself included, as far as its children have told.
    pub(super) fn census(&self) -> Census {
        let free = self.slots.len() - self.slots.taken();
        let mut census = Census::of_node(u32::try_from(free).unwrap_or(u32::MAX));
        for link in self.slots.links() {
            match self.links.state(link) {
                Some(State::Child(child)) if child.is_open() => {
                    census.graft(Some(&child.subtree.known), Some(&child.subtree.predicted));
                }
                Some(State::Child(child)) => census.graft(Some(&child.subtree.known), None),
                Some(State::Candidate(candidate)) => {
                    census.graft(None, Some(&candidate.subtree.predicted));
                }
                _ => {}
            }
        }
        census
    }

    fn has_child(&self, node: NodeId) -> bool {
        self.link_to_child(node).is_some()
    }

    pub(super) fn link_to_child(&self, node: NodeId) -> Option<LinkId> {
        let mut links = self.slots.links();
        links.find(|link| {
            self.links
                .child(*link)
                .is_some_and(|child| child.node == node)
        })
    }
}

impl Branch {
    fn of(link: LinkId, child: &Child) -> Self {
        let Forecast { known, predicted } = &*child.subtree;
        Self {
            link,
            depth: known.nodes().len(),
            slot: predicted.shallowest_slot().map(|depth| depth + 1),
            size: known.size(),
            size_to_come: known.size().max(predicted.size()),
        }
    }

    /// Orders by depth, then by size.
    pub(super) const fn by_depth(&self) -> (usize, u32) {
        (self.depth, self.size)
    }
}
