//! Heartbeats, and the deadlines of links.
//!
//! A WebRTC connection can go on accepting messages after its peer is dead, so silence is what counts.
//! But a node that was itself asleep (a closed laptop, a throttled tab) has heard nothing because it
//! did not listen: it must not take all its neighbours for dead when it wakes.
//!
//! A throttled tab's timers fire once a minute, but its messages come through, and whatever comes makes a node look at
//! its deadlines: a heartbeat that arrives brings out the one that was due here.

use core::time::Duration;

use super::effects::Effects;
use super::link::{Links, State};
use crate::close::CloseReason;
use crate::config::Config;
use crate::id::LinkId;
use crate::time::Instant;
use crate::wire::LinkFrame;

/// When something is due on some link.
pub(crate) fn next_deadline(links: &Links, config: &Config) -> Option<Instant> {
    links
        .iter()
        .map(|(_, link)| link.next_deadline(config))
        .min()
}

/// Sends the heartbeats that are due, up to the first link that has had its time, and returns that one.
pub(crate) fn next_due(links: &mut Links, fx: &mut Effects) -> Option<(LinkId, CloseReason)> {
    while let Some(id) = links.find(|link| link.next_deadline(&fx.config) <= fx.now) {
        let link = links.get_mut(id)?;
        let silent = link.is_silent(fx.now, &fx.config);
        match &link.state {
            State::Dialing(_) | State::Candidate(_) => {
                return Some((id, CloseReason::Timeout));
            }
            State::Closing(_) => return Some((id, CloseReason::Left)),
            State::Parent(_) | State::Child(_) if silent => {
                fx.stats.silent_neighbours += 1;
                return Some((id, CloseReason::Silent));
            }
            State::Child(_) if planted!(fx.config, HeartbeatForgotten) => link.sent = fx.now,
            State::Parent(_) | State::Child(_) => {
                links.transmit(id, &LinkFrame::Heartbeat, fx);
            }
        }
    }
    None
}

/// Something was due this long ago and is only done now: for so long this node did not listen, and
/// the time does not count as any peer's silence. What it waited for in time does count, so that a
/// node which is late every time still finds out which peer is dead.
pub(crate) fn forgive(links: &mut Links, late: Duration, now: Instant) {
    for (_, link) in links.iter_mut() {
        link.heard = (link.heard + late).min(now);
    }
}
