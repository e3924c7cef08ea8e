//! Telling the parent, and the app, what the subtree looks like.
//!
//! The parent predicts what its own requests do to this subtree. A report is due when the prediction
//! went wrong, or when nodes have connected that were only expected; at most one in a
//! `status_interval`. It says how many requests it takes into account, because some may be under way.

use crate::census::Census;
use crate::node::effects::Effects;
use crate::notification::Notification;
use crate::time::Instant;
use crate::wire::LinkFrame;

/// The census that the parent believes, and when it is next told.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// This subtree, as the parent predicts it.
    believed: Census,
    /// The number of requests that the parent has sent.
    seen: u32,
    /// The number of them that the last report took into account.
    acknowledged: u32,
    /// The subtree that the app was last told of.
    shown: Census,
    due: Option<Instant>,
}

impl Report {
    /// A new parent was told of `census` in the request.
    pub(crate) fn introduce(&mut self, census: Census) {
        self.believed = census;
        self.seen = 0;
        self.acknowledged = 0;
    }

    /// The parent has sent a request, and predicts what it does.
    pub(crate) fn expect(&mut self, joiner: &Census) {
        self.seen = self.seen.wrapping_add(1);
        self.believed.admit(joiner);
    }

    /// Something has changed: looks at it when the time has come.
    pub(crate) fn changed(&mut self, fx: &Effects) {
        self.due.get_or_insert(fx.now + fx.config.status_interval);
    }

    pub(crate) const fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// True once when it is time to look.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// The census that the parent is to be told, if it believes another.
    pub(crate) fn news_for_parent(&mut self, census: &Census) -> Option<LinkFrame<'static>> {
        if *census == self.believed && self.seen == self.acknowledged {
            return None;
        }
        self.believed = census.clone();
        self.acknowledged = self.seen;
        Some(LinkFrame::Status {
            seen: self.seen,
            census: census.clone(),
        })
    }

    /// Tells the app, if nodes have come or gone, or are further with the root's stream.
    pub(crate) fn show(&mut self, census: Census, fx: &mut Effects) {
        if !census.looks_like(&self.shown) {
            self.shown = census.clone();
            fx.notify(Notification::SubtreeChanged(census));
        }
    }

    /// Whether the subtree has fewer nodes than the parent believes.
    #[cfg(planted)]
    pub(crate) fn has_shrunk(&self, census: &Census) -> bool {
        census.size() < self.believed.size()
    }
}
