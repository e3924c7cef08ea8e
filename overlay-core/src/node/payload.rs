//! App messages: what a link takes of them, those to a neighbour, and those from the root to every node.
//!
//! A broadcast is one allocation, whatever the number of children: each outbox holds the same frame.
//! It counts against the window that it came through until the app has taken it and the last child's
//! outbox has let it go.

mod broadcast;
mod last;
mod position;

use bytes::Bytes;
use slab::Slab;

use super::effects::Effects;
use super::link::Links;
use crate::action::{Action, Delivery, Held, Receipt, Scope};
use crate::bounded::List;
use crate::census::Standing;
use crate::close::ProtocolError;
use crate::flow::{MIN_WINDOW, Outbox, Queued, message_cost};
use crate::id::{Epoch, LinkId, NodeId};
use crate::notification::{Notification, Unsent};
use crate::wire::{self, Ended, LinkFrame, MAX_PAYLOAD, StreamPosition};

pub(crate) use broadcast::{Arrived, Outgoing, Place};
use last::Last;
use position::{Followed, Position};

/// The broadcasts that are under way here, and how far the root's stream has come.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    position: Position,
    last: Last,
    /// The broadcasts that the app or an outbox still holds. Bounded by the windows that they came through, or, at
    /// the root, by the children's send queues. A key is given again only when nothing holds the one before.
    pending: Slab<Pending>,
}

#[derive(Debug)]
struct Pending {
    /// The link that it came through; none at the root.
    source: Option<LinkId>,
    cost: u32,
    /// The number of holders: outboxes, and the app.
    holders: u32,
}

impl Payload {
    /// Forgets what came in another tree.
    pub(crate) fn forget_stream(&mut self) {
        self.position.forget();
        self.last.forget();
    }

    /// How far this node is with the root's stream.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            finished: self.last.is_taken(),
            gapped: self.position.is_gapped(),
        }
    }

    /// Whether the root's stream has ended here.
    pub(crate) const fn has_ended(&self) -> bool {
        self.last.has_come()
    }

    /// Whether some broadcasts are still to come before this one.
    pub(crate) fn lacks(&self, later: StreamPosition) -> bool {
        self.position.lacks(later)
    }

    /// The position that a new child is told. The last message comes again, behind the welcome.
    pub(crate) fn welcome(&self) -> StreamPosition {
        let position = self.position.tell();
        match self.last.word() {
            Some((next, _)) => StreamPosition { next, ..position },
            None => position,
        }
    }

    /// Follows the parent to this position, perhaps of another root's stream. True if the children are to be told.
    pub(crate) fn follow(
        &mut self,
        position: StreamPosition,
        epoch: Epoch,
        fx: &mut Effects,
    ) -> bool {
        let followed = self.position.follow(position, epoch, fx);
        // What comes behind the last message proves that it was a lie.
        let more =
            |(last, _): (u64, &Bytes)| position.next <= last && self.position.tell().next <= last;
        if followed == Followed::AnotherRoot || self.last.word().is_some_and(more) {
            self.last.forget();
        }
        followed != Followed::Nothing
    }

    /// The end of this node's own stream.
    pub(crate) fn ended(&self) -> Option<Ended> {
        let (next, payload) = self.last.word()?;
        let position = self.position.tell();
        Some(Ended {
            position: StreamPosition { next, ..position },
            last: List::new(payload.to_vec()).ok()?,
        })
    }

    /// The server says where the stream has ended: whoever brought it is gone, and so is what this node lacks of it.
    pub(crate) fn over(&mut self, ended: &Ended, fx: &mut Effects) {
        if let Some(missed) = self.position.end(ended.position) {
            let last = ended.last.to_vec().into();
            fx.notify(Notification::StreamEnded { missed, last });
        }
    }

    /// The number of broadcasts that are held.
    pub(crate) fn held(&self) -> usize {
        self.pending.len()
    }

    /// Sends a message of the app to a neighbour.
    pub(crate) fn send(&mut self, to: LinkId, payload: Bytes, links: &mut Links, fx: &mut Effects) {
        let limit = if planted!(fx.config, SendQueueWithoutLimit) {
            usize::MAX
        } else {
            fx.config.send_queue
        };
        let neighbour = links
            .get_mut(to)
            .filter(|link| link.state.neighbour().is_some());
        let Some(link) = neighbour else {
            return unsent(payload, Unsent::NotConnected, fx);
        };
        if payload.len() > MAX_PAYLOAD {
            return unsent(payload, Unsent::TooLong, fx);
        }
        if !link.outbox.has_room(limit) {
            link.outbox.refuse();
            return unsent(payload, Unsent::Backlog, fx);
        }
        link.outbox.push(Queued {
            cost: message_cost(payload.len()),
            frame: wire::encode(&LinkFrame::Direct { payload: &payload }),
            broadcast: None,
        });
        self.pump(to, links, fx);
    }

    /// A neighbour has sent a message for this node.
    pub(crate) fn direct(
        link: LinkId,
        from: NodeId,
        payload: Bytes,
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let cost = receive(link, payload.len(), links, fx)?;
        fx.stats.messages_delivered += 1;
        fx.act(Action::Deliver(Delivery {
            link,
            from,
            scope: Scope::Direct,
            payload,
            receipt: Receipt(Held::Direct { link, cost }),
        }));
        Ok(())
    }

    /// The root's app broadcasts. `None`, and the message goes back to the app, if a child has no room, or the stream has
    /// ended.
    pub(crate) fn broadcast(
        &mut self,
        payload: Bytes,
        place: Place,
        children: impl Iterator<Item = LinkId>,
        links: &mut Links,
        fx: &mut Effects,
    ) -> Option<Outgoing> {
        if self.last.has_come() {
            unsent(payload, Unsent::Ended, fx);
            return None;
        }
        if payload.len() > place.max_payload() {
            unsent(payload, Unsent::TooLong, fx);
            return None;
        }
        let mut backlog = false;
        for child in children {
            if let Some(link) = links.get_mut(child)
                && !link.outbox.has_room(fx.config.send_queue)
            {
                link.outbox.refuse();
                backlog = true;
            }
        }
        if backlog {
            unsent(payload, Unsent::Backlog, fx);
            return None;
        }
        let number = self.position.take();
        let frame = wire::encode(&place.frame(number, &payload));
        let cost = message_cost(payload.len());
        if place == Place::Last {
            self.last.came(number, payload, frame.clone(), None);
        }
        Some(self.begin(None, cost, frame))
    }

    /// The parent has sent a broadcast. `None` if this node has had it.
    pub(crate) fn arrived(
        &mut self,
        message: &Arrived,
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<Option<Outgoing>, ProtocolError> {
        if message.payload.len() > message.place.max_payload() {
            return Err(ProtocolError::LongLast);
        }
        let cost = receive(message.link, message.payload.len(), links, fx)?;
        if !self.position.arrived(message.number, fx) {
            fx.stats.broadcasts_repeated += 1;
            free(message.link, cost, links, fx);
            return Ok(None);
        }
        fx.stats.messages_delivered += 1;
        let frame = message.frame.clone();
        let outgoing = self.begin(Some(message.link), cost, frame.clone());
        match message.place {
            Place::Within => self.last.forget(),
            Place::Last => {
                let (payload, key) = (message.payload.clone(), outgoing.key);
                self.last.came(message.number, payload, frame, Some(key));
            }
        }
        Ok(Some(outgoing))
    }

    /// Queues a broadcast for a child. False if the child has taken too little of what a former parent sent.
    pub(crate) fn pass(
        &mut self,
        child: LinkId,
        message: &Outgoing,
        links: &mut Links,
        fx: &mut Effects,
    ) -> bool {
        // What one parent may send, and this node's own. More waits only for a child that has taken
        // nothing from a former parent either; with each parent it would be more.
        let own = fx.config.send_queue.saturating_add(MIN_WINDOW as usize);
        let most_queued = own.saturating_add(fx.config.window as usize);
        let Some(link) = links.get_mut(child) else {
            return true;
        };
        if !link.outbox.has_room(most_queued) {
            return false;
        }
        let queued = |broadcast| Queued {
            frame: message.frame.clone(),
            cost: message.cost,
            broadcast,
        };
        link.outbox.push(queued(Some(message.key)));
        if planted!(fx.config, BroadcastDoubled) && link.outbox.len() > 1 {
            link.outbox.push(queued(None));
        }
        if let Some(pending) = self.pending.get_mut(message.key) {
            pending.holders += 1;
        }
        fx.stats.messages_forwarded += 1;
        self.pump(child, links, fx);
        true
    }

    /// The broadcast is queued for every child: hands it to the app, or, if it is the app's own, lets it go.
    pub(crate) fn passed(
        &mut self,
        message: &Outgoing,
        arrived: Option<Arrived>,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let number = message.key;
        match arrived {
            Some(Arrived {
                link,
                from,
                payload,
                place,
                ..
            }) => fx.act(Action::Deliver(Delivery {
                link,
                from,
                scope: place.scope(),
                payload,
                receipt: Receipt(Held::Broadcast { number }),
            })),
            None => self.release(number, links, fx),
        }
    }

    /// Tells a child of a new position, behind all that it is still to get of the former root.
    pub(crate) fn mark(
        &mut self,
        child: LinkId,
        frame: Bytes,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        if let Some(link) = links.get_mut(child) {
            link.outbox.push_mark(frame);
        }
        self.pump(child, links, fx);
    }

    /// Sends the last message again, if the stream has ended: to a child that has just been welcomed.
    pub(crate) fn repeat_last(&mut self, child: LinkId, links: &mut Links, fx: &mut Effects) {
        if let Some(last) = self.last.again()
            && !planted!(fx.config, LastNotRepeated)
            && let Some(link) = links.get_mut(child)
        {
            link.outbox.push(last);
            self.pump(child, links, fx);
        }
    }

    /// The app has taken a message. True if that was the last of the stream.
    pub(crate) fn consumed(
        &mut self,
        Receipt(held): Receipt,
        links: &mut Links,
        fx: &mut Effects,
    ) -> bool {
        match held {
            Held::Direct { link, cost } => {
                free(link, cost, links, fx);
                false
            }
            Held::Broadcast { number } => {
                self.release(number, links, fx);
                self.last.taken(number)
            }
        }
    }

    /// The neighbour takes more.
    pub(crate) fn credited(&mut self, id: LinkId, bytes: u32, links: &mut Links, fx: &mut Effects) {
        if let Some(link) = links.get_mut(id) {
            link.outbox.grant(bytes);
            #[cfg(planted)]
            if planted!(fx.config, OutboxReordered) {
                link.outbox.overtake();
            }
        }
        self.pump(id, links, fx);
    }

    /// A former neighbour takes more: it gets as much time again, and the goodbye when nothing waits any more.
    pub(crate) fn credited_late(
        &mut self,
        id: LinkId,
        bytes: u32,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let waiting = |links: &Links| links.get(id).map(|link| link.outbox.len());
        let before = waiting(links);
        self.credited(id, bytes, links, fx);
        links.say_goodbye(id, fx);
        if waiting(links) < before {
            links.extend_closing(id, fx);
        }
    }

    /// Sends what there is credit for.
    pub(crate) fn pump(&mut self, id: LinkId, links: &mut Links, fx: &mut Effects) {
        while let Some(link) = links.get_mut(id)
            && let Some(message) = link.outbox.pop()
        {
            link.sent = fx.now;
            fx.act(Action::Transmit(id, message.frame));
            if let Some(key) = message.broadcast {
                self.release(key, links, fx);
            }
        }
        if let Some(link) = links.get_mut(id)
            && link.outbox.has_room_again(fx.config.send_queue)
            && link.state.neighbour().is_some()
        {
            fx.notify(Notification::Writable(id));
        }
    }

    /// Gives up the messages that waited for a neighbour that is gone.
    pub(crate) fn release_unsent(&mut self, outbox: Outbox, links: &mut Links, fx: &mut Effects) {
        if planted!(fx.config, UnsentKept) {
            return;
        }
        for message in outbox.into_unsent() {
            if let Some(key) = message.broadcast {
                self.release(key, links, fx);
            }
        }
    }

    /// A new broadcast, held by the one that begins it.
    fn begin(&mut self, source: Option<LinkId>, cost: u32, frame: Bytes) -> Outgoing {
        let key = self.pending.insert(Pending {
            source,
            cost,
            holders: 1,
        });
        Outgoing { key, cost, frame }
    }

    /// One holder less of a broadcast. After the last one, its source may send as much again.
    fn release(&mut self, key: usize, links: &mut Links, fx: &mut Effects) {
        let Some(pending) = self.pending.get_mut(key) else {
            return;
        };
        pending.holders -= 1;
        if pending.holders > 0 {
            return;
        }
        let pending = self.pending.remove(key);
        if let Some(source) = pending.source
            && !planted!(fx.config, CreditForgotten)
        {
            free(source, pending.cost, links, fx);
        }
    }
}

/// The peer has told its window.
pub(crate) fn grant(id: LinkId, window: u32, links: &mut Links) -> Result<(), ProtocolError> {
    if window < MIN_WINDOW {
        return Err(ProtocolError::SmallWindow);
    }
    if let Some(link) = links.get_mut(id) {
        link.outbox.open(window);
    }
    Ok(())
}

/// Hands a message back to the app.
pub(crate) fn unsent(payload: Bytes, reason: Unsent, fx: &mut Effects) {
    fx.notify(Notification::Unsent { payload, reason });
}

/// Counts an arrived message against the link's window.
fn receive(id: LinkId, len: usize, links: &mut Links, fx: &Effects) -> Result<u32, ProtocolError> {
    let cost = message_cost(len);
    if let Some(link) = links.get_mut(id) {
        let received = link.inbox.receive(cost, fx.config.window);
        received.map_err(|_| ProtocolError::WindowExceeded)?;
    }
    Ok(cost)
}

/// Gives a neighbour back the room that its message took.
fn free(id: LinkId, cost: u32, links: &mut Links, fx: &mut Effects) {
    let grant = links
        .get_mut(id)
        .filter(|link| link.state.neighbour().is_some())
        .and_then(|link| link.inbox.free(cost, fx.config.window));
    if let Some(bytes) = grant {
        links.transmit(id, &LinkFrame::Credit { bytes }, fx);
    }
}
