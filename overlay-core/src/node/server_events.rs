//! What the server says, and which node is the root.
//!
//! A node that knows the token asks the server to lead, and is told what it is:
//!
//! | asks as | is told: root | is told: standby, or joiner where there are standbys enough |
//! |---|---|---|
//! | newcomer | leads | joins the tree like any other node; a standby stays connected to the server |
//! | root that lost its connection | leads on; nothing changes below | steps down: another node leads by now. It joins that tree with all that is below it |
//! | standby, below a parent or looking for one | leads: leaves its parent, keeps its children | waits on |
//!
//! A root that has no server leads on in its tree, for as long as it takes. But it takes in no joiner that the
//! server sends without a valid lease (`server`), so that no two roots do.

use super::Node;
use super::routing::Peer;
use super::server::{Goal, Heard, Lost};
use super::upstream::Membership;
use crate::close::CloseReason;
use crate::id::Epoch;
use crate::notification::Notification;
use crate::wire::{ClientRole, GoodbyeReason};

impl Node {
    /// The app wants the node to join a tree, or to lead one. A node that belongs to no tree takes any.
    pub(super) fn join(&mut self, goal: Goal) {
        if self.upstream.join() {
            self.ancestry.forget_epochs();
            self.payload.forget_stream(&self.fx);
            self.net.server.pursue(goal, &mut self.fx);
        }
    }

    /// The app wants the node to lead a tree of its own, without a server. No other node gives out epochs.
    pub(super) fn lead_alone(&mut self) {
        if matches!(*self.upstream.membership(), Membership::Detached) {
            self.lead(Epoch(self.ancestry.epoch().0.saturating_add(1)));
        }
    }

    /// Draws the consequences of what the server has said, or of its silence.
    pub(super) fn server_heard(&mut self, heard: Option<Heard>) {
        let (at, net, fx) = (&mut self.ancestry, &mut self.net, &mut self.fx);
        match heard {
            None => {}
            Some(Heard::Registered { role, epoch }) => match role {
                ClientRole::Joiner => self.step_down(epoch),
                ClientRole::Standby => {
                    fx.notify(Notification::Standby { epoch });
                    self.step_down(epoch);
                }
                ClientRole::Root => self.promoted(epoch),
            },
            Some(Heard::Promoted(epoch)) => self.promoted(epoch),
            Some(Heard::RootReady) => self.upstream.root_ready(at, net, fx),
            // Nothing is left to take over; what this node lacks may still come from its parent.
            Some(Heard::Ended(_)) if self.upstream.parent().is_some() => {
                net.server.introduction_over(fx);
            }
            // A root's stream is its own.
            Some(Heard::Ended(_)) if self.upstream.is_root() => {}
            Some(Heard::Ended(ended)) => self.payload.over(&ended, fx),
            Some(Heard::Join(id, frame)) => self.server_join_frame(id, frame),
            Some(Heard::Lost(Lost { id, retries })) => {
                self.downstream
                    .forget_waiting_from(Peer::Server(id), net, fx);
                if retries {
                    self.upstream.introduction_lost(net, fx);
                } else if matches!(*self.upstream.membership(), Membership::Joining(_)) {
                    // No attempt can succeed. An orphan must not keep its children to itself: they leave with
                    // a goodbye and look for parents of their own.
                    self.leave();
                }
            }
        }
    }

    /// The server says that this node is the root.
    fn promoted(&mut self, epoch: Epoch) {
        let (net, fx) = (&mut self.net, &mut self.fx);
        match *self.upstream.membership() {
            Membership::Root if epoch == self.ancestry.epoch() => return,
            Membership::Root => {}
            Membership::Joining(_) => self.upstream.cancel(CloseReason::Cancelled, net, fx),
            Membership::Member { parent, .. } => {
                self.upstream.cancel(CloseReason::Cancelled, net, fx);
                self.part(parent, GoodbyeReason::Closing, CloseReason::Closed);
                let (net, fx) = (&mut self.net, &mut self.fx);
                self.downstream.forget_routes_through(parent, net, fx);
            }
            Membership::Detached | Membership::Draining(_) | Membership::Leaving => return,
        }
        self.lead(epoch);
    }

    /// The server says that another node is the root, in this epoch.
    fn step_down(&mut self, epoch: Epoch) {
        let (at, net, fx) = (&mut self.ancestry, &mut self.net, &mut self.fx);
        match *self.upstream.membership() {
            Membership::Root => {
                at.trust(epoch);
                fx.notify(Notification::SteppedDown { epoch });
                self.payload.step_down(&mut net.links, fx);
                self.upstream.rejoin(at, fx);
            }
            Membership::Joining(_) => self.upstream.introduced(at, net, fx),
            Membership::Member { .. } => net.server.introduction_over(fx),
            Membership::Detached | Membership::Draining(_) | Membership::Leaving => {}
        }
    }

    /// This node is the root from here on.
    fn lead(&mut self, epoch: Epoch) {
        let known = self.ancestry.epoch();
        let kept = known > Epoch(0) && planted!(self.fx.config, EpochKept);
        let epoch = if kept { known } else { epoch };
        self.upstream.lead();
        self.ancestry.lead(epoch, &self.fx);
        self.fx.notify(Notification::Promoted { epoch });
        let (net, fx) = (&mut self.net, &mut self.fx);
        self.downstream.tell_path(&self.ancestry, net, fx);
        // Behind the path, so that the children know the epoch that the new stream belongs to.
        self.payload.lead(epoch, &mut net.links, fx);
    }
}
