//! Telling the parent, and the app, what the subtree looks like.
//!
//! The parent predicts what its own requests do to this subtree. A report is due when the prediction
//! went wrong, or when nodes have connected that were only expected; at most one in a
//! `status_interval`. It says how many requests it takes into account, because some may be under way.

use alloc::vec::Vec;

use super::link::LinkState;
use super::{Node, notify};
use crate::action::{Action, Notification};
use crate::census::Census;
use crate::config::Config;
use crate::id::LinkId;
use crate::time::Instant;
use crate::wire::LinkFrame;

/// What the parent believes, and when it is next told.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// This subtree, as the parent predicts it.
    believed: Census,
    /// How many requests the parent has sent.
    seen: u32,
    /// How many of them the last report took into account.
    acknowledged: u32,
    /// The subtree that the app was last told of.
    shown: Census,
    due: Option<Instant>,
}

impl Report {
    /// A parent to be is told of `census` in the request.
    pub(super) fn introduce(&mut self, census: Census) {
        self.believed = census;
        self.seen = 0;
        self.acknowledged = 0;
    }

    /// The parent has sent a request, and predicts what it does.
    pub(super) fn expect(&mut self, joiner: &Census) {
        self.seen = self.seen.wrapping_add(1);
        self.believed.admit(joiner);
    }

    /// Something has changed: looks at it when the time has come.
    pub(super) fn changed(&mut self, now: Instant, config: &Config) {
        self.due.get_or_insert(now + config.status_interval);
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl Node {
    pub(super) fn expire_report(&mut self, out: &mut Vec<Action>) {
        if self.report.due.is_none_or(|due| due > self.now) {
            return;
        }
        self.report.due = None;
        self.look_at_balance();
        let census = self.census();
        if let Some(parent) = self.parent_link() {
            let report = &mut self.report;
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::ReportForgotten)
                && census.size() < report.believed.size()
            {
                return;
            }
            if census != report.believed || report.seen != report.acknowledged {
                report.believed = census.clone();
                report.acknowledged = report.seen;
                let status = LinkFrame::Status {
                    seen: report.seen,
                    census: census.clone(),
                };
                self.transmit(parent, &status, out);
            }
        }
        if census.nodes() != self.report.shown.nodes() {
            self.report.shown = census.clone();
            notify(Notification::SubtreeChanged(census), out);
        }
    }

    /// A child tells what its subtree looks like.
    pub(super) fn child_reported(
        &mut self,
        id: LinkId,
        seen: u32,
        census: Census,
        out: &mut Vec<Action>,
    ) {
        if let Some(LinkState::Child(child)) = self.state_mut(id) {
            // With requests under way the prediction knows more than the report.
            if seen == child.requests {
                child.subtree.predicted = census.clone();
            }
            child.subtree.known = census;
            self.report.changed(self.now, &self.config);
        }
        self.settle_impatient(out);
    }
}
