//! The connected clients, and what each of them has become.

use alloc::vec::Vec;

use super::Config;
use super::overlay::OverlayKey;
use super::rate::Meter;
use super::source::{Source, SourceCounts};
use crate::arena::Arena;
use crate::expiring::Expiring;
use crate::id::{ConnectionId, NodeId};
use crate::time::Instant;
use crate::wire::ResumeSecret;

/// A connected client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) source: Source,
    pub(super) accepted: Instant,
    /// When the client last sent anything.
    pub(super) heard: Instant,
    pub(super) meter: Meter,
    role: Role,
}

/// The state of a client. It changes only by the transitions of [`Session`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// The client has not said hello yet.
    Greeting,
    /// A node in search of a parent.
    Joiner {
        client: Client,
        /// The number of the last attempt on this connection; 0 before the first.
        last_attempt: u32,
    },
    /// A joiner that becomes the root when the overlay has lost its own.
    Standby { client: Client, last_attempt: u32 },
    /// The root of its overlay.
    Root {
        client: Client,
        /// Whether the root has said that it leaves for good.
        stepped_down: bool,
    },
}

/// The name of a client. While its session lasts, the client is the member of its overlay with this id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) overlay: OverlayKey,
    pub(super) id: NodeId,
    pub(super) secret: ResumeSecret,
}

impl Session {
    pub(super) fn new(source: Source, config: &Config, now: Instant) -> Self {
        Self {
            source,
            accepted: now,
            heard: now,
            meter: Meter::new(config.joiner_traffic, now),
            role: Role::Greeting,
        }
    }

    pub(super) const fn role(&self) -> Role {
        self.role
    }

    /// Greeting → Joiner.
    pub(super) fn join(&mut self, client: Client) {
        debug_assert!(matches!(self.role, Role::Greeting), "one hello");
        self.role = Role::Joiner {
            client,
            last_attempt: 0,
        };
    }

    /// Greeting → Standby.
    pub(super) fn stand_by(&mut self, client: Client) {
        debug_assert!(matches!(self.role, Role::Greeting), "one hello");
        self.role = Role::Standby {
            client,
            last_attempt: 0,
        };
    }

    /// Greeting or Standby → Root.
    pub(super) fn lead(&mut self, client: Client, config: &Config, now: Instant) {
        debug_assert!(
            matches!(self.role, Role::Greeting | Role::Standby { .. }),
            "a joiner is not promoted, and a root only once"
        );
        self.role = Role::Root {
            client,
            stepped_down: false,
        };
        // A standby speaks less often than a root must: its silence so far does not count.
        self.heard = now;
        self.meter = Meter::new(config.root_traffic, now);
    }

    /// Standby → Joiner: there is nothing to take over.
    pub(super) const fn demote(&mut self) {
        if let Role::Standby {
            client,
            last_attempt,
        } = self.role
        {
            self.role = Role::Joiner {
                client,
                last_attempt,
            };
        }
    }

    /// Root → Root that leaves for good.
    pub(super) const fn step_down(&mut self) {
        if let Role::Root { stepped_down, .. } = &mut self.role {
            *stepped_down = true;
        }
    }

    /// Whether `attempt` is a new one of this joiner. Then no number up to it is new any more.
    pub(super) const fn begins(&mut self, attempt: u32) -> bool {
        match &mut self.role {
            Role::Joiner { last_attempt, .. } | Role::Standby { last_attempt, .. }
                if attempt > *last_attempt =>
            {
                *last_attempt = attempt;
                true
            }
            _ => false,
        }
    }
}

impl Role {
    pub(super) const fn client(&self) -> Option<Client> {
        match self {
            Self::Greeting => None,
            Self::Joiner { client, .. }
            | Self::Standby { client, .. }
            | Self::Root { client, .. } => Some(*client),
        }
    }
}

/// All sessions, each with a deadline, and how many come from each source.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    table: Arena<ConnectionId, Session>,
    deadlines: Expiring<ConnectionId>,
    sources: SourceCounts,
}

impl Sessions {
    pub(super) fn open(&mut self, session: Session) -> ConnectionId {
        self.sources.enter(session.source);
        self.table.insert(session)
    }

    pub(super) fn close(&mut self, id: ConnectionId) -> Option<Session> {
        let session = self.table.remove(id)?;
        self.sources.leave(session.source);
        self.deadlines.remove(&id);
        Some(session)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Session> {
        self.table.get(id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Session> {
        self.table.get_mut(id)
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn count_from(&self, source: Source) -> usize {
        self.sources.of(source)
    }

    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.table.iter().map(|(id, _)| id).collect()
    }

    /// Replaces the deadline of a session.
    pub(super) fn schedule(&mut self, id: ConnectionId, at: Instant) {
        self.deadlines.insert(id, at, ());
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next_deadline()
    }

    /// A session whose deadline has come. It has none until it is given the next one.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<ConnectionId> {
        self.deadlines.pop_due(now).map(|(id, ())| id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Access;
    use super::super::overlay::Overlays;
    use super::*;
    use crate::wire::OverlayName;

    const NOW: Instant = Instant::from_millis(9);

    fn session() -> (Session, Client, Config) {
        let config = Config::new(Access::default());
        let mut sessions = Sessions::default();
        let id = sessions.open(Session::new(Source(1), &config, Instant::ZERO));
        let node = NodeId::from_u128(1);
        let client = Client {
            overlay: Overlays::default().enter(&OverlayName::default(), node, id),
            id: node,
            secret: ResumeSecret::from_bytes([1; 16]),
        };
        let session = sessions.close(id).unwrap();
        (session, client, config)
    }

    /// One session in each role, in the order of [`Role`].
    fn in_each_role() -> [Session; 4] {
        let [greeting, mut joiner, mut standby, mut root] = [(); 4].map(|()| session());
        joiner.0.join(joiner.1);
        standby.0.stand_by(standby.1);
        root.0.lead(root.1, &root.2, NOW);
        [greeting, joiner, standby, root].map(|(session, ..)| session)
    }

    #[test]
    fn a_session_has_a_client_from_its_hello_on() {
        let [greeting, others @ ..] = in_each_role();
        assert!(greeting.role().client().is_none());
        assert!(
            others
                .iter()
                .all(|session| session.role().client().is_some())
        );
    }

    #[test]
    fn a_promoted_standby_is_a_root_that_has_just_been_heard() {
        let (mut session, client, config) = session();
        session.stand_by(client);
        session.lead(client, &config, NOW);
        assert!(matches!(
            session.role(),
            Role::Root {
                stepped_down: false,
                ..
            }
        ));
        assert_eq!(session.heard, NOW);
    }

    #[test]
    fn only_a_root_steps_down() {
        for mut session in in_each_role() {
            let was_root = matches!(session.role(), Role::Root { .. });
            session.step_down();
            let has_stepped_down = matches!(
                session.role(),
                Role::Root {
                    stepped_down: true,
                    ..
                }
            );
            assert_eq!(has_stepped_down, was_root);
        }
    }

    #[test]
    fn only_joiners_and_standbys_begin_attempts_and_each_number_once() {
        let [mut greeting, mut joiner, mut standby, mut root] = in_each_role();
        assert!(!greeting.begins(1) && !root.begins(1));
        for session in [&mut joiner, &mut standby] {
            let begun = [0, 2, 2, 1, 3].map(|attempt| session.begins(attempt));
            assert_eq!(begun, [false, true, false, false, true]);
        }
    }
}
