//! `overlay ask`, and `overlay join --answer`.

use std::process::{Command, Stdio};

use crate::events::Schema;
use crate::process::{Process, Server, TOKEN};

fn ask(server: &Server, args: &[&str]) -> Process {
    Process::start(asking(server, args))
}

fn asking(server: &Server, args: &[&str]) -> Command {
    let mut command = server.command(&["ask"]);
    command
        .args(args)
        .env("OVERLAY_TOKEN", TOKEN)
        .stdin(Stdio::null());
    command
}

fn answering(server: &Server, answer: &str) -> Process {
    Process::start(server.command(&["join", "--json", "--degree", "2", "--answer", answer]))
}

#[test]
fn every_node_answers_and_stays_for_the_next_question() {
    let server = Server::start();
    let mut nodes: Vec<Process> = (0..3)
        .map(|_| answering(&server, "cat; echo; echo 2"))
        .collect();
    let (status, stdout, stderr) = ask(&server, &["how?", "--wait-for", "3"]).finish();
    assert_eq!(
        (status.code(), stdout.lines().count()),
        (Some(0), 6),
        "{stdout}{stderr}"
    );
    for line in stdout.lines() {
        let (node, answer) = line.split_once('\t').unwrap();
        assert!(
            node.len() == 32 && ["how?", "2"].contains(&answer),
            "{line}"
        );
    }
    assert!(stderr.ends_with("3 of 3 nodes answered.\n"), "{stderr}");
    let (status, stdout, _) =
        ask(&server, &["?", "--wait-for", "3", "--combine", "count"]).finish();
    assert_eq!((status.code(), &stdout[..]), (Some(0), "3\n"));
    let (_, stdout, _) = ask(&server, &["?", "--wait-for", "3", "--json"]).finish();
    let seen = Schema::read().names(&stdout);
    assert!(
        seen.contains("answer") && seen.contains("answered"),
        "{seen:?}"
    );
    assert!(nodes.iter_mut().all(Process::is_running));
}

#[test]
fn numbers_are_combined_and_what_is_none_is_named() {
    let server = Server::start();
    let _two = [
        answering(&server, "echo 20"),
        answering(&server, "echo ' 22 '"),
    ];
    let _other = answering(&server, "echo many");
    let args = ["?", "--wait-for", "3", "--combine", "sum"];
    let (status, stdout, stderr) = ask(&server, &args).finish();
    assert_eq!((status.code(), &stdout[..]), (Some(3), "42\n"), "{stderr}");
    assert!(stderr.ends_with("2 of 3 nodes answered.\n"), "{stderr}");
}

#[test]
fn a_command_that_fails_or_hangs_gives_no_answer() {
    let server = Server::start();
    let _nodes = [
        answering(&server, "echo half; exit 7"),
        answering(&server, "sleep 1000"),
        answering(&server, "true"),
    ];
    let args = ["?", "--wait-for", "3", "--timeout", "3"];
    let (status, stdout, stderr) = ask(&server, &args).finish();
    assert_eq!(
        (status.code(), stdout.lines().count()),
        (Some(3), 1),
        "{stdout}{stderr}"
    );
    assert!(stderr.ends_with("1 of 3 nodes answered.\n"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn answers_that_nobody_reads_are_no_success() {
    let server = Server::start();
    let _node = answering(&server, "cat");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = asking(&server, &["?", "--wait-for", "1"]);
    command.stdout(Stdio::from(writer));
    let (status, _, stderr) = Process::start_with(command).finish();
    assert_eq!(status.code(), Some(141), "{stderr}");
}

#[test]
fn a_tree_that_has_a_root_is_not_asked_by_another() {
    let server = Server::start();
    let mut root = server.root(2, &[]);
    root.fact("promoted");
    let (status, _, stderr) = ask(&server, &["?"]).finish();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("has a root already"), "{stderr}");
}
