//! Invariants of a node's actions that take a view of the whole world.

use core::time::Duration;

use overlay_core::{Epoch, Instant};

use super::World;
use crate::invariants::{Invariant, Violation};
use crate::world::machine::Ix;
use overlay_testkit::net::EndId;

impl World {
    /// No node descends from itself.
    pub(super) fn no_cycle(&self, ix: Ix) -> Result<(), Violation> {
        let mut above = self.machines[ix].parent;
        while let Some(ancestor) = above {
            Invariant::NoCycle.holds(ancestor != ix, || {
                format!("machine {} descends from itself", self.machines[ix].number)
            })?;
            above = self.machines[ancestor].parent;
        }
        Ok(())
    }

    /// A machine is the root now: of an epoch that no other has had.
    pub(super) fn begins_to_lead(&mut self, ix: Ix, epoch: Epoch) -> Result<(), Violation> {
        if self.orphans.since.remove(&ix).is_some() || self.machines[ix].parent.take().is_some() {
            self.coverage.count("standby promoted");
        }
        let first = *self.leaders.entry(epoch).or_insert(ix);
        Invariant::OneRootPerEpoch.holds(first == ix, || {
            let number = self.machines[first].number;
            format!("{epoch:?} is that of machine {number}")
        })
    }

    /// A root has admitted a joiner: no other node has been the root for longer than its lease. One whose clock was
    /// set back can't know.
    pub(super) fn lease_holds(&self, ix: Ix) -> Result<(), Violation> {
        let machine = &self.machines[ix];
        let Some((root, since)) = self.server.root else {
            return Ok(());
        };
        let over = since + self.server.lease() + machine.set_back;
        let holds = root == machine.node.id() || self.now <= over;
        Invariant::OneRootAdmitsJoiners.holds(holds, || {
            format!("{root:?} has been the root since {since:?}")
        })
    }

    /// A neighbour is given up: what it said must lie as far back as this machine listened.
    pub(super) fn silence_is_real(&self, ix: Ix, end: EndId) -> Result<(), Violation> {
        let machine = &self.machines[ix];
        let Some(heard) = self.ends.get(end).map(|end| end.heard) else {
            return Ok(());
        };
        let config = machine.node.config();
        let slept = machine.slept.saturating_sub(heard.slept);
        let listened = self.now.since(heard.at).saturating_sub(slept);
        // A nap that ends before something was due is not noticed.
        let unnoticed = config.heartbeat_interval * (machine.naps - heard.naps);
        let least = config.link_timeout.saturating_sub(unnoticed);
        Invariant::SilenceIsReal.holds(listened >= least, || {
            format!("it has listened for {listened:?} since it last heard something, not {least:?}")
        })
    }

    /// An attempt has failed; if it ended in silence, a fault must have swallowed the answer.
    pub(super) fn join_was_answered(&mut self, ix: Ix, silent: bool) -> Result<(), Violation> {
        let asked = self.machines[ix].asked.take();
        let Some(asked) = asked.filter(|_| silent) else {
            return Ok(());
        };
        // Along many machines an answer may simply take longer than the joiner waits.
        let config = &self.setup.config;
        let in_time = self.journey() * 2 + config.wait_timeout <= config.request_timeout;
        Invariant::EveryJoinIsAnswered.holds(!in_time || self.disturbed(asked), || {
            format!("asked at {asked:?}, no fault has swallowed the answer")
        })
    }

    /// A child has come on another link: it must have lost this one.
    pub(super) fn link_was_lost(&self, ix: Ix, end: EndId) -> Result<(), Violation> {
        let peer = self.ends.peer(end).and_then(|peer| self.ends.get(peer));
        let lost = peer.is_none_or(|peer| {
            let parent = self.machines[peer.owner].node.parent();
            parent.map(|parent| parent.link) != Some(peer.link)
        });
        Invariant::NoLivingLinkIsReplaced.holds(lost, || {
            let number = self.machines[ix].number;
            format!("machine {number} replaces the link to a child that has it as its parent")
        })
    }

    /// A handshake has taken too long at this end. If it is a candidate whose joiner has given up, its slot
    /// should have been given back long ago.
    pub(super) fn place_was_wanted(&self, end: EndId) -> Result<(), Violation> {
        let joiner = self.ends.offerer(end);
        let Some(&gone) = joiner.and_then(|joiner| self.departed.get(&joiner)) else {
            return Ok(());
        };
        let known = self.now.since(gone) >= self.journey();
        let config = &self.setup.config;
        let remembered = config.max_routes >= self.machines.len() * 4;
        // Where a link on the way is closed, the news goes no further.
        let begun = gone.before(config.request_timeout * 2);
        let way_is_whole = self.last_parting.is_none_or(|parting| parting < begun);
        let held = known && remembered && way_is_whole && !self.disturbed(gone);
        Invariant::NoSlotIsHeldForNothing.holds(!held, || {
            format!("the joiner of a candidate gave up at {gone:?}")
        })
    }

    /// The longest that a frame takes from one end of the tree to the other, by way of the server.
    pub(crate) fn journey(&self) -> Duration {
        let hops = u32::try_from(self.machines.len() + 3).unwrap_or(u32::MAX);
        self.setup.profile.slowest() * hops
    }

    /// Whether what began at `start` may have met a fault or its consequences: a dead connection to the
    /// server is noticed after two keepalives, a dead neighbour after its timeout, and a request that went
    /// there ends with its own.
    pub(super) fn disturbed(&self, start: Instant) -> bool {
        let config = &self.setup.config;
        let aftermath = self.server.keepalive() * 2
            + config.link_timeout * 2
            + config.request_timeout * 2
            + config.wait_timeout;
        self.disturbed_until
            .is_some_and(|until| start <= until + aftermath)
    }
}
