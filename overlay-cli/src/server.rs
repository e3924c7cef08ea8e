//! `overlay server`: a bootstrap server.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use anyhow::bail;
use overlay_tokio::core::bootstrap::{self, Notice};
use overlay_tokio::core::wire::ClientRole;
use overlay_tokio::{ServerConfig, ServerError, ServerEvent, serve};
use serde::Serialize;

use crate::hint::WithHint;
use crate::report::Facts;
use crate::stop::Stop;
use crate::{args, exit, page, token};

/// A fact about the server.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Fact {
    Listening {
        address: SocketAddr,
    },
    /// A client has connected.
    ClientConnected {
        client: String,
        address: IpAddr,
    },
    /// A client has said what it is.
    ClientRegistered {
        client: String,
        overlay: String,
        node: String,
        role: &'static str,
    },
    /// A client was turned away.
    ClientRefused {
        address: IpAddr,
        reason: String,
    },
    /// A client is gone; with a reason if the server has sent it away.
    ClientGone {
        client: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A joiner is introduced to the root.
    JoinPassed {
        node: String,
        attempt: u32,
    },
    /// A join has failed.
    JoinRejected {
        node: String,
        attempt: u32,
        reason: String,
    },
    RootRegistered {
        overlay: String,
        node: String,
        epoch: u64,
    },
    RootLost {
        overlay: String,
        node: String,
    },
    /// The root has ended its stream.
    StreamEnded {
        overlay: String,
        node: String,
    },
    /// So many events came at once that these could not be told.
    EventsMissed {
        events: usize,
    },
    Stopped,
}

pub(crate) async fn run(args: args::Server) -> anyhow::Result<ExitCode> {
    let facts = if args.json { Facts::Stdout } else { Facts::Off };
    let mut stop = Stop::new();
    let access = token::of_server(&args.token)?;
    let mut config = ServerConfig::new(bootstrap::Config::new(access));
    config.behind_proxy = args.behind_proxy;
    config.files = page::files();
    let server = serve(args.listen, config).map_err(failure)?;
    let address = server.local_addr();
    facts.tell(&Fact::Listening { address });
    facts.say(&format!(
        "Bootstrap server listens on ws://{address} (Ctrl-C stops it)"
    ));
    facts.say(&format!("A browser tab joins at http://{address}/"));
    loop {
        tokio::select! {
            () = stop.requested() => break,
            event = server.next_event() => match event {
                Some(event) => {
                    if let Some(fact) = fact(event) {
                        facts.tell(&fact);
                    }
                }
                None => bail!("the server has ended by a defect"),
            },
        }
    }
    facts.say("Telling clients goodbye …");
    tokio::select! {
        () = server.shut_down() => {}
        () = stop.requested() => return Ok(exit::stopped()),
    }
    facts.tell(&Fact::Stopped);
    Ok(ExitCode::SUCCESS)
}

fn fact(event: ServerEvent) -> Option<Fact> {
    Some(match event {
        ServerEvent::Connected { connection, source } => Fact::ClientConnected {
            client: format!("{connection:?}"),
            address: source.address(),
        },
        ServerEvent::NotAccepted { source, refusal } => Fact::ClientRefused {
            address: source.address(),
            reason: refusal.to_string(),
        },
        ServerEvent::Disconnected {
            connection,
            refusal,
        } => Fact::ClientGone {
            client: format!("{connection:?}"),
            reason: refusal.map(|refusal| refusal.to_string()),
        },
        ServerEvent::Notice(notice) => return notice_fact(notice),
        ServerEvent::Missed(events) => Fact::EventsMissed { events },
        _ => return None,
    })
}

fn notice_fact(notice: Notice) -> Option<Fact> {
    Some(match notice {
        Notice::Registered {
            connection,
            overlay,
            id,
            role,
        } => Fact::ClientRegistered {
            client: format!("{connection:?}"),
            overlay: overlay.to_string(),
            node: id.to_string(),
            role: match role {
                ClientRole::Joiner => "joiner",
                ClientRole::Standby => "standby",
                ClientRole::Root => "root",
            },
        },
        Notice::JoinPassed { join } => Fact::JoinPassed {
            node: join.origin.to_string(),
            attempt: join.attempt,
        },
        Notice::JoinRejected { join, reason } => Fact::JoinRejected {
            node: join.origin.to_string(),
            attempt: join.attempt,
            reason: reason.to_string(),
        },
        Notice::RootRegistered { overlay, id, epoch } => Fact::RootRegistered {
            overlay: overlay.to_string(),
            node: id.to_string(),
            epoch: epoch.0,
        },
        Notice::RootLost { overlay, id } => Fact::RootLost {
            overlay: overlay.to_string(),
            node: id.to_string(),
        },
        Notice::StreamEnded { overlay, id } => Fact::StreamEnded {
            overlay: overlay.to_string(),
            node: id.to_string(),
        },
        _ => return None,
    })
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
