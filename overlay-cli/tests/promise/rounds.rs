//! Stories with many outcomes, each of which must be true. `OVERLAY_ROUNDS` plays them many times over.

use std::collections::BTreeMap;
use std::io::Write;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::code;
use crate::process::{Process, Server};

/// How often a story is played.
fn rounds() -> u32 {
    let rounds = std::env::var("OVERLAY_ROUNDS").ok();
    rounds.map_or(1, |rounds| rounds.parse().expect("a number of rounds"))
}

/// The number of times that each outcome came.
#[derive(Default)]
struct Table(BTreeMap<String, u32>);

impl Table {
    fn count(&mut self, outcome: String) {
        *self.0.entry(outcome).or_default() += 1;
    }

    fn print(&self, story: &str) {
        println!("{story}, {} rounds", rounds());
        for (outcome, times) in &self.0 {
            println!("  {times:>6}  {outcome}");
        }
    }
}

/// Whether a node printed `stream` from some line on to its end.
fn is_whole(printed: &str, stream: &str) -> bool {
    stream.ends_with(printed)
}

/// Checks that a node has told the truth, and says what it was.
fn outcome(node: Process, stream: &str) -> String {
    let (status, stdout, stderr) = node.finish();
    let code = code(status);
    let has_nothing = stdout.is_empty() && !stream.is_empty();
    let whole = is_whole(&stdout, stream) && !has_nothing;
    assert!(code != 0 || whole, "silently short:\n{stderr}");
    assert!(
        code == 0 || stdout != stream,
        "all there, and not so told:\n{stderr}"
    );
    assert!([0, 3].contains(&code), "{code}: {stderr}");
    match (code, has_nothing) {
        (0, _) => "whole".to_owned(),
        (_, true) => "told: it came behind the end".to_owned(),
        (_, false) => "told: something is missing".to_owned(),
    }
}

#[test]
fn joins_around_the_end_of_a_short_stream_all_end() {
    let mut table = Table::default();
    for _ in 0..rounds() {
        let server = Server::start();
        let mut root = server.root(3, &["--wait-for", "1"]);
        let mut stdin = root.stdin();
        let mut joins = vec![server.join(3)];
        while root.fact("tree")["depth"] != json!([1, 1]) {}
        let (mut stream, mut lines) = (String::new(), 0);
        // Some before the end, some at it, some behind it.
        for number in 0..20 {
            joins.push(server.join(3));
            if number < 10 {
                let line = format!("{lines}\n");
                stdin.write_all(line.as_bytes()).unwrap();
                stream.push_str(&line);
                lines += 1;
            }
            thread::sleep(Duration::from_millis(20));
            if number == 10 {
                stdin.flush().unwrap();
                break;
            }
        }
        drop(stdin);
        joins.extend((0..9).map(|_| {
            thread::sleep(Duration::from_millis(50));
            server.join(3)
        }));
        for join in joins {
            table.count(outcome(join, &stream));
        }
        let (status, _, stderr) = root.finish();
        assert!([0, 3].contains(&code(status)), "{stderr}");
        table.count(format!("root: {}", code(status)));
    }
    table.print("20 joins around the end");
}

#[test]
fn the_survivors_of_a_chain_end_when_its_middle_is_killed_before_the_last_line() {
    let mut table = Table::default();
    for _ in 0..rounds() {
        let server = Server::start();
        let mut root = server.root(1, &["--wait-for", "3"]);
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let mut node = server.join(1);
            node.fact("joined");
            nodes.push(node);
        }
        while root.fact("tree")["depth"] != json!([1, 1, 1, 1]) {}
        let mut stdin = root.stdin();
        stdin.write_all(b"one\n").unwrap();
        nodes[2].wait_for_line("one");
        nodes.remove(1).kill();
        stdin.write_all(b"last\n").unwrap();
        drop(stdin);
        let nodes = nodes.into_iter().map(|node| outcome(node, "one\nlast\n"));
        let nodes: Vec<String> = nodes.collect();
        let root = code(root.finish().0);
        let all_whole = nodes.iter().all(|node| node == "whole");
        assert!(root == 3 || root == 0 && all_whole, "the root says {root}");
        table.count(format!("{}; root: {root}", nodes.join(", ")));
    }
    table.print("the middle of a chain is killed");
}

#[test]
fn a_relay_killed_in_mid_stream_leaves_no_node_silently_short() {
    let mut table = Table::default();
    for _ in 0..rounds() {
        let server = Server::start();
        let mut root = server.root(2, &["--wait-for", "6"]);
        let mut nodes: Vec<Process> = (0..6).map(|_| server.join(2)).collect();
        let relay = nodes
            .iter_mut()
            .position(|node| node.fact("joined")["depth"] == 1);
        let relay = nodes.remove(relay.unwrap());
        while root.fact("tree")["depth"] != json!([1, 2, 4]) {}
        // 60 MB at 10 MB/s; in a single round a tenth of that.
        let megabytes = if rounds() > 1 { 60 } else { 6 };
        let line = "x".repeat(99) + "\n";
        let mut stdin = root.stdin();
        let mut killed = Some(relay);
        for megabyte in 0..megabytes {
            stdin.write_all(line.repeat(10_000).as_bytes()).unwrap();
            if megabyte == megabytes / 2 {
                killed.take().unwrap().kill();
            }
            thread::sleep(Duration::from_millis(100));
        }
        drop(stdin);
        let total = megabytes * 1_000_000;
        let mut all_whole = true;
        for node in nodes {
            let (status, stdout, stderr) = node.finish();
            let (code, whole) = (code(status), stdout.len() == total);
            assert_eq!(
                code,
                if whole { 0 } else { 3 },
                "{} bytes: {stderr}",
                stdout.len()
            );
            all_whole &= whole;
            table.count(if whole { "whole" } else { "told" }.to_owned());
        }
        let root = code(root.finish().0);
        assert!(root == 3 || root == 0 && all_whole, "the root says {root}");
        table.count(format!("root: {root}"));
    }
    table.print("a relay is killed in mid-stream");
}
