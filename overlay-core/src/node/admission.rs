//! Others' way into the tree: a request is accepted, delegated, parked or rejected.
//!
//! Which of these it is, `placement` decides. Who is accepted is a *candidate* until its link has greeted: it
//! takes a place, so children and candidates never exceed `max_degree`, and it gives it back when it fails. When it
//! connects, it gets all that waits behind it, in order.
//!
//! Every request ends in one of: a link, a rejection, or the loss of the way back to the joiner.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::dial::failure;
use super::link::{Candidate, Forecast, LinkState};
use super::parking::Waiting;
use super::placement::Placement;
use super::routing::{Hop, Towards};
use super::{Node, notify};
use crate::action::{Action, CloseReason, Dial, Notification, Violation};
use crate::id::{JoinId, LinkId, NodeId};
use crate::path::MAX_DEPTH;
use crate::wire::{JoinFrame, JoinRequest, LinkFrame, RejectReason, Rejection, VERSION, Way};

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
            *within = crate::wire::ANYWHERE;
        }
        if let Some(route) = self.routes.get(join)
            && self.is_above(from)
            && !self.is_above(route.back)
        {
            // Somebody below has asked in the name of one who comes from above.
            self.route(route.back, JoinFrame::Cancel { join }, out);
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
                made_room: false,
                gave_way: false,
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
        for number in self.parked.behind(link) {
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
        for number in self.parked.behind(link) {
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
        let rejection = Rejection::new(reason, self.config.retry_after);
        self.send_hop(to, JoinFrame::Reject { join, rejection }, out);
    }

    /// Finds a parent for a request. `number`: its place in the queue, if it had one.
    pub(super) fn place(&mut self, number: Option<u64>, waiting: Waiting, out: &mut Vec<Action>) {
        let (from, join) = (waiting.from, waiting.request.join);
        // Also of one who has waited: this node may have moved below it meanwhile.
        if self.stands_below(join.origin) {
            return self.reject(from, join, RejectReason::Loop, out);
        }
        if !self.may_take_from(from) {
            self.stats.lease_over += 1;
            return self.reject(from, join, RejectReason::Busy, out);
        }
        match self.placement(&waiting) {
            Placement::Here(slot) => {
                self.accept(slot, waiting, out);
                self.place_all_who_gave_way(out);
            }
            Placement::Below { child, led } => {
                self.stats.hints_followed += u64::from(led);
                self.predict(child, &waiting.request);
                self.forward(child, waiting, out);
            }
            Placement::After(awaits) => self.park(number, awaits, waiting, out),
            Placement::Nowhere(reason) => self.reject(from, join, reason, out),
        }
    }

    fn accept(&mut self, slot: usize, waiting: Waiting, out: &mut Vec<Action>) {
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

    /// Whether a candidate must not become a child: it has come to stand above this node since it was
    /// accepted, or it moves and is a child here already. Only who comes by way of the server replaces a
    /// link: nobody below can ask for that in another's name.
    fn may_not_greet(&self, link: LinkId, node: NodeId) -> bool {
        let state = self.links.get(link).map(|link| &link.state);
        let moves = matches!(state, Some(LinkState::Candidate(candidate)) if candidate.moves);
        self.stands_below(node) || moves && self.has_child(node)
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
