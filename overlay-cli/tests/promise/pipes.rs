//! What other processes do to stdin and stdout.

use std::io::{Read, Write, pipe};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::process::{Process, Server, TOKEN};
use crate::{code, root};

/// Makes a pipe's end non-blocking, as a process may that shares it.
fn unblock(end: &impl AsFd) {
    let flags = fcntl_getfl(end).unwrap();
    fcntl_setfl(end, flags | OFlags::NONBLOCK).unwrap();
}

#[test]
fn a_root_reads_a_pipe_that_another_process_has_made_non_blocking() {
    let server = Server::start();
    let (reader, mut writer) = pipe().unwrap();
    unblock(&reader);
    let mut command = server.command(&["root", "--wait-for", "1"]);
    command
        .env("OVERLAY_TOKEN", TOKEN)
        .stdin(Stdio::from(reader));
    let root = Process::start(command);
    let mut node = server.join(1);
    writer.write_all(b"one\n").unwrap();
    node.wait_for_line("one");
    writer.write_all(b"two\n").unwrap();
    drop(writer);
    let (status, stdout, _) = node.finish();
    assert_eq!((code(status), &*stdout), (0, "one\ntwo\n"));
    assert_eq!(code(root.finish().0), 0);
}

#[test]
fn a_join_loses_nothing_on_a_full_pipe_that_does_not_block() {
    let server = Server::start();
    let (mut reader, writer) = pipe().unwrap();
    unblock(&writer);
    let mut command = server.command(&["join"]);
    command.stdout(Stdio::from(writer));
    let node = Process::start_with(command);
    let mut root = server.root(1, &["--wait-for", "1"]);
    let text = b"more than a pipe takes\n".repeat(10_000);
    let input = text.clone();
    let mut stdin = root.stdin();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    std::thread::sleep(Duration::from_millis(500));
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed).unwrap();
    assert!(printed == text, "{} of {} bytes", printed.len(), text.len());
    assert_eq!(code(node.finish().0), 0);
    writing.join().unwrap().unwrap();
}

#[test]
fn a_full_disk_ends_the_join_and_its_parent_hears_a_goodbye() {
    let server = Server::start();
    let mut root = root(&server, &["--wait-for", "1"]);
    let mut command = server.command(&["join"]);
    let disk = std::fs::OpenOptions::new().write(true).open("/dev/full");
    command.stdout(disk.unwrap());
    let node = Process::start_with(command);
    let mut stdin = root.stdin();
    stdin.write_all(b"too much\n").unwrap();
    let (status, _, stderr) = node.finish();
    assert_eq!(code(status), 1);
    assert!(stderr.contains("No space left on device"), "{stderr}");
    drop(stdin);
    let (_, _, stderr) = root.finish();
    assert!(stderr.contains("No node is here"), "{stderr}");
}

#[test]
fn a_prompt_without_a_line_end_comes_at_once() {
    let server = Server::start();
    let mut root = server.root(1, &["--wait-for", "1"]);
    let mut command = server.command(&["join"]);
    let (mut reader, writer) = pipe().unwrap();
    command.stdout(Stdio::from(writer));
    let _node = Process::start_with(command);
    let mut stdin = root.stdin();
    stdin.write_all(b"name? ").unwrap();
    let mut printed = [0; 6];
    reader.read_exact(&mut printed).unwrap();
    assert_eq!(&printed, b"name? ");
}

#[test]
fn a_reader_that_has_had_enough_is_no_success() {
    let server = Server::start();
    let mut root = server.root(1, &["--wait-for", "1"]);
    let (reader, writer) = pipe().unwrap();
    let mut command = server.command(&["join"]);
    command.stdout(Stdio::from(writer));
    let node = Process::start_with(command);
    drop(reader);
    root.stdin().write_all(b"unread\n").unwrap();
    assert_eq!(code(node.finish().0), 141);
}
