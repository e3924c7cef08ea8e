//! The harness: a server, a root and nodes, all in this process.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use overlay_core::bootstrap::{self, Access};
use overlay_core::wire::Token;
use overlay_core::{Config, NodeId};
use overlay_driver::link::{Dialer, LinkConfig};
use overlay_driver::{
    Builder, Event, Events, Node, Notification, Server, ServerConfig, ServerUrl, Status,
};

use crate::Driver;

pub(crate) const TOKEN: &str = "the token of these tests";

/// A server, and what nodes need to reach it.
#[derive(Debug)]
pub struct World {
    pub(crate) driver: Driver,
    pub(crate) server: Server,
    dialer: Dialer,
}

/// A node and its events.
#[derive(Debug)]
pub struct Member {
    /// The node.
    pub node: Node,
    /// Its events.
    pub events: Events,
}

impl World {
    /// A server on `driver`. Nodes run there as well, unless they are given another driver.
    #[must_use]
    pub fn new(driver: Driver) -> Self {
        Self::with(driver, |_| {})
    }

    pub(crate) fn with(driver: Driver, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::new(bootstrap::Config::new(access()));
        configure(&mut config);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            server: (driver.serve)(address, config).unwrap(),
            dialer: (driver.dialer)(LinkConfig::loopback()).unwrap(),
            driver,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// A node of this degree that knows the server.
    #[must_use]
    pub fn builder(&self, degree: u16) -> Builder {
        self.configured(Config {
            max_degree: degree,
            ..Config::default()
        })
    }

    pub(crate) fn configured(&self, config: Config) -> Builder {
        (self.driver.node)()
            .config(config)
            .server(self.url())
            .dialer(self.dialer.clone())
    }

    fn url(&self) -> ServerUrl {
        format!("ws://{}", self.address()).parse().unwrap()
    }

    /// A root that is registered.
    pub async fn root(&self, degree: u16) -> Member {
        self.root_of(self.builder(degree)).await
    }

    /// A root that is registered, from a builder.
    pub async fn root_of(&self, builder: Builder) -> Member {
        let mut root = Member::of(builder);
        root.node.become_root(token()).await;
        root.until(|event| matches!(event, Event::Node(Notification::BootstrapReady)))
            .await;
        root
    }

    /// A node that has begun to join.
    pub async fn joiner(&self, degree: u16) -> Member {
        let joiner = Member::of(self.builder(degree));
        joiner.node.join().await;
        joiner
    }

    /// A node that has begun to join, on another driver than the server's.
    pub async fn joiner_on(&self, driver: &Driver, degree: u16) -> Member {
        let builder = (driver.node)().max_degree(degree).server(self.url());
        let joiner = Member::of(builder.links(LinkConfig::loopback()));
        joiner.node.join().await;
        joiner
    }

    /// A node that is in the tree.
    pub async fn member(&self, degree: u16) -> Member {
        let mut member = self.joiner(degree).await;
        member.joined().await;
        member
    }

    /// Nodes that have all joined, at the same time.
    pub async fn members(&self, count: usize, degree: u16) -> Vec<Member> {
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
    /// Starts a node.
    #[must_use]
    pub fn of(builder: Builder) -> Self {
        let (node, events) = builder.spawn().unwrap();
        Self { node, events }
    }

    /// The node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// The next event that `wanted` accepts. Those before it are skipped.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.events.next().await.expect("the node has ended");
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Waits for a parent; tells at which depth and attempt.
    pub async fn joined(&mut self) -> (usize, u32) {
        let connected =
            |event: &Event| matches!(event, Event::Node(Notification::ParentConnected { .. }));
        match self.until(connected).await {
            Event::Node(Notification::ParentConnected { depth, attempt, .. }) => (depth, attempt),
            _ => unreachable!(),
        }
    }

    /// The bytes of the next message.
    pub async fn message(&mut self) -> Vec<u8> {
        let message = |event: &Event| matches!(event, Event::Message(_));
        match self.until(message).await {
            Event::Message(message) => message.payload.to_vec(),
            _ => unreachable!(),
        }
    }

    /// The node's present status.
    pub async fn status(&self) -> Status {
        self.node.status().await.expect("the node has ended")
    }
}

/// The number of nodes at each depth, by the parents that they have.
pub async fn depths(root: &Member, members: &[Member]) -> Vec<usize> {
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

pub(crate) fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

pub(crate) fn access() -> Access {
    Access::default().any_overlay(token())
}
