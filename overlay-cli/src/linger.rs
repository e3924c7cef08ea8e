//! Staying for those below when this node has the whole stream itself.

use std::time::Duration;

use overlay_tokio::{CloseReason, Event, Notification};
use tokio::time::{Instant, timeout_at};

use crate::session::Session;

/// The longest time. A root that lives says goodbye long before.
const LONGEST: Duration = Duration::from_mins(1);

/// The time to find another parent, so that the root hears from this node and those below it.
const PARENTLESS: Duration = Duration::from_secs(10);

/// Waits until the parent says goodbye: then every node has everything, or is given up.
pub(crate) async fn linger(session: &mut Session) {
    let status = session.node.status().await;
    if status.is_none_or(|status| status.parent.is_none()) {
        return;
    }
    let mut limit = Instant::now() + LONGEST;
    // Past the limit, or without a node, there is nothing to wait for.
    while let Ok(Some(event)) = timeout_at(limit, session.events.next()).await {
        match event {
            Event::Node(Notification::ParentClosed { reason, .. }) => match reason {
                CloseReason::Moved => {}
                CloseReason::PeerLeft => return,
                _ => limit = Instant::now() + PARENTLESS,
            },
            Event::Node(Notification::ParentConnected { .. }) => limit = Instant::now() + LONGEST,
            Event::Node(Notification::StreamEnded { .. } | Notification::Promoted { .. }) => return,
            _ => {}
        }
    }
}
