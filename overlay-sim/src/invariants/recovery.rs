//! What must come about when the faults have stopped.

use core::time::Duration;

use overlay_core::{EventKind, Node, NodeId, Role};

use crate::invariants::{Invariant, Violation};
use crate::world::machine::Ix;
use crate::world::{Failure, World};
use overlay_core::shape;

/// How often the world is looked at while it recovers.
const GLANCE: Duration = Duration::from_secs(1);

impl World {
    /// Demands that every node gets into the tree, that it then stays calm, that every node is counted,
    /// and that a broadcast reaches all. The faults must have stopped; see [`make_peace`](Self::make_peace).
    pub fn recover(&mut self) -> Result<(), Failure> {
        let limit = self.now() + self.recovery_bound();
        // A node may still be below one that has not noticed yet that its own parent is gone: it is
        // over when it looks well for as long as that takes to notice.
        let notice = (self.setup.config.link_timeout * 2).max(self.next_move());
        let still = limit + self.next_move() * u32::try_from(self.machines.len()).unwrap_or(1) * 2;
        let mut well_since = None;
        loop {
            let well = match self.unwell() {
                None => *well_since.get_or_insert(self.now()),
                Some((ix, violation)) => {
                    well_since = None;
                    if self.now() >= limit {
                        return Err(self.failure(ix, violation));
                    }
                    self.now()
                }
            };
            // Nodes move one after the other until the tree is balanced.
            let well = self.last_parting.max(Some(well)).unwrap_or(well);
            if well_since.is_some() && self.now() >= well + notice {
                break;
            }
            let moving = Invariant::CalmIsCalm.holds(self.now() < still, || "nodes still move");
            moving.map_err(|violation| self.failure(None, violation))?;
            self.run_until(self.now() + GLANCE)?;
        }
        self.calm = true;
        self.run_until(self.now() + notice)?;
        self.every_node_is_counted()?;
        self.everything_passes()?;
        if !self.has_ended() {
            self.every_node_is_reached()?;
            self.end_stream()?;
        }
        self.every_node_has_the_end()
    }

    /// The root ends its stream, if it can at the moment.
    pub(crate) fn end_stream(&mut self) -> Result<(), Failure> {
        let Some(root) = self.root() else {
            return Ok(());
        };
        let node = &self.machines[root].node;
        if !node.can_broadcast() {
            return Ok(());
        }
        let position = node.position().unwrap_or_default();
        let (number, payload) = self.messages.compose(100);
        self.streams.broadcast(position, number);
        self.tell(root, EventKind::End(payload))
            .map_err(|violation| self.failure(Some(root), violation))
    }

    /// Whether the stream of the present root has ended.
    fn has_ended(&self) -> bool {
        let root = self.root();
        root.is_some_and(|root| self.machines[root].node.has_ended())
    }

    /// Demands that every node gets the end of the stream, and that the root learns it.
    fn every_node_has_the_end(&mut self) -> Result<(), Failure> {
        let Some(root) = self.root() else {
            let unended = Invariant::EndReachesAll.broken("there is no root");
            return Err(self.failure(None, unended));
        };
        let end = self.now() + self.recovery_bound();
        while !self.machines[root].node.census().is_finished() && self.now() < end {
            self.run_until(self.now() + GLANCE)?;
        }
        let census = self.machines[root].node.census();
        let holds = Invariant::EndReachesAll.holds(census.is_finished(), || {
            format!("the root counts {census:?}:{}", self.stuck_messages())
        });
        holds.map_err(|violation| self.failure(Some(root), violation))?;
        let members = self.nodes().filter(|(_, node)| node.role() == Role::Member);
        let without = members.filter(|(_, node)| !node.has_ended()).count();
        let holds = Invariant::EndReachesAll.holds(without == 0, || {
            format!("the root counts all, and {without} have not had it")
        });
        holds.map_err(|violation| self.failure(Some(root), violation))
    }

    /// If nodes move at all, one has moved after this time: what held a slot for nothing is gone, it is known
    /// at the root, a node is invited, and connects.
    fn next_move(&self) -> Duration {
        let config = &self.setup.config;
        let levels = u32::try_from(self.depths().len()).unwrap_or(u32::MAX);
        let held = config.request_timeout + config.wait_timeout;
        held + config.status_interval * (levels + 2)
            + config.rebalance_interval * 2
            + self.journey() * 8
    }

    /// However it went before, this is enough to be in the tree again: the server notices that the old root
    /// is gone, neighbours that theirs are, and a few attempts fail, each at its limit.
    pub(super) fn recovery_bound(&self) -> Duration {
        let config = &self.setup.config;
        let attempt = config.retry_max + config.request_timeout * 2 + config.wait_timeout;
        let machines = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
        // Along a chain they come in one after the other.
        let chain = if config.max_degree == 1 { machines } else { 0 };
        config.wait_timeout * chain
            + self.server.keepalive() * 2
            + config.link_timeout * 2
            + attempt * 4
    }

    /// The first thing, in the order of the machines, that is not as it should be.
    fn unwell(&self) -> Option<(Option<Ix>, Violation)> {
        let living = (0..self.machines.len()).filter(|ix| self.machines[*ix].lives());
        let mut unwell = living.filter_map(|ix| Some((Some(ix), self.check(ix).err()?)));
        unwell.next()
    }

    fn check(&self, ix: Ix) -> Result<(), Violation> {
        let machine = &self.machines[ix];
        let node = &machine.node;
        let standing = node.role();
        let attached = if machine.willing {
            matches!(standing, Role::Member | Role::Root)
        } else {
            standing == Role::Detached
        };
        Invariant::AllAreAttached.holds(attached, || self.why_not_attached(ix))?;
        Invariant::OneRootRemains.holds(
            standing != Role::Root || self.root() == Some(ix),
            || "it is the root, and so is another machine, in a later epoch",
        )?;
        if let Some(parent) = node.parent() {
            let above = self.living(parent.node);
            let agrees = above.is_some_and(|above| {
                let path = above.path().child(node.id());
                path.as_ref() == Ok(node.path()) && above.epoch() == node.epoch()
            });
            Invariant::NeighboursAgree.holds(agrees, || {
                let theirs = above.map(Node::path);
                format!("its path is {:?}, its parent's is {theirs:?}", node.path())
            })?;
            let known = self.mutual(ix, parent.link);
            Invariant::NeighboursAgree.holds(known, || {
                format!("its parent {:?} does not have it as a child", parent.node)
            })?;
        }
        for child in node.children() {
            let known = self.mutual(ix, child.link)
                && self
                    .living(child.node)
                    .and_then(Node::parent)
                    .map(|p| p.node)
                    == Some(node.id());
            Invariant::NeighboursAgree.holds(known, || {
                format!("its child {:?} does not have it as a parent", child.node)
            })?;
        }
        Ok(())
    }

    /// Whether both ends of a link are there and lead to neighbours.
    pub(crate) fn mutual(&self, ix: Ix, link: overlay_core::LinkId) -> bool {
        let end = self.machines[ix].end(link);
        let peer = end.and_then(|end| self.ends.get(self.ends.peer(end)?));
        peer.is_some_and(|peer| {
            let node = &self.machines[peer.owner].node;
            let mut links = node.parent().into_iter().chain(node.children());
            links.any(|neighbour| neighbour.link == peer.link)
        })
    }

    fn living(&self, id: NodeId) -> Option<&Node> {
        let machine = &self.machines[self.ix_of(id)?];
        machine.lives().then_some(&machine.node)
    }

    /// Reports rise one level in a `status_interval`; one may be under way when the next becomes due.
    fn every_node_is_counted(&mut self) -> Result<(), Failure> {
        let Some(root) = self.root() else {
            return Err(self.failure(None, Invariant::CensusIsTrue.broken("there is no root")));
        };
        let levels = u32::try_from(self.depths().len()).unwrap_or(u32::MAX);
        let config = &self.setup.config;
        let rise = (config.status_interval * 2 + GLANCE) * levels;
        // Places that are held for machines that died on the way are free before that.
        let candidates = config.request_timeout + config.wait_timeout;
        self.run_until(self.now() + candidates + rise)?;
        let census = self.machines[root].node.census();
        let (nodes, places) = self.count();
        let counted = census.nodes() == nodes && without_zeros(census.free_slots()) == places;
        let holds = Invariant::CensusIsTrue.holds(counted, || {
            format!("it counts {census:?}, there are {nodes:?}, and places {places:?}")
        });
        holds.map_err(|violation| self.failure(Some(root), violation))
    }

    /// Demands that every level is full but the last.
    pub(crate) fn is_complete(&self) -> Result<(), Failure> {
        let depths = self.depths();
        let degree = u64::from(self.setup.config.max_degree);
        let complete = shape::complete(depths.iter().sum(), degree);
        let holds = Invariant::TreeIsComplete.holds(depths == complete, || {
            format!("nodes stand at depths {depths:?}, complete is {complete:?}")
        });
        holds.map_err(|violation| self.failure(None, violation))
    }

    /// The same, where it may have taken moves.
    pub(crate) fn is_balanced(&self) -> Result<(), Failure> {
        self.is_complete().map_err(|failure| {
            let detail = failure.violation.detail;
            self.failure(None, Invariant::TreeIsBalanced.broken(detail))
        })
    }

    /// Demands that no node has ever moved.
    pub(crate) fn has_not_moved(&self) -> Result<(), Failure> {
        let moves = self.moves();
        let holds = Invariant::NoNeedlessMoves.holds(moves == 0, || format!("{moves} moves"));
        holds.map_err(|violation| self.failure(None, violation))
    }

    /// How many nodes the tree has at each depth, and how many free places below those.
    fn count(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut nodes, mut places) = (Vec::new(), Vec::new());
        for (_, node) in self
            .nodes()
            .filter(|(_, node)| !node.path().ids().is_empty())
        {
            let depth = node.path().depth();
            let length = nodes.len().max(depth + 1);
            nodes.resize(length, 0);
            places.resize(length, 0);
            let free = usize::from(node.config().max_degree) - node.slots_taken();
            nodes[depth] += 1;
            places[depth] += u32::try_from(free).unwrap_or(u32::MAX);
        }
        let places = without_zeros(&places).to_vec();
        (nodes, places)
    }

    /// Sends a broadcast and demands that every node gets it, and that nothing older is missing.
    fn every_node_is_reached(&mut self) -> Result<(), Failure> {
        let Some(root) = self.root() else {
            let nowhere = Invariant::BroadcastsReachAll.broken("there is no root");
            return Err(self.failure(None, nowhere));
        };
        let bound = self.recovery_bound();
        let end = self.now() + bound;
        while !self.machines[root].node.can_broadcast() && self.now() < end {
            self.run_until(self.now() + GLANCE)?;
        }
        let (number, payload) = self.messages.compose(100);
        let position = self.machines[root].node.position();
        self.streams.broadcast(position.unwrap_or_default(), number);
        self.tell(root, EventKind::Broadcast(payload))
            .map_err(|violation| self.failure(Some(root), violation))?;
        let members = u32::try_from(self.depths().iter().skip(1).sum::<u64>()).unwrap_or(u32::MAX);
        while self.streams.reached(number) < members && self.now() < end {
            self.run_until(self.now() + GLANCE)?;
        }
        let reached = self.streams.reached(number);
        let holds = Invariant::BroadcastsReachAll.holds(reached == members, || {
            format!("{reached} of {members} got it:{}", self.stuck_messages())
        });
        holds.map_err(|violation| self.failure(Some(root), violation))?;
        // Every node has got the latest; whatever was sent to a child before it must have come, too.
        self.run_until(self.now() + GLANCE * 10)?;
        let stuck = self.stuck_messages();
        let holds = Invariant::LinksAreFifo.holds(stuck.is_empty(), || format!("lost:{stuck}"));
        holds.map_err(|violation| self.failure(None, violation))?;
        let position = self.machines[root].node.position();
        let members = self.nodes().filter(|(_, node)| node.role() == Role::Member);
        let behind = members
            .filter(|(_, node)| node.position() != position)
            .count();
        let holds = Invariant::BroadcastsReachAll.holds(behind == 0, || {
            format!("{behind} nodes are not at {position:?}")
        });
        holds.map_err(|violation| self.failure(Some(root), violation))
    }
}

/// Levels without the empty ones at the end.
fn without_zeros(levels: &[u32]) -> &[u32] {
    let used = levels
        .iter()
        .rposition(|n| *n > 0)
        .map_or(0, |last| last + 1);
    &levels[..used]
}
