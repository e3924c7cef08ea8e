//! The bootstrap server as a pure state machine: it introduces joiners to the root of their overlay, and forgets them.
//!
//! A [`Server`] does no I/O and reads no clock. Its driver, be it a real server, a simulator or a fuzzer, does four
//! things:
//!
//! - for a new client, call [`accept`](Server::accept); on refusal, send the farewell and close the connection;
//! - for everything else that happens, call [`handle_input`](Server::handle_input);
//! - carry out the [`Action`]s in their order;
//! - when [`next_deadline`](Server::next_deadline) comes, hand in a [`Timeout`](EventKind::Timeout).
//!
//! The same seed and the same inputs give the same actions, byte for byte.
//!
//! A client says hello and becomes a joiner, a standby or the root. From then on, each of its frames is forwarded, or
//! dropped and counted, or the end of its connection. No frame makes the server panic, or grow past the bounds of
//! [`Config`]. An event makes a handful of actions, with four exceptions. The arrival or promotion of a root tells
//! every joiner. The loss of a root tells every joiner that waits for an answer. A timeout ends whatever is due, and a
//! shutdown ends all.
//!
//! The driver bounds what waits to be written to a slow client. When that buffer is full, close the connection and
//! report [`Closed`](EventKind::Closed).
//!
//! ```
//! use overlay_core::bootstrap::{self, Access, Source};
//! use overlay_core::wire::{self, ClientFrame, OverlayName, Registration, ResumeSecret, Token};
//! use overlay_core::{Instant, NodeId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let access = Access::default().overlay(OverlayName::new("concert")?, Token::new("secret")?);
//! let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
//! let mut server = bootstrap::Server::new(bootstrap::Config::new(access), [7; 32], since_1970)?;
//!
//! let connection = server.accept(Instant::ZERO, Source(1))?;
//! let hello = ClientFrame::Hello {
//!     version: wire::VERSION,
//!     overlay: OverlayName::new("concert")?,
//!     id: NodeId::from_u128(1),
//!     secret: ResumeSecret::from_bytes([1; 16]),
//!     registration: Registration::Joiner,
//! };
//! let kind = bootstrap::EventKind::Message { connection, bytes: wire::encode(&hello) };
//! let welcome = server.handle_input(bootstrap::Event { now: Instant::ZERO, kind });
//! assert!(matches!(welcome[..], [bootstrap::Action::Send { .. }, ..]));
//! # Ok(())
//! # }
//! ```

mod access;
mod admission;
mod config;
mod deadlines;
mod epochs;
mod event;
mod forwarding;
mod joins;
mod leadership;
mod outbox;
mod overlay;
mod rate;
mod session;
mod source;
mod stats;
mod succession;
mod wrong_tokens;

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

pub use access::Access;
pub use config::{Config, ConfigError, Rate, Traffic};
pub use event::{Action, Event, EventKind, NotAccepted, Notice};
pub use source::Source;
pub use stats::{Refusals, Stats};

use crate::id::ConnectionId;
use crate::time::Instant;
use crate::wire::{self, ClientFrame, Refusal, ServerFrame, WireError};
use admission::Hello;
use epochs::EpochClock;
use outbox::Outbox;
use overlay::Overlays;
use session::{Role, Sessions};
use wrong_tokens::WrongTokens;

/// The state of a bootstrap server. See the [module](self).
#[derive(Debug)]
pub struct Server {
    config: Config,
    now: Instant,
    shut_down: bool,
    sessions: Sessions,
    overlays: Overlays,
    wrong_tokens: WrongTokens,
    epochs: EpochClock,
    outbox: Outbox,
    counters: Stats,
}

impl Server {
    /// A server without clients. The seed only spreads the moments at which clients are told to come back.
    /// `since_1970` is the time since then at [`Instant::ZERO`]. By it a server that is started anew gives its roots
    /// later [epochs](crate::Epoch) than the one before.
    pub fn new(config: Config, seed: [u8; 32], since_1970: Duration) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            now: Instant::ZERO,
            shut_down: false,
            sessions: Sessions::default(),
            overlays: Overlays::default(),
            wrong_tokens: WrongTokens::default(),
            epochs: EpochClock::new(since_1970),
            outbox: Outbox::new(seed, &config),
            counters: Stats::default(),
            config,
        })
    }

    /// Accepts a client from `source`, unless the server has shut down or a limit on connections is reached. See
    /// [`max_connections`](Config::max_connections) and
    /// [`max_connections_per_source`](Config::max_connections_per_source).
    pub fn accept(&mut self, now: Instant, source: Source) -> Result<ConnectionId, NotAccepted> {
        self.now = self.now.max(now);
        self.admit(source).map_err(|refusal| {
            self.count(refusal);
            NotAccepted {
                refusal,
                farewell: self.outbox.farewell(refusal),
            }
        })
    }

    /// The actions that follow from `event`.
    #[must_use]
    pub fn handle_input(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_input_into(event, &mut actions);
        actions
    }

    /// Like [`handle_input`](Self::handle_input), appending to a buffer that the caller reuses.
    pub fn handle_input_into(&mut self, event: Event, actions: &mut Vec<Action>) {
        self.outbox.swap(actions);
        self.now = self.now.max(event.now);
        match event.kind {
            EventKind::Message { connection, bytes } => self.message(connection, &bytes),
            EventKind::Closed { connection } => self.remove(connection),
            EventKind::Timeout => {
                while let Some(connection) = self.sessions.pop_due(self.now) {
                    self.expire(connection);
                }
            }
            EventKind::Shutdown => self.shut_down(),
        }
        self.outbox.swap(actions);
    }

    /// The moment of the next [`Timeout`](EventKind::Timeout). After a timeout at `now` it is `None` or later than
    /// `now`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.sessions.next_deadline()
    }

    /// The state of the server in numbers. The call looks at every overlay.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.sessions.len(),
            overlays: self.overlays.led_count(),
            pending_joins: self.overlays.join_count(),
            ..self.counters
        }
    }

    fn message(&mut self, id: ConnectionId, bytes: &Bytes) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        // A sign of life first, even if the deadline has just passed and the timeout is still to come.
        session.heard = self.now;
        // The limits before decoding: a message that is no frame counts, too.
        let outcome = if session.meter.admits(self.now, bytes.len()) {
            self.frame(id, bytes)
        } else {
            Err(Refusal::RateLimited)
        };
        match outcome {
            Ok(()) => self.schedule(id),
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    /// The first frame is a `Hello`, and no other is. A frame that no client of this protocol sends ends the
    /// connection.
    fn frame(&mut self, id: ConnectionId, bytes: &Bytes) -> Result<(), Refusal> {
        let frame = wire::decode::<ClientFrame>(bytes).map_err(|error| match error {
            WireError::Version(_) => Refusal::Version,
            WireError::TooLong(_) | WireError::Malformed => Refusal::Malformed,
        })?;
        let Some(session) = self.sessions.get_mut(id) else {
            return Ok(());
        };
        match (session.role(), frame) {
            (Role::Greeting, frame) => self.register(id, &Hello::try_from(frame)?),
            (_, ClientFrame::Ping) => {
                self.outbox.send(id, &ServerFrame::Pong);
                Ok(())
            }
            (Role::Root { client, .. }, ClientFrame::StepDown { ended }) => {
                session.step_down();
                if let Some(ended) = ended {
                    self.stream_ended(client.overlay, ended);
                }
                Ok(())
            }
            (
                Role::Joiner { client, .. } | Role::Standby { client, .. },
                ClientFrame::Join(frame),
            ) => self.joiner_frame(id, client, frame),
            (Role::Root { client, .. }, ClientFrame::Join(frame)) => self.root_frame(client, frame),
            (_, ClientFrame::Hello { .. } | ClientFrame::StepDown { .. }) => {
                Err(Refusal::Malformed)
            }
        }
    }

    /// Tells a client why, and ends its connection.
    fn refuse(&mut self, id: ConnectionId, refusal: Refusal) {
        self.count(refusal);
        self.outbox.close(id, refusal);
        self.remove(id);
    }

    /// Forgets a connection, and tells the clients that it leaves waiting. A late event about one that is gone already
    /// changes nothing.
    fn remove(&mut self, id: ConnectionId) {
        let Some(session) = self.sessions.close(id) else {
            return;
        };
        match session.role() {
            Role::Greeting => {}
            Role::Joiner { client, .. } | Role::Standby { client, .. } => self.joiner_left(client),
            Role::Root { client, .. } => self.root_left(client, &session),
        }
    }

    /// Disconnects all clients, each with another time to come back, and accepts no more.
    fn shut_down(&mut self) {
        self.shut_down = true;
        // First, so that no client is told of the end of another.
        self.overlays = Overlays::default();
        for id in self.sessions.ids() {
            self.refuse(id, Refusal::ShuttingDown);
        }
    }

    const fn count(&mut self, refusal: Refusal) {
        *self.counters.refused.of_mut(refusal) += 1;
    }
}
