//! How app messages are cut into the records that frames carry.
//!
//! A message is one record, or several in a row: a first one, those in the middle, a last one. A frame carries as many
//! whole records as fit, of one message or of many. So a small message costs two bytes besides its own, and a node passes
//! the beginning of a large one on before it has the rest.
//!
//! A record is one byte for its part, the length of its payload as postcard writes numbers, and the payload.

use alloc::vec::Vec;

use super::MAX_FRAME;

/// Longest payload of one record, in bytes: a frame with nothing else in it, less the headers of both.
pub const MAX_PART: usize = MAX_FRAME - 32;

/// Longest header of a record, in bytes.
const MAX_HEADER: usize = 3;

const _: () = assert!(MAX_PART < 1 << 14, "two bytes hold its length");

/// Most bytes of records in one frame. Each record fits.
pub const MAX_RECORDS: usize = MAX_PART + MAX_HEADER;

/// The part of its message that a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The beginning.
    First,
    /// Neither the beginning nor the end.
    Middle,
    /// The end.
    Last,
    /// None: the sender has given up a message that it had begun.
    Cancelled,
    /// All of it, and it is the last message of a root's stream.
    End,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Whole,
        Self::First,
        Self::Middle,
        Self::Last,
        Self::Cancelled,
        Self::End,
    ];

    /// The part that the bytes from `start` to `end` are, of a message with this length.
    #[must_use]
    pub const fn of(start: usize, end: usize, length: usize) -> Self {
        match (start == 0, end == length) {
            (true, true) => Self::Whole,
            (true, false) => Self::First,
            (false, false) => Self::Middle,
            (false, true) => Self::Last,
        }
    }

    /// Whether a message begins with it.
    #[must_use]
    pub const fn begins(self) -> bool {
        matches!(self, Self::Whole | Self::First | Self::End)
    }
}

/// A record in the bytes of a frame, or its header in those of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The part of its message that it is.
    pub part: Part,
    /// The app's bytes.
    pub payload: &'a [u8],
}

/// The header of a record: what is known of it before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) part: Part,
    /// The length of the header itself.
    pub(crate) len: usize,
    /// The length of the payload behind it.
    pub(crate) payload: usize,
}

impl Header {
    /// The header that these bytes begin with, if they begin with one.
    pub(crate) fn read(bytes: impl IntoIterator<Item = u8>) -> Option<Self> {
        let mut bytes = bytes.into_iter();
        let part = *Part::ALL.get(usize::from(bytes.next()?))?;
        let (mut len, mut payload) = (1, 0);
        for (byte, shift) in bytes.zip([0_u32, 7]) {
            len += 1;
            payload |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // A number has one spelling: no zeros in front.
                let shortest = byte > 0 || shift == 0;
                return (shortest && payload <= MAX_PART).then_some(Self { part, len, payload });
            }
        }
        None
    }

    /// The length of the record.
    pub(crate) const fn record(self) -> usize {
        self.len + self.payload
    }
}

impl<'a> Record<'a> {
    /// Appends the record to the bytes of a frame. The payload has at most [`MAX_PART`] bytes.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        debug_assert!(self.payload.len() <= MAX_PART, "a record fits into a frame");
        bytes.push(self.part as u8);
        // Two bytes hold every length that there is.
        let [low, high, ..] = (self.payload.len() << 1).to_le_bytes();
        let low = low >> 1;
        if high > 0 {
            bytes.extend([0x80 | low, high]);
        } else {
            bytes.push(low);
        }
        bytes.extend_from_slice(self.payload);
    }

    /// Takes the first record off the bytes of a frame. `None` if they don't begin with one.
    #[must_use]
    pub fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header = Header::read(bytes.iter().copied())?;
        let (record, rest) = bytes.split_at_checked(header.record())?;
        let payload = record.get(header.len..)?;
        let part = header.part;
        Some((Self { part, payload }, rest))
    }
}

/// The length of a record with a payload of this length.
#[must_use]
pub const fn record_len(payload: usize) -> usize {
    let header = if payload < 0x80 { 2 } else { MAX_HEADER };
    header + payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for len in [0, 1, 127, 128, MAX_PART] {
            let payload = vec![7; len];
            for part in Part::ALL {
                let mut bytes = Vec::new();
                let record = Record {
                    part,
                    payload: &payload,
                };
                record.write(&mut bytes);
                assert_eq!(bytes.len(), record_len(len));
                bytes.push(9);
                assert_eq!(Record::take(&bytes), Some((record, &[9][..])));
            }
        }
    }

    #[test]
    fn a_record_that_is_cut_off_or_too_long_is_none() {
        let mut bytes = Vec::new();
        let payload = &[1, 2, 3][..];
        Record {
            part: Part::Whole,
            payload,
        }
        .write(&mut bytes);
        for len in 0..bytes.len() {
            assert_eq!(Record::take(&bytes[..len]), None);
        }
        assert_eq!(Record::take(&[0, 0xff, 0xff, 0x7f]), None, "too long");
        assert_eq!(Record::take(&[0, 0x80, 0]), None, "spelt with a zero");
        assert_eq!(Record::take(&[6, 0]), None, "no such part");
    }

    #[test]
    fn the_parts_of_a_message_follow_from_its_length() {
        assert_eq!(Part::of(0, 5, 5), Part::Whole);
        assert_eq!(Part::of(0, 0, 0), Part::Whole);
        assert_eq!(Part::of(0, 5, 9), Part::First);
        assert_eq!(Part::of(5, 7, 9), Part::Middle);
        assert_eq!(Part::of(7, 9, 9), Part::Last);
    }
}
