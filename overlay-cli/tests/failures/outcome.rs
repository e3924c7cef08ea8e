//! How a scenario ended: how long it took, and what each node made of the stream.

use std::time::Duration;

use serde_json::json;

use crate::stream::Tally;

pub(crate) struct Outcome {
    pub(crate) took: Duration,
    /// How many lines the stream had.
    pub(crate) lines: u64,
    pub(crate) nodes: Vec<Node>,
}

/// A node that has lived to see the end.
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) fate: Fate,
    pub(crate) tally: Tally,
}

/// What befell a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Nothing: all the time it had the same way to the root.
    Untouched,
    /// It lost its parent, and found another one.
    Moved,
    /// It kept its parent, but some node above it did not.
    BelowOne,
    /// It came when the stream was flowing already.
    Newcomer,
}

impl Fate {
    const fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Moved => "changed parents",
            Self::BelowOne => "below one that did",
            Self::Newcomer => "came later",
        }
    }
}

impl Outcome {
    /// How many nodes changed parents.
    pub(crate) fn moved(&self) -> usize {
        self.nodes
            .iter()
            .filter(|node| node.fate == Fate::Moved)
            .count()
    }

    /// A table for people, and a line of JSON for `scripts/failures`.
    pub(crate) fn print(&self, scenario: &str) {
        let seconds = self.took.as_secs_f64();
        let (nodes, lines) = (self.nodes.len(), self.lines);
        println!("\n{scenario}: {seconds:.1} s; {nodes} nodes, lines 1-{lines}");
        let (quiet, mut eventful): (Vec<&Node>, Vec<&Node>) = self
            .nodes
            .iter()
            .partition(|node| node.fate == Fate::Untouched && node.tally.is_clean());
        eventful.sort_by_key(|node| node.fate);
        for Node { id, fate, tally } in eventful {
            let (id, fate) = (&id[..8], fate.name());
            println!(
                "  {id}  {fate:18}  missing {:20}  doubled {}",
                tally.missing, tally.doubled
            );
        }
        println!("  {} others untouched, with every line once", quiet.len());
        let nodes = self.nodes.iter().map(|Node { id, fate, tally }| {
            json!({
                "node": id,
                "fate": fate.name(),
                "missing": tally.missing.runs(),
                "doubled": tally.doubled.runs(),
            })
        });
        let line = json!({
            "scenario": scenario,
            "seconds": (seconds * 1000.0).round() / 1000.0,
            "lines": lines,
            "missing": self.nodes.iter().map(|node| node.tally.missing.count()).sum::<usize>(),
            "doubled": self.nodes.iter().map(|node| node.tally.doubled.count()).sum::<usize>(),
            "nodes": nodes.collect::<Vec<_>>(),
        });
        println!("{line}");
    }

    /// Nobody has less, or more, of the stream because somebody else is in trouble.
    pub(crate) fn assert_the_untouched_saw_everything_once(&self) {
        self.assert_saw_everything_once(|fate| fate == Fate::Untouched);
    }

    pub(crate) fn assert_all_saw_everything_once(&self) {
        self.assert_saw_everything_once(|_| true);
    }

    fn assert_saw_everything_once(&self, who: impl Fn(Fate) -> bool) {
        for Node { id, fate, tally } in &self.nodes {
            assert!(
                !who(*fate) || tally.is_clean(),
                "{id} ({}): missing {}, doubled {}",
                fate.name(),
                tally.missing,
                tally.doubled
            );
        }
    }
}
