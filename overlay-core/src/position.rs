//! Places in a root's stream of broadcasts.

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, NodeId};

/// A place in the stream of a root's broadcasts: before a message, or behind the last one so far.
///
/// The same message has the same position at every node. A node that goes to another parent goes on from its position, and
/// an app that kept one can start there again ([`Start::At`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The root whose stream it is.
    pub root: NodeId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The bytes of the stream before it: those of all messages, and a few more for each. 0 is the beginning.
    pub offset: u64,
}

/// The highest offset that a peer may tell. What is added to it afterwards does not overflow.
const MAX_OFFSET: u64 = 1 << 62;

/// Where a node comes into the root's stream when it joins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// With the next message. If the stream has ended, with the oldest one of it that its parent still has.
    #[default]
    Live,
    /// With the oldest message that its parent still has.
    Oldest,
    /// With this message. If the parent no longer has it, the app is told of the gap.
    At(Position),
}

impl Position {
    /// The beginning of a root's stream.
    #[must_use]
    pub const fn beginning(root: NodeId, epoch: Epoch) -> Self {
        let offset = 0;
        Self {
            root,
            epoch,
            offset,
        }
    }

    /// Whether the other place is in the stream of the same root, in the same epoch.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        (self.root, self.epoch) == (other.root, other.epoch)
    }

    /// Whether a stream can have come so far: no root broadcasts that much.
    pub(crate) const fn is_possible(&self) -> bool {
        self.offset <= MAX_OFFSET
    }

    /// The place this many bytes further on.
    pub(crate) const fn plus(self, bytes: usize) -> Self {
        let offset = self.offset.saturating_add(bytes as u64);
        Self { offset, ..self }
    }
}

impl Default for Position {
    /// The beginning of no root's stream.
    fn default() -> Self {
        Self::beginning(NodeId::from_u128(0), Epoch::default())
    }
}
