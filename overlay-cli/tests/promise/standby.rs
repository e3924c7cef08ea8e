//! A standby, and the stream that it may have to take over.

use std::io::Write;

use crate::code;
use crate::process::Server;

#[test]
fn a_standby_ends_with_the_stream() {
    let server = Server::start();
    let mut first = server.root(2, &["--wait-for", "1"]);
    first.fact("promoted");
    let mut second = server.root(2, &[]);
    second.fact("standby");
    let _input = second.stdin();
    second.fact("joined");
    first.stdin().write_all(b"hello\n").unwrap();
    assert_eq!(code(first.finish().0), 0);
    assert_eq!(code(second.finish().0), 0);
}

#[test]
fn a_standby_that_drops_its_input_sends_what_comes_after_it_has_taken_over() {
    assert_eq!(taken_over("drop"), "future\n");
}

#[test]
fn a_standby_that_waits_sends_all_of_its_input() {
    assert_eq!(taken_over("wait"), "past\nfuture\n");
}

/// What a node prints when a standby with this policy has taken over.
fn taken_over(policy: &str) -> String {
    let server = Server::start();
    let mut first = server.root(1, &[]);
    first.fact("promoted");
    let mut second = server.root(1, &["--standby-input", policy]);
    let mut input = second.stdin();
    second.fact("joined");
    input.write_all(b"past\n").unwrap();
    let mut node = server.join(1);
    node.fact("joined");
    first.kill();
    second.fact("promoted");
    input.write_all(b"future\n").unwrap();
    drop(input);
    let (status, stdout, stderr) = node.finish();
    assert_eq!(code(status), 0, "{stderr}");
    stdout
}
