//! WebRTC as the core sees it: two ends that connect when offer, answer and an ICE candidate of each side have
//! crossed, and then carry messages in order until one of them closes, or one message is lost.

use core::time::Duration;

use overlay_core::arena::{self, Arena};
use overlay_core::{IceCandidate, Instant, LinkId, Sdp, Signal};

use super::Ix;

/// The id of one end of a connection; never given to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndId {
    index: u32,
    generation: u32,
}

/// One side of a connection.
#[derive(Debug)]
pub struct End {
    /// The node whose end it is.
    pub owner: Ix,
    /// The node's own name for the connection.
    pub link: LinkId,
    /// The distance of its owner from its provider; here, because every message needs it.
    pub distance: u32,
    /// The other side, once it is known from its offer or answer.
    peer: Option<EndId>,
    /// Whether an ICE candidate of the other side has come.
    reachable: bool,
    /// How far it has come.
    pub stage: Stage,
    /// Whether something that it sent was lost. Then nothing that it sends arrives any more, because a channel is
    /// reliable or dead.
    pub broken: bool,
    /// Whether a forger has spoken to this end.
    pub deceived: bool,
    /// When the latest message to this end arrives: the next one can't overtake it.
    pub floor: Instant,
    /// When this end last heard something.
    pub heard: Heard,
}

/// How far an end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Offer, answer and ICE candidates are on their way.
    Signalling,
    /// ICE and DTLS are at work.
    Connecting,
    /// The channel carries messages.
    Open,
    /// Its node has closed it, but some of its events may still be on their way to the node.
    Closed,
}

/// A moment, as its machine lived it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// The moment.
    pub at: Instant,
    /// How long the machine had slept by then.
    pub slept: Duration,
    /// How often the machine had slept by then.
    pub naps: u32,
}

/// All ends that are not closed.
#[derive(Debug, Default)]
pub struct Ends(Arena<EndId, End>);

impl Ends {
    /// A new end. `offer` is what it answers, if it does.
    pub fn add(&mut self, owner: Ix, link: LinkId, distance: u32, offer: Option<&Sdp>) -> EndId {
        self.0.insert(End {
            owner,
            link,
            distance,
            peer: offer.and_then(|offer| EndId::parse(offer)),
            reachable: false,
            stage: Stage::Signalling,
            broken: false,
            deceived: false,
            floor: Instant::ZERO,
            heard: Heard::default(),
        })
    }

    /// The end, if it was not removed.
    #[must_use]
    #[inline]
    pub fn get(&self, id: EndId) -> Option<&End> {
        self.0.get(id)
    }

    /// The end, if it was not removed.
    #[must_use]
    #[inline]
    pub fn get_mut(&mut self, id: EndId) -> Option<&mut End> {
        self.0.get_mut(id)
    }

    /// Forgets an end.
    pub fn remove(&mut self, id: EndId) -> Option<End> {
        self.0.remove(id)
    }

    /// The SDP answer of an end to the offer that it was created for.
    #[must_use]
    pub fn answer(&self, id: EndId) -> Sdp {
        let offer = self.get(id).and_then(|end| end.peer);
        offer.map_or_else(Sdp::default, |offer| id.answer(offer))
    }

    /// The end whose offer this end answers, if it does.
    #[must_use]
    pub fn offerer(&self, id: EndId) -> Option<EndId> {
        let older = |peer: &EndId| peer.generation < id.generation;
        self.get(id)?.peer.filter(older)
    }

    /// The other side, if each of the two knows the other.
    #[must_use]
    #[inline]
    pub fn peer(&self, id: EndId) -> Option<EndId> {
        let peer = self.get(id)?.peer?;
        (self.get(peer)?.peer == Some(id)).then_some(peer)
    }

    /// A signal of the other side comes to an end. Returns both ends once they can connect.
    pub fn apply(&mut self, id: EndId, signal: &Signal) -> Option<[EndId; 2]> {
        let end = self.get_mut(id)?;
        match signal {
            Signal::Answer(answer) => end.peer = EndId::parse(answer),
            Signal::IceCandidate(candidate) => {
                end.reachable |= end.peer.is_some() && EndId::parse(candidate) == end.peer;
            }
        }
        let both = [id, self.peer(id)?];
        let ready = |end: &EndId| {
            let end = self.get(*end);
            end.is_some_and(|end| end.reachable && end.stage == Stage::Signalling)
        };
        both.iter().all(ready).then_some(both)
    }
}

impl arena::Id for EndId {
    fn from_parts(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    fn index(self) -> u32 {
        self.index
    }

    fn generation(self) -> u32 {
        self.generation
    }
}

impl EndId {
    /// What an end's offer says.
    #[must_use]
    pub fn offer(self) -> Sdp {
        Sdp::new(self.text()).unwrap_or_default()
    }

    /// What an end's answer to an offer says: its own name, and that of the end that it answers.
    fn answer(self, offer: Self) -> Sdp {
        Sdp::new(format!("{} {}", self.text(), offer.text())).unwrap_or_default()
    }

    /// An ICE candidate of an end.
    #[must_use]
    pub fn candidate(self) -> IceCandidate {
        IceCandidate::new(self.text()).unwrap_or_default()
    }

    fn text(self) -> String {
        format!("{} {}", self.index, self.generation)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::take(&mut text.split(' '))
    }

    /// The end that answers, and the one that it answers.
    #[must_use]
    pub fn parse_answer(text: &str) -> Option<[Self; 2]> {
        let mut words = text.split(' ');
        Some([Self::take(&mut words)?, Self::take(&mut words)?])
    }

    fn take(words: &mut core::str::Split<'_, char>) -> Option<Self> {
        Some(Self {
            index: words.next()?.parse().ok()?,
            generation: words.next()?.parse().ok()?,
        })
    }
}
