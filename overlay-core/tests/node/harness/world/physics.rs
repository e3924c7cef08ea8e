//! How the world works: what the nodes ask for is carried out, and whatever is next happens.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::{Action, Dial, Event, EventKind, Instant, LinkId, Sdp, Signal};
use overlay_testkit::net::{Client, End, EndId, Outgoing, Stage};

use super::{Handshakes, Ix, World};
use crate::harness::ms;

/// How long a message between a node and the server takes.
const TO_SERVER: Duration = ms(5);

#[derive(Debug)]
pub(super) enum Happening {
    Event(Ix, EventKind),
    Open([EndId; 2]),
    Close(EndId),
    ServerAsked(Client),
    ServerTold(Client, Bytes),
    ServerLeft(Client),
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
                let end = self.open_link(ix, link, None);
                self.event_after(ms(1), ix, EventKind::LinkOffer(link, end.offer()));
            }
            Action::OpenLink(link, Dial::Answer(offer)) => {
                let end = self.open_link(ix, link, Some(&offer));
                let answer = Signal::Answer(self.ends.answer(end));
                self.event_after(ms(1), ix, EventKind::LinkSignal(link, answer));
            }
            Action::ApplySignal(link, signal) => {
                let end = self.by_link[&(ix, link)];
                if let Some(both) = self.ends.apply(end, &signal) {
                    let time = self.handshake;
                    self.after(time, Happening::Open(both));
                }
            }
            Action::Transmit(link, bytes) => {
                let end = self.by_link[&(ix, link)];
                if let Some((peer, at)) = self.arrival(end) {
                    let end = self.end(peer);
                    let message = EventKind::LinkMessage(end.link, bytes);
                    let happening = Happening::Event(end.owner, message);
                    self.schedule(at, happening);
                }
            }
            Action::CloseLink(link, _) => self.close(self.by_link[&(ix, link)]),
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
            self.server_sends(outgoing.unwrap());
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
                let end = self.end(number);
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
                self.server_sends(outgoing.unwrap());
            }
            Happening::ServerLeft(from) => {
                let outgoing = self.server.disconnect(from, self.now);
                self.server_sends(outgoing.unwrap());
            }
        }
    }

    pub(super) fn server_sends(&mut self, outgoing: Outgoing) {
        for ((ix, id), bytes) in outgoing {
            let event = match bytes {
                Some(bytes) => EventKind::BootstrapMessage(id, bytes),
                None => EventKind::BootstrapClosed(id),
            };
            self.event_after(TO_SERVER, ix, event);
        }
    }

    fn open(&mut self, ends: [EndId; 2]) {
        let owners = ends.map(|end| self.end(end).owner);
        let handshakes = owners.map(|ix| self.people[ix].handshakes);
        let hangs = handshakes.contains(&Handshakes::Hang)
            || !owners.iter().all(|ix| self.people[*ix].alive);
        let stages = ends.map(|end| self.end(end).stage);
        let cut = self.cut.contains(&(owners[0], owners[1]));
        if hangs || cut || stages != [Stage::Signalling; 2] {
            return;
        }
        let mut opens = Vec::from(ends);
        if handshakes.contains(&Handshakes::OneSided) {
            opens.retain(|end| self.ends.offerer(*end).is_none());
            for end in ends {
                self.end(end).broken = true;
            }
        }
        for end in &opens {
            self.end(*end).stage = Stage::Open;
        }
        for end in opens {
            let end = self.end(end);
            let happening = Happening::Event(end.owner, EventKind::LinkOpened(end.link));
            self.happen(happening);
        }
    }

    /// A new end, one of whose ICE candidates is found soon.
    fn open_link(&mut self, ix: Ix, link: LinkId, offer: Option<&Sdp>) -> EndId {
        let end = self.ends.add(ix, link, 0, offer);
        self.by_link.insert((ix, link), end);
        let candidate = Signal::IceCandidate(end.candidate());
        self.event_after(ms(2), ix, EventKind::LinkSignal(link, candidate));
        end
    }

    /// An end; none is ever removed.
    fn end(&mut self, id: EndId) -> &mut End {
        self.ends.get_mut(id).unwrap()
    }

    /// Closes one side of a connection; the other one learns of it, if it was open.
    pub(super) fn close(&mut self, end: EndId) {
        let stage = std::mem::replace(&mut self.end(end).stage, Stage::Closed);
        if stage == Stage::Open
            && let Some((peer, at)) = self.arrival(end)
        {
            self.schedule(at, Happening::Close(peer));
        }
    }

    /// Where what an end sends now arrives, and when.
    fn arrival(&mut self, number: EndId) -> Option<(EndId, Instant)> {
        let peer = self.ends.peer(number)?;
        let pair = (self.end(number).owner, self.end(peer).owner);
        let cut = self.cut.contains(&pair);
        let end = self.end(number);
        end.broken |= cut;
        if end.broken {
            return None;
        }
        let spread = u64::try_from(self.jitter.as_micros()).unwrap() + 1;
        let jitter = Duration::from_micros(self.rng.draw() % spread);
        let at = (self.now + self.latency + jitter).max(self.end(peer).floor);
        self.end(peer).floor = at;
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
}
