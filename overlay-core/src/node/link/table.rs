//! The table of a node's links, and sending on them.

use super::{Candidate, Child, Dialing, Feed, Link, State};
use crate::action::Action;
use crate::arena::Arena;
use crate::close::CloseReason;
use crate::config::MAX_FORMER_PARENTS;
use crate::id::{LinkId, NodeId};
use crate::node::effects::Effects;
use crate::wire::{self, LinkFrame};

/// All links of a node: at most [`Config::max_links`](crate::Config::max_links).
#[derive(Debug, Default)]
pub(crate) struct Links(Arena<LinkId, Link>);

impl Links {
    /// A new link, with an id that none had before.
    pub(crate) fn insert(&mut self, state: State, fx: &Effects) -> LinkId {
        self.0.insert(Link::new(state, fx.now))
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.0.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.0.get_mut(id)
    }

    /// The link whose end the embedder tells.
    pub(crate) fn ended(&self, id: LinkId, fx: &Effects) -> LinkId {
        if planted!(fx.config, LateEventTaken) {
            self.0.in_place_of(id)
        } else {
            id
        }
    }

    pub(crate) fn remove(&mut self, id: LinkId) -> Option<Link> {
        self.0.remove(id)
    }

    pub(crate) fn contains(&self, id: LinkId) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of the table, which depends on nothing but the events so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Link)> {
        self.0.iter_mut()
    }

    /// The feeds of the children, and of former ones that have not got everything.
    pub(crate) fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.iter().filter_map(|(_, link)| link.feed.as_deref())
    }

    /// The first link, in table order, that `wanted` accepts.
    pub(crate) fn find(&self, wanted: impl Fn(&Link) -> bool) -> Option<LinkId> {
        self.iter().find(|(_, link)| wanted(link)).map(|(id, _)| id)
    }

    pub(crate) fn state(&self, id: LinkId) -> Option<&State> {
        self.get(id).map(|link| &link.state)
    }

    /// The parent or child that the link leads to.
    pub(crate) fn neighbour(&self, id: LinkId) -> Option<NodeId> {
        self.state(id)?.neighbour()
    }

    pub(crate) fn child(&self, id: LinkId) -> Option<&Child> {
        match self.state(id)? {
            State::Child(child) => Some(child),
            _ => None,
        }
    }

    pub(crate) fn child_mut(&mut self, id: LinkId) -> Option<&mut Child> {
        match &mut self.get_mut(id)?.state {
            State::Child(child) => Some(child),
            _ => None,
        }
    }

    pub(crate) fn candidate_mut(&mut self, id: LinkId) -> Option<&mut Candidate> {
        match &mut self.get_mut(id)?.state {
            State::Candidate(candidate) => Some(candidate),
            _ => None,
        }
    }

    pub(crate) fn dialing_mut(&mut self, id: LinkId) -> Option<&mut Dialing> {
        match &mut self.get_mut(id)?.state {
            State::Dialing(dialing) => Some(dialing),
            _ => None,
        }
    }

    /// Sends a control frame to the peer of a link.
    pub(crate) fn transmit(&mut self, id: LinkId, frame: &LinkFrame<'_>, fx: &mut Effects) {
        if let Some(link) = self.get_mut(id) {
            link.sent = fx.now;
            fx.act(Action::Transmit(id, wire::encode(frame)));
        }
    }

    /// The former parent that has had its time because there are too many, and slow: a closing link that holds no
    /// slot.
    pub(crate) fn overdue_former_parent(
        &self,
        holds_slot: impl Fn(LinkId) -> bool,
    ) -> Option<LinkId> {
        let former_parents = || {
            self.iter().filter_map(|(id, link)| match &link.state {
                State::Closing(closing) if !holds_slot(id) => Some((closing.latest, id)),
                _ => None,
            })
        };
        let too_many = former_parents().count() > MAX_FORMER_PARENTS;
        former_parents()
            .min()
            .filter(|_| too_many)
            .map(|(_, id)| id)
    }

    /// Says goodbye on a closing link, once.
    pub(crate) fn say_goodbye(&mut self, id: LinkId, fx: &mut Effects) {
        if let Some(State::Closing(closing)) = self.get_mut(id).map(|link| &mut link.state)
            && let Some(farewell) = closing.flushed()
        {
            self.transmit(id, &LinkFrame::Goodbye(farewell), fx);
        }
    }

    /// The neighbour has taken something on a closing link: it gets as much time again.
    pub(crate) fn extend_closing(&mut self, id: LinkId, fx: &Effects) {
        if let Some(State::Closing(closing)) = self.get_mut(id).map(|link| &mut link.state) {
            closing.extend(fx.now, fx.config.leave_timeout);
        }
    }

    /// Closes a link whose consequences the caller draws.
    pub(crate) fn close(&mut self, id: LinkId, reason: CloseReason, fx: &mut Effects) {
        if self.remove(id).is_some() {
            fx.act(Action::CloseLink(id, reason));
        }
    }
}
