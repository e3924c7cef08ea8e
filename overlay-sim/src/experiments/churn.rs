//! A tree whose nodes come and go: how far it degrades, and how fast orphans are back.

use core::time::Duration;

use crate::experiments::growth::{Growing, Growth, GrowthError};
use crate::schedule::names::names;
use crate::schedule::{Fault, Number, Step, Wish};
use overlay_core::shape;
use overlay_testkit::Rng;

/// How nodes come and go.
#[derive(Clone, Copy, Debug)]
pub struct ChurnPlan {
    /// The tree before any node goes.
    pub growth: Growth,
    /// How many nodes it has, the root included.
    pub nodes: Number,
    /// How often all nodes are replaced: each one that goes is followed by a newcomer.
    pub times: f64,
    /// How many go in a second of virtual time.
    pub rate: f64,
    /// In which way.
    pub exit: Exit,
}

names! {
    /// How a node goes.
    pub enum Exit {
        /// It says goodbye.
        Leave = "leave",
        /// Its process dies, and its system closes its connections.
        Crash = "crash",
        /// It goes dark.
        Kill = "kill",
        /// Half say goodbye, of the others most crash and some go dark.
        Mixed = "mixed",
    }
}

/// How a tree has come through.
#[derive(Clone, Debug, Default)]
pub struct ChurnResult {
    /// How many have gone.
    pub departures: u64,
    /// The smallest share of nodes at the depth of a complete tree, and the one at the end.
    pub same_depth_worst: f64,
    /// See `same_depth_worst`.
    pub same_depth_final: f64,
    /// The depth of the deepest node, at its worst.
    pub max_depth_worst: usize,
    /// The depth of a complete tree.
    pub ideal_max_depth: usize,
    /// How often a node with a parent went to another one, for each departure; 0 as long as nodes move only
    /// when they have lost theirs.
    pub moves_per_departure: f64,
    /// How long orphans took to be in the tree again, from when they noticed: half of them, and all but
    /// one in a hundred.
    pub reattach_p50: Duration,
    /// See `reattach_p50`.
    pub reattach_p99: Duration,
    /// How many orphans were in the tree again.
    pub reattached: u64,
    /// How many nodes are not in the tree at the end.
    pub unattached: u64,
}

/// How long the tree has at the end: a dead neighbour is noticed after `link_timeout`, and its orphans find
/// their way after some attempts.
const PEACE: Duration = Duration::from_mins(2);

/// How often the tree is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// Lets nodes come and go. `progress` is told how many have gone.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of nodes are far below 2^52"
)]
pub fn churn(
    plan: &ChurnPlan,
    mut progress: impl FnMut(u64, u64),
) -> Result<ChurnResult, GrowthError> {
    let mut tree = Growing::new(plan.growth)?;
    tree.more(plan.nodes.saturating_sub(1))?;
    tree.settle()?;
    let degree = u64::from(plan.growth.degree);
    let mut rng = Rng::of(plan.growth.seed, u64::from(u32::MAX));
    let mut present: Vec<Number> = (1..plan.nodes).collect();
    let departures = if present.is_empty() {
        0
    } else {
        (f64::from(plan.nodes) * plan.times) as u64
    };
    let interval = Duration::try_from_secs_f64(1.0 / plan.rate).unwrap_or(PEACE);
    let mut result = ChurnResult {
        departures,
        same_depth_worst: 1.0,
        ideal_max_depth: shape::complete(u64::from(plan.nodes), degree).len() - 1,
        ..ChurnResult::default()
    };
    let look = |tree: &Growing, result: &mut ChurnResult| {
        let depths = tree.world.depths();
        result.same_depth_final = shape::same_depth(&depths, degree);
        result.same_depth_worst = result.same_depth_worst.min(result.same_depth_final);
        result.max_depth_worst = result.max_depth_worst.max(depths.len().saturating_sub(1));
        result.unattached = tree.world.willing() - depths.iter().sum::<u64>();
    };
    let mut next_glance = tree.world.now() + GLANCE;
    for departure in 0..departures {
        let chosen = usize::try_from(rng.below(present.len() as u64)).unwrap_or(0);
        let goes = present.swap_remove(chosen);
        let step = plan.exit.step(goes, &mut rng);
        tree.world.apply(&step)?;
        present.push(tree.nodes());
        tree.newcomer()?;
        tree.world.run_until(tree.world.now() + interval)?;
        if tree.world.now() >= next_glance {
            look(&tree, &mut result);
            next_glance = tree.world.now() + GLANCE;
            progress(departure, departures);
        }
    }
    tree.world.run_until(tree.world.now() + PEACE)?;
    look(&tree, &mut result);
    let mut times = tree.world.reattached().to_vec();
    times.sort_unstable();
    result.reattached = times.len() as u64;
    result.reattach_p50 = percentile(&times, 50);
    result.reattach_p99 = percentile(&times, 99);
    result.moves_per_departure = tree.world.moves() as f64 / departures.max(1) as f64;
    Ok(result)
}

/// The value that `percent` of a hundred do not exceed (nearest rank).
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

impl Exit {
    pub(crate) fn step(self, number: Number, rng: &mut Rng) -> Step {
        match self {
            Self::Leave => Step::Wish(Wish::Leave, number),
            Self::Crash => Step::Fault(Fault::Crash, number),
            Self::Kill => Step::Fault(Fault::Kill, number),
            Self::Mixed => match rng.below(10) {
                0..5 => Self::Leave.step(number, rng),
                5..9 => Self::Crash.step(number, rng),
                _ => Self::Kill.step(number, rng),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let times: Vec<Duration> = (1..=10).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(5));
        assert_eq!(percentile(&times, 99), Duration::from_millis(10));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
