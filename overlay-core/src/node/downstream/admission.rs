//! Other nodes' joins: a request is accepted, delegated, queued or rejected.
//!
//! Which of these it is, `placement` decides. An accepted joiner is a *candidate* until its link has greeted. It
//! holds a slot, so taken slots never exceed `max_degree`, and gives it back when it fails. When it
//! connects, it gets all that waits behind it, in order.
//!
//! Every request ends in one of: a link, a rejection, or the loss of the route back to the joiner.

use alloc::boxed::Box;
use core::time::Duration;

use super::Downstream;
use super::placement::{Among, Placement, View};
use super::queue::{Awaits, Waiting};
use crate::action::{Action, Dial};
use crate::id::{JoinId, LinkId, NodeId};
use crate::node::ancestry::Ancestry;
use crate::node::effects::Effects;
use crate::node::link::{Candidate, Channel, Forecast, Links, State};
use crate::node::net::Net;
use crate::node::routing::{NextHop, Peer};
use crate::notification::Notification;
use crate::path::MAX_DEPTH;
use crate::signal::Signal;
use crate::wire::{Invitation, JoinFrame, JoinKind, JoinRequest, LinkFrame, RejectReason};

impl Downstream {
    /// A request has come that this node finds a slot for: from the side where the root is, or from a node
    /// below that moves. A node that `leaves` finds none.
    pub(crate) fn admit(
        &mut self,
        from: Peer,
        mut request: JoinRequest,
        leaves: bool,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        let join = request.join;
        if matches!(from, Peer::Server(_)) {
            request.kind = JoinKind::Introduced;
        }
        if let JoinKind::Move { max_depth, .. } = &mut request.kind
            && planted!(fx.config, MaxDepthIgnored)
        {
            *max_depth = crate::wire::ANY_DEPTH;
        }
        if net.routes.get(join).is_some() {
            // A repetition; the first one is being seen to.
            fx.stats.join_frames_dropped += 1;
        } else if usize::from(request.hops) >= MAX_DEPTH || at.path().depth() >= MAX_DEPTH {
            net.reject(from, join, RejectReason::Full, fx);
        } else if leaves || !net.room_for_route(fx) {
            net.reject(from, join, RejectReason::Busy, fx);
        } else {
            let waited = Duration::from_millis(u64::from(request.waited_ms));
            let until = fx.now + fx.config.wait_timeout.saturating_sub(waited);
            let waiting = Waiting::new(request, from, fx.now, until);
            self.place(None, waiting, at, net, fx);
        }
    }

    /// The reason for which a candidate must not become a child, if there is one: it is above this node now, or it
    /// moves and is a child here already. Only a joiner that the server introduces replaces a
    /// link: no node below can ask for that in another's name.
    pub(crate) fn objection(
        &self,
        link: LinkId,
        node: NodeId,
        at: &Ancestry,
        links: &Links,
        fx: &Effects,
    ) -> Option<RejectReason> {
        let moves =
            matches!(links.state(link), Some(State::Candidate(candidate)) if candidate.moves);
        if at.includes(node, fx) || moves && self.link_to(node, links).is_some() {
            Some(RejectReason::Loop)
        } else if at.is_known() {
            None
        } else {
            // The parent was lost meanwhile. Below an orphan there is no tree to be in.
            Some(RejectReason::Busy)
        }
    }

    /// The child with this id.
    pub(crate) fn link_to(&self, node: NodeId, links: &Links) -> Option<LinkId> {
        let mut children = self.children(links);
        children.find_map(|(link, child)| (child == node).then_some(link))
    }

    /// A candidate has greeted and is a child: welcomes it, and sends it all that has waited for it.
    pub(crate) fn adopt(
        &mut self,
        link: LinkId,
        join: JoinId,
        welcome: &LinkFrame<'_>,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        net.routes.remove(join);
        net.links.transmit(link, welcome, fx);
        let node = join.origin;
        fx.notify(Notification::ChildConnected { link, node });
        self.report.changed(fx);
        for number in self.queue.behind(link) {
            if let Some((_, waiting)) = self.queue.take(number) {
                forward(link, waiting, net, fx);
            }
        }
        self.settle_overdue(at, net, fx);
    }

    /// A candidate's link is gone, and its slot free. Its join has failed for this `reason`.
    pub(crate) fn candidate_failed(
        &mut self,
        link: LinkId,
        join: JoinId,
        reason: RejectReason,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        fx.stats.candidates_failed += 1;
        if let Some(route) = net.routes.remove(join) {
            net.refuse(route.back, join, reason, fx);
            if planted!(fx.config, RouteNotRemoved) {
                net.remember(join, route.back, route.next, fx);
            }
        }
        for number in self.queue.behind(link) {
            if planted!(fx.config, WaitingForgotten) {
                self.queue.take(number);
            } else {
                self.place_again(number, at, net, fx);
            }
        }
    }

    /// A slot has become free: the request that waits longest gets it.
    pub(crate) fn serve_waiting(&mut self, at: &Ancestry, net: &mut Net, fx: &mut Effects) {
        // A request that waited for a failed candidate may have taken it already; and some wait on, under another number
        // perhaps. For those that have come since, the slot is still there when all others have been looked at.
        let mut after = 0;
        let last = self.queue.latest();
        while self.slots.first_free().is_some()
            && after <= last
            && let Some(number) = self.queue.first_in(after..=last)
        {
            after = number + 1;
            self.place_again(number, at, net, fx);
            self.predict_candidates(&mut net.links, fx);
        }
    }

    /// Does what is due: requests settle for a connected child, and their time runs out.
    pub(crate) fn expire_waiting(&mut self, at: &Ancestry, net: &mut Net, fx: &mut Effects) {
        let before = self.queue.len();
        while let Some(number) = self.queue.next_overdue(&fx.config, fx.now) {
            self.settle(number, at, net, fx);
        }
        while let Some(waiting) = self.queue.take_ended(fx.now) {
            net.reject(waiting.from, waiting.request.join, RejectReason::Busy, fx);
        }
        if self.queue.len() < before {
            self.predict_candidates(&mut net.links, fx);
        }
    }

    /// The joiner of a waiting request has given up.
    pub(crate) fn unqueue(&mut self, number: u64, links: &mut Links, fx: &Effects) {
        self.queue.take(number);
        self.predict_candidates(links, fx);
    }

    /// The route back to these joiners is gone. Should one come by another route, it is new here.
    pub(crate) fn forget_waiting_from(&mut self, peer: Peer, net: &mut Net, fx: &Effects) {
        for number in self.queue.from(peer) {
            if let Some((_, waiting)) = self.queue.take(number) {
                net.routes.remove(waiting.request.join);
            }
        }
        self.predict_candidates(&mut net.links, fx);
    }

    /// This node takes no joiner any more.
    pub(crate) fn reject_waiting(&mut self, net: &mut Net, fx: &mut Effects) {
        while let Some(waiting) = self.queue.take_oldest() {
            net.reject(waiting.from, waiting.request.join, RejectReason::Busy, fx);
        }
    }

    /// Keeps an ICE candidate of a waiting request's joiner.
    pub(crate) fn keep_early(&mut self, number: u64, signal: Signal, fx: &mut Effects) {
        let limit = fx.config.max_early_ice_candidates;
        if !self.queue.keep_early(number, signal, limit) {
            fx.stats.join_frames_dropped += 1;
        }
    }

    /// Places those anew that wait behind a link.
    pub(crate) fn place_all_behind(
        &mut self,
        link: LinkId,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        for number in self.queue.behind(link) {
            self.place_again(number, at, net, fx);
        }
    }

    /// A child is new, or has reported: requests that have waited long enough may settle for it.
    pub(crate) fn settle_overdue(&mut self, at: &Ancestry, net: &mut Net, fx: &mut Effects) {
        let before = self.queue.len();
        for number in self.queue.overdue() {
            self.settle(number, at, net, fx);
        }
        if self.queue.len() < before {
            self.predict_candidates(&mut net.links, fx);
        }
    }

    pub(super) fn view<'a>(&'a self, links: &'a Links, fx: &'a Effects) -> View<'a> {
        View {
            slots: &self.slots,
            links,
            queue: &self.queue,
            fx,
        }
    }

    /// Finds a parent for a request. `number`: its place in the queue, if it had one.
    fn place(
        &mut self,
        number: Option<u64>,
        waiting: Waiting,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        let (from, join) = (waiting.from, waiting.request.join);
        // Also of a request that has waited: this node may have moved below its joiner meanwhile.
        if at.includes(join.origin, fx) {
            return net.reject(from, join, RejectReason::Loop, fx);
        }
        if !net.server.may_admit_from(from, fx) {
            fx.stats.lease_over += 1;
            return net.reject(from, join, RejectReason::Busy, fx);
        }
        match self.view(&net.links, fx).placement(&waiting) {
            Placement::Here(slot) => {
                self.accept(slot, waiting, net, fx);
                // A node has taken the free slot that others left to it: they go below.
                for number in self.queue.gave_way() {
                    self.place_again(number, at, net, fx);
                }
            }
            Placement::Below { child, led } => {
                fx.stats.hints_followed += u64::from(led);
                predict(child, &waiting.request, &mut net.links);
                forward(child, waiting, net, fx);
            }
            Placement::After(awaits) => self.wait(number, awaits, waiting, net, fx),
            Placement::Nowhere(reason) => net.reject(from, join, reason, fx),
        }
    }

    fn place_again(&mut self, number: u64, at: &Ancestry, net: &mut Net, fx: &mut Effects) {
        let Some((awaits, mut waiting)) = self.queue.take(number) else {
            return;
        };
        // A request that has waited for a slot to become free, or to be taken, has not yet waited for the node that
        // takes it.
        let anew = matches!(awaits, Awaits::Hole(_) | Awaits::Single);
        if anew {
            waiting.count(fx.now);
        }
        self.place((!anew).then_some(number), waiting, at, net, fx);
    }

    /// Takes the joiner as a candidate.
    fn accept(&mut self, slot: usize, waiting: Waiting, net: &mut Net, fx: &mut Effects) {
        let Waiting {
            request,
            from,
            early,
            ..
        } = waiting;
        let factor = if planted!(fx.config, CandidateNeverTimesOut) {
            10
        } else {
            1
        };
        let candidate = Candidate {
            join: request.join,
            subtree: Box::new(Forecast {
                predicted: request.census.clone(),
                known: request.census,
            }),
            moves: request.kind.is_move(),
            channel: Channel::Connecting,
            deadline: fx.now + fx.config.request_timeout.saturating_mul(factor),
        };
        let link = net.links.insert(State::Candidate(candidate), fx);
        self.slots.take(slot, link);
        net.remember(request.join, from, NextHop::Candidate(link), fx);
        fx.stats.joins_accepted += 1;
        self.report.changed(fx);
        fx.act(Action::OpenLink(link, Dial::Answer(request.offer)));
        for signal in early {
            fx.act(Action::ApplySignal(link, signal));
        }
    }

    /// Lets a request wait. `number`: its place in the queue, if it had one.
    fn wait(
        &mut self,
        mut number: Option<u64>,
        awaits: Awaits,
        mut waiting: Waiting,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        match awaits {
            Awaits::Candidate(link) => predict(link, &waiting.request, &mut net.links),
            Awaits::Room(child) => {
                waiting.made_room = true;
                fx.stats.children_displaced += 1;
                self.invite(child, Invitation::ELSEWHERE, &mut net.links, fx);
            }
            Awaits::Hole(_) => fx.stats.hints_followed += 1,
            Awaits::Single => {
                if self.queue.gave_way().is_empty() {
                    let leaf = self.view(&net.links, fx).invitation_of_a_leaf();
                    if let Some((child, invitation)) = leaf {
                        self.invite(child, invitation, &mut net.links, fx);
                    }
                }
                waiting.gave_way = true;
                // Under a new number: its `settle_timeout` begins anew.
                waiting.count(fx.now);
                number = None;
            }
        }
        let number = number.unwrap_or_else(|| {
            fx.stats.joins_queued += 1;
            self.queue.new_number()
        });
        net.remember(
            waiting.request.join,
            waiting.from,
            NextHop::Queue(number),
            fx,
        );
        self.queue.put(number, awaits, waiting);
    }

    /// Sends a waiting request to a child that is connected, if one has a slot.
    fn settle(&mut self, number: u64, at: &Ancestry, net: &mut Net, fx: &mut Effects) {
        let Some((awaits, waiting)) = self.queue.get(number) else {
            return;
        };
        if !net.server.may_admit_from(waiting.from, fx) || self.slots.first_free().is_some() {
            self.place_again(number, at, net, fx);
        } else if !matches!(awaits, Awaits::Hole(_))
            && let Some(child) = self.view(&net.links, fx).choose(waiting, Among::Children)
            && let Some((_, waiting)) = self.queue.take(number)
        {
            predict(child, &waiting.request, &mut net.links);
            forward(child, waiting, net, fx);
        }
    }

    /// Requests have left the queue: a candidate expects only those that still wait for it.
    fn predict_candidates(&self, links: &mut Links, fx: &Effects) {
        if planted!(fx.config, PromiseKept) {
            return;
        }
        for (_, link) in links.iter_mut() {
            if let State::Candidate(candidate) = &mut link.state {
                let subtree = &mut candidate.subtree;
                subtree.predicted = subtree.known.clone();
            }
        }
        for (awaits, waiting) in self.queue.iter() {
            let candidate = awaits.link().and_then(|link| links.candidate_mut(link));
            if let Some(candidate) = candidate {
                candidate.subtree.predicted.admit(&waiting.request.census);
            }
        }
    }
}

/// Sends a request to a child.
fn forward(link: LinkId, mut waiting: Waiting, net: &mut Net, fx: &mut Effects) {
    waiting.count(fx.now);
    let Waiting {
        mut request,
        from,
        early,
        ..
    } = waiting;
    let join = request.join;
    request.hops += 1;
    request.kind = request.kind.below();
    if let Some(child) = net.links.child_mut(link)
        && !planted!(fx.config, RequestNotCounted)
    {
        child.requests = child.requests.wrapping_add(1);
    }
    fx.stats.joins_delegated += 1;
    net.remember(join, from, NextHop::Child(link), fx);
    net.send(Peer::Link(link), JoinFrame::Request(request), fx);
    if planted!(fx.config, EarlyIceCandidatesLost) {
        return;
    }
    for signal in early {
        net.send(Peer::Link(link), JoinFrame::Signal { join, signal }, fx);
    }
}

/// Notes that a request is on its way to the subtree behind `link`.
fn predict(link: LinkId, request: &JoinRequest, links: &mut Links) {
    let subtree = match links.get_mut(link).map(|link| &mut link.state) {
        Some(State::Child(child)) => &mut child.subtree,
        Some(State::Candidate(candidate)) => &mut candidate.subtree,
        _ => return,
    };
    subtree.predicted.admit(&request.census);
}
