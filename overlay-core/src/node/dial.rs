//! One attempt to come below a parent: of a node that joins, or of one that moves.
//!
//! It opens a link and gets its offer, sends the request, applies the acceptor's answer, greets on the open channel, and is
//! welcomed. Each step has a deadline. The request of a joiner goes through the server, that of a node that moves
//! through its parent.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::joining::{Joining, Stage};
use super::link::{DialStage, Dialing, LinkState};
use super::routing::Hop;
use super::{Node, Role};
use crate::action::{Action, CloseReason, Dial, Violation};
use crate::id::{Epoch, JoinId, LinkId, NodeId};
use crate::path::Path;
use crate::signal::{Sdp, Signal};
use crate::wire::{
    Count, JoinFrame, JoinRequest, LinkFrame, RejectReason, Rejection, VERSION, Way, WireError,
};

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

    /// The embedder has made the offer for a dial.
    pub(super) fn link_offer(&mut self, link: LinkId, offer: Sdp, out: &mut Vec<Action>) {
        let (census, deadline) = (self.census(), self.now + self.config.request_timeout);
        let Some(dialing) = self.dialing_mut(link) else {
            self.stats.late_events += 1;
            return;
        };
        if dialing.stage != DialStage::Offering {
            return;
        }
        dialing.stage = DialStage::Requested;
        dialing.deadline = deadline;
        *dialing.census = census.clone();
        let (join, way) = (dialing.join, dialing.way);
        let request = JoinRequest {
            join,
            offer,
            census,
            hops: 0,
            waited_ms: 0,
            way,
            lost: match &self.role {
                Role::Joining(joining) => joining.hint(),
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

    /// The link of an attempt is gone, or took too long.
    pub(super) fn dial_failed(
        &mut self,
        dialing: &Dialing,
        reason: CloseReason,
        out: &mut Vec<Action>,
    ) {
        let join = dialing.join;
        self.ask(dialing.way, JoinFrame::Cancel { join }, out);
        self.dial_over(Rejection::new(failure(reason), Duration::ZERO), out);
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
