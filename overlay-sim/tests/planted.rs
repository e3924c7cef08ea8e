//! A simulator that can't find a planted bug proves nothing: the swarm must find each of them.
//!
//! Runs only in a build with the bugs: `RUSTFLAGS="--cfg planted" cargo test --release -p overlay-sim --test
//! planted -- --nocapture`.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(planted)]
#![allow(clippy::print_stdout, reason = "the table is the result")]

use overlay_core::Planted;
use overlay_sim::{Outcome, run, schedule, shrink};

/// How many seeds the swarm may need.
const SEEDS: u64 = 20_000;

/// How many runs may be spent to make the schedule small.
const RUNS: u32 = 3_000;

/// The first seed that shows a bug.
fn caught(bug: Planted) -> Option<(u64, overlay_sim::Schedule, overlay_sim::Failure)> {
    (0..SEEDS).find_map(|seed| {
        let mut schedule = schedule(seed);
        schedule.setup.config.planted = Some(bug);
        let Outcome { failure, .. } = run(&schedule).unwrap();
        failure.map(|failure| (seed, schedule, failure))
    })
}

#[test]
fn the_swarm_finds_every_planted_bug() {
    println!(
        "{:<24} {:>6} {:>12} {:>6}  violated",
        "bug", "seeds", "steps", "runs"
    );
    let mut missed = Vec::new();
    for bug in Planted::ALL {
        let Some((seed, schedule, failure)) = caught(bug) else {
            println!("{bug:<24} missed in {SEEDS} seeds");
            missed.push(bug);
            continue;
        };
        let (before, invariant) = (schedule.steps.len(), failure.violation.invariant);
        let small = shrink(schedule, invariant, RUNS);
        let steps = format!("{before} → {}", small.schedule.steps.len());
        println!(
            "{:<24} {:>6} {steps:>12} {:>6}  {invariant}",
            bug.to_string(),
            seed + 1,
            small.runs
        );
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
