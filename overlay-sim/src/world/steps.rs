//! What a schedule does to the world.

use core::time::Duration;

use bytes::Bytes;
use overlay_core::{EventKind, LinkId, Role};

use super::{Failure, Happening, ToServer, What, World};
use crate::invariants::Violation;
use crate::schedule::{Fault, Impairment, Message, Number, Outage, Step, Wish};
use crate::world::machine::{Ix, Life, Sleep};
use overlay_testkit::net::{EndId, token};

/// How long a root waits for answers.
const PATIENCE: Duration = Duration::from_secs(10);

impl World {
    /// Does something to the world, now. What makes no sense (a dead machine that is to join) is not done.
    pub fn apply(&mut self, step: &Step) -> Result<(), Failure> {
        let mut target = None;
        let result = self.do_act(step, &mut target);
        result.map_err(|violation| self.failure(target, violation))
    }

    fn do_act(&mut self, step: &Step, target: &mut Option<Ix>) -> Result<(), Violation> {
        if let Some(transcript) = &mut self.transcript {
            transcript.apply(self.now, step);
        }
        for number in step.machines() {
            target.replace(self.machine(number)?);
        }
        let until = self.now + step.lasts();
        match *step {
            Step::Wish(wish, number) => {
                let ix = self.machine(number)?;
                self.wish(ix, wish)
            }
            Step::Send(message, number, len) => {
                let ix = self.machine(number)?;
                self.send(ix, message, len)
            }
            Step::Fault(fault, number) => {
                let ix = self.machine(number)?;
                if self.machines[ix].lives() {
                    self.fault(ix, fault);
                }
                Ok(())
            }
            Step::Impairment(impairment, number, time) => {
                let ix = self.machine(number)?;
                if self.machines[ix].lives() {
                    self.impairment(ix, impairment, time);
                }
                Ok(())
            }
            Step::Partition(between, one, other, _) => {
                let (one, other) = (self.machine(one)?, self.machine(other)?);
                self.disturb(until);
                self.network.disturb(between, one, other, until);
                Ok(())
            }
            Step::Outage(outage, time) => {
                self.disturb(until);
                match outage {
                    Outage::Stop => self.stop_server(false, time),
                    Outage::Vanish => self.stop_server(true, time),
                    Outage::Careless => self.server.careless_until = until,
                }
                if outage != Outage::Careless {
                    self.coverage.count(outage.name());
                }
                Ok(())
            }
        }
    }

    fn wish(&mut self, ix: Ix, wish: Wish) -> Result<(), Violation> {
        let machine = &mut self.machines[ix];
        if !machine.lives() || machine.sleep.is_some() {
            return Ok(());
        }
        let node = &machine.node;
        let event = match wish {
            // A node that leaves hears no other wish until it has left.
            Wish::Root | Wish::Join if node.role() == Role::Leaving => return Ok(()),
            Wish::Root => EventKind::BecomeRoot(token()),
            Wish::Join => EventKind::Join,
            Wish::Leave => EventKind::Leave,
            Wish::CloseParent => match node.parent() {
                Some(parent) => EventKind::Close(parent.link),
                None => return Ok(()),
            },
            Wish::CloseChild => match node.children().next() {
                Some(child) => EventKind::Close(child.link),
                None => return Ok(()),
            },
        };
        match wish {
            Wish::Root | Wish::Join => machine.willing = true,
            Wish::Leave => machine.willing = false,
            Wish::CloseParent | Wish::CloseChild => {}
        }
        self.coverage.count(wish.name());
        self.tell(ix, event)
    }

    fn send(&mut self, ix: Ix, message: Message, len: u32) -> Result<(), Violation> {
        if !self.machines[ix].lives() || self.machines[ix].sleep.is_some() {
            return Ok(());
        }
        match message {
            Message::Broadcast => self.send_to_all(ix, len),
            Message::Up | Message::Down => self.send_to_neighbour(ix, message, len),
            Message::ToRoot => self.send_to_root(ix, len).map(drop),
            Message::Ask => self.ask(ix, PATIENCE).map(drop),
        }
    }

    fn fault(&mut self, ix: Ix, fault: Fault) {
        self.disturb(self.now);
        match fault {
            Fault::Crash => {
                self.coverage.count(fault.name());
                self.crash(ix);
            }
            Fault::Kill => {
                self.coverage.count(fault.name());
                self.kill(ix);
            }
            Fault::KillSubtree => {
                let lost = self.subtree(ix);
                if lost.len() > 1 {
                    self.coverage.count(fault.name());
                }
                for ix in lost {
                    self.kill(ix);
                }
            }
            Fault::HalfClose | Fault::DropLink => {
                if let Some(end) = self.some_neighbour(ix) {
                    self.coverage.count(fault.name());
                    if fault == Fault::DropLink
                        && let Some((peer, at)) = self.arrival(end)
                    {
                        self.plan_at(at, What::Link(peer, Happening::Closed));
                    }
                    self.plan(Duration::ZERO, What::Link(end, Happening::Closed));
                }
            }
            Fault::Garbage => {
                let machine = &mut self.machines[ix];
                let len = machine.rng.below(64);
                let garbage: Vec<u8> = (0..len)
                    .map(|_| machine.rng.draw().to_le_bytes()[0])
                    .collect();
                if let Some(end) = self.some_neighbour(ix) {
                    self.speak(end, fault, Bytes::from(garbage));
                }
            }
            Fault::Forge => {
                if let Some(end) = self.some_neighbour(ix) {
                    let frame = self.forge(ix, end);
                    self.machines[ix].forger = true;
                    self.streams.deceive();
                    self.speak(end, fault, frame);
                }
            }
        }
    }

    /// Something comes to the other side of `end` that the node on this side has not said.
    fn speak(&mut self, end: EndId, fault: Fault, bytes: Bytes) {
        if let Some((peer, at)) = self.arrival(end) {
            self.coverage.count(fault.name());
            if let Some(peer) = self.ends.get_mut(peer) {
                peer.deceived = true;
            }
            self.plan_at(at, What::Link(peer, Happening::Message(bytes)));
        }
    }

    fn impairment(&mut self, ix: Ix, impairment: Impairment, time: Duration) {
        let until = self.now + time;
        if !matches!(
            impairment,
            Impairment::Busy | Impairment::Hang | Impairment::OneSided
        ) {
            self.disturb(until);
        }
        let machine = &mut self.machines[ix];
        machine.impairment(impairment, until);
        let jump = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match impairment {
            Impairment::Pause if machine.sleep.is_none() => {
                machine.sleep = Some(Box::new(Sleep {
                    since: self.now,
                    held: std::collections::VecDeque::new(),
                }));
                self.plan(time, What::Awake(ix));
            }
            Impairment::ClockAhead | Impairment::ClockBack => {
                let jump = if impairment == Impairment::ClockAhead {
                    jump
                } else {
                    -jump
                };
                machine.clock = machine.clock.saturating_add(jump);
                if impairment == Impairment::ClockBack {
                    machine.set_back += time;
                }
                machine.napped(Duration::ZERO);
                self.coverage.count(impairment.name());
                self.arm(ix);
            }
            Impairment::Busy => {
                self.plan(time, What::Resume(ix));
            }
            _ => {}
        }
    }

    /// The machine goes dark.
    fn kill(&mut self, ix: Ix) {
        if self.machines[ix].node.role() == Role::Root {
            self.coverage.count("root lost");
        }
        let machine = &mut self.machines[ix];
        machine.life = Life::Dead;
        machine.parent = None;
        machine.sleep = None;
        for (_, end) in core::mem::take(&mut machine.links) {
            self.ends.remove(end);
        }
    }

    /// The process dies, and its system says so to all its peers.
    fn crash(&mut self, ix: Ix) {
        let ends: Vec<EndId> = self.machines[ix]
            .links
            .iter()
            .map(|(_, end)| *end)
            .collect();
        for end in ends {
            if let Some((peer, at)) = self.arrival(end) {
                self.plan_at(at, What::Link(peer, Happening::Closed));
            }
        }
        if let Some(session) = self.machines[ix].session {
            self.plan(
                Duration::ZERO,
                What::ToServer((ix, session.id), ToServer::Close),
            );
        }
        self.kill(ix);
    }

    /// The machine and all that believe to descend from it.
    fn subtree(&self, top: Ix) -> Vec<Ix> {
        let descends = |ix: &Ix| {
            let mut above = Some(*ix);
            while let Some(ancestor) = above {
                if ancestor == top {
                    return true;
                }
                above = self.machines[ancestor].parent;
            }
            false
        };
        (0..self.machines.len()).filter(descends).collect()
    }

    /// The end of a machine's link to some neighbour.
    fn some_neighbour(&mut self, ix: Ix) -> Option<EndId> {
        let machine = &mut self.machines[ix];
        let links = machine
            .node
            .parent()
            .into_iter()
            .chain(machine.node.children());
        let links: Vec<LinkId> = links.map(|neighbour| neighbour.link).collect();
        let link = *machine.rng.pick(&links)?;
        machine.end(link)
    }

    /// Ends every fault: from here on nothing goes wrong any more. Forgers die.
    pub fn end_faults(&mut self) -> Result<(), Failure> {
        self.network.mend();
        self.server.down_until = self.now;
        self.server.careless_until = self.now;
        for ix in 0..self.machines.len() {
            self.machines[ix].mend();
            if self.machines[ix].forger {
                self.disturb(self.now);
                self.crash(ix);
            }
            self.plan(Duration::ZERO, What::Resume(ix));
            let asleep = self.machines[ix].sleep.is_some();
            if asleep {
                self.plan(Duration::ZERO, What::Awake(ix));
            }
            self.arm(ix);
        }
        self.run_until(self.now)
    }

    /// Ends every fault, gives the tree a root if it has none and no standby, and lets every node that wants to be in
    /// the tree say so again.
    pub fn make_peace(&mut self) -> Result<(), Failure> {
        self.end_faults()?;
        let has_standby = self.nodes().any(|(_, node)| node.is_standby());
        if self.root().is_none() && !has_standby {
            let next = self.machines.iter().map(|machine| machine.number).max();
            self.apply(&Step::Wish(
                Wish::Root,
                next.map_or(0, |last| last.wrapping_add(1)),
            ))?;
        }
        let rejoin = |world: &Self, ix: &Ix| {
            let machine = &world.machines[*ix];
            machine.willing && machine.node.role() == Role::Detached
        };
        for ix in 0..self.machines.len() {
            if rejoin(self, &ix) {
                let number: Number = self.machines[ix].number;
                self.apply(&Step::Wish(Wish::Join, number))?;
            }
        }
        Ok(())
    }
}
