//! Events and actions of a server.

use bytes::Bytes;

use crate::id::{ConnectionId, Epoch, JoinId, NodeId};
use crate::time::Instant;
use crate::wire::{ClientRole, OverlayName, Refusal, RejectReason};

/// An input of a server: what has happened, and when.
#[derive(Clone, Debug)]
pub struct Event {
    /// The present time. If it is before an earlier input's time, that one is used.
    pub now: Instant,
    /// The kind of event.
    pub kind: EventKind,
}

/// A kind of event. An event about a connection that is gone changes nothing.
///
/// A driver knows all the kinds, and loses a client if it leaves one out. So a new one is a breaking change, and the
/// enum is exhaustive.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// A message of a client has come.
    Message {
        /// The client's connection.
        connection: ConnectionId,
        /// One [`ClientFrame`](crate::wire::ClientFrame), from a client of this protocol.
        bytes: Bytes,
    },
    /// A connection has ended, by the client or by a failure.
    Closed {
        /// The connection.
        connection: ConnectionId,
    },
    /// [`Server::next_deadline`](super::Server::next_deadline) has come.
    Timeout,
    /// The server shuts down. It disconnects every client, each with a time to come back, and accepts no more.
    Shutdown,
}

/// A command for the driver of a server. Commands are carried out in order.
/// Exhaustive, because each kind must be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a message to a client.
    Send {
        /// The client's connection.
        connection: ConnectionId,
        /// One [`ServerFrame`](crate::wire::ServerFrame).
        bytes: Bytes,
    },
    /// End a connection once its last message is on its way: that tells the client why, and when to come back. The
    /// server has forgotten the connection already.
    Close {
        /// The connection.
        connection: ConnectionId,
        /// The reason, for the server's log.
        refusal: Refusal,
    },
    /// Tell the operator. Nothing else depends on it.
    Notify(Notice),
}

/// News for the operator's log. More may come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A client has said what it is, and has a role.
    Registered {
        /// Its connection.
        connection: ConnectionId,
        /// The overlay.
        overlay: OverlayName,
        /// The node's id.
        id: NodeId,
        /// The role.
        role: ClientRole,
    },
    /// A joiner is introduced to the root: its request is passed on.
    JoinPassed {
        /// The join.
        join: JoinId,
    },
    /// A join has failed, at the root or here.
    JoinRejected {
        /// The join.
        join: JoinId,
        /// The reason.
        reason: RejectReason,
    },
    /// The root has ended its stream. Those that come are told for a while.
    StreamEnded {
        /// The overlay.
        overlay: OverlayName,
        /// The root.
        id: NodeId,
    },
    /// An overlay has a root now.
    RootRegistered {
        /// The overlay.
        overlay: OverlayName,
        /// The root.
        id: NodeId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// An overlay has lost its root.
    RootLost {
        /// The overlay.
        overlay: OverlayName,
        /// The former root.
        id: NodeId,
    },
}

/// A client is not accepted: send it the farewell, then close its connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not accepted: {refusal}")]
pub struct NotAccepted {
    /// The reason.
    pub refusal: Refusal,
    /// One [`ServerFrame`](crate::wire::ServerFrame), which tells the client why, and when to come back.
    pub farewell: Bytes,
}
