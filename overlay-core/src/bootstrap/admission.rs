//! Who gets in, and as what.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use super::connection::{Client, Connection, State};
use super::limits::Meter;
use super::succession::Right;
use super::{Action, Server, Source, millis, send};
use crate::id::{ConnectionId, Epoch, NodeId};
use crate::wire::{
    self, ClientFrame, OverlayName, Post, Refusal, Registration, ResumeSecret, ServerFrame, Token,
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

impl Server {
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
            abdicated: false,
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
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let right = match &hello.registration {
            Registration::Joiner => {
                self.check_joiner(hello)?;
                None
            }
            Registration::Root {
                token,
                epoch,
                reigning,
            } => {
                self.check_token(id, &hello.overlay, token)?;
                Some((self.right_of(hello, *epoch, *reigning, out)?, *epoch))
            }
        };
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
        connection.state = State::Joiner {
            client,
            last_attempt: 0,
            standby: matches!(right, Some((Right::StandBy, _))),
        };
        let post = match right {
            None | Some((Right::Join, _)) => Post::Joiner,
            Some((Right::StandBy, seen)) => {
                self.stand_by(client, seen);
                Post::Standby
            }
            Some((Right::Reign(epoch), _)) => {
                self.crown(id, client, epoch, out);
                Post::Root
            }
        };
        let reign = self.overlays.reign(overlay);
        let welcome = ServerFrame::Welcome {
            version: wire::VERSION,
            keepalive_ms: millis(self.config.keepalive),
            post,
            epoch: reign.map_or(Epoch::default(), |reign| reign.epoch),
            lease_ms: millis(self.config.root_lease),
        };
        send(out, id, &welcome);
        if post == Post::Root {
            self.tell_joiners(overlay, out);
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

    /// An id belongs to one connection. A node that comes back, and proves it by its secret, takes
    /// over from its own old connection, which it may know to be dead before anybody else does. A
    /// root, whose token counts for more than an id that anybody can claim, takes it from a joiner.
    fn free_id(&mut self, hello: &Hello, out: &mut Vec<Action>) -> Result<(), Refusal> {
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
