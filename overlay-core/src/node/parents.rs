//! Arriving at a parent, and losing one.

use super::Node;
use super::ancestry::path_below;
use super::link::{State, Welcome};
use super::upstream::{Membership, Step};
use crate::close::{CloseReason, ProtocolError};
use crate::id::LinkId;
use crate::notification::Notification;
use crate::wire::GoodbyeReason;

impl Node {
    /// This node is below a new parent from here on. The order is the rule:
    ///
    /// 1. What the parent says is checked before anything changes.
    /// 2. The old parent goes first, so that there are never two.
    /// 3. Path and role change together; what the app is told next is true when it is told.
    /// 4. The children are told the path before the position in the stream. Otherwise a child that moves between
    ///    the two takes the new parent's position, which is that of an earlier root, for a new one.
    pub(super) fn arrive(&mut self, link: LinkId, welcome: &Welcome) -> Result<(), ProtocolError> {
        let path = path_below(welcome.id, &welcome.path, &self.fx)?;
        if self.ancestry.is_stale(welcome.epoch, &self.fx) {
            return Err(ProtocolError::StaleEpoch);
        }
        let attempt = self.net.links.state(link).and_then(State::attempt);
        let census = attempt
            .ok_or(ProtocolError::UnexpectedFrame)?
            .census
            .clone();
        let (attempt, orphaned) = match self.upstream.membership() {
            Membership::Joining(joining) => joining.history(),
            _ => (1, None),
        };
        let moves = self.upstream.is_moving();
        if let Membership::Member { parent, .. } = *self.upstream.membership() {
            self.fx.stats.moves_done += 1;
            self.downstream
                .forget_routes_through(parent, &mut self.net, &mut self.fx);
            self.part(parent, GoodbyeReason::Moved, CloseReason::Moved);
        }
        self.downstream.introduce(*census);
        let depth = path.depth();
        self.ancestry.set(path, welcome.epoch);
        self.upstream.arrive(link);
        let node = welcome.id;
        let (net, fx) = (&mut self.net, &mut self.fx);
        if let Some(link) = net.links.get_mut(link) {
            link.change(|state| state.arrived(node));
        }
        net.server.introduction_over(fx);
        fx.notify(Notification::ParentConnected {
            link,
            node,
            depth,
            attempt,
        });
        if let Some(since) = orphaned {
            let took = fx.now.since(since);
            let new_parent = node;
            fx.notify(Notification::Reattached { took, new_parent });
        }
        self.ancestry.announce_root(fx);
        if !(moves && planted!(fx.config, PathKeptAfterMove)) {
            self.downstream.tell_path(&self.ancestry, net, fx);
        }
        self.follow_stream(welcome.position);
        self.downstream.changed(&self.fx);
        Ok(())
    }

    /// Goes over to a new parent that the node has not followed yet, and reads what it has sent meanwhile.
    pub(super) fn hand_over(&mut self, link: LinkId) {
        let Some(handover) = self.net.links.handover_mut(link) else {
            return;
        };
        let (welcome, frames, refused) = handover.take();
        match self.arrive(link, &welcome) {
            Ok(()) => {
                for joiner in &refused {
                    self.downstream.predicted(joiner);
                }
                for frame in frames {
                    if self.net.links.contains(link) {
                        self.link_message(link, &frame);
                    }
                }
            }
            Err(error) => {
                self.fx.stats.protocol_errors += 1;
                self.shut(link, CloseReason::ProtocolError(error));
            }
        }
    }

    /// The old parent has brought something: perhaps all that the new one will not.
    pub(super) fn hand_over_if_caught_up(&mut self) {
        if let Membership::Member {
            moving: Some(link), ..
        } = *self.upstream.membership()
            && let Some(handover) = self.net.links.handover_mut(link)
            && !self.payload.lacks(handover.next())
        {
            self.hand_over(link);
        }
    }

    /// The link to the parent is gone, or this node parts from it: an orphan, which looks for another. An attempt that
    /// has its answer goes on: it needs neither the old parent nor the server any more.
    pub(super) fn lost_parent(&mut self, parent: LinkId) {
        let (net, fx) = (&mut self.net, &mut self.fx);
        self.downstream.forget_routes_through(parent, net, fx);
        if self.upstream.is_draining() {
            return self.say_goodbye_to_all();
        }
        let (at, net, fx) = (&mut self.ancestry, &mut self.net, &mut self.fx);
        match self.upstream.attempt() {
            Some(link) if net.links.state(link).is_some_and(State::is_answered) => {
                self.upstream.orphan(Step::Attempting(link), at, fx);
                self.hand_over(link);
            }
            _ => {
                self.upstream.cancel(CloseReason::Cancelled, net, fx);
                self.upstream.rejoin(at, fx);
            }
        }
    }
}
