//! A virtual world: nodes, a server, a network, and time that jumps to whatever happens next.

mod physics;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::{Config, EventKind, Instant, LinkId, Node, Notification, Receipt, Role, Scope};

use overlay_testkit::net::{EndId, Ends, Limits, Server, token};
use overlay_testkit::{Rng, Scrutiny};

use super::{Invariants, id, ms, secs};

use physics::Happening;

/// The number of a node in its world, from 0.
pub(crate) type Ix = usize;

/// A node, and how the story treats it.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) node: Node,
    invariants: Invariants,
    pub(crate) alive: bool,
    /// Its clock is still until then.
    asleep_until: Instant,
    /// What becomes of handshakes that it has a part in.
    pub(crate) handshakes: Handshakes,
    /// Its app keeps the receipts, as one does that is busy.
    pub(crate) busy: bool,
    receipts: Vec<Receipt>,
    pub(crate) inbox: Vec<(Scope, Bytes)>,
    pub(crate) notes: Vec<Notification>,
    /// When it next wants a `Timeout`.
    due: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshakes {
    Complete,
    /// Neither side ever sees an open channel.
    Hang,
    /// Only the side that dialed does.
    OneSided,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    /// How the next node behaves.
    pub(crate) config: Config,
    pub(crate) people: Vec<Person>,
    pub(crate) server: Server,
    /// Between two nodes.
    pub(crate) latency: Duration,
    /// How much longer than `latency` a message between two nodes may take.
    pub(crate) jitter: Duration,
    /// From the last signal to the open channel.
    pub(crate) handshake: Duration,
    ends: Ends,
    /// The ends by the names that their nodes have for them.
    by_link: BTreeMap<(Ix, LinkId), EndId>,
    /// Pairs of nodes between which everything vanishes.
    cut: BTreeSet<(Ix, Ix)>,
    queue: BTreeMap<(Instant, u64), Happening>,
    deadlines: BTreeSet<(Instant, Ix)>,
    scheduled: u64,
    rng: Rng,
    /// Everything that every node did, to be compared.
    pub(crate) journal: Option<String>,
}

fn server(config: &Config) -> Server {
    let server = Server::new(&config.overlay, Limits::Default, Scrutiny::Frames, ms(0));
    server.unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose nodes behave as `change` says.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        Self {
            now: Instant::ZERO,
            server: server(&config),
            config,
            people: Vec::new(),
            latency: ms(10),
            jitter: Duration::ZERO,
            handshake: ms(60),
            ends: Ends::default(),
            by_link: BTreeMap::new(),
            cut: BTreeSet::new(),
            queue: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            scheduled: 0,
            rng: Rng::new(1),
            journal: None,
        }
    }

    pub(crate) fn seed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
    }

    // ── The people ──

    /// A root that is registered with the server. All nodes of this world have `max_degree` slots.
    pub(crate) fn root(&mut self, max_degree: u16) -> Ix {
        self.config.max_degree = max_degree;
        let root = self.add();
        self.event(root, EventKind::BecomeRoot(token()));
        self.run(secs(1));
        root
    }

    /// Another one that knows the token.
    pub(crate) fn standby(&mut self, max_degree: u16) -> Ix {
        self.root(max_degree)
    }

    /// A node that does nothing yet.
    pub(crate) fn add(&mut self) -> Ix {
        let number = self.people.len();
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.rng.draw().to_le_bytes());
        let node = Node::new(id(number as u128 + 1), self.config.clone(), seed).unwrap();
        self.people.push(Person {
            node,
            invariants: Invariants::default(),
            alive: true,
            asleep_until: Instant::ZERO,
            handshakes: Handshakes::Complete,
            busy: false,
            receipts: Vec::new(),
            inbox: Vec::new(),
            notes: Vec::new(),
            due: None,
        });
        number
    }

    /// A node that begins to join.
    pub(crate) fn start(&mut self) -> Ix {
        let node = self.add();
        self.event(node, EventKind::Join);
        node
    }

    /// This many nodes join at once; ends when all are in the tree.
    pub(crate) fn join(&mut self, count: usize) -> Range<Ix> {
        let first = self.people.len();
        for _ in 0..count {
            self.start();
        }
        self.settle();
        first..self.people.len()
    }

    /// This many nodes join, each when the one before is in the tree and that is known everywhere.
    pub(crate) fn join_in_turn(&mut self, count: usize) {
        for _ in 0..count {
            self.join(1);
            self.run(secs(2));
        }
    }

    pub(crate) fn node(&self, ix: Ix) -> &Node {
        &self.people[ix].node
    }

    /// The link from one node to another, as the first one calls it.
    pub(crate) fn link(&self, from: Ix, to: Ix) -> LinkId {
        let node = self.node(from);
        let neighbours = node.parent().into_iter().chain(node.children());
        let to = self.node(to).id();
        neighbours
            .filter(|n| n.node == to)
            .map(|n| n.link)
            .next()
            .unwrap()
    }

    pub(crate) fn ix_of(&self, node: overlay_core::NodeId) -> Ix {
        self.people
            .iter()
            .position(|p| p.node.id() == node)
            .unwrap()
    }

    pub(crate) fn parent(&self, ix: Ix) -> Option<Ix> {
        let parent = self.node(ix).parent()?;
        Some(self.ix_of(parent.node))
    }

    pub(crate) fn children(&self, ix: Ix) -> Vec<Ix> {
        self.node(ix)
            .children()
            .map(|child| self.ix_of(child.node))
            .collect()
    }

    /// The payloads that a node was delivered.
    pub(crate) fn heard(&self, ix: Ix) -> Vec<Bytes> {
        self.people[ix]
            .inbox
            .iter()
            .map(|(_, bytes)| bytes.clone())
            .collect()
    }

    /// How many of a node's notifications are as `wanted`.
    pub(crate) fn count(&self, ix: Ix, wanted: impl Fn(&Notification) -> bool) -> usize {
        self.people[ix]
            .notes
            .iter()
            .filter(|note| wanted(note))
            .count()
    }

    // ── What befalls them ──

    /// A node dies. Only the server is told.
    pub(crate) fn kill(&mut self, ix: Ix) {
        self.people[ix].alive = false;
        self.update_deadline(ix);
        for connection in self.server.connections_of(ix) {
            let outgoing = self.server.disconnect(connection, self.now);
            self.server_sends(outgoing.unwrap());
        }
    }

    /// A node dies, and its system closes its connections.
    pub(crate) fn crash(&mut self, ix: Ix) {
        self.kill(ix);
        let own = |(link, end): (&(Ix, LinkId), &EndId)| (link.0 == ix).then_some(*end);
        let mut ends: Vec<EndId> = self.by_link.iter().filter_map(own).collect();
        ends.sort();
        for end in ends {
            self.close(end);
        }
    }

    /// A node's clock is still; what is sent to it arrives when it wakes.
    pub(crate) fn sleep(&mut self, ix: Ix, time: Duration) {
        self.people[ix].asleep_until = self.now + time;
        self.update_deadline(ix);
    }

    /// From now on nothing gets through between two nodes.
    pub(crate) fn cut(&mut self, a: Ix, b: Ix) {
        self.cut.extend([(a, b), (b, a)]);
    }

    pub(crate) fn mend_all(&mut self) {
        self.cut.clear();
        for person in &mut self.people {
            person.handshakes = Handshakes::Complete;
        }
    }

    pub(crate) fn stop_server(&mut self) {
        let clients = self.server.stop(Instant::from_micros(u64::MAX));
        self.server_sends(clients.into_iter().map(|client| (client, None)).collect());
    }

    pub(crate) fn start_server(&mut self) {
        self.server.down_until = self.now;
    }

    /// A node's app takes everything that it has, and goes on to.
    pub(crate) fn resume(&mut self, ix: Ix) {
        self.people[ix].busy = false;
        for receipt in std::mem::take(&mut self.people[ix].receipts) {
            self.event(ix, EventKind::Consumed(receipt));
        }
    }

    // ── Time ──

    /// Lets this much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next().is_some_and(|next| next <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Runs until it is so; panics if that takes longer than `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, so: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !so(self) {
            let over = self.next().is_none_or(|next| next > end);
            assert!(!over, "not so after {limit:?}:\n{}", self.describe());
            self.step();
        }
    }

    /// Runs until no living node is on its way.
    pub(crate) fn settle(&mut self) {
        self.run_until(secs(120), Self::settled);
    }

    pub(crate) fn settled(&self) -> bool {
        self.living().all(|person| {
            let standing = person.node.role();
            !matches!(standing, Role::Joining | Role::Leaving)
        })
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.alive)
    }

    /// How many nodes that live in the tree stand at each depth.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let mut depths = Vec::new();
        for person in self.living() {
            if !person.node.path().ids().is_empty() {
                let depth = person.node.path().depth();
                depths.resize(depths.len().max(depth + 1), 0);
                depths[depth] += 1;
            }
        }
        depths
    }

    /// Asserts that parents and children agree, and that every path is its parent's and one more.
    pub(crate) fn assert_sound(&self) {
        for ix in (0..self.people.len()).filter(|ix| self.people[*ix].alive) {
            let node = self.node(ix);
            for child in self.children(ix) {
                assert_eq!(self.parent(child), Some(ix), "{}", self.describe());
                let path = node.path().child(self.node(child).id()).unwrap();
                assert_eq!(self.node(child).path(), &path);
            }
            if let Some(parent) = self.parent(ix) {
                assert!(self.children(parent).contains(&ix), "{}", self.describe());
            }
        }
    }

    /// Everything that a failed test wants to know.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("at {:?}\n", self.now);
        for (ix, person) in self.people.iter().enumerate() {
            let node = &person.node;
            let _ = writeln!(
                text,
                "{ix} {}: {:?} below {:?}, children {:?}, path {:?}, due {:?}, {:?}, last {:?}",
                if person.alive { "lives" } else { "is dead" },
                node.role(),
                self.parent(ix),
                self.children(ix),
                node.path(),
                person.due,
                node.census(),
                person.notes.iter().rev().take(3).collect::<Vec<_>>()
            );
        }
        text
    }
}
