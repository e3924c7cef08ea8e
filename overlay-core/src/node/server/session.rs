//! One connection to the server, step by step.

use core::time::Duration;

use super::keepalive::{Ping, Rhythm};
use crate::id::BootstrapId;
use crate::time::Instant;
use crate::wire::ClientRole;

/// The state of the connection to the server. It changes by the transitions below alone.
///
/// | from | by | to |
/// |---|---|---|
/// | closed, waiting | the next try | connecting |
/// | connecting | the server accepts the connection | greeting |
/// | greeting | the server's welcome | registered |
/// | registered | a ping, its answer, a promotion | registered |
/// | any | a failure that another try may mend | waiting |
/// | any | a failure that no try mends; the node needs the server no more | closed |
#[derive(Debug)]
pub(super) enum Session {
    /// No connection is wanted.
    Closed,
    /// No connection; the next try is at `until`.
    Waiting { until: Instant },
    /// The embedder connects.
    Connecting { id: BootstrapId, deadline: Instant },
    /// The server has yet to answer the first frame, sent at `asked`.
    Greeting {
        id: BootstrapId,
        asked: Instant,
        deadline: Instant,
    },
    /// The server has answered.
    Registered {
        id: BootstrapId,
        role: ClientRole,
        rhythm: Rhythm,
        heard: Instant,
        ping: Ping,
        /// The end of the time in which a root may admit joiners.
        lease: Instant,
    },
}

impl Session {
    /// The try that the session belongs to.
    pub(super) const fn id(&self) -> Option<BootstrapId> {
        match self {
            Self::Closed | Self::Waiting { .. } => None,
            Self::Connecting { id, .. }
            | Self::Greeting { id, .. }
            | Self::Registered { id, .. } => Some(*id),
        }
    }

    /// The role that the server has given this node.
    pub(super) const fn role(&self) -> Option<ClientRole> {
        match self {
            Self::Registered { role, .. } => Some(*role),
            _ => None,
        }
    }

    /// Begins a try. An earlier connection is over, so nothing of its state remains.
    pub(super) fn connect(&mut self, id: BootstrapId, deadline: Instant) {
        debug_assert!(self.id().is_none(), "one connection at a time");
        *self = Self::Connecting { id, deadline };
    }

    /// The server has accepted the connection `opened`. False, and nothing has changed, if it is not the one that is
    /// being made.
    pub(super) fn greet(&mut self, opened: BootstrapId, now: Instant, deadline: Instant) -> bool {
        let expected = matches!(self, Self::Connecting { id, .. } if *id == opened);
        if expected {
            *self = Self::Greeting {
                id: opened,
                asked: now,
                deadline,
            };
        }
        expected
    }

    /// The server has registered the node. The lease counts from when the node asked. Returns the connection; `None`,
    /// and nothing has changed, if the node has not asked.
    pub(super) fn register(
        &mut self,
        role: ClientRole,
        rhythm: Rhythm,
        now: Instant,
    ) -> Option<BootstrapId> {
        let Self::Greeting { id, asked, .. } = *self else {
            return None;
        };
        *self = Self::Registered {
            id,
            role,
            rhythm,
            heard: now,
            ping: Ping::Answered(now),
            lease: asked + rhythm.lease,
        };
        Some(id)
    }

    /// The server has sent something.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Self::Registered { heard, .. } = self {
            *heard = now;
        }
    }

    /// Asks the server for a sign of life, if it is time and the server has not been silent for too long. Returns the
    /// connection to ask on.
    pub(super) fn ask(&mut self, now: Instant) -> Option<BootstrapId> {
        match self {
            Self::Registered {
                id,
                rhythm,
                heard,
                ping: ping @ Ping::Answered(_),
                ..
            } if *heard + rhythm.silence_limit > now => {
                *ping = Ping::Asked(now);
                Some(*id)
            }
            _ => None,
        }
    }

    /// The connection is over; the next try is at `until`.
    pub(super) fn wait(&mut self, until: Instant) {
        *self = Self::Waiting { until };
    }

    /// The connection is over, and no other is wanted.
    pub(super) fn close(&mut self) {
        *self = Self::Closed;
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match *self {
            Self::Closed => None,
            Self::Waiting { until } => Some(until),
            Self::Connecting { deadline, .. } | Self::Greeting { deadline, .. } => Some(deadline),
            Self::Registered {
                rhythm,
                heard,
                ping,
                ..
            } => Some(match ping {
                Ping::Answered(asked) => {
                    (asked + rhythm.keepalive).min(heard + rhythm.silence_limit)
                }
                Ping::Asked(_) => heard + rhythm.silence_limit,
            }),
        }
    }

    /// Time that the node slept through does not count as the server's silence.
    pub(super) fn forgive(&mut self, late: Duration, now: Instant) {
        if let Self::Registered { heard, .. } = self {
            *heard = (*heard + late).min(now);
        }
    }

    /// The server has given its sign of life. What a root was told when it asked holds from the moment at which it
    /// asked.
    pub(super) fn answered(&mut self) {
        if let Self::Registered {
            rhythm,
            ping,
            lease,
            ..
        } = self
            && let Ping::Asked(asked) = *ping
        {
            *ping = Ping::Answered(asked);
            *lease = asked + rhythm.lease;
        }
    }

    /// The server takes this standby for a mere joiner.
    pub(super) const fn demoted(&mut self) {
        if let Self::Registered { role, .. } = self {
            *role = ClientRole::Joiner;
        }
    }

    /// The server has made this standby the root. From here on the server is asked as often as by a root; its first
    /// answer brings the lease.
    pub(super) fn promoted(&mut self) {
        if let Self::Registered {
            role,
            rhythm,
            heard,
            ping,
            ..
        } = self
        {
            *role = ClientRole::Root;
            *rhythm = rhythm.of_root();
            if matches!(ping, Ping::Answered(_)) {
                *ping = Ping::Answered(heard.before(rhythm.keepalive));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const ID: BootstrapId = BootstrapId(1);
    const NOW: Instant = Instant::from_micros(60_000_000);
    const STATES: [&str; 5] = ["closed", "waiting", "connecting", "greeting", "registered"];

    fn rhythm() -> Rhythm {
        Rhythm::new(10_000, 30_000)
    }

    fn state(name: &str) -> Session {
        let mut session = Session::Closed;
        let step = STATES.iter().position(|state| *state == name).unwrap();
        if step == 1 {
            session.wait(NOW);
        }
        if step >= 2 {
            session.connect(ID, NOW);
        }
        if step >= 3 {
            session.greet(ID, NOW, NOW);
        }
        if step >= 4 {
            session.register(ClientRole::Joiner, rhythm(), NOW);
        }
        session
    }

    fn name(session: &Session) -> &'static str {
        match session {
            Session::Closed => "closed",
            Session::Waiting { .. } => "waiting",
            Session::Connecting { .. } => "connecting",
            Session::Greeting { .. } => "greeting",
            Session::Registered { .. } => "registered",
        }
    }

    /// The state that each state changes to.
    fn after<R>(transition: impl Fn(&mut Session) -> R) -> Vec<&'static str> {
        let changed = |state_name: &&str| {
            let mut session = state(state_name);
            let _ = transition(&mut session);
            name(&session)
        };
        STATES.iter().map(changed).collect()
    }

    #[test]
    fn every_state_has_one_answer_to_every_transition() {
        let accepted = after(|session| session.greet(ID, NOW, NOW));
        let other = after(|session| session.greet(BootstrapId(2), NOW, NOW));
        let welcomed = after(|session| session.register(ClientRole::Root, rhythm(), NOW));
        assert_eq!(
            accepted,
            ["closed", "waiting", "greeting", "greeting", "registered"]
        );
        assert_eq!(other, STATES);
        assert_eq!(
            welcomed,
            [
                "closed",
                "waiting",
                "connecting",
                "registered",
                "registered"
            ]
        );
        assert_eq!(after(|session| session.ask(NOW)), STATES);
        assert_eq!(after(Session::promoted), STATES);
        assert_eq!(after(Session::answered), STATES);
        assert_eq!(after(|session| session.wait(NOW)), ["waiting"; 5]);
        assert_eq!(after(Session::close), ["closed"; 5]);
    }

    #[test]
    fn only_a_registered_node_asks_for_a_sign_of_life_and_only_once() {
        for name in STATES {
            let mut session = state(name);
            assert_eq!(session.ask(NOW).is_some(), name == "registered");
            assert_eq!(session.ask(NOW), None);
        }
    }

    #[test]
    fn a_silent_server_is_not_asked_again() {
        let mut session = state("registered");
        assert_eq!(session.ask(NOW + rhythm().silence_limit), None);
    }
}
