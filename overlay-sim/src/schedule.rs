//! A schedule: the setup of a world, and timed steps.

mod draw;
pub(crate) mod names;
mod profile;
mod step;
mod text;

use core::time::Duration;

use overlay_core::{Config, Instant, Policy};

pub use draw::schedule;
pub use names::UnknownName;
pub use profile::Profile;
pub use step::{Fault, Impairment, Message, Number, Outage, Partition, Step, Wish};
pub use text::ParseScheduleError;

/// What a world is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Where all chance in this run comes from.
    pub seed: u64,
    /// How far apart the machines are.
    pub profile: Profile,
    /// How every node behaves.
    pub config: Config,
}

/// The setup of a world, and the steps that are applied to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What the world is like.
    pub setup: Setup,
    /// What is done to it, in the order of time.
    pub steps: Vec<TimedStep>,
}

/// A step, and the moment at which it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimedStep {
    /// The moment, in virtual time.
    pub at: Instant,
    /// The step.
    pub step: Step,
}

impl Setup {
    /// A world on a local network, of nodes that behave as configured by default.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            profile: Profile::Lan,
            config: Config::default(),
        }
    }
}

impl Schedule {
    /// Whether the tree that comes out must be the complete one: nodes join and nothing else happens, the
    /// policy is the one that promises it, no table is too small, and handshakes take less than `settle_timeout`.
    #[must_use]
    pub fn must_be_complete(&self) -> bool {
        let joins_only = |timed: &TimedStep| {
            matches!(
                timed.step,
                Step::Wish(Wish::Root | Wish::Join, _) | Step::Send(..)
            )
        };
        let Setup {
            config, profile, ..
        } = &self.setup;
        let crowd = self.steps.len();
        config.policy == Policy::Balanced
            && config.max_waiting >= crowd
            && config.max_routes >= crowd
            && config.settle_timeout >= profile.slowest() * 20
            && self.steps.iter().all(joins_only)
    }

    /// When the last of it is over.
    #[must_use]
    pub fn end(&self) -> Instant {
        let ends = self.steps.iter().map(|timed| timed.at + timed.step.lasts());
        ends.max().unwrap_or_default()
    }
}

/// A setting of [`Config`] that schedules can change.
pub(crate) struct Setting {
    /// Its name in a text.
    name: &'static str,
    read: fn(&Config) -> Value,
    /// False if the setting takes no such value.
    write: fn(&mut Config, Value) -> bool,
}

/// All of them but the policy.
pub(crate) const fn settings() -> &'static [Setting] {
    SETTINGS
}

impl Setting {
    /// Gives the setting its default back.
    pub(crate) fn reset(&self, config: &mut Config) {
        (self.write)(config, (self.read)(&Config::default()));
    }
}

/// What a setting is set to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Count(u64),
    Time(Duration),
}

macro_rules! settings {
    ($($name:literal $kind:ident $field:ident),* $(,)?) => {
        &[$(Setting {
            name: $name,
            read: |config| settings!(@read $kind, config.$field),
            write: |config, value| settings!(@write $kind, config.$field, value),
        }),*]
    };
    (@read count, $field:expr) => { Value::Count(u64::try_from($field).unwrap_or(u64::MAX)) };
    (@read time, $field:expr) => { Value::Time($field) };
    (@write count, $field:expr, $value:expr) => {
        if let Value::Count(count) = $value && let Ok(count) = count.try_into() {
            $field = count;
            true
        } else {
            false
        }
    };
    (@write time, $field:expr, $value:expr) => {
        if let Value::Time(time) = $value {
            $field = time;
            true
        } else {
            false
        }
    };
}

const SETTINGS: &[Setting] = settings![
    "degree" count max_degree,
    "request-timeout" time request_timeout,
    "settle-timeout" time settle_timeout,
    "wait-timeout" time wait_timeout,
    "max-waiting" count max_waiting,
    "max-early-ice-candidates" count max_early_ice_candidates,
    "max-routes" count max_routes,
    "heartbeat-interval" time heartbeat_interval,
    "link-timeout" time link_timeout,
    "status-interval" time status_interval,
    "rebalance-interval" time rebalance_interval,
    "retry-min" time retry_min,
    "retry-max" time retry_max,
    "retry-after" time retry_after,
    "window" count window,
    "send-queue" count send_queue,
    "history" count history,
    "max-message" count max_message,
    "skip-timeout" time skip_timeout,
    "stall-timeout" time stall_timeout,
    "leave-timeout" time leave_timeout,
    "bootstrap-timeout" time bootstrap_timeout,
];
