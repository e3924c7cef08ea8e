//! `overlay-sim swarm`.

use std::time::Instant;

use anyhow::Result;
use overlay_sim::Sweep;
use serde_json::json;

use crate::Outcome;
use crate::args::Swarm;
use crate::progress;

/// How many failures are told in full.
const TOLD: usize = 10;

pub(crate) fn swarm(swarm: &Swarm, as_json: bool) -> Result<Outcome> {
    let bar = progress::bar(swarm.seeds.end - swarm.seeds.start, "seeds");
    let clock = Instant::now();
    let sweep = overlay_sim::sweep(swarm.seeds.clone(), |sweep| bar.set_position(sweep.seeds))?;
    bar.finish_and_clear();
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52 events")]
    let per_second = sweep.events as f64 / clock.elapsed().as_secs_f64();
    for (seed, failure) in sweep.failures.iter().take(TOLD) {
        if as_json {
            let invariant = failure.violation.invariant.to_string();
            println!(
                "{}",
                json!({ "seed": seed, "event": failure.event, "invariant": invariant })
            );
        } else {
            println!("seed {seed}: {failure}");
            println!("  what happened:  overlay-sim replay --seed {seed} --verbose");
            println!("  as a schedule:  overlay-sim shrink --seed {seed}\n");
        }
    }
    let missing = sweep.coverage.missing();
    if as_json {
        println!("{}", line(&sweep, per_second));
    } else {
        print(&sweep, per_second, &missing);
    }
    let complete = missing.is_empty() || swarm.partial;
    Ok(if sweep.failures.is_empty() && complete {
        Outcome::Held
    } else {
        Outcome::Violated
    })
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is a positive number of moderate size"
)]
fn line(sweep: &Sweep, per_second: f64) -> serde_json::Value {
    let coverage: serde_json::Map<_, _> = sweep
        .coverage
        .table()
        .map(|(name, times)| (name.to_owned(), times.into()))
        .collect();
    json!({
        "seeds": sweep.seeds,
        "failures": sweep.failures.len(),
        "events": sweep.events,
        "events_per_second": per_second as u64,
        "missing": sweep.coverage.missing(),
        "trace_hash": format!("{:016x}", sweep.trace_hash),
        "coverage": coverage,
    })
}

fn print(sweep: &Sweep, per_second: f64, missing: &[&str]) {
    println!("how often each fault struck and each state was reached:");
    for (name, times) in sweep.coverage.table() {
        println!("  {name:<28} {times:>10}");
    }
    println!(
        "{} seeds, {} failures, {} events, {per_second:.0} events/s; trace {:016x}",
        sweep.seeds,
        sweep.failures.len(),
        sweep.events,
        sweep.trace_hash
    );
    if !missing.is_empty() {
        println!("never reached: {}", missing.join(", "));
    }
}
