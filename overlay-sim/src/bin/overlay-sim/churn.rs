//! `overlay-sim churn`.

use std::time::Duration;

use anyhow::{Result, ensure};
use overlay_sim::{Stood, Turnover};
use serde_json::json;

use crate::Outcome;
use crate::args::Churn;
use crate::progress;

pub(crate) fn churn(churn: &Churn, as_json: bool) -> Result<Outcome> {
    let nodes = churn.tree.nodes;
    ensure!(
        churn.turnover.is_finite() && churn.turnover >= 0.0,
        "--turnover must be a number from 0"
    );
    let rate = churn.departures.unwrap_or(f64::from(nodes) / 600.0);
    ensure!(
        rate.is_finite() && rate > 0.0,
        "--departures must be above 0"
    );
    let mut outcome = Outcome::Held;
    for seed in churn.seed.clone() {
        let bar = progress::bar(0, "nodes go");
        let turnover = Turnover {
            growth: churn.tree.growth(seed),
            nodes,
            times: churn.turnover,
            rate,
            way: churn.way,
        };
        let stood = overlay_sim::churn(&turnover, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        if stood.unattached > 0 {
            outcome = Outcome::Violated;
        }
        if as_json {
            println!("{}", line(seed, &stood));
        } else {
            print(seed, &stood);
        }
    }
    Ok(outcome)
}

fn line(seed: u64, stood: &Stood) -> serde_json::Value {
    json!({
        "seed": seed,
        "departures": stood.departures,
        "same_depth_worst": stood.same_depth_worst,
        "same_depth_final": stood.same_depth_final,
        "max_depth_worst": stood.max_depth_worst,
        "ideal_max_depth": stood.ideal_max_depth,
        "moves_per_departure": stood.moves_per_departure,
        "reattached": stood.reattached,
        "reattach_ms": { "p50": millis(stood.reattach_p50), "p99": millis(stood.reattach_p99) },
        "unattached": stood.unattached,
    })
}

fn print(seed: u64, stood: &Stood) {
    println!(
        "seed {seed}: {} nodes went, each followed by a newcomer",
        stood.departures
    );
    println!(
        "  at the depth of the complete tree: {:.1} % at worst, {:.1} % in the end",
        stood.same_depth_worst * 100.0,
        stood.same_depth_final * 100.0
    );
    println!(
        "  {} deep at worst; the complete tree is {} deep",
        stood.max_depth_worst, stood.ideal_max_depth
    );
    println!(
        "  {} orphans found a parent, half of them within {} ms, 99 % within {} ms",
        stood.reattached,
        millis(stood.reattach_p50),
        millis(stood.reattach_p99)
    );
    println!(
        "  {:.2} moves for each departure; {} nodes outside the tree in the end",
        stood.moves_per_departure, stood.unattached
    );
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
