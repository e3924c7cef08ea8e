//! The node's line of ancestors, and the epoch of the root at its top.

use crate::close::ProtocolError;
use crate::id::{Epoch, LinkId, NodeId};
use crate::notification::Notification;
use crate::path::Path;

use super::effects::Effects;

/// The node's path from the root, and whose tree that is.
#[derive(Debug, Default)]
pub(crate) struct Ancestry {
    /// From the root to this node; empty while it has no parent and is not the root.
    path: Path,
    /// The highest epoch seen since the node was last told to join.
    epoch: Epoch,
    /// The epoch of the tree that the app was last told of.
    announced: Option<Epoch>,
}

/// The parent, or its absence, directly above this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Above {
    /// The link to the parent.
    pub(crate) parent: Option<LinkId>,
    /// Nothing is above: this node is the root.
    pub(crate) is_root: bool,
    /// This node has a parent, and is about to leave it.
    pub(crate) leaves: bool,
}

impl Above {
    /// Whether this node is in the tree, and stays there.
    pub(crate) const fn is_in_tree(self) -> bool {
        self.is_root || self.parent.is_some() && !self.leaves
    }
}

impl Ancestry {
    pub(crate) const fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether there is a root above this node, or it is the root.
    pub(crate) fn is_known(&self) -> bool {
        !self.path.ids().is_empty()
    }

    /// Whether this node is `node`, or below it: a child with that id would be its own ancestor. An orphan knows
    /// no path, and is still itself.
    pub(crate) fn includes(&self, node: NodeId, fx: &Effects) -> bool {
        (node == fx.id || self.path.contains(node)) && !planted!(fx.config, LoopCheckGone)
    }

    /// Whether a parent that tells this epoch has missed the present root.
    pub(crate) fn is_stale(&self, epoch: Epoch, fx: &Effects) -> bool {
        epoch < self.epoch && !planted!(fx.config, StaleEpochAccepted)
    }

    /// The node is at this path now.
    pub(crate) fn set(&mut self, path: Path, epoch: Epoch) {
        self.path = path;
        self.epoch = epoch;
    }

    /// The node is the root, in this epoch.
    pub(crate) fn lead(&mut self, epoch: Epoch, fx: &Effects) {
        self.set(Path::root(fx.id), epoch);
        self.announced = Some(epoch);
    }

    /// The path is lost with the parent, or with the lead. Returns the parent's.
    pub(crate) fn clear_path(&mut self) -> Path {
        core::mem::take(&mut self.path).above()
    }

    /// Takes the epoch that the server tells, be it lower: neighbours may lie, and the server knows best.
    pub(crate) fn trust(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// A node that belongs to no tree takes any, also one that is younger than its last.
    pub(crate) fn forget_epochs(&mut self) {
        self.epoch = Epoch::default();
        self.announced = None;
    }

    /// Tells the app if the tree has another root than the one that it was told of.
    pub(crate) fn announce_root(&mut self, fx: &mut Effects) {
        let before = self.announced.replace(self.epoch);
        if let Some(&root) = self.path.ids().first()
            && before.is_some_and(|before| before != self.epoch)
        {
            let epoch = self.epoch;
            fx.notify(Notification::RootChanged { epoch, root });
        }
    }
}

/// The path of this node below `parent`, whose own path is `above`.
pub(crate) fn path_below(
    parent: NodeId,
    above: &Path,
    fx: &Effects,
) -> Result<Path, ProtocolError> {
    let descendant = above.contains(fx.id) && !planted!(fx.config, LoopWelcomed);
    if above.last() != Some(parent) || descendant {
        return Err(ProtocolError::BadPath);
    }
    above.child(fx.id).map_err(|_| ProtocolError::BadPath)
}
