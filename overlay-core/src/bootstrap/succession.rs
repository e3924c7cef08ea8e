//! Succession: how an overlay gets its root, and the next one.

use alloc::vec::Vec;

use super::overlay::OverlayKey;
use super::session::{Client, Role, Session};
use super::{Notice, Server};
use crate::id::{ConnectionId, Epoch};
use crate::time::Instant;
use crate::wire::{Ended, RejectReason, ServerFrame};

impl Server {
    /// Makes a member of an overlay its root.
    pub(super) fn lead(&mut self, id: ConnectionId, client: Client, epoch: Epoch) {
        let session = self.sessions.get_mut(id);
        let overlay = self.overlays.get_mut(client.overlay);
        if let (Some(session), Some(overlay)) = (session, overlay) {
            session.lead(client, &self.config, self.now);
            overlay.lead(client.id, epoch, id);
            let name = overlay.name().clone();
            self.overlays.forget_end(&name);
            self.outbox.notify(Notice::RootRegistered {
                overlay: name,
                id: client.id,
                epoch,
            });
        }
    }

    /// Makes a member of an overlay a standby.
    pub(super) fn stand_by(&mut self, id: ConnectionId, client: Client, seen: Epoch) {
        // A root that only the standby knows of is waited for as if it had just left.
        let until = self.now + self.config.root_grace.max(self.config.root_lease);
        let session = self.sessions.get_mut(id);
        let overlay = self.overlays.get_mut(client.overlay);
        if let (Some(session), Some(overlay)) = (session, overlay) {
            session.stand_by(client);
            overlay.stand_by(client.id, seen, until);
        }
    }

    /// When this standby is promoted: if it is the next one, as soon as the leadership is vacant for good.
    pub(super) fn promoted_at(&self, client: Client) -> Option<Instant> {
        let overlay = self.overlays.get(client.overlay)?;
        let is_next = overlay.next_standby() == Some(client.id);
        is_next.then(|| overlay.leadership().vacant_until())?
    }

    /// Makes a standby the root, in a new epoch.
    pub(super) fn promote(&mut self, id: ConnectionId, client: Client) {
        let overlay = self.overlays.get(client.overlay);
        let last = overlay.and_then(|overlay| overlay.leadership().epoch());
        let epoch = self.epochs.mint(self.now, last);
        self.counters.promotions += 1;
        self.lead(id, client, epoch);
        self.outbox.send(id, &ServerFrame::Promoted { epoch });
        self.tell_joiners(client.overlay);
    }

    /// A root leaves for good behind the end of its stream. All that wait for a root are told, and so are those that come
    /// within the next [`ended_memory`](super::Config::ended_memory). No standby takes over: there is nothing left to send.
    pub(super) fn stream_ended(&mut self, key: OverlayKey, ended: Ended) {
        let Some(overlay) = self.overlays.get_mut(key) else {
            return;
        };
        let name = overlay.name().clone();
        let standbys = overlay.dismiss_standbys();
        let waiting: Vec<_> = overlay.joiners().collect();
        for standby in standbys {
            if let Some(session) = self.sessions.get_mut(standby) {
                session.demote();
            }
            self.schedule(standby);
        }
        let frame = ServerFrame::Ended(ended.clone());
        for client in waiting {
            self.outbox.send(client, &frame);
        }
        self.outbox.notify(Notice::StreamEnded {
            overlay: name.clone(),
            id: ended.position.root,
        });
        let until = self.now + self.config.ended_memory;
        let most = self.config.max_wildcard_overlays;
        self.overlays
            .remember_end(name, ended, until, self.now, most);
    }

    /// Tells joiners that the overlay has a root, so that those that wait ask again.
    pub(super) fn tell_joiners(&mut self, overlay: OverlayKey) {
        let Some(overlay) = self.overlays.get(overlay) else {
            return;
        };
        let epoch = overlay.leadership().epoch().unwrap_or_default();
        for joiner in overlay.joiners() {
            self.outbox.send(joiner, &ServerFrame::RootReady { epoch });
        }
    }

    /// Tells the joiners that wait for an answer that none will come. A joiner with an answer is left to connect,
    /// which needs no root; if it can't, its own deadline ends the attempt.
    pub(super) fn root_left(&mut self, client: Client, session: &Session) {
        let until = self.lost_until(session);
        let Some(overlay) = self.overlays.get_mut(client.overlay) else {
            return;
        };
        let Some(joins) = overlay.lose_root(until) else {
            return;
        };
        self.outbox.notify(Notice::RootLost {
            overlay: overlay.name().clone(),
            id: client.id,
        });
        self.schedule_next_standby(client.overlay);
        self.overlays.leave(client.overlay, client.id);
        for join in joins.into_iter() {
            if !join.answered {
                self.reject(join.joiner, join.id, RejectReason::NoRoot);
            }
            self.schedule(join.joiner);
        }
    }

    /// Gives the next standby its deadline, since the leadership or the order of the standbys has changed.
    pub(super) fn schedule_next_standby(&mut self, overlay: OverlayKey) {
        let next = self.overlays.get(overlay).and_then(|overlay| {
            let standby = overlay.next_standby()?;
            overlay.member(standby)
        });
        if let Some(connection) = next {
            self.schedule(connection);
        }
    }

    /// When a lost root can lead no longer: when both its time to come back and its lease are over, or at once if it
    /// has stepped down.
    fn lost_until(&self, root: &Session) -> Instant {
        if matches!(
            root.role(),
            Role::Root {
                stepped_down: true,
                ..
            }
        ) {
            return self.now;
        }
        (self.now + self.config.root_grace).max(root.heard + self.config.root_lease)
    }
}
