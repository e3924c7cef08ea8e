//! Running a schedule, sweeping over the schedules of many seeds, and making one that fails small.

mod run;
mod shrink;
mod swarm;

pub use run::{Outcome, replay, run};
pub use shrink::{Shrunk, shrink};
pub use swarm::{Sweep, sweep};
