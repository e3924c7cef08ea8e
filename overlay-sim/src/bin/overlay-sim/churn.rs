//! `overlay-sim churn`.

use std::time::Duration;

use anyhow::{Result, ensure};
use overlay_sim::{ChurnPlan, ChurnResult};
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
        let plan = ChurnPlan {
            growth: churn.tree.growth(seed),
            nodes,
            times: churn.turnover,
            rate,
            exit: churn.way,
        };
        let result = overlay_sim::churn(&plan, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        if result.unattached > 0 {
            outcome = Outcome::Violated;
        }
        if as_json {
            println!("{}", line(seed, &result));
        } else {
            print(seed, &result);
        }
    }
    Ok(outcome)
}

fn line(seed: u64, result: &ChurnResult) -> serde_json::Value {
    json!({
        "seed": seed,
        "departures": result.departures,
        "same_depth_worst": result.same_depth_worst,
        "same_depth_final": result.same_depth_final,
        "max_depth_worst": result.max_depth_worst,
        "ideal_max_depth": result.ideal_max_depth,
        "moves_per_departure": result.moves_per_departure,
        "reattached": result.reattached,
        "reattach_ms": { "p50": millis(result.reattach_p50), "p99": millis(result.reattach_p99) },
        "unattached": result.unattached,
    })
}

fn print(seed: u64, result: &ChurnResult) {
    println!(
        "seed {seed}: {} nodes went, each followed by a newcomer",
        result.departures
    );
    println!(
        "  at the depth of the complete tree: {:.1} % at worst, {:.1} % in the end",
        result.same_depth_worst * 100.0,
        result.same_depth_final * 100.0
    );
    println!(
        "  {} deep at worst; the complete tree is {} deep",
        result.max_depth_worst, result.ideal_max_depth
    );
    println!(
        "  {} orphans found a parent, half of them within {} ms, 99 % within {} ms",
        result.reattached,
        millis(result.reattach_p50),
        millis(result.reattach_p99)
    );
    println!(
        "  {:.2} moves for each departure; {} nodes outside the tree in the end",
        result.moves_per_departure, result.unattached
    );
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
