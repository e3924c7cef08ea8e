//! A node of the tree, seen from outside: the facts that it tells, and the lines that it prints.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::outcome::{Effect, Node};
use crate::process::Process;
use crate::stream::{Tally, numbers};

/// Time in which a node must tell the next fact: far longer than it should take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// An `overlay join`.
pub(crate) struct Member {
    process: Process,
    /// Its facts so far.
    facts: Vec<(Instant, Value)>,
    started: Instant,
    joined_later: bool,
}

impl Member {
    /// A node that is there before the stream begins.
    pub(crate) fn early(process: Process) -> Self {
        Self {
            process,
            facts: Vec::new(),
            started: Instant::now(),
            joined_later: false,
        }
    }

    /// A node that joins while the stream flows.
    pub(crate) fn late(process: Process) -> Self {
        Self {
            joined_later: true,
            ..Self::early(process)
        }
    }

    pub(crate) fn joined_later(&self) -> bool {
        self.joined_later
    }

    /// Takes the facts that have come since.
    pub(crate) fn listen(&mut self) {
        while let Some(fact) = self.process.next_fact(Duration::ZERO) {
            self.facts.push(fact);
        }
    }

    /// Its id. `None` until it has told it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.facts
            .iter()
            .find_map(|(_, fact)| fact["node"].as_str())
    }

    /// Its parent's id. `None` while it has no parent.
    pub(crate) fn parent(&self) -> Option<&str> {
        let (_, latest) = self.parent_changes().next_back()?;
        (latest["event"] == "joined").then(|| latest["parent"].as_str().unwrap())
    }

    /// The moment when it last got a parent.
    pub(crate) fn joined_at(&self) -> Option<Instant> {
        let joined = |(_, fact): &&(Instant, Value)| fact["event"] == "joined";
        self.parent_changes().rfind(joined).map(|(at, _)| *at)
    }

    /// Whether it has lost its first parent, or found another one.
    pub(crate) fn was_moved(&self) -> bool {
        self.parent_changes().count() > 1
    }

    /// The longest time without a parent.
    fn orphaned(&self) -> Duration {
        let changes: Vec<&(Instant, Value)> = self.parent_changes().collect();
        let lost_one = |pair: &&[&(Instant, Value)]| pair[0].1["event"] == "parent_closed";
        let intervals = changes.windows(2).filter(lost_one);
        let longest = intervals.map(|pair| pair[1].0 - pair[0].0).max();
        longest.unwrap_or_default()
    }

    /// The facts about its parent.
    fn parent_changes(&self) -> impl DoubleEndedIterator<Item = &(Instant, Value)> {
        let about_parent =
            |fact: &Value| fact["event"] == "joined" || fact["event"] == "parent_closed";
        self.facts
            .iter()
            .filter(move |(_, fact)| about_parent(fact))
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Waits until it has told that the stream has ended.
    pub(crate) fn wait_for_the_end(&mut self) {
        while self
            .facts
            .last()
            .is_none_or(|(_, fact)| fact["event"] != "ended")
        {
            match self.process.next_fact(TIMEOUT) {
                Some(fact) => self.facts.push(fact),
                None => panic!("the stream did not end at a node:\n{}", self.history()),
            }
        }
    }

    /// The node after the end of a stream with this last line.
    pub(crate) fn finish(self, effect: Effect, last: u64) -> Node {
        let (id, orphaned) = (self.id().unwrap().to_owned(), self.orphaned());
        let (status, stdout, stderr) = self.process.finish();
        let code = status.code().unwrap_or(-1);
        let printed = numbers(&stdout);
        let first = if self.joined_later {
            *printed.first().expect("the stream goes on")
        } else {
            1
        };
        let tally = Tally::of(&printed, first, last);
        // What is missing is never called success.
        let truths: &[i32] = if tally.is_clean() { &[0, 3] } else { &[3] };
        assert!(truths.contains(&code), "{id} ends with {code}: {stderr}");
        Node {
            id,
            effect,
            orphaned,
            tally,
        }
    }

    /// All its facts, to find out what went wrong.
    pub(crate) fn history(&self) -> String {
        let line = |(at, fact): &(Instant, Value)| {
            format!("{:8.3} s  {fact}\n", (*at - self.started).as_secs_f64())
        };
        self.facts.iter().map(line).collect()
    }
}
