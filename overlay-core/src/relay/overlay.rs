//! The overlays that somebody is here for.

use alloc::collections::BTreeMap;

use slab::Slab;

use super::root::{PendingJoin, Root};
use crate::id::{ConnectionId, NodeId};
use crate::wire::OverlayName;

/// Where an overlay is kept. Good as long as a client is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverlayKey(usize);

/// An overlay with its clients. It exists from the first to the last of them, so there are no more
/// overlays than connections.
#[derive(Debug)]
struct Overlay {
    name: OverlayName,
    /// The joiners and the root: within an overlay an id belongs to one connection.
    members: BTreeMap<NodeId, ConnectionId>,
    root: Option<Root>,
}

/// The overlays by name, and by a key that is cheaper than the name.
#[derive(Debug, Default)]
pub(super) struct Overlays {
    slots: Slab<Overlay>,
    by_name: BTreeMap<OverlayName, OverlayKey>,
    /// How many have a root that the wildcard token has let in.
    wildcards: usize,
}

impl Overlays {
    /// The connection of an overlay's root.
    pub(super) fn root_of(&self, name: &OverlayName) -> Option<ConnectionId> {
        Some(self.named(name)?.root.as_ref()?.connection)
    }

    /// The connection that an id belongs to.
    pub(super) fn holder_of(&self, name: &OverlayName, id: NodeId) -> Option<ConnectionId> {
        self.named(name)?.members.get(&id).copied()
    }

    /// The join that a node has under way.
    pub(super) fn join_of(&self, key: OverlayKey, joiner: NodeId) -> Option<&PendingJoin> {
        self.slots.get(key.0)?.root.as_ref()?.join_of(joiner)
    }

    pub(super) fn root_mut(&mut self, key: OverlayKey) -> Option<&mut Root> {
        self.slots.get_mut(key.0)?.root.as_mut()
    }

    /// Makes `id` a member of the overlay.
    pub(super) fn enter(
        &mut self,
        name: &OverlayName,
        id: NodeId,
        connection: ConnectionId,
    ) -> OverlayKey {
        let key = self.by_name.get(name).copied().unwrap_or_else(|| {
            let key = OverlayKey(self.slots.insert(Overlay {
                name: name.clone(),
                members: BTreeMap::new(),
                root: None,
            }));
            self.by_name.insert(name.clone(), key);
            key
        });
        if let Some(overlay) = self.slots.get_mut(key.0) {
            overlay.members.insert(id, connection);
        }
        key
    }

    pub(super) fn leave(&mut self, key: OverlayKey, id: NodeId) {
        let Some(overlay) = self.slots.get_mut(key.0) else {
            return;
        };
        overlay.members.remove(&id);
        if overlay.members.is_empty() {
            let overlay = self.slots.remove(key.0);
            self.by_name.remove(&overlay.name);
        }
    }

    /// Gives an overlay its root.
    pub(super) fn set_root(&mut self, key: OverlayKey, root: Root) {
        if let Some(overlay) = self.slots.get_mut(key.0) {
            self.wildcards += usize::from(root.by_wildcard);
            overlay.root = Some(root);
        }
    }

    /// The members of an overlay other than its root.
    pub(super) fn joiners(&self, key: OverlayKey) -> impl Iterator<Item = ConnectionId> {
        let overlay = self.slots.get(key.0);
        let root = overlay.and_then(|overlay| Some(overlay.root.as_ref()?.connection));
        let members = overlay
            .into_iter()
            .flat_map(|overlay| overlay.members.values());
        members.copied().filter(move |member| Some(*member) != root)
    }

    /// Takes the root away, and with it the joins that were under way.
    pub(super) fn take_root(&mut self, key: OverlayKey) -> Option<(OverlayName, Root)> {
        let overlay = self.slots.get_mut(key.0)?;
        let root = overlay.root.take()?;
        self.wildcards -= usize::from(root.by_wildcard);
        Some((overlay.name.clone(), root))
    }

    /// How many overlays the wildcard token holds open.
    pub(super) const fn wildcards(&self) -> usize {
        self.wildcards
    }

    pub(super) fn rooted(&self) -> usize {
        self.roots().count()
    }

    pub(super) fn pending_joins(&self) -> usize {
        self.roots().map(Root::pending_joins).sum()
    }

    fn named(&self, name: &OverlayName) -> Option<&Overlay> {
        self.slots.get(self.by_name.get(name)?.0)
    }

    fn roots(&self) -> impl Iterator<Item = &Root> {
        self.slots
            .iter()
            .filter_map(|(_, overlay)| overlay.root.as_ref())
    }
}
