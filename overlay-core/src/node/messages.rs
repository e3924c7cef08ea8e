//! App messages: what a link takes of them, and those to a neighbour.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Node, notify};
use crate::action::{Action, Delivery, Held, Notification, Receipt, Scope, Unsent, Violation};
use crate::flow::{MIN_WINDOW, Outbox, Queued, message_cost};
use crate::id::{LinkId, NodeId};
use crate::wire::{self, LinkFrame, MAX_PAYLOAD};

impl Node {
    /// Whether a message to this neighbour would be taken now.
    #[must_use]
    pub fn can_send(&self, to: LinkId) -> bool {
        self.links.get(to).is_some_and(|link| {
            link.state.neighbour().is_some() && link.outbox.has_room(self.config.send_queue)
        })
    }

    pub(super) fn send(&mut self, to: LinkId, payload: Bytes, out: &mut Vec<Action>) {
        let limit = self.config.send_queue;
        #[cfg(planted)]
        let limit = if self.config.has_bug(crate::Planted::SendQueueWithoutLimit) {
            usize::MAX
        } else {
            limit
        };
        let neighbour = self
            .links
            .get_mut(to)
            .filter(|link| link.state.neighbour().is_some());
        let Some(link) = neighbour else {
            return unsent(payload, Unsent::NotConnected, out);
        };
        if payload.len() > MAX_PAYLOAD {
            return unsent(payload, Unsent::TooLong, out);
        }
        if !link.outbox.has_room(limit) {
            link.outbox.refuse();
            return unsent(payload, Unsent::Backlog, out);
        }
        link.outbox.push(Queued {
            cost: message_cost(payload.len()),
            frame: wire::encode(&LinkFrame::Direct { payload: &payload }),
            broadcast: None,
        });
        self.pump(to, out);
    }

    pub(super) fn direct_from(
        &mut self,
        link: LinkId,
        from: NodeId,
        payload: Bytes,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let cost = self.receive(link, payload.len())?;
        self.stats.messages_delivered += 1;
        out.push(Action::Deliver(Delivery {
            link,
            from,
            scope: Scope::Direct,
            payload,
            receipt: Receipt(Held::Direct { link, cost }),
        }));
        Ok(())
    }

    /// The app has taken a message.
    pub(super) fn consumed(&mut self, Receipt(held): Receipt, out: &mut Vec<Action>) {
        match held {
            Held::Direct { link, cost } => self.free(link, cost, out),
            Held::Broadcast { number } => self.release(number, out),
        }
    }

    /// The peer has told its window.
    pub(super) fn grant(&mut self, id: LinkId, window: u32) -> Result<(), Violation> {
        if window < MIN_WINDOW {
            return Err(Violation::SmallWindow);
        }
        if let Some(link) = self.links.get_mut(id) {
            link.outbox.grant(window);
        }
        Ok(())
    }

    /// The neighbour takes more.
    pub(super) fn credited(&mut self, id: LinkId, bytes: u32, out: &mut Vec<Action>) {
        if let Some(link) = self.links.get_mut(id) {
            link.outbox.grant(bytes);
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::OutboxReordered) {
                link.outbox.overtake();
            }
        }
        self.pump(id, out);
    }

    /// What waited for a neighbour that is gone will not be sent.
    pub(super) fn release_unsent(&mut self, outbox: Outbox, out: &mut Vec<Action>) {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::UnsentKept) {
            return;
        }
        for message in outbox.into_unsent() {
            if let Some(number) = message.broadcast {
                self.release(number, out);
            }
        }
    }

    /// Sends what there is credit for.
    pub(super) fn pump(&mut self, id: LinkId, out: &mut Vec<Action>) {
        while let Some(link) = self.links.get_mut(id)
            && let Some(message) = link.outbox.pop()
        {
            link.sent = self.now;
            out.push(Action::Transmit(id, message.frame));
            if let Some(number) = message.broadcast {
                self.release(number, out);
            }
        }
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        if link.outbox.has_room_again(self.config.send_queue) && link.state.neighbour().is_some() {
            notify(Notification::Writable(id), out);
        }
        self.say_goodbye(id, out);
    }

    /// Counts an arrived message against the link's window.
    pub(super) fn receive(&mut self, id: LinkId, len: usize) -> Result<u32, Violation> {
        let cost = message_cost(len);
        if let Some(link) = self.links.get_mut(id) {
            let within = link.inbox.receive(cost);
            within.map_err(|_| Violation::WindowExceeded)?;
        }
        Ok(cost)
    }

    /// Gives a neighbour back the room that its message took.
    pub(super) fn free(&mut self, id: LinkId, cost: u32, out: &mut Vec<Action>) {
        let grant = self
            .links
            .get_mut(id)
            .filter(|link| link.state.neighbour().is_some())
            .and_then(|link| link.inbox.free(cost));
        if let Some(bytes) = grant {
            self.transmit(id, &LinkFrame::Credit { bytes }, out);
        }
    }
}

/// Hands a message back to the app.
pub(super) fn unsent(payload: Bytes, reason: Unsent, out: &mut Vec<Action>) {
    notify(Notification::Unsent { payload, reason }, out);
}
