//! Frames and their parts, as short as tests can read them.
//!
//! Nodes have numbers. The root of a tree that is told of has number 0.

use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{
    ClientFrame, ClientRole, JoinFrame, JoinKind, JoinRequest, LinkFrame, OverlayName, Part,
    Record, Refusal, Registration, RejectReason, Rejection, ResumeSecret, ServerFrame, Token,
    VERSION,
};
use overlay_core::{
    Census, Epoch, IceCandidate, JoinId, NodeId, Path, Position, Sdp, Signal, SlowPolicy, Start,
};

// ── Names ──

/// The id of the node with this number.
#[must_use]
pub const fn id(number: u128) -> NodeId {
    NodeId::from_u128(number << 96 | number)
}

/// An attempt of a node to join.
#[must_use]
pub const fn join(number: u128, attempt: u32) -> JoinId {
    JoinId {
        origin: id(number),
        attempt,
    }
}

/// The first attempt of a node to join.
#[must_use]
pub const fn join_of(number: u128) -> JoinId {
    join(number, 1)
}

/// The path of a child of the root.
#[must_use]
pub fn below_root(number: u128) -> Path {
    Path::root(id(0)).child(id(number)).unwrap()
}

/// The name of an overlay.
#[must_use]
pub fn overlay(name: &str) -> OverlayName {
    OverlayName::new(name).unwrap()
}

/// A token.
#[must_use]
pub fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

// ── Signals ──

/// A session description.
#[must_use]
pub fn sdp(text: &str) -> Sdp {
    Sdp::new(text).unwrap()
}

/// An answer.
#[must_use]
pub fn answer() -> Signal {
    Signal::Answer(sdp("answer"))
}

/// An ICE candidate.
#[must_use]
pub fn candidate(text: &str) -> Signal {
    Signal::IceCandidate(IceCandidate::new(text).unwrap())
}

// ── Joins ──

/// A request of a single node with this many slots, as the server passes it on.
#[must_use]
pub fn request(join: JoinId, slots: u32) -> JoinRequest {
    JoinRequest {
        join,
        offer: sdp("offer"),
        census: Census::of_node(slots),
        hops: 0,
        waited_ms: 0,
        kind: JoinKind::Introduced,
        lost: Path::default(),
    }
}

/// A signal of either side of a join.
#[must_use]
pub const fn signal(join: JoinId, signal: Signal) -> JoinFrame {
    JoinFrame::Signal { join, signal }
}

/// The rejection of a join.
#[must_use]
pub const fn reject(join: JoinId, reason: RejectReason, retry_after_ms: u32) -> JoinFrame {
    let rejection = Rejection {
        reason,
        retry_after_ms,
    };
    JoinFrame::Reject { join, rejection }
}

/// A move within the tree.
#[must_use]
pub const fn move_to(up: u8, max_depth: u8) -> JoinKind {
    JoinKind::Move { up, max_depth }
}

/// A request to move, of a single node with one slot.
#[must_use]
pub fn moving(joiner: u128, kind: JoinKind) -> LinkFrame<'static> {
    let request = request(join_of(joiner), 1);
    LinkFrame::Join(JoinFrame::Request(JoinRequest { kind, ..request }))
}

// ── Links ──

/// The greeting of a joiner.
#[must_use]
pub const fn hello(join: JoinId, window: u32) -> LinkFrame<'static> {
    LinkFrame::Hello {
        version: VERSION,
        join,
        window,
        stream_window: window,
        start: Start::Live,
    }
}

/// The greeting of a parent, which is the last node of `path`.
#[must_use]
pub fn welcome(epoch: Epoch, path: Path) -> LinkFrame<'static> {
    LinkFrame::Welcome {
        version: VERSION,
        id: path.last().unwrap(),
        epoch,
        path,
        window: MIN_WINDOW,
        position: position(epoch, 0),
        ended: false,
        slow: SlowPolicy::Wait,
    }
}

/// A position in the stream of the root.
#[must_use]
pub const fn position(epoch: Epoch, offset: u64) -> Position {
    let root = id(0);
    Position {
        root,
        epoch,
        offset,
    }
}

/// A message, or a part of one, as the bytes of a record.
#[must_use]
pub fn record(part: Part, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Record { part, payload }.write(&mut bytes);
    bytes
}

/// The records in the bytes of a frame, as parts and payloads.
#[must_use]
pub fn records(mut bytes: &[u8]) -> Vec<(Part, Vec<u8>)> {
    let mut records = Vec::new();
    while let Some((record, rest)) = Record::take(bytes) {
        records.push((record.part, record.payload.to_vec()));
        bytes = rest;
    }
    assert_eq!(bytes, [], "not a record");
    records
}

/// A child's report of its subtree, after this many requests.
#[must_use]
pub const fn status(seen: u32, census: Census) -> LinkFrame<'static> {
    LinkFrame::Status { seen, census }
}

// ── The server ──

/// The registration of a client, whose secret is this byte.
#[must_use]
pub fn register(
    overlay: OverlayName,
    id: NodeId,
    secret: u8,
    registration: Registration,
) -> ClientFrame {
    ClientFrame::Hello {
        version: VERSION,
        overlay,
        id,
        secret: ResumeSecret::from_bytes([secret; 16]),
        registration,
    }
}

/// The server's refusal of a client.
#[must_use]
pub const fn refused(refusal: Refusal, retry_after_ms: u32) -> ServerFrame {
    ServerFrame::Refused {
        version: VERSION,
        refusal,
        retry_after_ms,
    }
}

/// The server's answer to a registration.
#[must_use]
pub const fn registered(role: ClientRole, epoch: u64) -> ServerFrame {
    ServerFrame::Welcome {
        version: VERSION,
        keepalive_ms: 10_000,
        role,
        epoch: Epoch(epoch),
        lease_ms: 8_000,
    }
}
