//! A root and two nodes in one plain loop: no async runtime, no threads, no network.
//!
//! This is how a game, a simulator or another language's event loop embeds the core. A node never
//! does anything itself: it is given events and answers with actions. Here the actions are carried
//! out by moving values between three nodes; in a real program `OpenLink` starts a WebRTC connection,
//! `Transmit` writes to its data channel, and `SendBootstrap` to a WebSocket.
//!
//! Run it with `cargo run -p overlay-core --example two_nodes_one_loop`.
#![allow(clippy::print_stdout, reason = "the example shows what happens")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::{self, ClientFrame, ClientRole, ServerFrame, Token, VERSION};
use overlay_core::{
    Action, BootstrapId, Config, Dial, Epoch, Event, EventKind, Instant, LinkId, Node, NodeId,
    Notification, Sdp, Signal,
};

/// How much time passes between two rounds of the loop, as between two frames of a game.
const FRAME: Duration = Duration::from_millis(16);

/// The names of the three nodes; a node's number is its position here.
const NAMES: [&str; 3] = ["root", "ann", "bob"];
const ROOT: usize = 0;

/// One side of a connection: whose, and which of its links.
type End = (usize, LinkId);

/// The network, in its simplest form.
#[derive(Default)]
struct Wires {
    /// What happens to which node in the next round.
    next: Vec<(usize, EventKind)>,
    /// All ends there ever were. An offer or answer is an end's position in this list.
    ends: Vec<End>,
    peers: BTreeMap<End, End>,
    /// Each node's connection to the server.
    clients: BTreeMap<usize, BootstrapId>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut nodes = Vec::new();
    for number in 0..NAMES.len() {
        // One slot each, so that Bob can't be below the root too: the root sends him to Ann.
        let config = Config {
            max_degree: 1,
            ..Config::default()
        };
        // A real program draws both the id and the seed from the system's random generator.
        let id = NodeId::from_u128(number as u128);
        nodes.push(Node::new(id, config, [u8::try_from(number)?; 32])?);
    }
    let mut wires = Wires::default();
    let token = Token::new("only the root knows")?;
    wires.next.push((ROOT, EventKind::BecomeRoot(Some(token))));
    wires.next.push((1, EventKind::Join));
    wires.next.push((2, EventKind::Join));

    let mut now = Instant::ZERO;
    let mut delivered = 0;
    while delivered < 2 {
        now = now + FRAME;
        // First what has come in since the last round, then what is due.
        let mut events = std::mem::take(&mut wires.next);
        for (number, node) in nodes.iter().enumerate() {
            if node.next_deadline().is_some_and(|due| due <= now) {
                events.push((number, EventKind::Timeout));
            }
        }
        for (number, event) in events {
            for action in nodes[number].handle_input(Event::new(now, event)) {
                if matches!(action, Action::Deliver(_)) {
                    delivered += 1;
                }
                carry_out(number, action, &mut wires)?;
            }
        }
    }
    println!(
        "after {:?} of the loop's own time",
        now.since(Instant::ZERO)
    );
    Ok(())
}

/// Does what a node asks for.
fn carry_out(number: usize, action: Action, wires: &mut Wires) -> Result<(), Box<dyn Error>> {
    match action {
        // A connection. WebRTC would take its time over an offer or answer, and tell candidates too.
        Action::OpenLink(link, dial) => {
            wires.ends.push((number, link));
            let sdp = Sdp::new((wires.ends.len() - 1).to_string())?;
            let event = match dial {
                Dial::Offer => EventKind::LinkOffer(link, sdp),
                Dial::Answer(offer) => {
                    connect((number, link), &offer, wires)?;
                    EventKind::LinkSignal(link, Signal::Answer(sdp))
                }
            };
            wires.next.push((number, event));
        }
        Action::ApplySignal(link, Signal::Answer(answer)) => {
            let peer = connect((number, link), &answer, wires)?;
            wires.next.push((number, EventKind::LinkOpened(link)));
            wires.next.push((peer.0, EventKind::LinkOpened(peer.1)));
        }
        // This channel takes at once whatever it is given.
        Action::TransmitData(link, bytes) => {
            carry_out(number, Action::Transmit(link, bytes), wires)?;
            wires.next.push((number, EventKind::LinkDrained(link)));
        }
        Action::Transmit(link, bytes) => {
            if let Some((peer, link)) = wires.peers.get(&(number, link)) {
                wires
                    .next
                    .push((*peer, EventKind::LinkMessage(*link, bytes)));
            }
        }
        Action::CloseLink(link, _) => {
            if let Some((peer, link)) = wires.peers.remove(&(number, link)) {
                wires.next.push((peer, EventKind::LinkClosed(link)));
            }
        }

        // The server: it registers every client, and takes joins to the root and answers back.
        Action::ConnectBootstrap(id) => {
            wires.clients.insert(number, id);
            wires.next.push((number, EventKind::BootstrapOpened(id)));
        }
        Action::SendBootstrap(_, bytes) => match wire::decode(&bytes)? {
            ClientFrame::Hello { .. } => {
                let welcome = ServerFrame::Welcome {
                    version: VERSION,
                    keepalive_ms: 20_000,
                    role: if number == ROOT {
                        ClientRole::Root
                    } else {
                        ClientRole::Joiner
                    },
                    epoch: Epoch(1),
                    lease_ms: 8_000,
                };
                tell(number, &welcome, wires);
            }
            ClientFrame::Join(frame) => {
                let joiner = usize::from(frame.join().origin.as_bytes()[15]);
                let to = if number == ROOT { joiner } else { ROOT };
                tell(to, &ServerFrame::Join(frame), wires);
            }
            ClientFrame::Ping => tell(number, &ServerFrame::Pong, wires),
            ClientFrame::StepDown { .. } => {}
        },
        Action::CloseBootstrap(_) => {
            wires.clients.remove(&number);
        }

        // The app: prints what it is told. Once Bob is in, the root has an audience.
        Action::Deliver(delivery) => {
            println!(
                "{} hears: {}",
                NAMES[number],
                String::from_utf8_lossy(&delivery.payload)
            );
            // Only now may the sender send as much again.
            wires
                .next
                .push((number, EventKind::Consumed(delivery.receipt)));
        }
        Action::Notify(Notification::ParentConnected { node, depth, .. }) => {
            let parent = NAMES[usize::from(node.as_bytes()[15])];
            println!(
                "{} is connected to {parent}, at depth {depth}",
                NAMES[number]
            );
            if NAMES[number] == "bob" {
                let payload = Bytes::from_static(b"good evening, everybody");
                wires.next.push((ROOT, EventKind::Broadcast(payload)));
            }
        }
        Action::Ask(asked) => {
            // It has no answer.
            wires
                .next
                .push((number, EventKind::Answer(asked.ask, None)));
        }
        Action::ApplySignal(..) | Action::Combine { .. } | Action::Notify(_) => {}
    }
    Ok(())
}

/// Tells both ends of a connection about each other; returns the other one.
fn connect(end: End, sdp: &Sdp, wires: &mut Wires) -> Result<End, Box<dyn Error>> {
    let peer = wires.ends[sdp.parse::<usize>()?];
    wires.peers.insert(end, peer);
    wires.peers.insert(peer, end);
    Ok(peer)
}

/// Sends a frame from the server to a node, if that is still connected.
fn tell(number: usize, frame: &ServerFrame, wires: &mut Wires) {
    if let Some(id) = wires.clients.get(&number) {
        let message = EventKind::BootstrapMessage(*id, wire::encode(frame));
        wires.next.push((number, message));
    }
}
