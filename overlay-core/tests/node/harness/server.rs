//! The least that a bootstrap server does: register, introduce joiners to the root, and bring the
//! answers back.

use std::collections::BTreeMap;

use bytes::Bytes;
use overlay_core::wire::{
    self, ClientFrame, JoinFrame, Refusal, Registration, RejectReason, Rejection, ServerFrame,
    VERSION,
};
use overlay_core::{BootstrapId, NodeId};

use super::world::Ix;

/// A connection to the server.
pub(crate) type Connection = (Ix, BootstrapId);

/// The token of the root.
pub(crate) const TOKEN: &str = "the root's token";

/// What a server sends, and to whom.
pub(crate) type Outgoing = Vec<(Connection, Bytes)>;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) up: bool,
    /// Loses some frames of joins and repeats others.
    pub(crate) careless: bool,
    connections: BTreeMap<Connection, Option<NodeId>>,
    root: Option<Connection>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            up: true,
            careless: false,
            connections: BTreeMap::new(),
            root: None,
        }
    }
}

impl Server {
    pub(crate) fn connect(&mut self, from: Connection) -> bool {
        if self.up {
            self.connections.insert(from, None);
        }
        self.up
    }

    pub(crate) fn disconnect(&mut self, from: Connection) {
        self.connections.remove(&from);
        self.root.take_if(|root| *root == from);
    }

    /// Loses all connections; returns them.
    pub(crate) fn stop(&mut self) -> Vec<Connection> {
        self.up = false;
        self.root = None;
        std::mem::take(&mut self.connections).into_keys().collect()
    }

    pub(crate) fn connections_of(&self, node: Ix) -> Vec<Connection> {
        let mine = |connection: &&Connection| connection.0 == node;
        self.connections.keys().filter(mine).copied().collect()
    }

    pub(crate) fn receive(&mut self, from: Connection, bytes: &[u8], copies: u64) -> Outgoing {
        if !self.connections.contains_key(&from) {
            return Vec::new();
        }
        match wire::decode(bytes).unwrap() {
            ClientFrame::Hello {
                id, registration, ..
            } => vec![(from, self.register(from, id, &registration))],
            ClientFrame::Ping => vec![(from, wire::encode(&ServerFrame::Pong))],
            ClientFrame::Join(frame) => (0..copies)
                .flat_map(|_| self.pass_on(from, frame.clone()))
                .collect(),
            ClientFrame::Reserved { .. } => panic!("no client sends this"),
        }
    }

    fn register(&mut self, from: Connection, id: NodeId, wish: &Registration) -> Bytes {
        if let Registration::Root { token } = wish {
            if token.expose() != TOKEN {
                self.disconnect(from);
                return wire::encode(&ServerFrame::Refused {
                    version: VERSION,
                    refusal: Refusal::WrongToken,
                    retry_after_ms: 0,
                });
            }
            self.root = Some(from);
        }
        self.connections.insert(from, Some(id));
        wire::encode(&ServerFrame::Welcome {
            version: VERSION,
            keepalive_ms: 10_000,
        })
    }

    fn pass_on(&mut self, from: Connection, frame: JoinFrame) -> Outgoing {
        let join = frame.join();
        let (to, frame) = if self.root == Some(from) {
            let joiner = |(_, id): &(&Connection, &Option<NodeId>)| **id == Some(join.origin);
            (
                self.connections.iter().find(joiner).map(|(to, _)| *to),
                frame,
            )
        } else if self.root.is_some() {
            (self.root, frame)
        } else if matches!(frame, JoinFrame::Request(_)) {
            let rejection = Rejection {
                reason: RejectReason::NoRoot,
                retry_after_ms: 1_000,
            };
            (Some(from), JoinFrame::Reject { join, rejection })
        } else {
            (None, frame)
        };
        to.map(|to| (to, wire::encode(&ServerFrame::Join(frame))))
            .into_iter()
            .collect()
    }
}
