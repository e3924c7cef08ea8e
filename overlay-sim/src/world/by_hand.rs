//! A world whose story is told by hand: a test gives nodes events, and reads what they tell their apps.

use bytes::Bytes;
use overlay_core::{EventKind, Instant, Node, NodeId, Notification, Scope};

use super::{Failure, World};
use crate::schedule::Number;
use crate::world::machine::Ix;

/// Something that a node has told its app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A message.
    Message(Scope, Bytes),
    /// A notification.
    Notification(Notification),
}

impl World {
    /// From here on keeps what nodes tell their apps, without a bound.
    pub fn keep_told(&mut self) {
        self.told.get_or_insert_default();
    }

    /// What a node has told its app since [`keep_told`](Self::keep_told), in order.
    pub fn told(&self, number: Number) -> impl Iterator<Item = &Told> {
        let told = self.told.iter().flatten();
        told.filter_map(move |(of, told)| (self.machines[*of].number == number).then_some(told))
    }

    /// Gives a node an event of the test's own; the machine is made if there is none of this number yet. The payload
    /// of a message is the test's own, too, so from the first one on the model of messages checks nothing.
    pub fn event(&mut self, number: Number, kind: EventKind) -> Result<(), Failure> {
        let made = self.machine(number);
        let ix = made.map_err(|violation| self.failure(None, violation))?;
        match kind {
            EventKind::Join | EventKind::BecomeRoot(_) => self.machines[ix].willing = true,
            EventKind::Leave => self.machines[ix].willing = false,
            EventKind::Broadcast(_)
            | EventKind::End(_)
            | EventKind::Send { .. }
            | EventKind::SendUp(_)
            | EventKind::Reply { .. }
            | EventKind::Ask(_) => {
                self.messages.check_nothing();
                self.streams.check_nothing();
            }
            _ => {}
        }
        self.tell(ix, kind)
            .map_err(|violation| self.failure(Some(ix), violation))
    }

    /// The node of a machine, dead or alive, if there is such a machine.
    #[must_use]
    pub fn node(&self, number: Number) -> Option<&Node> {
        let ix = self.by_number.get(&number)?;
        Some(&self.machines[*ix].node)
    }

    /// Whether the machine of this number is there, and lives.
    #[must_use]
    pub fn lives(&self, number: Number) -> bool {
        let ix = self.by_number.get(&number);
        ix.is_some_and(|ix| self.machines[*ix].lives())
    }

    /// The number of the machine on which the node of this id is.
    #[must_use]
    pub fn number_of(&self, id: NodeId) -> Option<Number> {
        self.ix_of(id).map(|ix| self.machines[ix].number)
    }

    /// The moment at which something happens next.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    pub(super) fn keep(&mut self, ix: Ix, told: impl FnOnce() -> Told) {
        if let Some(all) = &mut self.told {
            all.push((ix, told()));
        }
    }
}
