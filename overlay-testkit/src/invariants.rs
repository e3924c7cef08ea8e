//! The invariants of one node, checked after every event whatever happened before.
//!
//! The simulator, the fuzz targets and the core's own tests all check them.

mod actions;
mod links;
mod requests;

use overlay_core::flow::message_cost;
use overlay_core::wire::{MAX_HEADER, MAX_RECORDS};
use overlay_core::{Action, BootstrapId, Epoch, EventKind, Instant, Node, Role};

use crate::violation::{Invariant, Violation};
use links::{Links, Told};
use requests::Requests;

/// The embedder's view of one node: what the node asks for must make sense to an embedder that believes every word.
///
/// Call [`before`](Self::before) with each event and [`after`](Self::after) with what the node answered.
#[derive(Debug, Default)]
pub struct Invariants {
    links: Links,
    requests: Requests,
    /// The connection to the server, and whether it is open.
    server: Option<(BootstrapId, bool)>,
    latest_try: Option<BootstrapId>,
    /// Receipts that the app has not handed back.
    receipts: usize,
    /// The epoch that the node obeyed before the present event.
    epoch: Epoch,
    /// Whether the present event is a neighbour's message.
    neighbour_speaks: bool,
    scrutiny: Scrutiny,
}

/// How closely a node's frames are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scrutiny {
    /// Each frame is decoded.
    #[default]
    Frames,
    /// Only their length is checked: for large simulations, where the receiver decodes them anyway.
    Lengths,
}

impl Invariants {
    /// The invariants, checked with this much scrutiny.
    #[must_use]
    pub fn new(scrutiny: Scrutiny) -> Self {
        Self {
            scrutiny,
            ..Self::default()
        }
    }

    /// Takes note of an event before the node sees it.
    pub fn before(&mut self, event: &EventKind) {
        self.neighbour_speaks = matches!(event, EventKind::LinkMessage(..));
        match event {
            EventKind::LinkOpened(link) => self.links.channel_opens(*link),
            EventKind::LinkClosed(link) => self.links.close(*link),
            EventKind::BootstrapOpened(id) => {
                if let Some((current, open)) = &mut self.server
                    && current == id
                {
                    *open = true;
                }
            }
            EventKind::BootstrapClosed(id) => {
                self.server.take_if(|(current, _)| current == id);
            }
            EventKind::LinkMessage(link, bytes) if self.scrutiny == Scrutiny::Frames => {
                self.requests.neighbour_says(&mut self.links, *link, bytes);
            }
            EventKind::BootstrapMessage(_, bytes) if self.scrutiny == Scrutiny::Frames => {
                self.requests.server_says(bytes);
            }
            EventKind::Consumed(_) => self.receipts = self.receipts.saturating_sub(1),
            _ => {}
        }
    }

    /// Checks everything after the node has answered an event at `now` with `actions`.
    pub fn after(
        &mut self,
        node: &Node,
        now: Instant,
        actions: &[Action],
    ) -> Result<(), Violation> {
        for action in actions {
            self.action(node, action)?;
        }
        let (epoch, before) = (node.epoch(), self.epoch);
        Invariant::EpochsRise.holds(!self.neighbour_speaks || epoch >= before, || {
            format!("{epoch:?} after {before:?}")
        })?;
        self.epoch = epoch;
        let most = most_actions(node);
        Invariant::ActionsAreBounded.holds(actions.len() <= most, || {
            format!("{} actions, at most {most} expected", actions.len())
        })?;
        let most = usize::from(node.config().max_degree);
        Invariant::MaxDegree.holds(node.slots_taken() <= most, || {
            format!("{} slots of {most} are taken", node.slots_taken())
        })?;
        let deadline = node.next_deadline();
        Invariant::DeadlinesLieAhead.holds(deadline.is_none_or(|due| due > now), || {
            format!("due at {deadline:?}, and it is {now:?}")
        })?;
        self.neighbours(node)?;
        self.queues(node)?;
        self.server(node)?;
        match node.role() {
            Role::Detached => Invariant::DetachedHoldsNothing
                .holds(self.links.is_empty() && self.server.is_none(), || {
                    format!("links {:?}, server {:?}", self.links, self.server)
                }),
            Role::Joining | Role::Member | Role::Leaving => Invariant::WaitingHasADeadline
                .holds(deadline.is_some(), || {
                    format!("{:?} without a deadline", node.role())
                }),
            Role::Root => Ok(()),
        }
    }

    /// The neighbours that the app was told of are those that the node has.
    fn neighbours(&self, node: &Node) -> Result<(), Violation> {
        let invariant = Invariant::AppKnowsTheNeighbours;
        let mut known = 0;
        if let Some(parent) = node.parent() {
            let entry = self.links.find(parent.link);
            let agrees = entry.is_some_and(|entry| entry.is_open_and(Told::Parent(parent.node)));
            invariant.holds(agrees, || format!("{parent:?} is told of as {entry:?}"))?;
            known += 1;
        }
        for child in node.children() {
            let entry = self.links.find_near(known, child.link);
            if !entry.is_some_and(|entry| entry.is_open_and(Told::Child(child.node))) {
                return Err(invariant.broken(format!("{child:?} is told of as {entry:?}")));
            }
            known += 1;
        }
        let told = self.links.neighbours();
        invariant.holds(told == known, || {
            format!("the app was told of {told} neighbours, the node has {known}")
        })
    }

    /// Every table and queue of the node is within its limit.
    fn queues(&self, node: &Node) -> Result<(), Violation> {
        let (config, load) = (node.config(), node.load());
        let early_ice_candidates = load.parked.saturating_mul(config.max_early_ice_candidates);
        let bounded = load.links == self.links.len()
            && load.links <= config.max_links()
            && load.parked <= config.max_waiting
            && load.early_ice_candidates <= early_ice_candidates
            && load.routes <= config.max_routes
            && load.longest_queue <= longest_queue(node)
            && load.log <= longest_log(node)
            && load.assembled <= config.max_message
            && load.routed <= most_routed(node)
            && load.awaited <= MAX_AWAITED
            && load.asks <= config.max_asks;
        Invariant::QueuesAreBounded.holds(bounded, || {
            let (links, receipts) = (&self.links, self.receipts);
            format!("{load:?} with {receipts} receipts out and the links {links:?}")
        })
    }

    fn server(&self, node: &Node) -> Result<(), Violation> {
        let needless = match node.role() {
            Role::Member => !node.is_standby(),
            role => role == Role::Leaving,
        };
        Invariant::MembersNeedNoServer.holds(!needless || self.server.is_none(), || {
            format!("{:?} with {:?}", node.role(), self.server)
        })
    }
}

/// The most bytes that may wait for one neighbour: the node's own queue with its last message on top.
fn longest_queue(node: &Node) -> usize {
    let config = node.config();
    let longest = message_cost(config.max_message) as usize;
    config.send_queue.saturating_add(longest)
}

/// The most bytes of the root's stream: the history, what is behind it for the slowest child, and what the parent may send
/// before it knows that.
fn longest_log(node: &Node) -> usize {
    let config = node.config();
    let windows = (config.window as usize).saturating_mul(2);
    config
        .history
        .saturating_add(windows)
        .saturating_add(MAX_RECORDS)
}

/// The most replies of whose end a node waits for word.
const MAX_AWAITED: usize = 4096;

/// The most bytes of messages that pass: for each link what it may have under way and a message, and as much for the node
/// itself, or its own queue and a message.
fn most_routed(node: &Node) -> usize {
    let config = node.config();
    let message = message_cost(config.max_message.saturating_add(MAX_HEADER)) as usize;
    let each = (config.window as usize)
        .saturating_mul(2)
        .saturating_add(message);
    let own = each
        .saturating_mul(2)
        .saturating_add(config.send_queue)
        .saturating_add(message);
    each.saturating_mul(config.max_links()).saturating_add(own)
}

/// The most actions that one event may cause.
///
/// A few for each link, what a candidate's end can set free, what a child's end can cut off, and what a credit can
/// release. With more, an event of a peer would cost out of proportion.
fn most_actions(node: &Node) -> usize {
    let config = node.config();
    let links = usize::from(config.max_degree) + 3;
    let early = config.max_early_ice_candidates.saturating_add(2);
    let parked = config.max_waiting.saturating_mul(early);
    let queued = config.send_queue.saturating_add(longest_log(node));
    // A credit can set free a queue, and one that was far behind a log; the app gets what is in it, however small.
    let app = queued.saturating_add(longest_log(node).saturating_mul(links));
    [8 + links * 4, config.max_routes, app]
        .into_iter()
        .fold(parked, usize::saturating_add)
}
