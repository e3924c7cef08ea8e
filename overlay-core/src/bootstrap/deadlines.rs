//! One deadline for each connection, the earliest at hand.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::id::ConnectionId;
use crate::time::Instant;

/// The deadlines, ordered: thousands of connections cost no scan.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    ordered: BTreeSet<(Instant, ConnectionId)>,
    of: BTreeMap<ConnectionId, Instant>,
}

impl Deadlines {
    /// Replaces the deadline of `connection`.
    pub(super) fn set(&mut self, connection: ConnectionId, at: Instant) {
        if let Some(old) = self.of.insert(connection, at) {
            self.ordered.remove(&(old, connection));
        }
        self.ordered.insert((at, connection));
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) {
        if let Some(at) = self.of.remove(&connection) {
            self.ordered.remove(&(at, connection));
        }
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.ordered.first().map(|(at, _)| *at)
    }

    /// A connection whose deadline has come.
    pub(super) fn due(&self, now: Instant) -> Option<ConnectionId> {
        let (at, connection) = self.ordered.first()?;
        (*at <= now).then_some(*connection)
    }
}
