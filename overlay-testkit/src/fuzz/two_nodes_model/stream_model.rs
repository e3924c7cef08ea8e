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
            (None, Some(next)) if self.is_next_roots_first(place, next) => {}
            (None, Some(next)) => assert_eq!(place, next, "a broadcast is missing, or comes again"),
            (None, None) => {}
        }
        self.next = Some(place + 1);
    }

    /// Whether a broadcast is the first of a later stream than the one before it: what an earlier root has not brought,
    /// nobody knows.
    fn is_next_roots_first(&self, place: usize, next: usize) -> bool {
        let epoch = |place: usize| self.sent.get(place).map(|(at, _)| at.epoch);
        let before = |place: usize| place.checked_sub(1).and_then(epoch);
        epoch(place) > before(next) && epoch(place) > before(place)
    }

    /// The joiner's app is told of a gap.
    pub(super) fn gap(&mut self, from: Position, to: Position) {
        let next = self.next.and_then(|next| self.sent.get(next));
        // Behind the end of an earlier root's stream there may be more than anyone knows.
        let next = next.map(|next| next.0).filter(|next| next.is_of(&from));
        let expected = self.jumped.or(next).unwrap_or(from);
        assert_eq!(from, expected, "the gap begins elsewhere");
        self.jumped = Some(to);
    }

    /// The joiner begins anew, in whatever tree.
    pub(super) const fn begins(&mut self) {
        self.next = None;
        self.jumped = None;
    }

    /// The joiner has everything of the root's present stream, and the root was told if it waited for room.
    pub(super) fn is_complete(&self, present: Position) {
        let had = self.next.unwrap_or(self.sent.len());
        let left = self.sent.get(had..).unwrap_or_default();
        let missing = left.iter().any(|(at, _)| at.is_of(&present));
        assert!(!missing || self.jumped.is_some(), "broadcasts are missing");
        assert!(!self.waits_for_room, "the root was not told of room");
    }
}
