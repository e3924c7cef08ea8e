//! The `overlay` command: a tree of WebRTC nodes, from one process or many.
//!
//! Data goes to stdout, logs and progress to stderr.
#![forbid(unsafe_code)]

mod answering;
mod args;
mod ask;
mod audience;
mod conclusion;
mod exit;
mod flow;
mod hint;
mod join;
mod linger;
mod log;
mod manual;
mod needs;
mod news;
mod page;
mod pipe;
mod readiness;
mod received;
mod report;
mod root;
mod server;
mod session;
mod stdout;
mod stop;
mod summary;
mod token;
mod up;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::begin(cli.verbose);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            report::say(&format!("error: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(cli.command));
    // A thread that waits for stdin would hold the process up until something comes.
    runtime.shutdown_background();
    code
}

async fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::Up(args) => up::run(args).await,
        Command::Server(args) => server::run(args).await,
        Command::Root(args) => root::run(args).await,
        Command::Join(args) => join::run(args).await,
        Command::Ask(args) => ask::run(args).await,
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir } => manual::pages(dir.as_deref()),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            report::say(&hint::describe(&failure));
            ExitCode::FAILURE
        }
    }
}
