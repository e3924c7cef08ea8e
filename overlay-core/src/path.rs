//! A node's path: the ids from the root down to it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::bounded::{List, TooLong};
use crate::id::NodeId;

/// Deepest node of a tree; the root is at depth 0. A complete tree of degree 2 and this depth has
/// more nodes than there are grains of sand, so only a chain or a fault comes near it.
pub const MAX_DEPTH: usize = 63;

/// The ids from the root (first) to a node (last).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path(List<NodeId, { MAX_DEPTH + 1 }>);

impl Path {
    /// The path of a root.
    #[must_use]
    pub fn root(id: NodeId) -> Self {
        Self(List::from_one(id))
    }

    /// The path of a child of the node with this path; fails where the tree would grow too deep.
    pub fn child(&self, id: NodeId) -> Result<Self, TooLong> {
        let mut ids = Vec::with_capacity(self.0.len() + 1);
        ids.extend_from_slice(&self.0);
        ids.push(id);
        List::new(ids).map(Self)
    }

    /// The path of the node above; empty if there is none.
    pub(crate) fn above(&self) -> Self {
        let above = self.0.split_last().map_or(&[][..], |(_, above)| above);
        List::new(above.to_vec()).map(Self).unwrap_or_default()
    }

    /// The ids, root first.
    #[must_use]
    pub fn ids(&self) -> &[NodeId] {
        &self.0
    }

    /// Whether the node itself or one of its ancestors is `id`.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.0.contains(&id)
    }

    /// The number of links between the root and the node. A node without a path has depth 0.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// The last id: the node's own.
    #[must_use]
    pub fn last(&self) -> Option<NodeId> {
        self.0.last().copied()
    }
}

/// The way back from the root to a node that has sent something up: which children it came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way(pub(crate) Path);

impl Way {
    /// The way through these nodes, the one that sent the message first and the child of the root last: what
    /// [`ids`](Self::ids) has told. Fails with more than a tree is deep. A reply by a way that leads nowhere does not arrive.
    pub fn from_ids(ids: Vec<NodeId>) -> Result<Self, TooLong> {
        List::new(ids).map(Path).map(Self)
    }

    /// The ids on the way, for a host in another language: the node that sent the message first, the child of the root last.
    #[must_use]
    pub fn ids(&self) -> &[NodeId] {
        self.0.ids()
    }

    /// The node at its end, which sent the message. `None` of a way that leads nowhere.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        self.0.ids().first().copied()
    }
}
