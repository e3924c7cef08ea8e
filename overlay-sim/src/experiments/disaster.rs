//! Many nodes are lost at one instant: how soon the others notice, and how soon they are in the tree again.

use core::time::Duration;

use crate::experiments::churn::{Exit, percentile};
use crate::experiments::growth::{Growing, Growth, GrowthError};
use crate::schedule::Number;
use overlay_core::shape;
use overlay_testkit::Rng;

/// What is lost.
#[derive(Clone, Copy, Debug)]
pub struct Disaster {
    /// The tree before.
    pub growth: Growth,
    /// How many nodes it has, the root included.
    pub nodes: Number,
    /// The share of nodes that are lost, from 0 to 1; never the root.
    pub share: f64,
    /// In which way.
    pub exit: Exit,
}

/// How the others came through.
#[derive(Clone, Debug, Default)]
pub struct DisasterResult {
    /// How many nodes were lost.
    pub lost: u64,
    /// How many lost their parent and live.
    pub orphans: u64,
    /// From the disaster until an orphan noticed that its parent is gone: half of them, and all but one in a
    /// hundred.
    pub notice_p50: Duration,
    /// See `notice_p50`.
    pub notice_p99: Duration,
    /// From then until it had another parent.
    pub reattach_p50: Duration,
    /// See `reattach_p50`.
    pub reattach_p99: Duration,
    /// From the disaster until the last one was in the tree again.
    pub whole_after: Duration,
    /// The share of nodes at the depth of the complete tree, in the end.
    pub same_depth_final: f64,
    /// How many are not in the tree in the end.
    pub unattached: u64,
}

/// How long the tree has at the most.
const PEACE: Duration = Duration::from_mins(3);

/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// Lets a tree grow and a share of it vanish.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of nodes are far below 2^32"
)]
pub fn survive(disaster: &Disaster) -> Result<DisasterResult, GrowthError> {
    let mut tree = Growing::new(disaster.growth)?;
    tree.more(disaster.nodes.saturating_sub(1))?;
    tree.settle()?;
    // Reports have come up, and heartbeats gone round.
    tree.world.run_until(tree.world.now() + PEACE)?;
    let mut rng = Rng::of(disaster.growth.seed, u64::from(u32::MAX));
    let mut present: Vec<Number> = (1..disaster.nodes).collect();
    let lost = (f64::from(disaster.nodes) * disaster.share) as usize;
    let lost = lost.min(present.len());
    let start = tree.world.now();
    for _ in 0..lost {
        let chosen = usize::try_from(rng.below(present.len() as u64)).unwrap_or(0);
        let step = disaster.exit.step(present.swap_remove(chosen), &mut rng);
        tree.world.apply(&step)?;
    }
    let mut whole_after = Duration::ZERO;
    let attached = |tree: &Growing| tree.world.depths().iter().sum::<u64>();
    while tree.world.now() < start + PEACE {
        tree.world.run_until(tree.world.now() + GLANCE)?;
        if attached(&tree) < tree.world.willing() {
            whole_after = tree.world.now().since(start);
        }
    }
    let mut notices: Vec<Duration> = tree
        .world
        .noticed()
        .iter()
        .map(|at| at.since(start))
        .collect();
    notices.sort_unstable();
    let mut times = tree.world.reattached().to_vec();
    times.sort_unstable();
    Ok(DisasterResult {
        lost: lost as u64,
        orphans: notices.len() as u64,
        notice_p50: percentile(&notices, 50),
        notice_p99: percentile(&notices, 99),
        reattach_p50: percentile(&times, 50),
        reattach_p99: percentile(&times, 99),
        whole_after,
        same_depth_final: shape::same_depth(
            &tree.world.depths(),
            u64::from(disaster.growth.degree),
        ),
        unattached: tree.world.willing() - attached(&tree),
    })
}
