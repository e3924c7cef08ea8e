//! How a scenario ended: how long it took, and what each node made of the stream.

use std::fmt::Write;
use std::time::Duration;

use crate::stream::{Lines, Tally};

pub(crate) struct Outcome {
    /// What the scenario measures: until every node is attached again, as seen from outside.
    pub(crate) took: Duration,
    /// How many lines the stream had.
    pub(crate) lines: u64,
    pub(crate) nodes: Vec<Node>,
}

/// A node that has lived to see the end.
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) fate: Fate,
    /// How long it was without a parent.
    pub(crate) orphaned: Duration,
    pub(crate) tally: Tally,
}

/// What befell a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Nothing: it had the same path to the root all the time.
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

impl Node {
    /// A row of the table.
    fn print(&self) {
        let mut fate = self.fate.name().to_owned();
        if self.fate == Fate::Moved {
            let _ = write!(fate, ", {:.2} s without one", self.orphaned.as_secs_f64());
        }
        let (id, tally) = (&self.id[..8], &self.tally);
        println!(
            "  {id}  {fate:35}  missing {:15}  doubled {}",
            tally.missing, tally.doubled
        );
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

    /// The longest time that a node was without a parent.
    pub(crate) fn longest_orphaned(&self) -> Duration {
        let orphaned = self.nodes.iter().map(|node| node.orphaned);
        orphaned.max().unwrap_or_default()
    }

    /// How many lines were missing, and how many came twice, over all nodes.
    pub(crate) fn missing_and_doubled(&self) -> (usize, usize) {
        let count = |lines: fn(&Tally) -> &Lines| -> usize {
            let tallies = self.nodes.iter().map(|node| lines(&node.tally).count());
            tallies.sum()
        };
        (count(|tally| &tally.missing), count(|tally| &tally.doubled))
    }

    /// A table.
    pub(crate) fn print(&self, scenario: &str) {
        let (seconds, nodes, lines) = (self.took.as_secs_f64(), self.nodes.len(), self.lines);
        println!("\n{scenario}: {seconds:.2} s; {nodes} nodes, lines 1-{lines}");
        let (quiet, mut eventful): (Vec<&Node>, Vec<&Node>) = self
            .nodes
            .iter()
            .partition(|node| node.fate == Fate::Untouched && node.tally.is_clean());
        eventful.sort_by_key(|node| node.fate);
        eventful.into_iter().for_each(Node::print);
        println!("  {} others untouched, with every line once", quiet.len());
    }

    /// A node that is not touched has all of the stream, and once, whatever trouble others are in.
    pub(crate) fn assert_the_untouched_saw_everything_once(&self) {
        self.assert_saw_everything_once(|fate| fate == Fate::Untouched);
    }

    pub(crate) fn assert_all_saw_everything_once(&self) {
        self.assert_saw_everything_once(|_| true);
    }

    fn assert_saw_everything_once(&self, concerned: impl Fn(Fate) -> bool) {
        for Node {
            id, fate, tally, ..
        } in &self.nodes
        {
            assert!(
                !concerned(*fate) || tally.is_clean(),
                "{id} ({}): missing {}, doubled {}",
                fate.name(),
                tally.missing,
                tally.doubled
            );
        }
    }
}
