//! `overlay-sim shrink`.

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::Outcome;
use crate::args::Shrink;

pub(crate) fn shrink(shrink: &Shrink, as_json: bool) -> Result<Outcome> {
    let schedule = shrink.source.schedule()?;
    let Some(failure) = overlay_sim::run(&schedule)?.failure else {
        bail!("every invariant held: there is nothing to shrink");
    };
    let before = schedule.steps.len();
    let small = overlay_sim::shrink(schedule, failure.violation.invariant, shrink.runs);
    let after = small.schedule.steps.len();
    let invariant = failure.violation.invariant;
    let text = format!("{}", small.schedule);
    match &shrink.output {
        Some(path) => std::fs::write(path, &text)
            .with_context(|| format!("cannot write {}", path.display()))?,
        None if !as_json => print!("{text}"),
        None => {}
    }
    if as_json {
        println!(
            "{}",
            json!({
                "invariant": invariant.to_string(), "runs": small.runs, "steps_before": before,
                "steps": after, "schedule": text,
            })
        );
    } else {
        println!(
            "# {before} steps became {after} in {} runs; violated: {invariant}",
            small.runs
        );
    }
    Ok(Outcome::Violated)
}
