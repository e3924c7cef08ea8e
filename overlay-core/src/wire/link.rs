//! What two neighbours of the tree say to each other on their data channel.

use serde::{Deserialize, Serialize};

use super::{ANY_DEPTH, JoinFrame, MAX_FRAME, TO_THE_ROOT};
use crate::census::Census;
use crate::id::{Epoch, JoinId, NodeId};
use crate::path::Path;

/// Longest payload of one app message, in bytes: a frame less its own header.
pub const MAX_PAYLOAD: usize = MAX_FRAME - 16;

/// Longest payload of a stream's last message, in bytes: the bootstrap server remembers it for each overlay.
pub const MAX_LAST: usize = 256;

/// A frame on a link. Control and app frames share the link's one ordered channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkFrame<'a> {
    /// The first frame from the joiner.
    Hello {
        /// The sender's protocol version.
        version: u16,
        /// The join that this link completes; its origin is the sender.
        join: JoinId,
        /// How many bytes of app messages the sender takes before it grants more credit.
        window: u32,
    },
    /// The first frame from the acceptor: from here on the joiner is its child.
    Welcome {
        /// The sender's protocol version.
        version: u16,
        /// The sender's id.
        id: NodeId,
        /// The root's epoch.
        epoch: Epoch,
        /// From the root to the sender.
        path: Path,
        /// How many bytes of app messages the sender takes before it grants more credit.
        window: u32,
        /// The next broadcast that comes on this link.
        position: StreamPosition,
    },
    /// Keeps an idle link from being taken for a dead one.
    Heartbeat,
    /// A frame of a join.
    Join(JoinFrame),
    /// From a child: what its subtree looks like now.
    Status {
        /// How many requests of this link the census takes into account.
        seen: u32,
        /// The child's subtree, the child itself at depth 0.
        census: Census,
    },
    /// From the parent, whose path has changed.
    Moved {
        /// The root's epoch.
        epoch: Epoch,
        /// From the root to the sender.
        path: Path,
    },
    /// The sender has taken this much of what it was sent and takes as much again.
    Credit {
        /// Bytes of app messages, as [`message_cost`](crate::flow::message_cost) counts them.
        bytes: u32,
    },
    /// The last frame: all that the sender had to say has been said.
    Goodbye(GoodbyeReason),
    /// An app message for the neighbour.
    Direct {
        /// The app's bytes.
        #[serde(borrow, with = "serde_bytes")]
        payload: &'a [u8],
    },
    /// An app message for every node below the sender.
    Broadcast {
        /// Counted by the root, from 1 in each epoch.
        number: u64,
        /// The app's bytes.
        #[serde(borrow, with = "serde_bytes")]
        payload: &'a [u8],
    },
    /// From the parent: go elsewhere. Until the child has gone, or says that it stays, no joiner is sent to it.
    Invite(Invitation),
    /// From the parent: the next broadcast is this one. It is another root's, or those before it will not come. Queued
    /// behind the app messages.
    Position(StreamPosition),
    /// From a child that was invited: nothing came of it.
    Stay,
    /// From a child that leaves the tree: no joiner is to be sent to it any more, and its children will ask for
    /// other parents.
    Leaving,
    /// The last broadcast of the root's stream. A child that comes later gets it, too.
    Last {
        /// Counted like a broadcast's.
        number: u64,
        /// The app's bytes, at most [`MAX_LAST`].
        #[serde(borrow, with = "serde_bytes")]
        payload: &'a [u8],
    },
}

impl LinkFrame<'_> {
    /// Whether it carries an app message, which takes credit.
    pub(crate) const fn is_message(&self) -> bool {
        matches!(
            self,
            Self::Direct { .. } | Self::Broadcast { .. } | Self::Last { .. }
        )
    }
}

/// A position in the stream of a root's broadcasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// The root that counts them.
    pub root: NodeId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The number of the next one that comes on this link, from 1.
    pub next: u64,
}

/// The wish of a parent that a node go elsewhere, with all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The number of levels from the receiver down to the invited node, towards the deepest leaf.
    pub down: u8,
    /// The number of levels from the receiver up to the node that finds the slot; [`TO_THE_ROOT`] is the root.
    pub up: u8,
    /// The depth below that one at which it may be at most; [`ANY_DEPTH`] is no limit.
    pub max_depth: u8,
}

impl Invitation {
    /// To the receiver itself, for wherever the root finds a slot.
    pub(crate) const ELSEWHERE: Self = Self {
        down: 0,
        up: TO_THE_ROOT,
        max_depth: ANY_DEPTH,
    };
}

/// Why a neighbour says goodbye. More reasons may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GoodbyeReason {
    /// It leaves the tree.
    Leaving,
    /// It goes on, without this link.
    Closing,
    /// It has another parent.
    Moved,
}
