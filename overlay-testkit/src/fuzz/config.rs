//! Any configuration.
//!
//! Claims: [`Node::new`] refuses exactly what [`Config::validate`] refuses, with the same error; with any other
//! configuration, however extreme, a root and a member live through a short story, keep [`crate::Invariants`], and
//! can leave.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::{Lane, LinkFrame, OverlayName};
use overlay_core::{Config, EventKind, Node, Policy, SlowPolicy};

use crate::fuzz::vocabulary::{read, vocabulary};
use crate::fuzz::watched::Watched;
use crate::fuzz::words::{JoinWord, SELF, id, payload};

vocabulary! {
    /// A configuration, field by field.
    pub struct Wild {
        /// `max_degree`.
        degree: Count,
        /// Whether the policy is `Hash`.
        hash: bool,
        /// `request_timeout`.
        request: Time,
        /// `settle_timeout`.
        settle_timeout: Time,
        /// `wait_timeout`.
        park: Time,
        /// `max_waiting`.
        parked: Count,
        /// `max_early_ice_candidates`.
        early: Count,
        /// `max_routes`.
        routes: Count,
        /// `heartbeat_interval`.
        heartbeat: Time,
        /// `link_timeout`.
        silence: Time,
        /// `status_interval`.
        status: Time,
        /// `retry_min`.
        retry_min: Time,
        /// `retry_max`.
        retry_max: Time,
        /// `retry_after`.
        retry_after: Time,
        /// `window`.
        window: Count,
        /// `send_queue`.
        queue: Count,
        /// `history`.
        history: Count,
        /// `max_message`.
        message: Count,
        /// `max_asks`.
        asks: Count,
        /// `skip_timeout`.
        skip: Time,
        /// `stall_timeout`.
        stall: Time,
        /// `slow`, modulo 3.
        slow: u8,
        /// `leave_timeout`.
        leave: Time,
        /// `bootstrap_timeout`.
        bootstrap: Time,
        /// The length of the overlay's name.
        name: u8,
    }

    /// A duration.
    pub enum Time {
        /// What [`Config::default`] has.
        100 => Usual,
        /// Nanoseconds: less than the clock tells.
        20 => Nanos(nanos: u16),
        /// Microseconds.
        20 => Micros(micros: u32),
        /// Milliseconds.
        40 => Millis(millis: u32),
        /// Seconds.
        20 => Secs(secs: u64),
        /// As long as there can be.
        20 => Max,
    }

    /// A number of things.
    pub enum Count {
        /// What [`Config::default`] has.
        100 => Usual,
        /// A few.
        60 => Few(count: u8),
        /// Many.
        40 => Many(count: u16),
        /// Very many.
        20 => Plenty(count: u32),
        /// As many as there can be.
        20 => Max,
    }
}

/// Tries the configuration that the bytes tell, on a root and on a member.
pub fn run(bytes: &[u8]) {
    let Ok((wild, _)) = read::<Wild, u8>(bytes) else {
        return;
    };
    let config = wild.config();
    let made = Node::new(id(SELF), config.clone(), [1; 32]);
    assert_eq!(made.map(drop), config.validate());
    if config.validate().is_ok() {
        live(Watched::root(config.clone()));
        live(Watched::member(config));
    }
}

/// Joiners come, messages flow, time passes, and in the end the node leaves.
fn live(mut watched: Watched) {
    for node in [2, 3, 4] {
        watched.passed_down(JoinWord::Request(node, 1, 1));
        watched.passed_down(JoinWord::Candidate(node, 1));
    }
    let few = watched.links().len().min(4);
    for at in 0..few {
        for _ in 0..4 {
            watched.link_goes_on(at);
        }
    }
    for len in [0, 62_000, 62_000, 62_000] {
        let payload = Bytes::from_static(payload(len));
        watched.event(EventKind::Broadcast(payload.clone()));
        for at in 0..few {
            let (to, payload) = (watched.links()[at].id, payload.clone());
            watched.event(EventKind::Send { to, payload });
        }
    }
    for _ in 0..8 {
        watched.wait_until_due();
    }
    for at in 0..few {
        let link = watched.links()[at].id;
        for lane in [Lane::Direct, Lane::Stream] {
            let bytes = u32::MAX;
            watched.says(link, &LinkFrame::Credit { lane, bytes });
        }
    }
    watched.wait(Duration::from_hours(1));
    // A node that was lost tries again.
    for _ in 0..8 {
        watched.wait_until_due();
        watched.server_goes_on();
    }
    watched.leaves_in_silence();
}

impl Wild {
    fn config(&self) -> Config {
        let usual = Config::default();
        Config {
            overlay: OverlayName::new("o".repeat(usize::from(self.name))).unwrap_or(usual.overlay),
            max_degree: u16::try_from(self.degree.or(usual.max_degree.into())).unwrap_or(u16::MAX),
            policy: if self.hash {
                Policy::Hash
            } else {
                Policy::Balanced
            },
            request_timeout: self.request.or(usual.request_timeout),
            settle_timeout: self.settle_timeout.or(usual.settle_timeout),
            wait_timeout: self.park.or(usual.wait_timeout),
            max_waiting: self.parked.or(usual.max_waiting),
            max_early_ice_candidates: self.early.or(usual.max_early_ice_candidates),
            max_routes: self.routes.or(usual.max_routes),
            heartbeat_interval: self.heartbeat.or(usual.heartbeat_interval),
            link_timeout: self.silence.or(usual.link_timeout),
            status_interval: self.status.or(usual.status_interval),
            rebalance_interval: usual.rebalance_interval,
            retry_min: self.retry_min.or(usual.retry_min),
            retry_max: self.retry_max.or(usual.retry_max),
            retry_after: self.retry_after.or(usual.retry_after),
            window: u32::try_from(self.window.or(usual.window as usize)).unwrap_or(u32::MAX),
            send_queue: self.queue.or(usual.send_queue),
            history: self.history.or(usual.history),
            max_message: self.message.or(usual.max_message),
            start: usual.start,
            slow: [SlowPolicy::Wait, SlowPolicy::Skip, SlowPolicy::Disconnect]
                [usize::from(self.slow % 3)],
            skip_timeout: self.skip.or(usual.skip_timeout),
            stall_timeout: self.stall.or(usual.stall_timeout),
            max_asks: self.asks.or(usual.max_asks),
            leave_timeout: self.leave.or(usual.leave_timeout),
            orphan_timeout: self.leave.or(usual.orphan_timeout),
            bootstrap_timeout: self.bootstrap.or(usual.bootstrap_timeout),
            #[cfg(planted)]
            planted: None,
        }
    }
}

impl Time {
    fn or(self, usual: Duration) -> Duration {
        match self {
            Self::Usual => usual,
            Self::Nanos(nanos) => Duration::from_nanos(nanos.into()),
            Self::Micros(micros) => Duration::from_micros(micros.into()),
            Self::Millis(millis) => Duration::from_millis(millis.into()),
            Self::Secs(secs) => Duration::from_secs(secs),
            Self::Max => Duration::MAX,
        }
    }
}

impl Count {
    fn or(self, usual: usize) -> usize {
        match self {
            Self::Usual => usual,
            Self::Few(count) => count.into(),
            Self::Many(count) => count.into(),
            Self::Plenty(count) => count as usize,
            Self::Max => usize::MAX,
        }
    }
}
