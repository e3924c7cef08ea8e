//! What happens next, and how a node is told.

use core::time::Duration;

use overlay_core::{Event, EventKind, Instant, Signal};

use super::{Found, Happening, What, World};
use crate::invariants::Violation;
use crate::schedule::Impairment;
use crate::world::machine::{Ix, Sleep};
use overlay_testkit::net::{EndId, Heard, Stage};

/// How often a throttled machine's timers fire, in microseconds.
const MINUTE: u64 = 60_000_000;

impl World {
    pub(super) fn happen(&mut self, what: What) -> Result<(), Found> {
        let target = self.target(&what);
        if let Some(ix) = target {
            let machine = &mut self.machines[ix];
            if !machine.lives() {
                return Ok(());
            }
            if let Some(sleep) = &mut machine.sleep {
                sleep.held.push_back(what);
                return Ok(());
            }
        }
        let result = match what {
            What::Wake(ix) => self.wake(ix),
            What::Awake(ix) => return self.awake(ix),
            What::Resume(ix) => self.resume(ix),
            What::Consumed(ix, receipt) => self.tell(ix, EventKind::Consumed(receipt)),
            What::App(ix, event) => self.tell(ix, *event),
            What::Link(end, happening) => self.at_end(end, happening),
            What::FromServer(ix, id, happening) => self.hears_server(ix, id, happening),
            What::ToServer(client, happening) => self.at_server(client, happening),
            What::ServerWake => self.server_wake(),
        };
        result.map_err(|violation| (target, violation))
    }

    /// The machine that something happens to, if it must be awake for it.
    fn target(&self, what: &What) -> Option<Ix> {
        match what {
            What::Wake(ix)
            | What::Resume(ix)
            | What::Consumed(ix, _)
            | What::App(ix, _)
            | What::FromServer(ix, ..) => Some(*ix),
            What::Link(end, _) => self.ends.get(*end).map(|end| end.owner),
            What::Awake(_) | What::ToServer(..) | What::ServerWake => None,
        }
    }

    /// Gives a node an event, checks what it answers, and does it.
    pub(crate) fn tell(&mut self, ix: Ix, kind: EventKind) -> Result<(), Violation> {
        let machine = &mut self.machines[ix];
        if !machine.lives() {
            return Ok(());
        }
        self.events += 1;
        self.trace.event(self.now, ix, &kind);
        if let Some(transcript) = &mut self.transcript {
            transcript.event(self.events, self.now, machine.number, &kind);
        }
        let timer = matches!(kind, EventKind::Timeout);
        machine.rules.before(&kind);
        let local = machine.local(self.now);
        let mut actions = core::mem::take(&mut self.actions);
        machine
            .node
            .handle_input_into(Event::new(local, kind), &mut actions);
        if let Some(transcript) = &mut self.transcript {
            transcript.actions(self.now, machine.number, &actions);
        }
        machine.rules.after(&machine.node, local, &actions)?;
        for action in actions.drain(..) {
            self.trace.action(&action);
            self.carry_out(ix, action, timer)?;
        }
        self.actions = actions;
        while let Some(end) = self.closing.pop() {
            self.close_end(end);
        }
        self.arm(ix);
        Ok(())
    }

    /// Plans the next deadline of a node, unless it will be looked at before.
    pub(super) fn arm(&mut self, ix: Ix) {
        let machine = &mut self.machines[ix];
        if machine.sleep.is_some() {
            return;
        }
        let Some(due) = machine.node.next_deadline() else {
            return;
        };
        let mut due = machine.global(due).max(self.now);
        let throttled_until = machine.until(Impairment::Throttle);
        if throttled_until > due {
            // Its system looks at its timers once a minute.
            let late = due.as_micros().next_multiple_of(MINUTE);
            due = Instant::from_micros(late).min(throttled_until);
            self.coverage.count(Impairment::Throttle.name());
        }
        if machine.wake.is_none_or(|wake| due < wake) {
            machine.wake = Some(due);
            self.queue.plan(due, What::Wake(ix));
        }
    }

    pub(super) fn plan(&mut self, delay: Duration, what: What) {
        self.queue.plan(self.now + delay, what);
    }

    pub(super) fn plan_at(&mut self, at: Instant, what: What) {
        self.queue.plan(at.max(self.now), what);
    }

    fn wake(&mut self, ix: Ix) -> Result<(), Violation> {
        let machine = &mut self.machines[ix];
        if machine.wake != Some(self.now) {
            // Another one was planned for an earlier time, and this one is not wanted any more.
            return Ok(());
        }
        machine.wake = None;
        let due = machine.node.next_deadline();
        if due.is_some_and(|due| machine.global(due) <= self.now) {
            return self.tell(ix, EventKind::Timeout);
        }
        self.arm(ix);
        Ok(())
    }

    fn awake(&mut self, ix: Ix) -> Result<(), Found> {
        let now = self.now;
        let machine = &mut self.machines[ix];
        if machine.has(Impairment::Pause, now) {
            // Another pause began in this one and lasts longer.
            let until = machine.until(Impairment::Pause);
            self.plan_at(until, What::Awake(ix));
            return Ok(());
        }
        let Some(sleep) = machine.sleep.take() else {
            return Ok(());
        };
        let Sleep { since, held } = *sleep;
        machine.napped(now.since(since));
        machine.wake = None;
        // Either may come first: the timer, or what has arrived meanwhile.
        let timer_first = machine.rng.chance(50);
        let due = machine.node.next_deadline();
        if timer_first && due.is_some_and(|due| machine.global(due) <= now) {
            self.tell(ix, EventKind::Timeout)
                .map_err(|violation| (Some(ix), violation))?;
        }
        if !held.is_empty() {
            self.coverage.count(Impairment::Pause.name());
        }
        for what in held {
            if !matches!(what, What::Wake(_)) {
                self.happen(what)?;
            }
        }
        self.arm(ix);
        Ok(())
    }

    fn resume(&mut self, ix: Ix) -> Result<(), Violation> {
        if self.machines[ix].has(Impairment::Busy, self.now) {
            return Ok(());
        }
        for receipt in core::mem::take(&mut self.machines[ix].receipts) {
            self.tell(ix, EventKind::Consumed(receipt))?;
        }
        Ok(())
    }

    /// Whether the other side takes what this end's channel was given. If its machine sleeps, it does so when that wakes; if
    /// the path is cut, never.
    fn is_acknowledged(&mut self, id: EndId) -> bool {
        let is_cut = self.ends.get(id).is_none_or(|end| end.broken);
        let peer = self.ends.peer(id).and_then(|peer| self.ends.get(peer));
        let Some(peer) = peer.filter(|_| !is_cut) else {
            return false;
        };
        let machine = &mut self.machines[peer.owner];
        if let Some(sleep) = &mut machine.sleep {
            sleep.held.push_back(What::Link(id, Happening::Drained));
            return false;
        }
        machine.lives()
    }

    fn at_end(&mut self, id: EndId, happening: Happening) -> Result<(), Violation> {
        if matches!(happening, Happening::Drained) && !self.is_acknowledged(id) {
            return Ok(());
        }
        let Some(end) = self.ends.get_mut(id) else {
            return Ok(());
        };
        let (ix, link) = (end.owner, end.link);
        let machine = &mut self.machines[ix];
        let heard = Heard {
            at: self.now,
            slept: machine.slept,
            naps: machine.naps,
        };
        let kind = match happening {
            Happening::Offer => {
                machine.asked = Some(self.now);
                EventKind::LinkOffer(link, id.offer())
            }
            Happening::Answer => EventKind::LinkSignal(link, Signal::Answer(self.ends.answer(id))),
            Happening::Candidate => {
                EventKind::LinkSignal(link, Signal::IceCandidate(id.candidate()))
            }
            Happening::Opened if end.stage == Stage::Connecting => {
                end.stage = Stage::Open;
                end.heard = heard;
                EventKind::LinkOpened(link)
            }
            Happening::Message(bytes) if end.stage == Stage::Open => {
                end.heard = heard;
                machine.received += bytes.len() as u64;
                EventKind::LinkMessage(link, bytes)
            }
            Happening::Message(bytes) if end.stage == Stage::Closed => {
                EventKind::LinkMessage(link, bytes)
            }
            Happening::Drained if end.stage == Stage::Open => EventKind::LinkDrained(link),
            Happening::Closed => {
                self.closing.push(id);
                EventKind::LinkClosed(link)
            }
            Happening::Forgotten => {
                self.ends.remove(id);
                return Ok(());
            }
            Happening::Opened | Happening::Message(_) | Happening::Drained => return Ok(()),
        };
        self.tell(ix, kind)
    }
}
