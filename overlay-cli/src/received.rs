//! How much of the root's stream a node has, and what it lacks.
//!
//! The promise of `overlay join`: exit status 0 means every byte from where the node came in.

use crate::pipe::End;

/// What a node has of the stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    stream: Option<Stream>,
    /// Whether the stream was over when the node came in: then it lacks what its parent no longer has.
    late: bool,
    /// The bytes that were printed.
    pub(crate) printed: u64,
    /// The bytes that are missing between those.
    pub(crate) missing: u64,
    /// Whether a root was lost in the middle of its stream: what it had read behind that is lost with it.
    pub(crate) cut: bool,
    /// Whether the root could not read its input to the end.
    pub(crate) unread: bool,
}

/// The stream of one root.
#[derive(Debug, PartialEq, Eq)]
struct Stream {
    epoch: u64,
    /// The place at which the node came in.
    from: u64,
    /// The place of the next byte.
    next: u64,
}

/// A part that was to come now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fresh<'a> {
    pub(crate) bytes: &'a [u8],
    /// How many bytes are missing before it, and from which place on.
    pub(crate) gap: Option<(u64, u64)>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every byte is there, from where the node came in.
    Whole,
    /// The stream was over when the node came in: it has nothing of it.
    TooLate,
    /// Something is missing.
    Lacking,
}

impl Received {
    /// The place at which the node came in to the latest stream. `None` before the first byte.
    pub(crate) fn from(&self) -> Option<u64> {
        self.stream.as_ref().map(|stream| stream.from)
    }

    /// The stream is over, and the node has only come in.
    pub(crate) const fn came_late(&mut self) {
        self.late = true;
    }

    /// Takes a part of the stream in `epoch`, whose first byte is at `offset`. What was there before is left out.
    pub(crate) fn part<'a>(&mut self, epoch: u64, offset: u64, bytes: &'a [u8]) -> Fresh<'a> {
        let stream = self.stream_of(epoch, offset);
        let gap = offset.saturating_sub(stream.next);
        let at = stream.next;
        let repeated = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = bytes.get(repeated..).unwrap_or_default();
        stream.next = (at + gap).saturating_add(bytes.len() as u64);
        self.missing += gap;
        self.printed += bytes.len() as u64;
        let gap = (gap > 0).then_some((at, gap));
        Fresh { bytes, gap }
    }

    /// The stream has ended. Returns how many bytes are missing at its end, and from which place on.
    pub(crate) fn end(&mut self, end: End) -> Option<(u64, u64)> {
        let stream = self.stream_of(end.epoch, end.total);
        let (at, gap) = (stream.next, end.total.saturating_sub(stream.next));
        stream.next = stream.next.max(end.total);
        self.missing += gap;
        self.unread |= !end.whole;
        (gap > 0).then_some((at, gap))
    }

    /// The verdict after the end.
    pub(crate) fn verdict(&self) -> Verdict {
        let came_behind = if self.late {
            self.missing > 0
        } else {
            self.missing == 0 && self.from().is_some_and(|from| from > 0)
        };
        if self.printed == 0 && came_behind && !self.cut && !self.unread {
            Verdict::TooLate
        } else if self.missing > 0 || self.cut || self.unread {
            Verdict::Lacking
        } else {
            Verdict::Whole
        }
    }

    /// The stream of this epoch, which the node came in to at `offset` if it is the first. Of another root's stream, and of one
    /// that is over, it should have all.
    fn stream_of(&mut self, epoch: u64, offset: u64) -> &mut Stream {
        let stream = match self.stream.take() {
            Some(stream) if stream.epoch == epoch => stream,
            former => {
                self.cut |= former.is_some();
                let all = former.is_some() || self.late;
                let from = if all { 0 } else { offset };
                let next = from;
                Stream { epoch, from, next }
            }
        };
        self.stream.insert(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(total: u64) -> End {
        End {
            epoch: 1,
            total,
            whole: true,
        }
    }

    #[test]
    fn a_node_that_is_there_from_the_beginning_has_all() {
        let mut received = Received::default();
        assert_eq!(received.part(1, 0, b"one").bytes, b"one");
        assert_eq!(received.part(1, 3, b"two").gap, None);
        assert_eq!(received.end(end(6)), None);
        assert_eq!(received.verdict(), Verdict::Whole);
    }

    #[test]
    fn a_node_has_a_right_to_what_comes_after_it_came_in() {
        let mut received = Received::default();
        assert_eq!(received.part(1, 1_000, b"one").gap, None);
        received.end(end(1_003));
        assert_eq!(received.from(), Some(1_000));
        assert_eq!(received.verdict(), Verdict::Whole);
    }

    #[test]
    fn what_is_missing_is_counted_in_the_middle_and_at_the_end() {
        let mut received = Received::default();
        received.part(1, 0, b"one");
        assert_eq!(received.part(1, 10, b"two").gap, Some((3, 7)));
        assert_eq!(received.end(end(20)), Some((13, 7)));
        assert_eq!((received.printed, received.missing), (6, 14));
        assert_eq!(received.verdict(), Verdict::Lacking);
    }

    #[test]
    fn what_comes_twice_is_taken_once() {
        let mut received = Received::default();
        received.part(1, 0, b"one");
        assert_eq!(received.part(1, 0, b"one").bytes, b"");
        assert_eq!(received.part(1, 2, b"etwo").bytes, b"two");
        received.end(end(6));
        assert_eq!(received.verdict(), Verdict::Whole);
    }

    #[test]
    fn a_node_that_comes_between_the_last_byte_and_the_end_has_nothing() {
        let mut received = Received::default();
        received.end(end(6));
        assert_eq!(received.verdict(), Verdict::TooLate);
    }

    #[test]
    fn a_node_that_loses_all_that_it_should_have_did_not_come_too_late() {
        let mut received = Received::default();
        received.part(1, 4, b"");
        received.end(end(6));
        assert_eq!(received.verdict(), Verdict::Lacking);
    }

    #[test]
    fn a_node_that_comes_behind_the_last_byte_has_nothing() {
        let late = || {
            let mut received = Received::default();
            received.came_late();
            received
        };
        let mut received = late();
        received.end(end(6));
        assert_eq!(
            (received.verdict(), received.missing),
            (Verdict::TooLate, 6)
        );
        let mut empty = late();
        empty.end(end(0));
        assert_eq!(empty.verdict(), Verdict::Whole);
    }

    #[test]
    fn a_node_that_comes_behind_the_end_lacks_what_its_parent_no_longer_has() {
        let mut received = Received::default();
        received.came_late();
        assert_eq!(received.part(1, 4, b"two").gap, Some((0, 4)));
        received.end(end(7));
        assert_eq!(received.verdict(), Verdict::Lacking);
        let mut whole = Received::default();
        whole.came_late();
        whole.part(1, 0, b"one");
        whole.end(end(3));
        assert_eq!(whole.verdict(), Verdict::Whole);
    }

    #[test]
    fn a_stream_that_another_roots_replaces_is_cut() {
        let mut received = Received::default();
        received.part(1, 0, b"one");
        assert_eq!(received.part(2, 0, b"two").bytes, b"two");
        received.end(End { epoch: 2, ..end(3) });
        assert_eq!(received.missing, 0);
        assert_eq!(received.verdict(), Verdict::Lacking);
    }

    #[test]
    fn an_input_that_could_not_be_read_is_not_whole() {
        let mut received = Received::default();
        received.part(1, 0, b"one");
        received.end(End {
            whole: false,
            ..end(3)
        });
        assert_eq!(received.verdict(), Verdict::Lacking);
    }
}
