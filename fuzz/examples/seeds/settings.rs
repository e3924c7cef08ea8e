//! Configurations.

use overlay_testkit::fuzz::config::{Count, Time, Wild};
use overlay_testkit::fuzz::vocabulary::write;

use crate::Seed;

const USUAL: Wild = every(Time::Usual, Count::Usual);

const fn every(time: Time, count: Count) -> Wild {
    Wild {
        degree: Count::Usual,
        hash: false,
        request: time,
        settle_timeout: time,
        park: time,
        parked: count,
        early: count,
        routes: count,
        heartbeat: time,
        silence: time,
        status: time,
        retry_min: time,
        retry_max: time,
        retry_after: time,
        window: count,
        queue: count,
        history: count,
        message: count,
        asks: count,
        skip: time,
        stall: time,
        slow: 0,
        leave: time,
        bootstrap: time,
        name: 7,
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let shortest = Wild {
        silence: Time::Micros(2),
        ..every(Time::Micros(1), Count::Usual)
    };
    let smallest = Wild {
        degree: Count::Few(1),
        window: Count::Usual,
        routes: Count::Few(2),
        ..every(Time::Usual, Count::Few(0))
    };
    let leaf = Wild {
        degree: Count::Few(0),
        hash: true,
        ..USUAL
    };
    let widest = Wild {
        degree: Count::Many(1_024),
        ..USUAL
    };
    let too_wide = Wild {
        degree: Count::Many(1_025),
        ..USUAL
    };
    let too_short = Wild {
        settle_timeout: Time::Nanos(999),
        ..USUAL
    };
    let seeds = [
        ("the-defaults", USUAL),
        ("everything-without-limit", every(Time::Max, Count::Max)),
        (
            "every-time-of-a-billion-years",
            every(Time::Secs(u64::MAX), Count::Usual),
        ),
        ("every-time-of-a-microsecond", shortest),
        ("no-room-for-anything", smallest),
        ("a-leaf-that-hashes", leaf),
        ("the-highest-degree", widest),
        ("refused-for-its-degree", too_wide),
        ("refused-for-a-short-settle-timeout", too_short),
    ];
    let none: [u8; 0] = [];
    seeds.map(|(name, wild)| (name, write(&wild, &none))).into()
}
