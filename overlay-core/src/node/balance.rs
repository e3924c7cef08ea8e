//! Balance: after departures, nodes are invited up to where places have become free.
//!
//! A node looks at what its children have reported. When it knows a free place at depth `p` below itself, and in
//! the subtree of another child a node deeper than `p`, it invites the node at depth `p + 1` on the way to the
//! deepest leaf there: that one moves to depth `p`, with all below it. So a whole subtree rises with one link
//! moved, and the hole sinks a level; there another move fills it, until it has come to the lowest level. Where
//! place and leaf lie below the same child, that child sees it.
//!
//! This comes to an end: the mover stood at depth `p + 1` and must come to stand at `p` at most (`within`), or it
//! stays. So every such move makes the sum of all depths smaller. When no
//! node sees anything to do, no place is free above the deepest leaf: the tree is the complete one.
//!
//! What an orphan brings is a subtree, and there the shallowest place is not the best one. Below a lost node of the
//! third level from below stand ten subtrees of two levels; if one of them took its place, its children would have to
//! make room for the other nine. So such a joiner gives way to a single node where there is such a place, a
//! newcomer or a leaf that is invited, and goes below it. For the same reason all of a lost parent's orphans are led
//! to its place.
//!
//! Where a joiner's subtree would stand too deep, the smallest child *makes room*: it is invited to go elsewhere. Sizes
//! decide, because what grows in a lost node's place before its orphans come is often as high as they are, but
//! thin. Whoever makes room may ask the same of others, but weighs less than the joiner (`Extent::weight`): so
//! there is an end to it, and nobody comes back for its place.
//!
//! One invitation at a time, `rebalance_interval` apart, and only for a place that has been free for that long:
//! mostly a newcomer or an orphan takes it, and saves the move.

use alloc::vec::Vec;

use super::link::{Child, Door, Forecast, LinkState};
use super::parking::Waiting;
use super::{Node, Role};
use crate::action::Action;
use crate::census::Census;
use crate::id::LinkId;
use crate::policy::Policy;
use crate::time::Instant;
use crate::wire::{ANYWHERE, Invitation, JoinRequest};

/// Whether there is something to balance, and since when.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// When somebody is invited, if there still is.
    due: Option<Instant>,
}

/// Where the path of a lost parent leads an orphan.
pub(super) enum Lead {
    /// To the child from where it goes on.
    Down(LinkId),
    /// To the place of the lost parent itself, which is silent and not given up yet.
    Behind(LinkId),
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
    /// Once those are in who are on their way there.
    to_come: Extent,
}

/// How large a subtree is.
#[derive(Clone, Copy)]
struct Extent {
    levels: usize,
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

    /// The smallest child, if it had better make room for a joiner that has room for so many levels below it: each
    /// level more makes this subtree deeper. Not for a joiner that may only go so deep, nor for a single node.
    pub(super) fn smaller_child(&self, request: &JoinRequest, room: usize) -> Option<LinkId> {
        let levels = self.height_to_place(request);
        if self.config.policy != Policy::Balanced || levels < 2 || request.census.height() <= room {
            return None;
        }
        let joiner = Extent::of(&request.census);
        let far = levels > room + 1;
        let goes = |child: &Branch| {
            let child = child.to_come;
            let shorter = child.levels < joiner.levels;
            let smaller =
                child.is_small_beside(joiner) || shorter && (far || child.size < joiner.size);
            smaller && child.weight() < joiner.weight()
        };
        let children = self.links_of_others(request).filter(goes);
        let smallest = children.min_by_key(|child| child.to_come.size)?;
        Some(smallest.link)
    }

    /// Whether a joiner's subtree is too small for a place here: it was below a node in such a place. Then a
    /// single node fills it best, and all of the lost one's orphans go below, as before; if one of them took it, the
    /// children of that one would have to make room for the others.
    pub(super) fn is_small_for(&self, request: &JoinRequest) -> bool {
        let sizes = self.branches().map(|child| u64::from(child.size));
        let (children, all) = sizes.fold((0, 0), |(n, all), size| (n + 1, all + size));
        let size = u64::from(request.census.size());
        // Below two thirds of the average: of two children of a binary tree's node each has half.
        self.height_to_place(request) >= 2 && size * 3 * children < all * 2
    }

    /// Invites the deepest leaf to a free place here.
    pub(super) fn invite_leaf(&mut self, out: &mut Vec<Action>) {
        let deepest = self.branches().max_by_key(Branch::by_depth);
        if let Some(branch) = deepest.filter(|branch| branch.depth >= 2) {
            let invitation = Invitation {
                down: u8::try_from(branch.depth - 1).unwrap_or(ANYWHERE),
                climb: 1,
                within: 1,
            };
            self.invite(branch.link, invitation, out);
        }
    }

    /// Where an orphan's lost parent stood: there is, or will be, a hole, and below the first of its orphans who
    /// takes it the others find their places. Not for a single node, whom any place suits, nor when
    /// one as good is known elsewhere.
    pub(super) fn lead(&self, waiting: &Waiting) -> Option<Lead> {
        let ids = waiting.request.lost.ids();
        let at = ids.iter().position(|id| *id == self.id)?;
        let next = *ids.get(at + 1)?;
        if self.height_to_place(&waiting.request) < 2 {
            return None;
        }
        let child = self.children().find(|child| child.node == next)?.link;
        let hole = ids.len() - 1 - at;
        if hole == 1 {
            // Two heartbeats are due, and somebody else has not heard them either.
            let heard = self.links.get(child)?.heard;
            let silent =
                self.now.since(heard) > self.config.heartbeat_interval.saturating_mul(3) / 2;
            return silent.then_some(Lead::Behind(child));
        }
        let best = self.best_depth(waiting);
        let worth_it = self.takes_joins(child) && best.is_none_or(|best| hole < best);
        worth_it.then_some(Lead::Down(child))
    }

    /// How many levels a joiner brings, if others make room for it. They do so at its first attempt only, lest it
    /// asks for that again and again, and not for one that may only go so deep.
    pub(super) fn height_to_place(&self, request: &JoinRequest) -> usize {
        let first = request.way.is_move() || !request.lost.ids().is_empty();
        let anywhere = request.way.within() == ANYWHERE && first;
        if anywhere && self.config.policy == Policy::Balanced {
            request.census.nodes().len()
        } else {
            1
        }
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
        [Some(deepest), next]
            .into_iter()
            .flatten()
            .find_map(|branch| {
                let place = place_beside(&branch)?;
                (branch.depth > place).then_some((branch.link, place))
            })
    }

    /// The children that take joins.
    fn branches(&self) -> impl Iterator<Item = Branch> {
        self.slots
            .iter()
            .flatten()
            .filter_map(|&link| match &self.links.get(link)?.state {
                LinkState::Child(child) if child.door == Door::Open => {
                    Some(Branch::of(link, child))
                }
                _ => None,
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
        let Forecast { known, predicted } = &*child.subtree;
        let place = predicted.shallowest_place();
        Self {
            link,
            depth: known.nodes().len(),
            place: place.map(|place| place + 1),
            size: known.size(),
            to_come: Extent::of(known).max(Extent::of(predicted)),
        }
    }

    const fn by_depth(&self) -> (usize, u32) {
        (self.depth, self.size)
    }
}

impl Extent {
    fn of(census: &Census) -> Self {
        Self {
            levels: census.nodes().len(),
            size: census.size(),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            levels: self.levels.max(other.levels),
            size: self.size.max(other.size),
        }
    }

    /// Whether the other is so much larger that it is worth a move if this one stands deeper in its stead.
    const fn is_small_beside(self, other: Self) -> bool {
        self.size.saturating_mul(2) < other.size
    }

    /// Who asks for room weighs more than the one who makes it. One level more is worth as much as twice the size: to
    /// be a level too high is worse than a few nodes more at the lowest level.
    const fn weight(self) -> u128 {
        (self.size as u128) << self.levels
    }
}
