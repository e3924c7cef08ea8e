//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use overlay_tokio::{IceServer, LinkConfig, OverlayName, Policy, ServerUrl};

/// A self-organising tree of WebRTC nodes
#[derive(Debug, Parser)]
#[command(name = "overlay", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Log more to stderr: -v for info, -vv for debug, -vvv for debug of all libraries
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a server, a root and many nodes in this process, and show the tree they form
    Up(Up),
    /// Run a bootstrap server, which introduces joiners to the root
    Server(Server),
    /// Be the root, or a standby for it: send stdin to every node
    Root(Root),
    /// Join a tree, and print what its root sends
    Join(Join),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The number of nodes that join, besides the root
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) nodes: usize,

    /// The maximum number of children of a node
    #[arg(long, default_value_t = 5, value_name = "D", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) degree: u16,

    /// How a full node chooses the child that takes a joiner: balanced (the shallowest free slot below it) or hash
    /// (the rule of the original webrtc-tree-overlay)
    #[arg(long, default_value_t = Policy::Balanced)]
    pub(crate) policy: Policy,

    /// The async runtime that carries the server, the root and the nodes
    #[arg(long, value_enum, default_value_t = Runtime::Tokio)]
    pub(crate) runtime: Runtime,

    /// Stop when every node has joined, instead of running until Ctrl-C
    #[arg(long)]
    pub(crate) exit_when_joined: bool,

    /// Fail if not all nodes have joined after this time
    #[arg(long, default_value = "120", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// An async runtime.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Runtime {
    Tokio,
    Smol,
}

impl Runtime {
    pub(crate) fn handle(self) -> Arc<dyn overlay_driver::Runtime> {
        match self {
            Self::Tokio => Arc::new(overlay_tokio::Tokio),
            Self::Smol => Arc::new(overlay_smol::Smol),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Where to listen: address and port
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) token: TokenArg,

    /// Take the clients' addresses from `X-Forwarded-For`: use it only behind a proxy that sets it
    #[arg(long)]
    pub(crate) behind_proxy: bool,

    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Root {
    #[command(flatten)]
    pub(crate) token: TokenArg,

    /// Read stdin when this many nodes are in the tree, and stop reading while some of them are lost that may come back.
    /// Default: 2 seconds after the latest join, at most 10 after the first. While there is no node, nothing is read
    #[arg(long, value_name = "N")]
    pub(crate) wait_for: Option<NonZeroUsize>,

    /// What a standby does with its stdin while another root leads
    #[arg(long, value_enum, default_value_t = StandbyInput::Wait)]
    pub(crate) standby_input: StandbyInput,

    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,

    // Last, because its heading is that of all options behind it.
    #[command(flatten)]
    pub(crate) session: Session,
}

/// The use of a standby's input before it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StandbyInput {
    /// Read and drop it: when the standby takes over, it sends what comes from then on
    Drop,
    /// Don't read it: when the standby takes over, it sends all of it from the beginning
    Wait,
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// If the stream of this tree is over already, wait for the next one instead of ending
    #[arg(long)]
    pub(crate) next: bool,

    /// Print events as JSON, one per line, on stderr: stdout is for the data
    #[arg(long)]
    pub(crate) json: bool,

    // Last, because its heading is that of all options behind it.
    #[command(flatten)]
    pub(crate) session: Session,
}

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

    /// How a full node chooses the child that takes a joiner: balanced (the shallowest free slot below it) or hash
    /// (the rule of the original webrtc-tree-overlay)
    #[arg(long, default_value_t = Policy::Balanced)]
    pub(crate) policy: Policy,

    /// Give up if no server answers within this many seconds; 0 means never
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) connect_timeout: Duration,

    #[command(flatten)]
    pub(crate) links: Links,
}

/// How WebRTC links are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "WebRTC")]
pub(crate) struct Links {
    /// A STUN server, `stun:host:port`; may be given several times
    #[arg(long, value_name = "URL")]
    stun: Vec<String>,

    /// A TURN server, `turn:host:port`; may be given several times
    #[arg(long, value_name = "URL")]
    turn: Vec<String>,

    /// The user name for the TURN servers
    #[arg(
        long,
        value_name = "NAME",
        requires = "turn",
        default_value = "",
        hide_default_value = true
    )]
    turn_username: String,

    /// The password for the TURN servers
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "OVERLAY_TURN_PASSWORD",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    turn_password: String,

    /// Go through TURN servers only, so that peers don't learn this machine's addresses
    #[arg(long, requires = "turn")]
    relay_only: bool,

    /// Bind links to this address; may be given several times. Default: every interface
    #[arg(long, value_name = "IP")]
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
    /// A file with the root's token; on the server it may also hold lines `NAME TOKEN`, one for each
    /// overlay. Or set `OVERLAY_TOKEN`
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// The root's token
    #[arg(
        long = "token",
        env = "OVERLAY_TOKEN",
        hide_env_values = true,
        hide = true,
        conflicts_with = "token_file"
    )]
    pub(crate) token: Option<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn overlay_name(text: &str) -> Result<OverlayName, String> {
    OverlayName::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
