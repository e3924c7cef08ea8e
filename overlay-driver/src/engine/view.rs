//! What the engine knows of its node.

use overlay_core::{LinkId, NodeId};

use super::Engine;
use crate::handle::Status;

impl Engine {
    pub(super) fn link_to(&self, node: NodeId) -> Option<LinkId> {
        self.core
            .parent()
            .into_iter()
            .chain(self.core.children())
            .find(|neighbour| neighbour.node == node)
            .map(|neighbour| neighbour.link)
    }

    pub(super) fn status(&self) -> Status {
        Status {
            id: self.core.id(),
            role: self.core.role(),
            parent: self.core.parent().map(|parent| parent.node),
            children: self.core.children().map(|child| child.node).collect(),
            max_degree: usize::from(self.core.config().max_degree),
            path: self.core.path().ids().to_vec(),
            epoch: self.core.epoch(),
            is_standby: self.core.is_standby(),
            census: self.core.census(),
            position: self.core.position(),
            stats: *self.core.stats(),
        }
    }
}
