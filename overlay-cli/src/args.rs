//! The command line.

mod examples;
mod node;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use overlay_tokio::{Combine, Policy, SlowPolicy, Start};

pub(crate) use node::{Session, TokenArg};

/// A self-organising tree of WebRTC nodes
///
/// One root sends what it reads to every node. A node that is full delegates joiners to its children; one that loses
/// its parent joins again with all that is below it. A small bootstrap server only introduces.
#[derive(Debug, Parser)]
#[command(
    name = "overlay",
    version = env!("OVERLAY_VERSION"),
    max_term_width = 100,
    after_long_help = examples::OVERLAY
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Log more to stderr: -v for info and warnings, -vv for debug, -vvv for debug of all libraries
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    pub(crate) verbose: u8,
}

/// The heading of options about what is printed.
const OUTPUT: &str = "Output";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a server, a root and many nodes in this process, and show the tree they form
    #[command(after_long_help = examples::UP)]
    Up(Up),
    /// Run a bootstrap server, which introduces joiners to the root
    #[command(after_long_help = examples::SERVER)]
    Server(Server),
    /// Be the root, or a standby for it: send stdin to every node
    #[command(after_long_help = examples::ROOT)]
    Root(Root),
    /// Join a tree, and print what its root sends
    #[command(after_long_help = examples::JOIN)]
    Join(Join),
    /// Be the root for one question: ask every node, and print the answers
    #[command(after_long_help = examples::ASK)]
    Ask(Ask),
    /// Print a script that completes this command in a shell
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all subcommands to a directory
    Man {
        /// The directory for one page of each subcommand
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The number of nodes that join, besides the root
    #[arg(long, default_value = "50", value_name = "N")]
    pub(crate) nodes: NonZeroUsize,

    /// The maximum number of children of a node
    #[arg(long, default_value_t = 5, value_name = "D", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) degree: u16,

    /// How a full node chooses the child that takes a joiner: balanced or hash
    ///
    /// `balanced` takes the shallowest free slot below it, and keeps the tree complete. `hash` is the rule of the original
    /// webrtc-tree-overlay.
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
    #[arg(long, help_heading = OUTPUT)]
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
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR", value_parser = address)]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) token: TokenArg,

    /// Take the clients' addresses from `X-Forwarded-For`: use it only behind a proxy that sets it
    #[arg(long)]
    pub(crate) behind_proxy: bool,

    /// Print events as JSON, one per line
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Root {
    #[command(flatten)]
    pub(crate) token: TokenArg,

    /// Read stdin when this many nodes are in the tree
    ///
    /// Later, reading stops while fewer are there and the lost ones may come back, for 15 seconds; not with --slow skip or
    /// disconnect. Without this option, reading
    /// begins 2 seconds after the latest join, and at most 10 after the first. While there is no node, nothing is read.
    #[arg(long, value_name = "N")]
    pub(crate) wait_for: Option<NonZeroUsize>,

    /// What becomes of a node that takes nothing: wait, skip or disconnect
    ///
    /// `wait`: everybody waits for it, and nothing is lost. `skip`: after a second the others go on, and it is told of the gap.
    /// `disconnect`: after 10 seconds it loses its place, and joins again.
    #[arg(long, value_name = "HOW", default_value_t = SlowPolicy::Wait)]
    pub(crate) slow: SlowPolicy,

    /// What a standby does with its stdin while another root leads: wait or drop
    #[arg(long, value_enum, value_name = "HOW", default_value_t = StandbyInput::Wait)]
    pub(crate) standby_input: StandbyInput,

    /// Print events as JSON, one per line
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,

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

    /// Where to come in: with what is sent from now on, or with the oldest that the parent still has
    ///
    /// A node that comes when the stream is over gets what is left of it in either case.
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = From::Live)]
    pub(crate) from: From,

    /// Answer the root's questions with what this command prints; it gets the question on its stdin
    ///
    /// It runs in a shell, at most four times at once. If it fails, or takes longer than the root waits, this node has no answer.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) answer: Option<String>,

    /// Print events as JSON, one per line, on stderr: stdout is for the data
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) session: Session,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The question: a text, or a command that the nodes run
    pub(crate) question: String,

    #[command(flatten)]
    pub(crate) token: TokenArg,

    /// Ask when this many nodes are in the tree [default: 2 seconds after the latest join, 10 after the first at the most]
    #[arg(long, value_name = "N")]
    pub(crate) wait_for: Option<NonZeroUsize>,

    /// Wait for answers so long; about three quarters of it are the nodes' own
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Print each answer, or what they come to: each, count, sum, min or max
    ///
    /// Numbers are combined on their way up, so that the root gets one for each of its children.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = How::Each)]
    pub(crate) combine: How,

    /// Print events as JSON, one per line
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) session: Session,
}

/// What becomes of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// Each one, behind its node's id
    Each,
    /// How many there are
    Count,
    /// The sum of whole numbers
    Sum,
    /// The least of them
    Min,
    /// The greatest of them
    Max,
}

impl How {
    pub(crate) const fn combine(self) -> Combine {
        match self {
            Self::Each => Combine::Concat,
            Self::Count => Combine::Count,
            Self::Sum => Combine::Sum,
            Self::Min => Combine::Min,
            Self::Max => Combine::Max,
        }
    }
}

/// Where a node comes into the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// With what is sent from now on
    Live,
    /// With the oldest that the parent still has
    Oldest,
}

impl From {
    pub(crate) const fn start(self) -> Start {
        match self {
            Self::Live => Start::Live,
            Self::Oldest => Start::Oldest,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let parsed = text.parse();
    parsed.map_err(|_| "it is an IP address and a port, as in 127.0.0.1:8080".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
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
