//! Who gets in, and as what.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use super::connection::{Client, Connection, State};
use super::limits::Meter;
use super::root::Root;
use super::{Notice, Relay, RelayAction, Source, millis, send};
use crate::id::{ConnectionId, NodeId};
use crate::wire::{
    self, ClientFrame, OverlayName, Refusal, Registration, ResumeSecret, ServerFrame, Token,
};

/// Who a client says it is.
pub(super) struct Hello {
    pub(super) overlay: OverlayName,
    pub(super) id: NodeId,
    pub(super) secret: ResumeSecret,
    pub(super) registration: Registration,
}

impl TryFrom<ClientFrame> for Hello {
    type Error = Refusal;

    fn try_from(frame: ClientFrame) -> Result<Self, Refusal> {
        match frame {
            ClientFrame::Hello {
                version: _, // checked by `decode`
                overlay,
                id,
                secret,
                registration,
            } => Ok(Self {
                overlay,
                id,
                secret,
                registration,
            }),
            _ => Err(Refusal::Malformed),
        }
    }
}

impl Relay {
    /// A newcomer has a place as long as the relay, and its source, have one free.
    pub(super) fn admit(&mut self, source: Source) -> Result<ConnectionId, Refusal> {
        if self.shut_down {
            return Err(Refusal::ShuttingDown);
        }
        let config = &self.config;
        let places = config
            .max_connections
            .saturating_add(config.places_for_roots);
        if self.connections.len() >= places
            || self.sources.of(source) >= config.max_connections_per_source
        {
            return Err(Refusal::TooManyConnections);
        }
        let connection = Connection {
            source,
            accepted: self.now,
            heard: self.now,
            meter: Meter::new(config.joiner_traffic, self.now),
            state: State::Greeting,
        };
        let id = self
            .connections
            .insert(connection)
            .ok_or(Refusal::TooManyConnections)?;
        self.sources.enter(source);
        self.counters.accepted += 1;
        self.arm(id);
        Ok(id)
    }

    /// Makes a newcomer what it wants to be, if nothing speaks against it.
    pub(super) fn register(
        &mut self,
        id: ConnectionId,
        hello: &Hello,
        out: &mut Vec<RelayAction>,
    ) -> Result<(), Refusal> {
        match &hello.registration {
            Registration::Joiner => self.check_joiner(hello)?,
            Registration::Root { token } => {
                self.check_token(id, &hello.overlay, token)?;
                self.check_vacancy(hello, out)?;
            }
        }
        self.free_id(hello, out)?;
        let Some(connection) = self.connections.get_mut(id) else {
            return Ok(());
        };
        let overlay = self.overlays.enter(&hello.overlay, hello.id, id);
        let client = Client {
            overlay,
            id: hello.id,
            secret: hello.secret,
        };
        let is_root = matches!(hello.registration, Registration::Root { .. });
        match hello.registration {
            Registration::Joiner => {
                connection.state = State::Joiner {
                    client,
                    last_attempt: 0,
                };
            }
            Registration::Root { .. } => {
                connection.state = State::Root(client);
                connection.meter = Meter::new(self.config.root_traffic, self.now);
                let by_wildcard = !self.config.access.names(&hello.overlay);
                self.overlays
                    .set_root(client.overlay, Root::new(id, by_wildcard));
                out.push(RelayAction::Notify(Notice::RootRegistered {
                    overlay: hello.overlay.clone(),
                    id: hello.id,
                }));
            }
        }
        let keepalive_ms = u32::try_from(millis(self.config.keepalive)).unwrap_or(u32::MAX);
        let welcome = ServerFrame::Welcome {
            version: wire::VERSION,
            keepalive_ms,
        };
        send(out, id, &welcome);
        if is_root {
            for joiner in self.overlays.joiners(overlay) {
                send(out, joiner, &ServerFrame::RootReady);
            }
        }
        Ok(())
    }

    /// A joiner may wait for a root that is not there yet, where there can be one. The places above
    /// `max_connections` are not for joiners.
    fn check_joiner(&self, hello: &Hello) -> Result<(), Refusal> {
        if !self.config.access.carries(&hello.overlay) {
            return Err(Refusal::UnknownOverlay);
        }
        if self.connections.len() > self.config.max_connections {
            return Err(Refusal::TooManyConnections);
        }
        Ok(())
    }

    /// A wrong token and an unknown overlay get the same answer, and a source that guesses gets none.
    fn check_token(
        &mut self,
        id: ConnectionId,
        overlay: &OverlayName,
        token: &Token,
    ) -> Result<(), Refusal> {
        let Some(Connection { source, .. }) = self.connections.get(id) else {
            return Ok(());
        };
        if self.wrong_tokens.too_many(*source, self.now, &self.config) {
            return Err(Refusal::RateLimited);
        }
        if !self.config.access.opens(overlay, token) {
            self.wrong_tokens.record(*source, self.now, &self.config);
            return Err(Refusal::WrongToken);
        }
        Ok(())
    }

    /// An overlay has one root: another node takes its place only when it is gone, or has been
    /// silent for too long. An overlay that is opened by the wildcard token needs room.
    fn check_vacancy(&mut self, hello: &Hello, out: &mut Vec<RelayAction>) -> Result<(), Refusal> {
        if let Some(root) = self.overlays.root_of(&hello.overlay) {
            self.expire(root, out);
        }
        let holder = self.overlays.holder_of(&hello.overlay, hello.id);
        match self.overlays.root_of(&hello.overlay) {
            Some(root) if holder == Some(root) => Ok(()),
            Some(_) => Err(Refusal::RootExists),
            None if self.config.access.names(&hello.overlay) => Ok(()),
            None if self.overlays.wildcards() < self.config.max_overlays => Ok(()),
            None => Err(Refusal::RateLimited),
        }
    }

    /// An id belongs to one connection. A node that comes back, and proves it by its secret, takes
    /// over from its own old connection, which it may know to be dead before anybody else does. A
    /// root, whose token counts for more than an id that anybody can claim, takes it from a joiner.
    fn free_id(&mut self, hello: &Hello, out: &mut Vec<RelayAction>) -> Result<(), Refusal> {
        let Some(holder) = self.overlays.holder_of(&hello.overlay, hello.id) else {
            return Ok(());
        };
        self.expire(holder, out);
        let Some(Connection { state, .. }) = self.connections.get(holder) else {
            return Ok(());
        };
        let same_node = state
            .client()
            .filter(|client| bool::from(client.secret.0.ct_eq(&hello.secret.0)));
        let outranks = matches!(state, State::Joiner { .. })
            && matches!(hello.registration, Registration::Root { .. });
        if let Some(&client) = same_node {
            // Who greets anew has not come through: its old join is over, with or without an answer.
            self.cancel_join(client, out);
            self.refuse(holder, Refusal::Superseded, out);
        } else if outranks {
            self.refuse(holder, Refusal::IdInUse, out);
        } else {
            return Err(Refusal::IdInUse);
        }
        Ok(())
    }
}
