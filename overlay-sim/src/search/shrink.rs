//! Making a schedule that fails as small as can be while it still violates the same invariant.

use core::time::Duration;

use overlay_core::Instant;

use crate::invariants::Invariant;
use crate::schedule::Profile;
use crate::schedule::{self, Schedule, TimedStep};
use crate::schedule::{Number, Step};
use crate::search::run;

/// What came of shrinking.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest schedule found.
    pub schedule: Schedule,
    /// How many runs it took.
    pub runs: u32,
}

/// Shrinks a schedule that violates `invariant`, with at most this many runs.
#[must_use]
pub fn shrink(schedule: Schedule, invariant: Invariant, most_runs: u32) -> Shrunk {
    let mut search = Search {
        best: schedule,
        invariant,
        runs: 0,
        most_runs,
    };
    loop {
        let before = search.best.clone();
        search.drop_steps();
        search.drop_machines();
        search.simplify_steps();
        search.simplify_setup();
        if search.best == before || search.runs >= most_runs {
            return Shrunk {
                schedule: search.best,
                runs: search.runs,
            };
        }
    }
}

struct Search {
    best: Schedule,
    invariant: Invariant,
    runs: u32,
    most_runs: u32,
}

impl Search {
    /// Keeps `candidate` if it still fails in the same way.
    fn try_out(&mut self, candidate: Schedule) -> bool {
        if self.runs >= self.most_runs || candidate == self.best {
            return false;
        }
        self.runs += 1;
        let failure = run(&candidate).ok().and_then(|outcome| outcome.failure);
        let fails = failure.is_some_and(|failure| failure.violation.invariant == self.invariant);
        if fails {
            self.best = candidate;
        }
        fails
    }

    fn with_steps(&self, steps: Vec<TimedStep>) -> Schedule {
        Schedule {
            setup: self.best.setup.clone(),
            steps,
        }
    }

    /// Leaves out runs of steps, long ones first (Zeller and Hildebrandt's `ddmin`, IEEE TSE 2002).
    fn drop_steps(&mut self) {
        let mut length = self.best.steps.len().div_ceil(2);
        while length > 0 {
            let mut start = 0;
            while start < self.best.steps.len() {
                let end = (start + length).min(self.best.steps.len());
                let mut steps = self.best.steps.clone();
                steps.drain(start..end);
                if !self.try_out(self.with_steps(steps)) {
                    start = end;
                }
            }
            length /= 2;
        }
    }

    /// Leaves out everything that concerns one machine.
    fn drop_machines(&mut self) {
        let mut machines: Vec<Number> = self
            .best
            .steps
            .iter()
            .flat_map(|timed| timed.step.machines())
            .collect();
        machines.sort_unstable();
        machines.dedup();
        for machine in machines.into_iter().rev() {
            let others = |timed: &&TimedStep| timed.step.machines().all(|number| number != machine);
            let steps = self.best.steps.iter().filter(others).copied().collect();
            self.try_out(self.with_steps(steps));
        }
    }

    /// Shorter faults and messages, rounder times.
    fn simplify_steps(&mut self) {
        for index in 0..self.best.steps.len() {
            for simpler in simpler(self.best.steps[index]) {
                let mut steps = self.best.steps.clone();
                steps[index] = simpler;
                steps.sort_by_key(|timed| timed.at);
                // The simplest comes first; what could be simpler still is for the next round.
                if self.try_out(self.with_steps(steps)) {
                    break;
                }
            }
        }
    }

    /// Default settings, a near network.
    fn simplify_setup(&mut self) {
        let mut simplest = self.best.clone();
        for setting in schedule::settings() {
            setting.reset(&mut simplest.setup.config);
        }
        simplest.setup.config.max_degree = self.best.setup.config.max_degree;
        self.try_out(simplest);
        for setting in schedule::settings() {
            let mut candidate = self.best.clone();
            setting.reset(&mut candidate.setup.config);
            self.try_out(candidate);
        }
        for profile in Profile::ALL {
            let mut candidate = self.best.clone();
            candidate.setup.profile = *profile;
            if *profile >= self.best.setup.profile || self.try_out(candidate) {
                break;
            }
        }
    }
}

/// The same step, with one thing about it simpler.
fn simpler(timed: TimedStep) -> Vec<TimedStep> {
    let mut simpler = Vec::new();
    let at = timed.at.as_micros();
    for unit in [1_000_000, 100_000, 1_000] {
        let at = Instant::from_micros(at / unit * unit);
        simpler.push(TimedStep { at, ..timed });
    }
    let round = |time: Duration| {
        let seconds = Duration::from_secs(time.as_secs().max(1));
        [seconds, time / 2]
            .into_iter()
            .filter(move |simple| *simple < time)
    };
    let steps: Vec<Step> = match timed.step {
        Step::Send(message, number, len) if len > 8 => {
            vec![
                Step::Send(message, number, 8),
                Step::Send(message, number, len / 2),
            ]
        }
        Step::Impairment(impairment, number, time) => round(time)
            .map(|time| Step::Impairment(impairment, number, time))
            .collect(),
        Step::Partition(between, one, other, time) => round(time)
            .map(|time| Step::Partition(between, one, other, time))
            .collect(),
        Step::Outage(outage, time) => round(time).map(|time| Step::Outage(outage, time)).collect(),
        _ => Vec::new(),
    };
    simpler.extend(steps.into_iter().map(|step| TimedStep { step, ..timed }));
    simpler
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simplest_variant_comes_first() {
        let step = TimedStep {
            at: Instant::from_micros(3_834_567),
            step: Step::Fault(crate::schedule::Fault::Kill, 1),
        };
        assert_eq!(simpler(step)[0].at, Instant::from_millis(3_000));
    }
}
