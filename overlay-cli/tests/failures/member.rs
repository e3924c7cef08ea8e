//! A node of the tree, seen from outside: by the facts it tells and the lines it prints.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::outcome::{Fate, Node};
use crate::process::Process;
use crate::stream::{Tally, numbers};

/// How long a node may be silent before a test gives up: far longer than it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// An `overlay join`.
pub(crate) struct Member {
    process: Process,
    /// What it has told so far.
    facts: Vec<(Instant, Value)>,
    started: Instant,
    is_newcomer: bool,
}

impl Member {
    /// One that is there before the stream begins.
    pub(crate) fn founder(process: Process) -> Self {
        Self {
            process,
            facts: Vec::new(),
            started: Instant::now(),
            is_newcomer: false,
        }
    }

    /// One that comes when the stream is flowing.
    pub(crate) fn newcomer(process: Process) -> Self {
        Self {
            is_newcomer: true,
            ..Self::founder(process)
        }
    }

    pub(crate) fn is_newcomer(&self) -> bool {
        self.is_newcomer
    }

    /// Takes note of what it has told since.
    pub(crate) fn listen(&mut self) {
        while let Some(fact) = self.process.next_fact(Duration::ZERO) {
            self.facts.push(fact);
        }
    }

    /// Its id; `None` until it has told it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.facts
            .iter()
            .find_map(|(_, fact)| fact["node"].as_str())
    }

    /// Its parent's id; `None` while it has none.
    pub(crate) fn parent(&self) -> Option<&str> {
        let (_, latest) = self.places().next_back()?;
        (latest["event"] == "joined").then(|| latest["parent"].as_str().unwrap())
    }

    /// When it last got a parent.
    pub(crate) fn joined_at(&self) -> Option<Instant> {
        let joined = |(_, fact): &&(Instant, Value)| fact["event"] == "joined";
        self.places().rfind(joined).map(|(at, _)| *at)
    }

    /// Whether it has lost its first parent, or found another one.
    pub(crate) fn was_moved(&self) -> bool {
        self.places().count() > 1
    }

    /// How long it has been without a parent at a time, at the longest.
    fn orphaned(&self) -> Duration {
        let places: Vec<&(Instant, Value)> = self.places().collect();
        let lost_one = |pair: &&[&(Instant, Value)]| pair[0].1["event"] == "parent_closed";
        let spells = places.windows(2).filter(lost_one);
        let longest = spells.map(|pair| pair[1].0 - pair[0].0).max();
        longest.unwrap_or_default()
    }

    /// The facts about its place in the tree.
    fn places(&self) -> impl DoubleEndedIterator<Item = &(Instant, Value)> {
        let about_place =
            |fact: &Value| fact["event"] == "joined" || fact["event"] == "parent_closed";
        self.facts.iter().filter(move |(_, fact)| about_place(fact))
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Waits for the stream's end to come, and hears all that it has to tell until then.
    pub(crate) fn wait_for_the_end(&mut self) {
        while self
            .facts
            .last()
            .is_none_or(|(_, fact)| fact["event"] != "ended")
        {
            match self.process.next_fact(PATIENCE) {
                Some(fact) => self.facts.push(fact),
                None => panic!("the stream did not end at a node:\n{}", self.history()),
            }
        }
    }

    /// What it made of the stream, whose end it has heard and whose last line this was.
    pub(crate) fn verdict(self, fate: Fate, last: u64) -> Node {
        let (id, orphaned) = (self.id().unwrap().to_owned(), self.orphaned());
        let (status, stdout, stderr) = self.process.finish();
        assert!(status.success(), "{stderr}");
        let printed = numbers(&stdout);
        let first = if self.is_newcomer {
            *printed.first().expect("the stream goes on")
        } else {
            1
        };
        let tally = Tally::of(&printed, first, last);
        Node {
            id,
            fate,
            orphaned,
            tally,
        }
    }

    /// What it has told, for whoever must find out what went wrong.
    pub(crate) fn history(&self) -> String {
        let line = |(at, fact): &(Instant, Value)| {
            format!("{:8.3} s  {fact}\n", (*at - self.started).as_secs_f64())
        };
        self.facts.iter().map(line).collect()
    }
}
