//! What a node and a bootstrap server say to each other.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{JoinFrame, MAX_LAST};
use crate::bounded::{List, Text, TooLong, text};
use crate::id::{Epoch, NodeId};
use crate::position::Position;

/// Longest name of an overlay, in bytes.
pub const MAX_OVERLAY_NAME: usize = 64;

/// Longest root token, in bytes.
pub const MAX_TOKEN: usize = 256;

text! {
    /// The name of a tree, among those that one server introduces joiners to.
    OverlayName, MAX_OVERLAY_NAME
}

/// The secret that lets a node register as a root. At most 256 bytes. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Text<MAX_TOKEN>);

impl Token {
    /// Takes `token` if it is short enough.
    pub fn new(token: impl Into<alloc::string::String>) -> Result<Self, TooLong> {
        Text::new(token).map(Self)
    }

    /// The token itself; don't log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The secret with which a node takes over from its own dead connection: a peer that knows the id alone can't.
/// Drawn from the node's seed, told to the server only, never printed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeSecret(pub(crate) [u8; 16]);

impl ResumeSecret {
    /// The secret with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for ResumeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeSecret(…)")
    }
}

/// The role that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// A node in search of a parent.
    Joiner,
    /// The root, to which joiners are introduced; or a standby, while there is another root.
    Root {
        /// The proof of its right.
        token: Token,
        /// The highest epoch that it has seen; 0 if none.
        epoch: Epoch,
        /// Whether it leads in that epoch, and has only lost its connection.
        leads: bool,
    },
}

/// The role that a server has given a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientRole {
    /// A joiner: its requests go to the root. So is a node that knows the token, if there are standbys enough.
    Joiner,
    /// A joiner that becomes the root when the overlay has lost its own.
    Standby,
    /// The root.
    Root,
}

/// A frame from a node to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientFrame {
    /// The first frame.
    Hello {
        /// The sender's protocol version.
        version: u16,
        /// The tree.
        overlay: OverlayName,
        /// The sender's id.
        id: NodeId,
        /// The proof that this is the same node as on an earlier connection.
        secret: ResumeSecret,
        /// The role that it asks for.
        registration: Registration,
    },
    /// Asks for a [`ServerFrame::Pong`].
    Ping,
    /// A frame of a join.
    Join(JoinFrame),
    /// From a root that leaves for good: a standby need not wait for it to come back.
    StepDown {
        /// Where its stream ended; `None` if it leaves before the end.
        ended: Option<Ended>,
    },
}

/// The end of a root's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The position of its last message.
    pub position: Position,
    /// That message's payload.
    pub last: List<u8, MAX_LAST>,
}

/// A frame from the server to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFrame {
    /// The client is registered.
    Welcome {
        /// The sender's protocol version.
        version: u16,
        /// The client sends something at least this often, in milliseconds; silence of twice as
        /// long ends the connection, from either side.
        keepalive_ms: u32,
        /// The client's role now.
        role: ClientRole,
        /// The overlay's epoch: the root's own, or that of the root to which joiners are introduced. 0 if
        /// there has been none.
        epoch: Epoch,
        /// The time for which a root may admit joiners after it has asked for a sign of life that was answered, in
        /// milliseconds. No other node is made the root before that is over.
        lease_ms: u32,
    },
    /// The client is not registered; the connection ends.
    Refused {
        /// The sender's protocol version.
        version: u16,
        /// Why.
        refusal: Refusal,
        /// The least time until the next attempt, in milliseconds.
        retry_after_ms: u32,
    },
    /// Answers a [`ClientFrame::Ping`].
    Pong,
    /// A frame of a join.
    Join(JoinFrame),
    /// To a joiner: the overlay has a root now, so there is no use in waiting any longer.
    RootReady {
        /// The root's epoch.
        epoch: Epoch,
    },
    /// To a standby: it is the root now.
    Promoted {
        /// The new root's epoch, higher than any before.
        epoch: Epoch,
    },
    /// To a joiner or a standby: the overlay has no root, because the stream of the latest one has ended. A standby is a
    /// joiner from here on.
    Ended(Ended),
}

/// Why a server ends a connection. More reasons may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The protocol versions differ.
    #[error("the protocol versions differ")]
    Version,
    /// The token is not the overlay's.
    #[error("wrong token")]
    WrongToken,
    /// The server carries no overlay of that name.
    #[error("the server carries no overlay of that name")]
    UnknownOverlay,
    /// Another client with the same node id is connected.
    #[error("another client with the same node id is connected")]
    IdInUse,
    /// A newer connection of the same node has taken over.
    #[error("a newer connection of the same node has taken over")]
    Superseded,
    /// The server, or the client's address, has as many connections as it may.
    #[error("too many connections")]
    TooManyConnections,
    /// The client sent more, faster or for longer than it may.
    #[error("over the server's limits")]
    RateLimited,
    /// The client said nothing for too long.
    #[error("silent for too long")]
    Silent,
    /// The client sent what no client of this protocol sends.
    #[error("not a client of this protocol")]
    Malformed,
    /// The server goes down.
    #[error("the server is shutting down")]
    ShuttingDown,
}
