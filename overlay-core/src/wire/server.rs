//! What a node and a bootstrap server say to each other.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::JoinFrame;
use crate::bounded::{Text, TooLong};
use crate::id::{Epoch, NodeId};

/// Longest name of an overlay, in bytes.
pub const MAX_OVERLAY_NAME: usize = 64;

/// Longest root token, in bytes.
pub const MAX_TOKEN: usize = 256;

/// Names a tree among those that one server introduces newcomers to.
pub type OverlayName = Text<MAX_OVERLAY_NAME>;

/// What a root proves its right with. Never printed.
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

/// Lets a node that lost its connection take its place over from the dead one: whoever knows the id
/// alone can't. Drawn from the node's seed, told to the server only, never printed.
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

/// What a client wants to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// A node in search of a parent.
    Joiner,
    /// The root, to whom joiners are introduced; or, while there is another, who stands by to be it.
    Root {
        /// The proof of its right.
        token: Token,
        /// The highest epoch that it has seen; 0 if none.
        epoch: Epoch,
        /// Whether it is the root of that epoch, and has only lost its connection.
        reigning: bool,
    },
}

/// What a server has made of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Post {
    /// A joiner: its requests go to the root. So is one who knows the token, if there are standbys enough.
    Joiner,
    /// A joiner that becomes the root when the overlay has lost its own.
    Standby,
    /// The root.
    Root,
}

/// From a node to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientFrame {
    /// The first frame.
    Hello {
        /// The sender's protocol version.
        version: u16,
        /// Which tree.
        overlay: OverlayName,
        /// Who the sender is.
        id: NodeId,
        /// For taking over from a dead connection of the same node.
        secret: ResumeSecret,
        /// What it wants to be.
        registration: Registration,
    },
    /// Holds the second opening tag, as in the other vocabularies; no client sends it.
    Reserved {
        /// The sender's protocol version.
        version: u16,
    },
    /// Asks for a [`ServerFrame::Pong`].
    Ping,
    /// A join's traffic.
    Join(JoinFrame),
    /// From a root that leaves for good: a standby need not wait for it to come back.
    Abdicate,
}

/// From the server to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFrame {
    /// The client is registered.
    Welcome {
        /// The sender's protocol version.
        version: u16,
        /// The client sends something at least this often, in milliseconds; silence of twice as
        /// long ends the connection, from either side.
        keepalive_ms: u32,
        /// What the client is now.
        post: Post,
        /// The overlay's epoch: the root's own, or that of the root whom joiners are introduced to. 0 if
        /// there has been none.
        epoch: Epoch,
        /// How long a root may take joiners in after it has asked for a sign of life that was answered, in
        /// milliseconds. Nobody else is made the root before that is over.
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
    /// A join's traffic.
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
}

/// Why a server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
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
    /// A connection of the same node has taken this one's place.
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
