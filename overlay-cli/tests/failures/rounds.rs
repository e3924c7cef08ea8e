//! A scenario, many times over: how often it failed, and its figures.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::outcome::Outcome;

/// What came out of all rounds.
#[derive(Default)]
struct Summary {
    took: Vec<Duration>,
    longest_orphaned: Duration,
    missing: usize,
    doubled: usize,
    failures: usize,
}

/// Plays a scenario as often as the environment variable `OVERLAY_ROUNDS` says, once if it says nothing. Fails if a
/// round did, when all are through.
pub(crate) fn play(name: &str, scenario: impl Fn() -> Outcome) {
    let rounds = std::env::var("OVERLAY_ROUNDS").ok();
    let rounds = rounds.map_or(1, |rounds| rounds.parse().expect("a number of rounds"));
    let mut summary = Summary::default();
    for _ in 0..rounds {
        match catch_unwind(AssertUnwindSafe(&scenario)) {
            Ok(outcome) => {
                outcome.print(name);
                summary.add(&outcome);
            }
            // The panic has said why.
            Err(_) => summary.failures += 1,
        }
    }
    println!("{name}: {rounds} rounds, {summary}");
    assert_eq!(summary.failures, 0, "rounds of {name} failed");
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        let (missing, doubled) = outcome.missing_and_doubled();
        self.took.push(outcome.took);
        self.took.sort_unstable();
        self.longest_orphaned = self.longest_orphaned.max(outcome.longest_orphaned());
        self.missing += missing;
        self.doubled += doubled;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failures", self.failures)?;
        if let [min, .., max] | [min @ max] = self.took[..] {
            let median = median(&self.took);
            write!(
                f,
                "; until whole: {min:.2?}, median {median:.2?}, at most {max:.2?}"
            )?;
            write!(
                f,
                "; without a parent: at most {:.2?}",
                self.longest_orphaned
            )?;
            write!(
                f,
                "; lines: {} missing, {} doubled",
                self.missing, self.doubled
            )?;
        }
        Ok(())
    }
}

/// The value in the middle, or the mean of both.
fn median(sorted: &[Duration]) -> Duration {
    let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    (sorted[low] + sorted[high]) / 2
}

#[test]
fn a_median_is_in_the_middle() {
    let times: Vec<Duration> = [1, 3, 8].map(Duration::from_secs).into();
    assert_eq!(median(&times), Duration::from_secs(3));
    assert_eq!(median(&times[..2]), Duration::from_secs(2));
}
