//! The connection to the bootstrap server. Only joiners, the root and its standbys have one.

mod keepalive;
mod session;

use core::time::Duration;

use keepalive::Rhythm;
use session::Session;

use super::effects::Effects;
use super::routing::Peer;
use crate::action::Action;
use crate::backoff;
use crate::id::{BootstrapId, Epoch};
use crate::notification::Notification;
use crate::time::Instant;
use crate::wire::{
    self, ClientFrame, ClientRole, Ended, JoinFrame, Refusal, Registration, ResumeSecret,
    ServerFrame, Token, VERSION, WireError,
};

/// The goal of this node at the server, and how far it is.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The role that the node wants; `None` while it wants no connection.
    goal: Option<Goal>,
    session: Session,
    /// The number of connections tried: the id of the latest.
    tries: u32,
    /// Tries that have failed since a registration last succeeded.
    failures: u32,
    /// The overlay's epoch as the server last told it: what neighbours say of it may be a lie.
    told: Epoch,
}

/// A role that a node wants.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// A joiner that is introduced to the root.
    Join,
    /// The root, or a standby. The token proves its right.
    Lead(Token),
}

/// News from the server, or of its connection, for the rest of the node.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The node is registered.
    Registered { role: ClientRole, epoch: Epoch },
    /// The node is the root now.
    Promoted(Epoch),
    /// The overlay has a root now.
    RootReady,
    /// The overlay has no root, because its stream has ended.
    Ended(Ended),
    /// A join's frame.
    Join(BootstrapId, JoinFrame),
    /// The connection is gone, or refused.
    Lost(Lost),
}

/// A connection that is gone.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) id: BootstrapId,
    /// Whether another try may succeed, and follows.
    pub(crate) retries: bool,
}

impl Connection {
    pub(crate) const fn new() -> Self {
        Self {
            goal: None,
            session: Session::Closed,
            tries: 0,
            failures: 0,
            told: Epoch(0),
        }
    }

    pub(crate) const fn is_registered(&self) -> bool {
        self.session.role().is_some()
    }

    /// Whether `id` is the connection that frames can be sent on now.
    pub(crate) fn is_current(&self, id: BootstrapId) -> bool {
        self.is_registered() && self.session.id() == Some(id)
    }

    pub(crate) const fn wants_to_lead(&self) -> bool {
        matches!(self.goal, Some(Goal::Lead(_)))
    }

    /// The epoch that the server has told, if it has told one.
    pub(crate) fn told(&self) -> Option<Epoch> {
        (self.told > Epoch::default()).then_some(self.told)
    }

    /// Whether joiners from `peer` may be admitted. A root *holds a lease*: it admits a joiner that the server
    /// sends only for so long after it has asked the server for a sign of life that was answered. The server makes
    /// no other node the root before that is over, so no two roots admit joiners at once.
    pub(crate) fn may_admit_from(&self, peer: Peer, fx: &Effects) -> bool {
        match (peer, &self.session) {
            (Peer::Link(_), _) => true,
            (Peer::Server(_), Session::Registered { lease, .. }) => {
                fx.now < *lease || planted!(fx.config, LeaseIgnored)
            }
            (Peer::Server(_), _) => planted!(fx.config, LeaseIgnored),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.session.next_deadline()
    }

    /// Time that the node slept through does not count as the server's silence.
    pub(crate) fn forgive(&mut self, late: Duration, now: Instant) {
        self.session.forgive(late, now);
    }

    /// Wants to be this.
    pub(crate) fn pursue(&mut self, goal: Goal, fx: &mut Effects) {
        self.goal = Some(goal);
        let idle = match self.session {
            Session::Closed => true,
            // Nothing has failed: a member waits until it asks again to lead.
            Session::Waiting { .. } => self.failures == 0,
            _ => false,
        };
        if idle {
            self.connect(fx);
        }
    }

    /// Wants to be introduced to the root; a standby is introduced as what it is.
    pub(crate) fn seek_introduction(&mut self, fx: &mut Effects) {
        let goal = self.goal.take().unwrap_or(Goal::Join);
        self.pursue(goal, fx);
    }

    /// The node is in the tree. A standby goes on being one; others need the server no more.
    pub(crate) fn introduction_over(&mut self, fx: &mut Effects) {
        self.failures = 0;
        if !self.wants_to_lead() {
            if !planted!(fx.config, ServerKept) {
                self.close(None, fx);
            }
        } else if self.hang_up_as_joiner(fx) {
            self.session.wait(fx.now + fx.config.retry_max);
        }
    }

    /// There is no root: if this node wants to lead and the server had standbys enough, that may be over.
    pub(crate) fn ask_again_to_lead(&mut self, fx: &mut Effects) {
        if self.hang_up_as_joiner(fx) {
            self.connect(fx);
        }
    }

    /// The node needs the server no more. `ended`: where the stream ended, if this node was the root.
    pub(crate) fn close(&mut self, ended: Option<Ended>, fx: &mut Effects) {
        self.goal = None;
        self.failures = 0;
        if let Some(id) = self.session.id() {
            if self.session.role() == Some(ClientRole::Root) {
                say(id, &ClientFrame::StepDown { ended }, fx);
            }
            fx.act(Action::CloseBootstrap(id));
        }
        self.told = Epoch::default();
        self.session.close();
    }

    /// The server has accepted the connection: says hello. `leads`: the epoch in which this node is the root, if it
    /// is.
    pub(crate) fn opened(&mut self, id: BootstrapId, leads: Option<Epoch>, fx: &mut Effects) {
        let deadline = fx.now + fx.config.bootstrap_timeout;
        let expected = self.session.greet(id, fx.now, deadline);
        let Some(goal) = self.goal.as_ref().filter(|_| expected) else {
            fx.stats.late_events += 1;
            return;
        };
        let registration = match goal {
            Goal::Join => Registration::Joiner,
            Goal::Lead(token) => Registration::Root {
                token: token.clone(),
                epoch: leads.unwrap_or(self.told),
                leads: leads.is_some(),
            },
        };
        let hello = ClientFrame::Hello {
            version: VERSION,
            overlay: fx.config.overlay.clone(),
            id: fx.id,
            secret: ResumeSecret::from_bytes(fx.rng.secret()),
            registration,
        };
        say(id, &hello, fx);
    }

    /// The server has sent a message.
    pub(crate) fn message(
        &mut self,
        from: BootstrapId,
        bytes: &[u8],
        fx: &mut Effects,
    ) -> Option<Heard> {
        if self.session.id() != Some(from) {
            fx.stats.late_events += 1;
            return None;
        }
        self.session.heard(fx.now);
        match wire::decode::<ServerFrame>(bytes) {
            Ok(ServerFrame::Welcome {
                keepalive_ms,
                role,
                epoch,
                lease_ms,
                ..
            }) => self.welcomed(Rhythm::new(keepalive_ms, lease_ms), role, epoch, fx),
            Ok(ServerFrame::Refused {
                refusal,
                retry_after_ms,
                ..
            }) => {
                let wait = Duration::from_millis(u64::from(retry_after_ms));
                Some(self.hang_up(from, Some(refusal), wait, fx))
            }
            Ok(ServerFrame::Pong) => {
                self.session.answered();
                None
            }
            Ok(ServerFrame::Promoted { epoch }) => self.promoted(epoch, fx),
            Ok(ServerFrame::RootReady { epoch }) => {
                self.told = epoch;
                Some(Heard::RootReady)
            }
            Ok(ServerFrame::Ended(ended)) => {
                // A standby has nothing to take over any more.
                self.goal = self.goal.take().map(|_| Goal::Join);
                self.session.demoted();
                Some(Heard::Ended(ended))
            }
            Ok(ServerFrame::Join(frame)) => Some(Heard::Join(from, frame)),
            Err(error) => {
                fx.stats.server_garbage += 1;
                let refusal = match error {
                    WireError::Version(_) => Refusal::Version,
                    WireError::TooLong(_) | WireError::Malformed => Refusal::Malformed,
                };
                Some(self.hang_up(from, Some(refusal), Duration::ZERO, fx))
            }
        }
    }

    /// The connection has failed, or the server has closed it.
    pub(crate) fn closed(&mut self, id: BootstrapId, fx: &mut Effects) -> Option<Heard> {
        if self.session.id() == Some(id) {
            Some(self.failed(id, None, Duration::ZERO, fx))
        } else {
            fx.stats.late_events += 1;
            None
        }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, fx: &mut Effects) -> Option<Heard> {
        if self.next_deadline().is_none_or(|due| due > fx.now) {
            return None;
        }
        if let Some(id) = self.session.ask(fx.now) {
            say(id, &ClientFrame::Ping, fx);
            return None;
        }
        // What is due without a connection is the next try.
        let Some(id) = self.session.id() else {
            self.connect(fx);
            return None;
        };
        Some(self.hang_up(id, None, Duration::ZERO, fx))
    }

    /// Sends a join's frame, if there is a connection that takes it.
    pub(crate) fn send_join(&self, frame: JoinFrame, fx: &mut Effects) {
        match &self.session {
            Session::Registered { id, .. } => say(*id, &ClientFrame::Join(frame), fx),
            _ => fx.stats.join_frames_dropped += 1,
        }
    }

    fn connect(&mut self, fx: &mut Effects) {
        self.tries = self.tries.wrapping_add(1);
        let id = BootstrapId(self.tries);
        let deadline = fx.now + fx.config.bootstrap_timeout;
        self.session.connect(id, deadline);
        fx.act(Action::ConnectBootstrap(id));
    }

    /// Hangs up, if this node wants to lead and the server takes it for a mere joiner.
    fn hang_up_as_joiner(&mut self, fx: &mut Effects) -> bool {
        let joiner = self.session.role() == Some(ClientRole::Joiner);
        let Some(id) = self.session.id().filter(|_| joiner && self.wants_to_lead()) else {
            return false;
        };
        fx.act(Action::CloseBootstrap(id));
        self.session.close();
        true
    }

    fn welcomed(
        &mut self,
        rhythm: Rhythm,
        role: ClientRole,
        epoch: Epoch,
        fx: &mut Effects,
    ) -> Option<Heard> {
        let rhythm = match role {
            ClientRole::Root => rhythm.of_root(),
            ClientRole::Joiner | ClientRole::Standby => rhythm,
        };
        let id = self.session.register(role, rhythm, fx.now)?;
        self.failures = 0;
        if role != ClientRole::Joiner && !self.wants_to_lead() {
            fx.stats.server_garbage += 1;
            return Some(self.hang_up(id, Some(Refusal::Malformed), Duration::ZERO, fx));
        }
        self.told = epoch;
        fx.notify(Notification::BootstrapReady);
        Some(Heard::Registered { role, epoch })
    }

    /// The server makes this standby the root.
    fn promoted(&mut self, epoch: Epoch, fx: &mut Effects) -> Option<Heard> {
        if !self.wants_to_lead() {
            fx.stats.server_garbage += 1;
            return None;
        }
        self.told = epoch;
        self.session.promoted();
        Some(Heard::Promoted(epoch))
    }

    fn hang_up(
        &mut self,
        id: BootstrapId,
        refusal: Option<Refusal>,
        retry_after: Duration,
        fx: &mut Effects,
    ) -> Heard {
        fx.act(Action::CloseBootstrap(id));
        self.failed(id, refusal, retry_after, fx)
    }

    /// The connection has failed, is refused, or is gone.
    fn failed(
        &mut self,
        id: BootstrapId,
        refusal: Option<Refusal>,
        retry_after: Duration,
        fx: &mut Effects,
    ) -> Heard {
        // What the operator got wrong, another try does not mend.
        let hopeless = matches!(
            refusal,
            Some(Refusal::Version | Refusal::WrongToken | Refusal::UnknownOverlay)
        );
        let retry_in = (!hopeless).then(|| {
            self.failures = self.failures.saturating_add(1);
            let wait = backoff::after_failures(self.failures, &fx.config, &mut fx.rng);
            wait.max(retry_after.min(fx.config.retry_max))
        });
        if let Some(wait) = retry_in {
            self.session.wait(fx.now + wait);
        } else {
            self.session.close();
            self.goal = None;
        }
        fx.notify(Notification::BootstrapLost { refusal, retry_in });
        let retries = retry_in.is_some();
        Heard::Lost(Lost { id, retries })
    }
}

fn say(id: BootstrapId, frame: &ClientFrame, fx: &mut Effects) {
    fx.act(Action::SendBootstrap(id, wire::encode(frame)));
}
