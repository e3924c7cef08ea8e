//! A server whose invariants are checked after every event.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::bootstrap::{self, NotAccepted, Source};
use overlay_core::wire::{
    self, ClientFrame, ClientRole, JoinFrame, Refusal, Registration, ServerFrame,
};
use overlay_core::{ConnectionId, Epoch, Instant, Signal};

use super::client::{Client, Identity};
use super::{
    Greeting, MAX_CONNECTIONS, MAX_ICE_CANDIDATES, MAX_PENDING_JOINS, Opening, Place,
    RESERVED_FOR_ROOTS, Step, config,
};
use crate::frames;
use crate::fuzz::vocabulary::pick;
use crate::fuzz::words::id;

/// A server, and what the outside knows of its clients.
pub(super) struct Server {
    inner: bootstrap::Server,
    /// Another server with the same seed and events: it must do the same.
    twin: bootstrap::Server,
    now: Instant,
    clients: BTreeMap<ConnectionId, Client>,
}

impl Server {
    pub(super) fn new(opening: Opening) -> Self {
        let server = || bootstrap::Server::new(config(opening), [5; 32], Duration::ZERO).unwrap();
        Self {
            inner: server(),
            twin: server(),
            now: Instant::ZERO,
            clients: BTreeMap::new(),
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Arrive(source, greeting) => {
                if let Some(connection) = self.arrive(source) {
                    self.greet(connection, greeting);
                }
            }
            Step::ArriveMute(source) => drop(self.arrive(source)),
            Step::Pass(ms, told) => self.pass(Duration::from_millis(ms.into()), told),
            Step::Jump(secs) => self.pass(Duration::from_secs(secs), true),
            Step::ClockBack(ms) => {
                let past = self.now.as_micros().saturating_sub(u64::from(ms) * 1_000);
                self.input(Instant::from_micros(past), bootstrap::EventKind::Timeout);
            }
            Step::Shutdown => {
                self.input(self.now, bootstrap::EventKind::Shutdown);
                assert!(self.clients.values().all(|client| !client.is_open));
            }
            Step::Greet(node, _)
            | Step::Ping(node)
            | Step::Talk(node, ..)
            | Step::Wild(node, _)
            | Step::Babble(node, _)
            | Step::HangUp(node) => {
                if let Some(connection) = self.client(node) {
                    self.client_does(connection, step);
                }
            }
        }
        self.check_bounds();
    }

    fn client_does(&mut self, connection: ConnectionId, step: Step) {
        match step {
            Step::Greet(_, greeting) => self.greet(connection, greeting),
            Step::Talk(_, what, which) => {
                if let Some(frame) = self.clients[&connection].utter(what, which) {
                    self.say(connection, &ClientFrame::Join(frame));
                }
            }
            Step::Wild(_, word) => self.say(connection, &ClientFrame::Join(word.frame())),
            Step::Babble(_, bytes) => {
                let bytes = Bytes::copy_from_slice(&bytes.to_be_bytes());
                self.input(
                    self.now,
                    bootstrap::EventKind::Message { connection, bytes },
                );
            }
            Step::HangUp(_) => {
                if let Some(client) = self.clients.get_mut(&connection) {
                    client.is_open = false;
                }
                self.input(self.now, bootstrap::EventKind::Closed { connection });
            }
            _ => self.say(connection, &ClientFrame::Ping),
        }
    }

    /// A client of the past or present, mostly a connected one.
    fn client(&self, which: u8) -> Option<ConnectionId> {
        let among = |all: bool| -> Vec<ConnectionId> {
            let clients = self.clients.iter();
            let among = clients.filter(|(_, client)| all || client.is_open);
            among.map(|(connection, _)| *connection).collect()
        };
        pick(which, &among(which >= 240)).copied()
    }

    fn arrive(&mut self, source: u8) -> Option<ConnectionId> {
        let source = Source(u128::from(source % 3));
        let accepted = self.inner.accept(self.now, source);
        assert_eq!(accepted, self.twin.accept(self.now, source));
        match accepted {
            Ok(connection) => {
                let former = self.clients.insert(connection, Client::default());
                assert!(former.is_none(), "a handle is used twice");
                Some(connection)
            }
            Err(NotAccepted { refusal, farewell }) => {
                let farewell = wire::decode(&farewell);
                assert!(
                    matches!(farewell, Ok(ServerFrame::Refused { refusal: told, .. }) if told == refusal)
                );
                None
            }
        }
    }

    fn greet(&mut self, connection: ConnectionId, greeting: Greeting) {
        let (overlay, token) = match greeting.place {
            Place::Named => ("named", "own"),
            Place::Other => ("other", "any"),
            Place::OneTooMany => ("one too many", "any"),
            Place::WrongToken => ("named", "any"),
        };
        let identity = Identity {
            overlay,
            id: id(greeting.node % 5),
            is_root: false,
        };
        if let Some(client) = self.clients.get_mut(&connection) {
            client.claimed = Some(identity);
        }
        let registration = if greeting.root {
            let seen = greeting.seen % 5;
            Registration::Root {
                token: frames::token(token),
                epoch: Epoch(u64::from(seen)),
                leads: seen.is_multiple_of(2),
            }
        } else {
            Registration::Joiner
        };
        let (name, secret) = (frames::overlay(overlay), u8::from(greeting.impostor));
        let hello = frames::register(name, identity.id, secret, registration);
        self.say(connection, &hello);
    }

    fn say(&mut self, connection: ConnectionId, frame: &ClientFrame) {
        if let ClientFrame::Join(JoinFrame::Request(request)) = frame
            && let Some(client) = self.clients.get_mut(&connection)
        {
            client.joins.entry(request.join).or_default();
        }
        let bytes = wire::encode(frame);
        self.input(
            self.now,
            bootstrap::EventKind::Message { connection, bytes },
        );
    }

    fn pass(&mut self, time: Duration, told: bool) {
        let latest = Instant::from_micros(u64::MAX / 2);
        self.now = (self.now + time).min(latest).max(self.now);
        if told {
            self.input(self.now, bootstrap::EventKind::Timeout);
            let due = self.inner.next_deadline();
            assert!(due.is_none_or(|due| due > self.now), "still due: {due:?}");
        }
    }

    pub(super) fn shuts_down(&mut self) {
        self.step(Step::Shutdown);
        assert_eq!(self.inner.next_deadline(), None);
        let late = self.inner.accept(self.now, Source(9));
        assert!(late.is_err_and(|late| late.refusal == Refusal::ShuttingDown));
    }

    fn input(&mut self, now: Instant, kind: bootstrap::EventKind) {
        let speaker = match &kind {
            bootstrap::EventKind::Message { connection, .. } => Some(*connection),
            _ => None,
        };
        let event = bootstrap::Event { now, kind };
        let actions = self.inner.handle_input(event.clone());
        assert_eq!(actions, self.twin.handle_input(event));
        assert_eq!(self.inner.next_deadline(), self.twin.next_deadline());
        // A farewell and a close for each connection, a notice and a reject or cancel besides.
        let most = 4 * (MAX_CONNECTIONS + RESERVED_FOR_ROOTS) + 4;
        assert!(actions.len() <= most, "{} actions", actions.len());
        for action in actions {
            match action {
                bootstrap::Action::Send { connection, bytes } => {
                    self.sent(speaker, connection, &bytes);
                }
                bootstrap::Action::Close {
                    connection,
                    refusal,
                } => {
                    let client = self.open(connection);
                    assert_eq!(client.told, Some(refusal), "disconnected without a reason");
                    client.is_open = false;
                }
                bootstrap::Action::Notify(_) => {}
            }
        }
    }

    fn open(&mut self, connection: ConnectionId) -> &mut Client {
        let client = self.clients.get_mut(&connection);
        client
            .filter(|client| client.is_open)
            .unwrap_or_else(|| panic!("{connection:?} is not connected"))
    }

    /// A client is sent a frame because of what `speaker` has said.
    fn sent(&mut self, speaker: Option<ConnectionId>, to: ConnectionId, bytes: &Bytes) {
        let frame = match wire::decode::<ServerFrame>(bytes) {
            Ok(frame) => frame,
            Err(error) => panic!("sent what is no frame: {error}"),
        };
        let client = self.open(to);
        assert_eq!(client.told, None, "sent {frame:?} after the farewell");
        match frame {
            ServerFrame::Welcome { role, .. } => self.welcomed(to, role),
            ServerFrame::Promoted { .. } => {
                if let Some(own) = &mut client.identity {
                    assert!(!own.is_root, "promoted twice");
                    own.is_root = true;
                }
                client.joins.clear();
                self.is_the_only_one(to);
            }
            ServerFrame::Refused { refusal, .. } => client.told = Some(refusal),
            ServerFrame::Pong => assert_eq!(speaker, Some(to)),
            ServerFrame::RootReady { .. } | ServerFrame::Ended(_) => {
                assert!(client.identity.is_some_and(|own| !own.is_root));
            }
            ServerFrame::Join(frame) => self.join_sent(speaker, to, &frame),
        }
    }

    fn welcomed(&mut self, to: ConnectionId, role: ClientRole) {
        let client = self.open(to);
        assert_eq!(client.identity, None, "welcomed twice");
        let is_root = role == ClientRole::Root;
        client.identity = client
            .claimed
            .map(|claimed| Identity { is_root, ..claimed });
        self.is_the_only_one(to);
    }

    /// No other client has the same id, nor is the root as well.
    fn is_the_only_one(&mut self, to: ConnectionId) {
        let own = self.open(to).identity;
        for (other, client) in &self.clients {
            let rival = client.is_open && *other != to;
            if let (true, Some(own), Some(other)) = (rival, own, client.identity) {
                let same = own.overlay == other.overlay;
                assert!(!(same && own.id == other.id), "an id has two owners");
                let roots = own.is_root && other.is_root;
                assert!(!(same && roots), "an overlay has two roots");
            }
        }
    }

    fn join_sent(&mut self, speaker: Option<ConnectionId>, to: ConnectionId, frame: &JoinFrame) {
        let join = frame.join();
        let speaking = speaker.and_then(|speaker| self.clients.get(&speaker));
        let (heard, partner) = (
            speaking.and_then(|client| client.identity),
            speaking.and_then(|client| client.partners.get(&join).copied()),
        );
        let client = self.open(to);
        let Some(own) = client.identity else {
            panic!("{to:?} has not greeted and is sent {frame:?}");
        };
        if let JoinFrame::Request(_) = frame {
            let asks = heard.is_some_and(|it| !it.is_root && it.id == join.origin);
            let here = heard.is_some_and(|it| it.overlay == own.overlay);
            assert!(own.is_root && asks && here, "a stray request");
            client.joins.insert(join, 0);
            client.partners.extend(speaker.map(|asker| (join, asker)));
            if let Some(asker) = speaker {
                self.open(asker).partners.insert(join, to);
            }
            return;
        }
        assert!(
            client.joins.contains_key(&join),
            "told of others' {frame:?}"
        );
        match frame {
            JoinFrame::Signal { signal, .. } => {
                assert_eq!(partner, Some(to), "a signal goes astray");
                if let (Signal::IceCandidate(_), Some(count)) =
                    (signal, client.joins.get_mut(&join))
                {
                    *count += 1;
                    assert!(*count <= MAX_ICE_CANDIDATES, "too many candidates");
                }
            }
            JoinFrame::Reject { .. } => assert!(!own.is_root && own.id == join.origin),
            JoinFrame::Cancel { .. } | JoinFrame::Request(_) => assert!(own.is_root),
        }
    }

    fn check_bounds(&self) {
        let stats = self.inner.stats();
        let open = self.clients.values().filter(|client| client.is_open);
        let open = open.count();
        assert_eq!(stats.connections, open);
        assert!(open <= MAX_CONNECTIONS + RESERVED_FOR_ROOTS);
        assert!(stats.overlays <= 2, "the named one, and one other");
        assert!(stats.pending_joins <= stats.overlays * MAX_PENDING_JOINS);
        assert_eq!(self.inner.next_deadline().is_some(), open > 0);
    }
}
