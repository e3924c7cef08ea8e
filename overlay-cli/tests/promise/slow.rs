//! One node whose reader takes nothing: it is named, and by the root's policy waited for, or not.

use std::io::{PipeReader, Read, Write};
use std::thread::{self, JoinHandle};

use crate::code;
use crate::process::{Process, Server};

/// More than pipes and windows hold.
fn lines() -> String {
    let lines = (0..400_000).map(|number| format!("line {number:9}\n"));
    lines.collect::<Vec<_>>().concat()
}

/// A root with this policy, which sends those lines, a node that is read, and one that is not.
fn story(server: &Server, slow: &str) -> (Process, Process, (Process, PipeReader)) {
    let args = ["--wait-for", "2", "--slow", slow, "--history", "64K"];
    let mut root = server.root(2, &args);
    let node = server.join(2);
    let mut stuck = server.join_unread(2);
    stuck.0.fact("joined");
    let mut stdin = root.stdin();
    thread::spawn(move || stdin.write_all(lines().as_bytes()));
    (root, node, stuck)
}

fn read(mut reader: PipeReader) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

#[test]
fn a_node_that_takes_nothing_is_named_and_gets_everything_in_the_end() {
    let server = Server::start();
    let (mut root, node, (stuck, reader)) = story(&server, "wait");
    let stalled = root.fact("stalled");
    let printed = read(reader);
    assert_eq!(code(root.finish().0), 0);
    let (status, stdout, _) = node.finish();
    assert_eq!((code(status), stdout == lines()), (0, true));
    let (status, _, stderr) = stuck.finish();
    assert_eq!(
        (code(status), printed.join().unwrap() == lines()),
        (0, true)
    );
    let name = stalled["node"].as_str().unwrap();
    assert!(stderr.contains(name), "{name} is another node:\n{stderr}");
}

#[test]
fn a_node_that_is_skipped_is_told_what_it_has_missed() {
    let server = Server::start();
    let (root, mut node, (stuck, reader)) = story(&server, "skip");
    node.wait_for_line("line    399999");
    let printed = read(reader);
    let (status, stdout, _) = node.finish();
    assert_eq!((code(status), stdout == lines()), (0, true));
    let (status, _, stderr) = stuck.finish();
    assert_eq!(code(status), 3);
    assert!(stderr.contains("\"gap\""), "{stderr}");
    assert!(printed.join().unwrap().len() < lines().len());
    assert_eq!(code(root.finish().0), 3);
}
