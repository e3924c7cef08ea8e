//! `overlay root`: sends what comes on stdin to every node of the tree.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use overlay_tokio::core::Epoch;
use overlay_tokio::{Census, Event, Notification};
use tokio::time::Instant;

use crate::args;
use crate::hint::WithHint;
use crate::news::News;
use crate::pipe::{self, Chunks};
use crate::report::Facts;
use crate::session::{Fact, Session};
use crate::{stop, token};

/// Without `--wait-for`, the tree counts as ready when it has not grown for this long …
const QUIET: Duration = Duration::from_secs(2);

/// … or this long after the first node, even if more are about to join.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: args::Root) -> anyhow::Result<ExitCode> {
    let facts = if args.json { Facts::Stdout } else { Facts::Off };
    let token = token::of_root(&args.token, &args.session.overlay)?;
    let mut session = Session::begin(&args.session, facts)?;
    session.node.become_root(token).await;
    let stopped = stop::requested();
    tokio::pin!(stopped);
    let outcome = tokio::select! {
        sent = lead(&mut session, args.wait_for.map(usize::from)) => Some(sent),
        () = &mut stopped => None,
    };
    session.node.leave().await;
    while !matches!(session.next().await?, Event::Node(Notification::Left)) {}
    match outcome {
        Some(sent) => {
            let bytes = sent?;
            facts.tell(&Fact::Ended { bytes });
            facts.say(&format!("Sent {bytes} bytes to the whole tree."));
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::from(130)),
    }
}

/// Waits until the node leads and there are nodes to send to, and sends all of stdin. Returns the number of bytes.
async fn lead(session: &mut Session, wait_for: Option<usize>) -> anyhow::Result<u64> {
    let census = promoted(session).await?;
    session
        .facts
        .say("Registered as the root. Waiting for nodes …");
    session.without_server = "The tree goes on without the server, and joiners wait.";
    wait_for_nodes(session, census, wait_for).await?;
    session.facts.say("Sending what comes on stdin.");
    send_all(session).await
}

/// Until the node is the root. A standby has nodes below it by then: returns what it knows of them.
async fn promoted(session: &mut Session) -> anyhow::Result<Option<Census>> {
    let mut news = News::default();
    let mut census = None;
    loop {
        match session.next().await? {
            Event::Node(Notification::Promoted { epoch }) => {
                session.facts.tell(&Fact::Promoted { epoch: epoch.0 });
                return Ok(census);
            }
            Event::Node(Notification::SubtreeChanged(now)) => census = Some(now),
            Event::Node(Notification::Standby { epoch }) => {
                session.facts.tell(&Fact::Standby { epoch: epoch.0 });
                session.facts.say(
                    "There is a root already. This one stands by, and takes over when that one is gone.",
                );
            }
            event => news.tell(session, &event),
        }
    }
}

/// Waits until there are nodes to send to.
async fn wait_for_nodes(
    session: &mut Session,
    mut census: Option<Census>,
    wanted: Option<usize>,
) -> anyhow::Result<()> {
    let mut nodes = 0;
    let mut quiet_until = None;
    let mut ready_by = None;
    loop {
        if let Some(census) = census.take() {
            show(session, &census);
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
            event = session.next() => event?,
            () = timer => return Ok(()),
        };
        match event {
            Event::Node(Notification::SubtreeChanged(now)) => census = Some(now),
            Event::Node(Notification::SteppedDown { epoch }) => {
                return Err(stepped_down(session, epoch));
            }
            _ => {}
        }
    }
}

/// Sends stdin to its end. Returns how many bytes that were.
async fn send_all(session: &mut Session) -> anyhow::Result<u64> {
    let node = session.node.clone();
    let sending = async {
        let mut chunks = Chunks::new(tokio::io::stdin());
        let mut bytes = 0;
        while let Some(message) = chunks.next().await.context("cannot read stdin")? {
            bytes += message.len() as u64 - 1;
            node.broadcast(message).await?;
        }
        node.broadcast(pipe::end()).await?;
        Ok(bytes)
    };
    tokio::pin!(sending);
    loop {
        tokio::select! {
            // The news first: a message that is refused because another root has taken over is no news.
            biased;
            event = session.next() => match event? {
                Event::Node(Notification::SubtreeChanged(census)) => show(session, &census),
                Event::Node(Notification::SteppedDown { epoch }) => return Err(stepped_down(session, epoch)),
                _ => {}
            },
            outcome = &mut sending => return outcome,
        }
    }
}

/// Another root has taken over: no node hears what this one would send.
fn stepped_down(session: &Session, epoch: Epoch) -> anyhow::Error {
    session.facts.tell(&Fact::SteppedDown { epoch: epoch.0 });
    anyhow!("another root has taken over this tree").hint(
        "this one could not reach the bootstrap server for too long; what it had not sent is lost",
    )
}

fn show(session: &Session, census: &Census) {
    session.facts.tell(&Fact::Tree {
        depth: census.nodes().to_vec(),
    });
    let levels: Vec<String> = census.nodes().iter().map(u32::to_string).collect();
    let below = below(census);
    let nodes = if below == 1 { "node" } else { "nodes" };
    let levels = levels.join(" ");
    session.facts.say(&format!(
        "{below} {nodes} below this root; by depth: {levels}"
    ));
}

/// How many nodes there are besides the root.
fn below(census: &Census) -> usize {
    census.size().saturating_sub(1) as usize
}
