//! Admission: which clients get in, and as what.

use subtle::ConstantTimeEq;

use super::leadership::{Claim, Leadership, Verdict};
use super::outbox::millis;
use super::overlay::Overlay;
use super::session::{Client, Role, Session};
use super::{Notice, Server, Source};
use crate::id::{ConnectionId, Epoch, NodeId};
use crate::wire::{
    self, ClientFrame, ClientRole, OverlayName, Refusal, Registration, ResumeSecret, ServerFrame,
};

/// The first frame of a client.
pub(super) struct Hello {
    overlay: OverlayName,
    id: NodeId,
    secret: ResumeSecret,
    registration: Registration,
}

/// The role that a client gets.
enum Placement {
    Joiner,
    /// A standby that has seen this epoch.
    Standby(Epoch),
    /// The root of this epoch.
    Root(Epoch),
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
    /// A client gets a session while the server, and the client's source, have one free.
    pub(super) fn admit(&mut self, source: Source) -> Result<ConnectionId, Refusal> {
        if self.shut_down {
            return Err(Refusal::ShuttingDown);
        }
        let config = &self.config;
        let most = config
            .max_connections
            .saturating_add(config.reserved_for_roots);
        if self.sessions.len() >= most
            || self.sessions.count_from(source) >= config.max_connections_per_source
        {
            return Err(Refusal::TooManyConnections);
        }
        let session = Session::new(source, config, self.now);
        let id = self.sessions.open(session);
        self.counters.accepted += 1;
        self.schedule(id);
        Ok(id)
    }

    /// Makes a client what it wants to be, unless something speaks against it.
    pub(super) fn register(&mut self, id: ConnectionId, hello: &Hello) -> Result<(), Refusal> {
        let placement = self.place(id, hello)?;
        self.free_id(hello)?;
        let overlay = self.overlays.enter(&hello.overlay, hello.id, id);
        let client = Client {
            overlay,
            id: hello.id,
            secret: hello.secret,
        };
        let role = match placement {
            Placement::Joiner => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.join(client);
                }
                ClientRole::Joiner
            }
            Placement::Standby(seen) => {
                self.stand_by(id, client, seen);
                ClientRole::Standby
            }
            Placement::Root(epoch) => {
                self.lead(id, client, epoch);
                ClientRole::Root
            }
        };
        let overlay = self.overlays.get(overlay);
        let epoch = overlay.and_then(|overlay| overlay.leadership().epoch());
        let welcome = ServerFrame::Welcome {
            version: wire::VERSION,
            keepalive_ms: millis(self.config.keepalive),
            role,
            epoch: epoch.unwrap_or_default(),
            lease_ms: millis(self.config.root_lease),
        };
        self.outbox.send(id, &welcome);
        self.outbox.notify(Notice::Registered {
            connection: id,
            overlay: hello.overlay.clone(),
            id: hello.id,
            role,
        });
        if role == ClientRole::Joiner
            && let Some(ended) = self.overlays.end(&hello.overlay, self.now)
        {
            self.outbox.send(id, &ServerFrame::Ended(ended.clone()));
        }
        if role == ClientRole::Root {
            self.tell_joiners(client.overlay);
        }
        Ok(())
    }

    fn place(&mut self, id: ConnectionId, hello: &Hello) -> Result<Placement, Refusal> {
        match &hello.registration {
            Registration::Joiner => self.check_joiner(hello).map(|()| Placement::Joiner),
            Registration::Root {
                token,
                epoch,
                leads,
            } => {
                let Some(session) = self.sessions.get(id) else {
                    return Err(Refusal::Malformed);
                };
                self.wrong_tokens.check(
                    session.source,
                    (&hello.overlay, token),
                    self.now,
                    &self.config,
                )?;
                let claim = Claim {
                    id: hello.id,
                    seen: *epoch,
                    leads: *leads,
                };
                self.place_claimant(&hello.overlay, claim)
            }
        }
    }

    /// A joiner may wait for a root that is not there yet, if there can be one. The connections above
    /// `max_connections` are not for joiners.
    fn check_joiner(&self, hello: &Hello) -> Result<(), Refusal> {
        if !self.config.access.carries(&hello.overlay) {
            return Err(Refusal::UnknownOverlay);
        }
        if self.sessions.len() > self.config.max_connections {
            return Err(Refusal::TooManyConnections);
        }
        Ok(())
    }

    /// A client that knows the root's token becomes the root, a standby, or a joiner if there are standbys enough. An
    /// overlay that the wildcard token opens must find room first.
    fn place_claimant(&mut self, name: &OverlayName, claim: Claim) -> Result<Placement, Refusal> {
        // A root whose lease has run out is none, even if the timeout is still to come.
        if let Some(root) = self.overlays.leadership(name).root() {
            self.expire(root);
        }
        let is_wild = |name: &OverlayName| !self.config.access.names(name);
        if is_wild(name)
            && !self.overlays.is_open(name)
            && self.overlays.open_count(is_wild) >= self.config.max_wildcard_overlays
        {
            return Err(Refusal::RateLimited);
        }
        self.overlays
            .forget_abandoned(self.now, self.config.max_wildcard_overlays);
        let leadership = self.overlays.leadership(name);
        let overlay = self.overlays.named(name);
        let own = overlay.and_then(|overlay| overlay.member(claim.id));
        let standbys = overlay.map_or(0, Overlay::standbys);
        let epoch = match leadership.judge(claim, own, standbys > 0, self.now) {
            Verdict::Waits if standbys < self.config.max_standbys || self.is_standby(own) => {
                return Ok(Placement::Standby(claim.seen));
            }
            Verdict::Waits => return Ok(Placement::Joiner),
            Verdict::Continues(epoch) => epoch,
            Verdict::Succeeds => self.epochs.mint(self.now, leadership.epoch()),
        };
        // Another root gives way. It learns why when it comes back. The client's own connection is freed with its id.
        if let Leadership::Held { connection, .. } = leadership
            && own != Some(connection)
        {
            self.refuse(connection, Refusal::Superseded);
        }
        Ok(Placement::Root(epoch))
    }

    fn is_standby(&self, id: Option<ConnectionId>) -> bool {
        let session = id.and_then(|id| self.sessions.get(id));
        session.is_some_and(|session| matches!(session.role(), Role::Standby { .. }))
    }

    /// An id belongs to one connection. Two kinds of clients take it over from the connection that has it:
    ///
    /// - A node that comes back, and proves it by its secret. It may know before the server that its old connection
    ///   is dead.
    /// - A client with the root's token takes it from a joiner. The token counts for more than an id, which any
    ///   client can claim.
    fn free_id(&mut self, hello: &Hello) -> Result<(), Refusal> {
        let overlay = self.overlays.named(&hello.overlay);
        let Some(holder) = overlay.and_then(|overlay| overlay.member(hello.id)) else {
            return Ok(());
        };
        // A connection whose time is over does not hold the id, even if the timeout is still to come.
        self.expire(holder);
        let Some(session) = self.sessions.get(holder) else {
            return Ok(());
        };
        let role = session.role();
        let same_node = role
            .client()
            .filter(|client| bool::from(client.secret.0.ct_eq(&hello.secret.0)));
        let is_root = matches!(role, Role::Root { .. });
        let outranks = !is_root && matches!(hello.registration, Registration::Root { .. });
        if let Some(client) = same_node {
            // A node that says hello again has not been connected: its old join is over, answered or not.
            self.end_join(client, |_| true);
            self.refuse(holder, Refusal::Superseded);
        } else if outranks {
            self.refuse(holder, Refusal::IdInUse);
        } else {
            return Err(Refusal::IdInUse);
        }
        Ok(())
    }
}
