//! The simulator's world, as a test tells its story: nodes by number, and no faults but those of the story.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::{Config, EventKind, LinkId, Node, NodeId, Notification, Role, Scope};
use overlay_sim::{Fault, Impairment, Limits, Outage, Partition, Scrutiny, Setup, Step, Told};
use overlay_testkit::net::token;

use super::secs;

/// The number of a node in its world, from 0.
pub(crate) type Ix = usize;

/// Longer than any story.
const ALWAYS: Duration = Duration::from_secs(1_000_000);

#[derive(Debug)]
pub(crate) struct World {
    sim: overlay_sim::World,
    nodes: Ix,
}

impl From<Setup> for World {
    fn from(setup: Setup) -> Self {
        let mut sim = overlay_sim::World::new(&setup, Limits::Default, Scrutiny::Frames).unwrap();
        sim.keep_told();
        Self { sim, nodes: 0 }
    }
}

impl World {
    /// A world whose nodes have `max_degree` slots.
    pub(crate) fn new(max_degree: u16) -> Self {
        Self::with(max_degree, |_| {})
    }

    /// A world whose nodes behave as `change` says.
    pub(crate) fn with(max_degree: u16, change: impl FnOnce(&mut Config)) -> Self {
        let mut setup = Setup::new(1);
        setup.config.max_degree = max_degree;
        change(&mut setup.config);
        setup.into()
    }

    // ── The nodes ──

    /// A root, or a standby if there is one, that is registered with the server.
    pub(crate) fn root(&mut self) -> Ix {
        let root = self.add(EventKind::BecomeRoot(token()));
        self.run(secs(1));
        root
    }

    /// A node that begins to join.
    pub(crate) fn start(&mut self) -> Ix {
        self.add(EventKind::Join)
    }

    /// This many nodes join at once; ends when all are in the tree.
    pub(crate) fn join(&mut self, count: usize) -> Range<Ix> {
        let first = self.nodes;
        for _ in 0..count {
            self.start();
        }
        self.settle();
        first..self.nodes
    }

    /// This many nodes join, each when the one before is in the tree and that is known everywhere.
    pub(crate) fn join_in_turn(&mut self, count: usize) {
        for _ in 0..count {
            self.join(1);
            self.run(secs(2));
        }
    }

    /// Gives a node an event.
    pub(crate) fn event(&mut self, ix: Ix, kind: EventKind) {
        if self.sim.lives(number(ix)) {
            self.sim.event(number(ix), kind).unwrap();
        }
    }

    pub(crate) fn node(&self, ix: Ix) -> &Node {
        self.sim.node(number(ix)).unwrap()
    }

    /// All numbers that nodes have.
    pub(crate) fn all(&self) -> Range<Ix> {
        0..self.nodes
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = Ix> {
        self.all().filter(|ix| self.sim.lives(number(*ix)))
    }

    /// The link from one node to another, as the first one calls it.
    pub(crate) fn link(&self, from: Ix, to: Ix) -> LinkId {
        let node = self.node(from);
        let mut neighbours = node.parent().into_iter().chain(node.children());
        let to = self.node(to).id();
        neighbours.find(|n| n.node == to).unwrap().link
    }

    pub(crate) fn ix_of(&self, node: NodeId) -> Ix {
        self.sim.number_of(node).unwrap() as Ix
    }

    pub(crate) fn parent(&self, ix: Ix) -> Option<Ix> {
        let parent = self.node(ix).parent()?;
        Some(self.ix_of(parent.node))
    }

    pub(crate) fn children(&self, ix: Ix) -> Vec<Ix> {
        let children = self.node(ix).children();
        children.map(|child| self.ix_of(child.node)).collect()
    }

    /// The notifications that a node has given its app.
    pub(crate) fn notes(&self, ix: Ix) -> impl Iterator<Item = &Notification> {
        self.sim.told(number(ix)).filter_map(|told| match told {
            Told::Notification(notification) => Some(notification),
            Told::Message(..) => None,
        })
    }

    /// How many of a node's notifications are as `wanted`.
    pub(crate) fn count(&self, ix: Ix, wanted: impl Fn(&Notification) -> bool) -> usize {
        self.notes(ix).filter(|note| wanted(note)).count()
    }

    /// The messages that a node was delivered.
    pub(crate) fn inbox(&self, ix: Ix) -> Vec<(Scope, Bytes)> {
        let message = |told: &Told| match told {
            Told::Message(scope, payload) => Some((scope.clone(), payload.clone())),
            Told::Notification(_) => None,
        };
        self.sim.told(number(ix)).filter_map(message).collect()
    }

    /// The payloads that a node was delivered.
    pub(crate) fn heard(&self, ix: Ix) -> Vec<Bytes> {
        let inbox = self.inbox(ix).into_iter();
        inbox.map(|(_, payload)| payload).collect()
    }

    // ── What befalls them ──

    /// A machine loses its power: nobody is told.
    pub(crate) fn kill(&mut self, ix: Ix) {
        self.apply(&Step::Fault(Fault::Kill, number(ix)));
    }

    /// A process dies, and its system closes its connections.
    pub(crate) fn crash(&mut self, ix: Ix) {
        self.apply(&Step::Fault(Fault::Crash, number(ix)));
    }

    /// A node's clock is still; what is sent to it arrives when it wakes.
    pub(crate) fn sleep(&mut self, ix: Ix, time: Duration) {
        self.impair(ix, Impairment::Pause, time);
    }

    /// From now on no handshake in which a node has a part ends.
    pub(crate) fn hang(&mut self, ix: Ix) {
        self.impair(ix, Impairment::Hang, ALWAYS);
    }

    /// From now on a node's app takes nothing.
    pub(crate) fn busy(&mut self, ix: Ix) {
        self.impair(ix, Impairment::Busy, ALWAYS);
    }

    /// From now on nothing gets through between two nodes.
    pub(crate) fn cut(&mut self, a: Ix, b: Ix) {
        self.apply(&Step::Partition(
            Partition::Cut,
            number(a),
            number(b),
            ALWAYS,
        ));
    }

    /// All that was wrong is over: the server runs, and busy apps take what they have.
    pub(crate) fn mend_all(&mut self) {
        self.sim.end_faults().unwrap();
    }

    pub(crate) fn stop_server(&mut self) {
        self.apply(&Step::Outage(Outage::Stop, ALWAYS));
    }

    // ── Time ──

    /// Lets this much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        self.sim.run_until(self.sim.now() + time).unwrap();
    }

    /// Runs until it is so; panics if that takes longer than `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, so: impl Fn(&Self) -> bool) {
        let end = self.sim.now() + limit;
        while !so(self) {
            let over = self.sim.next_at().is_none_or(|next| next > end);
            assert!(!over, "not so after {limit:?}:\n{}", self.describe());
            self.sim.step().unwrap();
        }
    }

    /// Runs until no living node is on its way.
    pub(crate) fn settle(&mut self) {
        self.run_until(secs(120), Self::settled);
    }

    pub(crate) fn settled(&self) -> bool {
        let under_way = |ix| matches!(self.node(ix).role(), Role::Joining | Role::Leaving);
        !self.living().any(under_way)
    }

    /// From now on keeps a transcript.
    pub(crate) fn listen(&mut self) {
        self.sim.listen(u64::MAX);
    }

    /// Everything that has happened: the fingerprint, which has all bytes, and the transcript, which has all else.
    pub(crate) fn record(self) -> (u64, Vec<String>) {
        (self.sim.trace_hash(), self.sim.transcript())
    }

    /// How many nodes that live in the tree are at each depth.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let mut depths = Vec::new();
        for ix in self.living() {
            let path = self.node(ix).path();
            if !path.ids().is_empty() {
                let depth = path.depth();
                depths.resize(depths.len().max(depth + 1), 0);
                depths[depth] += 1;
            }
        }
        depths
    }

    /// Asserts that parents and children agree, and that every path is its parent's and one more.
    pub(crate) fn assert_sound(&self) {
        for ix in self.living() {
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
        let mut text = format!("at {:?}\n", self.sim.now());
        for ix in self.living() {
            let node = self.node(ix);
            let (role, parent, children) = (node.role(), self.parent(ix), self.children(ix));
            let _ = writeln!(
                text,
                "{ix}: {role:?} below {parent:?}, children {children:?}, {node:?}"
            );
        }
        text
    }

    fn add(&mut self, wish: EventKind) -> Ix {
        let ix = self.nodes;
        self.nodes += 1;
        self.sim.event(number(ix), wish).unwrap();
        ix
    }

    fn impair(&mut self, ix: Ix, impairment: Impairment, time: Duration) {
        self.apply(&Step::Impairment(impairment, number(ix), time));
    }

    fn apply(&mut self, step: &Step) {
        self.sim.apply(step).unwrap();
    }
}

fn number(ix: Ix) -> overlay_sim::Number {
    ix.try_into().unwrap()
}
