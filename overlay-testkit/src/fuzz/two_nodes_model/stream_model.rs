//! The naive model of the root's stream: a list.

use bytes::Bytes;
use overlay_core::Position;

/// What the root has broadcast, and how far the joiner has come with it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    sent: Vec<(Position, Bytes)>,
    /// The place in the list that comes next for the joiner; `None` before the first.
    next: Option<usize>,
    /// The joiner's app was told that the stream goes on here.
    jumped: Option<Position>,
    /// A broadcast was refused, and the app must be told when there is room.
    waits_for_room: bool,
}

impl Stream {
    /// The root's broadcast is taken.
    pub(super) fn sent(&mut self, at: Option<Position>, message: Bytes) {
        let at = at.unwrap_or_else(|| panic!("a root without a stream"));
        self.sent.push((at, message));
    }

    /// The root's broadcast is refused for now.
    pub(super) const fn refused(&mut self) {
        self.waits_for_room = true;
    }

    /// The root is told that there is room.
    pub(super) const fn has_room(&mut self) {
        self.waits_for_room = false;
    }

    /// The joiner's app gets a broadcast.
    pub(super) fn delivered(&mut self, at: Position, message: &Bytes) {
        let place = self.sent.iter().position(|(sent, _)| *sent == at);
        let place = place.unwrap_or_else(|| panic!("nothing was sent at {at:?}"));
        assert_eq!(&self.sent[place].1, message, "not what was sent at {at:?}");
        match (self.jumped.take(), self.next) {
            (Some(to), _) => assert_eq!(to, at, "the gap ends elsewhere"),
            (None, Some(next)) => assert_eq!(place, next, "a broadcast is missing, or comes again"),
            (None, None) => {}
        }
        self.next = Some(place + 1);
    }

    /// The joiner's app is told of a gap.
    pub(super) fn gap(&mut self, from: Position, to: Position) {
        if let Some(next) = self.next.and_then(|next| self.sent.get(next)) {
            assert_eq!(from, next.0, "the gap begins elsewhere");
        }
        self.jumped = Some(to);
    }

    /// The joiner begins anew, in whatever tree.
    pub(super) const fn begins(&mut self) {
        self.next = None;
        self.jumped = None;
    }

    /// The joiner has everything, and the root was told if it waited for room.
    pub(super) fn is_complete(&self) {
        let had = self.next.unwrap_or(self.sent.len());
        assert_eq!(had, self.sent.len(), "broadcasts are missing");
        assert!(!self.waits_for_room, "the root was not told of room");
    }
}
