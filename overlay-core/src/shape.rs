//! The shape of a tree, compared with the complete one: no tree of the same degree is shallower.

use alloc::vec::Vec;

/// The number of nodes at each depth of the complete tree of `nodes` nodes, the root included: every level is full but
/// the last.
#[must_use]
pub fn complete(nodes: u64, degree: u64) -> Vec<u64> {
    let mut levels = Vec::new();
    let (mut left, mut room) = (nodes, 1_u64);
    while left > 0 && room > 0 {
        let here = left.min(room);
        levels.push(here);
        left -= here;
        room = room.saturating_mul(degree);
    }
    levels
}

/// The share of nodes at a depth at which the complete tree has one for them, from 0 to 1: the
/// overlap of the two histograms. `depths`: the number of nodes at each depth.
#[must_use]
#[allow(
    clippy::cast_precision_loss,
    reason = "numbers of nodes are far below 2^52"
)]
pub fn same_depth(depths: &[u64], degree: u64) -> f64 {
    let nodes: u64 = depths.iter().sum();
    if nodes == 0 {
        return 1.0;
    }
    let ideal = complete(nodes, degree);
    let overlap = depths
        .iter()
        .zip(&ideal)
        .map(|(here, there)| here.min(there));
    overlap.sum::<u64>() as f64 / nodes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_fill_from_the_top() {
        assert_eq!(complete(12, 2), [1, 2, 4, 5]);
        assert_eq!(complete(3, 1), [1, 1, 1]);
        assert_eq!(complete(5, 0), [1]);
        assert_eq!(complete(51, 5), [1, 5, 25, 20]);
        assert!(complete(0, 3).is_empty());
    }

    #[test]
    fn a_chain_shares_little_with_a_binary_tree() {
        assert!((same_depth(&[1, 2, 4], 2) - 1.0).abs() < 1e-9);
        assert!((same_depth(&[1, 1, 1, 1], 2) - 0.75).abs() < 1e-9);
    }
}
