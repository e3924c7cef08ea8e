//! The way to the server and back: ordered, and reliable until something on it is lost.

use core::time::Duration;

use bytes::Bytes;
use overlay_core::wire::{self, ClientFrame, JoinFrame, ServerFrame};
use overlay_core::{BootstrapId, EventKind, Instant, Role, Stats};

use super::{FromServer, ToServer, What, World};
use crate::invariants::Scrutiny;
use crate::invariants::Violation;
use crate::schedule::{Impairment, Outage};
use crate::world::machine::{Ix, Session};
use overlay_testkit::net::{Client, Outgoing};

/// The microseconds from the server to its provider: it is in a data centre.
const SERVER_DISTANCE: u32 = 100;

impl World {
    pub(super) fn connect_server(&mut self, ix: Ix, id: BootstrapId) {
        self.machines[ix].session = Some(Session {
            id,
            there: self.now,
            here: self.now,
            broken: false,
        });
        self.towards_server(ix, id, ToServer::Connect);
    }

    pub(super) fn send_server(&mut self, ix: Ix, id: BootstrapId, bytes: &Bytes) {
        for _ in 0..self.copies(ix, || {
            matches!(wire::decode(bytes), Ok(ClientFrame::Join(_)))
        }) {
            self.towards_server(ix, id, ToServer::Message(bytes.clone()));
        }
    }

    pub(super) fn close_server(&mut self, ix: Ix, id: BootstrapId) {
        self.towards_server(ix, id, ToServer::Close);
        self.machines[ix].session = None;
    }

    fn towards_server(&mut self, ix: Ix, id: BootstrapId, happening: ToServer) {
        if let Some(at) = self.passage(ix, id, Towards::Server) {
            self.plan_at(at, What::ToServer((ix, id), happening));
        }
    }

    pub(super) fn towards_client(&mut self, (ix, id): Client, happening: FromServer) {
        if let Some(at) = self.passage(ix, id, Towards::Client) {
            self.plan_at(at, What::FromServer(ix, id, happening));
        }
    }

    /// When something that is sent now arrives; `None` if it never does.
    fn passage(&mut self, ix: Ix, id: BootstrapId, towards: Towards) -> Option<Instant> {
        let profile = self.setup.profile;
        let machine = &mut self.machines[ix];
        let cut = machine.has(Impairment::CutServer, self.now);
        let latency = profile.latency(machine.distance, SERVER_DISTANCE, &mut machine.rng);
        let mut at = self.now + latency;
        if machine.has(Impairment::ClogServer, self.now) {
            at = at.max(machine.until(Impairment::ClogServer));
            self.coverage.count(Impairment::ClogServer.name());
        }
        let Some(session) = machine.session.as_mut().filter(|own| own.id == id) else {
            // The client has hung up; what the server says is late whenever it comes.
            return Some(at);
        };
        if cut && !session.broken {
            session.broken = true;
            self.coverage.count(Impairment::CutServer.name());
        }
        if session.broken {
            return None;
        }
        let floor = match towards {
            Towards::Server => &mut session.there,
            Towards::Client => &mut session.here,
        };
        at = at.max(*floor);
        *floor = at;
        Some(at)
    }

    /// How many copies of a frame arrive: joins' frames may be lost or doubled.
    fn copies(&mut self, ix: Ix, is_join: impl FnOnce() -> bool) -> u32 {
        if self.server.careless_until <= self.now || !is_join() {
            return 1;
        }
        let copies = self.machines[ix].rng.below(3);
        if copies != 1 {
            self.coverage.count(Outage::Careless.name());
        }
        u32::try_from(copies).unwrap_or(1)
    }

    pub(super) fn at_server(
        &mut self,
        client: Client,
        happening: ToServer,
    ) -> Result<(), Violation> {
        let up = self.server.is_up(self.now);
        let outgoing = match happening {
            ToServer::Connect if self.server.connect(client, self.now) => {
                self.towards_client(client, FromServer::Opened);
                Outgoing::new()
            }
            // A server that went dark does not even refuse.
            ToServer::Connect if !up && self.server.dark => Outgoing::new(),
            ToServer::Connect => vec![(client, None)],
            ToServer::Message(_) if up && !self.server.knows(client) => vec![(client, None)],
            ToServer::Message(bytes) => self.server.receive(client, bytes, self.now)?,
            ToServer::Close => self.server.disconnect(client, self.now)?,
        };
        self.server_sends(outgoing);
        self.arm_server();
        Ok(())
    }

    pub(super) fn server_wake(&mut self) -> Result<(), Violation> {
        if self.server.wake != Some(self.now) {
            return Ok(());
        }
        self.server.wake = None;
        let due = self.server.next_deadline();
        if due.is_some_and(|due| due <= self.now) {
            let outgoing = self.server.timeout(self.now)?;
            self.server_sends(outgoing);
        }
        self.arm_server();
        Ok(())
    }

    pub(super) fn hears_server(
        &mut self,
        ix: Ix,
        id: BootstrapId,
        happening: FromServer,
    ) -> Result<(), Violation> {
        let request = self.scrutiny == Scrutiny::Frames
            && self.machines[ix].node.role() == Role::Root
            && matches!(&happening, FromServer::Message(bytes) if is_request(bytes));
        let before = *self.machines[ix].node.stats();
        let event = match happening {
            FromServer::Opened => EventKind::BootstrapOpened(id),
            FromServer::Message(bytes) => EventKind::BootstrapMessage(id, bytes),
            FromServer::Closed => {
                let machine = &mut self.machines[ix];
                machine.session.take_if(|session| session.id == id);
                EventKind::BootstrapClosed(id)
            }
        };
        self.tell(ix, event)?;
        if request {
            let after = self.machines[ix].node.stats();
            let taken =
                |stats: &Stats| stats.joins_accepted + stats.joins_delegated + stats.joins_queued;
            if taken(after) > taken(&before) {
                self.lease_holds(ix)?;
            }
        }
        Ok(())
    }

    fn server_sends(&mut self, outgoing: Outgoing) {
        for (client, bytes) in outgoing {
            let Some(bytes) = bytes else {
                self.towards_client(client, FromServer::Closed);
                continue;
            };
            for _ in 0..self.copies(client.0, || {
                matches!(wire::decode(&bytes), Ok(ServerFrame::Join(_)))
            }) {
                self.towards_client(client, FromServer::Message(bytes.clone()));
            }
        }
    }

    fn arm_server(&mut self) {
        if let Some(due) = self.server.next_deadline() {
            let due = due.max(self.now);
            if self.server.wake.is_none_or(|wake| due < wake) {
                self.server.wake = Some(due);
                self.plan_at(due, What::ServerWake);
            }
        }
    }

    /// The server dies, forgets everything, and is back after `time`.
    pub(super) fn stop_server(&mut self, dark: bool, time: Duration) {
        self.server.dark = dark;
        for client in self.server.stop(self.now + time) {
            if !dark {
                self.towards_client(client, FromServer::Closed);
            }
        }
    }
}

fn is_request(bytes: &[u8]) -> bool {
    matches!(
        wire::decode(bytes),
        Ok(ServerFrame::Join(JoinFrame::Request(_)))
    )
}

#[derive(Clone, Copy)]
enum Towards {
    Server,
    Client,
}
