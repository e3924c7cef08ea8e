//! The pace of one reader of the log: whether the others wait for it.

use core::time::Duration;

use crate::time::Instant;

/// The pace of a child, or of the app.
///
/// A reader that comes behind the others, to catch up with what it has missed, holds nobody up by that: only what it falls
/// back further counts.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// How many bytes behind it may be without holding others up.
    allowed: usize,
    /// Since when something waits for it to take what it has.
    waiting: Option<Instant>,
    /// Nobody waits for it, until it takes something.
    skipped: bool,
}

impl Pace {
    /// The pace of a reader that begins this many bytes behind.
    pub(crate) const fn new(behind: usize) -> Self {
        Self {
            allowed: behind,
            waiting: None,
            skipped: false,
        }
    }

    /// The reader has taken something, or there is nothing for it.
    pub(crate) const fn moves(&mut self) {
        self.waiting = None;
        self.skipped = false;
    }

    /// Something is there for the reader, which it does not take.
    pub(crate) fn waits(&mut self, now: Instant) {
        self.waiting.get_or_insert(now);
    }

    /// Nobody waits for it any more.
    pub(crate) const fn skip(&mut self) {
        self.skipped = true;
    }

    pub(crate) const fn is_skipped(&self) -> bool {
        self.skipped
    }

    /// Since when something waits for it.
    pub(crate) const fn waiting(&self) -> Option<Instant> {
        self.waiting
    }

    /// For how long something has waited for it.
    pub(crate) fn has_waited(&self, now: Instant) -> Duration {
        self.waiting
            .map_or(Duration::ZERO, |since| now.since(since))
    }

    /// The reader is this many bytes behind: what it has caught up counts from here on.
    pub(crate) fn settle(&mut self, behind: usize) {
        self.allowed = if self.skipped {
            behind
        } else {
            self.allowed.min(behind)
        };
    }

    /// How many of the bytes that it is behind hold others up.
    pub(crate) const fn lag(&self, behind: usize) -> usize {
        if self.skipped {
            0
        } else {
            behind.saturating_sub(self.allowed)
        }
    }

    /// How many of the bytes that it is behind must be kept for it.
    pub(crate) const fn needs(&self, behind: usize) -> usize {
        if self.skipped { 0 } else { behind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_catches_up_holds_nobody_up() {
        let mut pace = Pace::new(100);
        assert_eq!(pace.lag(100), 0);
        assert_eq!(pace.lag(120), 20, "it falls back");
        pace.settle(40);
        assert_eq!(pace.lag(40), 0);
        assert_eq!(pace.lag(60), 20, "what it has caught up counts");
    }

    #[test]
    fn nobody_waits_for_a_reader_that_is_skipped_until_it_takes_something() {
        let mut pace = Pace::new(0);
        pace.skip();
        assert_eq!((pace.lag(100), pace.needs(100)), (0, 0));
        pace.settle(100);
        pace.moves();
        assert_eq!((pace.lag(120), pace.needs(120)), (20, 120));
    }
}
