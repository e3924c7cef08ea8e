//! `overlay up`: a server, a root and many nodes in one process. Every link is real WebRTC.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use overlay_driver::Runtime;
use overlay_tokio::core::bootstrap::{self, Access};
use overlay_tokio::{
    Builder, Dialer, Event, Events, LinkConfig, Node, NodeId, Notification, Server, ServerConfig,
    ServerUrl, Token, random_token,
};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};

use crate::args::Up;
use crate::exit;
use crate::flow::{Flow, Ticker};
use crate::hint::WithHint;
use crate::needs;
use crate::page;
use crate::report::Facts;
use crate::session::millis;
use crate::stop::Stop;
use crate::summary::{Summary, depths};

/// A fact about the tree as it grows.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Fact {
    /// The server listens and the root is registered.
    Started { server: SocketAddr, root: String },
    /// A node is in the tree.
    Joined {
        node: String,
        parent: String,
        depth: usize,
        attempt: u32,
        ms: u64,
    },
    /// A node has lost its parent, and joins again.
    ParentClosed { node: String, reason: String },
    /// A node's attempt to join has failed.
    Rejected { node: String, reason: String },
}

/// The interval of the root's lines.
const FLOW: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Up) -> anyhow::Result<ExitCode> {
    needs::check(&args)?;
    let mut stop = Stop::new();
    let mut demo = Demo::start(&args).await?;
    let progress = progress(&args);
    let outcome = tokio::select! {
        summary = demo.grow(&args, &progress) => Some(summary?),
        () = stop.requested() => None,
    };
    progress.finish_and_clear();
    let Some(summary) = outcome else {
        demo.stop(&mut stop).await;
        return Ok(exit::stopped());
    };
    if args.json {
        demo.facts.tell(&summary);
    } else {
        // A closed pipe is not an error: its reader has seen enough.
        let _ = std::io::stdout().write_all(summary.picture().as_bytes());
    }
    if !args.exit_when_joined && summary.all_joined() {
        demo.facts
            .say("The root sends a line a second to all of them, until Ctrl-C.");
        let server = demo.server.local_addr();
        demo.facts
            .say(&format!("A browser tab joins them at http://{server}/"));
        tokio::select! {
            flowed = demo.flow() => flowed?,
            () = stop.requested() => {}
        }
    }
    demo.stop(&mut stop).await;
    if summary.all_joined() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(anyhow!("not every node has joined")
            .hint("`-v` tells why on stderr; --timeout gives them more time"))
    }
}

/// Everything that runs.
struct Demo {
    server: Server,
    root: Node,
    nodes: Vec<Node>,
    events: mpsc::Receiver<(NodeId, Event)>,
    /// For the events of further nodes.
    sender: mpsc::Sender<(NodeId, Event)>,
    builder: Builder,
    facts: Facts,
}

impl Demo {
    /// Starts the server and the root.
    async fn start(args: &Up) -> anyhow::Result<Self> {
        let facts = if args.json { Facts::Stdout } else { Facts::Off };
        let token = random_token()?;
        let runtime = args.runtime.handle();
        let server = serve(&runtime, &token, args.nodes.get())?;
        let address = server.local_addr();
        let url: ServerUrl = format!("ws://{address}").parse()?;
        let dialer = Dialer::new(&*runtime, LinkConfig::loopback())?;
        let builder = Builder::new(runtime)
            .server(url)
            .dialer(dialer)
            .max_degree(args.degree)
            .policy(args.policy);
        let (root, mut root_events) = builder.clone().spawn()?;
        root.become_root(token).await;
        loop {
            match root_events.next().await {
                Some(Event::Node(Notification::BootstrapReady)) => {}
                Some(Event::Node(Notification::Promoted { .. })) => break,
                event => {
                    bail!("the root did not register: {event:?}");
                }
            }
        }
        facts.tell(&Fact::Started {
            server: address,
            root: root.id().to_string(),
        });
        let (sender, events) = mpsc::channel(1024);
        forward(root.id(), root_events, sender.clone());
        Ok(Self {
            server,
            root,
            nodes: Vec::with_capacity(args.nodes.get()),
            events,
            sender,
            builder,
            facts,
        })
    }

    /// Lets all nodes join at once, and waits until they have, or the time is over.
    async fn grow(&mut self, args: &Up, progress: &ProgressBar) -> anyhow::Result<Summary> {
        let start = Instant::now();
        for _ in 0..args.nodes.get() {
            let (node, events) = self.builder.clone().spawn()?;
            forward(node.id(), events, self.sender.clone());
            node.join().await;
            self.nodes.push(node);
        }
        let deadline = start + args.timeout;
        let mut joins: HashMap<NodeId, Duration> = HashMap::new();
        let mut elapsed = Duration::ZERO;
        while joins.len() < args.nodes.get() {
            let Ok(Some((node, event))) =
                tokio::time::timeout_at(deadline, self.events.recv()).await
            else {
                elapsed = start.elapsed();
                break;
            };
            if let Event::Node(Notification::ParentConnected { .. }) = event {
                elapsed = start.elapsed();
                joins.entry(node).or_insert(elapsed);
                progress.set_position(joins.len() as u64);
            }
            self.tell(node, &event, elapsed);
        }
        let joins: Vec<Duration> = joins.into_values().collect();
        let depth = self.depths().await;
        Ok(Summary::new(
            args.nodes.get(),
            args.degree,
            depth,
            elapsed,
            &joins,
        ))
    }

    /// Sends a line a second from the root, and tells how many nodes got it, and how fast.
    async fn flow(&mut self) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(FLOW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ticker = Ticker::new(self.facts);
        for line in 1_u64.. {
            ticks.tick().await;
            let start = Instant::now();
            let text = format!("line {line}");
            self.root.broadcast(text.clone()).await?;
            let mut latencies = Vec::with_capacity(self.nodes.len());
            let deadline = start + FLOW;
            while latencies.len() < self.nodes.len()
                && let Ok(Some((node, event))) = timeout_at(deadline, self.events.recv()).await
            {
                match event {
                    Event::Message(message) if *message.payload == *text.as_bytes() => {
                        latencies.push(start.elapsed());
                    }
                    event => self.tell(node, &event, Duration::ZERO),
                }
            }
            ticker.show(&Flow::new(line, self.nodes.len(), &latencies));
        }
        Ok(())
    }

    /// Makes all nodes leave, then the root, then stops the server. A second request to stop ends that at once.
    async fn stop(self, stop: &mut Stop) {
        let stopping = async {
            join_all(self.nodes.iter().map(Node::leave)).await;
            self.root.leave().await;
            self.server.shut_down().await;
        };
        tokio::select! {
            () = stopping => {}
            () = stop.requested() => {}
        }
    }

    /// The number of nodes at each depth, by the links that they have.
    async fn depths(&self) -> Vec<u64> {
        let statuses = join_all(self.nodes.iter().map(Node::status)).await;
        let parents = statuses
            .into_iter()
            .flatten()
            .filter_map(|status| Some((status.id, status.parent?)))
            .collect();
        depths(self.root.id(), &parents)
    }

    fn tell(&self, node: NodeId, event: &Event, elapsed: Duration) {
        let node = node.to_string();
        match event {
            Event::Node(Notification::ParentConnected {
                node: parent,
                depth,
                attempt,
                ..
            }) => self.facts.tell(&Fact::Joined {
                node,
                parent: parent.to_string(),
                depth: *depth,
                attempt: *attempt,
                ms: millis(elapsed),
            }),
            Event::Node(Notification::ParentClosed { reason, .. }) => {
                self.facts.tell(&Fact::ParentClosed {
                    node,
                    reason: reason.to_string(),
                });
            }
            Event::Node(Notification::JoinRejected { reason, .. }) => {
                self.facts.tell(&Fact::Rejected {
                    node,
                    reason: reason.to_string(),
                });
            }
            _ => {}
        }
    }
}

fn serve(runtime: &Arc<dyn Runtime>, token: &Token, nodes: usize) -> anyhow::Result<Server> {
    let mut limits = bootstrap::Config::new(Access::default().any_overlay(token.clone()));
    // All of them come from one address, and perhaps at once.
    limits.max_connections = limits.max_connections.max(nodes);
    limits.max_connections_per_source = limits.max_connections_per_source.max(nodes + 1);
    limits.max_pending_joins = limits.max_pending_joins.max(nodes);
    let mut config = ServerConfig::new(limits);
    config.max_sockets = config.max_sockets.max(nodes + 1);
    config.files = page::files();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(Server::start(Arc::clone(runtime), address, config)?)
}

fn forward(node: NodeId, mut events: Events, sender: mpsc::Sender<(NodeId, Event)>) {
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if sender.send((node, event)).await.is_err() {
                return;
            }
        }
    });
}

fn progress(args: &Up) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(args.nodes.get() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} nodes joined, {elapsed}")
    {
        bar.set_style(style);
    }
    bar
}
