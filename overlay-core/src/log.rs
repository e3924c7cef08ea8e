//! The last bytes of the root's stream, as one node has them.
//!
//! A node keeps what it receives in one ring of bytes, and whoever reads there has a position: each child, and the app.
//! So there is no queue for a child, and a slow child, one that has moved here, and one that has just joined differ in
//! nothing but their positions. What comes next from a position is one question ([`Log::next`]), with three answers:
//! bytes, nothing yet, or a jump over what this node does not have.
//!
//! The ring consists of runs without a hole. Another run begins where the stream has a gap, and with another root.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use crate::position::{Position, Start};
use crate::wire::{Header, Part};

/// The most runs that are remembered. Of those before, a reader that has not got so far is told that there is a gap.
const MAX_RUNS: usize = 16;

/// The last bytes of the root's stream, whole records.
#[derive(Debug, Default)]
pub(crate) struct Log {
    bytes: VecDeque<u8>,
    /// Oldest first. One that has lost all its bytes still tells where it ended.
    runs: VecDeque<Run>,
    /// The last record, if it ends the stream.
    end: Option<usize>,
}

/// A part of one root's stream without a hole.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The position of its first byte that is still there.
    start: Position,
    len: usize,
}

/// What follows at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing yet.
    Nothing,
    /// What is at this position: there is a gap between, or another root's stream begins.
    Jump(Position),
    /// These bytes of the ring, up to the end of their run.
    Bytes(Slice),
}

/// A range of the ring's bytes, valid until the log changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    from: usize,
    to: usize,
}

impl Slice {
    pub(crate) const fn len(self) -> usize {
        self.to - self.from
    }
}

/// A record in the ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) part: Part,
    /// The length of the record.
    pub(crate) len: usize,
    payload: usize,
}

impl Run {
    const fn end(&self) -> Position {
        self.start.plus(self.len)
    }
}

impl Log {
    /// The position behind the last byte; `None` before the first run.
    pub(crate) fn head(&self) -> Option<Position> {
        self.runs.back().map(Run::end)
    }

    /// The oldest position that bytes are left of, or the head.
    pub(crate) fn oldest(&self) -> Option<Position> {
        let run = self.runs.iter().find(|run| run.len > 0);
        run.map(|run| run.start).or_else(|| self.head())
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What is appended from here on is at this position.
    pub(crate) fn begin(&mut self, start: Position) {
        if self.runs.len() == MAX_RUNS
            && let Some(oldest) = self.runs.pop_front()
        {
            self.bytes.drain(..oldest.len);
        }
        self.end = None;
        self.runs.push_back(Run { start, len: 0 });
    }

    /// Appends records, which are well-formed.
    pub(crate) fn append(&mut self, records: &[u8]) {
        let Some(run) = self.runs.back_mut() else {
            return;
        };
        // Grows by half at the most, so that the ring's memory is near its limit rather than twice that.
        if self.bytes.capacity() - self.bytes.len() < records.len() {
            let more = records.len().max(self.bytes.len() / 2);
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend(records);
        run.len += records.len();
        self.end = None;
    }

    /// The last record, of this length, ends the stream.
    pub(crate) const fn ends(&mut self, record: usize) {
        self.end = Some(record);
    }

    /// Drops the oldest records until at most this many bytes are left. The end of a stream stays.
    pub(crate) fn trim(&mut self, most: usize) {
        let most = most.max(self.end.unwrap_or(0));
        while self.bytes.len() > most
            && let Some(entry) = self.entry(0)
        {
            self.bytes.drain(..entry.len);
            if let Some(run) = self.runs.iter_mut().find(|run| run.len > 0) {
                run.start = run.start.plus(entry.len);
                run.len -= entry.len;
            }
        }
    }

    /// The payload of the record that ends the stream, and its position.
    pub(crate) fn end(&self) -> Option<(Position, Vec<u8>)> {
        let run = self.runs.back()?;
        let from = self.bytes.len() - self.end?;
        let before = run.len - self.end?;
        Some((
            run.start.plus(before),
            self.payload(from, self.entry(from)?),
        ))
    }

    pub(crate) const fn has_end(&self) -> bool {
        self.end.is_some()
    }

    /// The position for a reader that starts here. Behind the end of a stream nothing is live any more, so a reader gets
    /// what is left of that stream.
    pub(crate) fn start(&self, start: Start) -> Option<Position> {
        match start {
            Start::At(position) => Some(position),
            Start::Oldest => self.oldest(),
            Start::Live if self.has_end() => self.runs.back().map(|run| run.start),
            Start::Live => self.head(),
        }
    }

    /// The position for a reader that has lost its place: what is live, or the end of the stream.
    pub(crate) fn live(&self) -> Option<Position> {
        self.end().map(|(end, _)| end).or_else(|| self.head())
    }

    /// What follows at this position.
    pub(crate) fn next(&self, at: &Position) -> Next {
        let mut before = self.bytes.len();
        let mut later = None;
        // From the newest run back: what is behind a position in it follows there.
        for run in self.runs.iter().rev() {
            before -= run.len;
            if run.start.is_of(at) && run.start.offset <= at.offset {
                let within = at.offset - run.start.offset;
                return match usize::try_from(within) {
                    Ok(within) if within < run.len => Next::Bytes(Slice {
                        from: before + within,
                        to: before + run.len,
                    }),
                    _ => later.map_or(Next::Nothing, Next::Jump),
                };
            }
            if run.start.is_of(at) || is_later(&run.start, at) {
                later = Some(run.start);
            }
        }
        later.map_or(Next::Nothing, Next::Jump)
    }

    /// The number of bytes behind this position.
    pub(crate) fn behind(&self, at: &Position) -> usize {
        let mut at = *at;
        loop {
            match self.next(&at) {
                Next::Nothing => return 0,
                Next::Jump(to) => at = to,
                Next::Bytes(slice) => return self.bytes.len() - slice.from,
            }
        }
    }

    /// The place of the first whole record of what is at this position: the same, unless it is in the middle of one.
    pub(crate) fn aligned(&self, at: Position, slice: Slice) -> Position {
        let mut before = self.bytes.len();
        let mut runs = self.runs.iter().rev();
        let start = loop {
            let Some(run) = runs.next() else {
                return at;
            };
            before -= run.len;
            if before <= slice.from {
                break before;
            }
        };
        let mut record = start;
        while record < slice.from
            && let Some(entry) = self.entry(record)
        {
            record += entry.len;
        }
        at.plus(record - slice.from)
    }

    /// The first record of a slice.
    pub(crate) fn first(&self, slice: Slice) -> Option<Entry> {
        self.entry(slice.from)
    }

    /// As many records from the beginning of a slice as fit into this many bytes, and their length in all.
    pub(crate) fn fitting(&self, slice: Slice, most: usize) -> usize {
        let mut len = 0;
        while slice.from + len < slice.to
            && let Some(entry) = self.entry(slice.from + len)
            && len + entry.len <= most
        {
            len += entry.len;
        }
        len
    }

    /// The first bytes of a slice.
    pub(crate) fn copy(&self, slice: Slice, len: usize) -> Vec<u8> {
        self.range(slice.from..slice.from + len)
    }

    /// The payload of a slice's first record.
    pub(crate) fn first_payload(&self, slice: Slice, entry: Entry) -> Vec<u8> {
        self.payload(slice.from, entry)
    }

    fn payload(&self, at: usize, entry: Entry) -> Vec<u8> {
        self.range(at + entry.len - entry.payload..at + entry.len)
    }

    fn range(&self, range: Range<usize>) -> Vec<u8> {
        let (front, back) = self.bytes.as_slices();
        let mut bytes = Vec::with_capacity(range.len());
        let split = front.len();
        let of_front = range.start.min(split)..range.end.min(split);
        let of_back = range.start.max(split) - split..range.end.max(split) - split;
        bytes.extend_from_slice(front.get(of_front).unwrap_or_default());
        bytes.extend_from_slice(back.get(of_back).unwrap_or_default());
        bytes
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        let header = Header::read(self.bytes.range(at.min(self.bytes.len())..).copied())?;
        Some(Entry {
            part: header.part,
            len: header.record(),
            payload: header.payload,
        })
    }
}

/// Whether a run belongs to a later root than a position. Of two roots in one epoch the one that was heard later counts.
fn is_later(run: &Position, at: &Position) -> bool {
    run.epoch > at.epoch || run.epoch == at.epoch && run.root != at.root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Epoch, NodeId};
    use crate::wire::Record;
    use alloc::vec;

    const ROOT: Position = Position::beginning(NodeId::from_u128(1), Epoch(1));
    const NEXT_ROOT: Position = Position::beginning(NodeId::from_u128(2), Epoch(2));

    fn record(part: Part, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Record { part, payload }.write(&mut bytes);
        bytes
    }

    /// A log with the messages 0, 1, 2 and so on, of four bytes each.
    fn log(messages: u8) -> Log {
        let mut log = Log::default();
        log.begin(ROOT);
        (0..messages).for_each(|n| log.append(&record(Part::Whole, &[n; 2])));
        log
    }

    /// The payloads that follow at a position, with the jumps between.
    fn read(log: &Log, mut at: Position) -> Vec<Result<Vec<u8>, Position>> {
        let mut all = Vec::new();
        loop {
            match log.next(&at) {
                Next::Nothing => return all,
                Next::Jump(to) => {
                    all.push(Err(to));
                    at = to;
                }
                Next::Bytes(slice) => {
                    let entry = log.first(slice).unwrap();
                    all.push(Ok(log.first_payload(slice, entry)));
                    at = at.plus(entry.len);
                }
            }
        }
    }

    fn messages(numbers: Range<u8>) -> Vec<Result<Vec<u8>, Position>> {
        numbers.map(|n| Ok(vec![n; 2])).collect()
    }

    #[test]
    fn a_reader_goes_on_from_its_position() {
        let log = log(4);
        assert_eq!(read(&log, ROOT), messages(0..4));
        assert_eq!(read(&log, ROOT.plus(8)), messages(2..4));
        assert_eq!(read(&log, ROOT.plus(16)), []);
        assert_eq!(log.behind(&ROOT.plus(8)), 8);
    }

    #[test]
    fn a_reader_ahead_of_the_log_waits() {
        let mut log = log(2);
        assert_eq!(log.next(&ROOT.plus(12)), Next::Nothing);
        assert_eq!(log.next(&NEXT_ROOT.plus(4)), Next::Nothing);
        log.append(&record(Part::Whole, &[9; 2]));
        log.append(&record(Part::Whole, &[8; 2]));
        assert_eq!(read(&log, ROOT.plus(12)), [Ok(vec![8; 2])]);
    }

    #[test]
    fn a_reader_jumps_over_what_is_gone() {
        let mut log = log(4);
        log.trim(9);
        assert_eq!(log.len(), 8);
        let mut expected = vec![Err(ROOT.plus(8))];
        expected.extend(messages(2..4));
        assert_eq!(read(&log, ROOT), expected);
        assert_eq!(log.start(Start::Oldest), Some(ROOT.plus(8)));
    }

    #[test]
    fn a_gap_of_the_log_is_one_for_every_reader_before_it() {
        let mut log = log(1);
        log.begin(ROOT.plus(100));
        log.append(&record(Part::Whole, &[7; 2]));
        let seven = Ok(vec![7; 2]);
        assert_eq!(
            read(&log, ROOT.plus(4)),
            [Err(ROOT.plus(100)), seven.clone()]
        );
        // One that has had some of what is missing here.
        assert_eq!(
            read(&log, ROOT.plus(50)),
            [Err(ROOT.plus(100)), seven.clone()]
        );
        assert_eq!(read(&log, ROOT.plus(100)), [seven]);
        assert_eq!(read(&log, ROOT.plus(104)), []);
    }

    #[test]
    fn the_next_roots_stream_follows_the_former_one() {
        let mut log = log(2);
        log.begin(NEXT_ROOT);
        log.append(&record(Part::Whole, &[7; 2]));
        let new = [Err(NEXT_ROOT), Ok(vec![7; 2])];
        assert_eq!(read(&log, ROOT.plus(8)), new);
        assert_eq!(read(&log, ROOT.plus(40)), new, "ahead of the former stream");
        assert_eq!(read(&log, NEXT_ROOT), new[1..]);
        // The former stream has no bytes left, and its end is still known.
        log.trim(4);
        assert_eq!(read(&log, ROOT.plus(8)), new);
        assert_eq!(read(&log, ROOT), [&[Err(ROOT.plus(8))], &new[..]].concat());
    }

    #[test]
    fn a_position_in_the_middle_of_a_record_is_moved_to_its_end() {
        let log = log(3);
        for (at, aligned) in [(0, 0), (1, 4), (4, 4), (7, 8), (11, 12)] {
            let at = ROOT.plus(at);
            let Next::Bytes(slice) = log.next(&at) else {
                panic!("nothing at {at:?}")
            };
            assert_eq!(log.aligned(at, slice), ROOT.plus(aligned));
        }
    }

    #[test]
    fn the_end_of_a_stream_stays_and_is_where_a_late_reader_starts() {
        let mut log = log(2);
        log.append(&record(Part::End, b"end"));
        log.ends(5);
        log.trim(0);
        let end = ROOT.plus(8);
        assert_eq!(log.end(), Some((end, b"end".to_vec())));
        assert_eq!(log.start(Start::Live), Some(end));
        assert_eq!(log.live(), Some(end));
        assert_eq!(read(&log, end), [Ok(b"end".to_vec())]);
    }

    #[test]
    fn only_the_latest_runs_are_remembered() {
        let mut log = log(1);
        for n in 1..=MAX_RUNS as u64 {
            let epoch = Epoch(1 + n);
            log.begin(Position { epoch, ..ROOT });
            log.append(&record(Part::Whole, &[0; 2]));
        }
        assert_eq!(log.runs.len(), MAX_RUNS);
        assert_eq!(log.len(), 4 * MAX_RUNS);
    }

    #[test]
    fn bytes_that_wrap_around_the_ring_come_out_in_order() {
        let mut log = log(0);
        for n in 0..=255 {
            log.append(&record(Part::Whole, &[n; 2]));
            log.trim(40);
            let at = log.oldest().unwrap();
            let Next::Bytes(slice) = log.next(&at) else {
                panic!("nothing at the oldest position")
            };
            let len = log.fitting(slice, 40);
            let last = log.copy(slice, len);
            assert_eq!(last[len - 2..], [n; 2]);
        }
    }
}
