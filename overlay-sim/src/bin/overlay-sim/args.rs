//! The command line.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use overlay_core::{MAX_DEGREE, Policy};
use overlay_sim::{Exit, Growth, Profile, Schedule};

/// Simulates the tree overlay: thousands of the nodes that ship, in virtual time, with faults.
///
/// Exit status: 0 if every invariant held, 1 if one was violated, 2 if there was nothing to check: a wrong command
/// line, a file that is no schedule.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print each result as one line of JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let a tree grow, without faults: its shape and what it costs.
    Run(Run),
    /// Let nodes come and go: how far the tree degrades, and how fast orphans are back.
    Churn(Churn),
    /// Lose many nodes at one instant: how soon the others notice, and are in the tree again.
    Disaster(Disaster),
    /// Ask every node a question: how long the answers take, and what they cost the root.
    Ask(Ask),
    /// Run many seeds, each with its own nodes, settings and faults, and check every invariant.
    Swarm(Swarm),
    /// The experiment of the Genet paper (arXiv 1904.11402): how close the hash rule comes to the complete
    /// tree, beside the balanced one.
    Genet(Genet),
    /// Run one seed or schedule again and tell what happened.
    Replay(Replay),
    /// Make a failing seed or schedule as small as can be.
    Shrink(Shrink),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tree {
    /// How many nodes, the root included.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) nodes: u32,

    /// How many children each node takes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_DEGREE)))]
    pub(crate) degree: u16,

    /// The policy that chooses a child for a joiner: balanced or hash.
    #[arg(long, default_value_t = Policy::Balanced)]
    pub(crate) policy: Policy,

    /// How far apart the machines are: lan, wan or mobile.
    #[arg(long, default_value = "lan")]
    pub(crate) profile: Profile,

    /// How many nodes join in a second of virtual time.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) tree: Tree,

    /// Where all chance comes from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Churn {
    #[command(flatten)]
    pub(crate) tree: Tree,

    /// How often all nodes are replaced.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) turnover: f64,

    /// How many nodes go in a second of virtual time; by default one in 600, as if each stayed for ten
    /// minutes.
    #[arg(long)]
    pub(crate) departures: Option<f64>,

    /// How they go: leave, crash, kill or mixed.
    #[arg(long, default_value = "mixed")]
    pub(crate) way: Exit,

    /// Where all chance comes from: one seed, or several as `1..10` (without the last).
    #[arg(long, default_value = "1", value_parser = seeds)]
    pub(crate) seed: Range<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Disaster {
    #[command(flatten)]
    pub(crate) tree: Tree,

    /// The share of nodes that are lost, from 0 to 1.
    #[arg(long, default_value_t = 0.2)]
    pub(crate) share: f64,

    /// How they go: leave, crash, kill or mixed.
    #[arg(long, default_value = "kill")]
    pub(crate) way: Exit,

    /// Where all chance comes from: one seed, or several as `1..10` (without the last).
    #[arg(long, default_value = "1", value_parser = seeds)]
    pub(crate) seed: Range<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    pub(crate) tree: Tree,

    /// Where all chance comes from: one seed, or several as `1..10` (without the last).
    #[arg(long, default_value = "1", value_parser = seeds)]
    pub(crate) seed: Range<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Swarm {
    /// Which seeds: `0..2000` (without the last), or a single one.
    #[arg(long, value_parser = seeds)]
    pub(crate) seeds: Range<u64>,

    /// Don't fail when something was never reached: for sweeps that are too small for that.
    #[arg(long)]
    pub(crate) partial: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Genet {
    /// The largest tree.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    pub(crate) nodes: u32,

    /// Where all chance comes from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Where to draw the result as an SVG picture.
    #[arg(long)]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Tell everything that happens.
    #[arg(long)]
    pub(crate) verbose: bool,

    /// Tell it up to the event of this number.
    #[arg(long, requires = "verbose")]
    pub(crate) until: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Shrink {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Where to write the small schedule; by default it is printed.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,

    /// The most runs to spend.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) runs: u32,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Source {
    /// The schedule that the swarm runs for this seed.
    #[arg(long)]
    seed: Option<u64>,

    /// A schedule in a file.
    file: Option<PathBuf>,
}

impl Tree {
    pub(crate) const fn growth(&self, seed: u64) -> Growth {
        Growth {
            degree: self.degree,
            policy: self.policy,
            profile: self.profile,
            rate: self.rate,
            seed,
        }
    }
}

impl Source {
    pub(crate) fn schedule(&self) -> Result<Schedule> {
        let Some(path) = &self.file else {
            return Ok(overlay_sim::schedule(self.seed.unwrap_or_default()));
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        text.parse()
            .with_context(|| format!("{} is no schedule", path.display()))
    }
}

/// `7`, or `0..2000`.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let problem = || format!("`{text}` is neither a seed nor a range like 0..2000");
    let number = |text: &str| text.parse::<u64>().map_err(|_| problem());
    let range = if let Some((first, end)) = text.split_once("..") {
        number(first)?..number(end)?
    } else {
        let seed = number(text)?;
        seed..seed.checked_add(1).ok_or_else(problem)?
    };
    if range.is_empty() {
        return Err(format!("there is no seed in `{text}`"));
    }
    Ok(range)
}
