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
    /// 4. The children are told the path before anything of the stream: an epoch is known before its messages come.
    pub(super) fn arrive(&mut self, link: LinkId, welcome: &Welcome) -> Result<(), ProtocolError> {
        let path = path_below(welcome.id, &welcome.path, &self.fx)?;
        if self.ancestry.is_stale(welcome.epoch, &self.fx) {
            return Err(ProtocolError::StaleEpoch);
        }
        self.payload.check(welcome.position, welcome.epoch)?;
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
        let (links, fx) = (&mut self.net.links, &mut self.fx);
        self.payload.follow(link, welcome, links, fx);
        self.downstream.changed(&self.fx);
        Ok(())
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
            }
            _ => {
                self.upstream.cancel(CloseReason::Cancelled, net, fx);
                self.upstream.rejoin(at, fx);
            }
        }
    }
}
