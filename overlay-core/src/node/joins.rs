//! Frames of joins, and which component they are for.

use super::Node;
use super::routing::{Peer, Routed};
use super::upstream::Membership;
use crate::action::Action;
use crate::close::CloseReason;
use crate::id::BootstrapId;
use crate::wire::{Invitation, JoinFrame, JoinKind, JoinRequest};

impl Node {
    /// A frame that the server has sent on: to a root from joiners, to a joiner from its acceptor.
    pub(super) fn server_join_frame(&mut self, id: BootstrapId, frame: JoinFrame) {
        match (self.upstream.membership(), frame) {
            (Membership::Root, JoinFrame::Request(request)) => {
                self.admit(Peer::Server(id), request);
            }
            (Membership::Root, frame) => self.route(Peer::Server(id), frame),
            (Membership::Joining(_), frame) => {
                self.upstream.answered(frame, &mut self.net, &mut self.fx);
            }
            _ => self.fx.stats.join_frames_dropped += 1,
        }
    }

    /// A request has come that this node finds a slot for.
    pub(super) fn admit(&mut self, from: Peer, request: JoinRequest) {
        let join = request.join;
        if let Some(route) = self.net.routes.get(join)
            && self.upstream.is_above(from)
            && !self.upstream.is_above(route.back)
        {
            // A node below has asked in the name of a joiner that comes from above.
            self.route(route.back, JoinFrame::Cancel { join });
        }
        let leaves = self.upstream.is_draining();
        let (at, net, fx) = (&self.ancestry, &mut self.net, &mut self.fx);
        self.downstream.admit(from, request, leaves, at, net, fx);
    }

    /// Passes on a frame of another node's join, unless it is a request.
    pub(super) fn route(&mut self, from: Peer, frame: JoinFrame) {
        if matches!(frame, JoinFrame::Cancel { .. }) && planted!(self.fx.config, CancelIgnored) {
            return;
        }
        let (net, fx) = (&mut self.net, &mut self.fx);
        let handshake_ends = fx.now + fx.config.request_timeout;
        match net.routes.route(from, frame, handshake_ends) {
            Routed::Forward(to, frame) => net.send(to, frame, fx),
            Routed::Apply(link, signal) => fx.act(Action::ApplySignal(link, signal)),
            Routed::Keep(number, signal) => self.downstream.keep_early(number, signal, fx),
            Routed::Unqueue(number) => self.downstream.unqueue(number, &mut net.links, fx),
            Routed::Abort(link) => self.shut(link, CloseReason::Cancelled),
            Routed::Drop => fx.stats.join_frames_dropped += 1,
        }
    }

    /// The parent invites this node to go elsewhere, or to pass that on.
    pub(super) fn invited(&mut self, invitation: Invitation) {
        if !matches!(*self.upstream.membership(), Membership::Member { .. }) {
            return;
        }
        let (net, fx) = (&mut self.net, &mut self.fx);
        let Invitation {
            down,
            up,
            max_depth,
        } = invitation;
        if down > 0 {
            self.downstream
                .invite_deeper(invitation, &mut net.links, fx);
        } else {
            self.upstream
                .invited(JoinKind::Move { up, max_depth }, net, fx);
        }
    }
}
