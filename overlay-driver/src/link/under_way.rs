//! How many bytes may be under way to a peer: sent, and not acknowledged.
//!
//! More than the peer's socket holds is lost in a burst. More than the line brings in a second makes all that follows, the
//! heartbeats with it, as late. Less than the line itself holds leaves it idle. So the limit is what the peer takes at once,
//! and on top what the line holds, which is its rate times its round trip; and never more than a second's worth.
//!
//! Both are measured by acknowledgements, as in BBR (Cardwell et al., ACM Queue 14(5), 2016): the shortest round trip
//! that was seen, and the highest rate of late. A rate that was not held back by the limit says nothing of the line, unless it is
//! higher.

use std::time::{Duration, Instant};

use overlay_core::wire::MAX_FRAME;

/// A peer of our own kind asks for a receive buffer of 1 MiB, and gets the system's 208 KiB at least.
pub(super) const OWN_KIND: usize = 128 * 1024;

/// Any other peer has the system's buffer, in which a datagram takes twice its size. Measured with a browser that is sent 16 KiB
/// frames on loopback, datagrams lost in 4 s: with 128 KiB up to 500, with 64 KiB up to 110, with 48 KiB up to 3.
pub(super) const OTHER_KIND: usize = 48 * 1024;

/// What is under way at most before anything is known of a line.
const AT_FIRST: usize = 32 * 1024;

/// The most, on the longest line: what [`window`](overlay_core::Config::window) lets a lane send by default.
pub(super) const MOST: usize = 256 * 1024;

/// The time that a line may take for what is under way.
const LONGEST: Duration = Duration::from_secs(1);

/// The part of a round trip that is the machines' own. On a line without length nothing is on its way.
const MACHINES: Duration = Duration::from_millis(2);

/// The shortest time that a rate is measured in.
const SHORTEST_ROUND: Duration = Duration::from_millis(50);

/// How many measured rates are remembered.
const ROUNDS: usize = 10;

/// What is known of the line to a peer.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// What the peer takes at once.
    at_once: usize,
    sent: u64,
    round: Option<Round>,
    round_trip: Option<Duration>,
    /// Bytes a second, the latest last.
    rates: Vec<f64>,
}

/// A measurement that is under way: it ends when all is acknowledged that was sent before it.
#[derive(Debug)]
struct Round {
    begun: Instant,
    acknowledged: u64,
    ends: u64,
    /// The sender had to wait.
    limited: bool,
    /// The round trip of its first bytes is measured.
    timed: bool,
}

impl UnderWay {
    /// A line of which nothing is known.
    pub(super) const fn new() -> Self {
        Self {
            at_once: OTHER_KIND,
            sent: 0,
            round: None,
            round_trip: None,
            rates: Vec::new(),
        }
    }

    /// What the peer takes at once.
    pub(super) const fn takes_at_once(&mut self, bytes: usize) {
        self.at_once = bytes;
    }

    /// Whether a frame may be sent now, while so many bytes are under way.
    pub(super) fn allows(&mut self, frame: usize, under_way: usize, now: Instant) -> bool {
        self.look(under_way, now);
        let allowed = under_way == 0 || under_way + frame <= self.limit();
        if let Some(round) = &mut self.round {
            round.limited |= !allowed;
        }
        allowed
    }

    /// A frame is sent.
    pub(super) fn sent(&mut self, frame: usize, under_way: usize, now: Instant) {
        let acknowledged = self.sent.saturating_sub(under_way as u64);
        self.sent += frame as u64;
        let ends = self.sent;
        self.round.get_or_insert(Round {
            begun: now,
            acknowledged,
            ends,
            limited: false,
            timed: false,
        });
    }

    /// The most bytes that may be under way.
    pub(super) fn limit(&self) -> usize {
        let rate = self.rates.iter().copied().fold(0.0, f64::max);
        let Some(round_trip) = self.round_trip.filter(|_| rate > 0.0) else {
            return AT_FIRST;
        };
        let held = whole(rate * round_trip.saturating_sub(MACHINES).as_secs_f64());
        let late = whole(rate * LONGEST.as_secs_f64());
        let limit = self.at_once.saturating_add(held).min(late);
        limit.clamp(MAX_FRAME, MOST)
    }

    /// Looks at what has been acknowledged by now.
    fn look(&mut self, under_way: usize, now: Instant) {
        let acknowledged = self.sent.saturating_sub(under_way as u64);
        let Some(round) = &mut self.round else {
            return;
        };
        let took = now.saturating_duration_since(round.begun);
        if acknowledged >= round.ends && !round.timed {
            round.timed = true;
            let shortest = self.round_trip.unwrap_or(took).min(took);
            self.round_trip = Some(shortest);
        }
        if !round.timed || took < SHORTEST_ROUND {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let rate = (acknowledged - round.acknowledged) as f64 / took.as_secs_f64();
        let known = self.rates.iter().copied().fold(0.0, f64::max);
        if round.limited || rate > known {
            if self.rates.len() == ROUNDS {
                self.rates.remove(0);
            }
            self.rates.push(rate);
        }
        self.round = None;
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of bytes, far below 2^53"
)]
const fn whole(bytes: f64) -> usize {
    bytes as usize
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss, reason = "numbers of a few megabytes")]
mod tests {
    use super::*;

    /// A line that brings so many bytes a second, after half a round trip, to a sender that always has more.
    struct Line {
        limits: UnderWay,
        now: Instant,
        rate: f64,
        round_trip: Duration,
        /// When each frame is acknowledged.
        acknowledged: Vec<Instant>,
        free: Instant,
    }

    impl Line {
        fn new(rate: f64, round_trip: Duration) -> Self {
            let now = Instant::now();
            let mut limits = UnderWay::new();
            limits.takes_at_once(OWN_KIND);
            Self {
                limits,
                now,
                rate,
                round_trip,
                acknowledged: Vec::new(),
                free: now,
            }
        }

        /// Sends for so many seconds. Returns the bytes a second that arrive.
        fn run(&mut self, seconds: u32) -> f64 {
            let (begin, mut arrived) = (self.now, 0_usize);
            while self.now < begin + Duration::from_secs(seconds.into()) {
                let now = self.now;
                let before = self.acknowledged.len();
                self.acknowledged.retain(|at| *at > now);
                arrived += (before - self.acknowledged.len()) * MAX_FRAME;
                let under_way = self.acknowledged.len() * MAX_FRAME;
                if self.limits.allows(MAX_FRAME, under_way, now) {
                    self.limits.sent(MAX_FRAME, under_way, now);
                    let takes = Duration::from_secs_f64(MAX_FRAME as f64 / self.rate);
                    self.free = self.free.max(now) + takes;
                    self.acknowledged.push(self.free + self.round_trip);
                } else {
                    self.now += Duration::from_micros(100);
                }
            }
            arrived as f64 / f64::from(seconds)
        }
    }

    #[test]
    fn a_short_line_has_no_more_under_way_than_the_peer_takes_at_once() {
        let mut line = Line::new(100e6, Duration::from_micros(200));
        line.run(2);
        assert_eq!(line.limits.limit(), OWN_KIND);
    }

    #[test]
    fn a_long_line_is_filled_as_far_as_a_window_allows() {
        let mut line = Line::new(2e6, Duration::from_millis(100));
        line.run(3);
        assert!(line.run(5) > 1.8e6, "{:?}", line.limits);
        let mut longer = Line::new(20e6, Duration::from_millis(100));
        longer.run(3);
        assert_eq!(longer.limits.limit(), MOST);
    }

    #[test]
    fn a_thin_line_has_no_more_than_a_second_under_way() {
        let mut line = Line::new(32_000.0, Duration::from_millis(30));
        line.run(20);
        assert!(line.limits.limit() <= 40_000, "{:?}", line.limits);
        assert!(line.run(20) > 28_000.0, "it is not idle");
    }

    #[test]
    fn a_line_that_was_idle_is_as_it_was_before() {
        let mut line = Line::new(2e6, Duration::from_millis(100));
        line.run(3);
        let before = line.limits.limit();
        for _ in 0..100 {
            line.now += Duration::from_secs(1);
            line.acknowledged.clear();
            assert!(line.limits.allows(100, 0, line.now));
            line.limits.sent(100, 0, line.now);
        }
        assert_eq!(line.limits.limit(), before);
    }

    #[test]
    fn a_line_that_becomes_slower_is_noticed() {
        let mut line = Line::new(2e6, Duration::from_millis(100));
        line.run(3);
        line.rate = 32_000.0;
        line.run(120);
        assert!(line.limits.limit() <= 40_000, "{:?}", line.limits);
    }
}
