//! A node whose invariants are checked after every event, and the others' next honest steps.

use std::fmt::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{self, ClientRole, JoinFrame, LinkFrame, ServerFrame};
use overlay_core::{
    Action, BootstrapId, Config, ConfigError, Dial, Event, EventKind, Instant, JoinId, LinkId,
    Node, Role, Signal,
};

use crate::frames::{hello, registered};
use crate::fuzz::words::{JoinWord, SELF, candidate, sdp, welcome};
use crate::solo::{Solo, become_root};

/// A node, and what it has asked for so far.
#[derive(Debug)]
pub struct Watched {
    solo: Solo,
    /// The latest moment that the node has seen.
    seen: Instant,
    links: Vec<Link>,
    servers: Vec<BootstrapId>,
    /// How far the honest story of the latest connection to the server has gone.
    server_stage: u8,
}

/// A link that the node has opened.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The node's name for it.
    pub id: LinkId,
    /// The join that it was opened for.
    pub join: JoinId,
    /// Whether it is this node that dials.
    pub dials: bool,
    /// Whether the node has not closed it.
    pub is_open: bool,
    /// How far its honest story has gone.
    stage: u8,
}

/// The deadline that never comes: later ones than a clock can show are set to it.
const END_OF_TIME: Instant = Instant::from_micros(u64::MAX);

/// An upper bound on the timeouts of a node that has left: one for each route that it remembers.
const MOST_TIMEOUTS: usize = 5_000;

impl Watched {
    /// A detached node with this number.
    pub fn new(number: u8, config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            solo: Solo::numbered(number.into(), config, [number; 32])?,
            seen: Instant::ZERO,
            links: Vec::new(),
            servers: Vec::new(),
            server_stage: 0,
        })
    }

    /// A detached node, number [`SELF`], with a configuration that is known to be valid.
    #[must_use]
    pub fn detached(config: Config) -> Self {
        Self::new(SELF, config).unwrap_or_else(|error| panic!("an invalid story: {error}"))
    }

    /// A root that is registered with the server.
    #[must_use]
    pub fn root(config: Config) -> Self {
        let mut watched = Self::detached(config);
        watched.event(become_root());
        watched.server_goes_on();
        watched.server_goes_on();
        watched
    }

    /// A node below node 1.
    #[must_use]
    pub fn member(config: Config) -> Self {
        let mut watched = Self::detached(config);
        watched.event(EventKind::Join);
        watched.server_goes_on();
        watched.server_goes_on();
        for _ in 0..4 {
            watched.link_goes_on(0);
        }
        watched
    }

    /// The node.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.solo.node
    }

    /// The links that the node has ever opened, in that order.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The connections to the server that the node has ever wanted, in that order.
    #[must_use]
    pub fn servers(&self) -> &[BootstrapId] {
        &self.servers
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.solo.now
    }

    /// Hands the node an event, and checks the invariants.
    pub fn event(&mut self, kind: EventKind) -> Vec<Action> {
        if let EventKind::LinkClosed(link) = kind {
            self.closed(link);
        }
        self.seen = self.solo.now;
        let actions = self.solo.event(kind);
        for action in &actions {
            match action {
                Action::OpenLink(id, dial) => {
                    // None if the same event has ended it again.
                    if let Some(join) = self.solo.node.join_of(*id) {
                        let dials = *dial == Dial::Offer;
                        let own = join.origin == self.solo.node.id();
                        assert_eq!(own, dials, "takes itself for a child");
                        self.links.push(Link {
                            id: *id,
                            join,
                            dials,
                            is_open: true,
                            stage: 0,
                        });
                    }
                }
                Action::CloseLink(id, _) => self.closed(*id),
                Action::ConnectBootstrap(id) => {
                    self.servers.push(*id);
                    self.server_stage = 0;
                }
                _ => {}
            }
        }
        actions
    }

    /// A message has come on a link.
    pub fn says(&mut self, link: LinkId, frame: &LinkFrame<'_>) -> Vec<Action> {
        self.event(EventKind::LinkMessage(link, wire::encode(frame)))
    }

    /// A message has come from the server, on the latest connection there is.
    pub fn server_says(&mut self, bytes: Bytes) -> Vec<Action> {
        match self.servers.last() {
            Some(server) => self.event(EventKind::BootstrapMessage(*server, bytes)),
            None => Vec::new(),
        }
    }

    /// The parent, or else the server, passes a join's frame down.
    pub fn passed_down(&mut self, word: JoinWord) -> Vec<Action> {
        self.hears_of_a_join(word.frame())
    }

    /// Time passes, and the node is told.
    pub fn wait(&mut self, time: Duration) -> Vec<Action> {
        self.sleep(time);
        self.event(EventKind::Timeout)
    }

    /// Time passes, and the node is not told.
    pub fn sleep(&mut self, time: Duration) {
        // The clock stops at half its range, so that deadlines can still be added to it.
        let latest = Instant::from_micros(u64::MAX / 2);
        self.solo.now = (self.solo.now + time).min(latest).max(self.solo.now);
    }

    /// Advances the clock to the next deadline, and reports it. `None` if there is no deadline.
    pub fn wait_until_due(&mut self) -> Option<Vec<Action>> {
        let due = self.solo.node.next_deadline()?;
        if due == END_OF_TIME {
            return None;
        }
        self.solo.now = self.solo.now.max(due);
        Some(self.event(EventKind::Timeout))
    }

    /// The clock shows a moment that is past already: nothing may come of it.
    pub fn clock_back(&mut self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let past = Instant::from_micros(self.seen.as_micros().saturating_sub(micros));
        let actions = self
            .solo
            .node
            .handle_input(Event::new(past, EventKind::Timeout));
        assert_eq!(actions, [], "time runs backwards, and the node acts");
    }

    /// The server does what it would do next.
    pub fn server_goes_on(&mut self) -> Vec<Action> {
        let Some(server) = self.servers.last().copied() else {
            return Vec::new();
        };
        self.server_stage = self.server_stage.saturating_add(1);
        match self.server_stage {
            1 => self.event(EventKind::BootstrapOpened(server)),
            2 => {
                let is_root = self.solo.node.is_standby() || self.solo.node.role() == Role::Root;
                let welcome = if is_root {
                    registered(ClientRole::Root, 1)
                } else {
                    registered(ClientRole::Joiner, 0)
                };
                self.server_says(wire::encode(&welcome))
            }
            _ => self.server_says(wire::encode(&ServerFrame::Pong)),
        }
    }

    /// The other side of the link at this place, and the connection, do what they would do next.
    pub fn link_goes_on(&mut self, at: usize) -> Vec<Action> {
        let Some(link) = self.links.get_mut(at) else {
            return Vec::new();
        };
        link.stage = link.stage.saturating_add(1);
        let Link { id, join, .. } = *link;
        match (link.dials, link.stage) {
            (true, 1) => self.event(EventKind::LinkOffer(id, sdp())),
            (true, 2) => {
                let signal = Signal::Answer(sdp());
                self.hears_of_a_join(JoinFrame::Signal { join, signal })
            }
            (true, 3) | (false, 2) => self.event(EventKind::LinkOpened(id)),
            (true, 4) => {
                // A node that moves has node 1 as its parent, and goes to another.
                let parent = if self.solo.node.parent().is_some() {
                    6
                } else {
                    1
                };
                self.says(id, &welcome(parent, 1, 0))
            }
            (false, 1) => self.event(EventKind::LinkSignal(id, Signal::Answer(sdp()))),
            (false, 3) => self.says(id, &hello(join, MIN_WINDOW)),
            (_, 5) => self.event(EventKind::LinkSignal(id, candidate())),
            _ => self.says(id, &LinkFrame::Heartbeat),
        }
    }

    /// Everything falls silent and the node is told to leave: in the end it has left, unless it may take until the
    /// end of time over it.
    pub fn leaves_in_silence(mut self) {
        // Told twice, it waits for no child.
        self.event(EventKind::Leave);
        self.event(EventKind::Leave);
        for _ in 0..MOST_TIMEOUTS {
            if self.wait_until_due().is_none() {
                break;
            }
        }
        match self.solo.node.next_deadline() {
            None => assert_eq!(self.solo.node.role(), Role::Detached),
            Some(due) => assert_eq!(due, END_OF_TIME, "still busy: {:?}", self.solo.node),
        }
    }

    /// How much the node holds, as the length of its `Debug` text.
    #[must_use]
    pub fn size(&self) -> usize {
        let mut length = Length(0);
        let _ = write!(length, "{:?}", self.solo.node);
        length.0
    }

    fn hears_of_a_join(&mut self, frame: JoinFrame) -> Vec<Action> {
        match self.solo.node.parent() {
            Some(parent) => self.says(parent.link, &LinkFrame::Join(frame)),
            None => self.server_says(wire::encode(&ServerFrame::Join(frame))),
        }
    }

    fn closed(&mut self, id: LinkId) {
        let link = self.links.iter_mut().find(|link| link.id == id);
        if let Some(link) = link {
            link.is_open = false;
        }
    }
}

struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}
