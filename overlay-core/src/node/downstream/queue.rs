//! Requests that wait: for a candidate, which is the best parent for them and about to connect, or for a slot.

use alloc::vec::Vec;

use crate::config::Config;
use crate::expiring::Expiring;
use crate::id::LinkId;
use crate::node::routing::Peer;
use crate::signal::Signal;
use crate::time::Instant;
use crate::wire::JoinRequest;

/// Requests that wait, oldest first, and what for.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue {
    /// By number; each is rejected at its deadline. Some have waited elsewhere before.
    entries: Expiring<u64, (Awaits, Waiting)>,
    /// The latest number given.
    latest: u64,
    /// Requests with a lower number settle for any child that is connected.
    settling_below: u64,
    /// The ICE candidates kept for all of them.
    early: usize,
}

/// A request that has no parent yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) request: JoinRequest,
    pub(crate) from: Peer,
    pub(crate) since: Instant,
    /// When it has waited long enough in all.
    pub(crate) until: Instant,
    /// The joiner's ICE candidates so far.
    pub(crate) early: Vec<Signal>,
    /// A child has been asked to make room for it. That happens once.
    pub(crate) made_room: bool,
    /// It has given a single node the time to take a free slot before it. That happens once.
    pub(crate) gave_way: bool,
}

/// The thing that a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// A candidate, to go below it.
    Candidate(LinkId),
    /// The slot of a child, which was asked to make room.
    Room(LinkId),
    /// The slot of a silent child, and no other: it will be given up soon.
    Hole(LinkId),
    /// A single node that takes the free slot, to go below it.
    Single,
}

impl Waiting {
    pub(crate) fn new(request: JoinRequest, from: Peer, now: Instant, until: Instant) -> Self {
        Self {
            request,
            from,
            since: now,
            until,
            early: Vec::new(),
            made_room: false,
            gave_way: false,
        }
    }

    /// Adds the wait so far to what the request says of it.
    pub(crate) fn count(&mut self, now: Instant) {
        let waited = now.since(self.since).as_millis();
        let waited = u32::try_from(waited).unwrap_or(u32::MAX);
        self.request.waited_ms = self.request.waited_ms.saturating_add(waited);
        self.since = now;
    }
}

impl Awaits {
    /// The link whose fate decides.
    pub(crate) const fn link(self) -> Option<LinkId> {
        match self {
            Self::Candidate(link) | Self::Room(link) | Self::Hole(link) => Some(link),
            Self::Single => None,
        }
    }
}

impl WaitQueue {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of ICE candidates kept for all requests.
    pub(crate) fn early_ice_candidates(&self) -> usize {
        self.early
    }

    /// The latest number that was given to a request.
    pub(crate) const fn latest(&self) -> u64 {
        self.latest
    }

    /// A number for a request that has none.
    pub(crate) const fn new_number(&mut self) -> u64 {
        self.latest += 1;
        self.latest
    }

    pub(crate) fn put(&mut self, number: u64, awaits: Awaits, waiting: Waiting) {
        self.early += waiting.early.len();
        self.entries
            .insert(number, waiting.until, (awaits, waiting));
    }

    pub(crate) fn take(&mut self, number: u64) -> Option<(Awaits, Waiting)> {
        let (_, (awaits, waiting)) = self.entries.remove(&number)?;
        self.early -= waiting.early.len();
        Some((awaits, waiting))
    }

    pub(crate) fn take_oldest(&mut self) -> Option<Waiting> {
        let (&number, _) = self.entries.iter().next()?;
        self.take(number).map(|(_, waiting)| waiting)
    }

    /// A request whose wait is over, in all the nodes together.
    pub(crate) fn take_ended(&mut self, now: Instant) -> Option<Waiting> {
        let (_, (_, waiting)) = self.entries.pop_due(now)?;
        self.early -= waiting.early.len();
        Some(waiting)
    }

    pub(crate) fn get(&self, number: u64) -> Option<(Awaits, &Waiting)> {
        let (awaits, waiting) = self.entries.get(&number)?;
        Some((*awaits, waiting))
    }

    /// The first request with a number in this range.
    pub(crate) fn first_in(&self, range: core::ops::RangeInclusive<u64>) -> Option<u64> {
        self.entries.range(range).next().map(|(number, _)| *number)
    }

    /// Marks the next request that has waited for `settle_timeout`, if there is one, and returns its number.
    pub(crate) fn next_overdue(&mut self, config: &Config, now: Instant) -> Option<u64> {
        let (&number, (_, waiting)) = self.entries.range(self.settling_below..).next()?;
        if waiting.since + config.settle_timeout > now {
            return None;
        }
        self.settling_below = number + 1;
        Some(number)
    }

    /// The requests that have waited for `settle_timeout`.
    pub(crate) fn overdue(&self) -> Vec<u64> {
        let overdue = self.entries.range(..self.settling_below);
        overdue.map(|(number, _)| *number).collect()
    }

    /// Keeps an ICE candidate of a waiting request's joiner. False if there are enough.
    pub(crate) fn keep_early(&mut self, number: u64, signal: Signal, limit: usize) -> bool {
        match self.entries.get_mut(&number) {
            Some((_, waiting)) if waiting.early.len() < limit => {
                waiting.early.push(signal);
                self.early += 1;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn next_deadline(&self, config: &Config) -> Option<Instant> {
        let end = self.entries.next_deadline()?;
        let next = self.entries.range(self.settling_below..).next();
        let settles = next.map(|(_, (_, waiting))| waiting.since + config.settle_timeout);
        Some(settles.map_or(end, |settles| settles.min(end)))
    }

    /// All requests, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Awaits, &Waiting)> {
        let entries = self.entries.iter();
        entries.map(|(_, (awaits, waiting))| (*awaits, waiting))
    }

    /// The requests that wait for what becomes of this link, oldest first.
    pub(crate) fn behind(&self, link: LinkId) -> Vec<u64> {
        self.which(|awaits, _| awaits.link() == Some(link))
    }

    /// The requests that wait for a single node to take the free slot.
    pub(crate) fn gave_way(&self) -> Vec<u64> {
        self.which(|awaits, _| awaits == Awaits::Single)
    }

    /// The requests that have come from there.
    pub(crate) fn from(&self, peer: Peer) -> Vec<u64> {
        self.which(|_, waiting| waiting.from == peer)
    }

    fn which(&self, fits: impl Fn(Awaits, &Waiting) -> bool) -> Vec<u64> {
        let entries = self.entries.iter();
        let fitting = entries.filter(|(_, (awaits, waiting))| fits(*awaits, waiting));
        fitting.map(|(number, _)| *number).collect()
    }
}
