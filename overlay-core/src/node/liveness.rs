//! Heartbeats, and the deadlines of links.
//!
//! A WebRTC connection can go on accepting messages after its peer is dead, so silence is what counts.
//! But a node that was itself asleep (a closed laptop, a throttled tab) has heard nothing because it
//! did not listen: it must not take all its neighbours for dead when it wakes.
//!
//! A throttled tab's timers fire once a minute, but its messages come through, and whatever comes makes a node look at
//! its deadlines: a heartbeat that arrives brings out the one that was due here.

use alloc::vec::Vec;
use core::time::Duration;

use super::Node;
use super::link::LinkState;
use crate::action::{Action, CloseReason};
use crate::id::LinkId;
use crate::time::Instant;
use crate::wire::LinkFrame;

impl Node {
    /// When something is due on some link.
    pub(super) fn links_deadline(&self) -> Option<Instant> {
        let (heartbeat, silence) = self.rhythm();
        self.links
            .iter()
            .map(|(_, link)| link.next_deadline(heartbeat, silence))
            .min()
    }

    pub(super) fn expire_links(&mut self, out: &mut Vec<Action>) {
        let (heartbeat, silence) = self.rhythm();
        let now = self.now;
        while let Some(id) = self
            .links
            .find(|link| link.next_deadline(heartbeat, silence) <= now)
        {
            self.link_due(id, out);
        }
    }

    /// Something was due this long ago and is only done now: for so long this node did not listen, and
    /// the time does not count as anybody's silence. What it waited for in time does count, so that a
    /// node which is late every time still finds out who is dead.
    pub(super) fn forgive_own_stall(&mut self, late: Duration) {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::StallBlamedOnOthers) {
            return;
        }
        if late.is_zero() {
            return;
        }
        let now = self.now;
        for link in self.links.iter_mut() {
            link.heard = (link.heard + late).min(now);
        }
        self.bootstrap.forgive(late, now);
    }

    fn link_due(&mut self, id: LinkId, out: &mut Vec<Action>) {
        let (_, silence) = self.rhythm();
        let Some(link) = self.links.get(id) else {
            return;
        };
        let silent = link.heard + silence <= self.now;
        match link.state {
            LinkState::Dialing(ref dialing) if dialing.held.is_some() => {
                if dialing.deadline <= self.now {
                    self.hand_over(id, out);
                } else {
                    self.transmit(id, &LinkFrame::Heartbeat, out);
                }
            }
            LinkState::Dialing(_) | LinkState::Candidate(_) => {
                self.shut(id, CloseReason::Timeout, out);
            }
            LinkState::Parting(_) => self.shut(id, CloseReason::Left, out),
            LinkState::Parent(_) | LinkState::Child(_) if silent => {
                self.stats.silent_neighbours += 1;
                self.shut(id, CloseReason::Silent, out);
            }
            #[cfg(planted)]
            LinkState::Child(_) if self.config.has_bug(crate::Planted::HeartbeatForgotten) => {
                if let Some(link) = self.links.get_mut(id) {
                    link.sent = self.now;
                }
            }
            LinkState::Parent(_) | LinkState::Child(_) => {
                self.transmit(id, &LinkFrame::Heartbeat, out);
            }
        }
    }

    fn rhythm(&self) -> (Duration, Duration) {
        (self.config.heartbeat_interval, self.config.link_timeout)
    }
}
