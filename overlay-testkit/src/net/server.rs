//! The bootstrap server that ships, behind connections that are not sockets.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use overlay_core::bootstrap::{self, Access, Notice, Rate, Source, Traffic};
use overlay_core::wire::{self, OverlayName, ServerFrame, Token};
use overlay_core::{BootstrapId, ConnectionId, Instant, NodeId};

use super::Ix;
use crate::invariants::Scrutiny;
use crate::violation::{Invariant, Violation};

/// A client's connection, as the client calls it.
pub type Client = (Ix, BootstrapId);

const TOKEN: &str = "a simulated root's token";

/// What the server does to a client: sends it a message, or hangs up.
pub type Outgoing = Vec<(Client, Option<Bytes>)>;

/// The bootstrap server, and how it fails.
#[derive(Debug)]
pub struct Server {
    inner: bootstrap::Server,
    since_1970: Duration,
    config: bootstrap::Config,
    scrutiny: Scrutiny,
    /// Until when it is down.
    pub down_until: Instant,
    /// Whether it is dark while it is down, or refuses connections.
    pub dark: bool,
    /// Until when it loses and doubles the frames of joins.
    pub careless_until: Instant,
    /// When the world will next wake it.
    pub wake: Option<Instant>,
    /// The root, and since when it is.
    pub root: Option<(NodeId, Instant)>,
    connections: BTreeMap<Client, ConnectionId>,
    clients: BTreeMap<ConnectionId, Client>,
    actions: Vec<bootstrap::Action>,
}

/// What the server allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// The defaults of a public server.
    #[default]
    Default,
    /// No rates: for experiments that let thousands join in a second.
    Lifted,
}

impl Server {
    /// A server for one overlay, which began this long after 1970.
    pub fn new(
        overlay: &OverlayName,
        limits: Limits,
        scrutiny: Scrutiny,
        since_1970: Duration,
    ) -> Result<Self, bootstrap::ConfigError> {
        let token = token().ok_or(bootstrap::ConfigError::EmptyToken)?;
        let mut config = bootstrap::Config::new(Access::default().overlay(overlay.clone(), token));
        if limits == Limits::Lifted {
            let most = Rate {
                per_second: u32::MAX,
                burst: u32::MAX,
            };
            let traffic = Traffic {
                messages: most,
                bytes: most,
            };
            config.root_traffic = traffic;
            config.max_connections = usize::MAX / 2;
            config.max_pending_joins = usize::MAX / 2;
        }
        Ok(Self {
            inner: bootstrap::Server::new(config.clone(), [5; 32], since_1970)?,
            since_1970,
            config,
            scrutiny,
            down_until: Instant::ZERO,
            dark: false,
            careless_until: Instant::ZERO,
            wake: None,
            root: None,
            connections: BTreeMap::new(),
            clients: BTreeMap::new(),
            actions: Vec::new(),
        })
    }

    /// Whether the server answers.
    #[must_use]
    pub fn is_up(&self, now: Instant) -> bool {
        self.down_until <= now
    }

    /// A client that is silent for twice as long is forgotten.
    #[must_use]
    pub const fn keepalive(&self) -> Duration {
        self.config.keepalive
    }

    /// How long a root may take joiners in after the server has answered it.
    #[must_use]
    pub const fn lease(&self) -> Duration {
        self.config.root_lease
    }

    /// Whether the server takes the connection.
    pub fn connect(&mut self, client: Client, now: Instant) -> bool {
        if !self.is_up(now) {
            return false;
        }
        let Ok(connection) = self.inner.accept(now, Source(client.0 as u128)) else {
            return false;
        };
        self.connections.insert(client, connection);
        self.clients.insert(connection, client);
        true
    }

    /// A client closes its connection.
    pub fn disconnect(&mut self, client: Client, now: Instant) -> Result<Outgoing, Violation> {
        let Some(connection) = self.connections.remove(&client) else {
            return Ok(Outgoing::new());
        };
        self.clients.remove(&connection);
        self.event(now, bootstrap::EventKind::Closed { connection })
    }

    /// A client's message arrives.
    pub fn receive(
        &mut self,
        from: Client,
        bytes: Bytes,
        now: Instant,
    ) -> Result<Outgoing, Violation> {
        match self.connections.get(&from) {
            Some(&connection) => {
                self.event(now, bootstrap::EventKind::Message { connection, bytes })
            }
            None => Ok(Outgoing::new()),
        }
    }

    /// When the server next wants a timeout.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.inner.next_deadline()
    }

    /// The server gets a timeout.
    pub fn timeout(&mut self, now: Instant) -> Result<Outgoing, Violation> {
        let outgoing = self.event(now, bootstrap::EventKind::Timeout)?;
        let due = self.inner.next_deadline();
        Invariant::DeadlinesLieAhead.holds(due.is_none_or(|due| due > now), || {
            format!("the server is due at {due:?}, and it is {now:?}")
        })?;
        Ok(outgoing)
    }

    /// The server dies and forgets everything. Returns the clients that were connected.
    pub fn stop(&mut self, until: Instant) -> Vec<Client> {
        self.down_until = self.down_until.max(until);
        // The same configuration was accepted before.
        let fresh = bootstrap::Server::new(self.config.clone(), [5; 32], self.since_1970);
        if let Ok(fresh) = fresh {
            self.inner = fresh;
        }
        self.root = None;
        self.clients.clear();
        core::mem::take(&mut self.connections).into_keys().collect()
    }

    /// Whether the client is connected.
    #[must_use]
    pub fn knows(&self, client: Client) -> bool {
        self.connections.contains_key(&client)
    }

    fn event(&mut self, now: Instant, kind: bootstrap::EventKind) -> Result<Outgoing, Violation> {
        let mut actions = core::mem::take(&mut self.actions);
        self.inner
            .handle_input_into(bootstrap::Event { now, kind }, &mut actions);
        let mut outgoing = Outgoing::new();
        for action in actions.drain(..) {
            match action {
                bootstrap::Action::Send { connection, bytes } => {
                    outgoing.push((self.client(connection)?, Some(self.checked(bytes)?)));
                }
                bootstrap::Action::Close { connection, .. } => {
                    let client = self.client(connection)?;
                    self.clients.remove(&connection);
                    self.connections.remove(&client);
                    outgoing.push((client, None));
                }
                bootstrap::Action::Notify(Notice::RootRegistered { id, .. }) => {
                    self.root = Some((id, now));
                }
                bootstrap::Action::Notify(_) => {}
            }
        }
        self.actions = actions;
        Ok(outgoing)
    }

    fn client(&self, connection: ConnectionId) -> Result<Client, Violation> {
        self.clients.get(&connection).copied().ok_or_else(|| {
            Invariant::ServerKnowsItsClients.broken(format!("{connection:?} is not connected"))
        })
    }

    fn checked(&self, bytes: Bytes) -> Result<Bytes, Violation> {
        let well_formed =
            self.scrutiny == Scrutiny::Lengths || wire::decode::<ServerFrame>(&bytes).is_ok();
        Invariant::ServerKnowsItsClients.holds(well_formed, || format!("sends {bytes:?}"))?;
        Ok(bytes)
    }
}

/// The token of every simulated root.
#[must_use]
pub fn token() -> Option<Token> {
    Token::new(TOKEN).ok()
}
