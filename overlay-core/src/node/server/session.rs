//! One connection to the server, step by step.

use core::time::Duration;

use super::keepalive::{Ping, Rhythm};
use crate::id::BootstrapId;
use crate::time::Instant;
use crate::wire::ClientRole;

/// How far the connection to the server is.
#[derive(Debug)]
pub(super) enum Session {
    /// No connection is wanted.
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
    /// The server has answered.
    Registered {
        id: BootstrapId,
        role: ClientRole,
        rhythm: Rhythm,
        heard: Instant,
        ping: Ping,
        /// Until when a root may admit joiners.
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
                Ping::Answered(asked) => (asked + rhythm.keepalive).min(heard + rhythm.patience),
                Ping::Asked(_) => heard + rhythm.patience,
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
