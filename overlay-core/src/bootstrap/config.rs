//! The bounds of a relay.

use core::time::Duration;

use super::Access;
use crate::wire::MAX_FRAME;

/// What a relay allows, each bound with its default. All are checked by
/// [`Server::new`](super::Server::new).
#[derive(Clone, Debug)]
pub struct Config {
    /// Which overlays there are, and who may be their root.
    pub access: Access,

    /// Connections of joiners and of those who have not said what they are: 10,000. A joiner stays
    /// for seconds, so that is a crowd; it needs far less memory here than for its sockets.
    pub max_connections: usize,

    /// Connections above `max_connections` that only roots may keep: 64. Without a root, joiners
    /// pile up until the server is full, and then the root must get in.
    pub places_for_roots: usize,

    /// Connections from one [`Source`](super::Source): 2,000. A lecture hall behind one address
    /// fits, and it takes several addresses to fill the server.
    pub max_connections_per_source: usize,

    /// Overlays that the wildcard token holds open at once: 1,000. Whoever knows it can open so
    /// many; the named overlays don't count.
    pub max_overlays: usize,

    /// Joins under way at once in one overlay: 2,000. More than that and the root, who holds a route
    /// for each, is better served by joiners who come back a little later.
    pub max_pending_joins: usize,

    /// Candidates that each side of a join may send: 64. A browser with many interfaces finds a
    /// dozen or two.
    pub max_candidates: u32,

    /// How long a client may take to say who it is: 10 s, for a slow phone on a bad line.
    pub hello_timeout: Duration,

    /// How often a client says something at least: 20 s; one that is silent for twice as long is
    /// disconnected. So no proxy (they cut after 60 s or more) takes the connection for idle. For a root
    /// see `root_lease`.
    pub keepalive: Duration,

    /// How long a root may take joiners in after it has asked for a sign of life that was answered: 8 s. It
    /// asks three times as often, and is taken for dead when it has been silent for as long. The shorter, the sooner a
    /// standby takes over; a root whose line stalls for longer loses nothing but its connection.
    pub root_lease: Duration,

    /// How long a root whose connection has ended has for coming back before a standby takes over: 5 s.
    /// A process that is restarted, or a phone that changes networks, is back by then.
    pub root_grace: Duration,

    /// Standbys in one overlay: 8. Each keeps a connection; more than a few are of no use.
    pub max_standbys: usize,

    /// How long a joiner that does not stand by may stay connected: 10 min. That is many joins; who has not come through by
    /// then gives its place to somebody else, and comes back if it still wants to.
    pub max_joiner_session: Duration,

    /// How long a join is remembered: 60 s, twice the time that nodes give it, so that it is they
    /// who end it.
    pub join_timeout: Duration,

    /// The least wait that a client is told when it is turned away: 1 s. It is told that much and a
    /// random part of as much again.
    pub retry_after: Duration,

    /// At a shutdown, clients are told to come back over this time, after `retry_after`: 10 s. A
    /// thousand clients then make a hundred handshakes in a second.
    pub shutdown_spread: Duration,

    /// What a joiner may send: 50 messages/s after a burst of 200, which is an attempt with all its
    /// candidates several times over; 32 KiB/s after 256 KiB, since an attempt is at most 40 KiB.
    pub joiner_traffic: Traffic,

    /// What a root may send: 10,000 messages/s after a burst of 20,000, and 16 MiB/s after 32 MiB.
    /// It answers everybody: a thousand joins at once are an answer and a dozen candidates each.
    pub root_traffic: Traffic,

    /// Wrong tokens from one source within `wrong_token_window`: 10. After that the source can't
    /// become a root until the window is over, so a person's slips must fit.
    pub max_wrong_tokens: u32,

    /// See `max_wrong_tokens`; counts from the first wrong one: 60 s. Ten guesses a minute find no
    /// token that is longer than a few letters.
    pub wrong_token_window: Duration,

    /// Sources whose wrong tokens are remembered: 1,000. Who has more addresses than that is not
    /// stopped by counting.
    pub max_wrong_token_sources: usize,
}

/// How fast something may flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// How fast a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// In messages.
    pub messages: Rate,
    /// In bytes of messages. The burst holds at least the longest frame.
    pub bytes: Rate,
}

/// A bound makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is no token, so no overlay can ever have a root.
    #[error("no overlay can have a root: add a named overlay or a token for any overlay")]
    NoOverlay,
    /// Everybody knows the empty token.
    #[error("a root token is empty")]
    EmptyToken,
    /// The field of this name is zero.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
    /// The field of this name is not a time that fits a frame.
    #[error("`{0}` must be between 1 ms and 49 days")]
    Duration(&'static str),
    /// A root that asks for a sign of life each second could not keep its lease.
    #[error("`root_lease` must be at least {} s", LEAST_LEASE.as_secs())]
    Lease,
    /// A burst of bytes is too small for the longest frame.
    #[error("the byte burst of `{0}` must hold a frame of {MAX_FRAME} bytes")]
    ByteBurst(&'static str),
}

/// The shortest `root_lease`: no node asks for a sign of life more often than each second.
const LEAST_LEASE: Duration = Duration::from_secs(3);

impl Config {
    /// The default bounds, for these overlays.
    #[must_use]
    pub const fn new(access: Access) -> Self {
        Self {
            access,
            max_connections: 10_000,
            places_for_roots: 64,
            max_connections_per_source: 2_000,
            max_overlays: 1_000,
            max_pending_joins: 2_000,
            max_candidates: 64,
            hello_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(20),
            root_lease: Duration::from_secs(8),
            root_grace: Duration::from_secs(5),
            max_standbys: 8,
            max_joiner_session: Duration::from_secs(600),
            join_timeout: Duration::from_secs(60),
            retry_after: Duration::from_secs(1),
            shutdown_spread: Duration::from_secs(10),
            joiner_traffic: Traffic {
                messages: Rate {
                    per_second: 50,
                    burst: 200,
                },
                bytes: Rate {
                    per_second: 32 * 1024,
                    burst: 256 * 1024,
                },
            },
            root_traffic: Traffic {
                messages: Rate {
                    per_second: 10_000,
                    burst: 20_000,
                },
                bytes: Rate {
                    per_second: 16 * 1024 * 1024,
                    burst: 32 * 1024 * 1024,
                },
            },
            max_wrong_tokens: 10,
            wrong_token_window: Duration::from_secs(60),
            max_wrong_token_sources: 1_000,
        }
    }

    /// How long a client may be silent.
    pub(super) const fn longest_silence(&self) -> Duration {
        self.keepalive.saturating_mul(2)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.access.validate()?;
        let counts = [
            ("max_connections", self.max_connections),
            (
                "max_connections_per_source",
                self.max_connections_per_source,
            ),
            ("max_overlays", self.max_overlays),
            ("max_pending_joins", self.max_pending_joins),
            ("max_standbys", self.max_standbys),
            ("max_wrong_tokens", self.max_wrong_tokens as usize),
            ("max_wrong_token_sources", self.max_wrong_token_sources),
        ];
        for (name, count) in counts {
            nonzero(name, count)?;
        }
        let durations = [
            ("hello_timeout", self.hello_timeout),
            ("keepalive", self.keepalive),
            ("root_lease", self.root_lease),
            ("root_grace", self.root_grace),
            ("max_joiner_session", self.max_joiner_session),
            ("join_timeout", self.join_timeout),
            ("retry_after", self.retry_after),
            ("wrong_token_window", self.wrong_token_window),
        ];
        for (name, duration) in durations {
            if !(1..=u128::from(u32::MAX)).contains(&duration.as_millis()) {
                return Err(ConfigError::Duration(name));
            }
        }
        if self.root_lease < LEAST_LEASE {
            return Err(ConfigError::Lease);
        }
        self.joiner_traffic.validate("joiner_traffic")?;
        self.root_traffic.validate("root_traffic")
    }
}

impl Traffic {
    fn validate(self, name: &'static str) -> Result<(), ConfigError> {
        let Self { messages, bytes } = self;
        for rate in [messages.per_second, messages.burst, bytes.per_second] {
            nonzero(name, rate as usize)?;
        }
        if (bytes.burst as usize) < MAX_FRAME {
            return Err(ConfigError::ByteBurst(name));
        }
        Ok(())
    }
}

const fn nonzero(name: &'static str, count: usize) -> Result<(), ConfigError> {
    if count == 0 {
        return Err(ConfigError::Zero(name));
    }
    Ok(())
}
