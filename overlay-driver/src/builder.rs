//! How a node is put together and started.

use std::sync::Arc;

use bytes::Bytes;
use overlay_core::wire::{OverlayName, Token};
use overlay_core::{Config, ConfigError, NodeId, Policy, SlowPolicy, Start};
use tracing::Instrument;

use crate::engine;
use crate::event::{self, Events};
use crate::handle::{Lead, MAX_WAITING_SENDS, Node};
use crate::link::{self, Dialer, LinkConfig};
use crate::question::Combiner;
use crate::queue;
use crate::runtime::Runtime;
use crate::server_url::ServerUrl;
use crate::tls::Tls;

/// Commands that wait for the engine; a caller that brings more waits. A send that has a place fits in any case.
const COMMAND_QUEUE: usize = 128 + MAX_WAITING_SENDS;

/// A node that is put together, step by step, and then started.
#[derive(Clone, Debug)]
pub struct Builder {
    runtime: Arc<dyn Runtime>,
    id: Option<NodeId>,
    config: Config,
    servers: Vec<ServerUrl>,
    tls: Tls,
    dialing: Dialing,
    combiner: Option<Combiner>,
}

#[derive(Clone, Debug)]
enum Dialing {
    /// A dialer for this node alone.
    Own(LinkConfig),
    /// A dialer that several nodes of a process share.
    Shared(Dialer),
}

/// A node can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The protocol's configuration is impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The links' configuration is impossible.
    #[error(transparent)]
    Link(#[from] link::ConfigError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give: {0}")]
    Randomness(getrandom::Error),
}

impl Builder {
    /// A node on `runtime` with the default configuration.
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            id: None,
            config: Config::default(),
            servers: Vec::new(),
            tls: Tls::default(),
            dialing: Dialing::Own(LinkConfig::default()),
            combiner: None,
        }
    }

    /// The node's id. Default: drawn at random.
    #[must_use]
    pub const fn id(mut self, id: NodeId) -> Self {
        self.id = Some(id);
        self
    }

    /// A bootstrap server's address. Several are tried in turn.
    #[must_use]
    pub fn server(mut self, server: ServerUrl) -> Self {
        self.servers.push(server);
        self
    }

    /// The certificates to trust at a `wss://` server. Default: those that the system trusts.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// The name of the tree to join, on a server that carries several. Default: `default`.
    #[must_use]
    pub fn overlay(mut self, overlay: OverlayName) -> Self {
        self.config.overlay = overlay;
        self
    }

    /// The maximum number of children, 0 to 1,024. Default: 10.
    #[must_use]
    pub const fn max_degree(mut self, max_degree: u16) -> Self {
        self.config.max_degree = max_degree;
        self
    }

    /// The policy that chooses a child for a joiner for which this node has no slot.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.config.policy = policy;
        self
    }

    /// Where the node comes into the root's stream when it joins. Default: with the next message.
    #[must_use]
    pub const fn start(mut self, start: Start) -> Self {
        self.config.start = start;
        self
    }

    /// The bytes of the root's stream that the node keeps for those that come later, or come back. Default: 1 MiB.
    #[must_use]
    pub const fn history(mut self, bytes: usize) -> Self {
        self.config.history = bytes;
        self
    }

    /// At the root, what becomes of nodes that take nothing. Default: everybody waits for them.
    #[must_use]
    pub const fn slow(mut self, policy: SlowPolicy) -> Self {
        self.config.slow = policy;
        self
    }

    /// All of the protocol's configuration, replacing what was set before.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Settings of the node's links: STUN and TURN servers, addresses, limits.
    #[must_use]
    pub fn links(mut self, links: LinkConfig) -> Self {
        self.dialing = Dialing::Own(links);
        self
    }

    /// A dialer that several nodes of the process share: one certificate, one limit on handshakes.
    #[must_use]
    pub fn dialer(mut self, dialer: Dialer) -> Self {
        self.dialing = Dialing::Shared(dialer);
        self
    }

    /// The app's function that makes one answer of two, for questions with [`Combine::App`](overlay_core::Combine::App). It runs in
    /// the node's own task: it must be quick, and not panic. Without it, this node combines none, and others are left out.
    #[must_use]
    pub fn combine(
        mut self,
        combine: impl Fn(&[u8], &[u8]) -> Bytes + Send + Sync + 'static,
    ) -> Self {
        self.combiner = Some(Combiner::new(combine));
        self
    }

    /// Starts the node, which does nothing yet. Call it within the runtime.
    pub fn spawn(self) -> Result<(Node, Events), BuildError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(BuildError::Randomness)?;
        let id = match self.id {
            Some(id) => id,
            None => random_id()?,
        };
        let dialer = match self.dialing {
            Dialing::Own(config) => Dialer::new(&*self.runtime, config)?,
            Dialing::Shared(dialer) => dialer,
        };
        let max_message = self.config.max_message;
        let core = overlay_core::Node::new(id, self.config, seed)?;
        let (command_sender, commands) = queue::bounded(COMMAND_QUEUE);
        let returns = async_channel::unbounded();
        let (app, events) = event::channel(returns.0.clone());
        let lead = Arc::<Lead>::default();
        let parts = engine::Parts {
            core,
            lead: Arc::clone(&lead),
            runtime: Arc::clone(&self.runtime),
            dialer,
            servers: self.servers,
            tls: self.tls,
            app,
            commands,
            returns,
            combiner: self.combiner,
        };
        let span = tracing::info_span!("node", id = ?id);
        let task = engine::run(parts).instrument(span);
        self.runtime.webrtc().spawn(Box::pin(task)).detach();
        Ok((Node::new(id, max_message, command_sender, lead), events))
    }
}

/// An id that no other node has.
fn random_id() -> Result<NodeId, BuildError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(BuildError::Randomness)?;
    Ok(NodeId::from_bytes(bytes))
}

/// A token that can't be guessed: 128 random bits in hexadecimal.
pub fn random_token() -> Result<Token, BuildError> {
    let text = random_id()?.to_string();
    // 32 digits are within any token's limit.
    Ok(Token::new(text).unwrap_or_else(|_| unreachable!()))
}
