//! What two neighbours of the tree say to each other on their data channel.

use serde::{Deserialize, Serialize};

use super::{ANY_DEPTH, JoinFrame, TO_THE_ROOT};
use crate::census::Census;
use crate::id::{Epoch, JoinId, NodeId};
use crate::path::Path;
use crate::position::{Position, Start};
use crate::slow::SlowPolicy;

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
        /// How many bytes of messages the sender takes before it grants more credit.
        window: u32,
        /// The same of the root's stream: less, if it has some that it can't pass on yet.
        stream_window: u32,
        /// Where the sender comes into the root's stream.
        start: Start,
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
        /// How many bytes of messages the sender takes before it grants more credit.
        window: u32,
        /// The position of the first record of the root's stream that comes on this link.
        position: Position,
        /// Whether the stream has ended: what comes is what the sender still has of it.
        ended: bool,
        /// The tree's policy for slow receivers.
        slow: SlowPolicy,
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
        /// The lane.
        lane: Lane,
        /// Bytes: in the lane of the stream those of the records, in the others as
        /// [`message_cost`](crate::flow::message_cost) counts those of each record.
        bytes: u32,
    },
    /// The last frame: all that the sender had to say has been said.
    Goodbye(GoodbyeReason),
    /// Records of app messages for the neighbour.
    Direct {
        /// [Records](super::Record), one behind the other.
        #[serde(borrow, with = "serde_bytes")]
        records: &'a [u8],
    },
    /// From the parent: the next records of the root's stream.
    Stream {
        /// [Records](super::Record), one behind the other.
        #[serde(borrow, with = "serde_bytes")]
        records: &'a [u8],
    },
    /// From the parent: go elsewhere. Until the child has gone, or says that it stays, no joiner is sent to it.
    Invite(Invitation),
    /// From the parent: the next records are those at this position. They are another root's, or those before will not
    /// come.
    Jump(Position),
    /// From a child that was invited: nothing came of it.
    Stay,
    /// From a child that leaves the tree: no joiner is to be sent to it any more, and its children will ask for
    /// other parents.
    Leaving,
    /// From a child: a node of its subtree takes nothing.
    Stalled(Stall),
    /// Records of messages that pass: from a child those for the root, behind the way that they have come; from the parent
    /// the root's [replies](super::Reply).
    Routed {
        /// [Records](super::Record), one behind the other.
        #[serde(borrow, with = "serde_bytes")]
        records: &'a [u8],
    },
    /// Records of [questions](super::Question) from the parent, or [answers](super::Answer) from a child.
    Gather {
        /// [Records](super::Record), one behind the other.
        #[serde(borrow, with = "serde_bytes")]
        records: &'a [u8],
    },
    /// From a child: what has become of a reply.
    Replied(Replied),
}

/// The end of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replied {
    /// The node that it was for.
    pub node: NodeId,
    /// The root's name for it.
    pub tag: u64,
    /// Whether the node's app has been handed it. If not, it may still have arrived, and the word of that been lost.
    pub arrived: bool,
}

/// What the receivers of app messages grant credit for, each on its own: a full lane holds no other up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lane {
    /// Messages to a neighbour.
    Direct,
    /// The root's stream.
    Stream,
    /// Messages up to the root, and its replies.
    Routed,
    /// Questions and answers.
    Gather,
}

/// A node that takes nothing, though its parent has something for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// The node.
    pub node: NodeId,
    /// How far it is behind its parent, in bytes of the root's stream.
    pub behind: u64,
    /// The time for which it has taken nothing, in milliseconds.
    pub for_ms: u32,
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
