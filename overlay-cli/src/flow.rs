//! What `overlay up` shows of the lines that flow through its tree.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use crate::report::Facts;
use crate::summary::percentile;

/// A line of the root, and how it came to the nodes.
#[derive(Debug, Serialize)]
pub(crate) struct Flow {
    event: &'static str,
    line: u64,
    /// How many nodes got it.
    nodes: usize,
    /// How many there are.
    of: usize,
    p50_us: u64,
    p99_us: u64,
}

impl Flow {
    /// The flow of a line that came to as many of the nodes as there are latencies.
    pub(crate) fn new(line: u64, of: usize, latencies: &[Duration]) -> Self {
        Self {
            event: "flow",
            line,
            nodes: latencies.len(),
            of,
            p50_us: micros(percentile(latencies, 50)),
            p99_us: micros(percentile(latencies, 99)),
        }
    }
}

/// A sentence on stderr that is written again and again where that is a terminal, and one below the other elsewhere.
pub(crate) struct Ticker {
    facts: Facts,
    again: bool,
}

impl Ticker {
    pub(crate) fn new(facts: Facts) -> Self {
        let again = std::io::stderr().is_terminal();
        Self { facts, again }
    }

    pub(crate) fn show(&self, flow: &Flow) {
        self.facts.tell(flow);
        if self.facts != Facts::Off {
            return;
        }
        let (start, end) = if self.again {
            ("\r", "   ")
        } else {
            ("", "\n")
        };
        // Without stderr there is nobody to tell.
        let _ = write!(
            std::io::stderr(),
            "{start}line {}: {} of {} nodes got it, half of them within {:.1} ms, 99 % within {:.1} ms{end}",
            flow.line,
            flow.nodes,
            flow.of,
            millis(flow.p50_us),
            millis(flow.p99_us),
        );
    }
}

impl Drop for Ticker {
    /// What is said next begins a line of its own.
    fn drop(&mut self) {
        if self.again && self.facts == Facts::Off {
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1_000.0
}
