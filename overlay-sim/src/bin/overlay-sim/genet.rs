//! `overlay-sim genet`: how close each rule comes to the complete tree.

use std::thread;

use anyhow::{Context, Result};
use overlay_core::Policy;
use overlay_sim::{Growing, Growth, GrowthError, Profile};
use serde_json::json;

use crate::Outcome;
use crate::args::Genet;
use crate::plot::{self, Line};
use crate::progress;

/// The degrees of the experiment.
const DEGREES: [u16; 4] = [2, 5, 10, 20];

/// How many join in a second of virtual time.
const RATE: u32 = 20_000;

pub(crate) fn genet(genet: &Genet, as_json: bool) -> Result<Outcome> {
    let sizes = sizes(genet.nodes);
    let series: Vec<(Policy, u16)> = [Policy::Hash, Policy::Balanced]
        .into_iter()
        .flat_map(|policy| DEGREES.map(|degree| (policy, degree)))
        .collect();
    let bar = progress::bar((series.len() * sizes.len()) as u64, "trees");
    let mut lines = Vec::new();
    // Two at a time: a large tree needs a gigabyte or so.
    for pair in series.chunks(2) {
        let grown: Result<Vec<Line>, GrowthError> = thread::scope(|scope| {
            let grow = |&(policy, degree)| {
                let (bar, sizes) = (&bar, &sizes);
                scope.spawn(move || series_of(policy, degree, genet.seed, sizes, || bar.inc(1)))
            };
            let threads: Vec<_> = pair.iter().map(grow).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        lines.extend(grown?);
    }
    bar.finish_and_clear();
    if as_json {
        for Line {
            policy,
            degree,
            points,
        } in &lines
        {
            let policy = policy.name();
            println!(
                "{}",
                json!({ "policy": policy, "degree": degree, "same_depth": points })
            );
        }
    } else {
        table(&sizes, &lines);
    }
    if let Some(path) = &genet.svg {
        std::fs::write(path, plot::svg(&lines))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Outcome::Held)
}

/// Three sizes in each power of ten.
fn sizes(most: u32) -> Vec<u32> {
    let powers = (1..).map(|power| 10_u32.saturating_pow(power));
    let sizes = powers.flat_map(|ten| [ten, ten.saturating_mul(2), ten.saturating_mul(5)]);
    sizes.take_while(|size| *size <= most).collect()
}

fn series_of(
    policy: Policy,
    degree: u16,
    seed: u64,
    sizes: &[u32],
    done: impl Fn(),
) -> Result<Line, GrowthError> {
    let mut tree = Growing::new(Growth {
        degree,
        policy,
        profile: Profile::Lan,
        rate: RATE,
        seed,
    })?;
    let mut points = Vec::new();
    for size in sizes {
        tree.more(size - tree.nodes())?;
        tree.settle()?;
        points.push((*size, tree.report().same_depth));
        done();
    }
    Ok(Line {
        policy,
        degree,
        points,
    })
}

fn table(sizes: &[u32], lines: &[Line]) {
    println!("share of nodes at the depth of the complete tree, in per cent\n");
    print!("{:>8}", "nodes");
    for line in lines {
        print!("{:>14}", format!("{} {}", line.policy, line.degree));
    }
    println!();
    for (row, size) in sizes.iter().enumerate() {
        print!("{size:>8}");
        for line in lines {
            let share = line.points.get(row).map_or(f64::NAN, |(_, share)| *share);
            print!("{:>14.1}", share * 100.0);
        }
        println!();
    }
}
