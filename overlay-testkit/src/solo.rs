//! One node, driven by hand with frames made by hand.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{
    self, ClientFrame, ClientRole, Invitation, JoinFrame, Lane, LinkFrame, Part, Registration,
    ServerFrame,
};
use overlay_core::{
    Action, BootstrapId, Config, ConfigError, Epoch, Event, EventKind, Instant, JoinId, LinkId,
    Node,
};

use crate::actions::{client_frames, opened, sent, sent_up};
use crate::frames::{
    answer, below_root, hello, id, join_of, record, registered, request, sdp, signal, token,
    welcome,
};
use crate::invariants::Invariants;

/// One node under test, whose invariants are checked after every event.
///
/// Its number is 1000. Its parent, if it has one, is number 1, a child of the root, which is number 0.
#[derive(Debug)]
pub struct Solo {
    /// The node.
    pub node: Node,
    /// The present.
    pub now: Instant,
    invariants: Invariants,
    server: Option<BootstrapId>,
    /// Whether the server does not answer pings.
    pub mute: bool,
    /// Whether the links' channels take nothing that they are given.
    pub clogged: bool,
}

impl Solo {
    /// The number of the node, unless it is told another.
    pub const NUMBER: u128 = 1000;

    /// The node's first attempt to join.
    pub const JOIN: JoinId = join_of(Self::NUMBER);

    /// A node that does nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::numbered(Self::NUMBER, config, [42; 32]).unwrap()
    }

    /// A node with this number that does nothing yet, whose randomness is this seed's.
    pub fn numbered(number: u128, config: Config, seed: [u8; 32]) -> Result<Self, ConfigError> {
        Ok(Self {
            node: Node::new(id(number), config, seed)?,
            now: Instant::from_millis(1_000),
            invariants: Invariants::default(),
            server: None,
            mute: false,
            clogged: false,
        })
    }

    /// A root that is registered with the server.
    #[must_use]
    pub fn root(config: Config) -> Self {
        let mut solo = Self::new(config);
        solo.event(become_root());
        solo.registered();
        solo
    }

    /// A root of this epoch.
    #[must_use]
    pub fn root_in(epoch: u64) -> Self {
        let mut solo = Self::new(Config::default());
        solo.event(become_root());
        solo.event(EventKind::BootstrapOpened(solo.server()));
        solo.registered_as(ClientRole::Root, epoch);
        solo
    }

    /// A node that has a parent.
    #[must_use]
    pub fn member(config: Config) -> (Self, LinkId) {
        let mut solo = Self::new(config);
        solo.event(EventKind::Join);
        let link = opened(&solo.registered())[0];
        solo.dial(link);
        solo.welcome(link);
        (solo, link)
    }

    /// Gives the node an event and checks the invariants; panics if one does not hold. The links' channels take at once what
    /// they are given.
    pub fn event(&mut self, kind: EventKind) -> Vec<Action> {
        let mut actions = self.one_event(kind);
        let mut seen = 0;
        while seen < actions.len() && !self.clogged {
            let given = actions[seen..].iter().filter_map(|action| match action {
                Action::TransmitData(link, _) => Some(*link),
                _ => None,
            });
            let given: BTreeSet<LinkId> = given.collect();
            seen = actions.len();
            for link in given {
                actions.extend(self.one_event(EventKind::LinkDrained(link)));
            }
        }
        actions
    }

    fn one_event(&mut self, kind: EventKind) -> Vec<Action> {
        self.invariants.before(&kind);
        let actions = self.node.handle_input(Event::new(self.now, kind));
        if let Err(violation) = self.invariants.after(&self.node, self.now, &actions) {
            panic!("{:?} {violation}", violation.invariant);
        }
        for action in &actions {
            if let Action::ConnectBootstrap(id) = action {
                self.server = Some(*id);
            }
        }
        actions
    }

    /// Lets time pass without a word from any peer but the server, which answers pings; returns all
    /// that the node does meanwhile.
    pub fn wait(&mut self, time: Duration) -> Vec<Action> {
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
    #[must_use]
    pub fn server(&self) -> BootstrapId {
        self.server.unwrap()
    }

    /// The server accepts the connection and the registration.
    pub fn registered(&mut self) -> Vec<Action> {
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
    pub fn registered_as(&mut self, role: ClientRole, epoch: u64) -> Vec<Action> {
        self.server_says(&registered(role, epoch))
    }

    /// The server sends a frame.
    pub fn server_says(&mut self, frame: &ServerFrame) -> Vec<Action> {
        let bytes = wire::encode(frame);
        self.event(EventKind::BootstrapMessage(self.server(), bytes))
    }

    /// The server passes a join's frame on.
    pub fn server_passes(&mut self, frame: JoinFrame) -> Vec<Action> {
        self.server_says(&ServerFrame::Join(frame))
    }

    /// The server passes the request of the `joiner`th node on, which has two slots.
    pub fn request(&mut self, joiner: u128) -> Vec<Action> {
        self.request_with_slots(joiner, 2)
    }

    /// The server passes the request of the `joiner`th node on, which has this many slots.
    pub fn request_with_slots(&mut self, joiner: u128, slots: u32) -> Vec<Action> {
        self.server_passes(JoinFrame::Request(request(join_of(joiner), slots)))
    }

    /// The server passes a request on that has waited this long.
    pub fn request_that_waited(&mut self, joiner: u128, waited: Duration) -> Vec<Action> {
        let mut request = request(join_of(joiner), 2);
        request.waited_ms = u32::try_from(waited.as_millis()).unwrap();
        self.server_passes(JoinFrame::Request(request))
    }

    // ── Links ──

    /// The link's peer sends a frame.
    pub fn says(&mut self, link: LinkId, frame: &LinkFrame<'_>) -> Vec<Action> {
        self.bytes(link, wire::encode(frame))
    }

    /// The parent passes the next broadcast on.
    pub fn hears(&mut self, link: LinkId, payload: &[u8]) -> Vec<Action> {
        let records = &record(Part::Whole, payload);
        self.says(link, &LinkFrame::Stream { records })
    }

    /// The neighbour sends a message.
    pub fn is_sent(&mut self, link: LinkId, payload: &[u8]) -> Vec<Action> {
        let records = &record(Part::Whole, payload);
        self.says(link, &LinkFrame::Direct { records })
    }

    /// The neighbour takes this much more in a lane.
    pub fn is_granted(&mut self, link: LinkId, lane: Lane, bytes: u32) -> Vec<Action> {
        self.says(link, &LinkFrame::Credit { lane, bytes })
    }

    /// The link's peer sends bytes that may be no frame.
    pub fn bytes(&mut self, link: LinkId, bytes: Bytes) -> Vec<Action> {
        self.event(EventKind::LinkMessage(link, bytes))
    }

    /// The candidate behind `link` connects and greets.
    pub fn greet(&mut self, link: LinkId, join: JoinId) -> Vec<Action> {
        self.greet_with(link, join, MIN_WINDOW)
    }

    /// The same, with this window.
    pub fn greet_with(&mut self, link: LinkId, join: JoinId, window: u32) -> Vec<Action> {
        let mut actions = self.event(EventKind::LinkOpened(link));
        actions.extend(self.says(link, &hello(join, window)));
        actions
    }

    /// The `joiner`th node, with two slots, becomes a child by way of the server.
    pub fn child(&mut self, joiner: u128) -> LinkId {
        self.child_with_slots(joiner, 2)
    }

    /// The `joiner`th node, with this many slots, becomes a child by way of the server.
    pub fn child_with_slots(&mut self, joiner: u128, slots: u32) -> LinkId {
        let link = opened(&self.request_with_slots(joiner, slots))[0];
        self.greet(link, join_of(joiner));
        link
    }

    /// The parent passes the request of the `joiner`th node on.
    pub fn request_from(&mut self, parent: LinkId, joiner: u128) -> Vec<Action> {
        let request = JoinFrame::Request(request(join_of(joiner), 1));
        self.says(parent, &LinkFrame::Join(request))
    }

    /// The `joiner`th node becomes a child, by way of the parent.
    pub fn child_from(&mut self, parent: LinkId, joiner: u128) -> LinkId {
        let link = opened(&self.request_from(parent, joiner))[0];
        self.greet(link, join_of(joiner));
        link
    }

    /// The node's own dial gets as far as its greeting.
    pub fn dial(&mut self, link: LinkId) -> JoinId {
        let offer = self.event(EventKind::LinkOffer(link, sdp("offer")));
        let join = sent_up(&offer)[0].join();
        self.server_passes(signal(join, answer()));
        self.event(EventKind::LinkOpened(link));
        join
    }

    /// The parent invites the node, and it has greeted another: the link to that one.
    pub fn greets_another(&mut self, parent: LinkId) -> LinkId {
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
        let answer = signal(request.join, answer());
        self.says(parent, &LinkFrame::Join(answer));
        self.event(EventKind::LinkOpened(link));
        link
    }

    /// Node 1, below node 0, takes the node in.
    pub fn welcome(&mut self, link: LinkId) -> Vec<Action> {
        self.welcome_in(link, 1)
    }

    /// The same, in this epoch.
    pub fn welcome_in(&mut self, link: LinkId, epoch: u64) -> Vec<Action> {
        self.says(link, &welcome(Epoch(epoch), below_root(1)))
    }
}

fn is_ping(action: &Action) -> bool {
    let ping = wire::encode(&ClientFrame::Ping);
    matches!(action, Action::SendBootstrap(_, bytes) if *bytes == ping)
}

/// The wish to be a root that a server introduces to.
#[must_use]
pub(crate) fn become_root() -> EventKind {
    EventKind::BecomeRoot(Some(token("token")))
}
