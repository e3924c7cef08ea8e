//! A link towards a parent-to-be: this node's own attempt to join, or to move.

use alloc::boxed::Box;

use crate::census::Census;
use crate::id::{Epoch, JoinId, NodeId};
use crate::path::Path;
use crate::position::Position;
use crate::slow::SlowPolicy;
use crate::time::Instant;
use crate::wire::JoinKind;

/// One attempt to get a parent, from the offer to the welcome.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) join: JoinId,
    /// Whether the request and its signals go through the server, or through the present parent.
    pub(crate) kind: JoinKind,
    /// The census of this node's subtree in the request.
    pub(crate) census: Box<Census>,
}

/// An attempt that has not been welcomed yet.
#[derive(Debug)]
pub(crate) struct Dialing {
    pub(crate) attempt: Attempt,
    pub(crate) stage: Stage,
    /// When the present stage has taken too long.
    pub(crate) deadline: Instant,
}

/// A parent's account of itself when it welcomes a child.
#[derive(Clone, Debug)]
pub(crate) struct Welcome {
    pub(crate) id: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) path: Path,
    pub(crate) window: u32,
    /// Where its stream begins.
    pub(crate) position: Position,
    /// Whether the stream has ended there.
    pub(crate) ended: bool,
    /// The tree's policy.
    pub(crate) slow: SlowPolicy,
}

/// The stage of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The embedder makes the offer.
    Offering,
    /// The request is on its way.
    Requested,
    /// An acceptor has answered.
    Answered,
    /// The channel is open and the greeting sent.
    Greeted,
}

impl Stage {
    /// The embedder has made the offer.
    pub(crate) const fn offered(self) -> Option<Self> {
        match self {
            Self::Offering => Some(Self::Requested),
            Self::Requested | Self::Answered | Self::Greeted => None,
        }
    }

    /// The acceptor's answer has come.
    pub(crate) const fn answered(self) -> Option<Self> {
        match self {
            Self::Requested => Some(Self::Answered),
            Self::Offering | Self::Answered | Self::Greeted => None,
        }
    }

    /// The channel has opened.
    pub(crate) const fn opened(self) -> Option<Self> {
        match self {
            Self::Answered => Some(Self::Greeted),
            Self::Offering | Self::Requested | Self::Greeted => None,
        }
    }
}

impl Dialing {
    pub(crate) fn new(join: JoinId, kind: JoinKind, deadline: Instant) -> Self {
        let census = Box::default();
        Self {
            attempt: Attempt { join, kind, census },
            stage: Stage::Offering,
            deadline,
        }
    }
}
