//! What holds for one node after every event, whatever happened before: the simulator, the fuzz targets
//! and the core's own tests all check it.

use std::collections::{BTreeMap, BTreeSet};

use overlay_core::flow::{MIN_WINDOW, message_cost};
use overlay_core::wire::{
    self, ANY_DEPTH, ClientFrame, JoinFrame, JoinKind, LinkFrame, MAX_FRAME, MAX_PAYLOAD,
    ServerFrame,
};
use overlay_core::{
    Action, BootstrapId, Dial, Epoch, EventKind, Instant, JoinId, LinkId, Node, NodeId,
    Notification, Role,
};

use crate::invariants::{Invariant, Violation};

/// Watches one node: what it asks for must make sense to an embedder who believes every word.
///
/// Call [`before`](Self::before) with each event and [`after`](Self::after) with what the node answered.
#[derive(Debug, Default)]
pub struct NodeInvariants {
    /// Links between `OpenLink` and their end. A node has a handful, so a list is the fastest table.
    live: Vec<Live>,
    /// Those that have ended.
    dead: BTreeSet<LinkId>,
    /// The connection to the server, and whether it is open.
    server: Option<(BootstrapId, bool)>,
    latest_try: Option<BootstrapId>,
    /// Receipts that the app has not handed back.
    receipts: usize,
    /// How deep below this node those may come to stand who move up.
    max_depths: BTreeMap<JoinId, u8>,
    /// The epoch that the node obeyed before the present event, and whether that is a neighbour's word.
    epoch: Epoch,
    neighbour_speaks: bool,
    /// How much of what is sent is decoded again.
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

#[derive(Clone, Copy, Debug)]
struct Live {
    link: LinkId,
    channel: Channel,
    /// What the app was told that the link is.
    told: Told,
    /// Whether the child behind it is invited, or leaves.
    shut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Connecting,
    Open,
    /// Over, and the app is still to be told within the same event.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Parent(NodeId),
    Child(NodeId),
    /// The parent no more, though the link may go on until the farewell is over.
    FormerParent,
}

impl NodeInvariants {
    /// The rules with this much scrutiny.
    #[must_use]
    pub fn new(scrutiny: Scrutiny) -> Self {
        Self {
            scrutiny,
            ..Self::default()
        }
    }

    /// Before the node sees an event.
    pub fn before(&mut self, event: &EventKind) {
        self.neighbour_speaks = matches!(event, EventKind::LinkMessage(..));
        match event {
            EventKind::LinkOpened(link) => {
                if let Some(live) = self.live(*link) {
                    live.channel = Channel::Open;
                }
            }
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
            EventKind::LinkClosed(link) => self.close(*link),
            EventKind::LinkMessage(link, bytes) if self.scrutiny == Scrutiny::Frames => {
                self.hears(*link, bytes);
            }
            EventKind::BootstrapMessage(_, bytes) if self.scrutiny == Scrutiny::Frames => {
                self.hears_server(bytes);
            }
            EventKind::Consumed(_) => self.receipts = self.receipts.saturating_sub(1),
            _ => {}
        }
    }

    /// After the node has answered an event at `now` with `actions`.
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
            format!("{} places of {most} are taken", node.slots_taken())
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
                .holds(self.live.is_empty() && self.server.is_none(), || {
                    format!("links {:?}, server {:?}", self.live, self.server)
                }),
            Role::Joining | Role::Member | Role::Leaving => Invariant::WaitingNodesHaveTimers
                .holds(deadline.is_some(), || {
                    format!("{:?} without a deadline", node.role())
                }),
            Role::Root => Ok(()),
        }
    }

    /// What the app was told of neighbours is what the node has.
    fn neighbours(&self, node: &Node) -> Result<(), Violation> {
        let invariant = Invariant::AppKnowsTheNeighbours;
        let open = |live: &Live| live.channel == Channel::Open;
        let mut known = 0;
        if let Some(parent) = node.parent() {
            let told = |live: &Live| matches!(live.told, Told::Parent(id) if id == parent.node);
            let live = self.live.iter().find(|live| live.link == parent.link);
            let agrees = live.is_some_and(|live| told(live) && open(live));
            invariant.holds(agrees, || format!("{parent:?} is told of as {live:?}"))?;
            known += 1;
        }
        for child in node.children() {
            let told = |live: &Live| matches!(live.told, Told::Child(id) if id == child.node);
            let same = |live: &&Live| live.link == child.link;
            // Without churn they stand in the order of their coming.
            let guess = self.live.get(known).filter(same);
            let live = guess.or_else(|| self.live.iter().find(same));
            if !live.is_some_and(|live| told(live) && open(live)) {
                return Err(invariant.broken(format!("{child:?} is told of as {live:?}")));
            }
            known += 1;
        }
        let neighbour = |live: &&Live| matches!(live.told, Told::Parent(_) | Told::Child(_));
        let told = self.live.iter().filter(neighbour).count();
        invariant.holds(told == known, || {
            format!("the app was told of {told} neighbours, the node has {known}")
        })
    }

    /// Every table and queue of the node is within its limit.
    fn queues(&self, node: &Node) -> Result<(), Violation> {
        let (config, load) = (node.config(), node.load());
        // Each takes a place, but for the parent, a dial, a child that leaves, and four former parents.
        let most_links = usize::from(config.max_degree) + 7;
        let bounded = load.links == self.live.len()
            && load.links <= most_links
            && load.parked <= config.max_waiting
            && load.early_ice_candidates <= load.parked.saturating_mul(config.max_early_ice_candidates)
            && load.routes <= config.max_routes
            && load.longest_queue <= longest_queue(node)
            // Each is held by the app or by a queue.
            && load.broadcasts <= self.receipts + load.queued / message_cost(0) as usize;
        Invariant::QueuesAreBounded.holds(bounded, || {
            let (links, receipts) = (&self.live, self.receipts);
            format!("{load:?} with {receipts} receipts out and the links {links:?}")
        })
    }

    fn server(&self, node: &Node) -> Result<(), Violation> {
        let needless = match node.role() {
            Role::Member => !node.is_standby(),
            standing => standing == Role::Leaving,
        };
        Invariant::MembersNeedNoServer.holds(!needless || self.server.is_none(), || {
            format!("{:?} with {:?}", node.role(), self.server)
        })
    }

    fn action(&mut self, node: &Node, action: &Action) -> Result<(), Violation> {
        match action {
            Action::OpenLink(link, dial) => {
                let fresh = self.live(*link).is_none() && !self.dead.contains(link);
                Invariant::LinkIdsAreFresh.holds(fresh, || format!("{link:?} is opened again"))?;
                self.live.push(Live {
                    link: *link,
                    channel: Channel::Connecting,
                    told: Told::Nothing,
                    shut: false,
                });
                if *dial == Dial::Offer {
                    return Ok(());
                }
                let join = node.join_of(*link);
                let max_depth = join.and_then(|join| self.max_depths.get(&join));
                Invariant::MovesRise
                    .holds(max_depth != Some(&0), || format!("accepts {join:?}"))?;
                let above = join.is_some_and(|JoinId { origin, .. }| {
                    origin == node.id() || node.path().contains(origin)
                });
                Invariant::NoLoopIsAccepted.holds(!above, || {
                    format!("accepts {join:?} below {:?}", node.path())
                })
            }
            Action::ApplySignal(link, _) => {
                Invariant::NoActionForADeadLink.holds(self.lives(*link), || format!("{action:?}"))
            }
            Action::Transmit(link, bytes) => {
                self.sends(*link, bytes)?;
                let open = self
                    .live(*link)
                    .is_some_and(|live| live.channel == Channel::Open);
                Invariant::TransmitsOnOpenChannels
                    .holds(open, || format!("transmits on {link:?}, which is not open"))?;
                let well_formed = bytes.len() <= MAX_FRAME
                    && (self.scrutiny == Scrutiny::Lengths
                        || wire::decode::<LinkFrame<'_>>(bytes).is_ok());
                Invariant::FramesAreWellFormed.holds(well_formed, || format!("{bytes:?}"))
            }
            Action::CloseLink(link, _) => {
                Invariant::NoActionForADeadLink
                    .holds(self.lives(*link), || format!("{action:?}"))?;
                self.close(*link);
                Ok(())
            }
            Action::ConnectBootstrap(id) => {
                let fresh = self.server.is_none() && Some(*id) > self.latest_try;
                Invariant::OneServerConnection.holds(fresh, || {
                    format!(
                        "connects as {id:?} beside {:?}, after {:?}",
                        self.server, self.latest_try
                    )
                })?;
                self.latest_try = Some(*id);
                self.server = Some((*id, false));
                Ok(())
            }
            Action::SendBootstrap(id, bytes) => {
                Invariant::OneServerConnection.holds(self.server == Some((*id, true)), || {
                    format!("sends on {id:?}, has {:?}", self.server)
                })?;
                let well_formed = bytes.len() <= MAX_FRAME
                    && (self.scrutiny == Scrutiny::Lengths
                        || wire::decode::<ClientFrame>(bytes).is_ok());
                Invariant::FramesAreWellFormed.holds(well_formed, || format!("{bytes:?}"))
            }
            Action::CloseBootstrap(id) => {
                let server = self.server.take();
                Invariant::OneServerConnection
                    .holds(server.is_some_and(|(own, _)| own == *id), || {
                        format!("closes {id:?}, has {server:?}")
                    })
            }
            Action::Deliver(delivery) => {
                self.receipts += 1;
                let from = delivery.from;
                let told = self.live(delivery.link).map(|live| live.told);
                let neighbour = [Some(Told::Parent(from)), Some(Told::Child(from))].contains(&told);
                Invariant::DeliveriesComeFromNeighbours.holds(neighbour, || format!("{delivery:?}"))
            }
            Action::Notify(notification) => {
                self.notification(notification)?;
                match notification {
                    Notification::ParentConnected { .. } | Notification::PathChanged { .. } => {
                        stands_once(node)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// A neighbour says something that decides what may be sent later.
    fn hears(&mut self, link: LinkId, bytes: &[u8]) {
        let frame = wire::decode::<LinkFrame<'_>>(bytes);
        let Some(live) = self.live(link) else {
            return;
        };
        let is_child = matches!(live.told, Told::Child(_));
        match frame {
            Ok(LinkFrame::Stay) => live.shut = false,
            Ok(LinkFrame::Leaving) if is_child => live.shut = true,
            Ok(LinkFrame::Join(JoinFrame::Request(request))) => {
                let max_depth = match request.kind {
                    JoinKind::Move { max_depth, .. } => max_depth,
                    JoinKind::Introduced => ANY_DEPTH,
                };
                self.asks(request.join, max_depth);
            }
            _ => {}
        }
    }

    /// Who comes by way of the server moves nowhere, whatever the request says.
    fn hears_server(&mut self, bytes: &[u8]) {
        if let Ok(ServerFrame::Join(JoinFrame::Request(request))) = wire::decode(bytes) {
            self.asks(request.join, ANY_DEPTH);
        }
    }

    /// Of two requests by one name, the one that may end deeper counts: the other may be a forgery.
    fn asks(&mut self, join: JoinId, max_depth: u8) {
        let most = self.max_depths.entry(join).or_insert(max_depth);
        *most = max_depth.max(*most);
    }

    /// A request goes to nobody who would have to be its own parent, and to no child that is on its way out.
    fn sends(&mut self, link: LinkId, bytes: &[u8]) -> Result<(), Violation> {
        if self.scrutiny == Scrutiny::Lengths {
            return Ok(());
        }
        let Some(live) = self.live(link) else {
            return Ok(());
        };
        let Told::Child(child) = live.told else {
            return Ok(());
        };
        match wire::decode(bytes) {
            Ok(LinkFrame::Invite(invitation)) => {
                let open = !live.shut;
                live.shut |= invitation.down == 0;
                Invariant::ClosedIntakesGetNoJoins
                    .holds(open, || format!("{child:?} is invited again"))
            }
            Ok(LinkFrame::Join(JoinFrame::Request(request))) => {
                let (join, open) = (request.join, !live.shut);
                Invariant::ClosedIntakesGetNoJoins
                    .holds(open, || format!("{join:?} goes to {child:?}"))?;
                Invariant::NoRequestGoesToItsJoiner.holds(join.origin != child, || {
                    format!("the request {join:?} goes to its own joiner")
                })?;
                let most = self.max_depths.get(&join).copied().unwrap_or(ANY_DEPTH);
                let rises = most == ANY_DEPTH
                    || matches!(request.kind, JoinKind::Move { max_depth, .. } if max_depth < most.max(1));
                Invariant::MovesRise.holds(rises, || {
                    format!("{:?} is passed on, to depth {most}", request.kind)
                })
            }
            _ => Ok(()),
        }
    }

    fn notification(&mut self, notification: &Notification) -> Result<(), Violation> {
        let invariant = Invariant::AppKnowsTheNeighbours;
        match *notification {
            Notification::ParentConnected { link, node, .. } => {
                let other = self
                    .live
                    .iter()
                    .find(|live| matches!(live.told, Told::Parent(_)));
                invariant.holds(other.is_none(), || format!("a second parent, {other:?}"))?;
                self.tell(link, Told::Parent(node))
            }
            Notification::ChildConnected { link, node } => {
                let twice = self.live.iter().any(|live| live.told == Told::Child(node));
                invariant.holds(!twice, || format!("{node:?} is a child twice"))?;
                self.tell(link, Told::Child(node))
            }
            Notification::ParentClosed { link, node, .. } => self.untell(link, Told::Parent(node)),
            Notification::ChildClosed { link, node, .. } => self.untell(link, Told::Child(node)),
            Notification::Writable(link) => {
                let told = self.live(link).map(|live| live.told);
                let neighbour = matches!(told, Some(Told::Parent(_) | Told::Child(_)));
                invariant.holds(neighbour, || {
                    format!("{link:?} is writable and no neighbour")
                })
            }
            Notification::Left => Invariant::DetachedHoldsNothing
                .holds(self.live.is_empty(), || {
                    format!("left with {:?}", self.live)
                }),
            _ => Ok(()),
        }
    }

    fn tell(&mut self, link: LinkId, told: Told) -> Result<(), Violation> {
        let invariant = Invariant::AppKnowsTheNeighbours;
        let open = |live: &&mut Live| live.channel == Channel::Open;
        let Some(live) = self.live(link).filter(open) else {
            return Err(invariant.broken(format!("{told:?} on {link:?}, which is not open")));
        };
        live.told = told;
        Ok(())
    }

    fn untell(&mut self, link: LinkId, told: Told) -> Result<(), Violation> {
        let live = self.live(link).filter(|live| live.told == told);
        let invariant = Invariant::AppKnowsTheNeighbours;
        let Some(live) = live else {
            return Err(
                invariant.broken(format!("{told:?} on {link:?} is closed, and was not open"))
            );
        };
        live.told = match told {
            Told::Parent(_) => Told::FormerParent,
            _ => Told::Nothing,
        };
        if live.channel == Channel::Closed {
            self.bury(link);
        }
        Ok(())
    }

    /// The link is over; it is forgotten when the app knows.
    fn close(&mut self, link: LinkId) {
        if let Some(live) = self.live(link) {
            live.channel = Channel::Closed;
            if matches!(live.told, Told::Nothing | Told::FormerParent) {
                self.bury(link);
            }
        }
    }

    fn lives(&mut self, link: LinkId) -> bool {
        self.live(link)
            .is_some_and(|live| live.channel != Channel::Closed)
    }

    fn live(&mut self, link: LinkId) -> Option<&mut Live> {
        self.live.iter_mut().find(|live| live.link == link)
    }

    fn bury(&mut self, link: LinkId) {
        self.live.retain(|live| live.link != link);
        self.dead.insert(link);
    }
}

/// More bytes never wait for one neighbour: what the node may queue on its own, the last message on top,
/// and what its parent may have sent, also one that it had before it was the root.
fn longest_queue(node: &Node) -> usize {
    let config = node.config();
    let own = config
        .send_queue
        .saturating_add(message_cost(MAX_PAYLOAD) as usize);
    own.saturating_add(config.window as usize)
        .saturating_add(MIN_WINDOW as usize)
}

/// Nobody stands above itself.
fn stands_once(node: &Node) -> Result<(), Violation> {
    let path = node.path();
    let times = path.ids().iter().filter(|id| **id == node.id()).count();
    Invariant::NoLoopIsAccepted.holds(times <= 1, || format!("it stands at {path:?}"))
}

/// More than this and one event of a peer would cost out of proportion: a few for each link, what a
/// candidate's end can set free, what a child's end can cut off, and what a credit can let go.
fn most_actions(node: &Node) -> usize {
    let config = node.config();
    let links = usize::from(config.max_degree) + 3;
    let early = config.max_early_ice_candidates.saturating_add(2);
    let parked = config.max_waiting.saturating_mul(early);
    let app = config.send_queue.saturating_add(config.window as usize) / 64;
    [8 + links * 4, config.max_routes, app]
        .into_iter()
        .fold(parked, usize::saturating_add)
}
