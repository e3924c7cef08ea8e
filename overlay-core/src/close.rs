//! Why links are closed.

use crate::wire::{RejectReason, WireError};

/// The reason for which a link is closed. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// The child has taken nothing for a [`stall_timeout`](crate::Config::stall_timeout), and the tree's policy is to
    /// [`Disconnect`](crate::SlowPolicy::Disconnect) such nodes.
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
    /// The neighbour sent bytes that are no frame.
    #[error("the neighbour sent garbage: {0}")]
    Malformed(WireError),
    /// The neighbour broke the protocol.
    #[error("the neighbour broke the protocol: {0}")]
    ProtocolError(ProtocolError),
}

/// A way in which a neighbour breaks the protocol. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame that does not belong to the link's present state.
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
    /// A window too small for the longest record.
    #[error("window too small")]
    SmallWindow,
    /// A last message above [`MAX_LAST`](crate::wire::MAX_LAST).
    #[error("last message too long")]
    LongLast,
    /// Bytes that are no records of app messages, or not in an order that makes messages.
    #[error("not a part of a message")]
    BadRecord,
    /// A position that no stream comes to.
    #[error("impossible position")]
    BadPosition,
    /// A message above this node's [`max_message`](crate::Config::max_message).
    #[error("message too long")]
    LongMessage,
    /// A message to the root, reply, question or answer that no honest neighbour sends.
    #[error("not a message that passes")]
    BadMessage,
    /// More app messages than this node has granted.
    #[error("sent more than it was granted")]
    WindowExceeded,
}
