//! The command from end to end, as users run it: trees in one process, then a tree of separate processes that a file
//! goes through. Prints what it measured. `scripts/end-to-end` runs it on the optimised command, with larger trees.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails panics, and these are there to be read"
)]
// The other tests of this crate use the rest.
#![allow(dead_code)]

#[path = "../common/process.rs"]
mod process;

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value;

use crate::process::{Process, Server, command};

/// Whether the command is the one that users run. Without optimisation the trees are smaller.
const OPTIMISED: bool = !cfg!(debug_assertions);

/// The summary of a tree in one process, in which every node has joined.
fn grow(nodes: u16, degree: u16, runtime: &str) -> (Value, String) {
    let (nodes, degree) = (nodes.to_string(), degree.to_string());
    let mut up = command(&["up", "--json", "--exit-when-joined"]);
    up.args(["--nodes", &nodes, "--degree", &degree, "--runtime", runtime]);
    let (status, stdout, stderr) = Process::start(up).finish();
    assert!(status.success(), "{stderr}");
    let summary: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    println!("{summary}");
    assert_eq!(summary["joined"].to_string(), nodes);
    (summary, stdout)
}

#[test]
fn a_tree_of_fifty_is_complete_on_either_runtime() {
    for runtime in ["tokio", "smol"] {
        let (summary, _) = grow(50, 5, runtime);
        assert_eq!(summary["depth"], summary["ideal_depth"], "on {runtime}");
    }
}

#[test]
fn a_large_tree_is_complete_at_the_first_attempt() {
    let (summary, facts) = grow(if OPTIMISED { 200 } else { 60 }, 10, "tokio");
    assert_eq!(summary["depth"], summary["ideal_depth"]);
    assert!(!facts.contains("\"rejected\""), "{facts}");
}

#[test]
fn a_file_reaches_twelve_processes_byte_for_byte() {
    let lines = if OPTIMISED { 100_000 } else { 10_000 };
    let file = (1..=lines).fold(String::new(), |mut file, line| {
        let _ = writeln!(file, "line {line}: what the root reads, every node prints");
        file
    });
    let server = Server::start();
    let join = || Process::start(server.command(&["join", "--json", "--degree", "3"]));
    let joins: Vec<Process> = (0..12).map(|_| join()).collect();
    let mut root = server.root(3, &["--wait-for", "12"]);
    root.stdin().write_all(file.as_bytes()).unwrap();
    let (status, _, stderr) = root.finish();
    assert!(status.success(), "{stderr}");
    for join in joins {
        let (status, stdout, stderr) = join.finish();
        assert!(status.success(), "{stderr}");
        assert!(stdout == file, "a node printed something else");
    }
    println!(
        "12 processes have printed the {} bytes of the file",
        file.len()
    );
}
