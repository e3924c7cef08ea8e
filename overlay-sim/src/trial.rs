//! Running a schedule from its first line to the last claim.

use std::panic::{AssertUnwindSafe, catch_unwind};

use overlay_core::Policy;

use crate::breach::Claim;
use crate::coverage::Coverage;
use crate::rules::Scrutiny;
use crate::schedule::Schedule;
use crate::server::Limits;
use crate::world::{Failure, SetupError, World};

/// How a run went.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The claim that was violated, if one was.
    pub failure: Option<Failure>,
    /// How many events nodes were told of.
    pub events: u64,
    /// The fingerprint of the run.
    pub trace_hash: u64,
    /// What it has reached.
    pub coverage: Coverage,
}

/// Runs a schedule: what is written, then peace, then recovery.
pub fn run(schedule: &Schedule) -> Result<Verdict, SetupError> {
    let mut world = World::new(&schedule.setup, Limits::Default, Scrutiny::Frames)?;
    let failure = guarded(&mut world, schedule);
    Ok(verdict(&world, failure))
}

/// Runs a schedule again, and tells how it failed with all that is known about who waits for whom. Returns
/// the story, too: what happened, line by line, up to the event `until`.
pub fn replay(schedule: &Schedule, until: u64) -> Result<(Verdict, Vec<String>), SetupError> {
    let mut world = World::new(&schedule.setup, Limits::Default, Scrutiny::Frames)?;
    world.listen(until);
    let failure = guarded(&mut world, schedule);
    Ok((verdict(&world, failure), world.story()))
}

fn verdict(world: &World, failure: Option<Failure>) -> Verdict {
    Verdict {
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
            let breach = Claim::NothingPanics.broken(text.unwrap_or("no message"));
            Some(world.failure(None, breach))
        }
    }
}

fn play(world: &mut World, schedule: &Schedule) -> Result<(), Failure> {
    for step in &schedule.steps {
        world.run_until(step.at)?;
        world.act(&step.act)?;
    }
    world.run_until(schedule.end())?;
    world.make_peace()?;
    world.recover()?;
    if schedule.must_be_complete() {
        world.is_complete()?;
        world.has_not_moved()?;
    } else if schedule.setup.config.policy == Policy::Balanced {
        world.is_balanced()?;
    }
    Ok(())
}
