//! A stream of numbered lines into a tree, and a tally of what a node printed of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::process::ChildStdin;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Fifty lines a second.
const INTERVAL: Duration = Duration::from_millis(20);

/// The lines 1, 2, 3 … that are written to a root, from the first [`turn_to`](Self::turn_to) to [`end`](Self::end). While
/// the root is dead, they wait.
pub(crate) struct Stream {
    /// The inputs of further roots. Dropped at the end.
    roots: Option<Sender<ChildStdin>>,
    /// `None` once it has ended.
    writing: Option<JoinHandle<u64>>,
}

impl Stream {
    pub(crate) fn new() -> Self {
        let (roots, next_root) = mpsc::channel::<ChildStdin>();
        let writing = thread::spawn(move || {
            let Ok(root) = next_root.recv() else {
                return 0;
            };
            // The input of an old root stays open, so that it lives on as far as it can.
            let (mut roots, mut last) = (vec![root], 0);
            loop {
                match next_root.recv_timeout(INTERVAL) {
                    Ok(next) => roots.push(next),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return last,
                }
                let root = roots.last_mut().unwrap();
                if writeln!(root, "{}", last + 1).is_ok() {
                    last += 1;
                }
            }
        });
        Self {
            roots: Some(roots),
            writing: Some(writing),
        }
    }

    /// Goes on into the input of another root.
    pub(crate) fn turn_to(&mut self, root: ChildStdin) {
        self.roots.as_ref().unwrap().send(root).unwrap();
    }

    /// Ends the root's input. Returns the number of the last line.
    pub(crate) fn end(&mut self) -> u64 {
        self.roots = None;
        self.writing.take().unwrap().join().unwrap()
    }
}

/// The lines that a node did not print exactly once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) missing: Lines,
    pub(crate) doubled: Lines,
}

/// Numbers of lines, ascending. They are shown as `3-5, 9`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines(Vec<u64>);

/// The numbers of the lines that a node has printed, in order.
pub(crate) fn numbers(stdout: &str) -> Vec<u64> {
    let number = |line: &str| line.parse().unwrap_or_else(|_| panic!("printed {line:?}"));
    stdout.lines().map(number).collect()
}

impl Tally {
    /// The tally of a node that should have printed the lines from `first` to `last`, each once.
    pub(crate) fn of(printed: &[u64], first: u64, last: u64) -> Self {
        let mut times: BTreeMap<u64, usize> = (first..=last).map(|line| (line, 0)).collect();
        for line in printed {
            *times.entry(*line).or_default() += 1;
        }
        let with = |wrong: fn(usize) -> bool| {
            let lines = times.iter().filter(|(_, times)| wrong(**times));
            Lines(lines.map(|(line, _)| *line).collect())
        };
        Self {
            missing: with(|times| times == 0),
            doubled: with(|times| times > 1),
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl Lines {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The first and last lines of each run without a break.
    fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for &line in &self.0 {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == line => *last = line,
                _ => runs.push((line, line)),
            }
        }
        runs
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = |(first, last): (u64, u64)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        };
        let runs: Vec<String> = self.runs().into_iter().map(run).collect();
        if runs.is_empty() {
            f.pad("-")
        } else {
            f.pad(&runs.join(", "))
        }
    }
}

#[test]
fn a_tally_names_missing_and_doubled_lines() {
    let tally = Tally::of(&numbers("1\n2\n6\n6\n7\n6\n9\n"), 1, 10);
    assert_eq!(tally.missing.to_string(), "3-5, 8, 10");
    assert_eq!(tally.doubled.to_string(), "6");
}
