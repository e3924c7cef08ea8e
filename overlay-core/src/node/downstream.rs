//! What is below this node: its children and candidates, the joins that it sees to, and what it knows of its subtree.
//!
//! | file | idea |
//! |---|---|
//! | `slots` | which link holds which slot |
//! | `admission` | a request is accepted, delegated, queued or rejected |
//! | `placement` | which of these, and where: one pure function |
//! | `queue` | requests that wait for a candidate, or for a slot |
//! | `relocation` | children that go elsewhere: invited, asking, leaving |
//! | `rebalance` | which node is invited up so that the tree stays shallow |
//! | `report` | telling the parent what the subtree looks like |
//! | `orphans` | nodes that were lost from the subtree, and may come back |

mod admission;
mod orphans;
mod placement;
mod queue;
mod rebalance;
mod relocation;
mod report;
mod slots;

use alloc::vec::Vec;

use super::ancestry::{Above, Ancestry};
use super::effects::Effects;
use super::link::Links;
use super::net::Net;
use super::routing::{NextHop, Peer};
use crate::census::{Census, Standing};
use crate::close::CloseReason;
use crate::config::Config;
use crate::id::{LinkId, NodeId};
use crate::time::Instant;
use crate::wire::LinkFrame;

use orphans::Orphans;
use queue::WaitQueue;
use rebalance::Rebalance;
use report::Report;
use slots::Slots;

pub(crate) use relocation::pass_up;
pub(crate) use slots::Freed;

/// The state of all that is below this node.
#[derive(Debug)]
pub(crate) struct Downstream {
    slots: Slots,
    queue: WaitQueue,
    rebalance: Rebalance,
    report: Report,
    orphans: Orphans,
}

impl Downstream {
    pub(crate) fn new(max_degree: u16) -> Self {
        Self {
            slots: Slots::new(max_degree),
            queue: WaitQueue::default(),
            rebalance: Rebalance::default(),
            report: Report::default(),
            orphans: Orphans::default(),
        }
    }

    pub(crate) fn next_deadline(&self, config: &Config) -> Option<Instant> {
        let parts = [
            self.queue.next_deadline(config),
            self.report.next_deadline(),
            self.rebalance.next_deadline(),
            self.orphans.next_deadline(),
        ];
        parts.into_iter().flatten().min()
    }

    pub(crate) const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The numbers of waiting requests, and of ICE candidates kept for them.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), self.queue.early_ice_candidates())
    }

    /// The children, in the order of their slots; behind them one that leaves.
    pub(crate) fn children(&self, links: &Links) -> impl Iterator<Item = (LinkId, NodeId)> {
        let links_down = self.slots.links();
        links_down.filter_map(move |link| Some((link, links.child(link)?.node)))
    }

    /// A new parent was told of this subtree in the request.
    pub(crate) fn introduce(&mut self, census: Census) {
        self.report.introduce(census);
    }

    /// The parent has sent a joiner, and predicts where it ends up.
    pub(crate) fn predicted(&mut self, joiner: &Census) {
        self.report.expect(joiner);
    }

    /// Something has changed that a report may be about.
    pub(crate) fn changed(&mut self, fx: &Effects) {
        self.report.changed(fx);
    }

    /// Tells the children this node's path.
    pub(crate) fn tell_path(&self, at: &Ancestry, net: &mut Net, fx: &mut Effects) {
        let children: Vec<_> = self.children(&net.links).collect();
        if children.is_empty() || planted!(fx.config, PathNotPassedOn) {
            return;
        }
        let frame = LinkFrame::Moved {
            epoch: at.epoch(),
            path: at.path().clone(),
        };
        for (child, _) in children {
            net.links.transmit(child, &frame, fx);
        }
    }

    /// Joins no longer find their route through the link to this parent.
    pub(crate) fn forget_routes_through(
        &mut self,
        parent: LinkId,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        self.forget_waiting_from(Peer::Link(parent), net, fx);
        net.reject_all_to(NextHop::Parent(parent), fx);
    }

    /// A link is gone: its slot is free.
    pub(crate) fn free(&mut self, link: LinkId, fx: &Effects) -> Freed {
        let freed = self.slots.free(link);
        if freed != Freed::Nothing {
            self.report.changed(fx);
        }
        freed
    }

    /// A child is gone, with its subtree.
    pub(crate) fn lost(&mut self, subtree: &Census, reason: CloseReason, fx: &Effects) {
        self.orphans.lost(subtree, reason, fx);
    }

    /// Tells the parent and the app what the subtree looks like, if it is time to. `own`: how far this node is.
    pub(crate) fn expire_report(
        &mut self,
        own: Standing,
        above: Above,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        if self.orphans.expire(fx.now) {
            self.report.changed(fx);
        }
        if !self.report.is_due(fx.now) {
            return;
        }
        let useful = above.is_in_tree() && self.view(links, fx).invitation_up().is_some();
        let census = self.census(own, links, fx);
        self.rebalance.looked(useful, fx);
        if let Some(parent) = above.parent {
            #[cfg(planted)]
            if planted!(fx.config, ReportForgotten) && self.report.has_shrunk(&census) {
                return;
            }
            if let Some(status) = self.report.news_for_parent(&census) {
                links.transmit(parent, &status, fx);
            }
        }
        self.report.show(census, fx);
    }

    /// Invites a node up to a free slot, if it is time to.
    pub(crate) fn expire_rebalance(&mut self, above: Above, links: &mut Links, fx: &mut Effects) {
        if self.rebalance.is_due(fx.now)
            && above.is_in_tree()
            && let Some((child, invitation)) = self.view(links, fx).invitation_up()
        {
            self.invite(child, invitation, links, fx);
        }
    }

    /// The subtree below this node, itself included, as far as its children have told. `own`: how far this node is
    /// with the root's stream.
    pub(crate) fn census(&self, own: Standing, links: &Links, fx: &Effects) -> Census {
        let mut census = self.view(links, fx).census();
        census.add_own(own, self.orphans.are_awaited());
        census
    }
}
