//! The command from end to end, with figures of the release build: trees in one process, then a tree of separate
//! processes that a file goes through. `scripts/end-to-end` runs it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails panics, and prints what it measured"
)]

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../common/process.rs"]
mod process;

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{Process, command};

/// Grows a tree in one process. Returns its facts, of which the last is the summary.
fn grow(nodes: usize, degree: u16, runtime: &str) -> Vec<Value> {
    let (nodes, degree) = (nodes.to_string(), degree.to_string());
    let mut up = command(&["up", "--json", "--exit-when-joined", "--runtime", runtime]);
    up.args(["--nodes", &nodes, "--degree", &degree]);
    let (status, stdout, stderr) = Process::start(up).finish();
    assert!(status.success(), "{stderr}");
    let fact = |line: &str| serde_json::from_str(line).unwrap();
    stdout.lines().map(fact).collect()
}

fn assert_complete(facts: &[Value], nodes: usize) {
    let summary = facts.last().unwrap();
    println!("{summary}");
    assert_eq!(summary["joined"], nodes);
    assert_eq!(summary["depth"], summary["ideal_depth"]);
}

#[test]
fn a_tree_of_50_is_complete_on_each_runtime() {
    for runtime in ["tokio", "smol"] {
        assert_complete(&grow(50, 5, runtime), 50);
    }
}

#[test]
fn a_tree_of_200_is_complete_at_the_first_attempt() {
    let facts = grow(200, 10, "tokio");
    assert_complete(&facts, 200);
    let rejected = facts.iter().filter(|fact| fact["event"] == "rejected");
    assert_eq!(rejected.count(), 0);
}

#[test]
fn a_file_of_100_000_lines_reaches_12_processes_byte_for_byte() {
    const NODES: usize = 12;
    let dir = Scratch::new();
    let mut lines = String::new();
    for line in 1..=100_000 {
        writeln!(
            lines,
            "line {line}: what the root reads, every node prints, byte for byte"
        )
        .unwrap();
    }
    let file = dir.file("input", &lines);
    let token = dir.file("token", "a-token-for-this-run\n");
    let mut server = command(&["server", "--listen", "127.0.0.1:0", "--json"]);
    server.arg("--token-file").arg(&token);
    let mut server = Process::start(server);
    let url = server.fact("listening")["address"].clone();
    let url = format!("ws://{}", url.as_str().unwrap());
    let node = |subcommand: &str| -> Command {
        command(&[subcommand, "--bootstrap", &url, "--degree", "3", "--json"])
    };
    let joins: Vec<Process> = (0..NODES).map(|_| Process::start(node("join"))).collect();
    let mut root = node("root");
    root.args(["--wait-for", &NODES.to_string()])
        .arg("--token-file")
        .arg(&token)
        .stdin(File::open(&file).unwrap());
    let mut root = Process::start(root);
    while root.fact("tree")["depth"] != json!([1, 3, 9]) {}
    let (status, _, stderr) = root.finish();
    assert!(status.success(), "{stderr}");
    for (number, join) in joins.into_iter().enumerate() {
        let (status, stdout, stderr) = join.finish();
        assert!(status.success(), "{stderr}");
        assert!(stdout == lines, "node {number} printed something else");
    }
    println!(
        "{NODES} processes of degree 3 printed the file, {} bytes",
        lines.len()
    );
}

/// A directory for the files of a test, which is removed with them.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("end-to-end-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over is in the target directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}
