//! Receivers that take nothing: the parent names the node, to its own app and to the root, and does what the policy says.
//!
//! All above a slow node wait as well, and are not to blame. So a node whose own child is slow reports that one, and its
//! parent, which waits for it, holds its peace: a report comes before that parent's time is up, because the stream stops
//! further down first.

use core::time::Duration;

use super::Payload;
use crate::close::CloseReason;
use crate::config::Config;
use crate::id::{LinkId, NodeId};
use crate::node::effects::Effects;
use crate::node::link::{Feed, Link, Links, State};
use crate::notification::Notification;
use crate::pace::Pace;
use crate::slow::SlowPolicy;
use crate::time::Instant;
use crate::wire::{LinkFrame, Stall};

impl Payload {
    /// When something is due: a receiver is skipped, or told of.
    pub(crate) fn next_deadline(&self, links: &Links, config: &Config) -> Option<Instant> {
        let children = links.iter().filter_map(|(_, link)| {
            let skip = self.skip_at(link.feed.as_ref()?.pace(), config);
            earliest(skip, tell_at(link, config))
        });
        let app = self.skip_at(self.reader.pace(), config);
        children.chain(app).min()
    }

    /// Does what is due. Returns a child that is to be closed for it.
    pub(crate) fn expire(
        &mut self,
        parent: Option<LinkId>,
        links: &mut Links,
        fx: &mut Effects,
    ) -> Option<LinkId> {
        self.skip_the_slow(links, fx);
        let due =
            |link: &Link, fx: &Effects| tell_at(link, &fx.config).is_some_and(|at| at <= fx.now);
        while let Some(id) = links.find(|link| due(link, fx)) {
            let link = links.get_mut(id)?;
            let (State::Child(child), Some(feed)) = (&link.state, link.feed.as_deref_mut()) else {
                return None;
            };
            let stall = self.stall(child.node, feed, fx);
            feed.tell_again(fx.now + fx.config.stall_timeout);
            stall.tell_all(parent, links, fx);
            if self.slow == SlowPolicy::Disconnect {
                return Some(id);
            }
        }
        None
    }

    /// A child is lost. If it took nothing in the end, it is named at once: its time would not come any more.
    pub(crate) fn lost_in_stall(
        &self,
        feed: &Feed,
        node: NodeId,
        reason: CloseReason,
        parent: Option<LinkId>,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let silent = matches!(reason, CloseReason::Lost | CloseReason::Silent);
        if silent && feed.pace().has_waited(fx.now) >= LOST_IN_STALL {
            self.stall(node, feed, fx).tell_all(parent, links, fx);
        }
    }

    fn stall(&self, node: NodeId, feed: &Feed, fx: &Effects) -> Stall {
        let waited = feed.pace().has_waited(fx.now).as_millis();
        Stall {
            node,
            behind: feed.unconfirmed(&self.log) as u64,
            for_ms: u32::try_from(waited).unwrap_or(u32::MAX),
        }
    }

    /// A child names a slow node of its subtree: it is not to blame itself.
    pub(crate) fn stall_below(
        id: LinkId,
        stall: Stall,
        parent: Option<LinkId>,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let again = fx.now + fx.config.stall_timeout + GRACE;
        let feed = links.get_mut(id).and_then(|link| link.feed.as_deref_mut());
        if feed.is_none_or(|feed| !feed.excuse(again, fx.now)) {
            return;
        }
        match parent {
            Some(parent) => links.transmit(parent, &LinkFrame::Stalled(stall), fx),
            None => stall.tell(fx),
        }
    }

    /// Nobody waits any more for those that have taken nothing for too long.
    fn skip_the_slow(&mut self, links: &mut Links, fx: &mut Effects) {
        let (slow, now) = (self.slow, fx.now);
        let is_due = |since: Option<Instant>| {
            since.is_some_and(|since| {
                slow == SlowPolicy::Skip && since + fx.config.skip_timeout <= now
            })
        };
        let mut skipped = false;
        let feeds = links
            .iter_mut()
            .filter_map(|(_, link)| link.feed.as_deref_mut());
        let paces = feeds.map(Feed::pace_mut);
        for pace in paces.chain([self.reader.pace_mut()]) {
            if is_due(pace.waiting()) && !pace.is_skipped() {
                pace.skip();
                skipped = true;
            }
        }
        if skipped {
            self.flow(links, fx);
        }
    }

    fn skip_at(&self, pace: &Pace, config: &Config) -> Option<Instant> {
        let skips = self.slow == SlowPolicy::Skip && !pace.is_skipped();
        let since = pace.waiting().filter(|_| skips)?;
        Some(since + config.skip_timeout)
    }
}

/// The time that a child with a subtree gets to say that it waits itself.
const GRACE: Duration = Duration::from_millis(500);

/// The time after which a child that takes nothing, and is then lost, counts as one that held others up.
const LOST_IN_STALL: Duration = Duration::from_secs(1);

/// When a child is told of that takes nothing.
fn tell_at(link: &Link, config: &Config) -> Option<Instant> {
    let State::Child(child) = &link.state else {
        return None;
    };
    let feed = link.feed.as_ref()?;
    let since = feed.pace().waiting()?;
    let waits_itself = child.subtree.known.size() > 1;
    let grace = if waits_itself { GRACE } else { Duration::ZERO };
    let first = since + config.stall_timeout + grace;
    Some(feed.told().map_or(first, |again| again.max(first)))
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

impl Stall {
    /// Tells the app, and the root.
    fn tell_all(self, parent: Option<LinkId>, links: &mut Links, fx: &mut Effects) {
        self.tell(fx);
        if let Some(parent) = parent {
            links.transmit(parent, &LinkFrame::Stalled(self), fx);
        }
    }

    /// Tells the app.
    fn tell(self, fx: &mut Effects) {
        fx.notify(Notification::Stalled {
            node: self.node,
            behind: self.behind,
            lasting: Duration::from_millis(self.for_ms.into()),
        });
    }
}
