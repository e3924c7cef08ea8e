//! The connection to the bootstrap server: only joiners, the root and its standbys have one.

use alloc::vec::Vec;
use core::time::Duration;

use super::keepalive::{Ping, Rhythm};
use super::routing::Hop;
use super::{Node, Role, notify};
use crate::action::{Action, Notification};
use crate::backoff;
use crate::id::{BootstrapId, Epoch};
use crate::time::Instant;
use crate::wire::{
    self, ClientFrame, JoinFrame, Post, Refusal, Registration, ServerFrame, Token, VERSION,
    WireError,
};

/// What this node wants of the server and how far it is.
#[derive(Debug, Default)]
pub(super) struct Bootstrap {
    /// What the node wants to be; `None` while it wants no connection.
    wanted: Option<Wanted>,
    session: Session,
    /// How many connections were tried: the id of the latest.
    tries: u32,
    /// Tries that have failed since a registration last succeeded.
    failures: u32,
    /// The overlay's epoch as the server last told it: what neighbours say of it may be a lie.
    told: Epoch,
}

/// What a node wants of the server.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// To be introduced to the root.
    Introduction,
    /// To be the root, or to stand by for it. The token proves its right.
    Crown(Token),
}

#[derive(Debug, Default)]
enum Session {
    /// No connection is wanted.
    #[default]
    Closed,
    /// Until the next try.
    Waiting { until: Instant },
    /// The embedder connects.
    Connecting { id: BootstrapId, deadline: Instant },
    /// The server has yet to answer the first frame, sent at `asked`.
    Greeting {
        id: BootstrapId,
        asked: Instant,
        deadline: Instant,
    },
    /// Registered.
    Ready {
        id: BootstrapId,
        post: Post,
        rhythm: Rhythm,
        heard: Instant,
        ping: Ping,
        /// Until when a root takes joiners in.
        lease: Instant,
    },
}

impl Bootstrap {
    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.session, Session::Ready { .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.session {
            Session::Closed => None,
            Session::Waiting { until } => Some(until),
            Session::Connecting { deadline, .. } | Session::Greeting { deadline, .. } => {
                Some(deadline)
            }
            Session::Ready {
                rhythm,
                heard,
                ping,
                ..
            } => Some(match ping {
                Ping::Answered(asked) => (asked + rhythm.keepalive).min(heard + rhythm.patience),
                Ping::Asked(_) => heard + rhythm.patience,
            }),
        }
    }

    pub(super) const fn wants_crown(&self) -> bool {
        matches!(self.wanted, Some(Wanted::Crown(_)))
    }

    /// Time that the node slept through does not count as the server's silence.
    pub(super) fn forgive(&mut self, late: Duration, now: Instant) {
        if let Session::Ready { heard, .. } = &mut self.session {
            *heard = (*heard + late).min(now);
        }
    }

    /// The try that the session belongs to.
    const fn id(&self) -> Option<BootstrapId> {
        match self.session {
            Session::Closed | Session::Waiting { .. } => None,
            Session::Connecting { id, .. }
            | Session::Greeting { id, .. }
            | Session::Ready { id, .. } => Some(id),
        }
    }
}

impl Node {
    /// Wants something of the server.
    pub(super) fn register(&mut self, wanted: Wanted, out: &mut Vec<Action>) {
        self.bootstrap.wanted = Some(wanted);
        let idle = match self.bootstrap.session {
            Session::Closed => true,
            // Nothing has failed: a member waits until it asks again for the crown.
            Session::Waiting { .. } => self.bootstrap.failures == 0,
            _ => false,
        };
        if idle {
            self.connect_bootstrap(out);
        }
    }

    /// Wants to be introduced to the root; a standby is introduced as what it is.
    pub(super) fn seek_server(&mut self, out: &mut Vec<Action>) {
        let wanted = self.bootstrap.wanted.take();
        self.register(wanted.unwrap_or(Wanted::Introduction), out);
    }

    /// It may be lower than one that a neighbour has told: the server knows best.
    pub(super) fn believe_server(&mut self) {
        if self.bootstrap.told > Epoch::default() {
            self.epoch = self.bootstrap.told;
        }
    }

    /// Is in the tree. A standby goes on being one; others need the server no more.
    pub(super) fn introduction_over(&mut self, out: &mut Vec<Action>) {
        self.bootstrap.failures = 0;
        if !self.bootstrap.wants_crown() {
            self.close_bootstrap(out);
        } else if self.hang_up_as_joiner(out) {
            self.bootstrap.session = Session::Waiting {
                until: self.now + self.config.retry_max,
            };
        }
    }

    /// Nobody reigns: if this node wants the crown and the server had standbys enough, that may be over.
    pub(super) fn ask_again_for_the_crown(&mut self, out: &mut Vec<Action>) {
        if self.hang_up_as_joiner(out) {
            self.connect_bootstrap(out);
        }
    }

    /// Hangs up, if this node wants the crown and the server takes it for a mere joiner.
    fn hang_up_as_joiner(&mut self, out: &mut Vec<Action>) -> bool {
        match self.bootstrap.session {
            Session::Ready {
                id,
                post: Post::Joiner,
                ..
            } if self.bootstrap.wants_crown() => {
                out.push(Action::CloseBootstrap(id));
                self.bootstrap.session = Session::Closed;
                true
            }
            _ => false,
        }
    }

    /// Needs the server no more.
    pub(super) fn close_bootstrap(&mut self, out: &mut Vec<Action>) {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::ServerKept)
            && matches!(self.role, Role::Member { .. })
        {
            return;
        }
        self.bootstrap.wanted = None;
        self.bootstrap.failures = 0;
        if let Some(id) = self.bootstrap.id() {
            if let Session::Ready {
                post: Post::Root, ..
            } = self.bootstrap.session
            {
                out.push(Action::SendBootstrap(
                    id,
                    wire::encode(&ClientFrame::Abdicate),
                ));
            }
            out.push(Action::CloseBootstrap(id));
        }
        self.bootstrap.told = Epoch::default();
        self.bootstrap.session = Session::Closed;
    }

    pub(super) fn bootstrap_opened(&mut self, id: BootstrapId, out: &mut Vec<Action>) {
        let wanted = self.bootstrap.wanted.clone();
        let (Session::Connecting { id: current, .. }, Some(wanted)) =
            (&self.bootstrap.session, wanted)
        else {
            self.stats.late_events += 1;
            return;
        };
        if *current != id {
            self.stats.late_events += 1;
            return;
        }
        let hello = ClientFrame::Hello {
            version: VERSION,
            overlay: self.config.overlay.clone(),
            id: self.id,
            secret: self.secret,
            registration: match wanted {
                Wanted::Introduction => Registration::Joiner,
                Wanted::Crown(token) => Registration::Root {
                    token,
                    epoch: match self.role {
                        Role::Root => self.epoch,
                        _ => self.bootstrap.told,
                    },
                    reigning: matches!(self.role, Role::Root),
                },
            },
        };
        out.push(Action::SendBootstrap(id, wire::encode(&hello)));
        self.bootstrap.session = Session::Greeting {
            id,
            asked: self.now,
            deadline: self.now + self.config.bootstrap_timeout,
        };
    }

    pub(super) fn bootstrap_message(
        &mut self,
        from: BootstrapId,
        bytes: &[u8],
        out: &mut Vec<Action>,
    ) {
        if self.bootstrap.id() != Some(from) {
            self.stats.late_events += 1;
            return;
        }
        let now = self.now;
        if let Session::Ready { heard, .. } = &mut self.bootstrap.session {
            *heard = now;
        }
        match wire::decode::<ServerFrame>(bytes) {
            Ok(ServerFrame::Welcome {
                keepalive_ms,
                post,
                epoch,
                lease_ms,
                ..
            }) => {
                let rhythm = Rhythm::new(keepalive_ms, lease_ms);
                self.registered(from, rhythm, post, epoch, out);
            }
            Ok(ServerFrame::Refused {
                refusal,
                retry_after_ms,
                ..
            }) => {
                let wait = Duration::from_millis(u64::from(retry_after_ms));
                out.push(Action::CloseBootstrap(from));
                self.bootstrap_failed(Some(refusal), wait, out);
            }
            Ok(ServerFrame::Pong) => self.server_answered(),
            Ok(ServerFrame::Promoted { epoch }) => self.promoted(epoch, out),
            Ok(ServerFrame::RootReady { epoch }) => {
                self.bootstrap.told = epoch;
                self.root_ready();
            }
            Ok(ServerFrame::Join(frame)) => self.server_join_frame(from, frame, out),
            Err(error) => {
                self.stats.server_garbage += 1;
                let refusal = match error {
                    WireError::Version(_) => Refusal::Version,
                    WireError::TooLong(_) | WireError::Malformed => Refusal::Malformed,
                };
                out.push(Action::CloseBootstrap(from));
                self.bootstrap_failed(Some(refusal), Duration::ZERO, out);
            }
        }
    }

    pub(super) fn bootstrap_closed(&mut self, id: BootstrapId, out: &mut Vec<Action>) {
        if self.bootstrap.id() == Some(id) {
            self.bootstrap_failed(None, Duration::ZERO, out);
        } else {
            self.stats.late_events += 1;
        }
    }

    pub(super) fn expire_bootstrap(&mut self, out: &mut Vec<Action>) {
        if self.bootstrap.deadline().is_none_or(|due| due > self.now) {
            return;
        }
        let now = self.now;
        match &mut self.bootstrap.session {
            Session::Closed => {}
            Session::Waiting { .. } => self.connect_bootstrap(out),
            Session::Ready {
                id,
                rhythm,
                heard,
                ping: ping @ Ping::Answered(_),
                ..
            } if *heard + rhythm.patience > now => {
                *ping = Ping::Asked(now);
                let ping = wire::encode(&ClientFrame::Ping);
                out.push(Action::SendBootstrap(*id, ping));
            }
            Session::Connecting { id, .. }
            | Session::Greeting { id, .. }
            | Session::Ready { id, .. } => {
                out.push(Action::CloseBootstrap(*id));
                self.bootstrap_failed(None, Duration::ZERO, out);
            }
        }
    }

    /// Sends a join's frame to the server, if there is a connection that takes it.
    pub(super) fn send_server(&mut self, frame: JoinFrame, out: &mut Vec<Action>) {
        match &self.bootstrap.session {
            Session::Ready { id, .. } => {
                let bytes = wire::encode(&ClientFrame::Join(frame));
                out.push(Action::SendBootstrap(*id, bytes));
            }
            _ => self.stats.join_frames_dropped += 1,
        }
    }

    /// Whether `id` is the connection that frames can be sent on now.
    pub(super) fn is_current_bootstrap(&self, id: BootstrapId) -> bool {
        self.bootstrap.is_ready() && self.bootstrap.id() == Some(id)
    }

    fn connect_bootstrap(&mut self, out: &mut Vec<Action>) {
        self.bootstrap.tries = self.bootstrap.tries.wrapping_add(1);
        let id = BootstrapId(self.bootstrap.tries);
        self.bootstrap.session = Session::Connecting {
            id,
            deadline: self.now + self.config.bootstrap_timeout,
        };
        out.push(Action::ConnectBootstrap(id));
    }

    fn registered(
        &mut self,
        id: BootstrapId,
        rhythm: Rhythm,
        post: Post,
        epoch: Epoch,
        out: &mut Vec<Action>,
    ) {
        let Session::Greeting { asked, .. } = self.bootstrap.session else {
            return;
        };
        let rhythm = match post {
            Post::Root => rhythm.of_root(),
            Post::Joiner | Post::Standby => rhythm,
        };
        self.bootstrap.failures = 0;
        self.bootstrap.session = Session::Ready {
            id,
            post,
            rhythm,
            heard: self.now,
            ping: Ping::Answered(self.now),
            lease: asked + rhythm.lease,
        };
        if post != Post::Joiner && !self.bootstrap.wants_crown() {
            self.stats.server_garbage += 1;
            out.push(Action::CloseBootstrap(id));
            self.bootstrap_failed(Some(Refusal::Malformed), Duration::ZERO, out);
            return;
        }
        self.bootstrap.told = epoch;
        notify(Notification::BootstrapReady, out);
        match post {
            Post::Joiner => self.stands_down(epoch, out),
            Post::Standby => {
                notify(Notification::StandingBy { epoch }, out);
                self.stands_down(epoch, out);
            }
            Post::Root => self.crowned(epoch, out),
        }
    }

    /// What a root was told when it asked holds from the moment at which it asked.
    fn server_answered(&mut self) {
        if let Session::Ready {
            rhythm,
            ping,
            lease,
            ..
        } = &mut self.bootstrap.session
            && let Ping::Asked(asked) = *ping
        {
            *ping = Ping::Answered(asked);
            *lease = asked + rhythm.lease;
        }
    }

    /// The server makes this standby the root.
    fn promoted(&mut self, epoch: Epoch, out: &mut Vec<Action>) {
        if !self.bootstrap.wants_crown() {
            self.stats.server_garbage += 1;
            return;
        }
        self.bootstrap.told = epoch;
        if let Session::Ready {
            post,
            rhythm,
            heard,
            ping,
            ..
        } = &mut self.bootstrap.session
        {
            *post = Post::Root;
            // From here on it is asked as often as by a root; the first answer brings the lease.
            *rhythm = rhythm.of_root();
            if matches!(ping, Ping::Answered(_)) {
                *ping = Ping::Answered(heard.before(rhythm.keepalive));
            }
        }
        self.crowned(epoch, out);
    }

    fn server_join_frame(&mut self, id: BootstrapId, frame: JoinFrame, out: &mut Vec<Action>) {
        match (&self.role, frame) {
            (Role::Root, JoinFrame::Request(request)) => {
                self.admit(Hop::Server(id), request, out);
            }
            (Role::Root, frame) => self.route(Hop::Server(id), frame, out),
            (Role::Joining(_), frame) => self.own_join_frame(frame, out),
            _ => self.stats.join_frames_dropped += 1,
        }
    }

    /// Whether a root may take in whom the server sends: until its lease is over nobody else is made the root.
    pub(super) fn may_take_from(&self, from: Hop) -> bool {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::LeaseIgnored) {
            return true;
        }
        match (from, &self.bootstrap.session) {
            (Hop::Link(_), _) => true,
            (Hop::Server(_), Session::Ready { lease, .. }) => self.now < *lease,
            (Hop::Server(_), _) => false,
        }
    }

    /// The connection has failed, is refused, or is gone.
    fn bootstrap_failed(
        &mut self,
        refusal: Option<Refusal>,
        retry_after: Duration,
        out: &mut Vec<Action>,
    ) {
        if let Some(id) = self.bootstrap.id() {
            self.forget_parked_from(Hop::Server(id));
        }
        // What the operator got wrong, another try does not mend.
        let hopeless = matches!(
            refusal,
            Some(Refusal::Version | Refusal::WrongToken | Refusal::UnknownOverlay)
        );
        let retry_in = (!hopeless).then(|| {
            self.bootstrap.failures = self.bootstrap.failures.saturating_add(1);
            let failures = self.bootstrap.failures;
            let wait = backoff::after_failures(failures, &self.config, &mut self.random);
            wait.max(retry_after.min(self.config.retry_max))
        });
        self.bootstrap.session = retry_in.map_or(Session::Closed, |wait| Session::Waiting {
            until: self.now + wait,
        });
        notify(Notification::BootstrapLost { refusal, retry_in }, out);
        if retry_in.is_some() {
            self.introduction_lost(out);
        } else {
            self.bootstrap.wanted = None;
            self.give_up(out);
        }
    }
}
