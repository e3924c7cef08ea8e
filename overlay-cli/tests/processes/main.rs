//! The command as users run it: processes of their own, with real links between them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod asking;
mod command_line;
mod events;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../common/process.rs"]
mod process;

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::{Process, Server, TOKEN, command};

fn overlay(args: &[&str]) -> Process {
    Process::start(command(args))
}

/// These words in this order.
fn assert_said(stderr: &str, words: &[&str]) {
    let mut rest = stderr;
    for words in words {
        let at = rest.find(words);
        let at = at.unwrap_or_else(|| panic!("{words:?} is not there, or too early:\n{stderr}"));
        rest = &rest[at + words.len()..];
    }
}

#[test]
fn up_ends_with_the_summary_that_scripts_rely_on() {
    let up = overlay(&[
        "up",
        "--nodes",
        "12",
        "--degree",
        "3",
        "--json",
        "--exit-when-joined",
    ]);
    let (status, stdout, _) = up.finish();
    assert!(status.success());
    let summary: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(
        (&summary["nodes"], &summary["joined"]),
        (&json!(12), &json!(12))
    );
    assert_eq!(summary["failed"], 0);
    assert_eq!(summary["depth"], json!([1, 3, 9]));
    assert_eq!(summary["ideal_depth"], json!([1, 3, 9]));
    for number in [
        &summary["elapsed_ms"],
        &summary["join_ms"]["p50"],
        &summary["join_ms"]["p99"],
    ] {
        assert!(number.is_u64(), "{summary}");
    }
}

#[test]
fn up_grows_the_same_tree_on_smol() {
    let up = overlay(&[
        "up",
        "--runtime",
        "smol",
        "--nodes",
        "12",
        "--degree",
        "3",
        "--json",
        "--exit-when-joined",
    ]);
    let (status, stdout, _) = up.finish();
    assert!(status.success());
    let summary: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["depth"], json!([1, 3, 9]));
}

#[test]
fn a_file_goes_through_separate_processes_byte_for_byte() {
    let server = Server::start();
    let joins: Vec<Process> = (0..6).map(|_| server.join(2)).collect();
    // Lines, an empty one, one longer than a message, and no line end at the end.
    let mut file: Vec<u8> = (0..20_000)
        .flat_map(|n| format!("line {n}\n").into_bytes())
        .collect();
    file.push(b'\n');
    file.extend(vec![b'x'; 50_000]);
    let mut root = server.root(2, &["--wait-for", "6"]);
    let input = file.clone();
    let mut stdin = root.stdin();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let (status, stdout, _) = root.finish();
    assert!(status.success());
    writing.join().unwrap().unwrap();
    assert!(
        stdout.contains(r#"{"event":"tree","depth":[1,2,4],"#),
        "{stdout}"
    );
    for join in joins {
        let (status, stdout, _) = join.finish();
        assert!(status.success());
        assert!(stdout.as_bytes() == file, "{} bytes came", stdout.len());
    }
}

#[test]
fn a_killed_process_is_noticed_and_its_child_joins_again() {
    let server = Server::start();
    let mut root = server.root(1, &["--wait-for", "2"]);
    let mut doomed = server.join(1);
    doomed.fact("joined");
    let mut orphan = server.join(1);
    assert_eq!(orphan.fact("joined")["depth"], 2);
    while root.fact("tree")["depth"] != json!([1, 1, 1]) {}
    doomed.kill();
    orphan.fact("parent_closed");
    assert_eq!(orphan.fact("joined")["depth"], 1);
    root.stdin().write_all(b"hello, orphan\n").unwrap();
    let (status, stdout, _) = orphan.finish();
    assert!(status.success());
    assert_eq!(stdout, "hello, orphan\n");
}

#[test]
fn join_reports_a_lost_and_a_new_parent() {
    let server = Server::start();
    let mut root = server.root(1, &["--wait-for", "2"]);
    let mut doomed = server.join(1);
    doomed.fact("joined");
    let orphan = Process::start(server.command(&["join"]));
    while root.fact("tree")["depth"] != json!([1, 1, 1]) {}
    doomed.kill();
    while root.fact("tree")["depth"] != json!([1, 1]) {}
    drop(root.stdin());
    let (_, _, stderr) = orphan.finish();
    assert_said(
        &stderr,
        &[
            "Joined at depth 2",
            "The parent is gone",
            "Joined again at depth 1",
        ],
    );
}

#[test]
fn a_person_is_told_when_the_server_goes_and_when_it_is_back() {
    let server = Server::start();
    let address = server.address().to_owned();
    let mut root = server.command(&["root"]);
    root.env("OVERLAY_TOKEN", TOKEN).stdin(Stdio::piped());
    let mut root = Process::start(root);
    let mut node = server.join(1);
    node.fact("joined");
    drop(server);
    let server = Server::listen(&address);
    let mut late = server.join(1);
    late.fact("joined");
    drop(root.stdin());
    let (_, _, stderr) = root.finish();
    assert_said(
        &stderr,
        &["joiners wait", "Connected to the bootstrap server again"],
    );
    assert_eq!(stderr.matches("trying again").count(), 1, "{stderr}");
}

#[test]
fn a_wrong_token_ends_the_root_with_what_to_do() {
    let server = Server::start();
    let mut root = server.command(&["root"]);
    root.env("OVERLAY_TOKEN", "guess").stdin(Stdio::null());
    let (status, _, stderr) = Process::start(root).finish();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("wrong token"), "{stderr}");
    assert!(stderr.contains("compare the two token files"), "{stderr}");
}

#[test]
fn a_standby_takes_over_when_the_root_is_killed() {
    let server = Server::start();
    let mut first = server.root(1, &[]);
    let epoch = first.fact("promoted")["epoch"].as_u64().unwrap();
    let mut second = server.root(1, &[]);
    assert_eq!(second.fact("standby")["epoch"], epoch);
    first.kill();
    assert!(second.fact("promoted")["epoch"].as_u64().unwrap() > epoch);
}

#[test]
fn a_person_is_told_that_a_second_root_stands_by() {
    let server = Server::start();
    let mut first = server.root(1, &[]);
    first.fact("promoted");
    let mut second = server.command(&["root"]);
    second.env("OVERLAY_TOKEN", TOKEN).stdin(Stdio::piped());
    let mut second = Process::start(second);
    while first.fact("tree")["depth"] != json!([1, 1]) {}
    let mut node = server.join(1);
    assert_eq!(node.fact("joined")["depth"], 2);
    first.kill();
    node.fact("root_changed");
    drop(second.stdin());
    let (_, _, stderr) = second.finish();
    assert_said(&stderr, &["This one stands by", "Registered as the root"]);
}

#[test]
#[cfg(unix)]
fn a_root_that_is_told_to_stop_does_not_wait_for_its_input() {
    let server = Server::start();
    let mut root = server.root(1, &["--wait-for", "1"]);
    let _input = root.stdin();
    let _node = server.join(1);
    while root.fact("tree")["depth"] != json!([1, 1]) {}
    root.signal("-TERM");
    let (status, _, _) = root.finish();
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_promoted_standby_sends_to_those_below_it() {
    let server = Server::start();
    let mut first = server.root(1, &[]);
    first.fact("promoted");
    let mut second = server.root(1, &[]);
    second.fact("joined");
    let mut node = server.join(1);
    assert_eq!(node.fact("joined")["depth"], 2);
    first.kill();
    second.fact("promoted");
    second.stdin().write_all(b"long live the root\n").unwrap();
    let (status, stdout, _) = node.finish();
    assert!(status.success());
    assert_eq!(stdout, "long live the root\n");
}

#[test]
fn a_server_that_is_not_there_ends_the_join_with_what_to_do() {
    let args = [
        "join",
        "--bootstrap",
        "ws://127.0.0.1:1",
        "--connect-timeout",
        "1",
    ];
    let (status, _, stderr) = overlay(&args).finish();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("Connection refused"), "{stderr}");
    // However many tries there were.
    assert!(stderr.matches("trying again").count() <= 1, "{stderr}");
    assert!(
        stderr.contains("is `overlay server` running there?"),
        "{stderr}"
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let server = Server::start();
    let mut second = command(&["server", "--listen", server.address()]);
    second.env("OVERLAY_TOKEN", TOKEN);
    let (status, _, stderr) = Process::start(second).finish();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("choose another port"), "{stderr}");
}

#[test]
fn overlays_on_one_server_keep_to_themselves() {
    let server = Server::start();
    let mut tea = server.root(2, &["--overlay", "tea", "--wait-for", "1"]);
    let mut coffee = server.root(2, &["--overlay", "coffee", "--wait-for", "1"]);
    tea.fact("registered");
    coffee.fact("registered");
    let guest = Process::start(server.command(&["join", "--overlay", "tea"]));
    coffee.stdin().write_all(b"coffee\n").unwrap();
    tea.stdin().write_all(b"tea\n").unwrap();
    let (_, stdout, _) = guest.finish();
    assert_eq!(stdout, "tea\n");
}
