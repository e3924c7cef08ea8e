//! Rounds: a scenario once, or many times over with the figures of all.

use std::cell::Cell;
use std::env;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::outcome::Outcome;

/// The environment variable with the number of rounds. Without it, there is one.
const ROUNDS: &str = "OVERLAY_ROUNDS";

/// Runs a scenario and checks its outcome, in as many rounds as the environment says. Fails if one of them does.
pub(crate) fn run(name: &str, scenario: impl Fn() -> Outcome, check: impl Fn(&Outcome)) {
    let Ok(rounds) = env::var(ROUNDS) else {
        let outcome = scenario();
        println!("\n{name}: {outcome}");
        return check(&outcome);
    };
    let rounds = rounds.parse().expect("a number of rounds");
    println!("\n{name}");
    let failures = repeat(rounds, scenario, check);
    assert_eq!(failures, 0, "{name}");
}

/// Prints a line for each round and one for all. Returns the number of rounds that failed.
fn repeat(rounds: usize, scenario: impl Fn() -> Outcome, check: impl Fn(&Outcome)) -> usize {
    let mut figures = Vec::new();
    for round in 1..=rounds {
        let of_round = catch_unwind(AssertUnwindSafe(|| {
            let outcome = scenario();
            let checked = catch_unwind(AssertUnwindSafe(|| check(&outcome)));
            checked.unwrap_or_else(|panic| {
                println!("  {outcome}");
                resume_unwind(panic);
            });
            Figures::of(&outcome)
        }));
        match of_round {
            Ok(of_round) => {
                println!("  round {round}: {of_round}");
                figures.push(of_round);
            }
            // The panic has been printed.
            Err(_) => println!("  round {round}: FAILED"),
        }
    }
    let failures = rounds - figures.len();
    print!("  rounds {rounds}, failures {failures}");
    if let Some(summary) = Summary::of(&figures) {
        print!("; {summary}");
    }
    println!();
    failures
}

/// The figures of one round.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// The seconds until every node was attached again.
    took: f64,
    /// The longest time that a node knew that it had no parent, in seconds.
    orphaned: f64,
    missing: usize,
    doubled: usize,
}

impl Figures {
    fn of(outcome: &Outcome) -> Self {
        Self {
            took: outcome.took.as_secs_f64(),
            orphaned: outcome.longest_orphaned().as_secs_f64(),
            missing: outcome.count(|tally| &tally.missing),
            doubled: outcome.count(|tally| &tally.doubled),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} s, {:.2} s without a parent, missing {}, doubled {}",
            self.took, self.orphaned, self.missing, self.doubled
        )
    }
}

/// The figures of all rounds together.
#[derive(Debug)]
struct Summary {
    min: f64,
    median: f64,
    max: f64,
    orphaned: f64,
    missing: usize,
    doubled: usize,
}

impl Summary {
    /// `None` without a round.
    fn of(rounds: &[Figures]) -> Option<Self> {
        let mut took: Vec<f64> = rounds.iter().map(|round| round.took).collect();
        took.sort_by(f64::total_cmp);
        let (min, max) = (*took.first()?, *took.last()?);
        Some(Self {
            min,
            median: f64::midpoint(took[(took.len() - 1) / 2], took[took.len() / 2]),
            max,
            orphaned: rounds
                .iter()
                .map(|round| round.orphaned)
                .fold(0.0, f64::max),
            missing: rounds.iter().map(|round| round.missing).sum(),
            doubled: rounds.iter().map(|round| round.doubled).sum(),
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seconds: min {:.2}, median {:.2}, max {:.2}; without a parent: max {:.2}; lines: missing {}, doubled {}",
            self.min, self.median, self.max, self.orphaned, self.missing, self.doubled
        )
    }
}

#[test]
fn a_summary_has_the_median_and_the_extremes() {
    let round = |took: f64| Figures {
        took,
        orphaned: took / 2.0,
        missing: 1,
        doubled: 0,
    };
    let shown = |rounds: &[Figures]| Summary::of(rounds).unwrap().to_string();
    assert_eq!(
        shown(&[round(4.0), round(1.0), round(2.0)]),
        "seconds: min 1.00, median 2.00, max 4.00; without a parent: max 2.00; lines: missing 3, doubled 0"
    );
    assert!(shown(&[round(1.0), round(2.0)]).contains("median 1.50"));
    assert!(Summary::of(&[]).is_none());
}

#[test]
fn a_round_that_fails_is_counted_and_the_next_one_runs() {
    let lines = Cell::new(0);
    let scenario = || {
        lines.set(lines.get() + 1);
        assert_ne!(lines.get(), 2, "the scenario fails, on purpose");
        Outcome {
            took: Duration::ZERO,
            lines: lines.get(),
            nodes: Vec::new(),
        }
    };
    let check = |outcome: &Outcome| assert_ne!(outcome.lines, 3, "the check fails, on purpose");
    assert_eq!(repeat(4, scenario, check), 2);
    assert_eq!(lines.get(), 4);
}
