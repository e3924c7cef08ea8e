//! The bootstrap server: the real brain, behind sockets that are not.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::bootstrap::{self, Access, Source};
use overlay_core::wire::{OverlayName, Token};
use overlay_core::{BootstrapId, ConnectionId, Instant};

use super::world::Ix;

/// A connection to the server, as the client calls it.
pub(crate) type Connection = (Ix, BootstrapId);

/// The token of the root.
pub(crate) const TOKEN: &str = "the root's token";

/// What the server does to a client: sends it a message, or hangs up.
pub(crate) type Outgoing = Vec<(Connection, Option<Bytes>)>;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) up: bool,
    /// Some frames of joins never arrive at their client, and others twice.
    pub(crate) careless: bool,
    relay: bootstrap::Server,
    connections: BTreeMap<Connection, ConnectionId>,
    clients: BTreeMap<ConnectionId, Connection>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            up: true,
            careless: false,
            relay: relay(),
            connections: BTreeMap::new(),
            clients: BTreeMap::new(),
        }
    }
}

impl Server {
    /// Whether the server takes the connection.
    pub(crate) fn connect(&mut self, from: Connection, now: Instant) -> bool {
        let source = Source(from.0 as u128);
        let accepted = self.up.then(|| self.relay.accept(now, source));
        let Some(Ok(connection)) = accepted else {
            return false;
        };
        self.connections.insert(from, connection);
        self.clients.insert(connection, from);
        true
    }

    pub(crate) fn disconnect(&mut self, from: Connection, now: Instant) -> Outgoing {
        let connection = self.connections.remove(&from);
        connection.map_or_else(Vec::new, |connection| {
            self.event(now, bootstrap::EventKind::Closed { connection })
        })
    }

    pub(crate) fn receive(&mut self, from: Connection, bytes: Bytes, now: Instant) -> Outgoing {
        let connection = self.connections.get(&from).copied();
        connection.map_or_else(Vec::new, |connection| {
            self.event(now, bootstrap::EventKind::Message { connection, bytes })
        })
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.relay.next_deadline()
    }

    pub(crate) fn timeout(&mut self, now: Instant) -> Outgoing {
        self.event(now, bootstrap::EventKind::Timeout)
    }

    /// Dies, and forgets everything.
    pub(crate) fn stop(&mut self) -> Outgoing {
        self.up = false;
        self.relay = relay();
        self.clients.clear();
        let connections = std::mem::take(&mut self.connections);
        connections
            .into_keys()
            .map(|client| (client, None))
            .collect()
    }

    pub(crate) fn connections_of(&self, node: Ix) -> Vec<Connection> {
        let mine = |connection: &&Connection| connection.0 == node;
        self.connections.keys().filter(mine).copied().collect()
    }

    fn event(&mut self, now: Instant, kind: bootstrap::EventKind) -> Outgoing {
        let actions = self.relay.handle_input(bootstrap::Event { now, kind });
        let outgoing = actions.into_iter().filter_map(|action| match action {
            bootstrap::Action::Send { connection, bytes } => {
                Some((*self.clients.get(&connection)?, Some(bytes)))
            }
            bootstrap::Action::Close { connection, .. } => {
                let client = self.clients.remove(&connection)?;
                self.connections.remove(&client);
                Some((client, None))
            }
            bootstrap::Action::Notify(_) => None,
        });
        outgoing.collect()
    }
}

fn relay() -> bootstrap::Server {
    let overlay = OverlayName::new("default").unwrap();
    let access = Access::default().overlay(overlay, Token::new(TOKEN).unwrap());
    bootstrap::Server::new(bootstrap::Config::new(access), [5; 32], Duration::ZERO).unwrap()
}
