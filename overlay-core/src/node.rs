//! The node: one member of the tree.
//!
//! Its state falls into parts, a file each:
//!
//! | file | idea |
//! |---|---|
//! | `link` | the table of links and what each of them is |
//! | `joining` | this node's own way into the tree: again and again, until it is there |
//! | `dial` | one attempt to come below a parent |
//! | `bootstrap`, `keepalive` | the connection to the server |
//! | `crown` | being the root, and standing by for it |
//! | `admission` | others' way in: accept, delegate, park or reject a request |
//! | `placement` | which place a joiner gets, or whose subtree |
//! | `parking` | requests that wait for a candidate, or for a place |
//! | `routing` | passing a join's signals between joiner and acceptor |
//! | `balance` | who is to move so that the tree stays shallow |
//! | `moving` | a node's way to another parent, and the invitation to it |
//! | `handover` | from one parent to the other, without losing or doubling a broadcast |
//! | `neighbours` | frames of parent and children, and what becomes of a closed link |
//! | `liveness` | heartbeats |
//! | `report` | telling the parent what the subtree looks like |
//! | `messages` | app messages: what a link takes, and those to a neighbour |
//! | `broadcasts` | app messages from the root to everybody |
//! | `departure` | leaving |
//! | `progress`, `load` | what an embedder may know of all this |

mod admission;
mod balance;
mod bootstrap;
mod broadcasts;
mod crown;
mod departure;
mod dial;
mod handover;
mod joining;
mod keepalive;
mod link;
mod liveness;
mod load;
mod messages;
mod moving;
mod neighbours;
mod parking;
mod placement;
mod progress;
mod report;
mod routing;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::action::{Action, Notification};
use crate::census::Census;
use crate::config::{Config, ConfigError};
use crate::event::{Event, EventKind};
use crate::id::{Epoch, JoinId, LinkId, NodeId};
use crate::path::Path;
use crate::random::Random;
use crate::stats::Stats;
use crate::time::Instant;
use crate::wire::ResumeSecret;

use balance::Balance;
use bootstrap::Bootstrap;
use broadcasts::Broadcasts;
use joining::Joining;
use link::{Door, LinkState, Links};
use parking::Parked;
use report::Report;
use routing::Routes;

pub use load::Load;
pub use progress::Progress;

/// One member of the tree, as a state machine. The [crate documentation](crate) has the contract.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    config: Arc<Config>,
    random: Random,
    secret: ResumeSecret,
    /// The latest `now` seen.
    now: Instant,
    /// When something is due: the earliest in all of the state, which changes only with an event.
    due: Option<Instant>,
    role: Role,
    /// The highest epoch seen since the node was last told to join.
    epoch: Epoch,
    /// The epoch of the tree that the app was last told of.
    told_epoch: Option<Epoch>,
    /// From the root to this node; empty while it has no parent and is not the root.
    path: Path,
    bootstrap: Bootstrap,
    links: Links,
    /// Who holds each of the `max_degree` places for children.
    slots: Vec<Option<LinkId>>,
    /// A child that leaves and has given its place back, for one of its own children to have it.
    leaver: Option<LinkId>,
    routes: Routes,
    parked: Parked,
    /// The attempt of a member that moves.
    moving: Option<LinkId>,
    /// How many attempts to join this node has made in its life.
    attempts: u32,
    report: Report,
    balance: Balance,
    broadcasts: Broadcasts,
    stats: Stats,
}

/// Where a node stands in relation to the tree.
#[derive(Debug)]
enum Role {
    /// Not in the tree, and not on its way.
    Detached,
    /// On its way to a parent, perhaps with a subtree.
    Joining(Joining),
    /// Below a parent.
    Member { parent: LinkId },
    /// On its way out, as soon as its children have other parents.
    Rehoming {
        parent: LinkId,
        /// When children that have not asked for other places count as dead; None once that time has passed.
        asked_by: Option<Instant>,
        until: Instant,
    },
    /// On top.
    Root,
    /// On its way out.
    Leaving,
}

/// Where a node stands in relation to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not in the tree, and not on its way.
    Detached,
    /// Looking for a parent.
    Joining,
    /// In the tree, below a parent.
    Member,
    /// On top of the tree.
    Root,
    /// Saying goodbye.
    Leaving,
}

/// A neighbour in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The link to it.
    pub link: LinkId,
    /// Who it is.
    pub node: NodeId,
}

impl Node {
    /// A detached node. `seed` is the source of all its randomness, among it the secret that it
    /// resumes its place at the server with: draw it from the system's generator. Thousands of nodes in
    /// one process can share a configuration.
    pub fn new(
        id: NodeId,
        config: impl Into<Arc<Config>>,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        let config = config.into();
        config.validate()?;
        let mut random = Random::from_seed(seed);
        let secret = random.draw_bytes();
        Ok(Self {
            id,
            slots: vec![None; usize::from(config.max_degree)],
            leaver: None,
            config,
            random,
            secret: ResumeSecret::from_bytes(secret),
            now: Instant::ZERO,
            due: None,
            role: Role::Detached,
            epoch: Epoch::default(),
            told_epoch: None,
            path: Path::default(),
            bootstrap: Bootstrap::default(),
            links: Links::default(),
            routes: Routes::default(),
            parked: Parked::default(),
            moving: None,
            attempts: 0,
            report: Report::default(),
            balance: Balance::default(),
            broadcasts: Broadcasts::default(),
            stats: Stats::default(),
        })
    }

    /// What to do about `event`, in order.
    #[must_use = "the protocol stalls when an action is not carried out"]
    pub fn handle_input(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.handle_input_into(event, &mut out);
        out
    }

    /// As [`handle_input`](Self::handle_input), appending to a buffer of the caller's.
    pub fn handle_input_into(&mut self, event: Event, out: &mut Vec<Action>) {
        self.advance(event.now);
        match event.kind {
            EventKind::Join => self.join(out),
            EventKind::BecomeRoot(token) => self.become_root(token, out),
            EventKind::Leave => self.leave(out),
            EventKind::Send { to, payload } => self.send(to, payload, out),
            EventKind::Broadcast(payload) => self.broadcast(payload, out),
            EventKind::Consumed(receipt) => self.consumed(receipt, out),
            EventKind::Close(link) => self.close(link, out),
            EventKind::BootstrapOpened(id) => self.bootstrap_opened(id, out),
            EventKind::BootstrapMessage(id, bytes) => self.bootstrap_message(id, &bytes, out),
            EventKind::BootstrapClosed(id) => self.bootstrap_closed(id, out),
            EventKind::LinkOffer(link, offer) => self.link_offer(link, offer, out),
            EventKind::LinkSignal(link, signal) => self.link_signal(link, signal, out),
            EventKind::LinkOpened(link) => self.link_opened(link, out),
            EventKind::LinkMessage(link, bytes) => self.link_message(link, &bytes, out),
            EventKind::LinkClosed(link) => self.link_closed(link, out),
            EventKind::Timeout => {}
        }
        // Deadlines are derived from state, so whatever is due is found by looking, and it makes no
        // difference whether it was the timer or another event that came first.
        self.due = self.earliest_deadline();
        if self.due.is_some_and(|due| due <= self.now) {
            self.expire(out);
            self.due = self.earliest_deadline();
        }
    }

    /// When the node wants a [`Timeout`](EventKind::Timeout) at the latest. Ask again after each event.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Who this node is.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// How the node behaves.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the node stands in relation to the tree.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        match self.role {
            Role::Detached => Standing::Detached,
            Role::Joining(_) => Standing::Joining,
            Role::Member { .. } => Standing::Member,
            Role::Root => Standing::Root,
            Role::Rehoming { .. } | Role::Leaving => Standing::Leaving,
        }
    }

    /// The parent, while the node has one.
    #[must_use]
    pub fn parent(&self) -> Option<Neighbour> {
        let parent = self.parent_link()?;
        let node = self.links.get(parent)?.state.neighbour()?;
        Some(Neighbour { link: parent, node })
    }

    /// The children, in the order of their places; behind them one that leaves.
    pub fn children(&self) -> impl Iterator<Item = Neighbour> {
        let links = self.slots.iter().flatten().chain(&self.leaver);
        links.filter_map(|&link| {
            let LinkState::Child(child) = &self.links.get(link)?.state else {
                return None;
            };
            let node = child.node;
            Some(Neighbour { link, node })
        })
    }

    /// The join that a link was opened for: this node's own, or that of a candidate. `None` once the link
    /// leads to a neighbour.
    #[must_use]
    pub fn join_of(&self, link: LinkId) -> Option<JoinId> {
        match &self.links.get(link)?.state {
            LinkState::Dialing(dialing) => Some(dialing.join),
            LinkState::Candidate(candidate) => Some(candidate.join),
            LinkState::Parent(_) | LinkState::Child(_) | LinkState::Parting(_) => None,
        }
    }

    /// How many places are taken, by children and by candidates that may become one; at most
    /// [`max_degree`](Config::max_degree).
    #[must_use]
    pub fn places_taken(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// From the root to this node; empty while it has no parent and is not the root.
    #[must_use]
    pub const fn path(&self) -> &Path {
        &self.path
    }

    /// The highest epoch that the node has seen since it was last told to join.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The subtree below this node, itself included, as far as its children have told.
    #[must_use]
    pub fn census(&self) -> Census {
        let free = self.slots.len() - self.places_taken();
        let mut census = Census::of_node(u32::try_from(free).unwrap_or(u32::MAX));
        for link in self.slots.iter().flatten().chain(&self.leaver) {
            match self.links.get(*link).map(|link| &link.state) {
                Some(LinkState::Child(child)) if child.door == Door::Open => {
                    census.graft(Some(&child.subtree.known), Some(&child.subtree.predicted));
                }
                Some(LinkState::Child(child)) => census.graft(Some(&child.subtree.known), None),
                Some(LinkState::Candidate(candidate)) => {
                    census.graft(None, Some(&candidate.subtree.predicted));
                }
                _ => {}
            }
        }
        census
    }

    /// What the node has done and what was done to it.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    const fn parent_link(&self) -> Option<LinkId> {
        match self.role {
            Role::Member { parent } | Role::Rehoming { parent, .. } => Some(parent),
            _ => None,
        }
    }

    /// Lets time pass.
    fn advance(&mut self, now: Instant) {
        self.now = now.max(self.now);
        if let Some(due) = self.due {
            self.forgive_own_stall(self.now.since(due));
        }
    }

    fn earliest_deadline(&self) -> Option<Instant> {
        [
            self.joining_deadline(),
            self.rehoming_deadline(),
            self.bootstrap.deadline(),
            self.parked.deadline(&self.config),
            self.routes.deadline(),
            self.report.deadline(),
            self.balance.deadline(),
            self.links_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    fn expire(&mut self, out: &mut Vec<Action>) {
        self.expire_joining(out);
        self.expire_rehoming(out);
        self.expire_bootstrap(out);
        self.expire_links(out);
        self.expire_parked(out);
        self.routes.expire(self.now);
        self.expire_report(out);
        self.expire_balance(out);
    }
}

/// Tells the app.
fn notify(notification: Notification, out: &mut Vec<Action>) {
    out.push(Action::Notify(notification));
}
