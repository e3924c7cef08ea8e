//! The bootstrap server's brain: it introduces newcomers to the root of their overlay and forgets
//! them.
//!
//! A [`Server`] does no I/O and reads no clock. Whoever drives it, be it a server, a simulator or a
//! fuzzer, does four things:
//!
//! - for a new client, [`accept`](Server::accept), and on refusal send the farewell and hang up;
//! - for everything else that happens, [`handle_input`](Server::handle_input);
//! - carry out the [`Action`]s in their order;
//! - when [`next_deadline`](Server::next_deadline) comes, hand in a [`EventKind::Timeout`].
//!
//! The same seed and the same inputs give the same actions, byte for byte.
//!
//! A client greets, becomes a joiner or a root, and from then on its frames are either passed on,
//! dropped and counted, or the end of its connection. Nothing that a client sends makes the relay
//! panic or grow past the bounds of [`Config`]. An event makes a handful of actions, except:
//! the arrival or promotion of a root tells every joiner, its loss every one that waits for an answer, a timeout ends
//! whatever is due,
//! a shutdown ends all.
//!
//! What waits to be written to a slow client is the driver's to bound: one whose buffer is full has
//! had its chance, hang up and report [`Closed`](EventKind::Closed).
//!
//! ```
//! use overlay_core::bootstrap::{self, Access, Server, Source};
//! use overlay_core::wire::{self, ClientFrame, OverlayName, Registration, ResumeSecret, Token};
//! use overlay_core::{Instant, NodeId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let access = Access::default().overlay(OverlayName::new("concert")?, Token::new("secret")?);
//! let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
//! let mut relay = Server::new(Config::new(access), [7; 32], since_1970)?;
//!
//! let connection = relay.accept(Instant::ZERO, Source(1))?;
//! let hello = ClientFrame::Hello {
//!     version: wire::VERSION,
//!     overlay: OverlayName::new("concert")?,
//!     id: NodeId::from_u128(1),
//!     secret: ResumeSecret::from_bytes([1; 16]),
//!     registration: Registration::Joiner,
//! };
//! let kind = EventKind::Message { connection, bytes: wire::encode(&hello) };
//! let welcome = relay.handle_input(Event { now: Instant::ZERO, kind });
//! assert!(matches!(welcome[..], [Action::Send { .. }]));
//! # Ok(())
//! # }
//! ```

mod access;
mod admission;
mod config;
mod connection;
mod deadlines;
mod event;
mod joins;
mod limits;
mod overlay;
mod root;
mod sources;
mod stats;
mod succession;

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub use access::Access;
pub use config::{Config, ConfigError, Rate, Traffic};
pub use event::{Action, Event, EventKind, NotAccepted, Notice};
pub use sources::Source;
pub use stats::{Refusals, Stats};

use crate::id::ConnectionId;
use crate::time::Instant;
use crate::wire::{self, ClientFrame, Refusal, ServerFrame, WireError};
use admission::Hello;
use connection::{Client, Connection, Connections, State};
use deadlines::Deadlines;
use overlay::Overlays;
use sources::{SourceCounts, WrongTokens};

/// The brain of a bootstrap server. See the [module](self).
#[derive(Debug)]
pub struct Server {
    config: Config,
    now: Instant,
    /// The time since 1970 at [`Instant::ZERO`], in microseconds.
    born: u64,
    /// The latest moment that was made an epoch.
    minted: u64,
    rng: ChaCha8Rng,
    shut_down: bool,
    connections: Connections,
    overlays: Overlays,
    sources: SourceCounts,
    wrong_tokens: WrongTokens,
    deadlines: Deadlines,
    counters: Stats,
}

impl Server {
    /// A relay that nobody is connected to. The seed only spreads the moments at which clients are
    /// told to come back. `born` is the time since 1970 at [`Instant::ZERO`]: by it a relay that is started anew
    /// gives its roots later [epochs](crate::Epoch) than the one before.
    pub fn new(config: Config, seed: [u8; 32], born: Duration) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            config,
            born: u64::try_from(born.as_micros()).unwrap_or(u64::MAX),
            minted: 0,
            now: Instant::ZERO,
            rng: ChaCha8Rng::from_seed(seed),
            shut_down: false,
            connections: Connections::default(),
            overlays: Overlays::default(),
            sources: SourceCounts::default(),
            wrong_tokens: WrongTokens::default(),
            deadlines: Deadlines::default(),
            counters: Stats::default(),
        })
    }

    /// A client has connected from `source`.
    ///
    /// It has a place as long as the relay, and the source, have one free; see
    /// [`max_connections`](Config::max_connections) and
    /// [`max_connections_per_source`](Config::max_connections_per_source).
    pub fn accept(&mut self, now: Instant, source: Source) -> Result<ConnectionId, NotAccepted> {
        self.now = self.now.max(now);
        self.admit(source).map_err(|refusal| NotAccepted {
            refusal,
            farewell: self.farewell(refusal),
        })
    }

    /// What happens next, because of `event`.
    #[must_use]
    pub fn handle_input(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_input_into(event, &mut actions);
        actions
    }

    /// Like [`handle_input`](Self::handle_input), appending to a buffer that the caller reuses.
    pub fn handle_input_into(&mut self, event: Event, out: &mut Vec<Action>) {
        self.now = self.now.max(event.now);
        match event.kind {
            EventKind::Message { connection, bytes } => self.message(connection, &bytes, out),
            EventKind::Closed { connection } => self.remove(connection, out),
            EventKind::Timeout => {
                while let Some(connection) = self.deadlines.due(self.now) {
                    self.expire(connection, out);
                }
            }
            EventKind::Shutdown => self.shut_down(out),
        }
    }

    /// When the relay wants a [`Timeout`](EventKind::Timeout); after one at `now` it is `None`
    /// or later than `now`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    /// What is there, and what has happened since the start. Looks at every overlay.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.connections.len(),
            overlays: self.overlays.rooted(),
            pending_joins: self.overlays.pending_joins(),
            ..self.counters
        }
    }

    /// A message counts against its sender's limits before anybody looks at it. It is a sign of life
    /// even if it comes when its sender's deadline has just passed.
    fn message(&mut self, id: ConnectionId, bytes: &Bytes, out: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.heard = self.now;
        let outcome = if connection.meter.admits(self.now, bytes.len()) {
            self.frame(id, bytes, out)
        } else {
            Err(Refusal::RateLimited)
        };
        match outcome {
            Ok(()) => self.arm(id),
            Err(refusal) => self.refuse(id, refusal, out),
        }
    }

    /// The first frame is a `Hello`, and no other is. What a client of this protocol doesn't send
    /// ends its connection.
    fn frame(
        &mut self,
        id: ConnectionId,
        bytes: &Bytes,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let frame = wire::decode::<ClientFrame>(bytes).map_err(|error| match error {
            WireError::Version(_) => Refusal::Version,
            WireError::TooLong(_) | WireError::Malformed => Refusal::Malformed,
        })?;
        let Some(Connection { state, .. }) = self.connections.get(id) else {
            return Ok(());
        };
        match (*state, frame) {
            (State::Greeting, frame) => self.register(id, &Hello::try_from(frame)?, out),
            (_, ClientFrame::Ping) => {
                send(out, id, &ServerFrame::Pong);
                Ok(())
            }
            (State::Root(_), ClientFrame::Abdicate) => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.abdicated = true;
                }
                Ok(())
            }
            (State::Joiner { client, .. }, ClientFrame::Join(frame)) => {
                self.joiner_frame(id, client, frame, out)
            }
            (State::Root(client), ClientFrame::Join(frame)) => self.root_frame(client, frame, out),
            (
                _,
                ClientFrame::Hello { .. } | ClientFrame::Reserved { .. } | ClientFrame::Abdicate,
            ) => Err(Refusal::Malformed),
        }
    }

    /// Tells a client why, and ends its connection.
    fn refuse(&mut self, id: ConnectionId, refusal: Refusal, out: &mut Vec<Action>) {
        let bytes = self.farewell(refusal);
        out.push(Action::Send {
            connection: id,
            bytes,
        });
        out.push(Action::Close {
            connection: id,
            refusal,
        });
        self.remove(id, out);
    }

    /// Forgets a connection, and tells those whom it leaves waiting. A late event about one that is
    /// gone already changes nothing.
    fn remove(&mut self, id: ConnectionId, out: &mut Vec<Action>) {
        let Some(connection) = self.connections.remove(id) else {
            return;
        };
        self.sources.leave(connection.source);
        self.deadlines.remove(id);
        match connection.state {
            State::Greeting => {}
            State::Joiner { client, .. } => self.joiner_left(client, out),
            State::Root(client) => self.root_left(client, &connection, out),
        }
    }

    /// Does what has become due on a connection.
    fn expire(&mut self, id: ConnectionId, out: &mut Vec<Action>) {
        while let Some((at, due)) = self.next_due(id)
            && at <= self.now
        {
            match due {
                Due::Refuse(refusal) => self.refuse(id, refusal, out),
                Due::ForgetJoin(client) => self.forget_join(client),
                Due::Promote(client) => self.promote(id, client, out),
            }
        }
        self.arm(id);
    }

    /// What becomes due first on a connection, and when: the one source of both the deadline and
    /// what it does.
    fn next_due(&self, id: ConnectionId) -> Option<(Instant, Due)> {
        let connection = self.connections.get(id)?;
        let config = &self.config;
        let silent = |since, limit: Duration| (since + limit, Due::Refuse(Refusal::Silent));
        match connection.state {
            State::Greeting => Some(silent(connection.accepted, config.hello_timeout)),
            State::Root(_) => Some(silent(connection.heard, config.root_lease)),
            State::Joiner {
                client, standby, ..
            } => {
                let silence = silent(connection.heard, config.longest_silence());
                let session = (
                    connection.accepted + config.max_joiner_session,
                    Due::Refuse(Refusal::RateLimited),
                );
                let succession = self
                    .succeeds_at(client)
                    .map(|at| (at, Due::Promote(client)));
                let join = self
                    .overlays
                    .join_of(client.overlay, client.id)
                    .map(|join| (join.since + config.join_timeout, Due::ForgetJoin(client)));
                [
                    Some(silence),
                    (!standby).then_some(session),
                    join,
                    succession,
                ]
                .into_iter()
                .flatten()
                .min_by_key(|(at, _)| *at)
            }
        }
    }

    /// Keeps the deadline of a connection true to its state.
    fn arm(&mut self, id: ConnectionId) {
        if let Some((at, _)) = self.next_due(id) {
            self.deadlines.set(id, at);
        }
    }

    /// Everybody is told to come back, each at another moment, and nobody is accepted any more.
    fn shut_down(&mut self, out: &mut Vec<Action>) {
        self.shut_down = true;
        // Nobody is left to hear of anybody else's end.
        self.overlays = Overlays::default();
        for id in self.connections.ids() {
            self.refuse(id, Refusal::ShuttingDown, out);
        }
    }

    /// The last frame to a client that is refused, counted.
    fn farewell(&mut self, refusal: Refusal) -> Bytes {
        *self.counters.refused.of_mut(refusal) += 1;
        let spread = match refusal {
            Refusal::ShuttingDown => self.config.shutdown_spread,
            _ => self.config.retry_after,
        };
        wire::encode(&ServerFrame::Refused {
            version: wire::VERSION,
            refusal,
            retry_after_ms: self.retry_after(spread),
        })
    }

    /// The configured wait and a random part of `spread` more, in milliseconds: those who are sent
    /// away together don't come back together.
    fn retry_after(&mut self, spread: Duration) -> u32 {
        let jitter = self.rng.next_u64() % (u64::from(millis(spread)) + 1);
        let wait = u64::from(millis(self.config.retry_after)).saturating_add(jitter);
        u32::try_from(wait).unwrap_or(u32::MAX)
    }
}

/// What can become due on a connection.
#[derive(Clone, Copy)]
enum Due {
    Refuse(Refusal),
    ForgetJoin(Client),
    Promote(Client),
}

fn send(out: &mut Vec<Action>, connection: ConnectionId, frame: &ServerFrame) {
    let bytes = wire::encode(frame);
    out.push(Action::Send { connection, bytes });
}

/// Whole milliseconds; more than a wait on the wire can hold count as that.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
