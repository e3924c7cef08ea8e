//! How deep and how large subtrees are, and which of two makes room for the other.

use crate::census::Census;
use crate::id::LinkId;
use crate::node::link::{Child, Forecast};

/// One subtree is small beside another below one part in so many of its size: then it is worth a move, even if both are
/// as high.
const SMALL_BESIDE: u32 = 2;

/// One level more weighs as much as this many doublings of the size: to be a level too high is worse than a few
/// nodes more at the lowest level.
const DOUBLINGS_PER_LEVEL: usize = 1;

/// A child and what is below it, as far as depth is concerned.
#[derive(Clone, Copy)]
pub(in crate::node::downstream) struct Branch {
    pub(in crate::node::downstream) link: LinkId,
    /// How far below this node its deepest leaf is.
    pub(in crate::node::downstream) depth: usize,
    /// The same for its shallowest free slot.
    pub(in crate::node::downstream) slot: Option<usize>,
    pub(in crate::node::downstream) size: u32,
    /// Once the joiners that are on their way there are in.
    pub(super) to_come: Extent,
}

/// How large a subtree is.
#[derive(Clone, Copy)]
pub(in crate::node::downstream) struct Extent {
    pub(super) levels: usize,
    pub(super) size: u32,
}

impl Branch {
    pub(super) fn of(link: LinkId, child: &Child) -> Self {
        let Forecast { known, predicted } = &*child.subtree;
        Self {
            link,
            depth: known.nodes().len(),
            slot: predicted.shallowest_slot().map(|depth| depth + 1),
            size: known.size(),
            to_come: Extent::of(known).max(Extent::of(predicted)),
        }
    }

    /// Orders by depth, then by size.
    pub(in crate::node::downstream) const fn by_depth(&self) -> (usize, u32) {
        (self.depth, self.size)
    }
}

impl Extent {
    pub(super) fn of(census: &Census) -> Self {
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

    /// Whether the other is so much larger that it is worth a move if this one is deeper in its stead.
    pub(super) const fn is_small_beside(self, other: Self) -> bool {
        self.size.saturating_mul(SMALL_BESIDE) < other.size
    }

    /// A child makes room only for a joiner that weighs more than itself, so a chain of such moves ends.
    pub(super) const fn weight(self) -> u128 {
        (self.size as u128) << (self.levels * DOUBLINGS_PER_LEVEL)
    }
}
