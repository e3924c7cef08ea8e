//! One attempt to get a parent: of a node that joins, or of one that moves.
//!
//! It opens a link and gets its offer, sends the request, applies the acceptor's answer, greets on the open channel, and is
//! welcomed. Each step has a deadline. The request of a joiner goes through the server, that of a node that moves
//! through its parent.

use core::time::Duration;

use super::{Membership, Upstream};
use crate::action::{Action, Dial};
use crate::census::Census;
use crate::close::{CloseReason, ProtocolError};
use crate::id::{JoinId, LinkId};
use crate::node::ancestry::{Ancestry, path_below};
use crate::node::effects::Effects;
use crate::node::link::{Attempt, Dialing, Stage, State, Welcome};
use crate::node::net::Net;
use crate::node::payload;
use crate::node::routing::Peer;
use crate::path::Path;
use crate::position::Start;
use crate::signal::{Sdp, Signal};
use crate::wire::{
    JoinFrame, JoinKind, JoinRequest, LinkFrame, RejectReason, Rejection, VERSION, WireError,
};

impl Upstream {
    /// Begins an attempt.
    pub(super) fn dial(&mut self, kind: JoinKind, net: &mut Net, fx: &mut Effects) -> LinkId {
        self.attempts = self.attempts.saturating_add(1);
        let join = JoinId {
            origin: fx.id,
            attempt: self.attempts,
        };
        let dialing = Dialing::new(join, kind, fx.now + fx.config.request_timeout);
        let link = net.links.insert(State::Dialing(dialing), fx);
        fx.act(Action::OpenLink(link, Dial::Offer));
        link
    }

    /// The parent asks this node to go elsewhere.
    pub(crate) fn invited(&mut self, kind: JoinKind, net: &mut Net, fx: &mut Effects) {
        if let Membership::Member { moving: None, .. } = self.membership {
            fx.stats.moves_begun += 1;
            let link = self.dial(kind, net, fx);
            if let Membership::Member { moving, .. } = &mut self.membership {
                *moving = Some(link);
            }
        }
    }

    /// The embedder has made the offer: sends the request, which tells of this node's subtree.
    pub(crate) fn offered(
        &self,
        link: LinkId,
        offer: Sdp,
        census: Census,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        let Some(dialing) = net.links.dialing_mut(link) else {
            fx.stats.late_events += 1;
            return;
        };
        let Some(stage) = dialing.stage.offered() else {
            return;
        };
        dialing.stage = stage;
        dialing.deadline = fx.now + fx.config.request_timeout;
        *dialing.attempt.census = census.clone();
        let (join, kind) = (dialing.attempt.join, dialing.attempt.kind);
        let request = JoinRequest {
            join,
            offer,
            census,
            hops: 0,
            waited_ms: 0,
            kind,
            lost: match &self.membership {
                Membership::Joining(joining) => joining.hint(),
                _ => Path::default(),
            },
        };
        self.send(kind, JoinFrame::Request(request), net, fx);
    }

    /// The embedder has a signal of this side for the acceptor.
    pub(crate) fn signal(
        &self,
        join: JoinId,
        kind: JoinKind,
        signal: Signal,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        match signal {
            Signal::IceCandidate(_) => {
                self.send(kind, JoinFrame::Signal { join, signal }, net, fx);
            }
            // The dialing side offers; it has no answer to give.
            Signal::Answer(_) => fx.stats.join_frames_dropped += 1,
        }
    }

    /// A frame about this node's own join, from the side that the request went to.
    pub(crate) fn answered(&mut self, frame: JoinFrame, net: &mut Net, fx: &mut Effects) {
        let Some((link, attempt)) = self.current(net) else {
            fx.stats.join_frames_dropped += 1;
            return;
        };
        if attempt.join != frame.join() && !planted!(fx.config, StaleAnswerTaken) {
            fx.stats.join_frames_dropped += 1;
            return;
        }
        let answered = net.links.state(link).is_some_and(State::is_answered);
        match frame {
            JoinFrame::Signal {
                signal: Signal::Answer(answer),
                ..
            } => {
                if let Some(dialing) = net.links.dialing_mut(link)
                    && let Some(stage) = dialing.stage.answered()
                {
                    dialing.stage = stage;
                    dialing.deadline = fx.now + fx.config.request_timeout;
                    fx.act(Action::ApplySignal(link, Signal::Answer(answer)));
                } else {
                    fx.stats.join_frames_dropped += 1;
                }
            }
            JoinFrame::Signal { signal, .. } if answered => {
                fx.act(Action::ApplySignal(link, signal));
            }
            // A node on the route has lost sight of the acceptor, which may be well: if the handshake comes to
            // an end at all, it does so soon.
            JoinFrame::Reject {
                rejection:
                    Rejection {
                        reason: RejectReason::Busy,
                        ..
                    },
                ..
            } if answered => {
                let soon = fx.now + fx.config.settle_timeout;
                if let Some(link) = net.links.get_mut(link) {
                    link.state.hurry(soon);
                }
            }
            JoinFrame::Reject { rejection, .. } => {
                net.links
                    .close(link, CloseReason::Rejected(rejection.reason), fx);
                self.over(rejection, net, fx);
            }
            _ => fx.stats.join_frames_dropped += 1,
        }
    }

    /// The channel to the acceptor is open: greets.
    /// `start`: how far this node is with the root's stream; `stream_window`: how much of it it takes.
    pub(crate) fn opened(
        link: LinkId,
        start: Start,
        stream_window: u32,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        if let Some(dialing) = net.links.dialing_mut(link)
            && let Some(stage) = dialing.stage.opened()
        {
            dialing.stage = stage;
            let hello = LinkFrame::Hello {
                version: VERSION,
                join: dialing.attempt.join,
                window: fx.config.window,
                stream_window,
                start,
            };
            net.links.transmit(link, &hello, fx);
        }
    }

    /// The acceptor welcomes this node. True if the node is to follow it. A move that would lose something of the root's stream
    /// (`loses`) is given up: the old parent has it.
    pub(crate) fn welcomed(
        &mut self,
        link: LinkId,
        welcome: &Welcome,
        loses: bool,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) -> Result<bool, ProtocolError> {
        match net.links.state(link) {
            Some(State::Dialing(dialing)) if dialing.stage == Stage::Greeted => {}
            _ => return Err(ProtocolError::UnexpectedFrame),
        }
        path_below(welcome.id, &welcome.path, fx)?;
        if welcome.epoch < at.epoch() {
            return Err(ProtocolError::StaleEpoch);
        }
        payload::grant(link, welcome.window, &mut net.links)?;
        if self.is_moving() && loses && !planted!(fx.config, MoveWithLoss) {
            fx.stats.moves_without_loss += 1;
            net.links.close(link, CloseReason::Cancelled, fx);
            self.over(Rejection::new(RejectReason::Busy, Duration::ZERO), net, fx);
            return Ok(false);
        }
        Ok(true)
    }

    /// The attempt's link is gone, or took too long.
    pub(crate) fn lost(
        &mut self,
        attempt: &Attempt,
        reason: CloseReason,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        let join = attempt.join;
        self.send(attempt.kind, JoinFrame::Cancel { join }, net, fx);
        self.over(Rejection::new(failure(reason), Duration::ZERO), net, fx);
    }

    /// Gives the present attempt up, if there is one.
    pub(crate) fn cancel(&mut self, reason: CloseReason, net: &mut Net, fx: &mut Effects) {
        if let Some((link, &Attempt { join, kind, .. })) = self.current(net) {
            self.send(kind, JoinFrame::Cancel { join }, net, fx);
            net.links.close(link, reason, fx);
        }
        if let Membership::Member { moving, .. } = &mut self.membership {
            *moving = None;
        }
    }

    /// The attempt that is under way, and its link.
    pub(crate) fn current<'a>(&self, net: &'a Net) -> Option<(LinkId, &'a Attempt)> {
        let link = self.attempt()?;
        Some((link, net.links.state(link)?.attempt()?))
    }

    /// Whether a join is this node's own, on its way to another parent.
    pub(crate) fn is_own_move(&self, join: JoinId, net: &Net) -> bool {
        let own = |(_, attempt): (LinkId, &Attempt)| attempt.join == join;
        self.is_moving() && self.current(net).is_some_and(own)
    }

    /// Sends a frame of this node's own join.
    fn send(&self, kind: JoinKind, frame: JoinFrame, net: &mut Net, fx: &mut Effects) {
        match (kind, &self.membership) {
            (JoinKind::Introduced, _) => net.server.send_join(frame, fx),
            (JoinKind::Move { .. }, Membership::Member { parent, .. }) => {
                net.send(Peer::Link(*parent), frame, fx);
            }
            // The route up was lost with the parent.
            _ => fx.stats.join_frames_dropped += 1,
        }
    }

    /// The attempt has come to nothing, and its link is gone. A node that moves stays where it is.
    fn over(&mut self, rejection: Rejection, net: &mut Net, fx: &mut Effects) {
        if let Membership::Member { parent, moving } = &mut self.membership
            && moving.is_some()
        {
            if !planted!(fx.config, MoveNeverOver) {
                *moving = None;
            }
            fx.stats.moves_given_up += 1;
            net.links.transmit(*parent, &LinkFrame::Stay, fx);
        } else {
            self.failed(rejection, net, fx);
        }
    }
}

/// The reason for which a join has failed whose link was closed.
pub(crate) const fn failure(reason: CloseReason) -> RejectReason {
    match reason {
        CloseReason::Rejected(reason) => reason,
        CloseReason::Malformed(WireError::Version(_)) => RejectReason::Version,
        CloseReason::Left => RejectReason::Busy,
        _ => RejectReason::Timeout,
    }
}
