//! `overlay server`: a bootstrap server.

use std::net::SocketAddr;
use std::process::ExitCode;

use overlay_tokio::core::bootstrap;
use overlay_tokio::{ServerConfig, ServerError, serve};
use serde::Serialize;

use crate::hint::WithHint;
use crate::report::Facts;
use crate::stop::Stop;
use crate::{args, exit, token};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Fact {
    Listening { address: SocketAddr },
    Stopped,
}

pub(crate) async fn run(args: args::Server) -> anyhow::Result<ExitCode> {
    let facts = if args.json { Facts::Stdout } else { Facts::Off };
    let mut stop = Stop::new();
    let access = token::of_server(&args.token)?;
    let mut config = ServerConfig::new(bootstrap::Config::new(access));
    config.behind_proxy = args.behind_proxy;
    let server = serve(args.listen, config).map_err(failure)?;
    let address = server.local_addr();
    facts.tell(&Fact::Listening { address });
    facts.say(&format!(
        "Bootstrap server listens on ws://{address} (Ctrl-C stops it)"
    ));
    stop.requested().await;
    facts.say("Telling clients goodbye …");
    tokio::select! {
        () = server.shut_down() => {}
        () = stop.requested() => return Ok(exit::stopped()),
    }
    facts.tell(&Fact::Stopped);
    Ok(ExitCode::SUCCESS)
}

fn failure(error: ServerError) -> anyhow::Error {
    use std::io::ErrorKind;

    let kind = match &error {
        ServerError::Listen { cause, .. } => Some(cause.kind()),
        _ => None,
    };
    let failure = anyhow::Error::from(error);
    match kind {
        Some(ErrorKind::AddrInUse) => {
            failure.hint("something listens there already: choose another port with --listen")
        }
        Some(ErrorKind::AddrNotAvailable) => {
            failure.hint("this machine does not have that address: 0.0.0.0 means all that it has")
        }
        Some(ErrorKind::PermissionDenied) => {
            failure.hint("ports below 1024 need privileges: choose a higher one with --listen")
        }
        _ => failure,
    }
}
