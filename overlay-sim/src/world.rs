//! A world: machines with nodes on them, a server, a network between them, and a time that jumps to
//! whatever happens next.
//!
//! | file | idea |
//! |---|---|
//! | `events` | what happens next, and how a node is told |
//! | `actions` | what a node wants is done |
//! | `server_traffic` | messages to the server and back |
//! | `steps` | what a schedule does to the world |
//! | `sends` | what apps send |
//! | `forgery` | frames that no honest node would send |
//! | `checks` | invariants about actions that take a view of the whole |
//! | `machine`, `network` | what the world consists of; WebRTC and the server are the testkit's |
//! | `event_queue` | what will happen, by when |
//! | `by_hand` | stories that a test tells event by event |

mod actions;
mod by_hand;
mod checks;
mod event_queue;
mod events;
mod forgery;
pub(crate) mod machine;
pub(crate) mod network;
mod sends;
mod server_traffic;
mod steps;

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use overlay_core::bootstrap;
use overlay_core::{
    Action, BootstrapId, Config, ConfigError, Epoch, EventKind, Instant, Node, NodeId, Receipt,
    Role,
};

use crate::invariants::Scrutiny;
use crate::invariants::messages::Messages;
use crate::invariants::passing::Passing;
use crate::invariants::streams::Streams;
use crate::invariants::{Invariant, Violation};
use crate::record::coverage::Coverage;
use crate::record::trace::Trace;
use crate::record::transcript::Transcript;
use crate::schedule::Number;
use crate::schedule::Setup;
use crate::world::event_queue::EventQueue;
use crate::world::network::Network;
pub use by_hand::Told;
use machine::{Ix, Life, Machine};
pub use overlay_testkit::net::Limits;
use overlay_testkit::net::{Client, Server};
use overlay_testkit::net::{EndId, Ends};

/// The moment at which the world began, since 1970.
const BORN: Duration = Duration::from_secs(1_000_000_000);

/// A simulated overlay. Every node and the server are the very structs that ship.
#[derive(Debug)]
pub struct World {
    pub(crate) setup: Setup,
    /// The nodes' configuration, shared by all of them.
    config: Arc<Config>,
    scrutiny: Scrutiny,
    pub(crate) now: Instant,
    pub(crate) machines: Vec<Machine>,
    by_number: BTreeMap<Number, Ix>,
    pub(crate) ends: Ends,
    network: Network,
    pub(crate) server: Server,
    pub(crate) messages: Messages,
    pub(crate) streams: Streams,
    pub(crate) passing: Passing,
    queue: EventQueue<What>,
    /// The root of each epoch.
    leaders: BTreeMap<Epoch, Ix>,
    /// Until when something was wrong besides handshakes and slow apps, if anything ever was.
    disturbed_until: Option<Instant>,
    /// Whether a node has ever lost its parent, other than by a move.
    torn: bool,
    /// When a link between neighbours was last closed.
    pub(crate) last_parting: Option<Instant>,
    /// The close times of ends whose peers may not have noticed. Kept only under `Scrutiny::Frames`.
    departed: BTreeMap<EndId, Instant>,
    /// Whether no link may close any more.
    pub(crate) calm: bool,
    events: u64,
    trace: Trace,
    coverage: Coverage,
    /// What happens, in words, if it is wanted.
    pub(crate) transcript: Option<Transcript>,
    /// What nodes have told their apps, if it is wanted.
    told: Option<Vec<(Ix, Told)>>,
    orphans: Orphans,
    /// The actions of the present event; kept for its memory.
    actions: Vec<Action>,
    /// The ends that close with the present event.
    closing: Vec<EndId>,
}

/// Nodes that have lost their parent.
#[derive(Debug, Default)]
struct Orphans {
    since: BTreeMap<Ix, Instant>,
    /// When each noticed.
    noticed: Vec<Instant>,
    reattached: Vec<Duration>,
    moves: u64,
}

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum What {
    /// A node's deadline comes.
    Wake(Ix),
    /// A machine has slept enough.
    Awake(Ix),
    /// A machine's app takes what it has.
    Resume(Ix),
    /// A machine's app has taken a message.
    Consumed(Ix, Receipt),
    /// A machine's app does something.
    App(Ix, Box<EventKind>),
    /// Something happens at an end of a connection.
    Link(EndId, Happening),
    /// The server sends something to a client, or hangs up.
    FromServer(Ix, BootstrapId, FromServer),
    /// A client sends something to the server.
    ToServer(Client, ToServer),
    /// The server's deadline comes.
    ServerWake,
}

/// What can happen at an end of a connection.
#[derive(Debug)]
pub(crate) enum Happening {
    Offer,
    Answer,
    Candidate,
    Opened,
    Message(Bytes),
    /// The channel has taken what it was given.
    Drained,
    Closed,
    /// Nothing of a closed end is on its way to its node any more.
    Forgotten,
}

#[derive(Debug)]
pub(crate) enum FromServer {
    Opened,
    Message(Bytes),
    Closed,
}

#[derive(Debug)]
pub(crate) enum ToServer {
    Connect,
    Message(Bytes),
    Close,
}

/// An invariant was violated in a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {at:?}, event {event}{}: {violation}", .machine.map(|number| format!(", machine {number}")).unwrap_or_default())]
pub struct Failure {
    /// At which event, counted from 1.
    pub event: u64,
    /// When.
    pub at: Instant,
    /// The machine at whose event it was seen; none if the whole tree is at fault.
    pub machine: Option<Number>,
    /// The invariant, and what was seen.
    pub violation: Violation,
}

/// A world that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// No node can keep this configuration.
    #[error(transparent)]
    Node(#[from] ConfigError),
    /// No server can.
    #[error(transparent)]
    Server(#[from] bootstrap::ConfigError),
}

impl World {
    /// An empty world.
    pub fn new(setup: &Setup, limits: Limits, scrutiny: Scrutiny) -> Result<Self, SetupError> {
        setup.config.validate()?;
        Ok(Self {
            server: Server::new(&setup.config.overlay, limits, scrutiny, BORN)?,
            setup: setup.clone(),
            config: Arc::new(setup.config.clone()),
            scrutiny,
            now: Instant::ZERO,
            machines: Vec::new(),
            by_number: BTreeMap::new(),
            ends: Ends::default(),
            network: Network::default(),
            messages: Messages::default(),
            streams: Streams::default(),
            passing: Passing::default(),
            queue: EventQueue::default(),
            leaders: BTreeMap::new(),
            disturbed_until: None,
            torn: false,
            last_parting: None,
            departed: BTreeMap::new(),
            calm: false,
            events: 0,
            trace: Trace::default(),
            coverage: Coverage::default(),
            transcript: None,
            told: None,
            orphans: Orphans::default(),
            actions: Vec::new(),
            closing: Vec::new(),
        })
    }

    /// The time in this world.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How many events nodes have been told of.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The fingerprint of everything so far.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// What has been reached so far, the nodes' own counts included.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let mut coverage = self.coverage.clone();
        for machine in &self.machines {
            coverage.stats(machine.node.stats());
        }
        coverage
    }

    /// The nodes on machines that live, with their numbers.
    pub fn nodes(&self) -> impl Iterator<Item = (Number, &Node)> {
        let living = self.machines.iter().filter(|machine| machine.lives());
        living.map(|machine| (machine.number, &machine.node))
    }

    /// The number of nodes at each depth of the tree, the root at 0: those that the root reaches by links
    /// on which parent and child agree.
    #[must_use]
    pub fn depths(&self) -> Vec<u64> {
        let mut depths = Vec::new();
        let mut level: Vec<Ix> = self.root().into_iter().collect();
        while !level.is_empty() {
            depths.push(level.len() as u64);
            let children = level.iter().flat_map(|parent| {
                let children = self.machines[*parent].node.children();
                children.filter_map(|child| {
                    let child = self.ix_of(child.node)?;
                    (self.machines[child].parent == Some(*parent)).then_some(child)
                })
            });
            level = children.collect();
        }
        depths
    }

    /// How many living nodes want to be in the tree.
    #[must_use]
    pub fn willing(&self) -> u64 {
        let willing = |machine: &&Machine| machine.lives() && machine.willing;
        self.machines.iter().filter(willing).count() as u64
    }

    /// How many living nodes are looking for a parent.
    #[must_use]
    pub fn joining(&self) -> u64 {
        let joining = |(_, node): &(Number, &Node)| node.role() == Role::Joining;
        self.nodes().filter(joining).count() as u64
    }

    /// When nodes noticed that their parent was gone.
    #[must_use]
    pub fn noticed(&self) -> &[Instant] {
        &self.orphans.noticed
    }

    /// How long each orphan took to have a parent again, from when it noticed that it had none.
    #[must_use]
    pub fn reattached(&self) -> &[Duration] {
        &self.orphans.reattached
    }

    /// How often a node with a parent has gone to another one.
    #[must_use]
    pub const fn moves(&self) -> u64 {
        self.orphans.moves
    }

    /// From here on notes what happens, in words up to the event of this number.
    pub fn listen(&mut self, until: u64) {
        self.transcript = Some(Transcript::until(until));
    }

    /// What was noted, line by line.
    #[must_use]
    pub fn transcript(self) -> Vec<String> {
        self.transcript
            .map(|transcript| transcript.lines)
            .unwrap_or_default()
    }

    /// Lets time pass until `end`.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Failure> {
        while self.queue.next_at().is_some_and(|next| next <= end) {
            self.step()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    /// Lets the next thing happen; false if there is none.
    pub fn step(&mut self) -> Result<bool, Failure> {
        let Some((at, what)) = self.queue.pop() else {
            return Ok(false);
        };
        self.now = at;
        self.happen(what)
            .map_err(|(ix, violation)| self.failure(ix, violation))?;
        Ok(true)
    }

    pub(crate) fn failure(&self, ix: Option<Ix>, violation: Violation) -> Failure {
        Failure {
            event: self.events,
            at: self.now,
            machine: ix.map(|ix| self.machines[ix].number),
            violation,
        }
    }

    /// The machine of this number, made if there is none yet.
    pub(crate) fn machine(&mut self, number: Number) -> Result<Ix, Violation> {
        if let Some(ix) = self.by_number.get(&number) {
            return Ok(*ix);
        }
        let ix = self.machines.len();
        let Setup { seed, profile, .. } = self.setup;
        let config = Arc::clone(&self.config);
        let machine = Machine::new(number, ix, seed, profile, config, self.scrutiny);
        // The configuration was checked when the world was made.
        let machine = machine.map_err(|error| Invariant::MaxDegree.broken(error))?;
        self.machines.push(machine);
        self.by_number.insert(number, ix);
        Ok(ix)
    }

    /// The machine on which the node of this id lives, if there is one.
    pub(crate) fn ix_of(&self, id: NodeId) -> Option<Ix> {
        let ix = machine::ix_of(id);
        (self.machines.get(ix)?.node.id() == id).then_some(ix)
    }

    /// The machine that is the root and lives; of several the one whose epoch is the highest.
    pub(crate) fn root(&self) -> Option<Ix> {
        let leaders = |(epoch, ix): &(&Epoch, &Ix)| {
            let Machine { node, life, .. } = &self.machines[**ix];
            *life == Life::Alive && node.role() == Role::Root && node.epoch() == **epoch
        };
        self.leaders.iter().rev().find(leaders).map(|(_, ix)| *ix)
    }

    /// Something has gone wrong that may leave joins without an answer until later than this.
    fn disturb(&mut self, until: Instant) {
        self.disturbed_until = self.disturbed_until.max(Some(until.max(self.now)));
    }
}

/// A violation, and the machine at whose event it was found.
type Found = (Option<Ix>, Violation);
