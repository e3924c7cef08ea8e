//! Kinds of networks: how long things take between two machines.

use core::time::Duration;

use crate::schedule::names::names;
use overlay_testkit::Rng;

names! {
    /// Where the machines of a simulation stand.
    pub enum Profile {
        /// One room: well under a millisecond.
        Lan = "lan",
        /// Homes and data centres over a continent: 10–120 ms one way, seldom more.
        Wan = "wan",
        /// Phones: 40–240 ms one way, with frequent spikes of up to half a second.
        Mobile = "mobile",
    }
}

/// How long a machine's packets take to its provider, in microseconds.
struct Access {
    nearest: u64,
    farthest: u64,
    /// Each packet takes up to this much longer.
    jitter: u64,
    /// The packets in a hundred that take up to `spike` longer.
    spikes: u64,
    spike: u64,
}

impl Profile {
    const fn access(self) -> Access {
        match self {
            Self::Lan => Access {
                nearest: 50,
                farthest: 200,
                jitter: 100,
                spikes: 1,
                spike: 2_000,
            },
            Self::Wan => Access {
                nearest: 5_000,
                farthest: 60_000,
                jitter: 5_000,
                spikes: 1,
                spike: 200_000,
            },
            Self::Mobile => Access {
                nearest: 20_000,
                farthest: 120_000,
                jitter: 40_000,
                spikes: 5,
                spike: 500_000,
            },
        }
    }

    /// How far a new machine is from its provider, in microseconds.
    pub(crate) fn distance(self, rng: &mut Rng) -> u32 {
        let access = self.access();
        let distance = rng.between(access.nearest, access.farthest);
        u32::try_from(distance).unwrap_or(u32::MAX)
    }

    /// How long one packet takes over these two distances.
    pub(crate) fn latency(self, from: u32, to: u32, rng: &mut Rng) -> Duration {
        let access = self.access();
        let mut micros = u64::from(from) + u64::from(to) + rng.below(access.jitter);
        if rng.chance(access.spikes) {
            micros += rng.below(access.spike);
        }
        Duration::from_micros(micros)
    }

    /// The longest that one packet takes.
    pub(crate) const fn slowest(self) -> Duration {
        let access = self.access();
        Duration::from_micros(access.farthest * 2 + access.jitter + access.spike)
    }
}
