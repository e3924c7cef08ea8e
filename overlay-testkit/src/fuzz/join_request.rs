//! Bytes as they come from the wire, to nodes in every situation.
//!
//! Claims: what decodes is canonical, so it is encoded to the same bytes; and whatever a peer or the server sends, once
//! and once more, the node keeps [`crate::Invariants`], goes on, and can leave.

use bytes::Bytes;
use overlay_core::wire::{self, ClientFrame, LinkFrame, MAX_FRAME, ServerFrame, WireError};
use overlay_core::{Config, EventKind, LinkId};

use crate::fuzz::watched::Watched;
use crate::fuzz::words::{JoinWord, payload};

/// Hands the bytes to every kind of node that may get them.
pub fn run(bytes: &[u8]) {
    let link = canonical(wire::decode::<LinkFrame<'_>>(bytes), wire::encode, bytes);
    let client = canonical(wire::decode::<ClientFrame>(bytes), wire::encode, bytes);
    let server = canonical(wire::decode::<ServerFrame>(bytes), wire::encode, bytes);
    assert!(!(link || client || server) || bytes.len() <= MAX_FRAME);
    // What is no frame is the same to all.
    let situations = if link || server { SITUATIONS.len() } else { 1 };
    let bytes = Bytes::copy_from_slice(bytes);
    for situation in &SITUATIONS[..situations] {
        // Each link once; after the last it is the server's turn.
        for at in 0.. {
            let mut watched = situation();
            let link = watched.links().get(at).copied();
            comes(&mut watched, link.map(|link| link.id), &bytes);
            watched.leaves_in_silence();
            if link.is_none() {
                break;
            }
        }
    }
}

/// The bytes come through a link, or from the server, and once more, and some time passes.
fn comes(watched: &mut Watched, through: Option<LinkId>, bytes: &Bytes) {
    for _ in 0..2 {
        let bytes = bytes.clone();
        match through {
            Some(link) => watched.event(EventKind::LinkMessage(link, bytes)),
            None => watched.server_says(bytes),
        };
    }
    for _ in 0..3 {
        watched.wait_until_due();
    }
}

/// Whether the bytes are a frame; if so, its only spelling.
fn canonical<F>(decoded: Result<F, WireError>, encode: fn(&F) -> Bytes, bytes: &[u8]) -> bool {
    decoded.is_ok_and(|frame| {
        assert_eq!(encode(&frame), bytes, "a frame has two spellings");
        true
    })
}

const SITUATIONS: [fn() -> Watched; 12] = [
    || Watched::root(config()),
    || Watched::member(config()),
    busy_root,
    busy_member,
    || joiner(0, 0),
    || joiner(1, 0),
    || joiner(2, 0),
    || joiner(2, 1),
    || joiner(2, 2),
    || joiner(2, 3),
    orphan,
    leaver,
];

/// Three slots. In a busy node one has a child, one a candidate whose greeting is awaited, one a candidate whose channel is not open
/// yet. The fourth joiner was sent to the child, the fifth waits for a candidate.
fn config() -> Config {
    Config {
        max_degree: 3,
        ..Config::default()
    }
}

fn busy(mut watched: Watched) -> Watched {
    let first = watched.links().len();
    for (node, steps) in [(2, 3), (3, 2), (4, 1), (5, 0), (6, 0)] {
        watched.passed_down(JoinWord::Request(node, 1, 1));
        for _ in 0..steps {
            watched.link_goes_on(first + usize::from(node) - 2);
        }
    }
    watched
}

fn busy_root() -> Watched {
    busy(Watched::root(config()))
}

fn busy_member() -> Watched {
    busy(Watched::member(config()))
}

/// A node that wants to join, after this many steps of the server and of its dial.
fn joiner(server_steps: usize, dial_steps: usize) -> Watched {
    let mut watched = Watched::detached(config());
    watched.event(EventKind::Join);
    for _ in 0..server_steps {
        watched.server_goes_on();
    }
    for _ in 0..dial_steps {
        watched.link_goes_on(0);
    }
    watched
}

/// A node with a child that has lost its parent and is about to be introduced again.
fn orphan() -> Watched {
    let mut watched = busy_member();
    let parent = watched.links()[0].id;
    watched.event(EventKind::LinkClosed(parent));
    watched.wait_until_due();
    watched.server_goes_on();
    watched.server_goes_on();
    watched
}

/// A node that has more to say to parent and child than they take, and leaves.
fn leaver() -> Watched {
    let mut watched = busy_member();
    for link in [0, 1].map(|at| watched.links()[at].id) {
        for _ in 0..3 {
            watched.event(EventKind::Send {
                to: link,
                payload: Bytes::from_static(payload(62_000)),
            });
        }
    }
    watched.event(EventKind::Leave);
    watched
}
