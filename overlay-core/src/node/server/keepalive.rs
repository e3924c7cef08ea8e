//! How often the server is asked for a sign of life.

use core::time::Duration;

use crate::time::Instant;

/// The latest question for a sign of life. What else the server is sent calls for no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ping {
    /// The server has answered what was asked at this moment.
    Answered(Instant),
    /// The server was asked at this moment.
    Asked(Instant),
}

/// The interval of pings, and for how long an answer holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    pub(crate) keepalive: Duration,
    /// The time for which a root may admit joiners after it has asked.
    pub(crate) lease: Duration,
    /// The time for which the server may be silent.
    pub(crate) silence_limit: Duration,
}

impl Rhythm {
    /// As the server wants it.
    pub(crate) fn new(keepalive_ms: u32, lease_ms: u32) -> Self {
        let keepalive = Duration::from_millis(u64::from(keepalive_ms)).max(LEAST_KEEPALIVE);
        Self {
            keepalive,
            lease: Duration::from_millis(u64::from(lease_ms)),
            silence_limit: keepalive * 2,
        }
    }

    /// A root asks often enough that its lease does not run out while all is well, and tries another
    /// connection when it has.
    pub(crate) fn of_root(self) -> Self {
        let keepalive = self.keepalive.min(self.lease / 3).max(LEAST_KEEPALIVE);
        Self {
            keepalive,
            lease: self.lease,
            silence_limit: self.lease.max(keepalive * 2),
        }
    }
}

/// A server that asks for a ping a millisecond gets one a second.
const LEAST_KEEPALIVE: Duration = Duration::from_secs(1);
