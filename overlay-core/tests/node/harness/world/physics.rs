//! How the world works: what the nodes ask for is carried out, and whatever is next happens.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::{self, ServerFrame};
use overlay_core::{Action, Dial, Event, EventKind, Instant, Signal};

use super::{Handshakes, Ix, World};
use crate::harness::ms;
use crate::harness::server::{Connection, Outgoing};
use crate::harness::webrtc::{self, EndIx, Stage};

/// How long a message between a node and the server takes.
const TO_SERVER: Duration = ms(5);

#[derive(Debug)]
pub(super) enum Happening {
    Event(Ix, EventKind),
    Open([EndIx; 2]),
    Close(EndIx),
    ServerAsked(Connection),
    ServerTold(Connection, Bytes),
    ServerLeft(Connection),
}

impl World {
    /// Gives a node an event, and carries out what it answers.
    pub(crate) fn event(&mut self, ix: Ix, kind: EventKind) {
        let person = &mut self.people[ix];
        if !person.alive {
            return;
        }
        person.invariants.before(&kind);
        let actions = person.node.handle_input(Event::new(self.now, kind));
        person
            .invariants
            .after(&person.node, self.now, &actions)
            .unwrap();
        if let Some(journal) = &mut self.journal {
            let _ = writeln!(journal, "{:?} {ix}: {actions:?}", self.now);
        }
        for action in actions {
            self.carry_out(ix, action);
        }
        self.update_deadline(ix);
    }

    fn carry_out(&mut self, ix: Ix, action: Action) {
        match action {
            Action::OpenLink(link, Dial::Offer) => {
                let end = self.webrtc.add(ix, link, None);
                self.event_after(ms(1), ix, EventKind::LinkOffer(link, webrtc::sdp(end)));
                let candidate = webrtc::candidate(end);
                self.event_after(ms(2), ix, EventKind::LinkSignal(link, candidate));
            }
            Action::OpenLink(link, Dial::Answer(offer)) => {
                let end = self.webrtc.add(ix, link, Some(&offer));
                let answer = Signal::Answer(webrtc::sdp(end));
                self.event_after(ms(1), ix, EventKind::LinkSignal(link, answer));
                let candidate = webrtc::candidate(end);
                self.event_after(ms(2), ix, EventKind::LinkSignal(link, candidate));
            }
            Action::ApplySignal(link, signal) => {
                let end = self.webrtc.number(ix, link);
                if let Some(both) = self.webrtc.apply(end, &signal) {
                    let time = self.handshake;
                    self.after(time, Happening::Open(both));
                }
            }
            Action::Transmit(link, bytes) => {
                let end = self.webrtc.number(ix, link);
                if let Some((peer, at)) = self.arrival(end) {
                    let end = self.webrtc.end(peer);
                    let message = EventKind::LinkMessage(end.link, bytes);
                    let happening = Happening::Event(end.owner, message);
                    self.schedule(at, happening);
                }
            }
            Action::CloseLink(link, _) => self.close(self.webrtc.number(ix, link)),
            Action::ConnectBootstrap(id) => {
                self.after(TO_SERVER, Happening::ServerAsked((ix, id)));
            }
            Action::SendBootstrap(id, bytes) => {
                self.after(TO_SERVER, Happening::ServerTold((ix, id), bytes));
            }
            Action::CloseBootstrap(id) => {
                self.after(TO_SERVER, Happening::ServerLeft((ix, id)));
            }
            Action::Deliver(delivery) => {
                let person = &mut self.people[ix];
                person.inbox.push((delivery.scope, delivery.payload));
                if person.busy {
                    person.receipts.push(delivery.receipt);
                } else {
                    self.event(ix, EventKind::Consumed(delivery.receipt));
                }
            }
            Action::Notify(notification) => self.people[ix].notes.push(notification),
        }
    }

    /// Does whatever is next.
    pub(super) fn step(&mut self) {
        let deadline = self.deadlines.first().copied();
        let first = |at| self.next() == Some(at);
        if let Some(at) = self.server.next_deadline().filter(|at| first(*at)) {
            self.now = at;
            let outgoing = self.server.timeout(at);
            self.server_sends(outgoing);
        } else if let Some((at, ix)) = deadline.filter(|(at, _)| first(*at)) {
            self.now = at;
            self.event(ix, EventKind::Timeout);
        } else if let Some(((at, _), happening)) = self.queue.pop_first() {
            self.now = at;
            self.happen(happening);
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let message = self.queue.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        [message, deadline, self.server.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Event(ix, kind) => {
                let wakes = self.people[ix].asleep_until;
                if wakes > self.now {
                    self.schedule(wakes, Happening::Event(ix, kind));
                } else {
                    self.event(ix, kind);
                }
            }
            Happening::Open(ends) => self.open(ends),
            Happening::Close(number) => {
                let end = self.webrtc.end(number);
                if std::mem::replace(&mut end.stage, Stage::Closed) != Stage::Closed {
                    let happening = Happening::Event(end.owner, EventKind::LinkClosed(end.link));
                    self.happen(happening);
                }
            }
            Happening::ServerAsked(from) => {
                let (ix, id) = from;
                let event = if self.server.connect(from, self.now) {
                    EventKind::BootstrapOpened(id)
                } else {
                    EventKind::BootstrapClosed(id)
                };
                self.event_after(TO_SERVER, ix, event);
            }
            Happening::ServerTold(from, bytes) => {
                let outgoing = self.server.receive(from, bytes, self.now);
                self.server_sends(outgoing);
            }
            Happening::ServerLeft(from) => {
                let outgoing = self.server.disconnect(from, self.now);
                self.server_sends(outgoing);
            }
        }
    }

    pub(super) fn server_sends(&mut self, outgoing: Outgoing) {
        for ((ix, id), bytes) in outgoing {
            let Some(bytes) = bytes else {
                self.event_after(TO_SERVER, ix, EventKind::BootstrapClosed(id));
                continue;
            };
            let of_a_join = matches!(wire::decode(&bytes), Ok(ServerFrame::Join(_)));
            let copies = if of_a_join && self.server.careless {
                self.draw() % 3
            } else {
                1
            };
            for _ in 0..copies {
                let message = EventKind::BootstrapMessage(id, bytes.clone());
                self.event_after(TO_SERVER, ix, message);
            }
        }
    }

    fn open(&mut self, ends: [EndIx; 2]) {
        let owners = ends.map(|end| self.webrtc.end(end).owner);
        let handshakes = owners.map(|ix| self.people[ix].handshakes);
        let hangs = handshakes.contains(&Handshakes::Hang)
            || !owners.iter().all(|ix| self.people[*ix].alive);
        let stages = ends.map(|end| self.webrtc.end(end).stage);
        let cut = self.cut.contains(&(owners[0], owners[1]));
        if hangs || cut || stages != [Stage::Connecting; 2] {
            return;
        }
        let mut opens = Vec::from(ends);
        if handshakes.contains(&Handshakes::OneSided) {
            opens.retain(|end| self.webrtc.end(*end).dialed);
            for end in ends {
                self.webrtc.end(end).broken = true;
            }
        }
        for end in &opens {
            self.webrtc.end(*end).stage = Stage::Open;
        }
        for end in opens {
            let end = self.webrtc.end(end);
            let happening = Happening::Event(end.owner, EventKind::LinkOpened(end.link));
            self.happen(happening);
        }
    }

    /// Closes one side of a connection; the other one learns of it, if it was open.
    pub(super) fn close(&mut self, end: EndIx) {
        let stage = std::mem::replace(&mut self.webrtc.end(end).stage, Stage::Closed);
        if stage == Stage::Open
            && let Some((peer, at)) = self.arrival(end)
        {
            self.schedule(at, Happening::Close(peer));
        }
    }

    /// Where what an end sends now arrives, and when.
    fn arrival(&mut self, number: EndIx) -> Option<(EndIx, Instant)> {
        let peer = self.webrtc.connected_peer(number)?;
        let pair = (self.webrtc.end(number).owner, self.webrtc.end(peer).owner);
        let end = self.webrtc.end(number);
        end.broken |= self.cut.contains(&pair);
        if end.broken {
            return None;
        }
        let spread = u64::try_from(self.jitter.as_micros()).unwrap() + 1;
        let jitter = Duration::from_micros(self.draw() % spread);
        let at = (self.now + self.latency + jitter).max(self.webrtc.end(number).latest);
        self.webrtc.end(number).latest = at;
        Some((peer, at))
    }

    pub(super) fn update_deadline(&mut self, ix: Ix) {
        let person = &mut self.people[ix];
        if let Some(due) = person.due.take() {
            self.deadlines.remove(&(due, ix));
        }
        person.due = person.node.next_deadline().filter(|_| person.alive);
        person.due = person.due.map(|due| due.max(person.asleep_until));
        self.deadlines.extend(person.due.map(|due| (due, ix)));
    }

    pub(super) fn event_after(&mut self, time: Duration, ix: Ix, kind: EventKind) {
        self.after(time, Happening::Event(ix, kind));
    }

    fn after(&mut self, time: Duration, happening: Happening) {
        self.schedule(self.now + time, happening);
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), happening);
    }

    /// A random number (splitmix64).
    pub(crate) fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
