//! The harness of these tests: the simulator's world for stories about trees ([`World`]), and one node driven by
//! hand for stories about bad company ([`Solo`]). Every node keeps the invariants after every event.

mod streams;
mod world;

use std::time::Duration;

use overlay_core::{Config, JoinId};

pub(crate) use overlay_testkit::Solo;
pub(crate) use overlay_testkit::actions::{
    client_frames, delegated, opened, rejections, sent, sent_up, told,
};
pub(crate) use overlay_testkit::frames::{
    answer, below_root, candidate, hello, id, join_of, move_to, moving, position, record, records,
    refused, reject, request, sdp, signal, status, token, welcome,
};
pub(crate) use streams::{broadcast, child_at, delivered, fed, gaps, orphaned, unsent, welcome_at};
pub(crate) use world::{Ix, World};

/// The first attempt of the node under test.
pub(crate) const OWN_JOIN: JoinId = Solo::JOIN;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The defaults, but for the number of children.
pub(crate) fn config(max_degree: u16) -> Config {
    Config {
        max_degree,
        ..Config::default()
    }
}
