//! The overlays that have clients here, and what is remembered of the others.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use slab::Slab;

use super::joins::Joins;
use super::leadership::{Leadership, Term};
use crate::expiring::Expiring;
use crate::id::{ConnectionId, Epoch, NodeId};
use crate::time::Instant;
use crate::wire::{Ended, OverlayName};

/// The place of an overlay among [`Overlays`], good as long as a client is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverlayKey(usize);

/// An overlay with its clients. It exists from the first client to the last, so there are no more overlays than
/// connections.
#[derive(Debug)]
pub(super) struct Overlay {
    name: OverlayName,
    /// All clients. Within an overlay an id belongs to one connection.
    members: BTreeMap<NodeId, ConnectionId>,
    /// The members that stand by, in the order of their promotion.
    standbys: Vec<NodeId>,
    leadership: Leadership,
    /// The joins that the root knows of. Without a root there are none.
    joins: Joins,
}

impl Overlay {
    pub(super) const fn name(&self) -> &OverlayName {
        &self.name
    }

    pub(super) const fn leadership(&self) -> Leadership {
        self.leadership
    }

    /// The connection of a member.
    pub(super) fn member(&self, id: NodeId) -> Option<ConnectionId> {
        self.members.get(&id).copied()
    }

    /// The members other than the root.
    pub(super) fn joiners(&self) -> impl Iterator<Item = ConnectionId> {
        let root = self.leadership.root();
        let members = self.members.values().copied();
        members.filter(move |member| Some(*member) != root)
    }

    pub(super) const fn standbys(&self) -> usize {
        self.standbys.len()
    }

    /// The standby that is promoted next.
    pub(super) fn next_standby(&self) -> Option<NodeId> {
        self.standbys.first().copied()
    }

    /// Adds a member to the standbys. It waits until `until` for a root that only it knows of.
    pub(super) fn stand_by(&mut self, id: NodeId, seen: Epoch, until: Instant) {
        self.leadership.recall(seen, until);
        self.standbys.push(id);
    }

    /// Makes the standbys mere joiners. Returns their connections.
    pub(super) fn dismiss_standbys(&mut self) -> Vec<ConnectionId> {
        let standbys = core::mem::take(&mut self.standbys);
        let connections = standbys.iter().filter_map(|standby| self.member(*standby));
        connections.collect()
    }

    /// Makes a member the root.
    pub(super) fn lead(&mut self, id: NodeId, epoch: Epoch, connection: ConnectionId) {
        self.standbys.retain(|standby| *standby != id);
        self.leadership.assume(id, epoch, connection);
    }

    /// Takes the root away, and with it the joins that it knew of. It may come back before `until`.
    pub(super) fn lose_root(&mut self, until: Instant) -> Option<Joins> {
        let held = self.leadership.vacate(until);
        held.then(|| core::mem::take(&mut self.joins))
    }

    /// The connection of the root, and the joins that it knows of.
    pub(super) const fn root_mut(&mut self) -> Option<(ConnectionId, &mut Joins)> {
        match self.leadership.root() {
            Some(root) => Some((root, &mut self.joins)),
            None => None,
        }
    }

    pub(super) const fn joins(&self) -> &Joins {
        &self.joins
    }

    const fn is_open(&self) -> bool {
        self.leadership.root().is_some() || !self.standbys.is_empty()
    }
}

/// The overlays by name, and by a key that is cheaper than the name.
#[derive(Debug, Default)]
pub(super) struct Overlays {
    table: Slab<Overlay>,
    by_name: BTreeMap<OverlayName, OverlayKey>,
    /// The vacant leaderships of overlays without clients, by when a standby would be promoted. Until then the root
    /// may come back.
    abandoned: Expiring<OverlayName, Term>,
    /// Where streams have ended, until that is forgotten or another root begins another one.
    ended: Expiring<OverlayName, Ended>,
}

impl Overlays {
    pub(super) fn get(&self, key: OverlayKey) -> Option<&Overlay> {
        self.table.get(key.0)
    }

    pub(super) fn get_mut(&mut self, key: OverlayKey) -> Option<&mut Overlay> {
        self.table.get_mut(key.0)
    }

    pub(super) fn named(&self, name: &OverlayName) -> Option<&Overlay> {
        self.get(*self.by_name.get(name)?)
    }

    /// The leadership of an overlay, whether it has clients or not.
    pub(super) fn leadership(&self, name: &OverlayName) -> Leadership {
        self.named(name)
            .map_or_else(|| self.abandoned(name), Overlay::leadership)
    }

    /// Makes `id` a member of the overlay.
    pub(super) fn enter(
        &mut self,
        name: &OverlayName,
        id: NodeId,
        connection: ConnectionId,
    ) -> OverlayKey {
        let key = self.by_name.get(name).copied();
        let key = key.unwrap_or_else(|| self.open(name));
        if let Some(overlay) = self.get_mut(key) {
            overlay.members.insert(id, connection);
        }
        key
    }

    /// Takes a member out of the overlay; with the last member goes the overlay.
    pub(super) fn leave(&mut self, key: OverlayKey, id: NodeId) {
        let Some(overlay) = self.get_mut(key) else {
            return;
        };
        overlay.members.remove(&id);
        overlay.standbys.retain(|standby| *standby != id);
        if overlay.members.is_empty() {
            let overlay = self.table.remove(key.0);
            self.by_name.remove(&overlay.name);
            if let Leadership::Vacant { term, until } = overlay.leadership {
                self.abandoned.insert(overlay.name, until, term);
            }
        }
    }

    /// Forgets the abandoned leaderships whose time is over; of more than `most`, those that end first.
    pub(super) fn forget_abandoned(&mut self, now: Instant, most: usize) {
        while self.abandoned.pop_due(now).is_some() {}
        while self.abandoned.len() > most {
            self.abandoned.pop_first();
        }
    }

    /// Remembers until `until` where the stream of an overlay has ended; of more than `most` ends, the latest.
    pub(super) fn remember_end(
        &mut self,
        name: OverlayName,
        ended: Ended,
        until: Instant,
        now: Instant,
        most: usize,
    ) {
        self.ended.insert(name, until, ended);
        while self.ended.pop_due(now).is_some() {}
        while self.ended.len() > most {
            self.ended.pop_first();
        }
    }

    /// Another stream begins.
    pub(super) fn forget_end(&mut self, name: &OverlayName) {
        self.ended.remove(name);
    }

    /// Where the stream of an overlay has ended, if that is still remembered.
    pub(super) fn end(&self, name: &OverlayName, now: Instant) -> Option<&Ended> {
        let remembered = self.ended.deadline(name)? > now;
        self.ended.get(name).filter(|_| remembered)
    }

    /// Whether an overlay has a root or a standby.
    pub(super) fn is_open(&self, name: &OverlayName) -> bool {
        self.named(name).is_some_and(Overlay::is_open)
    }

    /// The number of such overlays whose name is `wanted`.
    pub(super) fn open_count(&self, wanted: impl Fn(&OverlayName) -> bool) -> usize {
        let overlays = self.iter();
        overlays
            .filter(|overlay| overlay.is_open() && wanted(&overlay.name))
            .count()
    }

    /// The number of overlays with a root.
    pub(super) fn led_count(&self) -> usize {
        self.iter()
            .filter(|overlay| overlay.leadership.root().is_some())
            .count()
    }

    /// The number of joins that roots know of.
    pub(super) fn join_count(&self) -> usize {
        self.iter().map(|overlay| overlay.joins.len()).sum()
    }

    fn open(&mut self, name: &OverlayName) -> OverlayKey {
        let leadership = self.abandoned(name);
        self.abandoned.remove(name);
        let key = OverlayKey(self.table.insert(Overlay {
            name: name.clone(),
            members: BTreeMap::new(),
            standbys: Vec::new(),
            leadership,
            joins: Joins::default(),
        }));
        self.by_name.insert(name.clone(), key);
        key
    }

    fn abandoned(&self, name: &OverlayName) -> Leadership {
        match (self.abandoned.get(name), self.abandoned.deadline(name)) {
            (Some(&term), Some(until)) => Leadership::Vacant { term, until },
            _ => Leadership::Unknown,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Overlay> {
        self.table.iter().map(|(_, overlay)| overlay)
    }
}
