//! The last message of the root's stream, which a node keeps for children that come later.
//!
//! Without it, a node that comes in behind the end would wait for a stream that is over. So its parent tells it a
//! position *before* the last message, and sends that again. A child that has had it drops it by its number.

use bytes::Bytes;

use crate::flow::{Queued, message_cost};

/// The last message, if the stream has ended here.
#[derive(Debug, Default)]
pub(crate) struct Last(Option<Kept>);

#[derive(Debug)]
struct Kept {
    number: u64,
    payload: Bytes,
    frame: Bytes,
    /// The key of the broadcast while the app has it; `None` once the app has taken it.
    untaken: Option<usize>,
}

impl Last {
    pub(super) const fn has_come(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the app has taken it, and with it the whole stream.
    pub(super) fn is_taken(&self) -> bool {
        self.0.as_ref().is_some_and(|last| last.untaken.is_none())
    }

    /// It is on its way down: from this node's app, or to it, and then `untaken` is the broadcast's key.
    pub(super) fn came(
        &mut self,
        number: u64,
        payload: Bytes,
        frame: Bytes,
        untaken: Option<usize>,
    ) {
        self.0 = Some(Kept {
            number,
            payload,
            frame,
            untaken,
        });
    }

    /// The app has taken the broadcast with this key: true if it was this one.
    pub(super) fn taken(&mut self, key: usize) -> bool {
        let last = self.0.as_mut().filter(|last| last.untaken == Some(key));
        last.is_some_and(|last| last.untaken.take().is_some())
    }

    /// Another stream begins.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// The message once more, for a child that comes now.
    pub(super) fn again(&self) -> Option<Queued> {
        let last = self.0.as_ref()?;
        Some(Queued {
            frame: last.frame.clone(),
            cost: message_cost(last.payload.len()),
            broadcast: None,
        })
    }

    /// Its number and payload.
    pub(super) fn word(&self) -> Option<(u64, &Bytes)> {
        let last = self.0.as_ref()?;
        Some((last.number, &last.payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_costs_as_much_again_as_its_receiver_gives_back() {
        let mut last = Last::default();
        assert!(last.again().is_none());
        let payload = Bytes::from_static(b"end");
        last.came(7, payload.clone(), Bytes::from_static(b"frame"), None);
        let cost = last.again().map(|queued| queued.cost);
        assert_eq!(cost, Some(message_cost(payload.len())));
    }

    #[test]
    fn only_the_app_that_takes_this_message_has_finished() {
        let mut last = Last::default();
        last.came(7, Bytes::new(), Bytes::new(), Some(3));
        assert!(!last.taken(2) && !last.is_taken());
        assert!(last.taken(3) && last.is_taken());
        assert!(!last.taken(3));
    }
}
