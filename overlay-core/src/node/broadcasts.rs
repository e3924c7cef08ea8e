//! App messages from the root to everybody.
//!
//! A broadcast is one allocation, whatever the number of children: each outbox holds the same frame.
//! It counts against the window that it came through until the app has taken it and the last child's
//! outbox has let it go.
//!
//! The root numbers its broadcasts. A node drops what it has had, because a new parent may be behind the old
//! one, and tells the app how many it has missed where there is a hole. A parent that lies about numbers can
//! make the nodes below it drop at most as many as an honest one can be behind.

use alloc::vec::Vec;

use bytes::Bytes;
use slab::Slab;

use super::messages::unsent;
use super::{Node, Role, notify};
use crate::action::{
    Action, CloseReason, Delivery, Held, Notification, Receipt, Scope, Unsent, Violation,
};
use crate::flow::{MIN_WINDOW, Queued, message_cost};
use crate::id::{Epoch, LinkId, NodeId};
use crate::path::MAX_DEPTH;
use crate::wire::{self, Count, LinkFrame, MAX_PAYLOAD};

/// The broadcasts that somebody here still holds, by number. Bounded by the windows that they came
/// through, or, at the root, by the children's send queues.
#[derive(Debug, Default)]
pub(super) struct Broadcasts {
    /// A number is given again only when nobody holds the one who had it.
    pending: Slab<Pending>,
    /// The next one: all below have come, or are missed. `None` until this node is in a tree.
    count: Option<Count>,
    /// Whether the parent has yet to come to the root whose broadcasts are counted here: what it brings until
    /// then this node has had.
    parent_is_behind: bool,
}

/// A broadcast that has arrived.
pub(super) struct Broadcast {
    pub(super) number: u64,
    pub(super) payload: Bytes,
    pub(super) frame: Bytes,
}

#[derive(Debug)]
struct Pending {
    /// The link that it came through; none at the root.
    source: Option<LinkId>,
    cost: u32,
    /// How many outboxes hold it, and the app.
    holders: u32,
}

impl Broadcasts {
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// What a child is told of the next one.
    pub(super) fn tell(&self) -> Count {
        self.count.unwrap_or_default()
    }

    /// Whether some are still to come before this one. The last ones of an earlier root come before all of a later one.
    pub(super) fn lacks(&self, later: Count) -> bool {
        let before =
            |own: &Count| own.is_of(&later) && own.next < later.next || own.epoch < later.epoch;
        self.count.as_ref().is_some_and(before)
    }

    /// Forgets what came in another tree.
    pub(super) const fn forget(&mut self) {
        self.count = None;
        self.parent_is_behind = false;
    }

    /// The next one to come is this: returns how many are missed. `lag`: by how many an honest parent may
    /// be behind the former one. If it is further behind, this node was told a lie before, and believes the
    /// new one.
    fn skip_to(&mut self, count: Count, lag: u64) -> u64 {
        let own = match &mut self.count {
            Some(own) if own.is_of(&count) => own,
            // Who was in the tree before has a right to all of a new count.
            Some(own) => {
                *own = Count { next: 1, ..count };
                own
            }
            None => self.count.insert(count),
        };
        let missed = count.next.saturating_sub(own.next);
        if missed > 0 || own.next - count.next > lag {
            own.next = count.next;
        }
        missed
    }

    /// A new broadcast, held by one.
    fn begin(&mut self, source: Option<LinkId>, cost: u32) -> usize {
        self.pending.insert(Pending {
            source,
            cost,
            holders: 1,
        })
    }

    fn hold(&mut self, number: usize) {
        if let Some(pending) = self.pending.get_mut(number) {
            pending.holders += 1;
        }
    }

    /// One holder less. After the last one, tells whose window gets room, and how much.
    fn release(&mut self, number: usize) -> Option<(LinkId, u32)> {
        let pending = self.pending.get_mut(number)?;
        pending.holders -= 1;
        if pending.holders > 0 {
            return None;
        }
        let pending = self.pending.try_remove(number)?;
        Some((pending.source?, pending.cost))
    }
}

impl Node {
    /// Whether a broadcast would be taken now: this node is the root, and every child has room.
    #[must_use]
    pub fn can_broadcast(&self) -> bool {
        matches!(self.role, Role::Root) && self.children().all(|child| self.can_send(child.link))
    }

    pub(super) fn broadcast(&mut self, payload: Bytes, out: &mut Vec<Action>) {
        if !matches!(self.role, Role::Root) {
            return unsent(payload, Unsent::NotRoot, out);
        }
        if payload.len() > MAX_PAYLOAD {
            return unsent(payload, Unsent::TooLong, out);
        }
        let children: Vec<LinkId> = self.children().map(|child| child.link).collect();
        let mut backlog = false;
        for child in &children {
            if let Some(link) = self.links.get_mut(*child)
                && !link.outbox.has_room(self.config.send_queue)
            {
                link.outbox.refuse();
                backlog = true;
            }
        }
        if backlog {
            return unsent(payload, Unsent::Backlog, out);
        }
        let number = self.own_number();
        let frame = wire::encode(&LinkFrame::Broadcast {
            number,
            payload: &payload,
        });
        let cost = message_cost(payload.len());
        let number = self.broadcasts.begin(None, cost);
        self.pass_down(number, &frame, cost, out);
        self.release(number, out);
    }

    pub(super) fn broadcast_from(
        &mut self,
        link: LinkId,
        from: NodeId,
        message: Broadcast,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let Broadcast {
            number,
            payload,
            frame,
        } = message;
        let cost = self.receive(link, payload.len())?;
        let next = number.max(1);
        let count = self.broadcasts.tell();
        if !self.broadcasts.parent_is_behind {
            self.skip_to(Count { next, ..count }, out);
        }
        let repeated = self.broadcasts.parent_is_behind || self.broadcasts.tell().next > next;
        #[cfg(planted)]
        let repeated = repeated && !self.config.has_bug(crate::Planted::NumberNotChecked);
        if repeated {
            self.stats.broadcasts_repeated += 1;
            self.free(link, cost, out);
            return Ok(());
        }
        let next = next.saturating_add(1);
        self.broadcasts.count = Some(Count { next, ..count });
        self.stats.messages_delivered += 1;
        let number = self.broadcasts.begin(Some(link), cost);
        self.pass_down(number, &frame, cost, out);
        out.push(Action::Deliver(Delivery {
            link,
            from,
            scope: Scope::Broadcast,
            payload,
            receipt: Receipt(Held::Broadcast { number }),
        }));
        Ok(())
    }

    /// The parent's next broadcast is this one, perhaps of another root.
    pub(super) fn count_from(&mut self, count: Count, out: &mut Vec<Action>) {
        let before = self.broadcasts.count;
        // The path is ahead of the messages: a parent may still bring those of a root before the one that it has.
        let behind = before.is_some_and(|own| count.epoch < own.epoch) && count.epoch < self.epoch;
        self.broadcasts.parent_is_behind = behind;
        if behind {
            return;
        }
        self.skip_to(count, out);
        if before.is_some_and(|before| !before.is_of(&count)) {
            self.pass_count_down(count, out);
        }
    }

    /// The number of this root's next broadcast.
    fn own_number(&mut self) -> u64 {
        let count = self.broadcasts.tell();
        let next = count.next.saturating_add(1);
        self.broadcasts.count = Some(Count { next, ..count });
        count.next
    }

    /// Tells the children, behind all that they are still to get of the former count.
    fn pass_count_down(&mut self, count: Count, out: &mut Vec<Action>) {
        let frame = wire::encode(&LinkFrame::Counts(count));
        let children: Vec<LinkId> = self.children().map(|child| child.link).collect();
        for child in children {
            if let Some(link) = self.links.get_mut(child) {
                link.outbox.push_mark(frame.clone());
            }
            self.pump(child, out);
        }
    }

    /// The next broadcast to come is this one; tells the app what is missing before.
    fn skip_to(&mut self, count: Count, out: &mut Vec<Action>) {
        // A parent is behind by what its links hold, from the root down, in the smallest of messages.
        let held = u64::from(self.config.window).saturating_add(self.config.send_queue as u64);
        let lag = held / u64::from(message_cost(0)) * (MAX_DEPTH as u64 + 1);
        let broadcasts = self.broadcasts.skip_to(count, lag);
        if broadcasts > 0 {
            notify(Notification::BroadcastsMissed(broadcasts), out);
        }
    }

    /// Queues a broadcast for every child.
    fn pass_down(&mut self, number: usize, frame: &Bytes, cost: u32, out: &mut Vec<Action>) {
        // What one parent may send, and this node's own. More waits only for a child that has taken
        // nothing from a former parent either; with each parent it would be more.
        let own = self.config.send_queue.saturating_add(MIN_WINDOW as usize);
        let most_queued = own.saturating_add(self.config.window as usize);
        for slot in 0..=self.slots.len() {
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::BroadcastSkipsChild)
                && slot + 1 == self.slots.len()
            {
                continue;
            }
            // Behind the places comes the child that has given its own back.
            let holder = self.slots.get(slot).copied().unwrap_or(self.leaver);
            let Some(id) = holder else { continue };
            let Some(link) = self.links.get_mut(id) else {
                continue;
            };
            if link.state.neighbour().is_none() {
                continue;
            }
            if !link.outbox.has_room(most_queued) {
                self.shut(id, CloseReason::Slow, out);
                continue;
            }
            link.outbox.push(Queued {
                frame: frame.clone(),
                cost,
                broadcast: Some(number),
            });
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::BroadcastDoubled) && link.outbox.len() > 1 {
                link.outbox.push(Queued {
                    frame: frame.clone(),
                    cost,
                    broadcast: None,
                });
            }
            self.broadcasts.hold(number);
            self.stats.messages_forwarded += 1;
            self.pump(id, out);
        }
    }

    /// One holder less of a broadcast.
    pub(super) fn release(&mut self, number: usize, out: &mut Vec<Action>) {
        if let Some((source, cost)) = self.broadcasts.release(number) {
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::CreditForgotten) {
                return;
            }
            self.free(source, cost, out);
        }
    }
}

impl Count {
    /// Whether the other one is of the same root, in the same epoch.
    fn is_of(&self, other: &Self) -> bool {
        (self.root, self.epoch) == (other.root, other.epoch)
    }
}

impl Default for Count {
    /// Of no root.
    fn default() -> Self {
        Self {
            root: NodeId::from_u128(0),
            epoch: Epoch::default(),
            next: 1,
        }
    }
}
