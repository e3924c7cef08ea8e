//! Epochs that no root has had before.

use core::time::Duration;

use crate::id::Epoch;
use crate::time::Instant;

/// The source of new epochs: microseconds since 1970, and each epoch higher than the one before.
#[derive(Debug)]
pub(super) struct EpochClock {
    /// The time since 1970 at [`Instant::ZERO`], in microseconds.
    origin: u64,
    /// The latest epoch that was minted here.
    latest: u64,
}

impl EpochClock {
    pub(super) fn new(since_1970: Duration) -> Self {
        Self {
            origin: u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX),
            latest: 0,
        }
    }

    /// A new epoch, higher than `last`. A server that ran before minted lower ones, because its clock showed less.
    pub(super) fn mint(&mut self, now: Instant, last: Option<Epoch>) -> Epoch {
        let clock = self.origin.saturating_add(now.as_micros());
        let last = last.unwrap_or_default().0.max(self.latest);
        self.latest = clock.max(last.saturating_add(1));
        Epoch(self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_epoch_is_the_time_if_that_is_later_than_all_epochs_so_far() {
        let mut epochs = EpochClock::new(Duration::from_micros(100));
        let now = Instant::from_micros(5);
        assert_eq!(epochs.mint(now, None), Epoch(105));
        assert_eq!(epochs.mint(now, None), Epoch(106));
        assert_eq!(epochs.mint(now, Some(Epoch(400))), Epoch(401));
        assert_eq!(epochs.mint(Instant::from_micros(900), None), Epoch(1_000));
    }
}
