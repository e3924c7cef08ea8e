//! Who reigns over an overlay, and who comes next.
//!
//! A root reigns for an *epoch*, and the relay gives each epoch to one node. A root that has merely lost its
//! connection has its epoch back when it returns. One that stays away is succeeded by the standby that has
//! waited longest, in a higher epoch, and never before
//!
//! - the *grace* is over, which the root has for coming back, and
//! - its *lease* has run out: a root takes joiners in only for so long after it has asked for a sign of life that
//!   was answered (Gray and Cheriton, Leases, SOSP 1989). What is still under way to it then is
//!   in vain, so no two roots take joiners in at once.
//!
//! A relay that was restarted knows nothing of this. So a root and its standbys say which epoch they have seen: a
//! root goes on in its own, and a standby waits for it as if it had just left. If two come back that both were
//! roots, the higher epoch counts, and the other one stands by.

use alloc::vec::Vec;

use super::admission::Hello;
use super::connection::{Client, Connection, State};
use super::limits::Meter;
use super::overlay::OverlayKey;
use super::root::Root;
use super::{Action, Notice, Server, send};
use crate::id::{ConnectionId, Epoch, NodeId};
use crate::time::Instant;
use crate::wire::{OverlayName, Refusal, ServerFrame};

/// The present root of an overlay, or its last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reign {
    /// `None` if a standby has told of the epoch, and nobody knows whose it was.
    pub(super) root: Option<NodeId>,
    pub(super) epoch: Epoch,
    /// When a standby succeeds, if the root is gone.
    pub(super) ends: Option<Instant>,
}

/// What somebody with the root's token is to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Right {
    /// The root of this epoch.
    Reign(Epoch),
    /// Who comes next.
    StandBy,
    /// A joiner like others: there are standbys enough.
    Join,
}

impl Reign {
    const fn of(root: NodeId, epoch: Epoch) -> Self {
        Self {
            root: Some(root),
            epoch,
            ends: None,
        }
    }

    /// Whether `root`, who says that it reigns in `epoch`, does. Between a root that is known and another one
    /// the epoch decides.
    fn belongs_to(&self, root: NodeId, epoch: Epoch) -> bool {
        epoch > self.epoch || epoch == self.epoch && self.root.is_none_or(|known| known == root)
    }
}

impl Server {
    /// What somebody is to be who has shown the root's token. A root that gives way is disconnected: it learns why
    /// when it comes back. An overlay that is opened by the wildcard token needs room.
    pub(super) fn right_of(
        &mut self,
        hello: &Hello,
        seen: Epoch,
        reigning: bool,
        out: &mut Vec<Action>,
    ) -> Result<Right, Refusal> {
        if let Some(root) = self.overlays.root_of(&hello.overlay) {
            self.expire(root, out);
        }
        let is_wild = |name: &OverlayName| !self.config.access.names(name);
        if is_wild(&hello.overlay)
            && !self.overlays.is_open(&hello.overlay)
            && self.overlays.open(is_wild) >= self.config.max_overlays
        {
            return Err(Refusal::RateLimited);
        }
        self.overlays
            .forget_ended(self.now, self.config.max_overlays);
        let reign = self.overlays.reign_of(&hello.overlay);
        let claims = reigning
            && seen > Epoch::default()
            && reign.is_none_or(|reign| reign.belongs_to(hello.id, seen));
        let holder = self.overlays.holder_of(&hello.overlay, hello.id);
        match self.overlays.root_of(&hello.overlay) {
            // Its own connection, of which it may know before anybody else that it is dead.
            Some(root) if holder == Some(root) => {}
            Some(root) if claims => self.refuse(root, Refusal::Superseded, out),
            Some(_) => return Ok(self.place_in_line(hello)),
            None => {
                let over = |reign: Reign| reign.ends.is_some_and(|ends| ends <= self.now);
                let waited_for = reign.map_or(seen != Epoch::default(), |reign| !over(reign));
                let has_heir = self.overlays.standbys(&hello.overlay) > 0;
                if !claims && (waited_for || has_heir) {
                    return Ok(self.place_in_line(hello));
                }
            }
        }
        let epoch = if claims { seen } else { self.mint(reign) };
        Ok(Right::Reign(epoch))
    }

    /// Makes a member of an overlay its root.
    pub(super) fn crown(
        &mut self,
        id: ConnectionId,
        client: Client,
        epoch: Epoch,
        out: &mut Vec<Action>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.state = State::Root(client);
        // A standby speaks less often than a root: its silence so far is none.
        connection.heard = self.now;
        connection.meter = Meter::new(self.config.root_traffic, self.now);
        let Some(overlay) = self.overlays.name(client.overlay).cloned() else {
            return;
        };
        let reign = Reign::of(client.id, epoch);
        self.overlays.set_root(client.overlay, Root::new(id), reign);
        let id = client.id;
        out.push(Action::Notify(Notice::RootRegistered {
            overlay,
            id,
            epoch,
        }));
    }

    /// Lets a member of an overlay wait for the end of the present reign.
    pub(super) fn stand_by(&mut self, client: Client, seen: Epoch) {
        let unknown = Reign {
            root: None,
            epoch: seen,
            ends: Some(self.now + self.config.root_grace.max(self.config.root_lease)),
        };
        self.overlays.stand_by(client.overlay, client.id, unknown);
    }

    /// The reign of who is gone ends when nobody can hold it any more: at once, if it said so itself.
    pub(super) fn reign_ends(&self, root: &Connection) -> Instant {
        if root.abdicated {
            return self.now;
        }
        (self.now + self.config.root_grace).max(root.heard + self.config.root_lease)
    }

    /// When this client, as the first in line, becomes the root.
    pub(super) fn succeeds_at(&self, client: Client) -> Option<Instant> {
        let heir = self.overlays.heir(client.overlay)?;
        (heir == client.id).then(|| self.overlays.vacant_from(client.overlay))?
    }

    /// The time has come for a standby.
    pub(super) fn promote(&mut self, id: ConnectionId, client: Client, out: &mut Vec<Action>) {
        let reign = self.overlays.reign(client.overlay);
        let epoch = self.mint(reign);
        self.overlays.leave_line(client.overlay, client.id);
        self.counters.promotions += 1;
        self.crown(id, client, epoch, out);
        send(out, id, &ServerFrame::Promoted { epoch });
        self.tell_joiners(client.overlay, out);
    }

    /// Joiners are told that there is somebody to be introduced to.
    pub(super) fn tell_joiners(&self, overlay: OverlayKey, out: &mut Vec<Action>) {
        let epoch = self.overlays.reign(overlay).map(|reign| reign.epoch);
        let ready = ServerFrame::RootReady {
            epoch: epoch.unwrap_or_default(),
        };
        for joiner in self.overlays.joiners(overlay) {
            send(out, joiner, &ready);
        }
    }

    /// Whoever is next in line has a deadline, now that something has changed.
    pub(super) fn arm_heir(&mut self, overlay: OverlayKey) {
        let heir = self.overlays.heir(overlay);
        if let Some(connection) = heir.and_then(|heir| self.overlays.member(overlay, heir)) {
            self.arm(connection);
        }
    }

    fn place_in_line(&self, hello: &Hello) -> Right {
        let others = self.overlays.standbys(&hello.overlay);
        let own = self.overlays.holder_of(&hello.overlay, hello.id);
        let waits_already = own
            .and_then(|own| self.connections.get(own))
            .is_some_and(Connection::stands_by);
        if others < self.config.max_standbys || waits_already {
            Right::StandBy
        } else {
            Right::Join
        }
    }

    /// An epoch that no root has had, here or at a relay that ran before.
    fn mint(&mut self, reign: Option<Reign>) -> Epoch {
        let clock = self.born.saturating_add(self.now.as_micros());
        self.minted = clock.max(self.minted.saturating_add(1));
        let last = reign.map_or(0, |reign| reign.epoch.0);
        self.minted = self.minted.max(last.saturating_add(1));
        Epoch(self.minted)
    }
}
