//! A link to a parent that has welcomed this node, while the old parent has still something to bring.
//!
//! A node that moves loses no broadcast, and has none twice. Broadcasts come down through both parents, and one may be
//! ahead of the other. The new parent says with its welcome which broadcast comes next from it. If the old parent has
//! yet to bring something before that, the node keeps it as its parent until it has. What the new one sends
//! meanwhile waits unread, the control frames too, so that all stays in order. No credit is given for it, so a window bounds it.
//! If the new parent is behind, what comes twice is dropped by its number (`payload`).
//!
//! Nodes that wait so for each other come to an end. Each waits for a broadcast below one that its new parent has had.
//! In a ring of waits, the node that waits for the lowest number would wait for a node that has had it. A parent that never brings what
//! is missing is left after a `request_timeout`, and the app is told what it has missed.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::dialing::Attempt;
use crate::census::Census;
use crate::close::{CloseReason, ProtocolError};
use crate::flow::message_cost;
use crate::id::{Epoch, NodeId};
use crate::path::Path;
use crate::time::Instant;
use crate::wire::{LinkFrame, StreamPosition};

/// Control frames of a new parent that wait at the most; at one more the old parent is waited for no longer.
const MOST_HELD: usize = 64;

/// A parent's account of itself when it welcomes a child.
#[derive(Clone, Debug)]
pub(crate) struct Welcome {
    pub(crate) id: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) path: Path,
    pub(crate) window: u32,
    /// The next broadcast.
    pub(crate) position: StreamPosition,
}

/// A welcome that is not followed yet, and what has come after it.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) attempt: Attempt,
    welcome: Welcome,
    /// When the old parent has had long enough.
    pub(crate) deadline: Instant,
    frames: VecDeque<Bytes>,
    /// The number of control frames among them.
    control: usize,
    /// The cost of the app messages among them.
    cost: u32,
    /// The subtrees of the joiners that the new parent has sent here, and that were turned away.
    refused: Vec<Census>,
}

/// The verdict on a frame of the new parent.
pub(crate) enum Held {
    /// Nothing: it waits.
    Waits,
    /// The new parent takes this node for its child, and is to hear from it.
    Answer(LinkFrame<'static>),
    /// This many wait already, so the old parent is waited for no longer.
    Enough,
    /// The new parent says goodbye.
    Close(CloseReason),
}

impl Handover {
    pub(crate) const fn new(attempt: Attempt, welcome: Welcome, deadline: Instant) -> Self {
        Self {
            attempt,
            welcome,
            deadline,
            frames: VecDeque::new(),
            control: 0,
            cost: 0,
            refused: Vec::new(),
        }
    }

    /// The next broadcast from the new parent.
    pub(crate) const fn next(&self) -> StreamPosition {
        self.welcome.position
    }

    /// Keeps a frame of the new parent, `bytes` as it came; `window` bounds the app messages.
    pub(crate) fn hold(
        &mut self,
        frame: &LinkFrame<'_>,
        bytes: &Bytes,
        window: u32,
    ) -> Result<Held, ProtocolError> {
        match frame {
            LinkFrame::Heartbeat => return Ok(Held::Answer(LinkFrame::Heartbeat)),
            LinkFrame::Goodbye(farewell) => return Ok(Held::Close(farewell.reason())),
            LinkFrame::Direct { payload }
            | LinkFrame::Broadcast { payload, .. }
            | LinkFrame::Last { payload, .. } => {
                self.cost = self.cost.saturating_add(message_cost(payload.len()));
                if self.cost > window {
                    return Err(ProtocolError::WindowExceeded);
                }
            }
            _ => self.control += 1,
        }
        self.frames.push_back(bytes.clone());
        Ok(unless_enough(self.control))
    }

    /// A joiner can't wait for the old parent, so it was turned away. The new parent will learn from a report that
    /// the joiner has not come in.
    pub(crate) fn turned_away(&mut self, joiner: Census) -> Held {
        self.refused.push(joiner);
        unless_enough(self.refused.len())
    }

    /// Everything that the node needs when it goes over: the welcome, the frames in order, and the joiners turned away.
    pub(crate) fn take(&mut self) -> (Welcome, VecDeque<Bytes>, Vec<Census>) {
        let frames = core::mem::take(&mut self.frames);
        let refused = core::mem::take(&mut self.refused);
        (self.welcome.clone(), frames, refused)
    }
}

const fn unless_enough(held: usize) -> Held {
    if held > MOST_HELD {
        Held::Enough
    } else {
        Held::Waits
    }
}
