//! `overlay-sim run`.

use anyhow::Result;
use overlay_sim::{Growing, GrowthResult};
use serde_json::json;

use crate::Outcome;
use crate::args::Run;
use crate::progress;

/// How many nodes join between two looks at the progress.
const BATCH: u32 = 1_000;

pub(crate) fn run(run: &Run, as_json: bool) -> Result<Outcome> {
    let nodes = run.tree.nodes;
    let bar = progress::bar(u64::from(nodes), "nodes join");
    let mut tree = Growing::new(run.tree.growth(run.seed))?;
    while tree.nodes() < nodes {
        tree.more(BATCH.min(nodes - tree.nodes()))?;
        bar.set_position(u64::from(tree.nodes()));
    }
    tree.settle()?;
    bar.finish_and_clear();
    let grown = tree.report();
    if as_json {
        println!("{}", line(&grown));
    } else {
        print(&grown);
    }
    Ok(if grown.attached == grown.nodes {
        Outcome::Held
    } else {
        Outcome::Violated
    })
}

fn line(grown: &GrowthResult) -> serde_json::Value {
    json!({
        "nodes": grown.nodes,
        "attached": grown.attached,
        "depth": grown.depths,
        "same_depth": grown.same_depth,
        "max_depth": grown.depths.len().saturating_sub(1),
        "ideal_max_depth": grown.ideal_max_depth,
        "events": grown.events,
        "virtual_ms": u64::try_from(grown.took.as_millis()).unwrap_or(u64::MAX),
        "wall_ms": u64::try_from(grown.wall.as_millis()).unwrap_or(u64::MAX),
        "trace_hash": format!("{:016x}", grown.trace_hash),
    })
}

fn print(grown: &GrowthResult) {
    println!(
        "{} of {} nodes are in the tree",
        grown.attached, grown.nodes
    );
    for (depth, nodes) in grown.depths.iter().enumerate() {
        println!("  depth {depth:>2}: {nodes:>9}");
    }
    println!(
        "{:.1} % of them at the depth of the complete tree, which is {} deep",
        grown.same_depth * 100.0,
        grown.ideal_max_depth
    );
    println!(
        "{} events in {:.2} s, {:.2} s of virtual time; trace {:016x}",
        grown.events,
        grown.wall.as_secs_f64(),
        grown.took.as_secs_f64(),
        grown.trace_hash
    );
}
