//! A link to a former parent or child, until it has all that it was sent.
//!
//! This node sends what is left for the neighbour, as far as its credit comes in, then a `Goodbye`, and the
//! *neighbour* closes the link. The channel is ordered, so by then it has everything.

use core::time::Duration;

use crate::close::CloseReason;
use crate::time::Instant;
use crate::wire::GoodbyeReason;

/// A closing link is closed after this many times `leave_timeout`, however slowly the neighbour takes what is left.
/// With the default of 10 s, a queue of 512 KiB comes through at 1.6 KiB a second.
const MOST_EXTENSIONS: u32 = 32;

#[derive(Debug)]
pub(crate) struct Closing {
    farewell: GoodbyeReason,
    phase: Phase,
    /// When it is over, unless the neighbour takes something before.
    pub(crate) deadline: Instant,
    /// When it is over in any case.
    pub(crate) latest: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Something waits for the neighbour's credit.
    Flushing,
    /// The goodbye is sent: what is missing is that the neighbour closes.
    Said,
}

impl Closing {
    pub(crate) fn new(farewell: GoodbyeReason, now: Instant, timeout: Duration) -> Self {
        Self {
            farewell,
            phase: Phase::Flushing,
            deadline: now + timeout,
            latest: now + timeout.saturating_mul(MOST_EXTENSIONS),
        }
    }

    /// The neighbour has taken something: it gets as much time again.
    pub(crate) fn extend(&mut self, now: Instant, timeout: Duration) {
        self.deadline = (now + timeout).min(self.latest);
    }

    /// Nothing waits any more. Returns the goodbye if it is still to be said.
    pub(crate) fn flushed(&mut self) -> Option<GoodbyeReason> {
        match core::mem::replace(&mut self.phase, Phase::Said) {
            Phase::Flushing => Some(self.farewell),
            Phase::Said => None,
        }
    }
}

impl GoodbyeReason {
    /// The reason for which a link is closed whose other side says this.
    pub(crate) const fn reason(self) -> CloseReason {
        match self {
            Self::Leaving => CloseReason::PeerLeft,
            Self::Closing => CloseReason::PeerClosed,
            Self::Moved => CloseReason::Moved,
        }
    }
}
