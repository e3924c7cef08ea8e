//! What becomes due on a session, and when.

use core::time::Duration;

use super::Server;
use super::session::{Client, Role};
use crate::id::ConnectionId;
use crate::time::Instant;
use crate::wire::Refusal;

/// A deadline of a session.
#[derive(Clone, Copy)]
enum Due {
    Refuse(Refusal),
    ForgetJoin(Client),
    Promote(Client),
}

impl Server {
    /// Does what has become due on a session.
    pub(super) fn expire(&mut self, id: ConnectionId) {
        while let Some((at, due)) = self.next_due(id)
            && at <= self.now
        {
            match due {
                Due::Refuse(refusal) => self.refuse(id, refusal),
                Due::ForgetJoin(client) => self.forget_join(client),
                Due::Promote(client) => self.promote(id, client),
            }
        }
        self.schedule(id);
    }

    /// Gives a session the deadline that follows from its state.
    pub(super) fn schedule(&mut self, id: ConnectionId) {
        if let Some((at, _)) = self.next_due(id) {
            self.sessions.schedule(id, at);
        }
    }

    /// The first deadline of a session, and its moment: the one source of the deadline and of what it does.
    fn next_due(&self, id: ConnectionId) -> Option<(Instant, Due)> {
        let session = self.sessions.get(id)?;
        let config = &self.config;
        let silence = |since, limit: Duration| (since + limit, Due::Refuse(Refusal::Silent));
        let silent_joiner = silence(session.heard, config.longest_silence());
        match session.role() {
            Role::Greeting => Some(silence(session.accepted, config.hello_timeout)),
            Role::Root { .. } => Some(silence(session.heard, config.root_lease)),
            Role::Joiner { client, .. } => {
                let over = session.accepted + config.max_joiner_session;
                let over = (over, Due::Refuse(Refusal::RateLimited));
                earliest([Some(silent_joiner), Some(over), self.join_due(client)])
            }
            Role::Standby { client, .. } => {
                let promotion = self.promoted_at(client);
                let promotion = promotion.map(|at| (at, Due::Promote(client)));
                earliest([Some(silent_joiner), self.join_due(client), promotion])
            }
        }
    }

    /// When the join of a client has taken too long.
    fn join_due(&self, client: Client) -> Option<(Instant, Due)> {
        let overlay = self.overlays.get(client.overlay)?;
        let join = overlay.joins().of(client.id)?;
        Some((
            join.since + self.config.join_timeout,
            Due::ForgetJoin(client),
        ))
    }

    /// A join has taken too long. Joiner and acceptor gave it up long ago, so neither is told.
    fn forget_join(&mut self, client: Client) {
        if let Some(overlay) = self.overlays.get_mut(client.overlay)
            && let Some((_, joins)) = overlay.root_mut()
            && joins.end_of(client.id).is_some()
        {
            self.counters.joins_expired += 1;
        }
    }
}

/// The first of those that are due at the same time.
fn earliest(dues: [Option<(Instant, Due)>; 3]) -> Option<(Instant, Due)> {
    dues.into_iter().flatten().min_by_key(|(at, _)| *at)
}
