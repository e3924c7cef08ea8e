//! A server with a clock, and the frames that its clients have received.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use overlay_core::bootstrap::{self, Access, NotAccepted, Notice, Source};
use overlay_core::wire::{
    self, ClientFrame, ClientRole, JoinFrame, JoinRequest, Refusal, Registration, RejectReason,
    ServerFrame,
};
use overlay_core::{ConnectionId, Epoch, Instant, JoinId};
use overlay_testkit::frames::{self, id as node};

pub(crate) use overlay_testkit::frames::{join, overlay, token};

/// The overlay that every test server carries, and its root's token.
pub(crate) const CONCERT: &str = "concert";
pub(crate) const TOKEN: &str = "the conductor's";

pub(crate) const ROOT: u128 = 1_000;

/// A server and the frames that its clients have received. Checks that no frame goes to a connection that has ended,
/// and that a client that is disconnected was told why.
pub(crate) struct Server {
    inner: bootstrap::Server,
    now: Instant,
    open: BTreeSet<ConnectionId>,
    inboxes: BTreeMap<ConnectionId, Vec<ServerFrame>>,
    ended: BTreeMap<ConnectionId, Refusal>,
    notices: Vec<Notice>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(configure: impl FnOnce(&mut bootstrap::Config)) -> Self {
        let mut config = config();
        configure(&mut config);
        Self {
            inner: bootstrap::Server::new(config, [1; 32], Duration::ZERO).unwrap(),
            now: Instant::ZERO,
            open: BTreeSet::new(),
            inboxes: BTreeMap::new(),
            ended: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    pub(crate) fn connect_from(&mut self, source: u128) -> Result<ConnectionId, NotAccepted> {
        let connection = self.inner.accept(self.now, Source(source))?;
        assert!(self.open.insert(connection), "a handle was used twice");
        Ok(connection)
    }

    pub(crate) fn connect(&mut self) -> ConnectionId {
        self.connect_from(0).unwrap()
    }

    /// A new client that has sent this frame.
    pub(crate) fn client(&mut self, first: &ClientFrame) -> ConnectionId {
        let connection = self.connect();
        self.send(connection, first);
        connection
    }

    /// A joiner that was welcomed.
    pub(crate) fn joiner(&mut self, id: u128) -> ConnectionId {
        let connection = self.client(&hello(CONCERT, id, Registration::Joiner));
        assert!(is_welcome(&self.received(connection)));
        connection
    }

    /// A root that was welcomed.
    pub(crate) fn root(&mut self, id: u128) -> ConnectionId {
        let connection = self.client(&hello(CONCERT, id, as_root(TOKEN)));
        assert!(is_welcome(&self.received(connection)));
        connection
    }

    /// A root, and a joiner whose first request it has received.
    pub(crate) fn join_under_way(&mut self) -> (ConnectionId, ConnectionId, JoinId) {
        let (root, joiner) = (self.root(ROOT), self.joiner(1));
        self.send_join(joiner, request(1, 1));
        assert_eq!(self.joins(root), [request(1, 1)]);
        (root, joiner, join(1, 1))
    }

    pub(crate) fn send(&mut self, connection: ConnectionId, frame: &ClientFrame) {
        self.send_bytes(connection, wire::encode(frame));
    }

    pub(crate) fn send_join(&mut self, connection: ConnectionId, frame: JoinFrame) {
        self.send(connection, &ClientFrame::Join(frame));
    }

    pub(crate) fn send_bytes(&mut self, connection: ConnectionId, bytes: Bytes) {
        self.input(bootstrap::EventKind::Message { connection, bytes });
    }

    pub(crate) fn hang_up(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
        self.input(bootstrap::EventKind::Closed { connection });
    }

    pub(crate) fn shut_down(&mut self) {
        self.input(bootstrap::EventKind::Shutdown);
    }

    /// Lets time pass; the server gets its timeouts.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.inner.next_deadline().filter(|at| *at <= end) {
            self.now = at;
            let before = self.stats();
            self.input(bootstrap::EventKind::Timeout);
            assert_ne!(before, self.stats(), "woken for nothing");
            assert!(self.inner.next_deadline().is_none_or(|next| next > at));
        }
        self.now = end;
    }

    /// Lets time pass without a timeout for the server.
    pub(crate) fn oversleep(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// Lets time pass, while these clients keep their connections alive, as often as a root does.
    pub(crate) fn wait_pinging(&mut self, clients: &[ConnectionId], duration: Duration) {
        let end = self.now + duration;
        let step = seconds(2);
        while self.now < end {
            for client in clients {
                self.send(*client, &ClientFrame::Ping);
                let inbox = self.inboxes.entry(*client).or_default();
                inbox.retain(|frame| *frame != ServerFrame::Pong);
            }
            self.wait(step.min(end.since(self.now)));
        }
    }

    /// What a client has received since it was last asked.
    pub(crate) fn received(&mut self, connection: ConnectionId) -> Vec<ServerFrame> {
        self.inboxes.remove(&connection).unwrap_or_default()
    }

    /// The joins' frames that a client has received since it was last asked, and nothing else.
    pub(crate) fn joins(&mut self, connection: ConnectionId) -> Vec<JoinFrame> {
        let frames = self.received(connection).into_iter();
        frames
            .map(|frame| match frame {
                ServerFrame::Join(frame) => frame,
                other => panic!("{connection:?} received {other:?}"),
            })
            .collect()
    }

    /// Why the server has disconnected a client; `None` while it has not.
    pub(crate) fn refusal(&self, connection: ConnectionId) -> Option<Refusal> {
        self.ended.get(&connection).copied()
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    pub(crate) fn stats(&self) -> bootstrap::Stats {
        self.inner.stats()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.inner.next_deadline()
    }

    fn input(&mut self, kind: bootstrap::EventKind) {
        let event = bootstrap::Event {
            now: self.now,
            kind,
        };
        for action in self.inner.handle_input(event) {
            match action {
                bootstrap::Action::Send { connection, bytes } => {
                    assert!(self.open.contains(&connection), "sent to a dead connection");
                    let frame = wire::decode(&bytes).unwrap();
                    self.inboxes.entry(connection).or_default().push(frame);
                }
                bootstrap::Action::Close {
                    connection,
                    refusal,
                } => {
                    assert!(self.open.remove(&connection), "closed twice");
                    let last = self.inboxes.get(&connection).and_then(|inbox| inbox.last());
                    assert!(
                        matches!(last, Some(ServerFrame::Refused { refusal: told, .. })
                        if *told == refusal)
                    );
                    self.ended.insert(connection, refusal);
                }
                bootstrap::Action::Notify(notice) => self.notices.push(notice),
            }
        }
    }
}

/// The default bounds, for a server that carries one overlay.
pub(crate) fn config() -> bootstrap::Config {
    bootstrap::Config::new(Access::default().overlay(overlay(CONCERT), token(TOKEN)))
}

pub(crate) fn as_root(with_token: &str) -> Registration {
    Registration::Root {
        token: token(with_token),
        epoch: Epoch(0),
        leads: false,
    }
}

/// What a root says of itself that has lost its connection.
pub(crate) fn as_root_of(epoch: Epoch) -> Registration {
    Registration::Root {
        token: token(TOKEN),
        epoch,
        leads: true,
    }
}

/// What a standby says of itself that has seen this epoch.
pub(crate) fn as_standby_of(epoch: Epoch) -> Registration {
    Registration::Root {
        token: token(TOKEN),
        epoch,
        leads: false,
    }
}

/// What a server has made of a client, and the epoch that it told.
pub(crate) fn role(frames: &[ServerFrame]) -> Option<(ClientRole, Epoch)> {
    match frames {
        [ServerFrame::Welcome { role, epoch, .. }, ..] => Some((*role, *epoch)),
        _ => None,
    }
}

/// The greeting of a node whose secret follows from its id.
pub(crate) fn hello(name: &str, id: u128, registration: Registration) -> ClientFrame {
    impostor(name, id, 0, registration)
}

/// The greeting of a client that knows a node's id; the true secret is number 0.
pub(crate) fn impostor(
    name: &str,
    id: u128,
    secret: u8,
    registration: Registration,
) -> ClientFrame {
    frames::register(overlay(name), node(id), secret, registration)
}

pub(crate) fn request(id: u128, attempt: u32) -> JoinFrame {
    hopped_request(id, attempt, 0)
}

pub(crate) fn hopped_request(id: u128, attempt: u32, hops: u8) -> JoinFrame {
    JoinFrame::Request(JoinRequest {
        hops,
        ..frames::request(join(id, attempt), 10)
    })
}

pub(crate) fn answer(join: JoinId) -> JoinFrame {
    frames::signal(join, frames::answer())
}

pub(crate) fn candidate(join: JoinId) -> JoinFrame {
    frames::signal(join, frames::candidate("candidate"))
}

pub(crate) fn reject(join: JoinId) -> JoinFrame {
    frames::reject(join, RejectReason::Full, 5)
}

pub(crate) fn cancel(join: JoinId) -> JoinFrame {
    JoinFrame::Cancel { join }
}

/// Why a join was rejected, if that is all that these frames say.
pub(crate) fn rejected(frames: &[JoinFrame]) -> Option<(JoinId, RejectReason)> {
    match frames {
        [JoinFrame::Reject { join, rejection }] => Some((*join, rejection.reason)),
        _ => None,
    }
}

pub(crate) fn is_welcome(frames: &[ServerFrame]) -> bool {
    matches!(frames, [ServerFrame::Welcome { .. }])
}

/// Whether these frames say that there is a root, and nothing else.
pub(crate) fn is_root_ready(frames: &[ServerFrame]) -> bool {
    matches!(frames, [ServerFrame::RootReady { .. }])
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
