//! The handover: a node that moves loses no broadcast, and has none twice.
//!
//! Broadcasts come down by two ways, and one may be ahead of the other. The new parent says with its welcome which
//! number comes next from it. If the old parent has yet to bring something before that, the node keeps it as its
//! parent until it has; what the new one sends meanwhile waits unread, the control frames too, so that all stays in
//! order. No credit is given for it, so a window bounds it. If the new one is behind, what comes twice is dropped
//! by its number.
//!
//! Nodes that wait so for each other do not wait for ever. Each waits for a number below one that its new parent
//! has had; in a ring of waits the one who waits for the lowest number would wait for a node that has had it. A parent
//! that never brings what is missing is left after a `request_timeout`, and the app is told what it has missed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Node;
use super::dial::Welcome;
use super::link::DialStage;
use crate::action::{Action, CloseReason, Violation};
use crate::census::Census;
use crate::flow::message_cost;
use crate::id::LinkId;
use crate::wire::{Farewell, JoinFrame, JoinRequest, LinkFrame, RejectReason, Rejection};

/// Control frames of a new parent that wait at the most; at one more the old parent is waited for no longer.
const MOST_HELD: usize = 64;

/// A welcome that is not followed yet, and what has come after it.
#[derive(Debug)]
pub(super) struct Held {
    welcome: Welcome,
    frames: VecDeque<Bytes>,
    /// How many of them are control frames.
    control: usize,
    /// The cost of the app messages among them.
    cost: u32,
    /// What came with the joiners that the new parent has sent here, and that were turned away.
    refused: Vec<Census>,
}

impl Node {
    /// Whether the old parent has something to bring that the new one will not.
    pub(super) fn waits_for_old_parent(&self, welcome: &Welcome) -> bool {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::OldLinkDroppedEarly) {
            return false;
        }
        self.broadcasts.lacks(welcome.count)
    }

    pub(super) fn begin_to_hold(&mut self, link: LinkId, welcome: Welcome) {
        let deadline = self.now + self.config.request_timeout;
        if let Some(dialing) = self.dialing_mut(link) {
            dialing.stage = DialStage::Welcomed;
            dialing.deadline = deadline;
            dialing.held = Some(Box::new(Held {
                welcome,
                frames: VecDeque::new(),
                control: 0,
                cost: 0,
                refused: Vec::new(),
            }));
        }
    }

    /// The new parent has sent something, and the old one has not brought everything yet.
    pub(super) fn hold(
        &mut self,
        link: LinkId,
        frame: &LinkFrame<'_>,
        bytes: &Bytes,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let window = self.config.window;
        let cost = match frame {
            LinkFrame::Heartbeat => {
                // The new parent takes this node for its child, which has been silent so far.
                self.transmit(link, &LinkFrame::Heartbeat, out);
                return Ok(());
            }
            LinkFrame::Goodbye(farewell) => {
                self.shut(link, farewell.reason(), out);
                return Ok(());
            }
            LinkFrame::Direct { payload } | LinkFrame::Broadcast { payload, .. } => {
                self.stats.messages_held_back += 1;
                message_cost(payload.len())
            }
            LinkFrame::Join(JoinFrame::Request(request)) => {
                self.refuse_while_holding(link, request, out);
                return Ok(());
            }
            _ => 0,
        };
        let held = self
            .dialing_mut(link)
            .and_then(|dialing| dialing.held.as_mut());
        let Some(held) = held else {
            return Err(Violation::UnexpectedFrame);
        };
        held.cost = held.cost.saturating_add(cost);
        if held.cost > window {
            return Err(Violation::WindowExceeded);
        }
        held.control += usize::from(cost == 0);
        held.frames.push_back(bytes.clone());
        if held.control > MOST_HELD {
            self.hand_over(link, out);
        }
        Ok(())
    }

    /// A joiner can't wait for the old parent. The new one will hear in a report that nobody has come in.
    fn refuse_while_holding(&mut self, link: LinkId, request: &JoinRequest, out: &mut Vec<Action>) {
        let rejection = Rejection::new(RejectReason::Busy, self.config.retry_after);
        let join = request.join;
        self.stats.joins_rejected += 1;
        let reject = JoinFrame::Reject { join, rejection };
        self.transmit(link, &LinkFrame::Join(reject), out);
        let held = self
            .dialing_mut(link)
            .and_then(|dialing| dialing.held.as_mut());
        if let Some(held) = held {
            held.refused.push(request.census.clone());
            if held.refused.len() > MOST_HELD {
                self.hand_over(link, out);
            }
        }
    }

    /// The old parent has brought something.
    pub(super) fn hand_over_if_caught_up(&mut self, out: &mut Vec<Action>) {
        let Some(link) = self.moving else {
            return;
        };
        let held = self
            .dialing_mut(link)
            .and_then(|dialing| dialing.held.as_ref());
        if let Some(first) = held.map(|held| held.welcome.count)
            && !self.broadcasts.lacks(first)
        {
            self.hand_over(link, out);
        }
    }

    /// Goes over to the new parent, and reads what it has sent.
    pub(super) fn hand_over(&mut self, link: LinkId, out: &mut Vec<Action>) {
        let held = self
            .dialing_mut(link)
            .and_then(|dialing| dialing.held.take());
        let Some(held) = held else {
            return;
        };
        let Held {
            welcome,
            frames,
            refused,
            ..
        } = *held;
        match self.arrive(link, &welcome, out) {
            Ok(()) => {
                for joiner in &refused {
                    self.report.expect(joiner);
                }
                for frame in frames {
                    if self.links.get(link).is_some() {
                        self.link_message(link, &frame, out);
                    }
                }
            }
            Err(violation) => {
                self.stats.violations += 1;
                self.shut(link, CloseReason::Violation(violation), out);
            }
        }
    }
}

impl Farewell {
    /// Why a link is closed whose other side says this.
    pub(super) const fn reason(self) -> CloseReason {
        match self {
            Self::Leaving => CloseReason::PeerLeft,
            Self::Closing => CloseReason::PeerClosed,
            Self::Moved => CloseReason::Moved,
        }
    }
}
