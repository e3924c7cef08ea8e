//! Rebalancing: after departures, nodes are invited up to where slots have become free.
//!
//! A node looks at what its children have reported. When it knows a free slot at depth `p` below itself, and in
//! the subtree of another child a node deeper than `p`, it invites the node at depth `p + 1` on the route to the
//! deepest leaf there: that one moves to depth `p`, with all below it. So a whole subtree rises with one link
//! moved, and the hole sinks a level. There another move fills it, until it has come to the lowest level. Where
//! slot and leaf are below the same child, that child sees it.
//!
//! This comes to an end: the node that moves was at depth `p + 1` and must end at `p` at most, or it
//! stays. So every such move makes the sum of all depths smaller. When no
//! node sees anything to do, no slot is free above the deepest leaf: the tree is the complete one.
//!
//! One invitation at a time, `rebalance_interval` apart, and only for a slot that has been free for that long:
//! mostly a newcomer or an orphan takes it, and saves the move.

use super::placement::{Branch, View};
use crate::id::LinkId;
use crate::node::effects::Effects;
use crate::policy::Policy;
use crate::time::Instant;
use crate::wire::{ANY_DEPTH, Invitation};

/// Whether there is something to rebalance, and since when.
#[derive(Debug, Default)]
pub(super) struct Rebalance {
    /// When a node is invited, if there still is one.
    due: Option<Instant>,
}

impl Rebalance {
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The census has changed: `useful` if there is something to rebalance now.
    pub(super) fn looked(&mut self, useful: bool, fx: &Effects) {
        let due = fx.now + fx.config.rebalance_interval;
        let due = *self.due.get_or_insert(due);
        self.due = useful.then_some(due);
    }

    /// True once when it is time to invite a node.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }
}

impl View<'_> {
    /// The child in whose subtree a node is to be invited up, and the invitation.
    pub(super) fn invitation_up(&self) -> Option<(LinkId, Invitation)> {
        if self.fx.config.policy != Policy::Balanced {
            return None;
        }
        let own = self.slots.first_free().map(|_| 1);
        let slot_beside = |branch: &Branch| {
            let others = self.branches().filter(|other| other.link != branch.link);
            others.filter_map(|other| other.slot).chain(own).min()
        };
        // The deepest leaf and the shallowest slot may be below the same child; then the next deepest counts.
        let deepest = self.branches().max_by_key(Branch::by_depth)?;
        let others = self.branches().filter(|other| other.link != deepest.link);
        let next = others.max_by_key(Branch::by_depth);
        [Some(deepest), next]
            .into_iter()
            .flatten()
            .find_map(|branch| {
                let slot = slot_beside(&branch)?;
                (branch.depth > slot).then(|| (branch.link, Invitation::up_to(slot, slot)))
            })
    }

    /// The child in whose subtree the deepest leaf is, and the invitation of that one to a free slot here.
    pub(super) fn invitation_of_a_leaf(&self) -> Option<(LinkId, Invitation)> {
        let deepest = self.branches().max_by_key(Branch::by_depth)?;
        (deepest.depth >= 2).then(|| (deepest.link, Invitation::up_to(1, deepest.depth - 1)))
    }

    /// The child towards the deepest leaf, and the invitation for it to follow or to pass on.
    pub(super) fn invitation_deeper(&self, invitation: Invitation) -> Option<(LinkId, Invitation)> {
        let deepest = self.branches().max_by_key(Branch::by_depth)?;
        let deeper = Invitation {
            down: invitation.down.checked_sub(1)?,
            up: invitation.up.saturating_add(1),
            ..invitation
        };
        (deepest.depth >= usize::from(invitation.down)).then_some((deepest.link, deeper))
    }
}

impl Invitation {
    /// To the node `down` levels below the receiver: up to `depth` below this node.
    fn up_to(depth: usize, down: usize) -> Self {
        Self {
            down: u8::try_from(down).unwrap_or(ANY_DEPTH),
            up: 1,
            max_depth: u8::try_from(depth).unwrap_or(ANY_DEPTH),
        }
    }
}
