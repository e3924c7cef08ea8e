//! A tree over plain UDP sockets: each node is one loop on one thread, and waits nowhere but for its socket.
//!
//! [`Member::wait`](member::Member::wait) is the heart of it: it waits for a datagram, at most until the node's
//! [`next_deadline`](overlay_core::Node::next_deadline). `udp/member.rs` is a whole driver, with UDP instead of
//! WebRTC.
//!
//! The story: five nodes join. The root tells one of its children to drop dead. Those below it find another parent, and
//! hear the root's last words. Run it with `cargo run -p overlay-core --example udp_loop`.
#![allow(clippy::print_stdout, reason = "the example shows what happens")]

#[path = "udp/member.rs"]
#[expect(dead_code, reason = "this loop always waits")]
mod member;
#[path = "udp/post.rs"]
mod post;
#[path = "udp/server.rs"]
mod server;

use std::error::Error;
use std::io;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::Token;
use overlay_core::{Config, EventKind, Notification, Scope};

use member::{Member, News};

const NODES: u8 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let token = Token::new("only the root knows")?;
    let server = server::start(token.clone())?;
    let mut root = Member::new(0, config(), server)?;
    root.tell(EventKind::BecomeRoot(Some(token)))?;
    let mut lives = Vec::new();
    for number in 1..=NODES {
        let member = Member::new(number, config(), server)?;
        lives.push(thread::spawn(move || live(member, number)));
    }
    lead(root)?;
    for life in lives {
        life.join().map_err(|_| "a node has panicked")??;
    }
    Ok(())
}

/// Neighbours are missed sooner than among strangers, so that the story takes seconds.
fn config() -> Config {
    Config {
        max_degree: 2,
        heartbeat_interval: Duration::from_millis(300),
        link_timeout: Duration::from_secs(1),
        ..Config::default()
    }
}

/// The loop of the root.
fn lead(mut root: Member) -> io::Result<()> {
    let mut all_met = false;
    loop {
        root.wait()?;
        while let Some(news) = root.news() {
            match news {
                News::Notice(Notification::SubtreeChanged(census)) => {
                    println!("the root sees {:?} nodes by depth", census.nodes());
                    let others = census.nodes().iter().sum::<u32>() - 1;
                    if !all_met && others == u32::from(NODES) {
                        all_met = true;
                        let child = root.node.children().next();
                        if let Some(to) = child.map(|child| child.link) {
                            let payload = Bytes::from_static(b"drop dead");
                            root.tell(EventKind::Send { to, payload })?;
                        }
                    } else if all_met && others == u32::from(NODES) - 1 {
                        root.tell(EventKind::Broadcast(Bytes::from_static(b"farewell")))?;
                        root.tell(EventKind::Leave)?;
                    }
                }
                News::Notice(Notification::Left) => return Ok(()),
                News::Notice(_) => {}
                News::Message(message) => root.taken(message)?,
            }
        }
    }
}

/// The loop of all other nodes.
fn live(mut member: Member, number: u8) -> io::Result<()> {
    member.tell(EventKind::Join)?;
    loop {
        member.wait()?;
        while let Some(news) = member.news() {
            match news {
                News::Notice(Notification::ParentConnected { depth, .. }) => {
                    println!("node {number} is in the tree, at depth {depth}");
                }
                News::Notice(Notification::ParentClosed { reason, .. }) => {
                    println!("node {number} has no parent any more: {reason}");
                }
                News::Notice(Notification::Left) => return Ok(()),
                News::Notice(_) => {}
                News::Message(message) => {
                    let text = String::from_utf8_lossy(&message.payload);
                    println!("node {number} hears: {text}");
                    if matches!(message.scope, Scope::Direct(_)) {
                        return Ok(());
                    }
                    member.taken(message)?;
                    // Its children get the message first.
                    member.tell(EventKind::Leave)?;
                }
            }
        }
    }
}
