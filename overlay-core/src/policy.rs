//! The policy that chooses a child for a joiner for which its parent has no slot.

use core::fmt;
use core::str::FromStr;

use crate::id::NodeId;

/// The rule by which a full node chooses the child that it delegates a join to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The child whose subtree has the shallowest free slot; among equals the smallest subtree.
    /// Without churn this yields the complete tree.
    #[default]
    Balanced,
    /// The rule of the original `webrtc-tree-overlay` (Genet, arXiv 1904.11402): a hash of the
    /// joiner's and the node's own id, modulo `max_degree`. Needs no knowledge of the subtrees and
    /// balances only on average; kept to reproduce the paper.
    Hash,
}

impl Policy {
    /// The name on command lines: `balanced` or `hash`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Hash => "hash",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy is `balanced` or `hash`")]
pub struct ParsePolicyError;

impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Balanced, Self::Hash]
            .into_iter()
            .find(|policy| policy.name() == text)
            .ok_or(ParsePolicyError)
    }
}

/// A child or candidate, as a policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subtree {
    /// The depth of the shallowest free slot in its subtree.
    pub(crate) shallowest_slot: Option<usize>,
    /// The number of nodes in its subtree.
    pub(crate) size: u32,
}

/// The best of `children` by the `Balanced` rule: its index, or `None` if no subtree has a free slot.
pub(crate) fn balanced(children: impl Iterator<Item = Subtree>) -> Option<usize> {
    children
        .enumerate()
        .filter_map(|(index, child)| Some((child.shallowest_slot?, child.size, index)))
        .min()
        .map(|(_, _, index)| index)
}

/// The slot, among `max_degree`, that the `Hash` rule sends `origin` to at the node `own`.
pub(crate) fn hash_slot(origin: NodeId, own: NodeId, max_degree: u16) -> usize {
    // FNV-1a, 64 bits, the same on every platform.
    let hash = origin
        .as_bytes()
        .iter()
        .chain(own.as_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    // Joiners that one node sends to the same child must be spread by that child: MurmurHash3's last step
    // makes every bit depend on all others.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let slots = u64::from(max_degree.max(1));
    // The remainder is below 1024.
    usize::try_from((hash >> 32) % slots).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_spreads_evenly_the_joiners_that_its_parent_sends_it() {
        let (parent, child) = (NodeId::from_u128(u128::MAX / 3), NodeId::from_u128(1));
        let joiners = (0..100_000_u128).map(|n| NodeId::from_u128(n << 96 | n));
        let mut counts = [0_u32; 10];
        for joiner in joiners.filter(|joiner| hash_slot(*joiner, parent, 10) == 3) {
            counts[hash_slot(joiner, child, 10)] += 1;
        }
        // About 1,000 each; chance alone stays within five standard deviations.
        assert!(
            counts.iter().all(|n| (840..1_160).contains(n)),
            "{counts:?}"
        );
    }
}
