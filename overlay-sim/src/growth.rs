//! A tree that grows without faults: how it comes out, and what it costs.

use core::time::Duration;
use std::time::Instant as Clock;

use overlay_core::{Config, Instant, Policy, Standing};

use crate::act::{Act, Number, Wish};
use crate::profile::Profile;
use crate::rules::Scrutiny;
use crate::schedule::Setup;
use crate::server::Limits;
use crate::shape;
use crate::world::{Failure, SetupError, World};

/// What is to grow.
#[derive(Clone, Debug)]
pub struct Growth {
    /// How many nodes, the root included.
    pub nodes: Number,
    /// How many children each takes.
    pub degree: u16,
    /// By which rule joins are delegated.
    pub policy: Policy,
    /// How far apart the machines are.
    pub profile: Profile,
    /// How many join in a second of virtual time.
    pub rate: u32,
    /// Where all chance comes from.
    pub seed: u64,
}

/// How a tree has grown.
#[derive(Clone, Debug)]
pub struct Grown {
    /// How many nodes there are.
    pub nodes: u64,
    /// How many nodes are in the tree.
    pub attached: u64,
    /// How many of them stand at each depth.
    pub depths: Vec<u64>,
    /// The share of nodes that stand at a depth at which the complete tree has one for them.
    pub same_depth: f64,
    /// How many events nodes were told of.
    pub events: u64,
    /// How long it took, in real time.
    pub wall: Duration,
    /// How long it took, in virtual time.
    pub took: Duration,
    /// The fingerprint of the run.
    pub trace_hash: u64,
}

/// Why a tree has not grown.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GrowthError {
    /// There is no such tree.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A claim was violated.
    #[error(transparent)]
    Failure(#[from] Box<Failure>),
}

impl From<Failure> for GrowthError {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

/// How much time nodes that have not found a place yet get after the last one has begun to join.
const PATIENCE: Duration = Duration::from_secs(120);

/// Grows a tree. `progress` is told how many nodes have begun to join, now and then.
pub fn grow(growth: &Growth, mut progress: impl FnMut(&World, u64)) -> Result<Grown, GrowthError> {
    let clock = Clock::now();
    let setup = Setup {
        seed: growth.seed,
        profile: growth.profile,
        config: Config {
            max_degree: growth.degree,
            policy: growth.policy,
            // A root remembers each join for some two seconds.
            max_routes: 4_096 + growth.rate as usize * 3,
            ..Config::default()
        },
    };
    let mut world = World::new(&setup, Limits::Lifted, Scrutiny::Lengths)?;
    world.act(&Act::Wish(Wish::Root, 0))?;
    world.run_until(Instant::from_millis(1_000))?;
    let start = world.now();
    for number in 1..growth.nodes {
        let micros = u64::from(number) * 1_000_000 / u64::from(growth.rate.max(1));
        world.run_until(start + Duration::from_micros(micros))?;
        world.act(&Act::Wish(Wish::Join, number))?;
        if number % 1024 == 0 {
            progress(&world, u64::from(number));
        }
    }
    let limit = world.now() + PATIENCE;
    while world.now() < limit
        && world
            .nodes()
            .any(|(_, node)| node.standing() == Standing::Joining)
    {
        world.run_until(world.now() + Duration::from_millis(100))?;
    }
    let depths = world.depths();
    progress(&world, u64::from(growth.nodes));
    Ok(Grown {
        nodes: u64::from(growth.nodes),
        attached: depths.iter().sum(),
        same_depth: shape::same_depth(&depths, u64::from(growth.degree)),
        depths,
        events: world.events(),
        wall: clock.elapsed(),
        took: world.now().since(start),
        trace_hash: world.trace_hash(),
    })
}
