//! A server, a root, and nodes, all in this process.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use overlay_tokio::core::relay::{Access, RelayConfig};
use overlay_tokio::{
    Builder, Config, Dialer, Event, Events, LinkConfig, Node, NodeId, Server, ServerConfig,
    ServerUrl, Status, Token, dialer, node, serve,
};

/// How long anything may take before a test gives up: far longer than it should.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const TOKEN: &str = "the token of these tests";

/// A server, and what nodes need to find it.
pub(crate) struct World {
    pub(crate) server: Server,
    dialer: Dialer,
}

/// A node and its events.
pub(crate) struct Member {
    pub(crate) node: Node,
    pub(crate) events: Events,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::new(RelayConfig::new(access()));
        configure(&mut config);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            server: serve(address, config).unwrap(),
            dialer: dialer(LinkConfig::loopback()).unwrap(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub(crate) fn builder(&self, degree: u16) -> Builder {
        self.configured(Config {
            max_degree: degree,
            ..Config::default()
        })
    }

    pub(crate) fn configured(&self, config: Config) -> Builder {
        let url: ServerUrl = format!("ws://{}", self.address()).parse().unwrap();
        node()
            .config(config)
            .server(url)
            .dialer(self.dialer.clone())
    }

    /// A root that is registered.
    pub(crate) async fn root(&self, degree: u16) -> Member {
        self.root_of(self.builder(degree)).await
    }

    pub(crate) async fn root_of(&self, builder: Builder) -> Member {
        let mut root = Member::of(builder);
        root.node.become_root(token()).await;
        root.until(|event| matches!(event, Event::ServerReady))
            .await;
        root
    }

    /// A node that is on its way into the tree.
    pub(crate) async fn joiner(&self, degree: u16) -> Member {
        let joiner = Member::of(self.builder(degree));
        joiner.node.join().await;
        joiner
    }

    /// A node in the tree.
    pub(crate) async fn member(&self, degree: u16) -> Member {
        let mut member = self.joiner(degree).await;
        member.joined().await;
        member
    }

    /// Nodes that all join at once, when they have.
    pub(crate) async fn members(&self, count: usize, degree: u16) -> Vec<Member> {
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(self.joiner(degree).await);
        }
        for member in &mut members {
            member.joined().await;
        }
        members
    }
}

impl Member {
    pub(crate) fn of(builder: Builder) -> Self {
        let (node, events) = builder.spawn().unwrap();
        Self { node, events }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.node.id()
    }

    /// The next event that `wanted` accepts; those before it are skipped.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let waiting = async {
            loop {
                let event = self.events.next().await.expect("the node has ended");
                if wanted(&event) {
                    return event;
                }
            }
        };
        within(waiting).await
    }

    /// Waits for a parent; tells at which depth and attempt.
    pub(crate) async fn joined(&mut self) -> (usize, u32) {
        let connected = |event: &Event| matches!(event, Event::ParentConnected { .. });
        match self.until(connected).await {
            Event::ParentConnected { depth, attempt, .. } => (depth, attempt),
            _ => unreachable!(),
        }
    }

    /// The bytes of the next message.
    pub(crate) async fn message(&mut self) -> Vec<u8> {
        let message = |event: &Event| matches!(event, Event::Message(_));
        match self.until(message).await {
            Event::Message(message) => message.payload.to_vec(),
            _ => unreachable!(),
        }
    }

    pub(crate) async fn status(&self) -> Status {
        self.node.status().await.expect("the node has ended")
    }
}

/// How many nodes stand at each depth, by the parents that they have.
pub(crate) async fn depths(root: &Member, members: &[Member]) -> Vec<usize> {
    let mut parents = HashMap::new();
    for member in members {
        let status = member.status().await;
        parents.insert(status.id, status.parent.expect("a member has a parent"));
    }
    let mut depths = vec![1];
    for member in members {
        let depth = std::iter::successors(Some(member.id()), |node| parents.get(node).copied())
            .take(members.len() + 2)
            .position(|node| node == root.id())
            .expect("every path leads to the root");
        depths.resize(depths.len().max(depth + 1), 0);
        depths[depth] += 1;
    }
    depths
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("this takes too long")
}

pub(crate) fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

pub(crate) fn access() -> Access {
    Access::default().any_overlay(token())
}
