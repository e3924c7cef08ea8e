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
//!    connected child, the first that has a place, and after `park_timeout` it is rejected.
//!
//! Every request ends in one of: a link, a rejection, or the loss of the way back to the joiner.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::joining::{failure, rejection};
use super::link::{Candidate, LinkState};
use super::routing::{Hop, Towards};
use super::{Node, notify};
use crate::action::{Action, CloseReason, Dial, Notification, Violation};
use crate::census::Census;
use crate::config::Config;
use crate::id::{JoinId, LinkId, NodeId};
use crate::path::MAX_DEPTH;
use crate::policy::{self, Policy, Subtree};
use crate::signal::Signal;
use crate::time::Instant;
use crate::wire::{JoinFrame, JoinRequest, LinkFrame, RejectReason, VERSION};

/// Requests that wait for a candidate, oldest first.
#[derive(Debug, Default)]
pub(super) struct Parked {
    queue: BTreeMap<u64, Waiting>,
    next: u64,
    /// Those with a lower number have lost their patience.
    patient_from: u64,
}

/// A request that has no parent yet.
#[derive(Debug)]
struct Waiting {
    request: JoinRequest,
    from: Hop,
    since: Instant,
    /// The joiner's candidates so far.
    early: Vec<Signal>,
    /// The candidate that it waits for.
    behind: Option<LinkId>,
}

impl Parked {
    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        let (_, oldest) = self.queue.first_key_value()?;
        let rejected = oldest.since + config.park_timeout;
        let patient = self.queue.range(self.patient_from..).next();
        let settles = patient.map(|(_, waiting)| waiting.since + config.patience);
        Some(settles.map_or(rejected, |settles| settles.min(rejected)))
    }

    fn behind(&self, candidate: LinkId) -> Vec<u64> {
        self.queue
            .iter()
            .filter(|(_, waiting)| waiting.behind == Some(candidate))
            .map(|(number, _)| *number)
            .collect()
    }
}

impl Node {
    /// A request has come from the side where the root is.
    pub(super) fn admit(&mut self, from: Hop, request: JoinRequest, out: &mut Vec<Action>) {
        let join = request.join;
        if self.routes.get(join).is_some() {
            // A repetition; the first one is being seen to.
            self.stats.join_frames_dropped += 1;
        } else if self.path.contains(join.origin) {
            self.reject(from, join, RejectReason::Loop, out);
        } else if usize::from(request.hops) >= MAX_DEPTH || self.path.depth() >= MAX_DEPTH {
            self.reject(from, join, RejectReason::Full, out);
        } else {
            let waiting = Waiting {
                request,
                from,
                since: self.now,
                early: Vec::new(),
                behind: None,
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
        if self.path.ids().is_empty() {
            // The parent was lost meanwhile. Below an orphan there is no tree to be in.
            self.shut(link, CloseReason::Rejected(RejectReason::Busy), out);
            return Ok(());
        }
        self.grant(link, window)?;
        let former = self.children().find(|child| child.node == node);
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
        };
        self.transmit(link, &welcome, out);
        notify(Notification::ChildConnected { link, node }, out);
        self.report.changed(self.now, &self.config);
        for number in self.parked.behind(link) {
            if let Some(waiting) = self.parked.queue.remove(&number) {
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
        }
        for number in self.parked.behind(link) {
            self.place_again(number, out);
        }
    }

    /// A place has become free: the request that waits longest gets it.
    pub(super) fn serve_parked(&mut self, out: &mut Vec<Action>) {
        // One who waited for a failed candidate may have taken it already.
        let Some(slot) = self.free_slot() else { return };
        if let Some((_, waiting)) = self.parked.queue.pop_first() {
            self.accept(slot, waiting, out);
            self.predict_candidates();
        }
    }

    pub(super) fn expire_parked(&mut self, out: &mut Vec<Action>) {
        let before = self.parked.queue.len();
        while let Some((number, waiting)) =
            self.parked.queue.range(self.parked.patient_from..).next()
            && waiting.since + self.config.patience <= self.now
        {
            let number = *number;
            self.parked.patient_from = number + 1;
            self.settle(number, out);
        }
        while let Some(entry) = self.parked.queue.first_entry()
            && entry.get().since + self.config.park_timeout <= self.now
        {
            let waiting = entry.remove();
            self.reject(waiting.from, waiting.request.join, RejectReason::Busy, out);
        }
        if self.parked.queue.len() < before {
            self.predict_candidates();
        }
    }

    /// A child is new, or has reported: whoever has lost patience may settle for it.
    pub(super) fn settle_impatient(&mut self, out: &mut Vec<Action>) {
        let before = self.parked.queue.len();
        let impatient = self.parked.queue.range(..self.parked.patient_from);
        let numbers: Vec<u64> = impatient.map(|(number, _)| *number).collect();
        for number in numbers {
            self.settle(number, out);
        }
        if self.parked.queue.len() < before {
            self.predict_candidates();
        }
    }

    /// The joiner has given up.
    pub(super) fn unpark(&mut self, number: u64) {
        self.parked.queue.remove(&number);
        self.predict_candidates();
    }

    /// The way back to these joiners is gone. Should one come by another way, it is new here.
    pub(super) fn forget_parked_from(&mut self, hop: Hop) {
        let routes = &mut self.routes;
        self.parked.queue.retain(|_, waiting| {
            let stays = waiting.from != hop;
            if !stays {
                routes.remove(waiting.request.join);
            }
            stays
        });
        self.predict_candidates();
    }

    pub(super) fn reject_all_parked(&mut self, reason: RejectReason, out: &mut Vec<Action>) {
        while let Some((_, waiting)) = self.parked.queue.pop_first() {
            self.reject(waiting.from, waiting.request.join, reason, out);
        }
    }

    /// Keeps a candidate of a parked request's joiner.
    pub(super) fn keep_early(&mut self, number: u64, signal: Signal) {
        let limit = self.config.max_early_candidates;
        match self.parked.queue.get_mut(&number) {
            Some(waiting) if waiting.early.len() < limit => waiting.early.push(signal),
            _ => self.stats.join_frames_dropped += 1,
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

    /// Sends a waiting request to a child that is connected, if one has a place.
    fn settle(&mut self, number: u64, out: &mut Vec<Action>) {
        let Some(waiting) = self.parked.queue.get(&number) else {
            return;
        };
        let origin = waiting.request.join.origin;
        if let Some(child) = self.choose(origin, Among::Children)
            && let Some(waiting) = self.parked.queue.remove(&number)
        {
            self.predict(child, &waiting.request);
            self.forward(child, waiting, out);
        }
    }

    fn place_again(&mut self, number: u64, out: &mut Vec<Action>) {
        if let Some(waiting) = self.parked.queue.remove(&number) {
            self.place(Some(number), waiting, out);
        }
    }

    /// Finds a parent for a request. `number`: its place in the queue, if it had one.
    fn place(&mut self, number: Option<u64>, waiting: Waiting, out: &mut Vec<Action>) {
        if let Some(slot) = self.free_slot() {
            self.accept(slot, waiting, out);
            return;
        }
        let join = waiting.request.join;
        let Some(link) = self.choose(join.origin, Among::All) else {
            let parting = self.slots.len() > self.places_held();
            let reason = if parting {
                RejectReason::Busy
            } else {
                RejectReason::Full
            };
            self.reject(waiting.from, join, reason, out);
            return;
        };
        if matches!(self.state_mut(link), Some(LinkState::Child(_))) {
            self.predict(link, &waiting.request);
            self.forward(link, waiting, out);
        } else if self.parked.queue.len() < self.config.max_parked {
            self.predict(link, &waiting.request);
            self.park(number, link, waiting);
        } else {
            self.reject(waiting.from, join, RejectReason::Busy, out);
        }
    }

    fn accept(&mut self, slot: usize, waiting: Waiting, out: &mut Vec<Action>) {
        let Waiting {
            request,
            from,
            early,
            ..
        } = waiting;
        let candidate = Candidate {
            join: request.join,
            slot,
            predicted: request.census.clone(),
            census: request.census,
            open: false,
            deadline: self.now + self.config.request_timeout,
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
    fn forward(&mut self, child: LinkId, waiting: Waiting, out: &mut Vec<Action>) {
        let Waiting {
            mut request,
            from,
            early,
            ..
        } = waiting;
        let join = request.join;
        request.hops += 1;
        if let Some(LinkState::Child(child)) = self.state_mut(child) {
            child.requests = child.requests.wrapping_add(1);
        }
        self.stats.joins_delegated += 1;
        self.remember_route(join, from, Towards::Child(child));
        self.send_hop(Hop::Link(child), JoinFrame::Request(request), out);
        for signal in early {
            self.send_hop(Hop::Link(child), JoinFrame::Signal { join, signal }, out);
        }
    }

    fn park(&mut self, number: Option<u64>, candidate: LinkId, mut waiting: Waiting) {
        let number = number.unwrap_or_else(|| {
            self.stats.joins_parked += 1;
            self.parked.next += 1;
            self.parked.next
        });
        waiting.behind = Some(candidate);
        self.remember_route(waiting.request.join, waiting.from, Towards::Parked(number));
        self.parked.queue.insert(number, waiting);
    }

    /// Notes that a request is on its way to the subtree behind `link`.
    fn predict(&mut self, link: LinkId, request: &JoinRequest) {
        match self.state_mut(link) {
            Some(LinkState::Child(child)) => child.predicted.admit(&request.census),
            Some(LinkState::Candidate(candidate)) => candidate.predicted.admit(&request.census),
            _ => false,
        };
    }

    /// Requests have left the queue: a candidate expects only those that still wait for it.
    fn predict_candidates(&mut self) {
        for link in self.links.iter_mut() {
            if let LinkState::Candidate(candidate) = &mut link.state {
                candidate.predicted = candidate.census.clone();
            }
        }
        for waiting in self.parked.queue.values() {
            let link = waiting.behind.and_then(|link| self.links.get_mut(link));
            if let Some(LinkState::Candidate(candidate)) = link.map(|link| &mut link.state) {
                candidate.predicted.admit(&waiting.request.census);
            }
        }
    }

    /// The child or candidate that takes a newcomer for whom there is no place here.
    /// Never a link to the newcomer itself: it would not ask if that one were alive.
    fn choose(&self, origin: NodeId, among: Among) -> Option<LinkId> {
        let subtree = |link: LinkId| match &self.links.get(link)?.state {
            LinkState::Child(child) if child.node != origin => Some(&child.predicted),
            LinkState::Candidate(candidate)
                if candidate.join.origin != origin && among == Among::All =>
            {
                Some(&candidate.predicted)
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
                let seen = self.slots.iter().map(|slot| {
                    let census = slot.and_then(subtree);
                    Subtree {
                        shallowest_place: census.and_then(Census::shallowest_place),
                        size: census.map_or(0, Census::size),
                    }
                });
                self.slots[policy::balanced(seen)?]
            }
        }
    }

    fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    /// How many places are held by children and candidates, not counting those who are leaving.
    fn places_held(&self) -> usize {
        let held = |link: &LinkId| {
            let state = self.links.get(*link).map(|link| &link.state);
            matches!(state, Some(LinkState::Child(_) | LinkState::Candidate(_)))
        };
        self.slots
            .iter()
            .flatten()
            .filter(|link| held(link))
            .count()
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
enum Among {
    /// Children and candidates.
    All,
    /// Those that are connected.
    Children,
}
