//! The promise at the end of a stream, held by processes: exit status 0 is every byte, 3 is something missing, and no
//! process waits without end for a stream that is over.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails panics, and its table is there to be read"
)]

mod ending;
#[cfg(unix)]
mod pipes;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../common/process.rs"]
mod process;
mod rounds;
mod slow;
mod standby;
#[cfg(unix)]
mod stopping;

use std::process::{ExitStatus, Stdio};

use crate::process::{Process, Server, TOKEN};

/// A root that says to a person what it does.
fn root(server: &Server, args: &[&str]) -> Process {
    let mut command = server.command(&["root"]);
    command
        .args(args)
        .env("OVERLAY_TOKEN", TOKEN)
        .stdin(Stdio::piped());
    Process::start(command)
}

/// The exit status of a process that no signal has killed.
fn code(status: ExitStatus) -> i32 {
    status.code().expect("no signal kills it")
}
