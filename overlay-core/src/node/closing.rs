//! A link that is closed, a neighbour that is left, a tree that is left.

use super::Node;
use super::downstream::Freed;
use super::link::{Link, State};
use super::routing::{NextHop, Peer};
use super::upstream::{Membership, failure};
use crate::action::Action;
use crate::close::CloseReason;
use crate::id::LinkId;
use crate::notification::Notification;
use crate::path::Path;
use crate::wire::{GoodbyeReason, LinkFrame};

impl Node {
    /// Closes a link and draws the consequences.
    pub(super) fn shut(&mut self, id: LinkId, reason: CloseReason) {
        if self.net.links.contains(id) {
            self.fx.act(Action::CloseLink(id, reason));
            self.gone(id, reason);
        }
    }

    /// A link is gone: draws the consequences. The order is the rule: the slot is free before its request is
    /// served again, the app hears of the loss before the node acts on it, and those that wait behind this very link
    /// choose before all others that wait.
    pub(super) fn gone(&mut self, id: LinkId, reason: CloseReason) {
        let unconfirmed = self.payload.unconfirmed(id, &self.net.links);
        let Some(link) = self.net.links.remove(id) else {
            self.fx.stats.late_events += 1;
            return;
        };
        let keeps =
            matches!(link.state, State::Candidate(_)) && planted!(self.fx.config, SlotNotFreed);
        let (at, net, fx) = (&self.ancestry, &mut self.net, &mut self.fx);
        let freed = if keeps {
            Freed::Slot
        } else {
            self.downstream.free(id, fx)
        };
        let (link_feed, routed) = (link.feed, link.routed.outbox);
        if link_feed.is_some() && !planted!(fx.config, SlowKept) {
            // The others need not wait for it any more.
            self.payload.flow(&mut net.links, fx);
        }
        match link.state {
            State::Dialing(dialing) => self.upstream.lost(&dialing.attempt, reason, net, fx),
            State::Parent(node) => {
                let link = id;
                self.payload.routed.reclaim(routed);
                fx.notify(Notification::ParentClosed { link, node, reason });
                self.lost_parent(id);
            }
            State::Candidate(candidate) => {
                let (join, reason) = (candidate.join, failure(reason));
                self.downstream
                    .candidate_failed(id, join, reason, at, net, fx);
            }
            State::Child(child) => {
                let rehomed = reason == CloseReason::Moved && self.upstream.is_draining();
                fx.stats.children_rehomed += u64::from(rehomed);
                let (link, node) = (id, child.node);
                if let Some(feed) = &link_feed {
                    let parent = self.upstream.parent();
                    self.payload
                        .lost_in_stall(feed, node, reason, parent, &mut net.links, fx);
                }
                self.downstream.lost(&child.subtree.known, reason, fx);
                fx.notify(Notification::ChildClosed {
                    link,
                    node,
                    reason,
                    unconfirmed,
                });
                net.reject_all_to(NextHop::Child(id), fx);
                self.downstream.forget_waiting_from(Peer::Link(id), net, fx);
                self.downstream.place_all_behind(id, at, net, fx);
            }
            State::Closing(_) => self.finish_leaving(),
        }
        if freed == Freed::Slot {
            let (at, net, fx) = (&self.ancestry, &mut self.net, &mut self.fx);
            self.downstream.serve_waiting(at, net, fx);
        }
        self.go_if_drained();
    }

    /// The app closes the link to a neighbour.
    pub(super) fn close(&mut self, link: LinkId) {
        let was_parent = self.upstream.parent() == Some(link);
        self.part(link, GoodbyeReason::Closing, CloseReason::Closed);
        if was_parent {
            self.lost_parent(link);
        }
    }

    /// Parts from a neighbour: it is none from here on.
    pub(super) fn part(&mut self, id: LinkId, farewell: GoodbyeReason, reason: CloseReason) {
        let unconfirmed = self.payload.unconfirmed(id, &self.net.links);
        let (net, fx) = (&mut self.net, &mut self.fx);
        let Some(link) = net.links.get_mut(id) else {
            return;
        };
        let Some(node) = link.state.neighbour() else {
            return;
        };
        let was_child = matches!(link.state, State::Child(_));
        if !was_child && planted!(fx.config, UpRepeated) {
            self.payload.routed.reclaim(link.routed.outbox.clone());
        }
        if let State::Child(child) = &link.state {
            self.downstream.lost(&child.subtree.known, reason, fx);
        }
        link.change(|state| state.parted(farewell, fx.now, fx.config.leave_timeout));
        let link = id;
        if was_child {
            fx.notify(Notification::ChildClosed {
                link,
                node,
                reason,
                unconfirmed,
            });
            net.reject_all_to(NextHop::Child(id), fx);
            self.downstream.forget_waiting_from(Peer::Link(id), net, fx);
            self.downstream.changed(fx);
        } else {
            fx.notify(Notification::ParentClosed { link, node, reason });
            let slots = self.downstream.slots();
            let overdue = net.links.overdue_former_parent(|link| slots.holds(link));
            if let Some(overdue) = overdue {
                self.shut(overdue, CloseReason::Left);
            }
        }
        let (net, fx) = (&mut self.net, &mut self.fx);
        if farewell == GoodbyeReason::Closing {
            self.payload.ends_for(id, &mut net.links);
        }
        self.payload.say_goodbye(id, &mut net.links, fx);
    }

    /// The app wants to leave the tree. A node that is told twice waits for its children no longer.
    pub(super) fn leave(&mut self) {
        if matches!(*self.upstream.membership(), Membership::Leaving) {
            return;
        }
        if self.upstream.is_draining() {
            return self.say_goodbye_to_all();
        }
        let (net, fx) = (&mut self.net, &mut self.fx);
        self.upstream.cancel(CloseReason::Left, net, fx);
        self.downstream.reject_waiting(net, fx);
        // Before it waits for its children: each candidate that goes is a look at whether there are any to wait for.
        let is_candidate = |link: &Link| matches!(link.state, State::Candidate(_));
        while let Some(candidate) = self.net.links.find(is_candidate) {
            self.shut(candidate, CloseReason::Left);
        }
        let has_children = self.children().next().is_some();
        let (net, fx) = (&mut self.net, &mut self.fx);
        let drained_through = if has_children {
            self.upstream.drain(fx)
        } else {
            None
        };
        match drained_through {
            Some(parent) => {
                net.server.close(None, fx);
                // The parent first: from here on it sends no joiner that could come below a child that moves.
                net.links.transmit(parent, &LinkFrame::Leaving, fx);
                self.downstream.invite_all(&mut net.links, fx);
                self.go_if_drained();
            }
            None => self.say_goodbye_to_all(),
        }
    }

    /// Goes, if this node only waits for its children and none of them is about to go elsewhere any more.
    pub(super) fn go_if_drained(&mut self) {
        let Membership::Draining(draining) = self.upstream.membership() else {
            return;
        };
        let waits_for = |link: &Link| draining.waits_for(link);
        if self.net.links.find(waits_for).is_none() {
            self.say_goodbye_to_all();
        }
    }

    /// Says goodbye to all neighbours, and to the server.
    pub(super) fn say_goodbye_to_all(&mut self) {
        let (above, links) = (self.upstream.above(), &mut self.net.links);
        self.payload.routed.flush(above, links, &mut self.fx);
        self.upstream.leave();
        let is_neighbour = |link: &Link| link.state.neighbour().is_some();
        while let Some(neighbour) = self.net.links.find(is_neighbour) {
            self.part(neighbour, GoodbyeReason::Leaving, CloseReason::Left);
        }
        self.ancestry.set(Path::default(), self.ancestry.epoch());
        self.net.server.close(self.payload.ended(), &mut self.fx);
        self.finish_leaving();
    }

    fn finish_leaving(&mut self) {
        if self.net.links.is_empty() && self.upstream.left() {
            // Nothing comes behind this news.
            self.payload.forget_stream(&self.fx);
            self.fx.notify(Notification::Left);
        }
    }
}
