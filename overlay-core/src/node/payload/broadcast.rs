//! A broadcast as it comes, and as it goes on.

use bytes::Bytes;

use crate::action::Scope;
use crate::id::{LinkId, NodeId};
use crate::wire::{LinkFrame, MAX_LAST, MAX_PAYLOAD};

/// The place of a broadcast in the root's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// More follow.
    Within,
    /// None follows.
    Last,
}

/// A broadcast that has arrived.
pub(crate) struct Arrived {
    pub(crate) place: Place,
    pub(crate) link: LinkId,
    pub(crate) from: NodeId,
    pub(crate) number: u64,
    pub(crate) payload: Bytes,
    pub(crate) frame: Bytes,
}

/// A broadcast on its way to the children.
pub(crate) struct Outgoing {
    pub(super) key: usize,
    pub(super) cost: u32,
    pub(super) frame: Bytes,
}

impl Place {
    /// The place of the broadcast in a frame.
    pub(crate) const fn of(frame: &LinkFrame<'_>) -> Self {
        match frame {
            LinkFrame::Last { .. } => Self::Last,
            _ => Self::Within,
        }
    }

    pub(super) const fn max_payload(self) -> usize {
        match self {
            Self::Within => MAX_PAYLOAD,
            Self::Last => MAX_LAST,
        }
    }

    pub(super) fn frame(self, number: u64, payload: &[u8]) -> LinkFrame<'_> {
        match self {
            Self::Within => LinkFrame::Broadcast { number, payload },
            Self::Last => LinkFrame::Last { number, payload },
        }
    }

    pub(super) const fn scope(self) -> Scope {
        match self {
            Self::Within => Scope::Broadcast,
            Self::Last => Scope::End,
        }
    }
}
