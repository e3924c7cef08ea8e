//! What a node wants is done.

use core::time::Duration;

use overlay_core::wire::RejectReason;
use overlay_core::{
    Action, Asked, CloseReason, Delivery, Dial, EventKind, Instant, LinkId, Notification, Scope,
    Signal, SlowPolicy,
};

use super::{Happening, Told, What, World};
use crate::invariants::Scrutiny;
use crate::invariants::{Invariant, Violation};
use crate::invariants::{messages, passing};
use crate::schedule::{Impairment, Partition};
use crate::world::machine::Ix;
use crate::world::network::Passage;
use overlay_testkit::net::{EndId, Stage};

/// How long after a link is closed a driver may still have something to say of it, in microseconds.
const DRIVER_LAG: u64 = 50_000;

/// How long a channel takes for what it is given at the most, in microseconds.
const CHANNEL_LAG: u64 = 500;

/// How long an app takes to combine two answers, or to reply.
const APP_LAG: Duration = Duration::from_millis(1);

/// How late a delayed signal is at the most, in microseconds.
const LATE_SIGNAL: u64 = 10_000_000;

impl World {
    /// Does what the node on a machine wants. `timer`: whether it was the timer that made it act.
    pub(super) fn carry_out(
        &mut self,
        ix: Ix,
        action: Action,
        timer: bool,
    ) -> Result<(), Violation> {
        match action {
            Action::OpenLink(link, dial) => self.open_link(ix, link, &dial),
            Action::ApplySignal(link, signal) => self.apply_signal(ix, link, &signal)?,
            Action::Transmit(link, bytes) => {
                if let Some(end) = self.machines[ix].end(link)
                    && let Some((peer, at)) = self.arrival(end)
                {
                    self.plan_at(at, What::Link(peer, Happening::Message(bytes)));
                }
            }
            Action::TransmitData(link, bytes) => {
                if let Some(end) = self.machines[ix].end(link) {
                    let takes = Duration::from_micros(self.machines[ix].rng.below(CHANNEL_LAG));
                    self.plan(takes, What::Link(end, Happening::Drained));
                }
                self.carry_out(ix, Action::Transmit(link, bytes), timer)?;
            }
            Action::CloseLink(link, reason) => {
                self.coverage.closed(reason);
                if let Some(end) = self.machines[ix].end(link) {
                    match reason {
                        CloseReason::Silent => self.silence_is_real(ix, end)?,
                        CloseReason::Timeout => self.place_was_wanted(end)?,
                        CloseReason::Replaced => self.link_was_lost(ix, end)?,
                        _ => {}
                    }
                    self.hang_up(end);
                }
            }
            Action::ConnectBootstrap(id) => self.connect_server(ix, id),
            Action::SendBootstrap(id, bytes) => self.send_server(ix, id, &bytes),
            Action::CloseBootstrap(id) => self.close_server(ix, id),
            Action::Deliver(delivery) => self.deliver(ix, delivery)?,
            Action::Ask(asked) => self.asked(ix, &asked),
            Action::Combine { ask, left, right } => {
                let event = EventKind::Combined(ask, passing::combine(&left, &right));
                self.plan(APP_LAG, What::App(ix, Box::new(event)));
            }
            Action::Notify(notification) => {
                self.coverage.notification(&notification);
                self.keep(ix, || Told::Notification(notification.clone()));
                self.notified(ix, &notification, timer)?;
            }
        }
        Ok(())
    }

    fn open_link(&mut self, ix: Ix, link: LinkId, dial: &Dial) {
        let (offer, first) = match dial {
            Dial::Offer => (None, Happening::Offer),
            Dial::Answer(offer) => (Some(offer), Happening::Answer),
        };
        let distance = self.machines[ix].distance;
        let end = self.ends.add(ix, link, distance, offer);
        let machine = &mut self.machines[ix];
        machine.links.push((link, end));
        // Making a description takes the processor a moment; a candidate takes a STUN server's answer.
        let described = Duration::from_micros(machine.rng.between(200, 1_000));
        let gathered = described + Duration::from_micros(u64::from(machine.distance) * 2);
        if matches!(first, Happening::Offer) {
            self.plan(described, What::Link(end, first));
        } else {
            self.signal(ix, end, described, || Happening::Answer);
        }
        self.signal(ix, end, gathered, || Happening::Candidate);
    }

    /// A signal of this end is on its way to its node, if nothing befalls it.
    fn signal(&mut self, ix: Ix, end: EndId, delay: Duration, signal: fn() -> Happening) {
        let now = self.now;
        let machine = &mut self.machines[ix];
        let mut copies = 1;
        let mut delay = delay;
        let mut strike = |impairment: Impairment| {
            let strikes = machine.has(impairment, now) && machine.rng.chance(50);
            if strikes {
                self.coverage.count(impairment.name());
            }
            strikes
        };
        if strike(Impairment::LoseSignals) {
            copies = 0;
        } else if strike(Impairment::DoubleSignals) {
            copies = 2;
        }
        if strike(Impairment::DelaySignals) {
            delay += Duration::from_micros(machine.rng.below(LATE_SIGNAL));
        }
        for copy in 0..copies {
            self.plan(delay * (copy + 1), What::Link(end, signal()));
        }
    }

    fn apply_signal(&mut self, ix: Ix, link: LinkId, signal: &Signal) -> Result<(), Violation> {
        let Some(end) = self.machines[ix].end(link) else {
            return Ok(());
        };
        if let Signal::Answer(answer) = signal {
            self.machines[ix].asked = None;
            let answers = EndId::parse_answer(answer).map(|[_, offer]| offer);
            Invariant::AnswersMatchOffers
                .holds(answers.is_none_or(|offer| offer == end), || {
                    format!("{link:?} gets an answer that was made for another offer")
                })?;
        }
        if let Some(both) = self.ends.apply(end, signal) {
            self.connect(both);
        }
        Ok(())
    }

    /// Both ends know enough of each other: ICE and DTLS take their time, and the channel opens.
    fn connect(&mut self, both: [EndId; 2]) {
        let now = self.now;
        let owners = both.map(|end| self.ends.get(end).map_or(usize::MAX, |end| end.owner));
        let has = |world: &Self, impairment| {
            let mut owners = owners.iter().filter_map(|ix| world.machines.get(*ix));
            owners.any(|machine| machine.has(impairment, now))
        };
        for end in both {
            if let Some(end) = self.ends.get_mut(end) {
                end.stage = Stage::Connecting;
            }
        }
        if has(self, Impairment::Hang) {
            self.coverage.count(Impairment::Hang.name());
            return;
        }
        let passage = |from: usize, to: usize| self.network.passage(owners[from], owners[to], now);
        for passage in [passage(0, 1), passage(1, 0)] {
            if let Passage::Lost(kind) = passage {
                self.coverage.count(kind.name());
                return;
            }
        }
        if !owners.iter().all(|ix| self.machines[*ix].lives()) {
            return;
        }
        let mut opens = both.to_vec();
        if has(self, Impairment::OneSided) {
            self.coverage.count(Impairment::OneSided.name());
            let keep = usize::from(self.machines[owners[0]].rng.chance(50));
            opens = vec![both[keep]];
            for end in both {
                if let Some(end) = self.ends.get_mut(end) {
                    end.broken = true;
                }
            }
        }
        // ICE checks, three flights of DTLS and SCTP's four packets: about four round trips.
        let profile = self.setup.profile;
        let (one, other) = (
            self.machines[owners[0]].distance,
            self.machines[owners[1]].distance,
        );
        for end in opens {
            let owner = usize::from(end == both[1]);
            let rng = &mut self.machines[owners[owner]].rng;
            let handshake = profile.latency(one, other, rng) * 8 + Duration::from_millis(1);
            let at = now + handshake;
            if let Some(end) = self.ends.get_mut(end) {
                end.floor = at;
            }
            self.plan_at(at, What::Link(end, Happening::Opened));
        }
    }

    /// Where what an end sends now arrives, and when.
    pub(super) fn arrival(&mut self, id: EndId) -> Option<(EndId, Instant)> {
        let peer_id = self.ends.peer(id)?;
        let end = self.ends.get(id)?;
        let (from, here) = (end.owner, end.distance);
        let peer = self.ends.get(peer_id)?;
        let (to, there, floor) = (peer.owner, peer.distance, peer.floor);
        let passage = self.network.passage(from, to, self.now);
        let end = self.ends.get_mut(id)?;
        if let Passage::Lost(kind) = passage {
            if !end.broken {
                self.coverage.count(kind.name());
            }
            end.broken = true;
        }
        if end.broken {
            return None;
        }
        let rng = &mut self.machines[from].rng;
        let latency = self.setup.profile.latency(here, there, rng);
        let mut at = (self.now + latency).max(floor);
        if let Passage::Held(until) = passage
            && until > at
        {
            at = until;
            self.coverage.count(Partition::Clog.name());
        }
        self.ends.get_mut(peer_id)?.floor = at;
        Some((peer_id, at))
    }

    /// Closes one end; the other one learns of it.
    pub(super) fn hang_up(&mut self, end: EndId) {
        let was_open = self
            .ends
            .get(end)
            .is_some_and(|end| end.stage == Stage::Open);
        if was_open && let Some((peer, at)) = self.arrival(end) {
            self.plan_at(at, What::Link(peer, Happening::Closed));
        }
        self.closing.push(end);
    }

    /// A node has done with an end. What a driver has to say of it may come a little late.
    pub(super) fn close_end(&mut self, id: EndId) {
        let Some(end) = self.ends.get_mut(id) else {
            return;
        };
        let owner = end.owner;
        end.stage = Stage::Closed;
        end.broken = true;
        let machine = &mut self.machines[owner];
        machine.links.retain(|(_, own)| *own != id);
        let lag = Duration::from_micros(machine.rng.below(DRIVER_LAG));
        self.plan(lag, What::Link(id, Happening::Forgotten));
        if self.scrutiny == Scrutiny::Frames {
            self.departed.insert(id, self.now);
        }
    }

    fn deliver(&mut self, ix: Ix, delivery: Delivery) -> Result<(), Violation> {
        let Delivery {
            from,
            scope,
            payload,
            receipt,
        } = delivery;
        let checked = self.checks_passing();
        match &scope {
            Scope::Direct(link) => {
                if let Some(end) = self.machines[ix].end(*link) {
                    self.messages.deliver(end, &payload)?;
                }
            }
            Scope::Broadcast(at) | Scope::End(at) => self.streams.deliver(ix, *at, &payload)?,
            Scope::Root(way) if checked => {
                if self.passing.at_root(from, &payload)? {
                    let (tag, payload) = self.messages.compose(100);
                    self.passing.reply(ix, from, tag);
                    let reply = EventKind::Reply {
                        to: way.clone(),
                        tag,
                        payload,
                    };
                    self.plan(APP_LAG, What::App(ix, Box::new(reply)));
                }
            }
            Scope::Reply if checked => self
                .passing
                .at_node(self.machines[ix].node.id(), &payload)?,
            Scope::Root(_) | Scope::Reply => {}
        }
        self.keep(ix, || Told::Message(scope, payload));
        let busy = self.machines[ix].has(Impairment::Busy, self.now);
        let machine = &mut self.machines[ix];
        if busy {
            self.coverage.count(Impairment::Busy.name());
            machine.receipts.push(receipt);
        } else {
            let takes = Duration::from_micros(machine.rng.below(500));
            self.plan(takes, What::Consumed(ix, receipt));
        }
        Ok(())
    }

    /// Whether all messages that pass are the model's, and no node has lied.
    pub(crate) fn checks_passing(&self) -> bool {
        self.messages.checks() && !self.streams.is_deceived()
    }

    /// A node's app is asked: it answers, unless it is busy.
    fn asked(&mut self, ix: Ix, asked: &Asked) {
        let machine = &mut self.machines[ix];
        if machine.has(Impairment::Busy, self.now) {
            return self.coverage.count(Impairment::Busy.name());
        }
        self.passing.answer(machine.node.id(), asked.ask);
        let thinks = Duration::from_micros(machine.rng.below(100_000));
        let answer = bytes::Bytes::from_static(&passing::ONE);
        let answer = EventKind::Answer(asked.ask, Some(answer));
        self.plan(thinks, What::App(ix, Box::new(answer)));
    }

    fn notified(
        &mut self,
        ix: Ix,
        notification: &Notification,
        timer: bool,
    ) -> Result<(), Violation> {
        match notification {
            Notification::ParentConnected { node, .. } => {
                self.machines[ix].asked = None;
                let parent = self.ix_of(*node);
                if let Some(since) = self.orphans.since.remove(&ix) {
                    self.orphans.reattached.push(self.now.since(since));
                }
                self.machines[ix].parent = parent;
                self.no_cycle(ix)
            }
            Notification::ParentClosed { link, reason, .. } => {
                self.machines[ix].parent = None;
                if *reason == CloseReason::Moved {
                    self.orphans.moves += 1;
                    self.machines[ix].moved = self.events;
                } else {
                    self.torn = true;
                    if self.machines[ix].willing {
                        self.orphans.noticed.push(self.now);
                        self.orphans.since.insert(ix, self.now);
                    }
                }
                self.neighbour_closed(ix, *link, *reason, false)
            }
            Notification::Promoted { epoch } => self.begins_to_lead(ix, *epoch),
            Notification::SteppedDown { .. } => {
                self.orphans.since.insert(ix, self.now);
                Ok(())
            }
            Notification::ChildClosed { link, reason, .. } => {
                self.neighbour_closed(ix, *link, *reason, true)
            }
            Notification::JoinRejected { reason, .. } => {
                let silent = timer && *reason == RejectReason::Timeout;
                self.join_was_answered(ix, silent)
            }
            Notification::Gap { from, to } => {
                self.streams.gap(ix, *from, *to)?;
                let skips = self.setup.config.slow != SlowPolicy::Wait;
                let moves = self.machines[ix].moved == self.events;
                let excused = skips || self.torn && !moves || self.streams.is_deceived();
                Invariant::GapsHaveACause
                    .holds(excused, || format!("a gap from {from:?} to {to:?}"))
            }
            Notification::Left => {
                self.streams.begins(ix);
                Ok(())
            }
            Notification::Unsent { payload, .. } => {
                self.messages.retract(payload);
                self.streams.retract(payload);
                self.passing.retract(payload);
                self.passing.unasked(messages::number(payload));
                Ok(())
            }
            Notification::Replied { tag, arrived, .. } if self.checks_passing() => {
                self.passing.replied(ix, *tag, *arrived)
            }
            Notification::Answers { number, answers } if self.checks_passing() => {
                self.passing.answers(ix, *number, answers)
            }
            _ => Ok(()),
        }
    }

    fn neighbour_closed(
        &mut self,
        ix: Ix,
        link: LinkId,
        reason: CloseReason,
        child: bool,
    ) -> Result<(), Violation> {
        self.last_parting = Some(self.now);
        Invariant::CalmIsCalm.holds(!self.calm, || format!("a link closes: {reason}"))?;
        let Some(id) = self.machines[ix].end(link) else {
            return Ok(());
        };
        let goodbye = match reason {
            CloseReason::PeerLeft | CloseReason::PeerClosed => true,
            CloseReason::Moved => child,
            _ => false,
        };
        let deceived = self.ends.get(id).is_none_or(|end| end.deceived);
        self.messages.closed(id, goodbye && !deceived)
    }
}
