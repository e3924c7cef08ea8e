//! Others' way into the tree: a request is accepted, delegated, parked or rejected.
//!
//! 1. A free place: this node accepts, and the joiner's link is a *candidate* until it has greeted. A
//!    candidate takes a place, so children and candidates never exceed `max_degree`.
//! 2. No free place: the policy chooses a child. It sees candidates too, because in a flash crowd the
//!    best parent for a newcomer is often one that is about to connect.
//! 3. The choice fell on a candidate: the request is *parked* behind it. When the candidate connects,
//!    it gets all that waits behind it, in order; when it fails, they are placed anew at once, and the
//!    first of them gets its place.
//! 4. A hanging candidate must not hold up others: after `patience` a parked request settles for a
//!    connected child, the first that has a place, and after `park_timeout`, counted over all the nodes
//!    that it waits at, it is rejected.
//!
//! A joiner that brings a larger subtree than some child of a full node may not have to go further down: the child
//! does. It is asked to move, and the request waits for its place as it would for a candidate (`balance`).
//!
//! Every request ends in one of: a link, a rejection, or the loss of the way back to the joiner.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::balance::Lead;
use super::joining::{failure, rejection};
use super::link::{Candidate, Door, Forecast, LinkState};
use super::parking::Waiting;
use super::routing::{Hop, Towards};
use super::{Node, notify};
use crate::action::{Action, CloseReason, Dial, Notification, Violation};
use crate::census::Census;
use crate::id::{JoinId, LinkId, NodeId};
use crate::path::MAX_DEPTH;
use crate::policy::{self, Policy, Subtree};
use crate::wire::{
    ANYWHERE, Invitation, JoinFrame, JoinRequest, LinkFrame, RejectReason, TO_THE_TOP, VERSION, Way,
};

impl Node {
    /// A request has come that this node finds a place for: from the side where the root is, or from a node
    /// below that moves.
    pub(super) fn admit(&mut self, from: Hop, mut request: JoinRequest, out: &mut Vec<Action>) {
        let join = request.join;
        if matches!(from, Hop::Server(_)) {
            request.way = Way::Server;
        }
        #[cfg(planted)]
        if let Way::Move { within, .. } = &mut request.way
            && self.config.has_bug(crate::Planted::WithinIgnored)
        {
            *within = ANYWHERE;
        }
        if self.routes.get(join).is_some() {
            // A repetition; the first one is being seen to.
            self.stats.join_frames_dropped += 1;
        } else if usize::from(request.hops) >= MAX_DEPTH || self.path.depth() >= MAX_DEPTH {
            self.reject(from, join, RejectReason::Full, out);
        } else if self.role.is_rehoming() || !self.room_for_route() {
            self.reject(from, join, RejectReason::Busy, out);
        } else {
            let waited = Duration::from_millis(u64::from(request.waited_ms));
            let left = self.config.park_timeout.saturating_sub(waited);
            let waiting = Waiting {
                request,
                from,
                since: self.now,
                until: self.now + left,
                early: Vec::new(),
                behind: None,
                displaces: false,
                gave_way: false,
                holds_out: false,
            };
            self.place(None, waiting, out);
        }
    }

    /// The candidate's channel is open; what comes next is its greeting.
    pub(super) fn candidate_opened(&mut self, link: LinkId) {
        if let Some(LinkState::Candidate(candidate)) = self.state_mut(link) {
            candidate.open = true;
        }
    }

    /// The candidate greets: it is a child now.
    pub(super) fn greeted(
        &mut self,
        link: LinkId,
        join: JoinId,
        window: u32,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let node = join.origin;
        match self.state_mut(link) {
            Some(LinkState::Candidate(candidate)) if candidate.open && candidate.join == join => {}
            _ => return Err(Violation::WrongJoin),
        }
        if self.may_not_greet(link, node) {
            self.shut(link, CloseReason::Rejected(RejectReason::Loop), out);
            return Ok(());
        }
        if self.path.ids().is_empty() {
            // The parent was lost meanwhile. Below an orphan there is no tree to be in.
            self.shut(link, CloseReason::Rejected(RejectReason::Busy), out);
            return Ok(());
        }
        self.grant(link, window)?;
        let former = self.children().find(|child| child.node == node);
        #[cfg(planted)]
        let former = former.filter(|_| !self.config.has_bug(crate::Planted::TwinKept));
        if let Some(former) = former.map(|child| child.link) {
            // The child has lost its link, and this node has not noticed yet.
            self.shut(former, CloseReason::Replaced, out);
        }
        self.promote(link);
        self.routes.remove(join);
        let welcome = LinkFrame::Welcome {
            version: VERSION,
            id: self.id,
            epoch: self.epoch,
            path: self.path.clone(),
            window: self.config.window,
            count: self.broadcasts.tell(),
        };
        self.transmit(link, &welcome, out);
        notify(Notification::ChildConnected { link, node }, out);
        self.report.changed(self.now, &self.config);
        for number in self.parked.behind(Some(link)) {
            if let Some(waiting) = self.parked.take(number) {
                self.forward(link, waiting, out);
            }
        }
        self.settle_impatient(out);
        Ok(())
    }

    /// A candidate's link is gone, and its place free.
    pub(super) fn candidate_failed(
        &mut self,
        link: LinkId,
        candidate: &Candidate,
        reason: CloseReason,
        out: &mut Vec<Action>,
    ) {
        self.stats.candidates_failed += 1;
        if let Some(route) = self.routes.remove(candidate.join) {
            self.reject(route.back, candidate.join, failure(reason), out);
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::RouteNotRemoved) {
                self.remember_route(candidate.join, route.back, route.towards);
            }
        }
        for number in self.parked.behind(Some(link)) {
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::ParkedForgotten) {
                self.parked.take(number);
                continue;
            }
            self.place_again(number, out);
        }
    }

    /// Ends a join that this node sees to, and tells the joiner that this attempt has failed.
    pub(super) fn reject(
        &mut self,
        to: Hop,
        join: JoinId,
        reason: RejectReason,
        out: &mut Vec<Action>,
    ) {
        self.routes.remove(join);
        self.refuse(to, join, reason, out);
    }

    /// Tells whoever asked that nothing comes of it. If a join of that name is under way here, it goes on:
    /// it need not be the asker's.
    pub(super) fn refuse(
        &mut self,
        to: Hop,
        join: JoinId,
        reason: RejectReason,
        out: &mut Vec<Action>,
    ) {
        self.stats.joins_rejected += 1;
        let rejection = rejection(reason, self.config.retry_after);
        self.send_hop(to, JoinFrame::Reject { join, rejection }, out);
    }

    /// Finds a parent for a request. `number`: its place in the queue, if it had one.
    pub(super) fn place(&mut self, number: Option<u64>, waiting: Waiting, out: &mut Vec<Action>) {
        let join = waiting.request.join;
        // Also of one who has waited: this node may have moved below it meanwhile.
        if self.stands_below(join.origin) {
            self.reject(waiting.from, join, RejectReason::Loop, out);
            return;
        }
        if !self.may_take_from(waiting.from) {
            self.stats.lease_over += 1;
            self.reject(waiting.from, join, RejectReason::Busy, out);
            return;
        }
        let (way, twin) = (waiting.request.way, self.has_child(join.origin));
        let slot = self.free_slot().filter(|_| !(way.is_move() && twin));
        if let Some(slot) = slot.filter(|_| way.within() >= 1) {
            if self.gives_way(&waiting) {
                if !self.awaits_single() {
                    self.invite_leaf(out);
                }
                let gave_way = true;
                let mut waiting = Waiting {
                    gave_way,
                    ..waiting
                };
                // Under a new number: its patience begins anew.
                waiting.count(self.now);
                return self.park(None, None, waiting);
            }
            self.accept(slot, waiting, out);
            self.place_all_who_gave_way(out);
            return;
        }
        match self.lead(&waiting) {
            Some(Lead::Down(child)) => {
                self.stats.hints_followed += 1;
                self.predict(child, &waiting.request);
                return self.forward(child, waiting, out);
            }
            Some(Lead::Behind(child)) if self.can_wait(&waiting) => {
                self.stats.hints_followed += 1;
                let holds_out = true;
                let waiting = Waiting {
                    holds_out,
                    ..waiting
                };
                return self.park(number, Some(child), waiting);
            }
            _ => {}
        }
        if let Some(child) = self.who_makes_room(&waiting) {
            let displaces = true;
            self.stats.children_displaced += 1;
            let invitation = Invitation {
                down: 0,
                climb: TO_THE_TOP,
                within: ANYWHERE,
            };
            self.park(
                number,
                Some(child),
                Waiting {
                    displaces,
                    ..waiting
                },
            );
            self.invite(child, invitation, out);
            return;
        }
        if let Some(child) = self.who_goes_first(&waiting) {
            return self.park(number, Some(child), waiting);
        }
        let Some(link) = self.choose(&waiting, Among::All) else {
            // Some place here will be free soon, or open again.
            let soon = way.within() == ANYWHERE && self.slots.len() > self.places_open();
            let reason = if soon {
                RejectReason::Busy
            } else {
                RejectReason::Full
            };
            self.reject(waiting.from, join, reason, out);
            return;
        };
        let room = self.parked.len() < self.config.max_parked;
        #[cfg(planted)]
        let room = room || self.config.has_bug(crate::Planted::ParkedWithoutLimit);
        if matches!(self.state_mut(link), Some(LinkState::Child(_))) {
            self.predict(link, &waiting.request);
            self.forward(link, waiting, out);
        } else if room && waiting.until > self.now {
            self.predict(link, &waiting.request);
            self.park(number, Some(link), waiting);
        } else {
            self.reject(waiting.from, join, RejectReason::Busy, out);
        }
    }

    pub(super) fn accept(&mut self, slot: usize, waiting: Waiting, out: &mut Vec<Action>) {
        let Waiting {
            request,
            from,
            early,
            ..
        } = waiting;
        let timeout = self.config.request_timeout;
        #[cfg(planted)]
        let timeout = if self.config.has_bug(crate::Planted::CandidateNeverTimesOut) {
            timeout.saturating_mul(10)
        } else {
            timeout
        };
        let candidate = Candidate {
            join: request.join,
            slot,
            subtree: Box::new(Forecast {
                predicted: request.census.clone(),
                known: request.census,
            }),
            moves: request.way.is_move(),
            open: false,
            deadline: self.now + timeout,
        };
        let state = LinkState::Candidate(candidate);
        let link = self.links.insert(state, self.config.window, self.now);
        self.slots[slot] = Some(link);
        self.remember_route(request.join, from, Towards::Candidate(link));
        self.stats.joins_accepted += 1;
        self.report.changed(self.now, &self.config);
        out.push(Action::OpenLink(link, Dial::Answer(request.offer)));
        out.extend(
            early
                .into_iter()
                .map(|signal| Action::ApplySignal(link, signal)),
        );
    }

    /// Sends a request to a child.
    pub(super) fn forward(&mut self, child: LinkId, mut waiting: Waiting, out: &mut Vec<Action>) {
        waiting.count(self.now);
        let Waiting {
            mut request,
            from,
            early,
            ..
        } = waiting;
        let join = request.join;
        request.hops += 1;
        request.way = request.way.below();
        if let Some(LinkState::Child(child)) = self.state_mut(child) {
            child.requests = child.requests.wrapping_add(1);
        }
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::RequestNotCounted)
            && let Some(LinkState::Child(child)) = self.state_mut(child)
        {
            child.requests = child.requests.wrapping_sub(1);
        }
        #[cfg(planted)]
        let early = if self.config.has_bug(crate::Planted::EarlyCandidatesLost) {
            Vec::new()
        } else {
            early
        };
        self.stats.joins_delegated += 1;
        self.remember_route(join, from, Towards::Child(child));
        self.send_hop(Hop::Link(child), JoinFrame::Request(request), out);
        for signal in early {
            self.send_hop(Hop::Link(child), JoinFrame::Signal { join, signal }, out);
        }
    }

    /// Notes that a request is on its way to the subtree behind `link`.
    pub(super) fn predict(&mut self, link: LinkId, request: &JoinRequest) {
        match self.state_mut(link) {
            Some(LinkState::Child(child)) => child.subtree.predicted.admit(&request.census),
            Some(LinkState::Candidate(candidate)) => {
                candidate.subtree.predicted.admit(&request.census)
            }
            _ => false,
        };
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
        if waiting.displaces || !self.can_wait(waiting) {
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
        let below = |first: &&Waiting| {
            let depth = first.request.census.shallowest_for(height);
            depth.is_some_and(|depth| depth + 1 < best)
        };
        self.parked.displacing().find(below)?.behind
    }

    /// Whether a single node had better take the free place, with this joiner below it.
    fn gives_way(&self, waiting: &Waiting) -> bool {
        // Not who has been made room for: the place is its own.
        let once = !waiting.gave_way && !waiting.displaces && self.can_wait(waiting);
        once && self.is_small_for(&waiting.request)
    }

    fn can_wait(&self, waiting: &Waiting) -> bool {
        self.parked.len() < self.config.max_parked && waiting.until > self.now
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

    fn has_child(&self, node: NodeId) -> bool {
        self.children().any(|child| child.node == node)
    }

    /// Whether a candidate must not become a child: it has come to stand above this node since it was
    /// accepted, or it moves and is a child here already. Only who comes by way of the server replaces a
    /// link: nobody below can ask for that in another's name.
    fn may_not_greet(&self, link: LinkId, node: NodeId) -> bool {
        let state = self.links.get(link).map(|link| &link.state);
        let moves = matches!(state, Some(LinkState::Candidate(candidate)) if candidate.moves);
        self.stands_below(node) || moves && self.has_child(node)
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

    /// Makes a candidate a child.
    fn promote(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        // The state moves out by way of a placeholder, which no one sees.
        let placeholder = LinkState::Parent(self.id);
        link.state = match core::mem::replace(&mut link.state, placeholder) {
            LinkState::Candidate(candidate) => LinkState::Child(candidate.into_child()),
            other => other,
        };
    }
}

/// Whom a policy chooses among.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Children and candidates.
    All,
    /// Those that are connected.
    Children,
}
