//! The node's relation to what is above it: its role in the tree, and its own attempts to get a parent.
//!
//! | file | idea |
//! |---|---|
//! | `joining` | a node without a parent tries again and again, until it has one |
//! | `attempt` | one attempt, of a node that joins or of one that moves |
//! | `draining` | a node that leaves waits until its children have other parents |

mod attempt;
mod draining;
mod joining;

use crate::id::LinkId;
use crate::node::ancestry::Above;
use crate::node::routing::Peer;
use crate::time::Instant;

pub(crate) use attempt::failure;
pub(crate) use draining::Draining;
pub(crate) use joining::{Joining, Step};

/// The node's role, and how many attempts it has made.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) membership: Membership,
    /// How many attempts to get a parent this node has made in its life.
    attempts: u32,
}

/// Where a node is in relation to the tree.
#[derive(Debug)]
pub(crate) enum Membership {
    /// Not in the tree, and not about to be.
    Detached,
    /// Looking for a parent, perhaps with a subtree.
    Joining(Joining),
    /// Below a parent.
    Member {
        parent: LinkId,
        /// The attempt to get another parent.
        moving: Option<LinkId>,
    },
    /// Below a parent, and about to leave as soon as its children have other parents.
    Draining(Draining),
    /// At the top.
    Root,
    /// Saying goodbye to all neighbours.
    Leaving,
}

/// What it is time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The next attempt to join.
    Attempt,
    /// Children that have not asked for other slots count as dead: is any other still waited for?
    Look,
    /// The children have had all the time that they get.
    Goodbye,
}

impl Upstream {
    pub(crate) const fn new() -> Self {
        Self {
            membership: Membership::Detached,
            attempts: 0,
        }
    }

    /// The link to the parent.
    pub(crate) const fn parent(&self) -> Option<LinkId> {
        match &self.membership {
            Membership::Member { parent, .. } => Some(*parent),
            Membership::Draining(draining) => Some(draining.parent),
            Membership::Detached
            | Membership::Joining(_)
            | Membership::Root
            | Membership::Leaving => None,
        }
    }

    /// The link of the attempt that is under way.
    pub(crate) const fn attempt(&self) -> Option<LinkId> {
        match &self.membership {
            Membership::Joining(joining) => joining.attempt(),
            Membership::Member { moving, .. } => *moving,
            Membership::Detached
            | Membership::Draining(_)
            | Membership::Root
            | Membership::Leaving => None,
        }
    }

    /// Whether the attempt that is under way is a move.
    pub(crate) const fn is_moving(&self) -> bool {
        matches!(
            self.membership,
            Membership::Member {
                moving: Some(_),
                ..
            }
        )
    }

    /// Whether the root is on that side, or the server that introduces to it.
    pub(crate) fn is_above(&self, peer: Peer) -> bool {
        match peer {
            Peer::Server(_) => true,
            Peer::Link(link) => self.parent() == Some(link),
        }
    }

    pub(crate) const fn is_root(&self) -> bool {
        matches!(self.membership, Membership::Root)
    }

    /// What components below are told of all this.
    pub(crate) const fn above(&self) -> Above {
        Above {
            parent: self.parent(),
            is_root: self.is_root(),
            leaves: self.is_draining(),
        }
    }

    pub(crate) const fn is_draining(&self) -> bool {
        matches!(self.membership, Membership::Draining(_))
    }

    /// What it is time for, once each time.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        match &mut self.membership {
            Membership::Joining(joining) => joining.is_due(now).then_some(Due::Attempt),
            Membership::Draining(draining) => draining.due(now),
            Membership::Detached
            | Membership::Member { .. }
            | Membership::Root
            | Membership::Leaving => None,
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.membership {
            Membership::Joining(joining) => joining.next_deadline(),
            Membership::Draining(draining) => Some(draining.next_deadline()),
            Membership::Detached
            | Membership::Member { .. }
            | Membership::Root
            | Membership::Leaving => None,
        }
    }
}
