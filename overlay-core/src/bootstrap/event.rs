//! What a relay is told, and what it wants done.

use bytes::Bytes;

use crate::id::{ConnectionId, Epoch, NodeId};
use crate::time::Instant;
use crate::wire::{OverlayName, Refusal};

/// Something has happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When. A time before that of an earlier input counts as that one.
    pub now: Instant,
    /// What.
    pub kind: EventKind,
}

/// What can happen to a relay. An event about a connection that is gone changes nothing.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// A client has sent a message.
    Message {
        /// From whom.
        connection: ConnectionId,
        /// The message: one [`ClientFrame`](crate::wire::ClientFrame), if all is well.
        bytes: Bytes,
    },
    /// A connection has ended, from the other side or by a failure.
    Closed {
        /// Which one.
        connection: ConnectionId,
    },
    /// [`Server::next_deadline`](super::Server::next_deadline) has come.
    Timeout,
    /// The server goes down: every client is told and disconnected, and none is accepted any more.
    Shutdown,
}

/// What a relay wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a message to a client.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// One [`ServerFrame`](crate::wire::ServerFrame).
        bytes: Bytes,
    },
    /// End a connection once what was sent to it is on its way: the last of it tells the client why
    /// and when to come back. The relay has forgotten the connection already.
    Close {
        /// Which one.
        connection: ConnectionId,
        /// Why, for the server's log.
        refusal: Refusal,
    },
    /// Nothing to do: for the server's log.
    Notify(Notice),
}

/// What an operator may want to read in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An overlay has got its root.
    RootRegistered {
        /// Which overlay.
        overlay: OverlayName,
        /// The root.
        id: NodeId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// An overlay has lost its root.
    RootLost {
        /// Which overlay.
        overlay: OverlayName,
        /// Who was its root.
        id: NodeId,
    },
}

/// A client finds no place: send it the farewell and hang up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not accepted: {refusal}")]
pub struct NotAccepted {
    /// Why.
    pub refusal: Refusal,
    /// One [`ServerFrame`](crate::wire::ServerFrame) that says why and when to come back.
    pub farewell: Bytes,
}
