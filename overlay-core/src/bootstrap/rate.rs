//! Rate limits of what clients send.

use super::config::{Rate, Traffic};
use crate::time::Instant;

/// The parts of a token: a million, so that the inflow of a microsecond is a whole number.
const PARTS: u64 = 1_000_000;

/// A token bucket, which holds `rate.burst` tokens and refills at `rate.per_second`.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// In parts of a token.
    level: u64,
    filled: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            level: u64::from(rate.burst) * PARTS,
            filled: now,
        }
    }

    /// Takes the tokens, or all there are: a client that takes too many is disconnected anyway.
    fn take(&mut self, now: Instant, tokens: usize) -> bool {
        let elapsed = u64::try_from(now.since(self.filled).as_micros()).unwrap_or(u64::MAX);
        let inflow = elapsed.saturating_mul(u64::from(self.rate.per_second));
        let capacity = u64::from(self.rate.burst) * PARTS;
        let level = self.level.saturating_add(inflow).min(capacity);
        let cost = u64::try_from(tokens)
            .unwrap_or(u64::MAX)
            .saturating_mul(PARTS);
        self.filled = now;
        self.level = level.saturating_sub(cost);
        level >= cost
    }
}

/// The rate limits of one connection.
#[derive(Debug)]
pub(super) struct Meter {
    messages: Bucket,
    bytes: Bucket,
}

impl Meter {
    pub(super) fn new(limits: Traffic, now: Instant) -> Self {
        Self {
            messages: Bucket::full(limits.messages, now),
            bytes: Bucket::full(limits.bytes, now),
        }
    }

    /// Counts a message. Says whether it is within the limits.
    pub(super) fn admits(&mut self, now: Instant, len: usize) -> bool {
        self.messages.take(now, 1) && self.bytes.take(now, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate {
            per_second: 2,
            burst: 3,
        };
        let mut bucket = Bucket::full(rate, Instant::ZERO);
        let taken = |bucket: &mut Bucket, ms| {
            (0..10)
                .filter(|_| bucket.take(Instant::from_millis(ms), 1))
                .count()
        };
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 499), 0);
        // The attempts that failed took what had trickled in.
        assert_eq!(taken(&mut bucket, 999), 1);
        assert_eq!(taken(&mut bucket, u64::MAX / 1_000), 3);
    }
}
