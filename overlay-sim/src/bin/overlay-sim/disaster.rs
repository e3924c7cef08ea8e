//! `overlay-sim disaster`.

use std::time::Duration;

use anyhow::{Result, ensure};
use overlay_sim::{Disaster, DisasterResult};
use serde_json::json;

use crate::Outcome;
use crate::args;

pub(crate) fn disaster(command: &args::Disaster, as_json: bool) -> Result<Outcome> {
    let share = command.share;
    ensure!(
        (0.0..=1.0).contains(&share),
        "--share must be between 0 and 1"
    );
    let mut outcome = Outcome::Held;
    for seed in command.seed.clone() {
        let survived = overlay_sim::survive(&Disaster {
            growth: command.tree.growth(seed),
            nodes: command.tree.nodes,
            share,
            exit: command.way,
        })?;
        if survived.unattached > 0 {
            outcome = Outcome::Violated;
        }
        if as_json {
            println!("{}", line(seed, &survived));
        } else {
            print(seed, &survived);
        }
    }
    Ok(outcome)
}

fn line(seed: u64, survived: &DisasterResult) -> serde_json::Value {
    json!({
        "seed": seed,
        "lost": survived.lost,
        "orphans": survived.orphans,
        "notice_ms": { "p50": millis(survived.notice_p50), "p99": millis(survived.notice_p99) },
        "reattach_ms": { "p50": millis(survived.reattach_p50), "p99": millis(survived.reattach_p99) },
        "whole_after_ms": millis(survived.whole_after),
        "same_depth_final": survived.same_depth_final,
        "unattached": survived.unattached,
    })
}

fn print(seed: u64, survived: &DisasterResult) {
    println!(
        "seed {seed}: {} nodes were lost at once, {} others lost their parent",
        survived.lost, survived.orphans
    );
    println!(
        "  half of them noticed within {} ms, 99 % within {} ms",
        millis(survived.notice_p50),
        millis(survived.notice_p99)
    );
    println!(
        "  from then, half had another parent within {} ms, 99 % within {} ms",
        millis(survived.reattach_p50),
        millis(survived.reattach_p99)
    );
    println!(
        "  after {} ms the tree was whole; {:.1} % at the depth of the complete tree in the end, {} outside",
        millis(survived.whole_after),
        survived.same_depth_final * 100.0,
        survived.unattached
    );
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
