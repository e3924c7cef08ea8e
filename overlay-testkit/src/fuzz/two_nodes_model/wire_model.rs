//! The wire between two nodes, and the naive model of what must come of it.

use std::collections::VecDeque;

use bytes::Bytes;
use overlay_core::wire::{self, ClientFrame, ClientRole, Registration, ServerFrame};
use overlay_core::{Action, BootstrapId, Dial, Epoch, EventKind, LinkId, Sdp, Signal};

use crate::frames::{self, registered};
use crate::fuzz::vocabulary::pick;

/// All there is between two nodes: links, and a server that takes what the one says to the other.
#[derive(Debug, Default)]
pub(super) struct Wires {
    /// What the embedder of each node has for it.
    embedders: [VecDeque<EventKind>; 2],
    servers: [Server; 2],
    /// The epoch of the latest root.
    epoch: Epoch,
    /// Every connection there ever was. An offer or answer is the place here.
    links: Vec<Link>,
}

#[derive(Debug, Default)]
struct Server {
    id: Option<BootstrapId>,
    queue: VecDeque<EventKind>,
}

/// A connection. Its two ends have the places of their nodes.
#[derive(Debug, Default)]
struct Link {
    ends: [End; 2],
    connected: bool,
}

/// One node's end of a connection.
#[derive(Debug, Default)]
struct End {
    link: Option<LinkId>,
    closed: bool,
    /// What is on its way to the node.
    queue: VecDeque<EventKind>,
    /// The model: the app messages that the other node has sent and this one has not got.
    expected: VecDeque<Bytes>,
    /// The model: the node was refused a message, and must be told when there is room.
    waits_for_room: bool,
}

impl Wires {
    /// Takes the next event off one of the queues that have any, with the node that it happens to.
    pub(super) fn next(&mut self, which: usize) -> Option<(usize, EventKind)> {
        let nodes = || [0, 1].into_iter();
        let embedders = nodes().zip(self.embedders.iter_mut());
        let servers = nodes().zip(self.servers.iter_mut().map(|server| &mut server.queue));
        let links = self.links.iter_mut().flat_map(|link| {
            let queues = link.ends.iter_mut().map(|end| &mut end.queue);
            [0, 1].into_iter().zip(queues)
        });
        let all = embedders.chain(servers).chain(links);
        let mut busy: Vec<_> = all.filter(|(_, queue)| !queue.is_empty()).collect();
        let at = which.checked_rem(busy.len())?;
        let (node, queue) = busy.swap_remove(at);
        Some((node, queue.pop_front()?))
    }

    /// Does what a node asks for.
    pub(super) fn carry_out(&mut self, node: usize, action: Action) {
        match action {
            Action::OpenLink(id, Dial::Offer) => {
                let mut link = Link::default();
                link.ends[node].link = Some(id);
                self.links.push(link);
                let offer = EventKind::LinkOffer(id, sdp(self.links.len() - 1));
                self.embedders[node].push_back(offer);
            }
            Action::OpenLink(id, Dial::Answer(offer)) => {
                let at = place(&offer);
                self.links[at].ends[node].link = Some(id);
                let answer = EventKind::LinkSignal(id, Signal::Answer(sdp(at)));
                self.embedders[node].push_back(answer);
            }
            Action::ApplySignal(_, Signal::Answer(answer)) => self.connect(place(&answer)),
            Action::TransmitData(id, bytes) => {
                self.carry_out(node, Action::Transmit(id, bytes));
                self.embedders[node].push_back(EventKind::LinkDrained(id));
            }
            Action::Transmit(id, bytes) => {
                let (link, other) = self.link(node, id);
                let end = &mut link.ends[other];
                if let (Some(id), false) = (end.link, end.closed) {
                    end.queue.push_back(EventKind::LinkMessage(id, bytes));
                }
            }
            Action::ConnectBootstrap(id) => {
                let queue = VecDeque::from([EventKind::BootstrapOpened(id)]);
                let id = Some(id);
                self.servers[node] = Server { id, queue };
            }
            Action::SendBootstrap(_, bytes) => match wire::decode(&bytes) {
                Ok(ClientFrame::Hello { registration, .. }) => {
                    if let Registration::Root { leads: false, .. } = registration {
                        self.epoch.0 += 1;
                    }
                    let is_root = matches!(registration, Registration::Root { .. });
                    let role = if is_root {
                        ClientRole::Root
                    } else {
                        ClientRole::Joiner
                    };
                    let welcome = registered(role, self.epoch.0);
                    self.server_says(node, &welcome);
                }
                Ok(ClientFrame::Ping) => self.server_says(node, &ServerFrame::Pong),
                Ok(ClientFrame::StepDown { .. }) => {}
                Ok(ClientFrame::Join(frame)) => {
                    self.server_says(1 - node, &ServerFrame::Join(frame));
                }
                unexpected => panic!("the server is sent {unexpected:?}"),
            },
            Action::CloseBootstrap(_) => self.servers[node] = Server::default(),
            // Without candidates; and the rest is the caller's.
            Action::ApplySignal(_, Signal::IceCandidate(_))
            | Action::CloseLink(..)
            | Action::Deliver(_)
            | Action::Ask(_)
            | Action::Combine { .. }
            | Action::Notify(_) => {}
        }
    }

    /// A node has closed its end: the other one hears of it after everything else.
    pub(super) fn closed(&mut self, node: usize, id: LinkId) {
        let (link, other) = self.link(node, id);
        link.ends[node].closed = true;
        let connected = link.connected;
        let end = &mut link.ends[other];
        if let (Some(id), false, true) = (end.link, end.closed, connected) {
            end.queue.push_back(EventKind::LinkClosed(id));
        }
    }

    /// The connection to the server fails.
    pub(super) fn lose_server(&mut self, node: usize) {
        let server = std::mem::take(&mut self.servers[node]);
        if let Some(id) = server.id {
            self.embedders[node].push_back(EventKind::BootstrapClosed(id));
        }
    }

    /// A connection fails, with everything that is on its way.
    pub(super) fn lose_link(&mut self, which: u8) {
        let Some(at) = usize::from(which).checked_rem(self.links.len()) else {
            return;
        };
        let ends = self.links[at].ends.iter_mut();
        for end in ends.filter(|end| !end.closed) {
            end.queue = end.link.map(EventKind::LinkClosed).into_iter().collect();
            end.closed = true;
        }
    }

    /// Any link of a node; mostly the latest.
    pub(super) fn any_link(&self, node: usize, which: u8) -> Option<LinkId> {
        let links = self.links.iter().filter_map(|link| link.ends[node].link);
        let links: Vec<LinkId> = links.collect();
        match which {
            0..200 => links.last().copied(),
            _ => pick(which, &links).copied(),
        }
    }

    /// Whether these are the two ends of one connection.
    pub(super) fn are_ends(&self, ends: [(usize, LinkId); 2]) -> bool {
        let has = |link: &Link| {
            ends.iter()
                .all(|(node, id)| link.ends[*node].link == Some(*id))
        };
        self.links.iter().any(has)
    }

    // ── The model ──

    /// A node's app message was taken.
    pub(super) fn sent(&mut self, node: usize, on: LinkId, message: Bytes) {
        let (link, other) = self.link(node, on);
        link.ends[other].expected.push_back(message);
    }

    /// A node's app gets a message of its neighbour.
    pub(super) fn delivered(&mut self, node: usize, on: LinkId, message: &Bytes) {
        let (link, _) = self.link(node, on);
        let expected = link.ends[node].expected.pop_front();
        assert_eq!(expected.as_ref(), Some(message), "not what was sent");
    }

    /// A node's app message was refused for now.
    pub(super) fn refused(&mut self, node: usize, on: LinkId) {
        let (link, _) = self.link(node, on);
        link.ends[node].waits_for_room = true;
    }

    /// A node is told that there is room.
    pub(super) fn writable(&mut self, node: usize, on: LinkId) {
        let (link, _) = self.link(node, on);
        link.ends[node].waits_for_room = false;
    }

    /// All that was sent to this end has arrived.
    pub(super) fn nothing_is_left_for(&mut self, node: usize, on: LinkId) {
        let (link, _) = self.link(node, on);
        let missing = &link.ends[node].expected;
        assert!(missing.is_empty(), "{} messages are lost", missing.len());
    }

    /// A node whose message was refused has been told of room.
    pub(super) fn no_message_waits_for_room(&mut self, node: usize, on: LinkId) {
        let (link, _) = self.link(node, on);
        assert!(
            !link.ends[node].waits_for_room,
            "the node was not told: writable"
        );
    }

    // ── Helpers ──

    /// Both channels open, if both ends are still there.
    fn connect(&mut self, at: usize) {
        let link = &mut self.links[at];
        let there = |end: &End| end.link.is_some() && !end.closed;
        if !link.connected && link.ends.iter().all(there) {
            link.connected = true;
            for end in &mut link.ends {
                end.queue.extend(end.link.map(EventKind::LinkOpened));
            }
        }
    }

    /// The connection that a node knows by this name, and the place of its other end.
    fn link(&mut self, node: usize, id: LinkId) -> (&mut Link, usize) {
        let mut links = self.links.iter_mut();
        let link = links.find(|link| link.ends[node].link == Some(id));
        let link = link.unwrap_or_else(|| panic!("{node} never opened {id:?}"));
        (link, 1 - node)
    }

    fn server_says(&mut self, node: usize, frame: &ServerFrame) {
        let server = &mut self.servers[node];
        if let Some(id) = server.id {
            let message = EventKind::BootstrapMessage(id, wire::encode(frame));
            server.queue.push_back(message);
        }
    }
}

fn sdp(at: usize) -> Sdp {
    frames::sdp(&at.to_string())
}

fn place(sdp: &Sdp) -> usize {
    sdp.parse()
        .unwrap_or_else(|_| panic!("the core has changed an offer"))
}
