//! `overlay-sim`: the simulator on the command line.
#![allow(clippy::print_stdout, reason = "results go to standard output")]

mod args;
mod ask;
mod churn;
mod disaster;
mod genet;
mod plot;
mod progress;
mod replay;
mod run;
mod shrink;
mod swarm;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use args::{Args, Command};

/// What came out: every invariant held, or one did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Held,
    Violated,
}

fn main() -> ExitCode {
    match dispatch(&Args::parse()) {
        Ok(Outcome::Held) => ExitCode::SUCCESS,
        Ok(Outcome::Violated) => ExitCode::FAILURE,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "this is where errors go")]
            {
                eprintln!("overlay-sim: {error:#}");
            }
            ExitCode::from(2)
        }
    }
}

fn dispatch(args: &Args) -> Result<Outcome> {
    match &args.command {
        Command::Run(command) => run::run(command, args.json),
        Command::Churn(command) => churn::churn(command, args.json),
        Command::Disaster(command) => disaster::disaster(command, args.json),
        Command::Ask(command) => ask::ask(command, args.json),
        Command::Swarm(command) => swarm::swarm(command, args.json),
        Command::Genet(command) => genet::genet(command, args.json),
        Command::Replay(command) => replay::replay(command, args.json),
        Command::Shrink(command) => shrink::shrink(command, args.json),
    }
}
