//! The connection to the bootstrap server: only joiners and the root have one.

use alloc::vec::Vec;
use core::time::Duration;

use super::routing::Hop;
use super::{Node, Role, notify};
use crate::action::{Action, Notification};
use crate::backoff;
use crate::id::BootstrapId;
use crate::time::Instant;
use crate::wire::{
    self, ClientFrame, JoinFrame, Refusal, Registration, ServerFrame, VERSION, WireError,
};

/// What this node wants of the server and how far it is.
#[derive(Debug, Default)]
pub(super) struct Bootstrap {
    /// What the node wants to be; `None` while it wants no connection.
    wanted: Option<Registration>,
    session: Session,
    /// How many connections were tried: the id of the latest.
    tries: u32,
    /// Tries that have failed since a registration last succeeded.
    failures: u32,
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
    /// The server has yet to answer the first frame.
    Greeting { id: BootstrapId, deadline: Instant },
    /// Registered.
    Ready {
        id: BootstrapId,
        keepalive: Duration,
        heard: Instant,
        /// When it was last asked for a sign of life. What else it is sent calls for no answer.
        pinged: Instant,
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
                keepalive,
                heard,
                pinged,
                ..
            } => Some((pinged + keepalive).min(heard + keepalive * 2)),
        }
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
    /// Wants to be known to the server as `registration`.
    pub(super) fn register(&mut self, registration: Registration, out: &mut Vec<Action>) {
        self.bootstrap.wanted = Some(registration);
        if matches!(self.bootstrap.session, Session::Closed) {
            self.connect_bootstrap(out);
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
            out.push(Action::CloseBootstrap(id));
        }
        self.bootstrap.session = Session::Closed;
    }

    pub(super) fn bootstrap_opened(&mut self, id: BootstrapId, out: &mut Vec<Action>) {
        let wanted = self.bootstrap.wanted.clone();
        let (Session::Connecting { id: current, .. }, Some(registration)) =
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
            registration,
        };
        out.push(Action::SendBootstrap(id, wire::encode(&hello)));
        self.bootstrap.session = Session::Greeting {
            id,
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
            Ok(ServerFrame::Welcome { keepalive_ms, .. }) => {
                self.registered(from, keepalive_ms, out);
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
            Ok(ServerFrame::Pong) => {}
            Ok(ServerFrame::RootReady) => self.root_ready(),
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
                keepalive,
                heard,
                pinged,
            } if *heard + *keepalive * 2 > now => {
                *pinged = now;
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

    fn registered(&mut self, id: BootstrapId, keepalive_ms: u32, out: &mut Vec<Action>) {
        if !matches!(self.bootstrap.session, Session::Greeting { .. }) {
            return;
        }
        self.bootstrap.failures = 0;
        self.bootstrap.session = Session::Ready {
            id,
            // A server that asks for a ping a millisecond gets one a second.
            keepalive: Duration::from_millis(u64::from(keepalive_ms.max(1_000))),
            heard: self.now,
            pinged: self.now,
        };
        notify(Notification::BootstrapReady, out);
        self.introduced(out);
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
