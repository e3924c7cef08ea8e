//! `overlay root`: what comes on stdin goes to every node of the tree.

use std::process::ExitCode;
use std::time::Duration;

use overlay_tokio::core::Epoch;
use overlay_tokio::{Census, Event, Notification};
use tokio::time::Instant;

use crate::args;
use crate::failure::Failure;
use crate::news::News;
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
    let stopped = stop::requested();
    tokio::pin!(stopped);
    let outcome = tokio::select! {
        reigned = reign(&mut seat, args.wait_for.map(usize::from)) => Some(reigned),
        () = &mut stopped => None,
    };
    seat.node.leave().await;
    while !matches!(seat.next().await?, Event::Node(Notification::Left)) {}
    match outcome {
        Some(reigned) => {
            let bytes = reigned?;
            facts.tell(&Fact::Ended { bytes });
            facts.say(&format!("Sent {bytes} bytes to the whole tree."));
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::from(130)),
    }
}

/// Waits for the crown, then for somebody to send to, and sends all of stdin. Returns how many bytes that were.
async fn reign(seat: &mut Seat, wait_for: Option<usize>) -> Result<u64, Failure> {
    let census = crowned(seat).await?;
    seat.facts
        .say("Registered as the root. Waiting for nodes …");
    seat.without_server = "The tree goes on without the server, and newcomers wait.";
    wait_for_nodes(seat, census, wait_for).await?;
    seat.facts.say("Sending what comes on stdin.");
    send_all(seat).await
}

/// Until the node is the root. A standby has nodes below it by then: returns what it knows of them.
async fn crowned(seat: &mut Seat) -> Result<Option<Census>, Failure> {
    let mut news = News::default();
    let mut census = None;
    loop {
        match seat.next().await? {
            Event::Node(Notification::Promoted { epoch }) => {
                seat.facts.tell(&Fact::Promoted { epoch: epoch.0 });
                return Ok(census);
            }
            Event::Node(Notification::SubtreeChanged(now)) => census = Some(now),
            Event::Node(Notification::Standby { epoch }) => {
                seat.facts.tell(&Fact::Standby { epoch: epoch.0 });
                seat.facts.say(
                    "There is a root already. Role by: this one takes over when that one is gone.",
                );
            }
            event => news.tell(seat, &event),
        }
    }
}

/// Until there is somebody to send to.
async fn wait_for_nodes(
    seat: &mut Seat,
    mut census: Option<Census>,
    wanted: Option<usize>,
) -> Result<(), Failure> {
    let mut nodes = 0;
    let mut quiet_until = None;
    let mut ready_by = None;
    loop {
        if let Some(census) = census.take() {
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
        match event {
            Event::Node(Notification::SubtreeChanged(now)) => census = Some(now),
            Event::Node(Notification::SteppedDown { epoch }) => return Err(demoted(seat, epoch)),
            _ => {}
        }
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
            // The news first: a message that is refused because another root has taken over is no news.
            biased;
            event = seat.next() => match event? {
                Event::Node(Notification::SubtreeChanged(census)) => show(seat, &census),
                Event::Node(Notification::SteppedDown { epoch }) => return Err(demoted(seat, epoch)),
                _ => {}
            },
            outcome = &mut sending => return outcome,
        }
    }
}

/// Another root has taken over: nobody hears what this one would send.
fn demoted(seat: &Seat, epoch: Epoch) -> Failure {
    seat.facts.tell(&Fact::SteppedDown { epoch: epoch.0 });
    Failure::new("another root has taken over this tree").hint(
        "this one could not reach the bootstrap server for too long; what it had not sent is lost",
    )
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
