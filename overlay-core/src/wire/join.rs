//! The traffic of a join. The same frames travel on links and on server connections, because a
//! join's route may have both.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::census::Census;
use crate::id::JoinId;
use crate::signal::{Sdp, Signal};

/// A frame on its way along a join's route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinFrame {
    /// Towards the acceptor: somebody wants a parent.
    Request(JoinRequest),
    /// Either way: the acceptor's answer, or a candidate of either side.
    Signal {
        /// Whose join.
        join: JoinId,
        /// The signal.
        signal: Signal,
    },
    /// Towards the joiner: this attempt has failed.
    Reject {
        /// Whose join.
        join: JoinId,
        /// Why, and when to try again.
        rejection: Rejection,
    },
    /// Towards the acceptor: the joiner has given this attempt up.
    Cancel {
        /// Whose join.
        join: JoinId,
    },
}

impl JoinFrame {
    /// Whose join the frame belongs to.
    #[must_use]
    pub const fn join(&self) -> JoinId {
        match self {
            Self::Request(request) => request.join,
            Self::Signal { join, .. } | Self::Reject { join, .. } | Self::Cancel { join } => *join,
        }
    }
}

/// The wish for a parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// Who asks, and which of its attempts this is.
    pub join: JoinId,
    /// The joiner's side of the WebRTC handshake.
    pub offer: Sdp,
    /// The subtree that comes with the joiner: one node, or what an orphan has kept.
    pub census: Census,
    /// How many nodes have passed the request on.
    pub hops: u8,
    /// How long it has waited for candidates at those nodes, in milliseconds.
    pub waited_ms: u32,
}

/// Why an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RejectReason {
    /// No node of the tree has a free place.
    #[error("the tree is full")]
    Full,
    /// Too many joins are under way.
    #[error("too many joins are under way")]
    Busy,
    /// The overlay has no root now.
    #[error("the overlay has no root now")]
    NoRoot,
    /// No connection came about in time.
    #[error("no connection came about in time")]
    Timeout,
    /// The joiner speaks a version of the protocol that the tree doesn't.
    #[error("the protocol versions differ")]
    Version,
    /// The joiner may not join this tree.
    #[error("not authorized")]
    Unauthorized,
    /// The request came to a node that descends from the joiner.
    #[error("the request came to a descendant of the joiner")]
    Loop,
}

/// Why an attempt has failed, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Why.
    pub reason: RejectReason,
    /// The least time until the next attempt, in milliseconds.
    pub retry_after_ms: u32,
}

impl Rejection {
    /// The least time until the next attempt.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        Duration::from_millis(self.retry_after_ms as u64)
    }
}
