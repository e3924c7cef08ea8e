//! The table of links, and what each of them is.

use alloc::boxed::Box;
use core::time::Duration;

use slab::Slab;

use super::handover::Held;
use crate::census::Census;
use crate::flow::{Inbox, Outbox};
use crate::id::{JoinId, LinkId, NodeId};
use crate::time::Instant;
use crate::wire::{Farewell, Way};

/// All links of a node. At most one dial, one parent, former parents, and a child or candidate in each place.
#[derive(Debug, Default)]
pub(super) struct Links {
    slab: Slab<Link>,
    /// How many were ever made: the generation of the next one.
    made: u32,
}

/// A WebRTC connection.
#[derive(Debug)]
pub(super) struct Link {
    generation: u32,
    pub(super) state: LinkState,
    /// When the neighbour was last heard of.
    pub(super) heard: Instant,
    /// When the neighbour was last sent something.
    pub(super) sent: Instant,
    pub(super) outbox: Outbox,
    pub(super) inbox: Inbox,
}

/// What a link is. It becomes something else only by the named transitions below.
#[derive(Debug)]
pub(super) enum LinkState {
    /// Towards a parent to be.
    Dialing(Dialing),
    /// To the parent.
    Parent(NodeId),
    /// From a child to be.
    Candidate(Candidate),
    /// To a child.
    Child(Child),
    /// To a former parent or child, until it has all that it was sent.
    Parting(Parting),
}

#[derive(Debug)]
pub(super) struct Dialing {
    pub(super) join: JoinId,
    /// By which way the request sets out, and its signals after it.
    pub(super) way: Way,
    /// What the parent to be was told of this node's subtree.
    pub(super) census: Box<Census>,
    pub(super) stage: DialStage,
    /// When the present stage has taken too long.
    pub(super) deadline: Instant,
    /// Once it is welcomed while an old parent has still to bring something.
    pub(super) held: Option<Box<Held>>,
}

/// How far a dial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DialStage {
    /// The embedder makes the offer.
    Offering,
    /// The request is on its way.
    Requested,
    /// An acceptor has answered.
    Answered,
    /// The channel is open and the greeting sent.
    Greeted,
    /// The acceptor has welcomed this node, which keeps its old parent for a little while.
    Welcomed,
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) join: JoinId,
    pub(super) slot: usize,
    /// The subtree that it brings, and the same once all the joins that wait for it are in.
    pub(super) subtree: Box<Forecast>,
    /// It has a parent already.
    pub(super) moves: bool,
    pub(super) open: bool,
    pub(super) deadline: Instant,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) node: NodeId,
    /// The place that it takes; none if it leaves and has given it back.
    pub(super) slot: Option<usize>,
    /// Its subtree as it last reported it, and the same once all the joins sent there are in.
    pub(super) subtree: Box<Forecast>,
    /// How many joins were sent there.
    pub(super) requests: u32,
    pub(super) door: Door,
}

/// Whether joins are sent to a child. A subtree moves only out of a place that takes no joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    /// Shut: the child is invited to go elsewhere.
    Invited,
    /// Shut: it has asked for a place elsewhere.
    Asking,
    /// Shut for good: it leaves the tree.
    Leaving,
}

/// What is known of a subtree, and what will become of it. Aside, because every node has a table of links, and
/// most have nobody below them.
#[derive(Debug)]
pub(super) struct Forecast {
    pub(super) known: Census,
    pub(super) predicted: Census,
}

#[derive(Debug)]
pub(super) struct Parting {
    pub(super) slot: Option<usize>,
    pub(super) farewell: Farewell,
    /// Whether the farewell is sent: then all that is missing is that the neighbour closes.
    pub(super) said: bool,
    /// When it is over, unless the neighbour takes something before.
    pub(super) deadline: Instant,
    /// When it is over in any case.
    pub(super) latest: Instant,
}

impl LinkState {
    /// The neighbour in the tree at the link's other end.
    pub(super) const fn neighbour(&self) -> Option<NodeId> {
        match self {
            Self::Parent(node) => Some(*node),
            Self::Child(child) => Some(child.node),
            Self::Dialing(_) | Self::Candidate(_) | Self::Parting(_) => None,
        }
    }

    /// The place that the link takes.
    pub(super) const fn slot(&self) -> Option<usize> {
        match self {
            Self::Candidate(candidate) => Some(candidate.slot),
            Self::Child(child) => child.slot,
            Self::Parting(parting) => parting.slot,
            Self::Dialing(_) | Self::Parent(_) => None,
        }
    }

    /// Whether a parent to be waits for the old one.
    pub(super) const fn is_held(&self) -> bool {
        matches!(self, Self::Dialing(dialing) if dialing.held.is_some())
    }

    /// When the link's handshake or farewell has taken too long.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Dialing(dialing) => Some(dialing.deadline),
            Self::Candidate(candidate) => Some(candidate.deadline),
            Self::Parting(parting) => Some(parting.deadline),
            Self::Parent(_) | Self::Child(_) => None,
        }
    }
}

impl Candidate {
    /// The candidate has proved to be who it said it is.
    pub(super) fn into_child(self) -> Child {
        Child {
            node: self.join.origin,
            slot: Some(self.slot),
            subtree: self.subtree,
            requests: 0,
            door: Door::Open,
        }
    }
}

impl Link {
    /// When something is due on this link: its deadline, a heartbeat, or giving the neighbour up.
    pub(super) fn next_deadline(&self, heartbeat: Duration, silence: Duration) -> Instant {
        match self.state.deadline() {
            Some(deadline) if self.state.is_held() => deadline.min(self.sent + heartbeat),
            Some(deadline) => deadline,
            None => (self.sent + heartbeat).min(self.heard + silence),
        }
    }
}

impl Links {
    /// A new link, with an id that none had before.
    pub(super) fn insert(&mut self, state: LinkState, window: u32, now: Instant) -> LinkId {
        self.made = self.made.wrapping_add(1);
        let generation = self.made;
        if self.slab.capacity() == 0 {
            // Most nodes are leaves: they have one link, and would be given room for four.
            self.slab.reserve_exact(1);
        }
        let index = self.slab.insert(Link {
            generation,
            state,
            heard: now,
            sent: now,
            outbox: Outbox::default(),
            inbox: Inbox::new(window),
        });
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        LinkId { index, generation }
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        let link = self.slab.get(id.index as usize)?;
        (link.generation == id.generation).then_some(link)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        let link = self.slab.get_mut(id.index as usize)?;
        (link.generation == id.generation).then_some(link)
    }

    /// The link that has the place in the table which `id` had.
    #[cfg(planted)]
    pub(super) fn in_place_of(&self, id: LinkId) -> LinkId {
        let link = self.slab.get(id.index as usize);
        let generation = link.map_or(id.generation, |link| link.generation);
        LinkId { generation, ..id }
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        self.get(id)?;
        self.slab.try_remove(id.index as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// In the order of their places in the table, which depends on nothing but the events so far.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.slab.iter().map(|(index, link)| {
            let id = LinkId {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                generation: link.generation,
            };
            (id, link)
        })
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.slab.iter_mut().map(|(_, link)| link)
    }

    /// The first link, in table order, that `wanted` accepts.
    pub(super) fn find(&self, wanted: impl Fn(&Link) -> bool) -> Option<LinkId> {
        self.iter().find(|(_, link)| wanted(link)).map(|(id, _)| id)
    }
}
