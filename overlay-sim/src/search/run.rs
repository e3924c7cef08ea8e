//! Running a schedule from its first line to the last invariant.

use std::panic::{AssertUnwindSafe, catch_unwind};

use overlay_core::Policy;

use crate::invariants::Invariant;
use crate::invariants::Scrutiny;
use crate::record::coverage::Coverage;
use crate::schedule::Schedule;
use crate::world::{Failure, SetupError, World};
use overlay_testkit::net::Limits;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The violation, if there was one.
    pub failure: Option<Failure>,
    /// How many events nodes were told of.
    pub events: u64,
    /// The fingerprint of the run.
    pub trace_hash: u64,
    /// What it has reached.
    pub coverage: Coverage,
}

/// Runs a schedule: what is written, then peace, then recovery.
pub fn run(schedule: &Schedule) -> Result<Outcome, SetupError> {
    let mut world = World::new(&schedule.setup, Limits::Default, Scrutiny::Frames)?;
    let failure = guarded(&mut world, schedule);
    Ok(outcome(&world, failure))
}

/// Runs a schedule again, and tells how it failed with all that is known about which node waits for which. Returns
/// the transcript, too: what happened, line by line, up to the event `until`.
pub fn replay(schedule: &Schedule, until: u64) -> Result<(Outcome, Vec<String>), SetupError> {
    let mut world = World::new(&schedule.setup, Limits::Default, Scrutiny::Frames)?;
    world.listen(until);
    let failure = guarded(&mut world, schedule);
    Ok((outcome(&world, failure), world.transcript()))
}

fn outcome(world: &World, failure: Option<Failure>) -> Outcome {
    Outcome {
        failure,
        events: world.events(),
        trace_hash: world.trace_hash(),
        coverage: world.coverage(),
    }
}

/// A panic is one more way to fail.
fn guarded(world: &mut World, schedule: &Schedule) -> Option<Failure> {
    // After a panic nothing is asked of the world but how far it came.
    let outcome = catch_unwind(AssertUnwindSafe(|| play(world, schedule)));
    match outcome {
        Ok(result) => result.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let violation = Invariant::NothingPanics.broken(text.unwrap_or("no message"));
            Some(world.failure(None, violation))
        }
    }
}

fn play(world: &mut World, schedule: &Schedule) -> Result<(), Failure> {
    for timed in &schedule.steps {
        world.run_until(timed.at)?;
        world.apply(&timed.step)?;
    }
    world.run_until(schedule.end())?;
    world.make_peace()?;
    // In every other world the stream ends while the tree is torn, so that orphans have to hear of it later.
    if schedule.setup.seed.is_multiple_of(2) {
        world.end_stream()?;
    }
    world.recover()?;
    if schedule.must_be_complete() {
        world.is_complete()?;
        world.has_not_moved()?;
    } else if schedule.setup.config.policy == Policy::Balanced {
        world.is_balanced()?;
    }
    Ok(())
}
