//! The options that several subcommands have: those of a node, of its links, and the root's token.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use overlay_tokio::{IceServer, LinkConfig, OverlayName, Policy, ServerUrl};

use super::seconds;

/// The heading of options about links.
const WEBRTC: &str = "WebRTC";

/// The options of every node.
#[derive(Debug, Args)]
pub(crate) struct Session {
    /// A bootstrap server, `ws://host:port` or `wss://host:port`; several are tried in turn
    #[arg(long, required = true, value_name = "URL")]
    pub(crate) bootstrap: Vec<ServerUrl>,

    /// Trust the certificates in this PEM file at a wss:// server, instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// The name of the tree, on a server that carries several
    #[arg(long, default_value = "default", value_name = "NAME", value_parser = overlay_name)]
    pub(crate) overlay: OverlayName,

    /// The maximum number of children of this node
    #[arg(long, default_value_t = 10, value_name = "D", value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(crate) degree: u16,

    /// How a full node chooses the child that takes a joiner: balanced or hash
    ///
    /// `balanced` takes the shallowest free slot below it, and keeps the tree complete. `hash` is the rule of the original
    /// webrtc-tree-overlay.
    #[arg(long, default_value_t = Policy::Balanced)]
    pub(crate) policy: Policy,

    /// Keep so much of the stream for nodes that come later, or come back: bytes, or with a unit as in 64M
    ///
    /// A node whose parent dies goes on without a gap if another node still has what it lacks.
    #[arg(long, default_value = "4M", value_name = "BYTES", value_parser = bytes)]
    pub(crate) history: usize,

    /// Give up if no server answers within this many seconds; 0 means never
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) connect_timeout: Duration,

    #[command(flatten)]
    pub(crate) links: Links,
}

/// How WebRTC links are made.
#[derive(Debug, Args)]
pub(crate) struct Links {
    /// A STUN server, `stun:host:port`; may be given several times
    #[arg(long, help_heading = WEBRTC, value_name = "URL")]
    stun: Vec<String>,

    /// A TURN server, `turn:host:port`; may be given several times
    #[arg(long, help_heading = WEBRTC, value_name = "URL")]
    turn: Vec<String>,

    /// The user name for the TURN servers
    #[arg(
        long,
        help_heading = WEBRTC,
        value_name = "NAME",
        requires = "turn",
        default_value = "",
        hide_default_value = true
    )]
    turn_username: String,

    /// The password for the TURN servers
    #[arg(
        long,
        help_heading = WEBRTC,
        value_name = "PASSWORD",
        env = "OVERLAY_TURN_PASSWORD",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    turn_password: String,

    /// Go through TURN servers only, so that peers don't learn this machine's addresses
    #[arg(long, help_heading = WEBRTC, requires = "turn")]
    relay_only: bool,

    /// Bind links to this address; may be given several times [default: every interface]
    #[arg(long, help_heading = WEBRTC, value_name = "IP")]
    bind: Vec<IpAddr>,
}

impl Links {
    pub(crate) fn config(&self) -> LinkConfig {
        let mut ice_servers = Vec::new();
        if !self.stun.is_empty() {
            ice_servers.push(IceServer {
                urls: self.stun.clone(),
                ..IceServer::default()
            });
        }
        if !self.turn.is_empty() {
            ice_servers.push(IceServer {
                urls: self.turn.clone(),
                username: self.turn_username.clone(),
                credential: self.turn_password.clone(),
            });
        }
        LinkConfig {
            ice_servers,
            relay_only: self.relay_only,
            bind: self.bind.clone(),
            ..LinkConfig::default()
        }
    }
}

/// The proof that a node may be the root.
#[derive(Debug, Args)]
pub(crate) struct TokenArg {
    /// A file with the root's token; it counts more than the environment's `OVERLAY_TOKEN`
    ///
    /// It holds one line `TOKEN` for every overlay, or lines `NAME TOKEN` for one overlay each, or both. Lines that start with
    /// `#` are skipped. `openssl rand -hex 16` makes a good token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A number of bytes, with a unit of 1,024, 1,024² or 1,024³ of them.
fn bytes(text: &str) -> Result<usize, String> {
    let problem = || format!("`{text}` is not a number of bytes, as in 4096, 64K, 16M or 1G");
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| problem())?;
    number.checked_mul(1 << shift).ok_or_else(problem)
}

fn overlay_name(text: &str) -> Result<OverlayName, String> {
    OverlayName::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_bytes_may_have_a_unit() {
        let numbers = ["0", "4096", "64K", "16m", "1G"].map(bytes);
        let expected = [0, 4096, 64 << 10, 16 << 20, 1 << 30].map(Ok);
        assert_eq!(numbers, expected);
        for wrong in ["", "K", "1T", "-1", "1.5M", "99999999999G", "é"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
