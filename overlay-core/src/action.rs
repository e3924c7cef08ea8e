//! What a node wants done.

use core::time::Duration;

use bytes::Bytes;

use crate::census::Census;
use crate::id::{BootstrapId, Epoch, LinkId, NodeId};
use crate::signal::{Sdp, Signal};
use crate::wire::{Refusal, RejectReason, WireError};

/// Something for the embedder to do, in the order given.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a WebRTC connection with one ordered, reliable data channel.
    OpenLink(LinkId, Dial),
    /// Give the connection a signal of the other side.
    ApplySignal(LinkId, Signal),
    /// Send one message on the link's data channel.
    Transmit(LinkId, Bytes),
    /// Close the connection, after what was transmitted before. No event about it is expected.
    CloseLink(LinkId, CloseReason),
    /// Connect to a bootstrap server.
    ConnectBootstrap(BootstrapId),
    /// Send one message to the server.
    SendBootstrap(BootstrapId, Bytes),
    /// Close the connection to the server, after what was sent before.
    CloseBootstrap(BootstrapId),
    /// Hand an app message to the app, and its receipt back when the app has taken it.
    Deliver(Delivery),
    /// Tell the app.
    Notify(Notification),
}

/// Which side of the WebRTC handshake a link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dial {
    /// Make an offer.
    Offer,
    /// Answer this offer.
    Answer(Sdp),
}

/// An app message that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The link it came through.
    pub link: LinkId,
    /// The neighbour at its other end.
    pub from: NodeId,
    /// Whether it was for this node alone or for the whole tree.
    pub scope: Scope,
    /// The app's bytes.
    pub payload: Bytes,
    /// What to hand back.
    pub receipt: Receipt,
}

/// Whom an app message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This node, from its neighbour.
    Direct,
    /// Every node, from the root.
    Broadcast,
}

/// The right of a delivered message's sender to send as much again. Hand it back with
/// [`EventKind::Consumed`](crate::EventKind::Consumed) when the app has taken the message; a receipt
/// that is dropped shrinks the sender's window for good. Can't be copied, so it can't be used twice.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the sender may send no more until this comes back"]
pub struct Receipt(pub(crate) Held);

/// What a receipt releases.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Direct { link: LinkId, cost: u32 },
    Broadcast { number: usize },
}

/// What an app wants to know. No answer is needed.
#[derive(Debug, PartialEq, Eq)]
pub enum Notification {
    /// The node has a parent: it is in the tree.
    ParentConnected {
        /// The link to it.
        link: LinkId,
        /// The parent.
        node: NodeId,
        /// How many links lie between the root and this node.
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
        /// How long it had none.
        took: Duration,
        /// The new parent.
        new_parent: NodeId,
    },
    /// The server knows another root. This node joins its tree like anybody else, and is the next root if it is the
    /// first in line when that one is gone.
    Standby {
        /// The other's epoch.
        epoch: Epoch,
    },
    /// This node is the root now.
    Promoted {
        /// The epoch that begins.
        epoch: Epoch,
    },
    /// This node is the root no more: while the server could not reach it, another one has taken over. It joins
    /// that one's tree, with all that stands below it.
    SteppedDown {
        /// The other's epoch.
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
    },
    /// Something above has moved: the node stands elsewhere now, with the same parent.
    PathChanged {
        /// How many links lie between the root and this node.
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
        /// When the node tries again. It does so until it is told to leave, or the server refuses it for good: any
        /// node on the way may reject, and none of them may send another away for ever.
        retry_in: Duration,
    },
    /// The server has this node registered, as a joiner, a standby or the root;
    /// [`Promoted`](Self::Promoted) tells if it is the root.
    BootstrapReady,
    /// There is no connection to the server, though there should be one.
    BootstrapLost {
        /// What the server said, if it said something.
        refusal: Option<Refusal>,
        /// When the node tries again; `None` if another attempt can't succeed: then a joiner leaves,
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
    /// Broadcasts of the root have passed while this node, or one above it, was not in the tree. They will not
    /// come any more. A node is told how many when it knows, before the next broadcast.
    BroadcastsMissed(u64),
    /// A neighbour that a message was refused for ([`Unsent::Backlog`]) takes messages again.
    Writable(LinkId),
    /// The node has left: it has no link and wants none.
    Left,
}

/// Why an app message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The link leads to no neighbour, or not any more.
    #[error("there is no such neighbour")]
    NotConnected,
    /// Only the root may broadcast.
    #[error("only the root may broadcast")]
    NotRoot,
    /// The payload exceeds [`MAX_PAYLOAD`](crate::wire::MAX_PAYLOAD).
    #[error("the message is longer than {} bytes", crate::wire::MAX_PAYLOAD)]
    TooLong,
    /// A neighbour takes no more now; [`Notification::Writable`] tells when it does, or its link is
    /// closed and it never will.
    #[error("a neighbour takes no more messages now")]
    Backlog,
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The connection failed, or was closed without a goodbye.
    #[error("the connection was lost")]
    Lost,
    /// The neighbour said nothing for [`link_timeout`](crate::Config::link_timeout).
    #[error("the neighbour fell silent")]
    Silent,
    /// The handshake took longer than [`request_timeout`](crate::Config::request_timeout).
    #[error("the handshake took too long")]
    Timeout,
    /// The neighbour leaves the tree.
    #[error("the neighbour left")]
    PeerLeft,
    /// The neighbour goes on without this link.
    #[error("the neighbour closed the link")]
    PeerClosed,
    /// This node leaves the tree.
    #[error("this node left")]
    Left,
    /// The child has another parent now.
    #[error("the child moved to another parent")]
    Moved,
    /// The embedder closed it.
    #[error("closed by this side")]
    Closed,
    /// The neighbour has not taken what a former parent sent, and the new one sends more. Only then:
    /// otherwise a slow child slows its parent.
    #[error("the neighbour takes too little")]
    Slow,
    /// The join it was for was rejected.
    #[error("the join was rejected")]
    Rejected(RejectReason),
    /// The join it was for was given up by the joiner.
    #[error("the joiner gave up")]
    Cancelled,
    /// The same node has come back on another link.
    #[error("the same node came back on another link")]
    Replaced,
    /// The neighbour sent what is no frame.
    #[error("the neighbour sent garbage: {0}")]
    Malformed(WireError),
    /// The neighbour broke the protocol.
    #[error("the neighbour broke the protocol: {0}")]
    Violation(Violation),
}

/// How a neighbour can break the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame that has no place in the link's present state.
    #[error("unexpected frame")]
    UnexpectedFrame,
    /// A greeting for another join than the one that the link was opened for.
    #[error("greeting for another join")]
    WrongJoin,
    /// A path that does not end at the neighbour, leads through this node, or is too long.
    #[error("impossible path")]
    BadPath,
    /// An epoch below the one that this node has seen.
    #[error("stale epoch")]
    StaleEpoch,
    /// A window too small for the longest message.
    #[error("window too small")]
    SmallWindow,
    /// More app messages than this node has granted.
    #[error("sent more than it was granted")]
    WindowExceeded,
}
