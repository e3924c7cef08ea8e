//! One node, driven by hand with frames made by hand.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{
    self, ClientFrame, ClientRole, Invitation, JoinFrame, JoinKind, JoinRequest, LinkFrame,
    Registration, ServerFrame, StreamPosition, Token, VERSION,
};
use overlay_core::{
    Action, BootstrapId, Census, Config, Epoch, Event, EventKind, IceCandidate, Instant, JoinId,
    LinkId, Node, Path, Sdp, Signal,
};

use super::client_frames;
use super::{Invariants, id, join_of, opened, sent};

/// One node. Its own number is 1000; its parent, if it has one, is 1 and stands below the root 0.
#[derive(Debug)]
pub(crate) struct Solo {
    pub(crate) node: Node,
    pub(crate) now: Instant,
    invariants: Invariants,
    server: Option<BootstrapId>,
    /// How many broadcasts have come to the node.
    broadcasts: u64,
    /// The server does not answer pings.
    pub(crate) mute: bool,
}

/// The number of the node under test.
const SELF: u128 = 1000;

/// Its first attempt to join.
pub(crate) const OWN_JOIN: JoinId = join_of(SELF);

impl Solo {
    /// A node that does nothing yet.
    pub(crate) fn new(config: Config) -> Self {
        Self {
            node: Node::new(id(SELF), config, [42; 32]).unwrap(),
            now: Instant::from_millis(1_000),
            invariants: Invariants::default(),
            server: None,
            broadcasts: 0,
            mute: false,
        }
    }

    /// A root that is registered with the server.
    pub(crate) fn root(config: Config) -> Self {
        let mut solo = Self::new(config);
        let token = Token::new("token").unwrap();
        solo.event(EventKind::BecomeRoot(Some(token)));
        solo.registered();
        solo
    }

    /// A root of this epoch.
    pub(crate) fn root_in(epoch: u64) -> Self {
        let mut solo = Self::new(Config::default());
        let token = Token::new("token").unwrap();
        solo.event(EventKind::BecomeRoot(Some(token)));
        solo.event(EventKind::BootstrapOpened(solo.server()));
        solo.registered_as(ClientRole::Root, epoch);
        solo
    }

    /// A node that has a parent.
    pub(crate) fn member(config: Config) -> (Self, LinkId) {
        let mut solo = Self::new(config);
        solo.event(EventKind::Join);
        let link = opened(&solo.registered())[0];
        solo.dial(link);
        solo.welcome(link);
        (solo, link)
    }

    /// Gives the node an event and checks the invariants.
    pub(crate) fn event(&mut self, kind: EventKind) -> Vec<Action> {
        self.invariants.before(&kind);
        let actions = self.node.handle_input(Event::new(self.now, kind));
        self.invariants
            .after(&self.node, self.now, &actions)
            .unwrap();
        for action in &actions {
            if let Action::ConnectBootstrap(id) = action {
                self.server = Some(*id);
            }
        }
        actions
    }

    /// Lets time pass without a word from anybody but the server, which answers pings; returns all
    /// that the node does meanwhile.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<Action> {
        let end = self.now + time;
        let mut actions = Vec::new();
        while let Some(due) = self.node.next_deadline().filter(|due| *due <= end) {
            self.now = due;
            let done = self.event(EventKind::Timeout);
            if done.iter().any(is_ping) && !self.mute {
                self.server_says(&ServerFrame::Pong);
            }
            actions.extend(done);
        }
        self.now = end;
        actions
    }

    // ── The server ──

    /// The latest connection to the server.
    pub(crate) fn server(&self) -> BootstrapId {
        self.server.unwrap()
    }

    /// The server accepts the connection and the registration.
    pub(crate) fn registered(&mut self) -> Vec<Action> {
        let actions = self.event(EventKind::BootstrapOpened(self.server()));
        match client_frames(&actions)[..] {
            [
                ClientFrame::Hello {
                    registration: Registration::Root { epoch, .. },
                    ..
                },
            ] => self.registered_as(ClientRole::Root, epoch.0.max(1)),
            _ => self.registered_as(ClientRole::Joiner, 0),
        }
    }

    /// The server answers the registration.
    pub(crate) fn registered_as(&mut self, role: ClientRole, epoch: u64) -> Vec<Action> {
        self.server_says(&ServerFrame::Welcome {
            version: VERSION,
            keepalive_ms: 10_000,
            role,
            epoch: Epoch(epoch),
            lease_ms: 8_000,
        })
    }

    pub(crate) fn server_says(&mut self, frame: &ServerFrame) -> Vec<Action> {
        let bytes = wire::encode(frame);
        self.event(EventKind::BootstrapMessage(self.server(), bytes))
    }

    pub(crate) fn server_passes(&mut self, frame: JoinFrame) -> Vec<Action> {
        self.server_says(&ServerFrame::Join(frame))
    }

    /// The server passes the request of the `joiner`th node on, which has two places.
    pub(crate) fn request(&mut self, joiner: u128) -> Vec<Action> {
        self.request_with_places(joiner, 2)
    }

    pub(crate) fn request_with_places(&mut self, joiner: u128, places: u32) -> Vec<Action> {
        self.server_passes(JoinFrame::Request(request(join_of(joiner), places)))
    }

    pub(crate) fn request_that_waited(&mut self, joiner: u128, waited: Duration) -> Vec<Action> {
        let mut request = request(join_of(joiner), 2);
        request.waited_ms = u32::try_from(waited.as_millis()).unwrap();
        self.server_passes(JoinFrame::Request(request))
    }

    // ── Links ──

    /// The link's peer sends a frame.
    pub(crate) fn says(&mut self, link: LinkId, frame: &LinkFrame<'_>) -> Vec<Action> {
        self.bytes(link, wire::encode(frame))
    }

    /// The parent passes the next broadcast on.
    pub(crate) fn hears(&mut self, link: LinkId, payload: &[u8]) -> Vec<Action> {
        self.broadcasts += 1;
        let number = self.broadcasts;
        self.says(link, &LinkFrame::Broadcast { number, payload })
    }

    pub(crate) fn bytes(&mut self, link: LinkId, bytes: Bytes) -> Vec<Action> {
        self.event(EventKind::LinkMessage(link, bytes))
    }

    /// The candidate behind `link` connects and greets.
    pub(crate) fn greet(&mut self, link: LinkId, join: JoinId) -> Vec<Action> {
        self.greet_with(link, join, MIN_WINDOW)
    }

    pub(crate) fn greet_with(&mut self, link: LinkId, join: JoinId, window: u32) -> Vec<Action> {
        let mut actions = self.event(EventKind::LinkOpened(link));
        actions.extend(self.says(link, &hello(join, window)));
        actions
    }

    /// The `joiner`th node, with two places, becomes a child by way of the server.
    pub(crate) fn child(&mut self, joiner: u128) -> LinkId {
        self.child_with_places(joiner, 2)
    }

    pub(crate) fn child_with_places(&mut self, joiner: u128, places: u32) -> LinkId {
        let link = opened(&self.request_with_places(joiner, places))[0];
        self.greet(link, join_of(joiner));
        link
    }

    /// The parent passes the request of the `joiner`th node on.
    pub(crate) fn request_from(&mut self, parent: LinkId, joiner: u128) -> Vec<Action> {
        let request = JoinFrame::Request(request(join_of(joiner), 1));
        self.says(parent, &LinkFrame::Join(request))
    }

    /// The `joiner`th node becomes a child, by way of the parent.
    pub(crate) fn child_from(&mut self, parent: LinkId, joiner: u128) -> LinkId {
        let link = opened(&self.request_from(parent, joiner))[0];
        self.greet(link, join_of(joiner));
        link
    }

    /// The node's own dial gets as far as its greeting.
    pub(crate) fn dial(&mut self, link: LinkId) -> JoinId {
        let offer = self.event(EventKind::LinkOffer(link, sdp("offer")));
        let join = super::sent_up(&offer)[0].join();
        let signal = Signal::Answer(sdp("answer"));
        self.server_passes(JoinFrame::Signal { join, signal });
        self.event(EventKind::LinkOpened(link));
        join
    }

    /// The parent invites the node, and it has greeted another: the link to that one.
    pub(crate) fn greets_another(&mut self, parent: LinkId) -> LinkId {
        let invitation = LinkFrame::Invite(Invitation {
            down: 0,
            up: 2,
            max_depth: 1,
        });
        let link = opened(&self.says(parent, &invitation))[0];
        let offer = self.event(EventKind::LinkOffer(link, sdp("offer")));
        let [LinkFrame::Join(JoinFrame::Request(request))] = &sent(&offer, parent)[..] else {
            panic!("{offer:?}")
        };
        let (join, signal) = (request.join, Signal::Answer(sdp("answer")));
        self.says(parent, &LinkFrame::Join(JoinFrame::Signal { join, signal }));
        self.event(EventKind::LinkOpened(link));
        link
    }

    /// Node 1, below node 0, takes the node in.
    pub(crate) fn welcome(&mut self, link: LinkId) -> Vec<Action> {
        self.welcome_in(link, 1)
    }

    pub(crate) fn welcome_in(&mut self, link: LinkId, epoch: u64) -> Vec<Action> {
        self.says(link, &welcome(Epoch(epoch), below_root(1)))
    }
}

fn is_ping(action: &Action) -> bool {
    let ping = wire::encode(&ClientFrame::Ping);
    matches!(action, Action::SendBootstrap(_, bytes) if *bytes == ping)
}

pub(crate) fn request(join: JoinId, places: u32) -> JoinRequest {
    JoinRequest {
        join,
        offer: sdp("offer"),
        census: Census::of_node(places),
        hops: 0,
        waited_ms: 0,
        kind: JoinKind::Introduced,
        lost: Path::default(),
    }
}

pub(crate) fn move_to(up: u8, max_depth: u8) -> JoinKind {
    JoinKind::Move { up, max_depth }
}

/// A request to move, of a single node with one place.
pub(crate) fn moving(joiner: u128, kind: JoinKind) -> LinkFrame<'static> {
    let request = request(join_of(joiner), 1);
    LinkFrame::Join(JoinFrame::Request(JoinRequest { kind, ..request }))
}

pub(crate) fn hello(join: JoinId, window: u32) -> LinkFrame<'static> {
    LinkFrame::Hello {
        version: VERSION,
        join,
        window,
    }
}

/// A welcome by the last node of `path`.
pub(crate) fn welcome(epoch: Epoch, path: Path) -> LinkFrame<'static> {
    LinkFrame::Welcome {
        version: VERSION,
        id: path.last().unwrap(),
        epoch,
        path,
        window: MIN_WINDOW,
        position: position(epoch, 1),
    }
}

/// The count of the root, node 0.
pub(crate) fn position(epoch: Epoch, next: u64) -> StreamPosition {
    let root = id(0);
    StreamPosition { root, epoch, next }
}

pub(crate) fn status(seen: u32, census: Census) -> LinkFrame<'static> {
    LinkFrame::Status { seen, census }
}

/// The path of the `number`th node, a child of the root, which is node 0.
pub(crate) fn below_root(number: u128) -> Path {
    Path::root(id(0)).child(id(number)).unwrap()
}

pub(crate) fn sdp(text: &str) -> Sdp {
    Sdp::new(text).unwrap()
}

pub(crate) fn candidate(text: &str) -> Signal {
    Signal::IceCandidate(IceCandidate::new(text).unwrap())
}
