//! Bounds of a server.

use core::time::Duration;

use super::Access;
use crate::wire::MAX_FRAME;

/// The bounds of a server, each with its default and the reason for it. [`Server::new`](super::Server::new) checks
/// them.
#[derive(Clone, Debug)]
pub struct Config {
    /// The overlays that the server carries, with the tokens of their roots.
    pub access: Access,

    /// Connections of joiners and of clients that have not said hello: 10,000. A joiner stays for seconds, so that is a
    /// crowd. A connection needs far less memory here than for its socket.
    pub max_connections: usize,

    /// Connections above `max_connections` that only roots may keep: 64. Without a root, joiners wait here until the
    /// server is full, and then the root must still get in.
    pub reserved_for_roots: usize,

    /// Connections from one [`Source`](super::Source): 2,000. A lecture hall behind one address fits, and it takes
    /// several addresses to fill the server.
    pub max_connections_per_source: usize,

    /// Overlays that the wildcard token holds open at once: 1,000. Named overlays do not count. The bound is on what a
    /// client that knows the wildcard token can take.
    pub max_wildcard_overlays: usize,

    /// Joins under way at once in one overlay: 2,000. The root holds a route for each. With more of them, it is better
    /// served by joiners that come back a little later.
    pub max_pending_joins: usize,

    /// ICE candidates that each side of a join may send: 64. A browser on many interfaces finds a dozen or two.
    pub max_ice_candidates: u32,

    /// Time of a client to say hello: 10 s, which a slow phone on a bad line needs.
    pub hello_timeout: Duration,

    /// Time within which a client sends something: 20 s. A client that is silent for twice as long is disconnected.
    /// Proxies cut a connection that is idle for 60 s or more, so none cuts this one. For a root see `root_lease`.
    pub keepalive: Duration,

    /// Time for which a root may admit joiners after it sent a ping that the server answered: 8 s. The root sends three
    /// pings in that time, and is disconnected when it has been silent for as long. The shorter the lease, the sooner a
    /// standby is promoted. A root whose line stalls for longer loses nothing but its connection.
    pub root_lease: Duration,

    /// Time of a root to come back after its connection has ended: 5 s. Then a standby is promoted. A process that is
    /// restarted, or a phone that changes networks, is back by then.
    pub root_grace: Duration,

    /// Standbys in one overlay: 8. Each keeps a connection, and more than a few are of no use.
    pub max_standbys: usize,

    /// Time for which a joiner that does not stand by may stay connected: 10 min. That is many joins. A joiner that is
    /// still here makes room, and may come back.
    pub max_joiner_session: Duration,

    /// Time for which the server remembers where a stream has ended: 120 s. An orphan notices its loss within 15 s, and
    /// asks again at least every 30 s. Whoever wants to wait for the *next* stream should not have to say so for long.
    pub ended_memory: Duration,

    /// Time for which a join is remembered: 60 s. That is twice the time that nodes give it, so that nodes end it.
    pub join_timeout: Duration,

    /// Least wait of a client that is turned away: 1 s. It is told that much, and a random part of as much again.
    pub retry_after: Duration,

    /// Time over which clients come back after a shutdown, on top of `retry_after`: 10 s. A thousand clients then make a
    /// hundred handshakes in a second.
    pub shutdown_spread: Duration,

    /// Rate limit of a joiner: 50 messages/s after a burst of 200, and 32 KiB/s after 256 KiB. The bursts hold several
    /// attempts, each with all its ICE candidates: an attempt is at most 40 KiB.
    pub joiner_traffic: Traffic,

    /// Rate limit of a root: 10,000 messages/s after a burst of 20,000, and 16 MiB/s after 32 MiB. A root answers all
    /// joiners: a thousand joins at once are a thousand answers, with a dozen ICE candidates each.
    pub root_traffic: Traffic,

    /// Wrong tokens from one source within `wrong_token_window`: 10. After that, the source can't become a root until the
    /// window is over, so a person's slips must fit.
    pub max_wrong_tokens: u32,

    /// Window of `max_wrong_tokens`, from the first wrong one: 60 s. Ten guesses a minute find no token that is longer than
    /// a few letters.
    pub wrong_token_window: Duration,

    /// Sources whose wrong tokens are counted: 1,000. Counting does not stop a client with more addresses than that.
    pub max_wrong_token_sources: usize,
}

/// A rate limit, enforced by a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The limit in the long run.
    pub per_second: u32,
    /// The limit at once, after a pause.
    pub burst: u32,
}

/// The rate limits of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Messages.
    pub messages: Rate,
    /// Bytes of messages. The burst must hold the longest frame.
    pub bytes: Rate,
}

/// A reason for which a server's configuration is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no token, so no overlay can have a root.
    #[error("no overlay can have a root: add a named overlay or a token for any overlay")]
    NoOverlay,
    /// A token is empty, and so no secret.
    #[error("a root token is empty")]
    EmptyToken,
    /// The field of this name is zero.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
    /// The field of this name is not a time that fits a frame.
    #[error("`{0}` must be between 1 ms and 49 days")]
    Duration(&'static str),
    /// `root_lease` is too short for a root that sends a ping each second.
    #[error("`root_lease` must be at least {} s", LEAST_LEASE.as_secs())]
    Lease,
    /// A burst of bytes is too small for the longest frame.
    #[error("the byte burst of `{0}` must hold a frame of {MAX_FRAME} bytes")]
    ByteBurst(&'static str),
}

/// The shortest `root_lease`. A root sends three pings in it, and at most one each second.
const LEAST_LEASE: Duration = Duration::from_secs(3);

impl Config {
    /// The default bounds, with these overlays.
    #[must_use]
    pub const fn new(access: Access) -> Self {
        Self {
            access,
            max_connections: 10_000,
            reserved_for_roots: 64,
            max_connections_per_source: 2_000,
            max_wildcard_overlays: 1_000,
            max_pending_joins: 2_000,
            max_ice_candidates: 64,
            hello_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(20),
            root_lease: Duration::from_secs(8),
            root_grace: Duration::from_secs(5),
            max_standbys: 8,
            max_joiner_session: Duration::from_secs(600),
            ended_memory: Duration::from_secs(120),
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

    /// The longest silence of a client other than the root.
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
            ("max_wildcard_overlays", self.max_wildcard_overlays),
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
