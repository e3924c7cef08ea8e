//! A bootstrap server on a UDP socket: the same brain as that of the real one, in a loop of its own.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::UNIX_EPOCH;

use overlay_core::bootstrap::{self, Access, Source};
use overlay_core::wire::Token;
use overlay_core::{ConnectionId, Instant};

use crate::post::{Datagram, End, Kind, Post};

struct Server {
    brain: bootstrap::Server,
    post: Post,
    clients: BTreeMap<ConnectionId, SocketAddr>,
}

/// Starts a server on a thread of its own; it ends with the process. Returns its address.
pub(crate) fn start(token: Token) -> Result<SocketAddr, Box<dyn Error>> {
    let config = bootstrap::Config::new(Access::default().any_overlay(token));
    let since_1970 = UNIX_EPOCH.elapsed()?;
    let mut server = Server {
        brain: bootstrap::Server::new(config, [0; 32], since_1970)?,
        post: Post::new()?,
        clients: BTreeMap::new(),
    };
    let address = server.post.address()?;
    thread::spawn(move || -> io::Result<()> {
        loop {
            server.step()?;
        }
    });
    Ok(address)
}

impl Server {
    fn step(&mut self) -> io::Result<()> {
        let received = self.post.wait(self.brain.next_deadline())?;
        let now = self.post.now();
        let kind = match received {
            Some(datagram) => match self.receive(now, datagram)? {
                Some(kind) => kind,
                None => return Ok(()),
            },
            None => bootstrap::EventKind::Timeout,
        };
        for action in self.brain.handle_input(bootstrap::Event { now, kind }) {
            match action {
                bootstrap::Action::Send { connection, bytes } => {
                    if let Some(client) = self.clients.get(&connection) {
                        self.post.send(end(*client), Kind::Data, &bytes)?;
                    }
                }
                bootstrap::Action::Close { connection, .. } => {
                    if let Some(client) = self.clients.remove(&connection) {
                        self.post.send(end(client), Kind::Close, &[])?;
                    }
                }
                bootstrap::Action::Notify(_) => {}
            }
        }
        Ok(())
    }

    fn receive(
        &mut self,
        now: Instant,
        datagram: Datagram,
    ) -> io::Result<Option<bootstrap::EventKind>> {
        let Datagram {
            from,
            kind,
            payload,
            ..
        } = datagram;
        let known = self.clients.iter().find(|(_, client)| **client == from);
        let known = known.map(|(connection, _)| *connection);
        Ok(match (kind, known) {
            (Kind::Open, None) => {
                match self.brain.accept(now, Source::from(from.ip())) {
                    Ok(connection) => {
                        self.clients.insert(connection, from);
                        self.post.send(end(from), Kind::Open, &[])?;
                    }
                    Err(refused) => {
                        self.post.send(end(from), Kind::Data, &refused.farewell)?;
                        self.post.send(end(from), Kind::Close, &[])?;
                    }
                }
                None
            }
            (Kind::Data, Some(connection)) => Some(bootstrap::EventKind::Message {
                connection,
                bytes: payload,
            }),
            (Kind::Close, Some(connection)) => {
                self.clients.remove(&connection);
                Some(bootstrap::EventKind::Closed { connection })
            }
            // Not from an honest node, or too late.
            (Kind::Open, Some(_)) | (_, None) => None,
        })
    }
}

const fn end(socket: SocketAddr) -> End {
    End { socket, port: 0 }
}
