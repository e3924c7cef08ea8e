//! What a node tells its app.

use core::time::Duration;

use bytes::Bytes;

use crate::ask::Answers;
use crate::census::Census;
use crate::close::CloseReason;
use crate::id::{Epoch, LinkId, NodeId};
use crate::position::Position;
use crate::wire::{Refusal, RejectReason};

/// News for the app. No answer is needed. More may come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// The node has a parent: it is in the tree.
    ParentConnected {
        /// The link to it.
        link: LinkId,
        /// The parent.
        node: NodeId,
        /// The number of links between the root and this node.
        depth: usize,
        /// Which attempt since the node last had a parent, from 1.
        attempt: u32,
    },
    /// The parent is gone. The node keeps its children and looks for another one, unless it is leaving.
    ParentClosed {
        /// The link to it.
        link: LinkId,
        /// The parent.
        node: NodeId,
        /// Why.
        reason: CloseReason,
    },
    /// A node that had lost its parent has one again. Comes after [`ParentConnected`](Self::ParentConnected).
    Reattached {
        /// The time without a parent.
        took: Duration,
        /// The new parent.
        new_parent: NodeId,
    },
    /// The server knows another root. This node joins its tree like any other, and is the next root if it is the
    /// first standby in line when that one is gone.
    Standby {
        /// The other root's epoch.
        epoch: Epoch,
    },
    /// This node is the root now.
    Promoted {
        /// The epoch that begins.
        epoch: Epoch,
    },
    /// This node is the root no more: while the server could not reach it, another one has taken over. It joins
    /// that one's tree, with all that is below it.
    SteppedDown {
        /// The other root's epoch.
        epoch: Epoch,
    },
    /// The tree that the node is in has another root than before.
    RootChanged {
        /// The new root's epoch.
        epoch: Epoch,
        /// The new root.
        root: NodeId,
    },
    /// The node has another child.
    ChildConnected {
        /// The link to it.
        link: LinkId,
        /// The child.
        node: NodeId,
    },
    /// A child is gone.
    ChildClosed {
        /// The link to it.
        link: LinkId,
        /// The child.
        node: NodeId,
        /// Why.
        reason: CloseReason,
        /// At most how many bytes of app messages and of the root's stream it has not taken. It grants credit for half a
        /// window at a time, so it may have taken that much of them.
        unconfirmed: usize,
    },
    /// The path has changed: a node above has moved, or another root has taken over. The parent is the same.
    PathChanged {
        /// The number of links between the root and this node.
        depth: usize,
        /// The root's epoch.
        epoch: Epoch,
    },
    /// The nodes below this one have changed. Comes once in a
    /// [`status_interval`](crate::Config::status_interval) at the most.
    SubtreeChanged(Census),
    /// An attempt to join has failed.
    JoinRejected {
        /// Why.
        reason: RejectReason,
        /// The time until the node tries again. It does so until it is told to leave, or the server refuses it: no
        /// other node may send it away for good.
        retry_in: Duration,
    },
    /// The server has this node registered, as a joiner, a standby or the root;
    /// [`Promoted`](Self::Promoted) tells if it is the root.
    BootstrapReady,
    /// There is no connection to the server, though there should be one.
    BootstrapLost {
        /// The server's own word, if it gave one.
        refusal: Option<Refusal>,
        /// The time until the node tries again; `None` if another attempt can't succeed. Then a joiner leaves,
        /// and a root goes on without a server.
        retry_in: Option<Duration>,
    },
    /// An app message was not sent.
    Unsent {
        /// The message.
        payload: Bytes,
        /// Why.
        reason: Unsent,
    },
    /// A gap in the root's stream: what is between these positions will not come any more. It has passed while this node,
    /// or one above it, was not in the tree or took nothing. If the stream goes on in the middle of a message, another gap
    /// up to the next one follows.
    Gap {
        /// The message that would have been next.
        from: Position,
        /// Where the stream goes on, perhaps with another root's.
        to: Position,
    },
    /// The root's stream had ended before this node came into the tree. What its parent still has of it comes, from this
    /// position on.
    BehindTheEnd {
        /// Where that begins; what was before will not come.
        from: Position,
    },
    /// A node takes nothing, though its parent has something for it. Its parent's app and the root's are told, each
    /// [`stall_timeout`](crate::Config::stall_timeout) again while it lasts.
    Stalled {
        /// The node.
        node: NodeId,
        /// At most how many bytes of the root's stream it has not taken.
        behind: u64,
        /// The time for which it has taken nothing.
        lasting: Duration,
    },
    /// The root's stream has ended while this node was not in the tree: what it lacks will not come. Another root
    /// may begin another stream, which the node goes on to look for.
    StreamEnded {
        /// The bytes of the stream before its last message that have passed since the node was in the tree; 0 if it
        /// never was.
        missed: u64,
        /// The last message.
        last: Bytes,
    },
    /// A neighbour that a message was refused for ([`Unsent::Backlog`]) takes messages again.
    Writable(LinkId),
    /// A broadcast was refused ([`Unsent::Backlog`]), and would be taken now.
    RoomToBroadcast,
    /// A message to the root, or a reply, was refused ([`Unsent::Backlog`]), and would be taken now.
    RoomToSendUp,
    /// What has become of a reply: told once of each, unless it was refused.
    Replied {
        /// The node that it was for.
        node: NodeId,
        /// The app's name for it.
        tag: u64,
        /// Whether the node's app has been handed it. If not, the node is gone, has moved or takes nothing; or a node on
        /// the way is gone, and the reply may have arrived.
        arrived: bool,
    },
    /// The answers to a question.
    Answers {
        /// The app's name for the question.
        number: u64,
        /// The answers.
        answers: Answers,
    },
    /// The node has left: it has no link and wants none.
    Left,
}

/// Why an app message was not sent. More reasons may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsent {
    /// The link leads to no neighbour, or not any more; or the node is not in a tree.
    #[error("there is no such neighbour")]
    NotConnected,
    /// Only the root may broadcast, reply or ask.
    #[error("only the root may do that")]
    NotRoot,
    /// This node is the root that the message was for.
    #[error("this node is the root")]
    IsRoot,
    /// The payload exceeds [`max_message`](crate::Config::max_message), or the last one
    /// [`MAX_LAST`](crate::wire::MAX_LAST).
    #[error("the message is longer than its limit")]
    TooLong,
    /// The root has ended its stream.
    #[error("the stream has ended")]
    Ended,
    /// A neighbour takes no more now; [`Notification::Writable`], [`Notification::RoomToBroadcast`] or
    /// [`Notification::RoomToSendUp`] tells when it does, or its link is closed and it never will. Or more than
    /// [`max_asks`](crate::Config::max_asks) questions are open.
    #[error("a neighbour takes no more messages now")]
    Backlog,
}
