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
    /// From where it set out.
    pub way: Way,
    /// At an orphan's first attempt: the path of the parent that it has lost. Empty otherwise.
    pub lost: Path,
}

/// From where a request sets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Outside the tree, by way of the server: a newcomer, or a node that has lost its parent.
    Server,
    /// Inside the tree: a node that has a parent and was invited to go elsewhere.
    Move {
        /// How many levels it still has to climb from its sender; the node there places the joiner.
        /// [`TO_THE_TOP`] is up to the root. 0 on its way down.
        climb: u8,
        /// How many levels below its receiver the joiner comes to stand at most; [`ANYWHERE`] is no limit.
        within: u8,
    },
}

/// The `climb` of a move for which the root finds the place.
pub const TO_THE_TOP: u8 = u8::MAX;

/// The `within` of a move that may end at any depth.
pub const ANYWHERE: u8 = u8::MAX;

impl Way {
    /// How many levels below the receiver the joiner comes to stand at most.
    pub(crate) const fn within(self) -> u8 {
        match self {
            Self::Server => ANYWHERE,
            Self::Move { within, .. } => within,
        }
    }

    /// The same for a request that is sent one level down.
    pub(crate) const fn below(self) -> Self {
        match self {
            Self::Move { within, .. } if within != ANYWHERE => Self::Move {
                climb: 0,
                within: within.saturating_sub(1),
            },
            Self::Move { within, .. } => Self::Move { climb: 0, within },
            Self::Server => Self::Server,
        }
    }

    /// Whether the joiner has a parent already.
    pub(crate) const fn is_move(self) -> bool {
        matches!(self, Self::Move { .. })
    }
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
