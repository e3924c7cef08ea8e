//! The peers of this node, and the routes of joins between them.

use crate::id::JoinId;
use crate::wire::{JoinFrame, LinkFrame, RejectReason, Rejection};

use super::effects::Effects;
use super::link::Links;
use super::routing::{NextHop, Peer, Route, Routes};
use super::server::Connection;

/// All that a join's frames are sent on.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) links: Links,
    pub(crate) server: Connection,
    pub(crate) routes: Routes,
}

impl Net {
    /// Sends a join's frame to the next node on its route.
    pub(crate) fn send(&mut self, to: Peer, frame: JoinFrame, fx: &mut Effects) {
        match to {
            Peer::Server(id) if self.server.is_current(id) => self.server.send_join(frame, fx),
            Peer::Link(link) if self.links.neighbour(link).is_some() => {
                self.links.transmit(link, &LinkFrame::Join(frame), fx);
            }
            _ => fx.stats.join_frames_dropped += 1,
        }
    }

    /// Tells the joiner, by way of `to`, that nothing comes of this attempt. If a join of that name is under way
    /// here, it goes on: it need not be the one that asked.
    pub(crate) fn refuse(
        &mut self,
        to: Peer,
        join: JoinId,
        reason: RejectReason,
        fx: &mut Effects,
    ) {
        fx.stats.joins_rejected += 1;
        let rejection = Rejection::new(reason, fx.config.retry_after);
        self.send(to, JoinFrame::Reject { join, rejection }, fx);
    }

    /// Ends a join that this node sees to, and tells the joiner that this attempt has failed.
    pub(crate) fn reject(
        &mut self,
        to: Peer,
        join: JoinId,
        reason: RejectReason,
        fx: &mut Effects,
    ) {
        self.routes.remove(join);
        self.refuse(to, join, reason, fx);
    }

    /// A neighbour is gone: the joins that went there can't go on, and their joiners are told.
    pub(crate) fn reject_all_to(&mut self, next: NextHop, fx: &mut Effects) {
        if planted!(fx.config, RouteKeptTooLong) {
            return;
        }
        for join in self.routes.to(next) {
            if let Some(route) = self.routes.remove(join) {
                self.refuse(route.back, join, RejectReason::Busy, fx);
            }
        }
    }

    /// Whether one more join can be remembered.
    pub(crate) fn room_for_route(&mut self, fx: &Effects) -> bool {
        // Answered longer than `settle_timeout` ago.
        let settled = fx.now.before(fx.config.settle_timeout) + fx.config.request_timeout;
        self.routes.make_room(fx.config.max_routes, settled)
    }

    /// Remembers where a request came from and where it went, for as long as the join can go on.
    pub(crate) fn remember(&mut self, join: JoinId, back: Peer, next: NextHop, fx: &Effects) {
        let expires = fx.now + fx.config.route_lifetime();
        self.routes.insert(join, Route { back, next }, expires);
    }
}
