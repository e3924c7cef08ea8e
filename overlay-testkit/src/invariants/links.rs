//! The links of a node, as its embedder and its app know them.

use std::collections::BTreeSet;

use overlay_core::{LinkId, NodeId};

/// The links that are not over, and the names of those that are.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Links between `OpenLink` and their end. A node has a handful, so a list is the fastest table.
    live: Vec<Entry>,
    ended: BTreeSet<LinkId>,
}

/// A link between `OpenLink` and its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) link: LinkId,
    channel: Channel,
    /// What the app was told that the link is.
    pub(super) told: Told,
    /// Whether the child behind it is invited, or leaves: it takes no joiners.
    pub(super) intake_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Connecting,
    Open,
    /// Over, and the app is still to be told within the same event.
    Closed,
}

/// The part in the tree that the app was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Parent(NodeId),
    Child(NodeId),
    /// The parent no more, though the link may go on until the farewell is over.
    FormerParent,
}

impl Entry {
    pub(super) fn is_open(&self) -> bool {
        self.channel == Channel::Open
    }

    /// Whether the channel is open and the app was told this.
    pub(super) fn is_open_and(&self, told: Told) -> bool {
        self.is_open() && self.told == told
    }

    fn is_neighbour(&self) -> bool {
        matches!(self.told, Told::Parent(_) | Told::Child(_))
    }
}

impl Links {
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.live.iter()
    }

    pub(super) fn find(&self, link: LinkId) -> Option<&Entry> {
        self.live.iter().find(|entry| entry.link == link)
    }

    pub(super) fn find_mut(&mut self, link: LinkId) -> Option<&mut Entry> {
        self.live.iter_mut().find(|entry| entry.link == link)
    }

    /// The link, looked for at this place first: without churn children are in the order of their coming.
    pub(super) fn find_near(&self, place: usize, link: LinkId) -> Option<&Entry> {
        let near = self.live.get(place).filter(|entry| entry.link == link);
        near.or_else(|| self.find(link))
    }

    /// How many neighbours the app was told of.
    pub(super) fn neighbours(&self) -> usize {
        self.iter().filter(|entry| entry.is_neighbour()).count()
    }

    /// Whether the link was opened and neither side has closed it.
    pub(super) fn lives(&self, link: LinkId) -> bool {
        self.find(link)
            .is_some_and(|entry| entry.channel != Channel::Closed)
    }

    /// Whether the app was told that a neighbour is behind the link.
    pub(super) fn is_neighbour(&self, link: LinkId) -> bool {
        self.find(link).is_some_and(Entry::is_neighbour)
    }

    /// A new link. Returns whether its name is new, too.
    pub(super) fn open(&mut self, link: LinkId) -> bool {
        let fresh = self.find(link).is_none() && !self.ended.contains(&link);
        self.live.push(Entry {
            link,
            channel: Channel::Connecting,
            told: Told::Nothing,
            intake_closed: false,
        });
        fresh
    }

    pub(super) fn channel_opens(&mut self, link: LinkId) {
        if let Some(entry) = self.find_mut(link) {
            entry.channel = Channel::Open;
        }
    }

    /// The link is over; it is forgotten when the app knows.
    pub(super) fn close(&mut self, link: LinkId) {
        if let Some(entry) = self.find_mut(link) {
            entry.channel = Channel::Closed;
            if !entry.is_neighbour() {
                self.forget(link);
            }
        }
    }

    /// The app is told that the neighbour which it was told of is none any more. Returns whether that is so.
    pub(super) fn untell(&mut self, link: LinkId, told: Told) -> bool {
        let Some(entry) = self.find_mut(link).filter(|entry| entry.told == told) else {
            return false;
        };
        entry.told = match told {
            Told::Parent(_) => Told::FormerParent,
            _ => Told::Nothing,
        };
        if entry.channel == Channel::Closed {
            self.forget(link);
        }
        true
    }

    fn forget(&mut self, link: LinkId) {
        self.live.retain(|entry| entry.link != link);
        self.ended.insert(link);
    }
}
