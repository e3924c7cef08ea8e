//! How often each fault really struck, and which states of the protocol were reached. A sweep that never
//! reached something has proved nothing about it.

use std::collections::BTreeMap;

use overlay_core::wire::{Refusal, RejectReason};
use overlay_core::{CloseReason, Notification, Stats, Unsent};

use crate::schedule::{Fault, Impairment, Message, Outage, Partition, Wish};

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// One more.
    pub fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// This many more.
    pub fn add(&mut self, name: &'static str, times: u64) {
        if times > 0 {
            *self.0.entry(name).or_default() += times;
        }
    }

    /// Adds what another run has reached.
    pub fn merge(&mut self, other: &Self) {
        for (name, times) in &other.0 {
            self.add(name, *times);
        }
    }

    /// How often something was reached.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Everything there is to reach, with its count, in the order of the groups.
    pub fn table(&self) -> impl Iterator<Item = (&'static str, u64)> {
        names().map(|name| (name, self.of(name)))
    }

    /// What was never reached.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let missing = self.table().filter(|(_, times)| *times == 0);
        missing.map(|(name, _)| name).collect()
    }

    pub(crate) fn notification(&mut self, notification: &Notification) {
        match notification {
            Notification::ParentConnected { .. } => self.count("parent connected"),
            Notification::ParentClosed { reason, .. } => {
                self.count("parent closed");
                self.closed(*reason);
            }
            Notification::ChildConnected { .. } => self.count("child connected"),
            Notification::ChildClosed { reason, .. } => {
                self.count("child closed");
                self.closed(*reason);
            }
            Notification::Reattached { .. } => self.count("reattached"),
            Notification::Standby { .. } => self.count("standby"),
            Notification::Promoted { .. } => self.count("promoted"),
            Notification::SteppedDown { .. } => self.count("stepped down"),
            Notification::RootChanged { .. } => self.count("root changed"),
            Notification::PathChanged { .. } => self.count("path changed"),
            Notification::SubtreeChanged(_) => self.count("subtree changed"),
            Notification::JoinRejected { reason, .. } => self.rejected(*reason),
            Notification::BootstrapReady => self.count("registered"),
            Notification::BootstrapLost { refusal, .. } => {
                self.count(refusal.map_or("server lost", refusal_name));
            }
            Notification::Unsent { reason, .. } => self.count(match reason {
                Unsent::NotConnected => "unsent: no neighbour",
                Unsent::NotRoot => "unsent: not the root",
                Unsent::TooLong => "unsent: too long",
                Unsent::IsRoot => "unsent: the root itself",
                Unsent::Backlog => "unsent: backlog",
                _ => "unsent: other",
            }),
            Notification::Gap { .. } => self.count("gap"),
            Notification::Replied { arrived: true, .. } => self.count("reply arrived"),
            Notification::Replied { .. } => self.count("reply failed"),
            Notification::Answers { answers, .. } if answers.answered < answers.asked => {
                self.count("some have not answered");
            }
            Notification::Answers { .. } => self.count("all have answered"),
            Notification::RoomToSendUp => self.count("room to send up"),
            Notification::Stalled { .. } => self.count("stalled"),
            Notification::RoomToBroadcast => self.count("room to broadcast"),
            Notification::Writable(_) => self.count("writable again"),
            Notification::Left => self.count("left"),
            _ => self.count("other notification"),
        }
    }

    pub(crate) fn closed(&mut self, reason: CloseReason) {
        self.count(match reason {
            CloseReason::Lost => "closed: lost",
            CloseReason::Silent => "closed: silent",
            CloseReason::Timeout => "closed: handshake too slow",
            CloseReason::PeerLeft => "closed: peer left",
            CloseReason::PeerClosed => "closed: peer closed",
            CloseReason::Left => "closed: left",
            CloseReason::Moved => "closed: moved",
            CloseReason::Closed => "closed: by the embedder",
            CloseReason::Slow => "closed: too slow",
            CloseReason::Rejected(_) => "closed: join rejected",
            CloseReason::Cancelled => "closed: join given up",
            CloseReason::Replaced => "closed: replaced",
            CloseReason::Malformed(_) => "closed: garbage",
            CloseReason::ProtocolError(_) => "closed: protocol error",
            _ => "closed: other",
        });
    }

    /// What a node counts itself.
    pub(crate) fn stats(&mut self, stats: &Stats) {
        self.add("join accepted", stats.joins_accepted);
        self.add("join delegated", stats.joins_delegated);
        self.add("join queued", stats.joins_queued);
        self.add("join rejected", stats.joins_rejected);
        self.add("lease over", stats.lease_over);
        self.add("candidate failed", stats.candidates_failed);
        self.add("join frame dropped", stats.join_frames_dropped);
        self.add("late event", stats.late_events);
        self.add("invited", stats.moves_begun);
        self.add("moved", stats.moves_done);
        self.add("stayed", stats.moves_given_up);
        self.add("re-homed", stats.children_rehomed);
        self.add("displaced", stats.children_displaced);
        self.add("hint followed", stats.hints_followed);
        self.add("records dropped as had", stats.records_repeated);
        self.add("move given up for a gap", stats.moves_without_loss);
        self.add("message delivered", stats.messages_delivered);
        self.add("stream frame sent", stats.stream_frames_sent);
    }

    fn rejected(&mut self, reason: RejectReason) {
        self.count(match reason {
            RejectReason::Full => "rejected: full",
            RejectReason::Busy => "rejected: busy",
            RejectReason::NoRoot => "rejected: no root",
            RejectReason::Timeout => "rejected: timeout",
            RejectReason::Loop => "rejected: loop",
            RejectReason::Version => "rejected: version",
            _ => "rejected: other",
        });
    }
}

const fn refusal_name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Version => "refused: version",
        Refusal::WrongToken => "refused: wrong token",
        Refusal::UnknownOverlay => "refused: unknown overlay",
        Refusal::IdInUse => "refused: id in use",
        Refusal::Superseded => "refused: superseded",
        Refusal::TooManyConnections => "refused: too many",
        Refusal::RateLimited => "refused: rate",
        Refusal::Silent => "refused: silent",
        Refusal::Malformed => "refused: malformed",
        Refusal::ShuttingDown => "refused: shutting down",
        _ => "refused: other",
    }
}

/// States of the protocol that a sweep must reach. What no honest simulated node can bring about (another
/// version, a wrong token) is for the unit tests and the fuzzers.
const STATES: &[&str] = &[
    "root lost",
    "standby",
    "promoted",
    "standby promoted",
    "stepped down",
    "root changed",
    "lease over",
    "registered",
    "server lost",
    "refused: silent",
    "join accepted",
    "join delegated",
    "join queued",
    "join rejected",
    "join frame dropped",
    "candidate failed",
    "rejected: full",
    "rejected: busy",
    "rejected: no root",
    "rejected: timeout",
    "parent connected",
    "parent closed",
    "reattached",
    "child connected",
    "child closed",
    "path changed",
    "subtree changed",
    "left",
    "closed: lost",
    "closed: silent",
    "closed: handshake too slow",
    "closed: peer left",
    "closed: peer closed",
    "closed: left",
    "closed: moved",
    "closed: by the embedder",
    "closed: too slow",
    "closed: join rejected",
    "closed: join given up",
    "closed: replaced",
    "closed: garbage",
    "closed: protocol error",
    "late event",
    "invited",
    "moved",
    "stayed",
    "re-homed",
    "displaced",
    "hint followed",
    "gap",
    "stalled",
    "room to send up",
    "unsent: the root itself",
    "message to the root taken back",
    "reply arrived",
    "reply failed",
    "all have answered",
    "some have not answered",
    "room to broadcast",
    "broadcast taken back",
    "message taken back",
    "records dropped as had",
    "move given up for a gap",
    "message delivered",
    "stream frame sent",
    "unsent: no neighbour",
    "unsent: not the root",
    "unsent: too long",
    "unsent: backlog",
    "writable again",
];

fn names() -> impl Iterator<Item = &'static str> {
    let steps = Wish::ALL.iter().map(|wish| wish.name());
    let steps = steps.chain(Message::ALL.iter().map(|message| message.name()));
    let steps = steps.chain(Fault::ALL.iter().map(|fault| fault.name()));
    let steps = steps.chain(Impairment::ALL.iter().map(|impairment| impairment.name()));
    let steps = steps.chain(Partition::ALL.iter().map(|between| between.name()));
    let steps = steps.chain(Outage::ALL.iter().map(|outage| outage.name()));
    steps.chain(STATES.iter().copied())
}
