//! Many seeds, each with its own schedule.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::record::coverage::Coverage;
use crate::schedule::schedule;
use crate::search::run;
use crate::world::{Failure, SetupError};

/// How a sweep over seeds went.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many events nodes were told of, in all of them.
    pub events: u64,
    /// What was reached, in all of them.
    pub coverage: Coverage,
    /// The seeds that violated an invariant, in order, and how.
    pub failures: Vec<(u64, Failure)>,
    /// The fingerprints of all runs in one: two sweeps with the same one did the same.
    pub trace_hash: u64,
}

/// Runs the schedules of `seeds` on all processors. `progress` is told after each seed.
pub fn sweep(seeds: Range<u64>, progress: impl Fn(&Sweep) + Sync) -> Result<Sweep, SetupError> {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Sweep::default());
    let work = || -> Result<(), SetupError> {
        loop {
            let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seed| {
                (seed < seeds.end).then_some(seed.wrapping_add(1))
            });
            let Ok(seed) = taken else {
                return Ok(());
            };
            let outcome = run(&schedule(seed))?;
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.seeds += 1;
            total.events += outcome.events;
            total.coverage.merge(&outcome.coverage);
            // Seeds end in any order; exclusive-or does not care.
            total.trace_hash ^= outcome.trace_hash.rotate_left((seed % 64) as u32);
            total
                .failures
                .extend(outcome.failure.map(|failure| (seed, failure)));
            progress(&total);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            // A panic in the core is a failure that must be seen as one.
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    let mut total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total.failures.sort_by_key(|(seed, _)| *seed);
    Ok(total)
}
