//! The census of a subtree: the number of nodes at each depth, and of free slots.
//!
//! A parent that delegates joins by the [`Balanced`](crate::Policy::Balanced) policy predicts with
//! [`Census::admit`] where each will end up, because its child follows the same rule. So a census needs
//! to travel only when the prediction was wrong: after a departure or a failed join.

use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::path::MAX_DEPTH;

/// One number for each depth.
type Levels = List<u32, { MAX_DEPTH + 1 }>;

/// A last level consists of stragglers if it has fewer nodes than one for this many of the level above. Counted as a
/// level, they cost 10,000 nodes under churn a hundredth of the share at their depth, and moves.
const STRAGGLERS: u32 = 2;

/// A subtree, depth by depth. Depths are relative: its topmost node is at 0.
///
/// A slot counts as taken from the moment a join is sent to it. A node counts from the
/// moment it is connected; its own slots are counted in advance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// `nodes[d]` nodes are at depth `d`.
    nodes: Levels,
    /// The nodes of depth `d` have `free_slots[d]` free slots, which are at depth `d + 1`.
    free_slots: Levels,
    /// The number of nodes whose apps have taken the last message of the root's stream.
    finished: u32,
    /// The number of nodes that have missed broadcasts of that stream.
    gapped: u32,
    /// Whether nodes were lost from it that may come back.
    unsettled: bool,
}

/// How far a node is with the root's stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its app has taken the last message.
    pub(crate) finished: bool,
    /// It has missed broadcasts.
    pub(crate) gapped: bool,
}

impl Census {
    /// A single node with this many free slots.
    #[must_use]
    pub fn of_node(free_slots: u32) -> Self {
        Self {
            nodes: List::from_one(1),
            free_slots: List::from_one(free_slots),
            ..Self::default()
        }
    }

    /// The number of nodes at each depth, from 0.
    #[must_use]
    pub fn nodes(&self) -> &[u32] {
        &self.nodes
    }

    /// The number of free slots that the nodes of each depth have, from 0.
    #[must_use]
    pub fn free_slots(&self) -> &[u32] {
        &self.free_slots
    }

    /// The number of nodes; saturates.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.nodes.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The number of nodes whose apps have taken the last message of the root's stream; saturates. Before the stream ends,
    /// it is 0.
    #[must_use]
    pub const fn finished(&self) -> u32 {
        self.finished
    }

    /// The number of nodes that have missed broadcasts of the root's stream since they came in; saturates.
    #[must_use]
    pub const fn gapped(&self) -> u32 {
        self.gapped
    }

    /// Whether no node is missing that may come back: none was lost within the last
    /// [`orphan_timeout`](crate::Config::orphan_timeout).
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        !self.unsettled
    }

    /// Whether every node has the root's stream to its end, and none is missing that may come back.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_settled() && self.finished == self.size()
    }

    /// The number of levels, without a last one of stragglers. They are soon invited up, and because of
    /// them no subtree should pass for one that may be a level deeper.
    pub(crate) fn height(&self) -> usize {
        match *self.nodes {
            [.., above, last] if last < above / STRAGGLERS => self.nodes.len() - 1,
            _ => self.nodes.len(),
        }
    }

    /// The depth of the shallowest free slot, at least 1.
    #[must_use]
    pub fn shallowest_slot(&self) -> Option<usize> {
        self.free_slots
            .iter()
            .position(|&free| free > 0)
            .map(|d| d + 1)
    }

    /// Predicts the subtree after it has taken `joiner` in, at its shallowest free slot. False, and
    /// nothing changed, if there is none.
    pub fn admit(&mut self, joiner: &Self) -> bool {
        let Some(depth) = self.shallowest_slot() else {
            return false;
        };
        self.free_slots[depth - 1] -= 1;
        add_below(&mut self.free_slots, depth, &joiner.free_slots);
        add_below(&mut self.nodes, depth, &joiner.nodes);
        self.add_standings(joiner);
        true
    }

    /// Adds a child's subtree under the topmost node: `connected`'s nodes and `expected`'s free slots.
    pub(crate) fn graft(&mut self, connected: Option<&Self>, expected: Option<&Self>) {
        if let Some(expected) = expected {
            add_below(&mut self.free_slots, 1, &expected.free_slots);
        }
        if let Some(connected) = connected {
            add_below(&mut self.nodes, 1, &connected.nodes);
            self.add_standings(connected);
        }
    }

    /// Adds what the topmost node knows of itself, and whether it has lost nodes that may come back.
    pub(crate) fn add_own(&mut self, own: Standing, unsettled: bool) {
        self.finished = self.finished.saturating_add(own.finished.into());
        self.gapped = self.gapped.saturating_add(own.gapped.into());
        self.unsettled |= unsettled;
    }

    /// Whether an app would see a difference: free slots are the protocol's own business.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        let shown = |census: &Self| (census.finished, census.gapped, census.unsettled);
        self.nodes == other.nodes && shown(self) == shown(other)
    }

    const fn add_standings(&mut self, below: &Self) {
        self.finished = self.finished.saturating_add(below.finished);
        self.gapped = self.gapped.saturating_add(below.gapped);
        self.unsettled |= below.unsettled;
    }
}

/// Adds `below`, whose depth 0 is `depth` here. What would be deeper than a tree may be is left out, and so
/// are empty levels at the end, so that equal subtrees have equal censuses.
fn add_below(levels: &mut Levels, depth: usize, below: &[u32]) {
    levels.resize(levels.len().max(depth + below.len()), 0);
    for (level, n) in levels.iter_mut().skip(depth).zip(below) {
        *level = level.saturating_add(*n);
    }
    let used = levels.iter().rposition(|&n| n > 0).map_or(0, |d| d + 1);
    levels.resize(used, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admitting_fills_level_by_level() {
        let mut tree = Census::of_node(2);
        for _ in 0..6 {
            assert!(tree.admit(&Census::of_node(2)));
        }
        assert_eq!(tree.nodes(), [1, 2, 4]);
        assert_eq!(tree.shallowest_slot(), Some(3));
    }

    #[test]
    fn leaves_that_take_no_children_fill_a_tree_up() {
        let mut tree = Census::of_node(2);
        assert!(tree.admit(&Census::of_node(0)));
        assert!(tree.admit(&Census::of_node(0)));
        assert!(!tree.admit(&Census::of_node(0)));
        assert_eq!(tree.size(), 3);
    }

    #[test]
    fn a_subtree_is_admitted_whole() {
        let mut pair = Census::of_node(2);
        pair.admit(&Census::of_node(2));
        let mut tree = Census::of_node(1);
        assert!(tree.admit(&pair));
        assert_eq!(tree.nodes(), [1, 1, 1]);
        assert_eq!(tree.shallowest_slot(), Some(2));
    }

    #[test]
    fn a_few_stragglers_add_no_height() {
        let mut tree = Census::of_node(4);
        for _ in 0..5 {
            tree.admit(&Census::of_node(4));
        }
        assert_eq!((tree.nodes(), tree.height()), (&[1, 4, 1][..], 2));
        tree.admit(&Census::of_node(4));
        assert_eq!((tree.nodes(), tree.height()), (&[1, 4, 2][..], 3));
    }

    #[test]
    fn a_candidates_slots_count_and_the_candidate_does_not() {
        let mut tree = Census::of_node(0);
        tree.graft(None, Some(&Census::of_node(3)));
        assert_eq!((tree.size(), tree.shallowest_slot()), (1, Some(2)));
    }

    #[test]
    fn numbers_saturate_and_depth_is_cut_whatever_a_peer_claims() {
        let mut deep = Census::of_node(u32::MAX);
        for _ in 0..=MAX_DEPTH {
            let mut above = Census::of_node(0);
            above.graft(Some(&deep), Some(&deep));
            above.graft(Some(&deep), Some(&deep));
            deep = above;
        }
        assert_eq!(deep.nodes().len(), MAX_DEPTH + 1);
        assert_eq!(deep.size(), u32::MAX);
    }
}
