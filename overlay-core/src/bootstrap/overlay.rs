//! The overlays that somebody is here for.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use slab::Slab;

use super::root::{PendingJoin, Root};
use super::succession::Reign;
use crate::id::{ConnectionId, NodeId};
use crate::time::Instant;
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
    /// The present reign, or the last one.
    reign: Option<Reign>,
    /// Who wait for its end, longest first.
    line: Vec<NodeId>,
}

impl Overlay {
    const fn is_open(&self) -> bool {
        self.root.is_some() || !self.line.is_empty()
    }
}

/// The overlays by name, and by a key that is cheaper than the name.
#[derive(Debug, Default)]
pub(super) struct Overlays {
    slots: Slab<Overlay>,
    by_name: BTreeMap<OverlayName, OverlayKey>,
    /// The reigns of overlays that nobody is here for, until they end: the root may be about to come back.
    vacant: BTreeMap<OverlayName, Reign>,
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
                reign: self.vacant.remove(name),
                line: Vec::new(),
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
        overlay.line.retain(|standby| *standby != id);
        if overlay.members.is_empty() {
            let overlay = self.slots.remove(key.0);
            self.by_name.remove(&overlay.name);
            if let Some(reign) = overlay.reign {
                self.vacant.insert(overlay.name, reign);
            }
        }
    }

    /// Forgets the reigns that have ended; of more than `most` those that end first.
    pub(super) fn forget_ended(&mut self, now: Instant, most: usize) {
        self.vacant
            .retain(|_, reign| reign.ends.is_some_and(|ends| ends > now));
        while self.vacant.len() > most {
            let first = self.vacant.iter().min_by_key(|(_, reign)| reign.ends);
            let Some(name) = first.map(|(name, _)| name.clone()) else {
                return;
            };
            self.vacant.remove(&name);
        }
    }

    /// Gives an overlay its root.
    pub(super) fn set_root(&mut self, key: OverlayKey, root: Root, reign: Reign) {
        if let Some(overlay) = self.slots.get_mut(key.0) {
            overlay.root = Some(root);
            overlay.reign = Some(reign);
        }
    }

    /// Puts a member at the end of the line. `unknown`: the reign that it waits for if none is known here.
    pub(super) fn stand_by(&mut self, key: OverlayKey, id: NodeId, unknown: Reign) {
        if let Some(overlay) = self.slots.get_mut(key.0) {
            overlay.reign.get_or_insert(unknown);
            overlay.line.push(id);
        }
    }

    pub(super) fn leave_line(&mut self, key: OverlayKey, id: NodeId) {
        if let Some(overlay) = self.slots.get_mut(key.0) {
            overlay.line.retain(|standby| *standby != id);
        }
    }

    /// The first in line.
    pub(super) fn heir(&self, key: OverlayKey) -> Option<NodeId> {
        self.slots.get(key.0)?.line.first().copied()
    }

    /// When the place of a root that is gone is free for another.
    pub(super) fn vacant_from(&self, key: OverlayKey) -> Option<Instant> {
        self.reign(key)?.ends
    }

    pub(super) fn reign(&self, key: OverlayKey) -> Option<Reign> {
        self.slots.get(key.0)?.reign
    }

    pub(super) fn reign_of(&self, name: &OverlayName) -> Option<Reign> {
        match self.named(name) {
            Some(overlay) => overlay.reign,
            None => self.vacant.get(name).copied(),
        }
    }

    /// How many stand by.
    pub(super) fn standbys(&self, name: &OverlayName) -> usize {
        self.named(name).map_or(0, |overlay| overlay.line.len())
    }

    pub(super) fn name(&self, key: OverlayKey) -> Option<&OverlayName> {
        Some(&self.slots.get(key.0)?.name)
    }

    /// The connection of a member.
    pub(super) fn member(&self, key: OverlayKey, id: NodeId) -> Option<ConnectionId> {
        self.slots.get(key.0)?.members.get(&id).copied()
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

    /// Takes the root away, and with it the joins that were under way. Its reign ends at `ends`, unless it
    /// comes back.
    pub(super) fn take_root(
        &mut self,
        key: OverlayKey,
        ends: Instant,
    ) -> Option<(OverlayName, Root)> {
        let overlay = self.slots.get_mut(key.0)?;
        let root = overlay.root.take()?;
        if let Some(reign) = &mut overlay.reign {
            reign.ends = Some(ends);
        }
        Some((overlay.name.clone(), root))
    }

    /// Whether an overlay has a root, or somebody who waits to be it.
    pub(super) fn is_open(&self, name: &OverlayName) -> bool {
        self.named(name).is_some_and(Overlay::is_open)
    }

    /// How many such overlays there are of which `is_wild` is true.
    pub(super) fn open(&self, is_wild: impl Fn(&OverlayName) -> bool) -> usize {
        let overlays = self.slots.iter().map(|(_, overlay)| overlay);
        overlays
            .filter(|overlay| overlay.is_open() && is_wild(&overlay.name))
            .count()
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
