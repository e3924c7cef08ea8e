//! A driver for one node: what comes through the socket becomes an event, what the node answers is done.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::io;
use std::net::SocketAddr;

use overlay_core::{
    Action, BootstrapId, Config, Delivery, Dial, Event, EventKind, LinkId, Node, NodeId,
    Notification, Sdp, Signal,
};

use crate::post::{Datagram, End, Kind, Post};

/// A node and its socket.
pub(crate) struct Member {
    pub(crate) node: Node,
    post: Post,
    server: SocketAddr,
    /// The connection to the server, if the node wants one.
    bootstrap: Option<BootstrapId>,
    /// This node's ends of its links, by their ports.
    links: BTreeMap<u32, Wire>,
    last_port: u32,
    news: VecDeque<News>,
}

/// What a member tells its app.
pub(crate) enum News {
    Notice(Notification),
    Message(Delivery),
}

/// A link, and how far its handshake has come.
struct Wire {
    link: LinkId,
    stage: Stage,
}

enum Stage {
    /// We have offered, and wait for the answer.
    Offering,
    /// We have answered, and wait for a datagram from there.
    Answering(End),
    /// We have the answer, and wait for the reply to our first datagram.
    Opening(End),
    Open(End),
}

impl Stage {
    const fn peer(&self) -> Option<End> {
        match self {
            Self::Offering => None,
            Self::Answering(peer) | Self::Opening(peer) | Self::Open(peer) => Some(*peer),
        }
    }
}

impl Member {
    /// A node with this number for a name. Where nodes are strangers, the id and the seed come from the
    /// system's random generator.
    pub(crate) fn new(
        number: u8,
        config: Config,
        server: SocketAddr,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            node: Node::new(NodeId::from_u128(number.into()), config, [number; 32])?,
            post: Post::new()?,
            server,
            bootstrap: None,
            links: BTreeMap::new(),
            last_port: 0,
            news: VecDeque::new(),
        })
    }

    /// Waits until a datagram comes, or until the node has something to do, and lets it.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        match self.post.wait(self.node.next_deadline())? {
            Some(datagram) => self.receive(datagram),
            None => self.tell(EventKind::Timeout),
        }
    }

    /// The same, for all that has come already, and without waiting.
    pub(crate) fn poll(&mut self) -> io::Result<()> {
        while let Some(datagram) = self.post.poll()? {
            self.receive(datagram)?;
        }
        match self.node.next_deadline() {
            Some(due) if due <= self.post.now() => self.tell(EventKind::Timeout),
            _ => Ok(()),
        }
    }

    /// What the node has told. Messages must be given back with [`taken`](Self::taken).
    pub(crate) fn news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// The app is done with a message: its sender may send as much again.
    pub(crate) fn taken(&mut self, message: Delivery) -> io::Result<()> {
        self.tell(EventKind::Consumed(message.receipt))
    }

    /// Tells the node that something has happened, and does what it wants done.
    pub(crate) fn tell(&mut self, kind: EventKind) -> io::Result<()> {
        let mut events = VecDeque::from([kind]);
        while let Some(kind) = events.pop_front() {
            let event = Event::new(self.post.now(), kind);
            for action in self.node.handle_input(event) {
                events.extend(self.act(action)?);
            }
        }
        Ok(())
    }

    /// Does what the node wants. What comes of it at once is told to the node afterwards.
    fn act(&mut self, action: Action) -> io::Result<Option<EventKind>> {
        match action {
            Action::OpenLink(link, dial) => return self.open(link, &dial),
            Action::ApplySignal(link, Signal::Answer(answer)) => {
                let Some((&port, wire)) = self.wire(link) else {
                    return Ok(None);
                };
                let Ok(peer) = answer.parse() else {
                    self.links.remove(&port);
                    return Ok(Some(EventKind::LinkClosed(link)));
                };
                wire.stage = Stage::Opening(peer);
                self.post.send(peer, Kind::Open, &[])?;
            }
            // There are no other ways to a socket on loopback than the one that its offer told; and players have no answers.
            Action::ApplySignal(_, Signal::IceCandidate(_)) | Action::Combine { .. } => {}
            // The socket takes at once whatever it is given.
            Action::TransmitData(link, bytes) => {
                self.act(Action::Transmit(link, bytes))?;
                return Ok(Some(EventKind::LinkDrained(link)));
            }
            Action::Transmit(link, bytes) => {
                if let Some((
                    _,
                    Wire {
                        stage: Stage::Open(peer),
                        ..
                    },
                )) = self.wire(link)
                {
                    let peer = *peer;
                    self.post.send(peer, Kind::Data, &bytes)?;
                }
            }
            Action::CloseLink(link, _) => {
                if let Some((&port, wire)) = self.wire(link) {
                    let peer = wire.stage.peer();
                    self.links.remove(&port);
                    if let Some(peer) = peer {
                        self.post.send(peer, Kind::Close, &[])?;
                    }
                }
            }
            Action::ConnectBootstrap(id) => {
                self.bootstrap = Some(id);
                self.post.send(self.server(), Kind::Open, &[])?;
            }
            Action::SendBootstrap(_, bytes) => self.post.send(self.server(), Kind::Data, &bytes)?,
            Action::CloseBootstrap(_) => {
                self.bootstrap = None;
                self.post.send(self.server(), Kind::Close, &[])?;
            }
            Action::Deliver(message) => self.news.push_back(News::Message(message)),
            Action::Ask(asked) => return Ok(Some(EventKind::Answer(asked.ask, None))),
            Action::Notify(notice) => self.news.push_back(News::Notice(notice)),
        }
        Ok(None)
    }

    fn open(&mut self, link: LinkId, dial: &Dial) -> io::Result<Option<EventKind>> {
        self.last_port += 1;
        let end = End {
            socket: self.post.address()?,
            port: self.last_port,
        };
        // It is far shorter than the limit of a description.
        let description = Sdp::new(end.to_string()).map_err(io::Error::other)?;
        let (stage, event) = match dial {
            Dial::Offer => (Stage::Offering, EventKind::LinkOffer(link, description)),
            Dial::Answer(offer) => match offer.parse() {
                Ok(peer) => {
                    let answer = Signal::Answer(description);
                    (Stage::Answering(peer), EventKind::LinkSignal(link, answer))
                }
                Err(_) => return Ok(Some(EventKind::LinkClosed(link))),
            },
        };
        self.links.insert(end.port, Wire { link, stage });
        Ok(Some(event))
    }

    fn receive(&mut self, datagram: Datagram) -> io::Result<()> {
        let event = if datagram.port == 0 {
            self.server_said(datagram)
        } else {
            self.peer_said(datagram)?
        };
        event.map_or(Ok(()), |event| self.tell(event))
    }

    fn server_said(&mut self, datagram: Datagram) -> Option<EventKind> {
        let id = self.bootstrap.filter(|_| datagram.from == self.server)?;
        Some(match datagram.kind {
            Kind::Open => EventKind::BootstrapOpened(id),
            Kind::Data => EventKind::BootstrapMessage(id, datagram.payload),
            Kind::Close => {
                self.bootstrap = None;
                EventKind::BootstrapClosed(id)
            }
        })
    }

    fn peer_said(&mut self, datagram: Datagram) -> io::Result<Option<EventKind>> {
        let Datagram {
            from,
            port,
            kind,
            payload,
        } = datagram;
        let Some(wire) = self.links.get_mut(&port) else {
            return Ok(None);
        };
        let link = wire.link;
        // Only the peer has a say in this.
        let Some(peer) = wire.stage.peer().filter(|peer| peer.socket == from) else {
            return Ok(None);
        };
        Ok(match (kind, &wire.stage) {
            (Kind::Open, Stage::Answering(_)) => {
                wire.stage = Stage::Open(peer);
                self.post.send(peer, Kind::Open, &[])?;
                Some(EventKind::LinkOpened(link))
            }
            (Kind::Open, Stage::Opening(_)) => {
                wire.stage = Stage::Open(peer);
                Some(EventKind::LinkOpened(link))
            }
            (Kind::Data, Stage::Open(_)) => Some(EventKind::LinkMessage(link, payload)),
            (Kind::Close, _) => {
                self.links.remove(&port);
                Some(EventKind::LinkClosed(link))
            }
            _ => None,
        })
    }

    fn wire(&mut self, link: LinkId) -> Option<(&u32, &mut Wire)> {
        self.links.iter_mut().find(|(_, wire)| wire.link == link)
    }

    const fn server(&self) -> End {
        End {
            socket: self.server,
            port: 0,
        }
    }
}
