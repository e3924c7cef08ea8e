//! The connected clients, and what each has become.

use alloc::vec::Vec;

use slab::Slab;

use super::limits::Meter;
use super::overlay::OverlayKey;
use super::sources::Source;
use crate::id::{ConnectionId, NodeId};
use crate::time::Instant;
use crate::wire::ResumeSecret;

/// A client that is connected.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) source: Source,
    pub(super) accepted: Instant,
    /// When it last sent anything.
    pub(super) heard: Instant,
    pub(super) meter: Meter,
    pub(super) state: State,
    /// Whether it was the root and has laid that down.
    pub(super) abdicated: bool,
}

/// What a client has become. It begins as `Greeting` and changes once, a standby that succeeds twice.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// It has not said who it is.
    Greeting,
    /// A node in search of a parent.
    Joiner {
        client: Client,
        /// The number of its last attempt on this connection; 0 before the first.
        last_attempt: u32,
        /// Whether it waits to be the root.
        standby: bool,
    },
    /// The root of its overlay.
    Root(Client),
}

impl Connection {
    pub(super) const fn stands_by(&self) -> bool {
        matches!(self.state, State::Joiner { standby: true, .. })
    }
}

impl State {
    pub(super) const fn client(&self) -> Option<&Client> {
        match self {
            Self::Greeting => None,
            Self::Joiner { client, .. } | Self::Root(client) => Some(client),
        }
    }
}

/// Who a client is. While the connection lasts, it is a member of its overlay under this id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) overlay: OverlayKey,
    pub(super) id: NodeId,
    pub(super) secret: ResumeSecret,
}

/// The connections by their handles. A handle repeats after 2³² connections at the earliest, when
/// no event about its first owner can still be on its way.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Slab<Slot>,
    next_generation: u32,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    connection: Connection,
}

impl Connections {
    /// The handle of the newcomer; `None` if there are more than a handle can tell apart.
    pub(super) fn insert(&mut self, connection: Connection) -> Option<ConnectionId> {
        let entry = self.slots.vacant_entry();
        let id = ConnectionId {
            index: u32::try_from(entry.key()).ok()?,
            generation: self.next_generation,
        };
        self.next_generation = self.next_generation.wrapping_add(1);
        entry.insert(Slot {
            generation: id.generation,
            connection,
        });
        Some(id)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        let slot = self.slots.get(id.index as usize)?;
        (slot.generation == id.generation).then_some(&slot.connection)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(id.index as usize)?;
        (slot.generation == id.generation).then_some(&mut slot.connection)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        self.get(id)?;
        Some(self.slots.remove(id.index as usize).connection)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.slots
            .iter()
            .filter_map(|(key, slot)| {
                Some(ConnectionId {
                    index: u32::try_from(key).ok()?,
                    generation: slot.generation,
                })
            })
            .collect()
    }
}
