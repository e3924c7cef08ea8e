//! Processes are told of the end of a stream, however late they come.

use std::io::Write;

use serde_json::json;

use crate::process::{Process, Server};
use crate::{code, root};

#[test]
fn a_root_reads_nothing_while_its_only_node_is_gone() {
    let server = Server::start();
    let mut root = server.root(2, &["--wait-for", "1"]);
    let mut first = server.join(2);
    first.fact("joined");
    while root.fact("tree")["depth"] != json!([1, 1]) {}
    let mut stdin = root.stdin();
    stdin.write_all(b"one\n").unwrap();
    first.wait_for_line("one");
    first.kill();
    root.fact("paused");
    stdin.write_all(b"two\n").unwrap();
    drop(stdin);
    let second = server.join(2);
    root.fact("resumed");
    let (status, stdout, _) = second.finish();
    assert_eq!((code(status), &*stdout), (0, "two\n"));
    let finished = root.fact("finished");
    assert_eq!(
        (&finished["bytes"], &finished["nodes"]),
        (&json!(8), &json!(1))
    );
}

#[test]
fn a_join_behind_the_end_is_told_and_ends() {
    let server = Server::start();
    let mut first = root(&server, &["--wait-for", "1"]);
    let node = server.join(2);
    first.stdin().write_all(b"hello\n").unwrap();
    let (status, _, stderr) = first.finish();
    assert_eq!(code(status), 0);
    assert!(
        stderr.contains("The node in the tree has all of the 6 bytes"),
        "{stderr}"
    );
    assert_eq!(code(node.finish().0), 0);
    let late = Process::start(server.command(&["join"]));
    let (status, stdout, stderr) = late.finish();
    assert_eq!((code(status), &*stdout), (3, ""));
    assert!(
        stderr.contains("came in behind all of its 6 bytes"),
        "{stderr}"
    );
}

#[test]
fn a_join_that_wants_the_next_stream_waits_for_it() {
    let server = Server::start();
    let mut first = server.root(2, &["--wait-for", "1"]);
    let node = server.join(2);
    drop(first.stdin());
    first.finish();
    node.finish();
    let patient = Process::start(server.command(&["join", "--json", "--next"]));
    let mut second = server.root(2, &["--wait-for", "1"]);
    second.stdin().write_all(b"again\n").unwrap();
    let (status, stdout, _) = patient.finish();
    assert_eq!((code(status), &*stdout), (0, "again\n"));
}

#[test]
fn an_empty_stream_is_whole() {
    let server = Server::start();
    let mut root = server.root(2, &["--wait-for", "1"]);
    let node = server.join(2);
    drop(root.stdin());
    assert_eq!(code(root.finish().0), 0);
    assert_eq!(code(node.finish().0), 0);
}

#[test]
fn an_input_that_can_not_be_read_is_no_whole_stream() {
    let server = Server::start();
    let mut command = server.command(&["root", "--wait-for", "1"]);
    command.env("OVERLAY_TOKEN", crate::TOKEN);
    // A directory can be opened, and not read.
    command.stdin(std::fs::File::open("/").unwrap());
    let root = Process::start(command);
    let node = server.join(2);
    let (status, _, stderr) = root.finish();
    assert_eq!(code(status), 1);
    assert!(stderr.contains("cannot read stdin"), "{stderr}");
    let (status, _, stderr) = node.finish();
    assert_eq!(code(status), 3);
    assert!(stderr.contains(r#""cut":true"#), "{stderr}");
}

#[test]
fn a_reader_that_takes_nothing_is_not_waited_for_without_end() {
    let server = Server::start();
    let mut root = server.root(2, &["--wait-for", "2"]);
    let stuck = server.join_unread(2);
    let node = server.join(2);
    let mut stdin = root.stdin();
    // More than a pipe takes, and less than the windows.
    stdin.write_all(&b"0123456789\n".repeat(12_000)).unwrap();
    drop(stdin);
    let finished = root.fact("finished");
    assert_eq!(finished["unconfirmed"], 1);
    let (status, stdout, _) = node.finish();
    assert_eq!((code(status), stdout.len()), (0, 132_000));
    assert_eq!(code(root.finish().0), 3);
    drop(stuck);
}
