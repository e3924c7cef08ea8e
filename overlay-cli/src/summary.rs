//! The summary of a tree, in numbers.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use overlay_tokio::NodeId;
use overlay_tokio::core::shape;
use serde::Serialize;

/// The last fact of `overlay up`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    event: &'static str,
    /// The number of nodes besides the root.
    nodes: usize,
    joined: usize,
    failed: usize,
    /// The number of nodes at each depth; the root is at depth 0.
    pub(crate) depth: Vec<u64>,
    /// The same for the complete tree.
    pub(crate) ideal_depth: Vec<u64>,
    elapsed_ms: u64,
    join_ms: Percentiles,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    p50: u64,
    p99: u64,
}

impl Summary {
    pub(crate) fn new(
        nodes: usize,
        degree: u16,
        depth: Vec<u64>,
        elapsed: Duration,
        joins: &[Duration],
    ) -> Self {
        let joined = depth.iter().sum::<u64>().saturating_sub(1);
        let joined = usize::try_from(joined).unwrap_or(usize::MAX);
        Self {
            event: "summary",
            nodes,
            joined,
            failed: nodes - joined.min(nodes),
            depth,
            ideal_depth: shape::complete(nodes as u64 + 1, u64::from(degree)),
            elapsed_ms: millis(elapsed),
            join_ms: Percentiles {
                p50: millis(percentile(joins, 50)),
                p99: millis(percentile(joins, 99)),
            },
        }
    }

    pub(crate) const fn all_joined(&self) -> bool {
        self.failed == 0
    }

    /// The same for a person: a sentence, and a picture.
    pub(crate) fn picture(&self) -> String {
        let mut picture = format!(
            "{} of {} nodes joined in {:.2} s (half of them within {} ms, 99 % within {} ms)\n",
            self.joined,
            self.nodes,
            Duration::from_millis(self.elapsed_ms).as_secs_f64(),
            self.join_ms.p50,
            self.join_ms.p99,
        );
        let widest = self.depth.iter().copied().max().unwrap_or(1).max(1);
        for (depth, &count) in self.depth.iter().enumerate() {
            // At most 50, whatever the numbers.
            let width = usize::try_from((count * 50).div_ceil(widest)).unwrap_or(50);
            let bar = "█".repeat(width);
            let of = self.ideal_depth.get(depth).copied().unwrap_or(0);
            // Writing to a string can't fail.
            let _ = writeln!(picture, "  depth {depth}  {count:>6} of {of:<6} {bar}");
        }
        picture.push_str(&self.shape());
        picture
    }

    /// What is to be said of the tree's shape.
    fn shape(&self) -> String {
        if self.failed > 0 {
            return format!(
                "{} of {} nodes are not in the tree.\n",
                self.failed, self.nodes
            );
        }
        if self.depth == self.ideal_depth {
            return "The tree is complete: no tree of this degree is shallower.\n".to_owned();
        }
        let (levels, ideal) = (self.depth.len(), self.ideal_depth.len());
        let over = self
            .depth
            .iter()
            .zip(self.ideal_depth.iter().chain(std::iter::repeat(&0)));
        let deeper: u64 = over
            .map(|(count, ideal)| count.saturating_sub(*ideal))
            .sum();
        format!(
            "The tree is not complete: {deeper} nodes are deeper than they need be, on {levels} levels instead of \
             {ideal}. Nodes move up while there are free slots above them.\n"
        )
    }
}

/// The number of nodes at each depth below `root`, by what each says its parent is. Nodes whose
/// parents do not lead to the root are not counted.
pub(crate) fn depths(root: NodeId, parents: &HashMap<NodeId, NodeId>) -> Vec<u64> {
    let mut depths = vec![1];
    for &node in parents.keys() {
        let path = std::iter::successors(Some(node), |node| parents.get(node).copied());
        // A path longer than there are nodes goes in a circle.
        let depth = path.take(parents.len() + 1).position(|node| node == root);
        if let Some(depth) = depth {
            if depths.len() <= depth {
                depths.resize(depth + 1, 0);
            }
            depths[depth] += 1;
        }
    }
    depths
}

/// The smallest of `values` that `percent` of them don't exceed (nearest rank).
pub(crate) fn percentile(values: &[Duration], percent: usize) -> Duration {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_follow_the_links_and_leave_out_detached_nodes() {
        let id = NodeId::from_u128;
        let parents = [(1, 0), (2, 0), (3, 1), (7, 8), (8, 7), (9, 99)];
        let parents = parents.map(|(node, parent)| (id(node), id(parent)));
        assert_eq!(depths(id(0), &HashMap::from(parents)), [1, 2, 1]);
    }

    #[test]
    fn a_tree_that_is_not_complete_is_not_called_complete() {
        let said = |nodes, depth: &[u64]| {
            Summary::new(nodes, 2, depth.to_vec(), Duration::ZERO, &[]).picture()
        };
        assert!(said(6, &[1, 2, 4]).contains("The tree is complete"));
        let deeper = said(6, &[1, 2, 3, 1]);
        assert!(
            deeper.contains("1 nodes are deeper than they need be, on 4 levels instead of 3"),
            "{deeper}"
        );
        let missing = said(6, &[1, 2, 2]);
        assert!(
            missing.contains("2 of 6 nodes are not in the tree"),
            "{missing}"
        );
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
