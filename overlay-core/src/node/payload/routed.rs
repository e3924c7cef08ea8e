//! Messages between the root and nodes at any depth: up to the root, and its replies down the way that one came.
//!
//! A message passes when all of it is here and the next node takes it: until then its sender gets no credit back, so a root
//! that takes nothing stops those that send, and no node fills up. Neighbours are served in turn, a message of each.
//!
//! A reply must not wait for ever: the root's other nodes are behind it. One whose receiver has taken nothing for a
//! `skip_timeout` is given up, and so are those after it until the receiver takes something. Word of each reply's end goes up
//! the way that it came, and only a child that it was passed to may bring it. When that child is gone before, the node above
//! says that the reply has not arrived.

mod ends;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::ops::Bound;

use bytes::Bytes;

use super::{lanes, unsent};
use crate::action::{Action, Delivery, Held, Receipt, Scope};
use crate::close::ProtocolError;
use crate::flow::{Outbox, message_cost};
use crate::id::{LinkId, NodeId};
use crate::node::ancestry::Above;
use crate::node::effects::Effects;
use crate::node::link::{Links, State};
use crate::notification::{Notification, Unsent};
use crate::path::{Path, Way};
use crate::time::Instant;
use crate::wire::{Lane, MAX_RECORDS, Replied, Reply, behind, split};

use ends::{refuse, report};

/// The most replies of whose end a node waits for word. Further ones wait.
const MAX_AWAITED: usize = 4096;

/// The messages that pass through this node, begin or end here.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    queues: BTreeMap<Source, Queue>,
    /// The source that was served last.
    turn: Source,
    /// The replies passed on to a child, and where each came from.
    awaited: BTreeMap<(LinkId, NodeId, u64), Source>,
    /// The receivers that have no room for a reply, since when, and how much waits there.
    slow: BTreeMap<Receiver, (Instant, usize)>,
    /// The cost of what the app holds without owing credit for it.
    held: usize,
    /// A message of the app was refused since there was last room.
    refused: bool,
    /// The parent's link, if the last message that it was given is the app's own.
    latest: Option<LinkId>,
}

/// The neighbour that a message came from, or this node.
type Source = Option<LinkId>;

/// The neighbour that a message goes to, or this node's app.
type Receiver = Option<LinkId>;

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    cost: usize,
}

#[derive(Debug)]
struct Message {
    route: Route,
    payload: Bytes,
    /// Its cost in the window of the neighbour that it came from.
    cost: u32,
}

#[derive(Debug)]
enum Route {
    /// To the root; from the sender up to the last node that it has passed.
    Up(Path),
    /// From the root.
    Down(Reply),
}

/// The next thing to do with a message: it goes on, or can't get there.
enum Step {
    Pass(Receiver),
    Refuse(Unsent),
}

impl Routed {
    /// The app sends a message to the root.
    pub(crate) fn send_up(&mut self, payload: Bytes, fx: &mut Effects) {
        self.send(Route::Up(Path::default()), payload, fx);
    }

    /// The app replies.
    pub(crate) fn reply(&mut self, Way(way): Way, tag: u64, payload: Bytes, fx: &mut Effects) {
        self.send(Route::Down(Reply { way, tag }), payload, fx);
    }

    /// The app takes its latest message to the root back.
    pub(crate) fn cancel(&mut self, links: &mut Links, fx: &mut Effects) {
        if let Some(own) = self.queues.get_mut(&None)
            && own.messages.back().is_some_and(Message::is_own_up)
        {
            own.pop_back();
        } else if let Some(parent) = self.latest
            && let Some(link) = links.get_mut(parent)
        {
            link.routed.outbox.cancel_latest();
            lanes::pump(parent, links, fx);
        }
    }

    /// Whether a message of the app would be taken now.
    pub(crate) fn has_room(&self, fx: &Effects) -> bool {
        let own = self.queues.get(&None);
        own.is_none_or(|own| own.cost < fx.config.send_queue)
    }

    /// The bytes of the app's messages to the root that have not gone out.
    pub(crate) fn unsent(&self, links: &Links) -> usize {
        let own = self.queues.get(&None).map_or(0, |own| own.cost);
        let latest = self.latest.and_then(|parent| links.get(parent));
        own + latest.map_or(0, |link| link.routed.outbox.queued())
    }

    /// The cost of all that waits here, and the number of replies of which there is no word.
    pub(crate) fn load(&self) -> (usize, usize) {
        let queued = self.queues.values().map(|queue| queue.cost).sum();
        (queued, self.awaited.len())
    }

    /// A child has sent messages for the root, or parts of one.
    pub(crate) fn ups(
        &mut self,
        link: LinkId,
        child: NodeId,
        records: &[u8],
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let messages = lanes::receive_headed::<Path>(link, Lane::Routed, records, links, fx)?;
        for (way, payload, cost) in messages {
            let way = way.child(child).map_err(|_| ProtocolError::BadPath)?;
            self.push(Some(link), Route::Up(way), payload, cost);
        }
        Ok(())
    }

    /// The parent has sent replies, or parts of one.
    pub(crate) fn replies(
        &mut self,
        link: LinkId,
        records: &[u8],
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let messages = lanes::receive_headed(link, Lane::Routed, records, links, fx)?;
        for (reply, payload, cost) in messages {
            self.push(Some(link), Route::Down(reply), payload, cost);
        }
        Ok(())
    }

    /// A child says what has become of a reply.
    pub(crate) fn replied(
        &mut self,
        link: LinkId,
        end: Replied,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        if let Some(source) = self.awaited.remove(&(link, end.node, end.tag)) {
            report(source, end, links, fx);
        }
    }

    /// The app has taken a message that it owes nobody credit for.
    pub(crate) const fn consumed(&mut self, cost: u32) {
        self.held = self.held.saturating_sub(cost as usize);
    }

    /// The link to the parent is lost: what has not gone out on it waits for the next one.
    pub(crate) fn reclaim(&mut self, outbox: Outbox) {
        let messages: Vec<Bytes> = outbox.into_messages().collect();
        for message in messages.into_iter().rev() {
            if let Some((way, payload)) = split::<Path>(&message) {
                let own = self.queues.entry(None).or_default();
                own.push_front(Message::new(Route::Up(way), payload));
            }
        }
    }

    /// When a receiver of a reply is given up.
    pub(crate) fn next_deadline(&self, fx: &Effects) -> Option<Instant> {
        let times = self
            .slow
            .values()
            .map(|(since, _)| *since + fx.config.skip_timeout);
        times.filter(|at| *at > fx.now).min()
    }

    /// Passes on what can be passed on now.
    pub(crate) fn settle(
        &mut self,
        above: Above,
        root: NodeId,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        self.forget_former(links, fx);
        while let Some((source, step)) = self.next_step(above, links, fx) {
            self.turn = source;
            let Some(message) = self.pop(source) else {
                break;
            };
            // Of what the root's app is handed, the receipt tells.
            let is_held = matches!((&step, &message.route), (Step::Pass(None), Route::Up(_)));
            if let Some(link) = source.filter(|_| !is_held) {
                lanes::taken(link, Lane::Routed, message.cost, links, fx);
            }
            match step {
                Step::Pass(Some(to)) => self.pass(source, to, message, links, fx),
                Step::Pass(None) => self.deliver(source, root, message, links, fx),
                Step::Refuse(reason) => refuse(source, message, reason, links, fx),
            }
        }
        let own = self.queues.get(&None).map_or(0, |own| own.cost);
        if own <= fx.config.send_queue / 2 && core::mem::take(&mut self.refused) {
            fx.notify(Notification::RoomToSendUp);
        }
    }

    /// This node leaves: its neighbours get all that is here for them, before they are told.
    pub(crate) fn flush(&mut self, above: Above, links: &mut Links, fx: &mut Effects) {
        let sources: Vec<Source> = self.queues.keys().copied().collect();
        for source in sources {
            while let Some(message) = self.pop(source) {
                match message.receiver(above, links) {
                    Ok(Some(to)) if links.contains(to) => self.pass(source, to, message, links, fx),
                    Ok(_) => refuse(source, message, Unsent::NotConnected, links, fx),
                    Err(reason) => refuse(source, message, reason, links, fx),
                }
            }
        }
    }

    fn send(&mut self, route: Route, payload: Bytes, fx: &mut Effects) {
        if payload.len() > fx.config.max_message {
            return unsent(payload, Unsent::TooLong, fx);
        }
        if !self.has_room(fx) {
            self.refused = true;
            return unsent(payload, Unsent::Backlog, fx);
        }
        let cost = message_cost(payload.len());
        self.push(None, route, payload, cost);
    }

    fn push(&mut self, source: Source, route: Route, payload: Bytes, cost: u32) {
        let message = Message {
            route,
            payload,
            cost,
        };
        self.queues.entry(source).or_default().push_back(message);
    }

    fn pop(&mut self, source: Source) -> Option<Message> {
        let queue = self.queues.get_mut(&source)?;
        let message = queue.messages.pop_front();
        queue.cost -= message.as_ref().map_or(0, |message| message.cost as usize);
        if queue.messages.is_empty() {
            self.queues.remove(&source);
        }
        message
    }

    /// What came on links that are gone is this node's own from here on, as far as there is room. What went there, and of
    /// which there is no word, counts as lost.
    fn forget_former(&mut self, links: &mut Links, fx: &mut Effects) {
        let gone = |source: &Source| source.is_some_and(|link| !links.contains(link));
        while let Some(source) = self.queues.keys().copied().find(gone) {
            let former = self.queues.remove(&source).unwrap_or_default();
            for message in former.messages {
                let own = self.queues.entry(None).or_default();
                match message.route {
                    Route::Up(_) if own.cost < 2 * fx.config.window as usize => {
                        own.push_back(message);
                    }
                    Route::Up(_) => fx.stats.upward_dropped += 1,
                    // Its sender has lost its child, and knows.
                    Route::Down(_) => {}
                }
            }
        }
        self.slow
            .retain(|receiver, _| receiver.is_none_or(|link| links.contains(link)));
        // A look at each link, not at each reply: this is done at every event.
        let mut lost = Vec::new();
        let mut behind = Bound::Unbounded;
        while let Some((&(link, ..), _)) = self.awaited.range((behind, Bound::Unbounded)).next() {
            let end = (link, NodeId::from_u128(u128::MAX), u64::MAX);
            if links.neighbour(link).is_none() {
                let all = self.awaited.range((behind, Bound::Included(end)));
                lost.extend(all.map(|(key, _)| *key));
            }
            behind = Bound::Excluded(end);
        }
        for key in lost {
            let ((_, node, tag), arrived) = (key, false);
            let source = self.awaited.remove(&key).flatten();
            if !planted!(fx.config, ReplyForgotten) {
                report(source, Replied { node, tag, arrived }, links, fx);
            }
        }
    }

    /// The next source, in turn, with a message that something can be done with.
    fn next_step(&mut self, above: Above, links: &Links, fx: &Effects) -> Option<(Source, Step)> {
        let behind = (Bound::Excluded(self.turn), Bound::Unbounded);
        let sources = self
            .queues
            .range(behind)
            .chain(self.queues.range(..=self.turn));
        let sources: Vec<Source> = sources.map(|(source, _)| *source).collect();
        let mut steps = sources.into_iter();
        steps.find_map(|source| Some((source, self.step(source, above, links, fx)?)))
    }

    fn step(&mut self, source: Source, above: Above, links: &Links, fx: &Effects) -> Option<Step> {
        let message = self.queues.get(&source)?.messages.front()?;
        let is_reply = matches!(message.route, Route::Down(_));
        let receiver = match message.receiver(above, links) {
            Ok(receiver) => receiver,
            // Nothing is above yet.
            Err(Unsent::NotConnected) if !is_reply => return None,
            Err(reason) => return Some(Step::Refuse(reason)),
        };
        let (waiting, most) = match receiver {
            Some(link) => (links.get(link)?.routed.outbox.queued(), MAX_RECORDS),
            None if is_reply => (self.held, fx.config.window as usize),
            None => (0, 1),
        };
        let is_awaited = is_reply && receiver.is_some();
        if waiting < most && !(is_awaited && self.awaited.len() >= MAX_AWAITED) {
            self.slow.remove(&receiver);
            return Some(Step::Pass(receiver));
        }
        if !is_reply {
            return None;
        }
        let (since, before) = self.slow.entry(receiver).or_insert((fx.now, waiting));
        if waiting != *before {
            (*since, *before) = (fx.now, waiting);
        }
        let is_over = *since + fx.config.skip_timeout <= fx.now;
        is_over.then_some(Step::Refuse(Unsent::Backlog))
    }

    fn pass(
        &mut self,
        source: Source,
        to: LinkId,
        message: Message,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let own = message.is_own_up();
        let bytes = match message.route {
            Route::Up(way) => {
                self.latest = own.then_some(to);
                behind(&way, &message.payload)
            }
            Route::Down(Reply { way, tag }) => {
                let node = way.ids().first().copied().unwrap_or(fx.id);
                self.awaited.insert((to, node, tag), source);
                behind(
                    &Reply {
                        way: way.above(),
                        tag,
                    },
                    &message.payload,
                )
            }
        };
        if let Some(link) = links.get_mut(to) {
            link.routed.outbox.push(bytes);
        }
        lanes::pump(to, links, fx);
    }

    fn deliver(
        &mut self,
        source: Source,
        root: NodeId,
        message: Message,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let cost = message.cost;
        let (from, scope, held) = match message.route {
            Route::Up(way) => {
                let way = Way(way);
                let held = source.map(|link| Held::Mail {
                    link,
                    lane: Lane::Routed,
                    cost,
                });
                (way.node().unwrap_or(fx.id), Scope::Root(way), held)
            }
            Route::Down(Reply { tag, .. }) => {
                let (node, arrived) = (fx.id, true);
                report(source, Replied { node, tag, arrived }, links, fx);
                (root, Scope::Reply, None)
            }
        };
        if held.is_none() {
            self.held += cost as usize;
        }
        fx.stats.messages_delivered += 1;
        fx.act(Action::Deliver(Delivery {
            from,
            scope,
            payload: message.payload,
            receipt: Receipt(held.unwrap_or(Held::Reply { cost })),
        }));
    }
}

impl Queue {
    fn push_front(&mut self, message: Message) {
        self.cost += message.cost as usize;
        self.messages.push_front(message);
    }

    fn push_back(&mut self, message: Message) {
        self.cost += message.cost as usize;
        self.messages.push_back(message);
    }

    fn pop_back(&mut self) {
        if let Some(message) = self.messages.pop_back() {
            self.cost -= message.cost as usize;
        }
    }
}

impl Message {
    fn new(route: Route, payload: Bytes) -> Self {
        let cost = message_cost(payload.len());
        Self {
            route,
            payload,
            cost,
        }
    }

    /// Whether this node's app sends it to the root.
    fn is_own_up(&self) -> bool {
        matches!(&self.route, Route::Up(way) if way.ids().is_empty())
    }

    /// The neighbour that it goes to next, or the app.
    fn receiver(&self, above: Above, links: &Links) -> Result<Receiver, Unsent> {
        match &self.route {
            Route::Up(_) if above.is_root && self.is_own_up() => Err(Unsent::IsRoot),
            Route::Up(_) if above.is_root => Ok(None),
            Route::Up(_) => above.parent.map(Some).ok_or(Unsent::NotConnected),
            Route::Down(reply) => match reply.way.last() {
                None => Ok(None),
                Some(next) => {
                    let child =
                        |state: &State| matches!(state, State::Child(child) if child.node == next);
                    let link = links.find(|link| child(&link.state));
                    link.map(Some).ok_or(Unsent::NotConnected)
                }
            },
        }
    }
}
