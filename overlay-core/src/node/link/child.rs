//! A link to a child, and to a candidate: a child-to-be whose link has not greeted yet.

use alloc::boxed::Box;

use crate::census::Census;
use crate::id::{JoinId, NodeId};
use crate::time::Instant;

/// A child-to-be. It holds a slot until it becomes a child, or fails.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) join: JoinId,
    /// The subtree that it brings, and the same once all the joins that wait for it are in.
    pub(crate) subtree: Box<Forecast>,
    /// Whether it has a parent already.
    pub(crate) moves: bool,
    pub(crate) channel: Channel,
    pub(crate) deadline: Instant,
}

/// The candidate's data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Not open yet: no frame can come.
    Connecting,
    /// Open: the greeting is to come.
    Open,
}

#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) node: NodeId,
    /// Its subtree as it last reported it, and the same once all the joins sent there are in.
    pub(crate) subtree: Box<Forecast>,
    /// The number of joins that were sent there.
    pub(crate) requests: u32,
    pub(crate) intake: Intake,
}

/// Whether joins are sent to a child. A subtree moves only out of a slot that takes no joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// Joins are sent there.
    Open,
    /// Closed: the child is invited to go elsewhere.
    Invited,
    /// Closed: it has asked for a slot elsewhere.
    Relocating,
    /// Closed for good: it leaves the tree.
    Leaving,
}

/// The knowledge of a subtree, and its prediction. Boxed, because every node has a table of links, and
/// most have no child.
#[derive(Debug)]
pub(crate) struct Forecast {
    pub(crate) known: Census,
    pub(crate) predicted: Census,
}

impl Candidate {
    /// Whether a greeting in the name of this join may come now.
    pub(crate) fn may_greet(&self, join: JoinId) -> bool {
        self.channel == Channel::Open && self.join == join
    }

    /// The candidate has proved to be the joiner that it said it is.
    pub(crate) fn greeted(self) -> Child {
        Child {
            node: self.join.origin,
            subtree: self.subtree,
            requests: 0,
            intake: Intake::Open,
        }
    }
}

impl Intake {
    /// The child is asked to go elsewhere.
    pub(crate) const fn invited(self) -> Option<Self> {
        match self {
            Self::Open => Some(Self::Invited),
            Self::Invited | Self::Relocating | Self::Leaving => None,
        }
    }

    /// The child asks for a slot elsewhere: once for each invitation.
    pub(crate) const fn asked(self) -> Option<Self> {
        match self {
            Self::Invited => Some(Self::Relocating),
            Self::Open | Self::Relocating | Self::Leaving => None,
        }
    }

    /// The child leaves the tree, whatever it was asked before.
    pub(crate) const fn left(self) -> Self {
        match self {
            Self::Open | Self::Invited | Self::Relocating | Self::Leaving => Self::Leaving,
        }
    }

    /// Nothing came of the invitation.
    pub(crate) const fn stayed(self) -> Option<Self> {
        match self {
            Self::Invited | Self::Relocating => Some(Self::Open),
            Self::Open | Self::Leaving => None,
        }
    }
}

impl Child {
    /// Whether joins are sent to this child.
    pub(crate) fn is_open(&self) -> bool {
        self.intake == Intake::Open
    }
}
