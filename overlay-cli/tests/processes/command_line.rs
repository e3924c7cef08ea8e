//! What the command says of itself, and what its environment may do to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::overlay;
use crate::process::{Process, TOKEN, command};

#[test]
fn the_help_of_each_subcommand_has_examples_and_its_exit_status() {
    for subcommand in ["root", "join", "ask"] {
        let (_, stdout, _) = overlay(&[subcommand, "--help"]).finish();
        for words in ["Examples:", "Exit status:", "  3    something is missing"] {
            assert!(stdout.contains(words), "{stdout}");
        }
        let (_, short, _) = overlay(&[subcommand, "-h"]).finish();
        assert!(
            short.lines().count() < stdout.lines().count() / 2,
            "{short}"
        );
    }
}

#[test]
fn no_option_stands_under_another_ones_heading() {
    let (_, stdout, _) = overlay(&["join", "--help"]).finish();
    let (_, webrtc) = stdout.split_once("WebRTC:").unwrap();
    assert!(webrtc.contains("--stun") && webrtc.contains("--bind"));
    for option in ["--json", "--bootstrap", "--verbose", "--help"] {
        assert!(!webrtc.contains(&format!("      {option}")), "{webrtc}");
    }
}

#[test]
fn completions_and_pages_name_every_subcommand() {
    let (_, bash, _) = overlay(&["completions", "bash"]).finish();
    let (_, page, _) = overlay(&["man"]).finish();
    for subcommand in ["up", "server", "root", "join", "ask"] {
        assert!(
            bash.contains(&format!("overlay,{subcommand})")),
            "{subcommand}"
        );
        assert!(
            page.contains(&format!("overlay\\-{subcommand}(1)")),
            "{page}"
        );
    }
}

#[test]
fn a_token_file_that_is_given_counts_more_than_the_environment() {
    let file = std::env::temp_dir().join(format!("overlay-token-{}", std::process::id()));
    std::fs::write(&file, TOKEN).unwrap();
    let mut server = command(&[
        "server",
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--token-file",
    ]);
    server.arg(&file).env("OVERLAY_TOKEN", "another");
    let mut server = Process::start(server);
    let address = server.fact("listening")["address"].clone();
    let url = format!("ws://{}", address.as_str().unwrap());
    let mut root = command(&["root", "--json", "--bootstrap", &url]);
    root.env("OVERLAY_TOKEN", TOKEN).stdin(Stdio::piped());
    Process::start(root).fact("promoted");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn the_log_has_no_colours_where_it_is_no_terminal() {
    let mut join = command(&[
        "join",
        "-v",
        "--bootstrap",
        "ws://127.0.0.1:1",
        "--connect-timeout",
        "1",
    ]);
    join.stdin(Stdio::null());
    let (_, _, stderr) = Process::start(join).finish();
    assert!(stderr.contains(" INFO "), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}

#[test]
fn a_server_whose_stderr_is_closed_goes_on_with_its_log() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_overlay"))
        .args(["server", "-vvv", "--json", "--listen", "127.0.0.1:0"])
        .env("OVERLAY_TOKEN", TOKEN)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(server.stderr.take());
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
    // Each of them makes the server log something.
    for _ in 0..3 {
        let mut socket = TcpStream::connect(listening["address"].as_str().unwrap()).unwrap();
        socket.write_all(b"GET /health HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
