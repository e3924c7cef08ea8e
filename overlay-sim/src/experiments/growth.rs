//! A tree that grows without faults: how it comes out, and what it costs.

use core::time::Duration;
use std::time::Instant as Clock;

use overlay_core::{Config, Instant, Policy};

use crate::invariants::Scrutiny;
use crate::schedule::Profile;
use crate::schedule::Setup;
use crate::schedule::{Number, Step, Wish};
use crate::world::{Failure, SetupError, World};
use overlay_core::shape;
use overlay_testkit::net::Limits;

/// The parameters of a growth experiment.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// How many children each node takes.
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

/// A tree that grows.
#[derive(Debug)]
pub struct Growing {
    growth: Growth,
    pub(crate) world: World,
    nodes: Number,
    clock: Clock,
}

/// How a tree has grown.
#[derive(Clone, Debug)]
pub struct GrowthResult {
    /// How many nodes there are.
    pub nodes: u64,
    /// How many nodes are in the tree.
    pub attached: u64,
    /// The number of nodes at each depth.
    pub depths: Vec<u64>,
    /// The share of nodes at a depth at which the complete tree has one for them.
    pub same_depth: f64,
    /// How deep the complete tree is.
    pub ideal_max_depth: usize,
    /// How many events nodes were told of.
    pub events: u64,
    /// How long it took, in real time.
    pub wall: Duration,
    /// How long it took, in virtual time.
    pub took: Duration,
    /// The fingerprint of the run.
    pub trace_hash: u64,
}

/// The failure of a growth experiment.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GrowthError {
    /// The setup is invalid.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// An invariant was violated.
    #[error(transparent)]
    Failure(#[from] Box<Failure>),
}

impl From<Failure> for GrowthError {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

/// The time that nodes without a parent get after the last one has begun to join.
const SETTLE_TIME: Duration = Duration::from_mins(2);

impl Growing {
    /// A tree that consists of its root.
    pub fn new(growth: Growth) -> Result<Self, GrowthError> {
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
        world.apply(&Step::Wish(Wish::Root, 0))?;
        world.run_until(Instant::from_millis(1_000))?;
        Ok(Self {
            growth,
            world,
            nodes: 1,
            clock: Clock::now(),
        })
    }

    /// Lets this many nodes more begin to join, one after the other at the rate of this growth.
    pub fn more(&mut self, nodes: Number) -> Result<(), GrowthError> {
        let interval = Duration::from_secs(1) / self.growth.rate.max(1);
        for _ in 0..nodes {
            self.newcomer()?;
            self.world.run_until(self.world.now() + interval)?;
        }
        Ok(())
    }

    /// One more node begins to join, now.
    pub(crate) fn newcomer(&mut self) -> Result<(), GrowthError> {
        self.world.apply(&Step::Wish(Wish::Join, self.nodes))?;
        self.nodes += 1;
        Ok(())
    }

    /// Lets every node arrive that is joining.
    pub fn settle(&mut self) -> Result<(), GrowthError> {
        let limit = self.world.now() + SETTLE_TIME;
        while self.world.joining() > 0 && self.world.now() < limit {
            let next = self.world.now() + Duration::from_millis(10);
            self.world.run_until(next)?;
        }
        Ok(())
    }

    /// How many nodes there are, the root included.
    #[must_use]
    pub const fn nodes(&self) -> Number {
        self.nodes
    }

    /// How it has grown so far.
    #[must_use]
    pub fn report(&self) -> GrowthResult {
        let depths = self.world.depths();
        let degree = u64::from(self.growth.degree);
        let nodes = u64::from(self.nodes);
        GrowthResult {
            nodes,
            attached: depths.iter().sum(),
            same_depth: shape::same_depth(&depths, degree),
            depths,
            ideal_max_depth: shape::complete(nodes, degree).len().saturating_sub(1),
            events: self.world.events(),
            wall: self.clock.elapsed(),
            took: self.world.now().since(Instant::ZERO),
            trace_hash: self.world.trace_hash(),
        }
    }
}
