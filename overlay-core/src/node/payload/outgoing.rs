//! A broadcast of this node's own on its way into the log: a large one goes in as there is room.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::log::Log;
use crate::wire::{MAX_PART, Part, Record};

/// Longest part of a message that is more than one record: many of them fill a frame better than one and a rest.
const LARGE_PART: usize = 1024;

/// A broadcast, and how much of it is in the log.
#[derive(Debug)]
pub(crate) struct Outgoing {
    payload: Bytes,
    last: bool,
    begun: usize,
}

impl Outgoing {
    /// A broadcast; `last`: nothing follows.
    pub(super) const fn new(payload: Bytes, last: bool) -> Self {
        let begun = 0;
        Self {
            payload,
            last,
            begun,
        }
    }

    /// Appends the next record to the log. True if that was the last one.
    pub(super) fn append(&mut self, log: &mut Log) -> bool {
        let (from, length) = (self.begun, self.payload.len());
        let longest = if length > MAX_PART {
            LARGE_PART
        } else {
            MAX_PART
        };
        let to = length.min(from + longest);
        let part = if self.last {
            Part::End
        } else {
            Part::of(from, to, length)
        };
        let payload = self.payload.get(from..to).unwrap_or_default();
        let len = append(log, Record { part, payload });
        if self.last {
            log.ends(len);
        }
        self.begun = to;
        to == length
    }

    /// The app has given it up, or this node may no longer broadcast. Returns it if no part of it is in the log.
    pub(super) fn cancel(self, log: &mut Log) -> Option<Bytes> {
        if self.begun == 0 {
            return Some(self.payload);
        }
        let (part, payload) = (Part::Cancelled, &[][..]);
        append(log, Record { part, payload });
        None
    }

    /// The number of bytes that are not in the log.
    pub(super) fn rest(&self) -> usize {
        self.payload.len() - self.begun
    }

    /// Whether nothing follows.
    pub(super) const fn is_last(&self) -> bool {
        self.last
    }
}

fn append(log: &mut Log, record: Record<'_>) -> usize {
    let mut bytes = Vec::with_capacity(record.payload.len() + 4);
    record.write(&mut bytes);
    log.append(&bytes);
    bytes.len()
}
