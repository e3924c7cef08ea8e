//! This node's own way into the tree.
//!
//! An attempt goes: have the server's ear, open a link and get its offer, send the request, apply the
//! acceptor's answer, greet on the open channel, be welcomed. Each step has a deadline; whatever goes
//! wrong ends the attempt, and the next one comes after a jittered, doubling wait. An orphan keeps its
//! children through all of this and brings them along.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::link::{DialStage, Dialing, LinkState};
use super::routing::Hop;
use super::{Node, Role, notify};
use crate::action::{Action, CloseReason, Dial, Notification, Violation};
use crate::backoff;
use crate::id::{Epoch, JoinId, LinkId, NodeId};
use crate::path::Path;
use crate::signal::{Sdp, Signal};
use crate::time::Instant;
use crate::wire::{
    Count, JoinFrame, JoinRequest, LinkFrame, RejectReason, Rejection, VERSION, Way, WireError,
};

/// A node without a parent that wants one.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) stage: Stage,
    /// Attempts that have failed since the node last had a parent.
    failures: u32,
    /// Since when it has no parent, if it has had one.
    orphaned: Option<Instant>,
    /// The path of the parent that it has lost, if it is an orphan.
    lost: Path,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Until the next attempt.
    Waiting { until: Instant },
    /// Until the server is ready.
    Introducing,
    /// An attempt is under way.
    Dialing(LinkId),
}

/// What a parent says of itself when it welcomes a child.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) id: NodeId,
    pub(super) epoch: Epoch,
    pub(super) path: Path,
    pub(super) window: u32,
    /// The next broadcast.
    pub(super) count: Count,
}

impl Node {
    pub(super) fn join(&mut self, out: &mut Vec<Action>) {
        if matches!(self.role, Role::Detached) {
            self.begin_joining();
            self.seek_introduction(out);
        }
    }

    /// A node that belongs to no tree takes any, also one that is younger than its last.
    pub(super) fn begin_joining(&mut self) {
        self.epoch = Epoch::default();
        self.broadcasts.forget();
        self.told_epoch = None;
        self.role = Role::Joining(Joining {
            stage: Stage::Introducing,
            failures: 0,
            orphaned: None,
            lost: Path::default(),
        });
    }

    /// The parent is gone: joins again, after a short random wait, so that siblings who lost the same
    /// parent do not all come at once.
    pub(super) fn rejoin(&mut self) {
        let wait = backoff::up_to(self.config.retry_min, &mut self.random);
        let until = self.now + wait;
        self.be_orphan(Stage::Waiting { until });
    }

    pub(super) fn be_orphan(&mut self, stage: Stage) {
        let lost = core::mem::take(&mut self.path).above();
        self.role = Role::Joining(Joining {
            stage,
            failures: 0,
            orphaned: Some(self.now),
            lost,
        });
    }

    /// The tree has a root again: does not wait any longer than it takes not to come with everybody else.
    pub(super) fn root_ready(&mut self) {
        let soon = self.now + backoff::up_to(self.config.retry_min, &mut self.random);
        if let Role::Joining(Joining { stage, .. }) = &mut self.role {
            if let Stage::Waiting { until } = stage {
                *until = soon.min(*until);
            }
            self.believe_server();
        }
    }

    pub(super) fn joining_deadline(&self) -> Option<Instant> {
        match &self.role {
            Role::Joining(Joining {
                stage: Stage::Waiting { until },
                ..
            }) => Some(*until),
            _ => None,
        }
    }

    pub(super) fn expire_joining(&mut self, out: &mut Vec<Action>) {
        if self.joining_deadline().is_some_and(|due| due <= self.now) {
            self.seek_introduction(out);
        }
    }

    /// The server is ready to pass requests on.
    pub(super) fn introduced(&mut self, out: &mut Vec<Action>) {
        self.believe_server();
        if let Role::Joining(joining) = &self.role
            && matches!(joining.stage, Stage::Introducing)
        {
            self.dial(out);
        }
    }

    /// The server's connection is gone: an attempt that has no answer yet will never get one.
    pub(super) fn introduction_lost(&mut self, out: &mut Vec<Action>) {
        let Some((link, _, stage)) = self.current_dial() else {
            return;
        };
        if stage < DialStage::Answered && self.moving.is_none() {
            self.drop_link(link, CloseReason::Cancelled, out);
            self.set_joining_stage(Stage::Introducing);
        }
    }

    /// The embedder has made the offer for a dial.
    pub(super) fn link_offer(&mut self, link: LinkId, offer: Sdp, out: &mut Vec<Action>) {
        let deadline = self.now + self.config.request_timeout;
        let Some(dialing) = self.dialing_mut(link) else {
            self.stats.late_events += 1;
            return;
        };
        if dialing.stage != DialStage::Offering {
            return;
        }
        dialing.stage = DialStage::Requested;
        dialing.deadline = deadline;
        let (join, way) = (dialing.join, dialing.way);
        let census = self.census();
        if let Some(dialing) = self.dialing_mut(link) {
            *dialing.census = census.clone();
        }
        let request = JoinRequest {
            join,
            offer,
            census,
            hops: 0,
            waited_ms: 0,
            way,
            lost: match &self.role {
                Role::Joining(joining) if joining.failures == 0 => joining.lost.clone(),
                _ => Path::default(),
            },
        };
        self.ask(way, JoinFrame::Request(request), out);
    }

    /// A candidate of this side of a dial.
    pub(super) fn dial_signal(
        &mut self,
        join: JoinId,
        way: Way,
        signal: Signal,
        out: &mut Vec<Action>,
    ) {
        match signal {
            Signal::Candidate(_) => self.ask(way, JoinFrame::Signal { join, signal }, out),
            // The dialing side offers; it has no answer to give.
            Signal::Answer(_) => self.stats.join_frames_dropped += 1,
        }
    }

    /// A frame about this node's own join, from the side that the request went to.
    pub(super) fn own_join_frame(&mut self, frame: JoinFrame, out: &mut Vec<Action>) {
        let Some((link, join, stage)) = self.current_dial() else {
            self.stats.join_frames_dropped += 1;
            return;
        };
        #[cfg(planted)]
        let join = if self.config.has_bug(crate::Planted::StaleAnswerTaken) {
            frame.join()
        } else {
            join
        };
        match frame {
            JoinFrame::Signal { join: of, signal } if of == join => {
                let expected = match signal {
                    Signal::Answer(_) => stage == DialStage::Requested,
                    Signal::Candidate(_) => stage >= DialStage::Answered,
                };
                if !expected {
                    self.stats.join_frames_dropped += 1;
                    return;
                }
                let deadline = self.now + self.config.request_timeout;
                if let (Signal::Answer(_), Some(dialing)) = (&signal, self.dialing_mut(link)) {
                    dialing.stage = DialStage::Answered;
                    dialing.deadline = deadline;
                }
                out.push(Action::ApplySignal(link, signal));
            }
            // A node on the way has lost sight of the acceptor, who may be well: if the handshake comes to
            // an end at all, it does so soon.
            JoinFrame::Reject {
                join: of,
                rejection:
                    Rejection {
                        reason: RejectReason::Busy,
                        ..
                    },
            } if of == join && stage >= DialStage::Answered => {
                let soon = self.now + self.config.patience;
                if let Some(dialing) = self.dialing_mut(link) {
                    dialing.deadline = dialing.deadline.min(soon);
                }
            }
            JoinFrame::Reject {
                join: of,
                rejection,
            } if of == join => {
                self.drop_link(link, CloseReason::Rejected(rejection.reason), out);
                self.dial_over(rejection, out);
            }
            _ => self.stats.join_frames_dropped += 1,
        }
    }

    /// The dialed channel is open: greets.
    pub(super) fn dial_opened(&mut self, link: LinkId, out: &mut Vec<Action>) {
        let Some(dialing) = self.dialing_mut(link) else {
            return;
        };
        if dialing.stage != DialStage::Answered {
            return;
        }
        dialing.stage = DialStage::Greeted;
        let hello = LinkFrame::Hello {
            version: VERSION,
            join: dialing.join,
            window: self.config.window,
        };
        self.transmit(link, &hello, out);
    }

    /// The acceptor welcomes this node: it is in the tree.
    pub(super) fn welcomed(
        &mut self,
        link: LinkId,
        welcome: Welcome,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let greeted = self
            .dialing_mut(link)
            .is_some_and(|dialing| dialing.stage == DialStage::Greeted);
        if !greeted {
            return Err(Violation::UnexpectedFrame);
        }
        self.path_below(&welcome.path, welcome.id)?;
        if welcome.epoch < self.epoch {
            return Err(Violation::StaleEpoch);
        }
        self.grant(link, welcome.window)?;
        if self.moving.is_some() && self.waits_for_old_parent(&welcome) {
            self.begin_to_hold(link, welcome);
            return Ok(());
        }
        self.arrive(link, &welcome, out)
    }

    /// This node stands below a new parent from here on.
    pub(super) fn arrive(
        &mut self,
        link: LinkId,
        welcome: &Welcome,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let path = self.path_below(&welcome.path, welcome.id)?;
        if self.is_stale(welcome.epoch) {
            return Err(Violation::StaleEpoch);
        }
        let dialing = self.dialing_mut(link).ok_or(Violation::UnexpectedFrame)?;
        let census = dialing.census.clone();
        let (attempt, orphaned) = match &self.role {
            Role::Joining(joining) => (joining.failures.saturating_add(1), joining.orphaned),
            _ => (1, None),
        };
        #[cfg(planted)]
        let moved = self.moving.is_some();
        if let Role::Member { parent } = self.role {
            self.depart(parent, out);
        }
        self.report.introduce(*census);
        let depth = path.depth();
        self.path = path;
        self.epoch = welcome.epoch;
        self.role = Role::Member { parent: link };
        if let Some(link) = self.links.get_mut(link) {
            link.state = LinkState::Parent(welcome.id);
        }
        self.introduction_over(out);
        let node = welcome.id;
        notify(
            Notification::ParentConnected {
                link,
                node,
                depth,
                attempt,
            },
            out,
        );
        if let Some(since) = orphaned {
            let took = self.now.since(since);
            notify(
                Notification::Reattached {
                    took,
                    new_parent: node,
                },
                out,
            );
        }
        self.count_from(welcome.count, out);
        self.note_reign(out);
        #[cfg(planted)]
        if moved && self.config.has_bug(crate::Planted::PathKeptAfterMove) {
            return Ok(());
        }
        self.tell_children_path(out);
        self.report.changed(self.now, &self.config);
        Ok(())
    }

    /// The link of an attempt is gone, or took too long.
    pub(super) fn dial_failed(
        &mut self,
        dialing: &Dialing,
        reason: CloseReason,
        out: &mut Vec<Action>,
    ) {
        let join = dialing.join;
        self.ask(dialing.way, JoinFrame::Cancel { join }, out);
        self.dial_over(rejection(failure(reason), Duration::ZERO), out);
    }

    /// Gives the present attempt up, if there is one.
    pub(super) fn cancel_dial(&mut self, reason: CloseReason, out: &mut Vec<Action>) {
        let dial = self.current_dial().map(|(link, ..)| link);
        if let Some(link) = dial
            && let Some(dialing) = self.dialing_mut(link)
        {
            let (join, way) = (dialing.join, dialing.way);
            self.ask(way, JoinFrame::Cancel { join }, out);
            self.drop_link(link, reason, out);
        }
        self.moving = None;
    }

    /// What this node's path is below a parent that stands at `parent`.
    pub(super) fn path_below(&self, parent: &Path, parent_id: NodeId) -> Result<Path, Violation> {
        let below = parent.contains(self.id);
        #[cfg(planted)]
        let below = below && !self.config.has_bug(crate::Planted::LoopWelcomed);
        if parent.last() != Some(parent_id) || below {
            return Err(Violation::BadPath);
        }
        parent.child(self.id).map_err(|_| Violation::BadPath)
    }

    /// Whether a parent that speaks of this epoch has missed the present one.
    pub(super) fn is_stale(&self, epoch: Epoch) -> bool {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::StaleEpochAccepted) {
            return false;
        }
        epoch < self.epoch
    }

    fn seek_introduction(&mut self, out: &mut Vec<Action>) {
        self.set_joining_stage(Stage::Introducing);
        if self.bootstrap.is_ready() {
            self.believe_server();
            self.dial(out);
        } else {
            self.seek_server(out);
        }
    }

    fn dial(&mut self, out: &mut Vec<Action>) {
        let link = self.open_dial(Way::Server, out);
        self.set_joining_stage(Stage::Dialing(link));
    }

    /// Begins an attempt.
    pub(super) fn open_dial(&mut self, way: Way, out: &mut Vec<Action>) -> LinkId {
        self.attempts = self.attempts.saturating_add(1);
        let dialing = Dialing {
            join: JoinId {
                origin: self.id,
                attempt: self.attempts,
            },
            way,
            census: Box::default(),
            stage: DialStage::Offering,
            deadline: self.now + self.config.request_timeout,
            held: None,
        };
        let state = LinkState::Dialing(dialing);
        let link = self.links.insert(state, self.config.window, self.now);
        out.push(Action::OpenLink(link, Dial::Offer));
        link
    }

    /// Sends a frame of this node's own join on its way.
    fn ask(&mut self, way: Way, frame: JoinFrame, out: &mut Vec<Action>) {
        match (way, &self.role) {
            (Way::Server, _) => self.send_server(frame, out),
            (Way::Move { .. }, Role::Member { parent }) => {
                self.send_hop(Hop::Link(*parent), frame, out);
            }
            // The way up was lost with the parent.
            _ => self.stats.join_frames_dropped += 1,
        }
    }

    /// The present attempt has come to nothing, and its link is gone.
    fn dial_over(&mut self, rejection: Rejection, out: &mut Vec<Action>) {
        if self.moving.is_some() {
            self.stay(out);
        } else {
            self.attempt_failed(rejection, out);
        }
    }

    fn attempt_failed(&mut self, rejection: Rejection, out: &mut Vec<Action>) {
        let Role::Joining(joining) = &mut self.role else {
            return;
        };
        joining.failures = joining.failures.saturating_add(1);
        let reason = rejection.reason;
        let retry_in = (reason != RejectReason::Unauthorized).then(|| {
            let wait = backoff::after_failures(joining.failures, &self.config, &mut self.random);
            wait.max(rejection.retry_after().min(self.config.retry_max))
        });
        if let Some(wait) = retry_in {
            joining.stage = Stage::Waiting {
                until: self.now + wait,
            };
        }
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::RetryForgotten) && reason == RejectReason::Timeout {
            joining.stage = Stage::Introducing;
        }
        notify(Notification::JoinRejected { reason, retry_in }, out);
        if retry_in.is_none() {
            self.give_up(out);
        } else if reason == RejectReason::NoRoot {
            self.ask_again_for_the_crown(out);
        }
    }

    /// No further attempt can succeed. An orphan must not keep its children to itself: they leave with
    /// a goodbye and look for parents of their own.
    pub(super) fn give_up(&mut self, out: &mut Vec<Action>) {
        if matches!(self.role, Role::Joining(_)) {
            self.leave(out);
        }
    }

    pub(super) fn current_dial(&self) -> Option<(LinkId, JoinId, DialStage)> {
        let link = match self.role {
            Role::Joining(Joining {
                stage: Stage::Dialing(link),
                ..
            }) => link,
            _ => self.moving?,
        };
        match &self.links.get(link)?.state {
            LinkState::Dialing(dialing) => Some((link, dialing.join, dialing.stage)),
            _ => None,
        }
    }

    pub(super) fn dialing_mut(&mut self, link: LinkId) -> Option<&mut Dialing> {
        match &mut self.links.get_mut(link)?.state {
            LinkState::Dialing(dialing) => Some(dialing),
            _ => None,
        }
    }

    fn set_joining_stage(&mut self, stage: Stage) {
        if let Role::Joining(joining) = &mut self.role {
            joining.stage = stage;
        }
    }
}

/// Why a join has failed whose link was closed.
pub(super) const fn failure(reason: CloseReason) -> RejectReason {
    match reason {
        CloseReason::Rejected(reason) => reason,
        CloseReason::Malformed(WireError::Version(_)) => RejectReason::Version,
        CloseReason::Left => RejectReason::Busy,
        _ => RejectReason::Timeout,
    }
}

/// The rejection that tells a joiner to come back after the configured wait.
pub(super) fn rejection(reason: RejectReason, retry_after: Duration) -> Rejection {
    Rejection {
        reason,
        retry_after_ms: u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX),
    }
}
