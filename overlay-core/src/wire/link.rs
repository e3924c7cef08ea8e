//! What two neighbours of the tree say to each other on their data channel.

use serde::{Deserialize, Serialize};

use super::{ANYWHERE, JoinFrame, MAX_FRAME, TO_THE_TOP};
use crate::census::Census;
use crate::id::{Epoch, JoinId, NodeId};
use crate::path::Path;

/// Longest payload of one app message, in bytes: a frame less its own header.
pub const MAX_PAYLOAD: usize = MAX_FRAME - 16;

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
        /// Who the sender is.
        id: NodeId,
        /// The root's epoch.
        epoch: Epoch,
        /// From the root to the sender.
        path: Path,
        /// How many bytes of app messages the sender takes before it grants more credit.
        window: u32,
        /// The next broadcast that comes on this link.
        count: Count,
    },
    /// Keeps an idle link from being taken for a dead one.
    Heartbeat,
    /// A join's traffic.
    Join(JoinFrame),
    /// From a child: what its subtree looks like now.
    Status {
        /// How many requests of this link the census takes into account.
        seen: u32,
        /// The child's subtree, the child itself at depth 0.
        census: Census,
    },
    /// From the parent, which has moved: where it stands now.
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
    Goodbye(Farewell),
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
    /// From the parent: go elsewhere. Until the child has gone, or says that it stays, nobody is sent to it.
    Invite(Invitation),
    /// From the parent: what comes from here on belongs to another count. Stands in line with the app messages.
    Counts(Count),
    /// From a child that was invited: nothing came of it.
    Stay,
    /// From a child that leaves the tree: nobody is to be sent to it any more, and its children will ask for
    /// other parents.
    Leaving,
}

/// How far the root's broadcasts have come on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The root who counts them.
    pub root: NodeId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The number of the next one that comes on this link, from 1.
    pub next: u64,
}

/// The wish that a node go elsewhere, with all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// How many levels below the receiver the node stands that is meant; the way there leads to the deepest
    /// leaf.
    pub down: u8,
    /// How many levels above the receiver the node stands that places it;
    /// [`TO_THE_TOP`] is the root.
    pub climb: u8,
    /// How many levels below that one it comes to stand at most; [`ANYWHERE`] is no limit.
    pub within: u8,
}

impl Invitation {
    /// To the receiver itself, and for wherever the root finds a place.
    pub(crate) const ELSEWHERE: Self = Self {
        down: 0,
        climb: TO_THE_TOP,
        within: ANYWHERE,
    };
}

/// Why a neighbour says goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Farewell {
    /// It leaves the tree.
    Leaving,
    /// It goes on, without this link.
    Closing,
    /// It has another parent.
    Moved,
}
