//! Frames that no honest node would send: well-formed, and lies.

use bytes::Bytes;
use overlay_core::wire::{
    self, GoodbyeReason, Invitation, JoinFrame, JoinKind, JoinRequest, Lane, LinkFrame, Part,
    Record, RejectReason, Rejection, Stall, VERSION,
};
use overlay_core::{
    Census, Epoch, IceCandidate, JoinId, NodeId, Path, Position, Sdp, Signal, SlowPolicy, Start,
};

use super::World;
use crate::invariants::messages::{self, FORGED};
use crate::world::machine::Ix;
use overlay_testkit::net::EndId;

impl World {
    /// A lie that the machine's neighbour may believe. The epoch is never one that does not exist: a
    /// node obeys the highest that it hears of, and has no means yet to tell a true one from a false one.
    pub(super) fn forge(&mut self, ix: Ix, end: EndId) -> Bytes {
        let own = self.machines[ix].node.id();
        let peer = self.ends.peer(end).and_then(|peer| self.ends.get(peer));
        let victim = peer.map_or(ix, |peer| peer.owner);
        let (epoch, path) = {
            let node = &self.machines[ix].node;
            (node.epoch(), node.path().clone())
        };
        let join = self.a_join(ix, victim);
        let len = u32::try_from(self.machines[ix].rng.below(16_000)).unwrap_or(0);
        let lie = record(len);
        // A little lie would be believed, and what has the position in truth be taken for a repetition.
        let nowhere = Position {
            root: own,
            epoch,
            offset: 1 << 61,
        };
        let rng = &mut self.machines[ix].rng;
        let window = u32::try_from(rng.below(200_000)).unwrap_or(0);
        let frame = match rng.below(20) {
            0 => LinkFrame::Hello {
                version: VERSION,
                join,
                window,
                stream_window: window,
                start: Start::At(nowhere),
            },
            1 => LinkFrame::Welcome {
                version: VERSION,
                id: own,
                epoch,
                path,
                window,
                position: nowhere,
                ended: window % 2 == 0,
                slow: SlowPolicy::Skip,
            },
            2 => LinkFrame::Join(JoinFrame::Request(JoinRequest {
                join,
                offer: Sdp::default(),
                census: census(window),
                hops: 0,
                waited_ms: 0,
                kind: way(window),
                lost: path.clone(),
            })),
            3 => LinkFrame::Join(JoinFrame::Signal {
                join,
                signal: Signal::Answer(Sdp::default()),
            }),
            4 => LinkFrame::Join(JoinFrame::Signal {
                join,
                signal: Signal::IceCandidate(IceCandidate::default()),
            }),
            5 => LinkFrame::Join(JoinFrame::Reject {
                join,
                rejection: Rejection {
                    reason: RejectReason::Busy,
                    retry_after_ms: u32::MAX,
                },
            }),
            6 => LinkFrame::Join(JoinFrame::Cancel { join }),
            7 => LinkFrame::Status {
                seen: window % 8,
                census: census(window),
            },
            8 => LinkFrame::Moved {
                epoch: Epoch(epoch.0 - u64::from(window % 2 == 0).min(epoch.0)),
                path,
            },
            9 => LinkFrame::Moved {
                epoch,
                path: Path::root(own),
            },
            // The receiver is above itself.
            10 => LinkFrame::Moved {
                epoch,
                path: Path::root(self.machines[victim].node.id())
                    .child(own)
                    .unwrap_or_default(),
            },
            11 => LinkFrame::Credit {
                lane: [Lane::Direct, Lane::Stream][window as usize % 2],
                bytes: u32::MAX,
            },
            12 => LinkFrame::Goodbye(GoodbyeReason::Leaving),
            13 => LinkFrame::Direct { records: &lie },
            14 => LinkFrame::Invite(Invitation {
                down: u8::try_from(window % 3).unwrap_or(0),
                up: u8::try_from(window % 4).unwrap_or(0),
                max_depth: u8::try_from(window % 256).unwrap_or(0),
            }),
            15 => LinkFrame::Stay,
            16 => LinkFrame::Leaving,
            17 => LinkFrame::Jump(nowhere),
            18 => LinkFrame::Stalled(stall(self.machines[victim].node.id(), window)),
            _ => LinkFrame::Stream {
                records: &lie[..lie.len() / 2],
            },
        };
        wire::encode(&frame)
    }

    /// A join that may be under way: of a node above the victim, of some machine, or of a stranger.
    fn a_join(&mut self, ix: Ix, victim: Ix) -> JoinId {
        let count = self.machines.len() as u64;
        let above = self.machines[victim].node.path().clone();
        let rng = &mut self.machines[ix].rng;
        let attempt = u32::try_from(rng.between(1, 4)).unwrap_or(1);
        let whose = usize::try_from(rng.below(count + 1)).unwrap_or(0);
        let ancestor = rng.pick(above.ids()).copied();
        let ancestor = ancestor.filter(|_| rng.chance(60));
        let stranger = NodeId::from_u128(u128::from(rng.draw()) << 64 | 0xffff_fffe);
        let other = self.machines.get(whose).map_or(stranger, |m| m.node.id());
        JoinId {
            origin: ancestor.unwrap_or(other),
            attempt,
        }
    }
}

/// A forger's message, as the bytes of a record.
fn record(len: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    Record {
        part: Part::Whole,
        payload: &messages::payload(FORGED, len),
    }
    .write(&mut bytes);
    bytes
}

/// A node that takes nothing, they say.
const fn stall(node: NodeId, random: u32) -> Stall {
    Stall {
        node,
        behind: u64::MAX,
        for_ms: random,
    }
}

/// From outside the tree or from inside, with all that a request can say of it.
fn way(random: u32) -> JoinKind {
    let [up, max_depth, inside, _] = random.to_le_bytes();
    if inside % 2 == 0 {
        return JoinKind::Introduced;
    }
    JoinKind::Move {
        up: up % 4,
        max_depth,
    }
}

/// A subtree that does not exist.
fn census(random: u32) -> Census {
    let mut census = Census::of_node(random % 5);
    for _ in 0..random % 3 {
        census.admit(&Census::of_node(random % 7));
    }
    census
}
