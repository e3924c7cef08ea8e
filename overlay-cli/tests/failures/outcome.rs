//! The outcome of a scenario: how long it took, and which lines of the stream each node printed.

use std::fmt;
use std::time::Duration;

use crate::stream::{Lines, Tally};

pub(crate) struct Outcome {
    /// The time until all nodes were attached again, as seen from outside.
    pub(crate) took: Duration,
    /// The number of lines of the stream.
    pub(crate) lines: u64,
    /// All nodes that are there at the end.
    pub(crate) nodes: Vec<Node>,
}

/// A node at the end of a scenario.
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) effect: Effect,
    /// The longest time without a parent.
    pub(crate) orphaned: Duration,
    pub(crate) tally: Tally,
}

/// The effect of a failure on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// None: its path to the root was the same all the time.
    Untouched,
    /// The node lost its parent, and found another one.
    Moved,
    /// The node kept its parent, but a node further up did not.
    BelowMoved,
    /// The node joined after the failure.
    JoinedLater,
}

impl Effect {
    const fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Moved => "changed parents",
            Self::BelowMoved => "below one that did",
            Self::JoinedLater => "joined later",
        }
    }
}

impl fmt::Display for Node {
    /// A row of the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut effect = self.effect.name().to_owned();
        if self.effect == Effect::Moved {
            let seconds = self.orphaned.as_secs_f64();
            effect = format!("{effect}, {seconds:.2} s without one");
        }
        let (id, tally) = (&self.id[..8], &self.tally);
        write!(
            f,
            "{id}  {effect:35}  missing {:15}  doubled {}",
            tally.missing, tally.doubled
        )
    }
}

impl fmt::Display for Outcome {
    /// A table of the nodes that were affected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nodes, lines) = (self.took.as_secs_f64(), self.nodes.len(), self.lines);
        writeln!(f, "{seconds:.2} s; {nodes} nodes, lines 1-{lines}")?;
        let (quiet, mut eventful): (Vec<&Node>, Vec<&Node>) = self
            .nodes
            .iter()
            .partition(|node| node.effect == Effect::Untouched && node.tally.is_clean());
        eventful.sort_by_key(|node| node.effect);
        for node in eventful {
            writeln!(f, "  {node}")?;
        }
        write!(
            f,
            "  {} others untouched, with every line once",
            quiet.len()
        )
    }
}

impl Outcome {
    /// The number of nodes that changed parents.
    pub(crate) fn moved(&self) -> usize {
        let moved = |node: &&Node| node.effect == Effect::Moved;
        self.nodes.iter().filter(moved).count()
    }

    /// The longest time that a node was without a parent.
    pub(crate) fn longest_orphaned(&self) -> Duration {
        let orphaned = self.nodes.iter().map(|node| node.orphaned);
        orphaned.max().unwrap_or_default()
    }

    /// The number of such lines, over all nodes.
    pub(crate) fn count(&self, lines: fn(&Tally) -> &Lines) -> usize {
        let nodes = self.nodes.iter();
        nodes.map(|node| lines(&node.tally).count()).sum()
    }

    /// Asserts that no node has less of the stream, or more, because another one is in trouble.
    pub(crate) fn assert_the_untouched_saw_everything_once(&self) {
        self.assert_saw_everything_once(|effect| effect == Effect::Untouched);
    }

    pub(crate) fn assert_all_saw_everything_once(&self) {
        self.assert_saw_everything_once(|_| true);
    }

    fn assert_saw_everything_once(&self, must: impl Fn(Effect) -> bool) {
        for node in self.nodes.iter().filter(|node| must(node.effect)) {
            assert!(node.tally.is_clean(), "{node}");
        }
    }
}
