//! Balance: after departures, nodes are invited up to where places have become free.
//!
//! A node looks at what its children have reported. When it knows a free place at depth `p` below itself, and in
//! the subtree of another child a node deeper than `p`, it invites the node at depth `p + 1` on the way to the
//! deepest leaf there: that one moves to depth `p`, with all below it. So a whole subtree rises with one link
//! moved, and the hole sinks a level; there another move fills it, until it has come to the lowest level. Where
//! place and leaf lie below the same child, that child sees it.
//!
//! This comes to an end: the mover stood at depth `p + 1` and must come to stand at `p` at most (`within`), or it
//! stays. So every move makes the sum of all depths smaller, and nothing here makes it greater. When no
//! node sees anything to do, no place is free above the deepest leaf: the tree is the complete one.
//!
//! One invitation at a time, `rebalance_interval` apart, and only for a place that has been free for that long:
//! mostly a newcomer or an orphan takes it, and saves the move.

use alloc::vec::Vec;

use super::link::{Child, Door, LinkState};
use super::{Node, Role};
use crate::action::Action;
use crate::id::LinkId;
use crate::policy::Policy;
use crate::time::Instant;
use crate::wire::{ANYWHERE, Invitation, JoinRequest, Way};

/// Whether there is something to balance, and since when.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// When somebody is invited, if there still is.
    due: Option<Instant>,
}

/// A child and what is below it, as far as depth is concerned.
#[derive(Clone, Copy)]
struct Branch {
    link: LinkId,
    /// How far below this node its deepest leaf stands.
    depth: usize,
    /// The same for its shallowest free place.
    place: Option<usize>,
    size: u32,
}

impl Balance {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl Node {
    /// The picture of the subtree has changed.
    pub(super) fn look_at_balance(&mut self) {
        let due = self.now + self.config.rebalance_interval;
        let due = *self.balance.due.get_or_insert(due);
        self.balance.due = self.uplift().map(|_| due);
    }

    pub(super) fn expire_balance(&mut self, out: &mut Vec<Action>) {
        if self.balance.due.is_none_or(|due| due > self.now) {
            return;
        }
        self.balance.due = None;
        if let Some((child, place)) = self.uplift() {
            let place = u8::try_from(place).unwrap_or(ANYWHERE);
            let invitation = Invitation {
                down: place,
                climb: 1,
                within: place,
            };
            self.invite(child, invitation, out);
        }
    }

    /// Passes an invitation on towards the deepest leaf.
    pub(super) fn invite_deeper(&mut self, invitation: Invitation, out: &mut Vec<Action>) {
        let deepest = self.branches().max_by_key(Branch::by_depth);
        if let Some(branch) = deepest
            && branch.depth >= usize::from(invitation.down)
        {
            let deeper = Invitation {
                down: invitation.down - 1,
                climb: invitation.climb.saturating_add(1),
                ..invitation
            };
            self.invite(branch.link, deeper, out);
        }
    }

    /// The child that makes room for a joiner who brings a higher subtree: the shortest, and of these the
    /// smallest. Not for a joiner that may only go so deep, nor for the sake of a single node.
    pub(super) fn shorter_child(&self, request: &JoinRequest) -> Option<LinkId> {
        let height = request.census.nodes().len();
        let anywhere = matches!(request.way, Way::Server) || request.way.within() == ANYWHERE;
        if self.config.policy != Policy::Balanced || height < 2 || !anywhere {
            return None;
        }
        let others = self.links_of_others(request);
        let shortest = others.min_by_key(Branch::by_depth)?;
        (shortest.depth < height).then_some(shortest.link)
    }

    /// In whose subtree somebody is to be invited to which depth.
    fn uplift(&self) -> Option<(LinkId, usize)> {
        let stands = matches!(self.role, Role::Root | Role::Member { .. });
        if self.config.policy != Policy::Balanced || !stands {
            return None;
        }
        let own = self.free_slot().map(|_| 1);
        let place_beside = |branch: &Branch| {
            let others = self.branches().filter(|other| other.link != branch.link);
            others.filter_map(|other| other.place).chain(own).min()
        };
        // The deepest leaf and the shallowest place may lie below the same child; then the next deepest counts.
        let deepest = self.branches().max_by_key(Branch::by_depth)?;
        let others = self.branches().filter(|other| other.link != deepest.link);
        let next = others.max_by_key(Branch::by_depth);
        [Some(deepest), next].into_iter().flatten().find_map(|branch| {
            let place = place_beside(&branch)?;
            (branch.depth > place).then_some((branch.link, place))
        })
    }

    /// The children that take joins.
    fn branches(&self) -> impl Iterator<Item = Branch> {
        self.slots.iter().flatten().filter_map(|&link| {
            match &self.links.get(link)?.state {
                LinkState::Child(child) if child.door == Door::Open => {
                    Some(Branch::of(link, child))
                }
                _ => None,
            }
        })
    }

    /// Those of them that are not the joiner itself.
    fn links_of_others(&self, request: &JoinRequest) -> impl Iterator<Item = Branch> {
        let origin = request.join.origin;
        let other = move |branch: &Branch| {
            let node = self.links.get(branch.link)?.state.neighbour()?;
            Some(node != origin)
        };
        self.branches()
            .filter(move |branch| other(branch) == Some(true))
    }
}

impl Branch {
    fn of(link: LinkId, child: &Child) -> Self {
        let known = &child.subtree.known;
        let place = child.subtree.predicted.shallowest_place();
        Self {
            link,
            depth: known.nodes().len(),
            place: place.map(|place| place + 1),
            size: known.size(),
        }
    }

    const fn by_depth(&self) -> (usize, u32) {
        (self.depth, self.size)
    }
}
