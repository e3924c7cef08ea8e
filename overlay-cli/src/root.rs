//! `overlay root`: what comes on stdin goes to every node of the tree.

use std::process::ExitCode;
use std::time::Duration;

use overlay_tokio::{Census, Event};
use tokio::time::Instant;

use crate::args;
use crate::failure::Failure;
use crate::pipe::{self, Chunks};
use crate::report::Facts;
use crate::seat::{Fact, Seat};
use crate::{stop, token};

/// Without `--wait-for`, the tree counts as ready when it has not grown for this long …
const QUIET: Duration = Duration::from_secs(2);

/// … or this long after the first node, however many more are on their way.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: args::Root) -> Result<ExitCode, Failure> {
    let facts = if args.json { Facts::Stdout } else { Facts::Off };
    let token = token::of_root(&args.token, &args.seat.overlay)?;
    let mut seat = Seat::take(&args.seat, facts)?;
    seat.node.become_root(token).await;
    while !matches!(seat.next().await?, Event::ServerReady) {}
    facts.say("Registered as the root. Waiting for nodes …");
    let stopped = stop::requested();
    tokio::pin!(stopped);
    let outcome = tokio::select! {
        ready = wait_for_nodes(&mut seat, args.wait_for.map(usize::from)) => {
            ready?;
            facts.say("Sending what comes on stdin.");
            tokio::select! {
                bytes = send_all(&mut seat) => Some(bytes?),
                () = &mut stopped => None,
            }
        }
        () = &mut stopped => None,
    };
    seat.node.leave().await;
    while !matches!(seat.next().await?, Event::Left) {}
    match outcome {
        Some(bytes) => {
            facts.tell(&Fact::Ended { bytes });
            facts.say(&format!("Sent {bytes} bytes to the whole tree."));
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::from(130)),
    }
}

/// Until there is somebody to send to.
async fn wait_for_nodes(seat: &mut Seat, wanted: Option<usize>) -> Result<(), Failure> {
    let mut nodes = 0;
    let mut quiet_until = None;
    let mut ready_by = None;
    loop {
        let timer = async {
            match quiet_until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            event = seat.next() => event?,
            () = timer => return Ok(()),
        };
        let Event::SubtreeChanged(census) = event else {
            continue;
        };
        show(seat, &census);
        let now = below(&census);
        if let Some(wanted) = wanted {
            if now >= wanted {
                return Ok(());
            }
        } else if now == 0 {
            (quiet_until, ready_by) = (None, None);
        } else if now > nodes {
            let limit = *ready_by.get_or_insert(Instant::now() + LONGEST_WAIT);
            quiet_until = Some(limit.min(Instant::now() + QUIET));
        }
        nodes = now;
    }
}

/// Sends stdin to its end. Returns how many bytes that were.
async fn send_all(seat: &mut Seat) -> Result<u64, Failure> {
    let node = seat.node.clone();
    let sending = async {
        let mut chunks = Chunks::new(tokio::io::stdin());
        let mut bytes = 0;
        while let Some(message) = chunks
            .next()
            .await
            .map_err(|error| Failure::new(format!("cannot read stdin: {error}")))?
        {
            bytes += message.len() as u64 - 1;
            node.broadcast(message).await.map_err(Failure::new)?;
        }
        node.broadcast(pipe::end()).await.map_err(Failure::new)?;
        Ok(bytes)
    };
    tokio::pin!(sending);
    loop {
        tokio::select! {
            outcome = &mut sending => return outcome,
            event = seat.next() => {
                if let Event::SubtreeChanged(census) = event? {
                    show(seat, &census);
                }
            }
        }
    }
}

fn show(seat: &Seat, census: &Census) {
    seat.facts.tell(&Fact::Tree {
        depth: census.nodes().to_vec(),
    });
    let levels: Vec<String> = census.nodes().iter().map(u32::to_string).collect();
    let below = below(census);
    let nodes = if below == 1 { "node" } else { "nodes" };
    let levels = levels.join(" ");
    seat.facts.say(&format!(
        "{below} {nodes} below this root; by depth: {levels}"
    ));
}

/// How many nodes there are besides the root.
fn below(census: &Census) -> usize {
    census.size().saturating_sub(1) as usize
}
