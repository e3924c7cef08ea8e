//! How far the root's stream of broadcasts has come at this node.
//!
//! The root numbers its broadcasts. A node drops what it has had, because a new parent may be behind the old
//! one, and tells the app how many it has missed where there is a gap. A parent that lies about numbers can
//! make the nodes below it drop at most as many as an honest one can be behind.

use crate::flow::message_cost;
use crate::id::{Epoch, NodeId};
use crate::node::effects::Effects;
use crate::notification::Notification;
use crate::path::MAX_DEPTH;
use crate::wire::StreamPosition;

/// The next broadcast to come.
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// All before this one have come, or are missed. `None` until this node is in a tree.
    next: Option<StreamPosition>,
    /// Whether the parent has yet to come to the root whose broadcasts are counted here: what it brings until
    /// then this node has had.
    parent_is_behind: bool,
    /// Whether this node has missed broadcasts of this root.
    gapped: bool,
}

impl Position {
    /// Whether this node has missed broadcasts of the present root.
    pub(crate) const fn is_gapped(&self) -> bool {
        self.gapped
    }

    /// The position that a child is told of the next broadcast.
    pub(crate) fn tell(&self) -> StreamPosition {
        self.next.unwrap_or_default()
    }

    /// Whether some are still to come before this one. The last ones of an earlier root come before all of a later
    /// one.
    pub(crate) fn lacks(&self, later: StreamPosition) -> bool {
        let before = |own: &StreamPosition| {
            own.is_of(&later) && own.next < later.next || own.epoch < later.epoch
        };
        self.next.as_ref().is_some_and(before)
    }

    /// Forgets what came in another tree.
    pub(crate) const fn forget(&mut self) {
        *self = Self {
            next: None,
            parent_is_behind: false,
            gapped: false,
        };
    }

    /// The number of this root's next broadcast.
    pub(crate) fn take(&mut self) -> u64 {
        let position = self.tell();
        let next = position.next.saturating_add(1);
        self.next = Some(StreamPosition { next, ..position });
        position.next
    }

    /// The parent has sent a broadcast of this number. False if this node has had it.
    pub(crate) fn arrived(&mut self, number: u64, fx: &mut Effects) -> bool {
        let number = number.max(1);
        let position = self.tell();
        if !self.parent_is_behind {
            let next = number;
            self.skip_to(StreamPosition { next, ..position }, fx);
        }
        let repeated = self.parent_is_behind || self.tell().next > number;
        if repeated && !planted!(fx.config, NumberNotChecked) {
            return false;
        }
        let next = number.saturating_add(1);
        self.next = Some(StreamPosition { next, ..position });
        true
    }

    /// The parent's next broadcast is this one, perhaps of another root. `epoch`: that of the root at the top of the
    /// path.
    pub(crate) fn follow(
        &mut self,
        position: StreamPosition,
        epoch: Epoch,
        fx: &mut Effects,
    ) -> Followed {
        let before = self.next;
        // The path is ahead of the messages: a parent may still bring those of a root before the one that it has.
        let behind = before.is_some_and(|own| position.epoch < own.epoch) && position.epoch < epoch;
        self.parent_is_behind = behind;
        if behind {
            return Followed::Nothing;
        }
        let missed = self.skip_to(position, fx);
        match before {
            Some(before) if !before.is_of(&position) => Followed::AnotherRoot,
            _ if missed > 0 => Followed::Gap,
            _ => Followed::Nothing,
        }
    }

    /// The root's stream has ended with this message, and no parent will bring what is missing. Returns how many before it
    /// this node has missed; `None` if it has had it.
    pub(crate) fn end(&mut self, last: StreamPosition) -> Option<u64> {
        let own = match self.next {
            Some(own) if own.is_of(&last) => own.next,
            Some(_) => 1,
            None => last.next,
        };
        let next = last.next.saturating_add(1);
        self.next = Some(StreamPosition { next, ..last });
        self.gapped |= own < last.next;
        (own <= last.next).then(|| last.next - own)
    }

    /// The next one to come is this: tells the app how many are missed, and returns it. If an honest parent could not be as far
    /// behind the former one, this node was told a lie before, and believes the new one.
    fn skip_to(&mut self, position: StreamPosition, fx: &mut Effects) -> u64 {
        // A parent is behind by what its links hold, from the root down, in the smallest of messages.
        let held = u64::from(fx.config.window).saturating_add(fx.config.send_queue as u64);
        let furthest_behind = held / u64::from(message_cost(0)) * (MAX_DEPTH as u64 + 1);
        let own = match &mut self.next {
            Some(own) if own.is_of(&position) => own,
            // A node that was in the tree before has a right to all of a new root's.
            Some(own) => {
                *own = StreamPosition {
                    next: 1,
                    ..position
                };
                self.gapped = false;
                own
            }
            None => self.next.insert(position),
        };
        let missed = position.next.saturating_sub(own.next);
        if missed > 0 || own.next - position.next > furthest_behind {
            own.next = position.next;
        }
        if missed > 0 {
            self.gapped = true;
            fx.notify(Notification::BroadcastsMissed(missed));
        }
        missed
    }
}

/// The consequence of a parent's position: what the children are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    Nothing,
    /// Broadcasts are missed, and the children wait for them.
    Gap,
    /// Another root's broadcasts follow.
    AnotherRoot,
}

impl StreamPosition {
    /// Whether the other one is of the same root, in the same epoch.
    fn is_of(&self, other: &Self) -> bool {
        (self.root, self.epoch) == (other.root, other.epoch)
    }
}

impl Default for StreamPosition {
    /// Of no root.
    fn default() -> Self {
        Self {
            root: NodeId::from_u128(0),
            epoch: Epoch::default(),
            next: 1,
        }
    }
}
