//! Which child takes a newcomer that its parent has no place for.

use crate::id::NodeId;

/// How a full node chooses the child that it delegates a join to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The child whose subtree has the shallowest free place; among equals the smallest subtree.
    /// Without churn this yields the complete tree.
    #[default]
    Balanced,
    /// The rule of the original `webrtc-tree-overlay` (Genet, arXiv 1904.11402): a hash of the
    /// joiner's and the node's own id, modulo `max_degree`. Needs no knowledge of the subtrees and
    /// balances only on average; kept to reproduce the paper.
    Hash,
}

/// A child or candidate, as a policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subtree {
    /// The depth of the shallowest free place in its subtree.
    pub(crate) shallowest_place: Option<usize>,
    /// How many nodes its subtree has.
    pub(crate) size: u32,
}

/// The best of `children` by the `Balanced` rule: its index, or `None` if no subtree has a place.
pub(crate) fn balanced(children: impl Iterator<Item = Subtree>) -> Option<usize> {
    children
        .enumerate()
        .filter_map(|(index, child)| Some((child.shallowest_place?, child.size, index)))
        .min()
        .map(|(_, _, index)| index)
}

/// The slot, among `max_degree`, that the `Hash` rule sends `origin` to at the node `own`.
pub(crate) fn hash_slot(origin: NodeId, own: NodeId, max_degree: u16) -> usize {
    // FNV-1a, 64 bits: spreads sequential ids well and is the same on every platform.
    let hash = origin
        .as_bytes()
        .iter()
        .chain(own.as_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let slots = u64::from(max_degree.max(1));
    // The high half: FNV's low bits depend on the last bytes alone. The remainder is below 1024.
    usize::try_from((hash >> 32) % slots).unwrap_or(0)
}
