//! Frames of the fuzz targets, decoded from the bytes of a fuzzer.

use bytes::Bytes;
use overlay_core::bounded::List;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{
    self, Answer, ClientRole, Ended, GoodbyeReason, Invitation, JoinFrame, JoinKind, JoinRequest,
    Lane, LinkFrame, MAX_PART, Part, Question, Refusal, RejectReason, Replied, ServerFrame, Stall,
    VERSION,
};
use overlay_core::{
    AskId, Census, Combine, Epoch, JoinId, NodeId, Path, Position, Sdp, Signal, SlowPolicy, Start,
};

use crate::frames;
use crate::fuzz::vocabulary::vocabulary;

/// The number of the node that a story is about.
///
/// Number 1 is its parent, if it has one, a child of the root, which is number 100; the others are joiners and children.
pub const SELF: u8 = 7;

vocabulary! {
    /// What is said about a join. Joiners have numbers below 8.
    pub enum JoinWord {
        /// Asks for a parent, with this subtree.
        4 => Request(node: u8, attempt: u8, subtree: u8),
        /// The same from inside the tree: this many levels up, and at most this deep below that.
        4 => Move(node: u8, attempt: u8, subtree: u8, up: u8, max_depth: u8),
        /// The acceptor answers.
        1 => Answer(node: u8, attempt: u8),
        /// Either side has an ICE candidate.
        1 => Candidate(node: u8, attempt: u8),
        /// The attempt has failed; the next one in this many milliseconds at the earliest.
        1 => Reject(node: u8, attempt: u8, retry_after_ms: u32),
        /// The joiner gives up.
        1 => Cancel(node: u8, attempt: u8),
    }

    /// What is said on a link.
    pub enum LinkWord {
        /// The greeting of a joiner, which comes in live, with the oldest, or at a position.
        1 => Hello(node: u8, attempt: u8, start: u8, offset: u16),
        /// The greeting of a parent, whose stream begins here.
        1 => Welcome(node: u8, epoch: u8, offset: u16),
        /// A sign of life.
        1 => Heartbeat,
        /// About a join.
        1 => Join(word: JoinWord),
        /// A child's subtree, after this many requests.
        1 => Status(seen: u8, subtree: u8),
        /// A parent whose path has changed.
        1 => Moved(node: u8, epoch: u8),
        /// Credit for this many bytes, in the direct lane or that of the stream.
        1 => Credit(stream: bool, bytes: u32),
        /// The same in the lane of messages that pass, or in that of questions.
        1 => CreditToPass(gather: bool, bytes: u32),
        /// The end: of the link alone, of its membership, or of its being below this parent.
        1 => Goodbye(how: u8),
        /// Records of app messages: two such parts, of this many bytes.
        1 => Direct(one: u8, other: u8, len: u16),
        /// The same of the root's stream.
        1 => Stream(one: u8, other: u8, len: u16),
        /// Bytes that are no records.
        1 => Stray(stream: bool, byte: u8),
        /// A message for the root that has come by way of this node, if it is not 0.
        1 => Up(node: u8, len: u16),
        /// A reply of the root to the node itself, or by way of this child.
        1 => Reply(node: u8, tag: u8, len: u16),
        /// The end of a reply to this node.
        1 => Replied(node: u8, tag: u8, arrived: bool),
        /// A question, with this many milliseconds for the answer.
        1 => Ask(number: u8, combine: u8, left_ms: u16),
        /// An answer that this many nodes have given.
        1 => Answer(number: u8, answered: u8, len: u8),
        /// A node takes nothing.
        1 => Stalled(node: u8),
        /// The wish that a node this far below go elsewhere: this many levels up, and at most this deep below that.
        1 => Invite(down: u8, up: u8, max_depth: u8),
        /// The invited child stays.
        1 => Stay,
        /// The child leaves the tree, and its children will ask for other parents.
        1 => Leaving,
        /// The next records are at this position of this root's stream.
        1 => Jump(node: u8, epoch: u8, offset: u16),
    }

    /// What the server says.
    pub enum ServerWord {
        /// Registered; a sign of life is due this often, in milliseconds; as a joiner, a standby or the
        /// root by this number, in an epoch below 4.
        3 => Welcome(keepalive_ms: u32, role: u8, epoch: u8),
        /// Not registered, for the reason of this number.
        2 => Refused(why: u8, retry_after_ms: u32),
        /// A sign of life.
        1 => Pong,
        /// About a join.
        1 => Join(word: JoinWord),
        /// There is a root, of an epoch below 4.
        1 => RootReady(epoch: u8),
        /// The root now, in an epoch below 4.
        1 => Promoted(epoch: u8),
        /// No root: the stream of this one has ended at this position.
        1 => Ended(node: u8, epoch: u8, offset: u16),
    }
}

/// The id of the node with this number.
#[must_use]
pub const fn id(number: u8) -> NodeId {
    frames::id(number as u128)
}

/// An attempt of the joiner with this number to join; number 7 names the node itself.
#[must_use]
pub fn join(node: u8, attempt: u8) -> JoinId {
    frames::join((node % 8).into(), attempt.into())
}

/// The path that the node with this number claims: none, below the node that it tells, or below the root.
#[must_use]
pub fn path_of(node: u8) -> Path {
    let root = Path::root(id(100));
    match node {
        0 => Path::default(),
        SELF => Path::root(id(SELF)),
        _ => root.child(id(node)).unwrap_or_default(),
    }
}

/// A node with up to three free slots, and up to seven others below it.
fn subtree(shape: u8) -> Census {
    let mut census = Census::of_node(u32::from(shape % 4));
    for _ in 0..shape / 4 % 8 {
        census.admit(&Census::of_node(2));
    }
    census
}

/// A few levels, or as many as there can be.
const fn levels(number: u8) -> u8 {
    match number % 8 {
        7 => u8::MAX,
        few => few,
    }
}

/// A session description.
#[must_use]
pub fn sdp() -> Sdp {
    frames::sdp("v=0")
}

/// An ICE candidate.
#[must_use]
pub fn candidate() -> Signal {
    frames::candidate("candidate:1")
}

impl JoinWord {
    /// The frame.
    #[must_use]
    pub fn frame(self) -> JoinFrame {
        match self {
            Self::Request(node, attempt, subtree) => {
                request(node, attempt, subtree, JoinKind::Introduced)
            }
            Self::Move(node, attempt, subtree, up, max_depth) => {
                let (up, max_depth) = (levels(up), levels(max_depth));
                request(node, attempt, subtree, JoinKind::Move { up, max_depth })
            }
            Self::Answer(node, attempt) => {
                frames::signal(join(node, attempt), Signal::Answer(sdp()))
            }
            Self::Candidate(node, attempt) => frames::signal(join(node, attempt), candidate()),
            Self::Reject(node, attempt, retry_after_ms) => {
                let reason = match retry_after_ms % 8 {
                    0 => RejectReason::Version,
                    1 => RejectReason::NoRoot,
                    _ => RejectReason::Full,
                };
                frames::reject(join(node, attempt), reason, retry_after_ms)
            }
            Self::Cancel(node, attempt) => JoinFrame::Cancel {
                join: join(node, attempt),
            },
        }
    }
}

impl LinkWord {
    /// The frame, as bytes.
    #[must_use]
    #[allow(clippy::too_many_lines, reason = "a list")]
    pub fn bytes(self) -> Bytes {
        wire::encode(&match self {
            Self::Hello(node, attempt, start, offset) => LinkFrame::Hello {
                version: VERSION,
                join: join(node, attempt),
                window: MIN_WINDOW,
                stream_window: MIN_WINDOW,
                start: match start % 4 {
                    0 => Start::Live,
                    1 => Start::Oldest,
                    _ => Start::At(position(start / 4, start, offset)),
                },
            },
            Self::Welcome(node, epoch, offset) => welcome(node % 8, epoch % 4, offset),
            Self::Heartbeat => LinkFrame::Heartbeat,
            Self::Join(word) => LinkFrame::Join(word.frame()),
            Self::Status(seen, shape) => LinkFrame::Status {
                seen: u32::from(seen),
                census: subtree(shape),
            },
            Self::Moved(node, epoch) => LinkFrame::Moved {
                epoch: Epoch(u64::from(epoch % 4)),
                path: path_of(node % 8),
            },
            Self::Credit(stream, bytes) => LinkFrame::Credit {
                lane: if stream { Lane::Stream } else { Lane::Direct },
                bytes,
            },
            Self::CreditToPass(gather, bytes) => LinkFrame::Credit {
                lane: if gather { Lane::Gather } else { Lane::Routed },
                bytes,
            },
            Self::Goodbye(how) => LinkFrame::Goodbye(match how % 3 {
                0 => GoodbyeReason::Closing,
                1 => GoodbyeReason::Leaving,
                _ => GoodbyeReason::Moved,
            }),
            Self::Direct(one, other, len) => {
                let records = &parts(one, other, len);
                return wire::encode(&LinkFrame::Direct { records });
            }
            Self::Stream(one, other, len) => {
                let records = &parts(one, other, len);
                return wire::encode(&LinkFrame::Stream { records });
            }
            Self::Stray(stream, byte) => {
                let records = &[byte, byte];
                return wire::encode(&if stream {
                    LinkFrame::Stream { records }
                } else {
                    LinkFrame::Direct { records }
                });
            }
            Self::Up(node, len) => {
                let records = &whole(&wire::behind(&way(node), payload(len)));
                return wire::encode(&LinkFrame::Routed { records });
            }
            Self::Reply(node, tag, len) => {
                let (way, tag) = (way(node), tag.into());
                let records = &whole(&wire::behind(&wire::Reply { way, tag }, payload(len)));
                return wire::encode(&LinkFrame::Routed { records });
            }
            Self::Replied(node, tag, arrived) => LinkFrame::Replied(Replied {
                node: id(node % 8),
                tag: tag.into(),
                arrived,
            }),
            Self::Ask(number, combine, left_ms) => {
                let left_ms = u32::from(left_ms);
                let question = Question {
                    ask: ask(number),
                    left_ms,
                    step_ms: left_ms / 8,
                    total_ms: left_ms,
                    combine: Combine::ALL[usize::from(combine) % Combine::ALL.len()],
                    limit: 1_000,
                };
                let records = &whole(&wire::behind(&question, b"?"));
                return wire::encode(&LinkFrame::Gather { records });
            }
            Self::Answer(number, answered, len) => {
                let answered = u32::from(answered % 4);
                let answer = Answer {
                    ask: ask(number),
                    answered,
                    omitted: u32::from(number / 8 % 2),
                    asked: answered + 1,
                };
                let records = &whole(&wire::behind(&answer, payload(u16::from(len % 16))));
                return wire::encode(&LinkFrame::Gather { records });
            }
            Self::Stalled(node) => LinkFrame::Stalled(Stall {
                node: id(node % 8),
                behind: node.into(),
                for_ms: 10_000,
            }),
            Self::Invite(down, up, max_depth) => LinkFrame::Invite(Invitation {
                down: levels(down),
                up: levels(up),
                max_depth: levels(max_depth),
            }),
            Self::Stay => LinkFrame::Stay,
            Self::Leaving => LinkFrame::Leaving,
            Self::Jump(node, epoch, offset) => LinkFrame::Jump(position(node, epoch, offset)),
        })
    }
}

impl ServerWord {
    /// The frame, as bytes.
    #[must_use]
    pub fn bytes(self) -> Bytes {
        const ROLES: [ClientRole; 3] = [ClientRole::Joiner, ClientRole::Standby, ClientRole::Root];
        const REFUSALS: [Refusal; 6] = [
            Refusal::Superseded,
            Refusal::TooManyConnections,
            Refusal::ShuttingDown,
            Refusal::WrongToken,
            Refusal::UnknownOverlay,
            Refusal::Version,
        ];
        wire::encode(&match self {
            Self::Welcome(keepalive_ms, role, epoch) => ServerFrame::Welcome {
                version: VERSION,
                keepalive_ms,
                role: ROLES[usize::from(role) % ROLES.len()],
                epoch: Epoch(u64::from(epoch % 4)),
                lease_ms: 8_000,
            },
            Self::Refused(why, retry_after_ms) => ServerFrame::Refused {
                version: VERSION,
                refusal: REFUSALS[usize::from(why) % REFUSALS.len()],
                retry_after_ms,
            },
            Self::Pong => ServerFrame::Pong,
            Self::Join(word) => ServerFrame::Join(word.frame()),
            Self::RootReady(epoch) => ServerFrame::RootReady {
                epoch: Epoch(u64::from(epoch % 4)),
            },
            Self::Promoted(epoch) => ServerFrame::Promoted {
                epoch: Epoch(u64::from(epoch % 4)),
            },
            Self::Ended(node, epoch, offset) => ServerFrame::Ended(Ended {
                position: position(node, epoch, offset),
                last: List::default(),
            }),
        })
    }
}

/// A position in the stream of this root. The highest offset is one that no honest node is at.
fn position(node: u8, epoch: u8, offset: u16) -> Position {
    Position {
        root: id(node % 8),
        epoch: Epoch(u64::from(epoch % 4)),
        offset: match offset {
            u16::MAX => u64::MAX,
            offset => offset.into(),
        },
    }
}

/// A question of the node itself, or of the root, by its lowest bits.
#[must_use]
pub fn ask(number: u8) -> AskId {
    let root = if number.is_multiple_of(2) {
        id(SELF)
    } else {
        id(100)
    };
    let number = u64::from(number % 8);
    AskId { root, number }
}

/// A way by this node, or by none.
#[must_use]
pub fn way(node: u8) -> Path {
    match node % 8 {
        0 => Path::default(),
        node => Path::root(id(node)),
    }
}

/// A message in one record, cut off if it does not fit.
fn whole(message: &[u8]) -> Vec<u8> {
    let message = message.get(..MAX_PART).unwrap_or(message);
    frames::record(Part::Whole, message)
}

/// Two records, of parts with these numbers. Most are whole messages.
fn parts(one: u8, other: u8, len: u16) -> Vec<u8> {
    let part = |number: u8| match number % 16 {
        0..4 => Part::First,
        4..6 => Part::Middle,
        6..9 => Part::Last,
        9 => Part::Cancelled,
        10 => Part::End,
        _ => Part::Whole,
    };
    let payload = payload(len);
    let payload = &payload[..payload.len().min(MAX_PART / 2)];
    let mut records = frames::record(part(one), payload);
    records.extend(frames::record(part(other), payload));
    records
}

/// The greeting of a parent, whose stream begins at this offset.
#[must_use]
pub fn welcome(node: u8, epoch: u8, offset: u16) -> LinkFrame<'static> {
    LinkFrame::Welcome {
        version: VERSION,
        id: id(node),
        epoch: Epoch(u64::from(epoch)),
        path: path_of(node),
        window: MIN_WINDOW,
        position: position(0, epoch, offset),
        ended: offset % 16 == 15,
        slow: SlowPolicy::Wait,
    }
}

/// The longest message of a node that is fuzzed: two records and a bit.
pub const MAX_MESSAGE: usize = 2 * MAX_PART + 10;

/// Most messages are short; some are so long that a few of them fill a window, many of these the longest that there
/// may be; and some are too long.
#[must_use]
pub fn payload(len: u16) -> &'static [u8] {
    static PAYLOAD: [u8; MAX_MESSAGE + 1] = [7; MAX_MESSAGE + 1];
    let len = match len {
        0..40_000 => usize::from(len) % 100,
        40_000..65_000 => (usize::from(len - 40_000) * 2).min(MAX_MESSAGE),
        _ => MAX_MESSAGE + 1,
    };
    &PAYLOAD[..len]
}

fn request(node: u8, attempt: u8, shape: u8, kind: JoinKind) -> JoinFrame {
    JoinFrame::Request(JoinRequest {
        offer: sdp(),
        census: subtree(shape),
        kind,
        ..frames::request(join(node, attempt), 0)
    })
}
