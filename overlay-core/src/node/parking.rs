//! Requests that wait: for a candidate, which is the best parent for them and about to connect, or for a place.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Node;
use super::link::LinkState;
use super::placement::Among;
use super::routing::{Hop, Towards};
use crate::action::Action;
use crate::config::Config;
use crate::id::LinkId;
use crate::signal::Signal;
use crate::time::Instant;
use crate::wire::{Invitation, JoinRequest, RejectReason};

/// Requests that wait, oldest first, and what for.
#[derive(Debug, Default)]
pub(super) struct Parked {
    queue: BTreeMap<u64, (Awaits, Waiting)>,
    /// The same, by when they are rejected: some have waited elsewhere before.
    by_end: BTreeSet<(Instant, u64)>,
    next: u64,
    /// Those with a lower number have lost their patience.
    patient_from: u64,
    /// The candidates kept for all of them.
    early: usize,
}

/// A request that has no parent yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: JoinRequest,
    pub(super) from: Hop,
    pub(super) since: Instant,
    /// When it has waited long enough in all.
    pub(super) until: Instant,
    /// The joiner's candidates so far.
    pub(super) early: Vec<Signal>,
    /// A child has been asked to make room for it. That happens once.
    pub(super) made_room: bool,
    /// It has given a single node the time to take a free place before it. That happens once.
    pub(super) gave_way: bool,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// A candidate, to go below it.
    Candidate(LinkId),
    /// A child's place, which was asked to make room.
    Room(LinkId),
    /// The same child, to go below the one for whom it makes room.
    Turn(LinkId),
    /// The place of a silent child, and no other: it will be given up soon.
    Hole(LinkId),
    /// A single node that takes the free place, to go below it.
    Single,
}

impl Waiting {
    /// Adds the wait so far to what the request says of it.
    pub(super) fn count(&mut self, now: Instant) {
        let waited = now.since(self.since).as_millis();
        let waited = u32::try_from(waited).unwrap_or(u32::MAX);
        self.request.waited_ms = self.request.waited_ms.saturating_add(waited);
        self.since = now;
    }
}

impl Awaits {
    /// Whose fate decides.
    const fn link(self) -> Option<LinkId> {
        match self {
            Self::Candidate(link) | Self::Room(link) | Self::Turn(link) | Self::Hole(link) => {
                Some(link)
            }
            Self::Single => None,
        }
    }
}

impl Parked {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The child that makes room for the first of those requests that `fits`.
    pub(super) fn who_makes_room_for(&self, fits: impl Fn(&Waiting) -> bool) -> Option<LinkId> {
        self.queue
            .values()
            .find_map(|(awaits, waiting)| match awaits {
                Awaits::Room(child) if fits(waiting) => Some(*child),
                _ => None,
            })
    }

    pub(super) fn early_candidates(&self) -> usize {
        self.early
    }

    fn put(&mut self, number: u64, awaits: Awaits, waiting: Waiting) {
        self.early += waiting.early.len();
        self.by_end.insert((waiting.until, number));
        self.queue.insert(number, (awaits, waiting));
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Waiting> {
        self.take_entry(number).map(|(_, waiting)| waiting)
    }

    fn take_entry(&mut self, number: u64) -> Option<(Awaits, Waiting)> {
        let (awaits, waiting) = self.queue.remove(&number)?;
        self.by_end.remove(&(waiting.until, number));
        self.early -= waiting.early.len();
        Some((awaits, waiting))
    }

    fn take_oldest(&mut self) -> Option<Waiting> {
        let (number, _) = self.queue.first_key_value()?;
        self.take(*number)
    }

    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        let (ends, _) = *self.by_end.first()?;
        let patient = self.queue.range(self.patient_from..).next();
        let settles = patient.map(|(_, (_, waiting))| waiting.since + config.patience);
        Some(settles.map_or(ends, |settles| settles.min(ends)))
    }

    /// The requests that wait for what becomes of this link, oldest first.
    pub(super) fn behind(&self, link: LinkId) -> Vec<u64> {
        self.which(|awaits, _| awaits.link() == Some(link))
    }

    /// Those that wait for somebody to take the free place.
    fn who_gave_way(&self) -> Vec<u64> {
        self.which(|awaits, _| awaits == Awaits::Single)
    }

    fn which(&self, fits: impl Fn(Awaits, &Waiting) -> bool) -> Vec<u64> {
        let entries = self.queue.iter();
        let fitting = entries.filter(|(_, (awaits, waiting))| fits(*awaits, waiting));
        fitting.map(|(number, _)| *number).collect()
    }
}

impl Node {
    /// A place has become free: the request that waits longest gets it.
    pub(super) fn serve_parked(&mut self, out: &mut Vec<Action>) {
        // One who waited for a failed candidate may have taken it already; and some wait on, under another number
        // perhaps: for who has come since, the place is still there when all others have been looked at.
        let mut after = 0;
        let last = self.parked.next;
        while self.free_slot().is_some()
            && after <= last
            && let Some((&number, _)) = self.parked.queue.range(after..=last).next()
        {
            after = number + 1;
            self.place_again(number, out);
            self.predict_candidates();
        }
    }

    pub(super) fn expire_parked(&mut self, out: &mut Vec<Action>) {
        let before = self.parked.queue.len();
        while let Some((number, (_, waiting))) =
            self.parked.queue.range(self.parked.patient_from..).next()
            && waiting.since + self.config.patience <= self.now
        {
            let number = *number;
            self.parked.patient_from = number + 1;
            self.settle(number, out);
        }
        while let Some(&(ends, number)) = self.parked.by_end.first()
            && ends <= self.now
            && let Some(waiting) = self.parked.take(number)
        {
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
        self.parked.take(number);
        self.predict_candidates();
    }

    /// The way back to these joiners is gone. Should one come by another way, it is new here.
    pub(super) fn forget_parked_from(&mut self, hop: Hop) {
        for number in self.parked.which(|_, waiting| waiting.from == hop) {
            if let Some(waiting) = self.parked.take(number) {
                self.routes.remove(waiting.request.join);
            }
        }
        self.predict_candidates();
    }

    pub(super) fn reject_all_parked(&mut self, reason: RejectReason, out: &mut Vec<Action>) {
        while let Some(waiting) = self.parked.take_oldest() {
            self.reject(waiting.from, waiting.request.join, reason, out);
        }
    }

    /// Keeps a candidate of a parked request's joiner.
    pub(super) fn keep_early(&mut self, number: u64, signal: Signal) {
        let limit = self.config.max_early_candidates;
        match self.parked.queue.get_mut(&number) {
            Some((_, waiting)) if waiting.early.len() < limit => {
                waiting.early.push(signal);
                self.parked.early += 1;
            }
            _ => self.stats.join_frames_dropped += 1,
        }
    }

    /// Sends a waiting request to a child that is connected, if one has a place.
    fn settle(&mut self, number: u64, out: &mut Vec<Action>) {
        let Some((awaits, waiting)) = self.parked.queue.get(&number) else {
            return;
        };
        if !self.may_take_from(waiting.from) {
            return self.place_again(number, out);
        }
        if self.free_slot().is_some() {
            self.place_again(number, out);
        } else if !matches!(awaits, Awaits::Hole(_))
            && let Some(child) = self.choose(waiting, Among::Children)
            && let Some(waiting) = self.parked.take(number)
        {
            self.predict(child, &waiting.request);
            self.forward(child, waiting, out);
        }
    }

    /// Places those anew who wait behind a link.
    pub(super) fn place_all_behind(&mut self, link: LinkId, out: &mut Vec<Action>) {
        for number in self.parked.behind(link) {
            self.place_again(number, out);
        }
    }

    /// Somebody has taken the free place that others gave up: they go below.
    pub(super) fn place_all_who_gave_way(&mut self, out: &mut Vec<Action>) {
        for number in self.parked.who_gave_way() {
            self.place_again(number, out);
        }
    }

    pub(super) fn place_again(&mut self, number: u64, out: &mut Vec<Action>) {
        let Some((awaits, mut waiting)) = self.parked.take_entry(number) else {
            return;
        };
        // Who has waited for a place to become free, or to be taken, has lost no patience with the one who takes
        // it.
        let anew = matches!(awaits, Awaits::Hole(_) | Awaits::Single);
        if anew {
            waiting.count(self.now);
        }
        self.place((!anew).then_some(number), waiting, out);
    }

    /// The request waits. `number`: its place in the queue, if it had one.
    pub(super) fn park(
        &mut self,
        mut number: Option<u64>,
        awaits: Awaits,
        mut waiting: Waiting,
        out: &mut Vec<Action>,
    ) {
        match awaits {
            Awaits::Candidate(link) => self.predict(link, &waiting.request),
            Awaits::Room(child) => {
                waiting.made_room = true;
                self.stats.children_displaced += 1;
                self.invite(child, Invitation::ELSEWHERE, out);
            }
            Awaits::Turn(_) => {}
            Awaits::Hole(_) => self.stats.hints_followed += 1,
            Awaits::Single => {
                if self.parked.who_gave_way().is_empty() {
                    self.invite_leaf(out);
                }
                waiting.gave_way = true;
                // Under a new number: its patience begins anew.
                waiting.count(self.now);
                number = None;
            }
        }
        let number = number.unwrap_or_else(|| {
            self.stats.joins_parked += 1;
            self.parked.next += 1;
            self.parked.next
        });
        self.remember_route(waiting.request.join, waiting.from, Towards::Parked(number));
        self.parked.put(number, awaits, waiting);
    }

    /// Requests have left the queue: a candidate expects only those that still wait for it.
    fn predict_candidates(&mut self) {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::PromiseKept) {
            return;
        }
        for link in self.links.iter_mut() {
            if let LinkState::Candidate(candidate) = &mut link.state {
                let subtree = &mut candidate.subtree;
                subtree.predicted = subtree.known.clone();
            }
        }
        for (awaits, waiting) in self.parked.queue.values() {
            let link = awaits.link().and_then(|link| self.links.get_mut(link));
            if let Some(LinkState::Candidate(candidate)) = link.map(|link| &mut link.state) {
                candidate.subtree.predicted.admit(&waiting.request.census);
            }
        }
    }
}
