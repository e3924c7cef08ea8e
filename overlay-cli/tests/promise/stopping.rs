//! Signals, and neighbours that don't answer.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::code;
use crate::process::{Process, Server};

/// A root with one node, which is stopped like a machine that sleeps.
fn beside_a_stuck_neighbour(server: &Server) -> (Process, Process) {
    let mut root = server.root(1, &["--wait-for", "9"]);
    let mut node = server.join(1);
    node.fact("joined");
    while root.fact("tree")["depth"] != json!([1, 1]) {}
    node.signal("-STOP");
    (root, node)
}

/// Time for a process to end that should not.
fn time_to_end() {
    thread::sleep(Duration::from_millis(500));
}

#[test]
fn a_second_interrupt_ends_a_goodbye_at_once() {
    let server = Server::start();
    let (mut root, node) = beside_a_stuck_neighbour(&server);
    let _input = root.stdin();
    root.signal("-INT");
    time_to_end();
    assert!(root.is_running(), "it waits for its neighbour");
    root.signal("-INT");
    assert_eq!(code(root.finish().0), 130);
    node.signal("-CONT");
}

#[test]
fn a_closed_terminal_is_a_goodbye() {
    let server = Server::start();
    let mut first = server.root(1, &[]);
    let _input = first.stdin();
    first.fact("promoted");
    let mut second = server.root(1, &[]);
    second.fact("joined");
    first.signal("-HUP");
    assert_eq!(code(first.finish().0), 130);
    // Without a goodbye the link would be lost.
    let reason = second.fact("parent_closed")["reason"].clone();
    assert!(
        ["the neighbour left", "closed by this side"].contains(&reason.as_str().unwrap()),
        "{reason}"
    );
    second.fact("promoted");
}

#[test]
fn a_closed_terminal_means_nothing_to_nohup() {
    let server = Server::start();
    let mut join = std::process::Command::new("nohup");
    join.args([
        env!("CARGO_BIN_EXE_overlay"),
        "join",
        "--json",
        "--bind",
        "127.0.0.1",
        "--bootstrap",
    ]);
    join.arg(format!("ws://{}", server.address()));
    let mut node = Process::start(join);
    node.fact("registered");
    node.signal("-HUP");
    time_to_end();
    assert!(node.is_running());
}
