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
use crate::node::effects::Effects;
use crate::node::routing::Peer;
use crate::time::Instant;

pub(crate) use attempt::failure;
pub(crate) use draining::Draining;
pub(crate) use joining::{Joining, Step};

/// The node's role, and how many attempts it has made.
#[derive(Debug)]
pub(crate) struct Upstream {
    membership: Membership,
    /// The number of attempts to get a parent in the life of this node.
    attempts: u32,
}

/// The place of a node in relation to the tree.
///
/// | from | by | to |
/// |---|---|---|
/// | detached | the app: join | joining |
/// | joining, member | a parent's welcome | member |
/// | joining, member, root | a lost parent, another root | joining |
/// | detached, joining, member | the app, the server | root |
/// | member | the app: leave, with children | draining |
/// | any but detached | the app: leave; the children have gone | leaving |
/// | leaving | the last link has closed | detached |
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

/// An act that is due.
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

    pub(crate) const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The app wants to join a tree. False if the node is in one, or on its way.
    pub(crate) fn join(&mut self) -> bool {
        let detached = matches!(self.membership, Membership::Detached);
        if detached {
            self.membership = Membership::Joining(Joining::newcomer());
        }
        detached
    }

    /// A parent has welcomed this node.
    pub(crate) fn arrive(&mut self, parent: LinkId) {
        debug_assert!(
            matches!(
                self.membership,
                Membership::Joining(_) | Membership::Member { .. }
            ),
            "a node arrives that was looking for a parent"
        );
        let moving = None;
        self.membership = Membership::Member { parent, moving };
    }

    /// This node is the root.
    pub(crate) fn lead(&mut self) {
        debug_assert!(
            !matches!(
                self.membership,
                Membership::Draining(_) | Membership::Leaving
            ),
            "a node that leaves does not lead"
        );
        self.membership = Membership::Root;
    }

    /// This node leaves as soon as its children have other parents. Returns its own, which they ask; `None`, and nothing
    /// has changed, if it has none.
    pub(crate) fn drain(&mut self, fx: &Effects) -> Option<LinkId> {
        let Membership::Member { parent, .. } = self.membership else {
            return None;
        };
        self.membership = Membership::Draining(Draining::new(parent, fx));
        Some(parent)
    }

    /// This node says goodbye to all neighbours.
    pub(crate) fn leave(&mut self) {
        self.membership = Membership::Leaving;
    }

    /// The last link of a leaving node has closed. False if the node does not leave.
    pub(crate) fn left(&mut self) -> bool {
        let leaving = matches!(self.membership, Membership::Leaving);
        if leaving {
            self.membership = Membership::Detached;
        }
        leaving
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

    /// The facts that other components are told.
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

    /// The act that is due, once each time.
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
