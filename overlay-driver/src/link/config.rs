//! The settings of links: addresses, servers, limits.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The settings of every link of a [`Dialer`](super::Dialer).
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// STUN and TURN servers, which tell a link its address as seen from outside. Default: none, which is enough where
    /// nodes reach each other's own addresses.
    pub ice_servers: Vec<IceServer>,
    /// Whether links go through a TURN server only, so that no peer learns this machine's addresses. Default: no.
    pub relay_only: bool,
    /// The local addresses that links are bound to, one socket for each. Default: empty. Then they are those of all
    /// interfaces that the machine has when the link is opened, or loopback if it has none.
    pub bind: Vec<IpAddr>,
    /// Most handshakes that run at the same time on the answering side. Further ones wait. Default: 64. With fewer, a
    /// machine is idle while packets are in flight; with many more, all of them end late.
    pub max_handshakes: usize,
    /// Time for which one handshake counts towards [`max_handshakes`](Self::max_handshakes). Default: 5 s. An honest
    /// one takes a second on a bad network, and offers without a peer behind them must not keep the others waiting.
    pub handshake_turn: Duration,
    /// Time in which a link must open once both sides have described themselves. Otherwise it is given up. Default:
    /// 15 s, because the answer is still on its way through the tree at first.
    pub handshake_timeout: Duration,
    /// Time for which a description waits for local ICE candidates, which then travel in it and not each on its own.
    /// Default: 20 ms. The addresses of this machine are known in less than one. The answer of a STUN server usually
    /// comes later than is worth waiting for.
    pub gathering: Duration,
    /// Time of silence after which a peer is lost. After half of it, the path is taken to be interrupted. A peer that
    /// is heard in the other half is kept. Default: 3 s, with a probe every half second.
    pub lost_after: Duration,
    /// Most bytes that [`Link::send`](super::Link::send) queues. With more, the link ends as stalled. Default: 1 MiB,
    /// 64 of the longest frames. The core limits app messages by credit to far less, so a peer with so much in its
    /// queue takes nothing at all.
    pub max_backlog: usize,
    /// The time for which a closed link goes on sending what was queued. Default: 1 s; a goodbye
    /// needs one round trip, and a node should not wait long for a peer that may be dead.
    pub flush_timeout: Duration,
    /// Size that is requested for the receive buffer of each UDP socket, in bytes. The system may grant less. Default:
    /// 1 MiB. The usual 208 KiB overflow in a burst of full frames, and each loss costs a retransmission timeout.
    pub receive_buffer: usize,
}

impl LinkConfig {
    /// Links within this machine only, for tests and demonstrations.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            ..Self::default()
        }
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            relay_only: false,
            bind: Vec::new(),
            max_handshakes: 64,
            handshake_turn: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(15),
            gathering: Duration::from_millis(20),
            lost_after: Duration::from_secs(3),
            max_backlog: 1024 * 1024,
            flush_timeout: Duration::from_secs(1),
            receive_buffer: 1024 * 1024,
        }
    }
}

/// A STUN or TURN server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IceServer {
    /// The server's addresses: `stun:host:port` or `turn:host:port`, over UDP. The default port is 3478.
    pub urls: Vec<String>,
    /// The user name for TURN.
    pub username: String,
    /// The password for TURN.
    pub credential: String,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The reason why a [`LinkConfig`] can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A server's URL cannot be used.
    #[error("ICE server \"{url}\": {reason}")]
    IceServer {
        /// The URL.
        url: String,
        /// The fault in it.
        reason: String,
    },
    /// [`LinkConfig::relay_only`] without a TURN server.
    #[error("links that are relayed only need a turn: server")]
    NoRelay,
    /// [`LinkConfig::max_handshakes`] is zero.
    #[error("max_handshakes must be at least 1")]
    NoHandshakes,
    /// No certificate for the encryption could be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}
