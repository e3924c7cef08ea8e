//! How often the server is asked for a sign of life, and what follows from its answer.

use core::time::Duration;

use crate::time::Instant;

/// The server is asked for a sign of life, and when it has answered, again. What else it is sent calls for no
/// answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ping {
    /// It answered what was asked at this moment.
    Answered(Instant),
    /// It was asked at this moment.
    Asked(Instant),
}

/// How often a server is asked for a sign of life, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    pub(super) keepalive: Duration,
    pub(super) lease: Duration,
    pub(super) patience: Duration,
}

impl Rhythm {
    /// As the server wants it.
    pub(super) fn new(keepalive_ms: u32, lease_ms: u32) -> Self {
        let keepalive = Duration::from_millis(u64::from(keepalive_ms)).max(LEAST_KEEPALIVE);
        Self {
            keepalive,
            lease: Duration::from_millis(u64::from(lease_ms)),
            patience: keepalive * 2,
        }
    }

    /// A root asks often enough that its lease does not run out while all is well, and tries another
    /// connection when it has.
    pub(super) fn of_root(self) -> Self {
        let keepalive = self.keepalive.min(self.lease / 3).max(LEAST_KEEPALIVE);
        Self {
            keepalive,
            lease: self.lease,
            patience: self.lease.max(keepalive * 2),
        }
    }
}

/// A server that asks for a ping a millisecond gets one a second.
const LEAST_KEEPALIVE: Duration = Duration::from_secs(1);
