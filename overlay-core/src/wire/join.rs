//! The traffic of a join. The same frames travel on links and on server connections, because a
//! join's route may have both.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::census::Census;
use crate::id::JoinId;
use crate::path::Path;
use crate::signal::{Sdp, Signal};

/// A frame on its way along a join's route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinFrame {
    /// Towards the acceptor: a joiner wants a parent.
    Request(JoinRequest),
    /// Either way: the acceptor's answer, or an ICE candidate of either side.
    Signal {
        /// The join that the signal belongs to.
        join: JoinId,
        /// The signal.
        signal: Signal,
    },
    /// Towards the joiner: this attempt has failed.
    Reject {
        /// The join that has failed.
        join: JoinId,
        /// Why, and when to try again.
        rejection: Rejection,
    },
    /// Towards the acceptor: the joiner has given this attempt up.
    Cancel {
        /// The join that is given up.
        join: JoinId,
    },
}

impl JoinFrame {
    /// The join that the frame belongs to.
    #[must_use]
    pub const fn join(&self) -> JoinId {
        match self {
            Self::Request(request) => request.join,
            Self::Signal { join, .. } | Self::Reject { join, .. } | Self::Cancel { join } => *join,
        }
    }
}

/// A joiner's request for a parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The joiner, and which of its attempts this is.
    pub join: JoinId,
    /// The joiner's side of the WebRTC handshake.
    pub offer: Sdp,
    /// The subtree that comes with the joiner: one node, or what an orphan has kept.
    pub census: Census,
    /// The number of nodes that have passed the request on.
    pub hops: u8,
    /// The time that it has waited for candidates at those nodes, in milliseconds.
    pub waited_ms: u32,
    /// How the request comes into the tree.
    pub kind: JoinKind,
    /// At an orphan's first attempt: the path of the parent that it has lost. Empty otherwise.
    pub lost: Path,
}

/// How a request comes into the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinKind {
    /// From outside, introduced by the server: a newcomer, or a node that has lost its parent.
    Introduced,
    /// From inside: a node that has a parent and was invited to go elsewhere.
    Move {
        /// The levels that it still goes up from its sender; the node there places the joiner.
        /// [`TO_THE_ROOT`] is up to the root. 0 as soon as it goes down.
        up: u8,
        /// The depth below its receiver at which the joiner may be at most; [`ANY_DEPTH`] is no limit.
        max_depth: u8,
    },
}

/// The `up` of a move for which the root finds the slot.
pub const TO_THE_ROOT: u8 = u8::MAX;

/// The `max_depth` of a move that may end at any depth.
pub const ANY_DEPTH: u8 = u8::MAX;

impl JoinKind {
    /// The depth below the receiver at which the joiner may be at most.
    pub(crate) const fn max_depth(self) -> u8 {
        match self {
            Self::Introduced => ANY_DEPTH,
            Self::Move { max_depth, .. } => max_depth,
        }
    }

    /// The same for a request that is sent one level down.
    pub(crate) const fn below(self) -> Self {
        match self {
            Self::Introduced => Self::Introduced,
            Self::Move { max_depth, .. } => Self::Move {
                up: 0,
                max_depth: if max_depth == ANY_DEPTH {
                    ANY_DEPTH
                } else {
                    max_depth.saturating_sub(1)
                },
            },
        }
    }

    /// Whether the joiner has a parent already.
    pub(crate) const fn is_move(self) -> bool {
        matches!(self, Self::Move { .. })
    }
}

/// Why an attempt has failed. More reasons may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum RejectReason {
    /// No node of the tree has a free slot.
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
    /// A rejection for this reason, until that much time has passed.
    #[must_use]
    pub fn new(reason: RejectReason, retry_after: Duration) -> Self {
        Self {
            reason,
            retry_after_ms: u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX),
        }
    }

    /// The least time until the next attempt.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        Duration::from_millis(self.retry_after_ms as u64)
    }
}
