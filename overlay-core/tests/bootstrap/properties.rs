//! Rules that hold whatever the clients do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use overlay_core::bootstrap::{self, Access, Source};
use overlay_core::wire::{
    self, ClientFrame, ClientRole, JoinFrame, OverlayName, Registration, ServerFrame, Token,
};
use overlay_core::{ConnectionId, Epoch, Instant, JoinId, Signal};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::harness::{
    answer, cancel, candidate, hopped_request, impostor, join, overlay, reject, token,
};

const MAX_CONNECTIONS: usize = 6;
const RESERVED_FOR_ROOTS: usize = 2;
const MAX_PENDING_JOINS: usize = 2;
const MAX_ICE_CANDIDATES: u32 = 2;

/// One step of a story.
#[derive(Clone, Debug)]
enum Step {
    Arrive {
        source: u8,
        greeting: Option<ClientFrame>,
    },
    Say {
        client: Pick,
        frame: ClientFrame,
    },
    Join {
        client: Pick,
        talk: Talk,
    },
    Babble {
        client: Pick,
        bytes: Vec<u8>,
    },
    HangUp {
        client: Pick,
    },
    Pass {
        ms: u64,
        told: bool,
    },
    Shutdown,
}

/// One of the open connections, or one of all that ever were.
#[derive(Clone, Debug)]
struct Pick {
    open: bool,
    index: Index,
}

/// What a client says about a join.
#[derive(Clone, Debug)]
enum Talk {
    /// What one in its role might say: a joiner about its own last attempt, or the next one; a root
    /// about one of those it was told of.
    InRole { what: u8, which: Index },
    /// Anything.
    Wild(JoinFrame),
}

fn story() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..250)
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop::collection::vec(any::<u8>(), 0..24);
    let first = prop::option::weighted(0.9, greeting());
    prop_oneof![
        60 => (0..3u8, first).prop_map(|(source, greeting)| Step::Arrive { source, greeting }),
        10 => (pick(), greeting()).prop_map(|(client, frame)| Step::Say { client, frame }),
        20 => pick().prop_map(|client| Step::Say { client, frame: ClientFrame::Ping }),
        400 => (pick(), talk()).prop_map(|(client, talk)| Step::Join { client, talk }),
        3 => (pick(), bytes).prop_map(|(client, bytes)| Step::Babble { client, bytes }),
        10 => pick().prop_map(|client| Step::HangUp { client }),
        10 => (0..30_000u64, any::<bool>()).prop_map(|(ms, told)| Step::Pass { ms, told }),
        1 => Just(Step::Shutdown),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    (prop::bool::weighted(0.9), any::<Index>()).prop_map(|(open, index)| Pick { open, index })
}

/// Five nodes, some of them impostors, in overlays one of which is always one too many.
fn greeting() -> impl Strategy<Value = ClientFrame> {
    let place = prop_oneof![
        8 => Just(("named", "own")),
        4 => Just(("wild", "any")),
        1 => Just(("wilder", "any")),
        1 => Just(("named", "any")),
    ];
    (place, 1..6u128, prop::bool::weighted(0.1), 0..10_u8).prop_map(
        |((name, token), id, is_impostor, role)| {
            let role = match role {
                0..5 => Registration::Joiner,
                seen => Registration::Root {
                    token: Token::new(token).unwrap(),
                    epoch: Epoch(u64::from(seen - 5)),
                    leads: seen % 2 == 0,
                },
            };
            impostor(name, id, u8::from(is_impostor), role)
        },
    )
}

fn talk() -> impl Strategy<Value = Talk> {
    let wild = (1..4u128, 1..4u32, 0..6u8).prop_map(|(id, attempt, kind)| match kind {
        0 => hopped_request(id, attempt, 0),
        1 => hopped_request(id, attempt, 1),
        2 => answer(join(id, attempt)),
        3 => candidate(join(id, attempt)),
        4 => reject(join(id, attempt)),
        _ => cancel(join(id, attempt)),
    });
    prop_oneof![
        40 => (any::<u8>(), any::<Index>()).prop_map(|(what, which)| Talk::InRole { what, which }),
        1 => wild.prop_map(Talk::Wild),
    ]
}

fn config() -> bootstrap::Config {
    let access = Access::default().overlay(overlay("named"), token("own"));
    let mut config = bootstrap::Config::new(access.any_overlay(token("any")));
    config.max_connections = MAX_CONNECTIONS;
    config.reserved_for_roots = RESERVED_FOR_ROOTS;
    config.max_connections_per_source = 4;
    config.max_wildcard_overlays = 1;
    config.max_pending_joins = MAX_PENDING_JOINS;
    config.max_ice_candidates = MAX_ICE_CANDIDATES;
    config.join_timeout = Duration::from_secs(5);
    config.max_joiner_session = Duration::from_secs(60);
    config.max_wrong_tokens = 3;
    config.max_wrong_token_sources = 2;
    config
}

/// What the outside knows of a connection.
struct Peer {
    is_open: bool,
    /// The overlay and the id of its greeting.
    greeting: Option<(OverlayName, u128)>,
    /// Whether the server has told it that it is the root.
    is_root: bool,
    /// The joins that it has asked for, or was told of, with the ICE candidates that it got for each.
    joins: BTreeMap<JoinId, u32>,
}

impl Peer {
    fn utter(&self, talk: Talk) -> JoinFrame {
        let (what, which) = match talk {
            Talk::InRole { what, which } => (what, which),
            Talk::Wild(frame) => return frame,
        };
        let id = self.greeting.as_ref().map_or(0, |(_, id)| *id);
        let last = self
            .joins
            .last_key_value()
            .map_or(0, |(join, _)| join.attempt);
        if self.is_root && !self.joins.is_empty() {
            let known: Vec<_> = self.joins.keys().copied().collect();
            let join = *which.get(&known);
            return match what % 8 {
                0..3 => answer(join),
                3..7 => candidate(join),
                _ => reject(join),
            };
        }
        match what % 8 {
            0..3 => hopped_request(id, last + 1, 0),
            3..7 => candidate(join(id, last)),
            _ => cancel(join(id, last)),
        }
    }
}

/// Two servers with one seed and the same events.
struct World {
    server: bootstrap::Server,
    twin: bootstrap::Server,
    now: Instant,
    peers: BTreeMap<ConnectionId, Peer>,
}

impl World {
    fn new() -> Self {
        Self {
            server: bootstrap::Server::new(config(), [5; 32], Duration::ZERO).unwrap(),
            twin: bootstrap::Server::new(config(), [5; 32], Duration::ZERO).unwrap(),
            now: Instant::ZERO,
            peers: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Arrive { source, greeting } => {
                let connection = self.connect(Source(u128::from(source)));
                if let (Some(connection), Some(greeting)) = (connection, greeting) {
                    self.say(connection, |_| greeting);
                }
            }
            Step::Say { client, frame } => {
                if let Some(connection) = self.pick(&client) {
                    self.say(connection, |_| frame);
                }
            }
            Step::Join { client, talk } => {
                if let Some(connection) = self.pick(&client) {
                    self.say(connection, |peer| ClientFrame::Join(peer.utter(talk)));
                }
            }
            Step::Babble { client, bytes } => {
                if let Some(connection) = self.pick(&client) {
                    let bytes = Bytes::from(bytes);
                    self.input(bootstrap::EventKind::Message { connection, bytes });
                }
            }
            Step::HangUp { client } => {
                if let Some(connection) = self.pick(&client) {
                    self.peers.get_mut(&connection).unwrap().is_open = false;
                    self.input(bootstrap::EventKind::Closed { connection });
                }
            }
            Step::Pass { ms, told } => {
                self.now = self.now + Duration::from_millis(ms);
                if told {
                    self.input(bootstrap::EventKind::Timeout);
                    assert!(self.server.next_deadline().is_none_or(|at| at > self.now));
                }
            }
            Step::Shutdown => {
                self.input(bootstrap::EventKind::Shutdown);
                assert!(self.peers.values().all(|peer| !peer.is_open));
            }
        }
        self.check_bounds();
    }

    fn connect(&mut self, source: Source) -> Option<ConnectionId> {
        let accepted = self.server.accept(self.now, source);
        assert_eq!(accepted, self.twin.accept(self.now, source));
        let connection = accepted.ok()?;
        let peer = Peer {
            is_open: true,
            greeting: None,
            is_root: false,
            joins: BTreeMap::new(),
        };
        assert!(self.peers.insert(connection, peer).is_none());
        Some(connection)
    }

    fn pick(&self, client: &Pick) -> Option<ConnectionId> {
        let peers = self.peers.iter();
        let among: Vec<_> = peers
            .filter(|(_, peer)| peer.is_open || !client.open)
            .collect();
        (!among.is_empty()).then(|| *client.index.get(&among).0)
    }

    fn say(&mut self, connection: ConnectionId, frame: impl FnOnce(&Peer) -> ClientFrame) {
        let peer = self.peers.get_mut(&connection).unwrap();
        let frame = frame(peer);
        match &frame {
            ClientFrame::Hello { id, overlay, .. } => {
                let id = u128::from_be_bytes(*id.as_bytes());
                peer.greeting.get_or_insert_with(|| (overlay.clone(), id));
            }
            ClientFrame::Join(JoinFrame::Request(request)) => {
                peer.joins.insert(request.join, 0);
            }
            _ => {}
        }
        let bytes = wire::encode(&frame);
        self.input(bootstrap::EventKind::Message { connection, bytes });
    }

    fn input(&mut self, kind: bootstrap::EventKind) {
        let event = bootstrap::Event {
            now: self.now,
            kind,
        };
        let actions = self.server.handle_input(event.clone());
        assert_eq!(actions, self.twin.handle_input(event));
        assert_eq!(self.server.next_deadline(), self.twin.next_deadline());
        // A farewell and a close for each connection, a notice and a reject or cancel besides.
        assert!(actions.len() <= 4 * (MAX_CONNECTIONS + RESERVED_FOR_ROOTS) + 4);
        for action in actions {
            match action {
                bootstrap::Action::Send { connection, bytes } => {
                    self.check_sent(connection, &bytes);
                }
                bootstrap::Action::Close { connection, .. } => {
                    let peer = self.peers.get_mut(&connection).unwrap();
                    assert!(std::mem::take(&mut peer.is_open));
                }
                bootstrap::Action::Notify(_) => {}
            }
        }
    }

    /// A frame goes to a living connection in the right role, and one that knows of the join.
    fn check_sent(&mut self, connection: ConnectionId, bytes: &Bytes) {
        let peer = self.peers.get_mut(&connection).unwrap();
        assert!(peer.is_open);
        let frame = match wire::decode(bytes).unwrap() {
            ServerFrame::Join(frame) => frame,
            ServerFrame::Welcome { role, .. } => {
                peer.is_root = role == ClientRole::Root;
                return;
            }
            ServerFrame::Promoted { .. } => {
                assert!(!peer.is_root);
                peer.is_root = true;
                peer.joins.clear();
                return;
            }
            _ => return,
        };
        match &frame {
            JoinFrame::Request(request) => {
                assert!(peer.is_root);
                peer.joins.insert(request.join, 0);
            }
            JoinFrame::Signal {
                signal: Signal::IceCandidate(_),
                join,
            } => {
                let candidates = peer.joins.get_mut(join).unwrap();
                *candidates += 1;
                assert!(*candidates <= MAX_ICE_CANDIDATES);
            }
            JoinFrame::Signal { join, .. } | JoinFrame::Reject { join, .. } => {
                assert!(!peer.is_root && peer.joins.contains_key(join));
            }
            JoinFrame::Cancel { join } => {
                assert!(peer.is_root && peer.joins.contains_key(join));
            }
        }
    }

    fn check_bounds(&self) {
        let stats = self.server.stats();
        let open = self.peers.values().filter(|peer| peer.is_open).count();
        assert_eq!(stats.connections, open);
        let roots = self
            .peers
            .values()
            .filter(|peer| peer.is_open && peer.is_root);
        let rooted: Vec<_> = roots
            .filter_map(|peer| Some(&peer.greeting.as_ref()?.0))
            .collect();
        let overlays: BTreeSet<_> = rooted.iter().collect();
        assert_eq!(rooted.len(), overlays.len(), "an overlay has one root");
        assert!(open <= MAX_CONNECTIONS + RESERVED_FOR_ROOTS);
        assert!(stats.overlays <= 2, "the named one, and one wildcard");
        assert!(stats.pending_joins <= stats.overlays * MAX_PENDING_JOINS);
        assert_eq!(self.server.next_deadline().is_some(), open > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_server_keeps_its_bounds_and_its_clients_apart_in_every_story(steps in story()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
    }
}
