//! A WebRTC that connects two ends when the offer, the answer and a candidate of each side have
//! crossed, and then carries messages in order.

use std::collections::BTreeMap;

use overlay_core::{IceCandidate, Instant, LinkId, Sdp, Signal};

use super::world::Ix;

/// The number of an end: what its offer, answer and candidates say.
pub(crate) type EndIx = usize;

/// One side of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) owner: Ix,
    pub(crate) link: LinkId,
    pub(crate) dialed: bool,
    /// The other side, once it is known from its offer or answer.
    pub(crate) peer: Option<EndIx>,
    /// Whether a candidate of the other side has come.
    reachable: bool,
    pub(crate) stage: Stage,
    /// Something that it sent was lost: then nothing that it sends arrives any more, because a
    /// channel is reliable or dead.
    pub(crate) broken: bool,
    /// When the last message arrives at the other side: the next one can't overtake it.
    pub(crate) latest: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    Open,
    Closed,
}

/// All ends of all connections, ever.
#[derive(Debug, Default)]
pub(crate) struct WebRtc {
    ends: Vec<End>,
    by_link: BTreeMap<(Ix, LinkId), EndIx>,
}

impl WebRtc {
    /// A new side of a connection. `offer` is what it answers, if it does.
    pub(crate) fn add(&mut self, owner: Ix, link: LinkId, offer: Option<&Sdp>) -> EndIx {
        let number = self.ends.len();
        self.ends.push(End {
            owner,
            link,
            dialed: offer.is_none(),
            peer: offer.and_then(|offer| offer.parse().ok()),
            reachable: false,
            stage: Stage::Connecting,
            broken: false,
            latest: Instant::ZERO,
        });
        self.by_link.insert((owner, link), number);
        number
    }

    pub(crate) fn number(&self, owner: Ix, link: LinkId) -> EndIx {
        self.by_link[&(owner, link)]
    }

    pub(crate) fn end(&mut self, number: EndIx) -> &mut End {
        &mut self.ends[number]
    }

    /// The other side, if the connection is up on both sides.
    pub(crate) fn connected_peer(&self, number: EndIx) -> Option<EndIx> {
        let end = &self.ends[number];
        let peer = end.peer.filter(|peer| *peer < self.ends.len())?;
        (self.ends[peer].peer == Some(number)).then_some(peer)
    }

    /// A signal of the other side. Returns both ends once they can connect.
    pub(crate) fn apply(&mut self, number: EndIx, signal: &Signal) -> Option<[EndIx; 2]> {
        match signal {
            Signal::Answer(answer) => self.ends[number].peer = answer.parse().ok(),
            Signal::IceCandidate(_) => self.ends[number].reachable = true,
        }
        let peer = self.connected_peer(number)?;
        let both = [number, peer];
        let ready =
            |end: &EndIx| self.ends[*end].reachable && self.ends[*end].stage == Stage::Connecting;
        both.iter().all(ready).then_some(both)
    }

    /// The ends of `owner` that are not closed.
    pub(crate) fn of(&self, owner: Ix) -> Vec<EndIx> {
        let mine = |(_, end): &(EndIx, &End)| end.owner == owner && end.stage != Stage::Closed;
        self.ends
            .iter()
            .enumerate()
            .filter(mine)
            .map(|(n, _)| n)
            .collect()
    }
}

/// The offer or answer of an end.
pub(crate) fn sdp(number: EndIx) -> Sdp {
    Sdp::new(number.to_string()).unwrap()
}

/// A candidate of an end.
pub(crate) fn candidate(number: EndIx) -> Signal {
    Signal::IceCandidate(IceCandidate::new(number.to_string()).unwrap())
}
