//! `overlay root`: sends what comes on stdin to every node of the tree.
//!
//! The promise: exit status 0 means that every node which was in the tree at the end has every byte.

use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use overlay_tokio::core::Epoch;
use overlay_tokio::{Event, Notification, Scope, SlowPolicy};
use tokio::io::Stdin;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::args::{self, StandbyInput};
use crate::audience::Audience;
use crate::conclusion::{Outcome, counted};
use crate::hint::WithHint;
use crate::linger::linger;
use crate::news::{News, tell_stall};
use crate::pipe::{Chunks, End, Piece};
use crate::readiness::{QUIET, Readiness};
use crate::report::Facts;
use crate::session::{Fact, Session};
use crate::stop::Stop;
use crate::{exit, token};

/// The time without any progress after which nodes are given up that have not confirmed the end. Longer than a lost node
/// is waited for, and than a link takes to be found dead.
const GIVE_UP: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: args::Root) -> anyhow::Result<ExitCode> {
    let facts = if args.json { Facts::Stdout } else { Facts::Off };
    let token = token::of_root(&args.token, &args.session.overlay)?;
    let mut stop = Stop::new();
    let session = Session::begin(&args.session, facts, |node| node.slow(args.slow))?;
    session.node.become_root(token).await;
    let mut root = Root {
        session,
        audience: RefCell::default(),
        input: Chunks::new(tokio::io::stdin()),
        wanted: args.wait_for.map(usize::from),
        waits_for_lost: args.slow == SlowPolicy::Wait,
        standby_input: args.standby_input,
    };
    let outcome = tokio::select! {
        outcome = root.lead() => Some(outcome),
        () = stop.requested() => None,
    };
    root.session.leave(&mut stop).await;
    if let Some(outcome) = outcome {
        outcome?.conclude(facts, &root.audience.into_inner())
    } else {
        let sent = root.audience.borrow().sent();
        facts.say(&format!(
            "Stopped after {sent} bytes. The nodes wait for the next root."
        ));
        Ok(exit::stopped())
    }
}

struct Root {
    session: Session,
    audience: RefCell<Audience>,
    input: Chunks<Stdin>,
    wanted: Option<usize>,
    /// Whether reading stops while nodes that were lost may come back.
    waits_for_lost: bool,
    standby_input: StandbyInput,
}

impl Root {
    /// Waits until the node leads and there are nodes to send to, sends all of stdin, and waits until they have it.
    async fn lead(&mut self) -> anyhow::Result<Outcome> {
        let Some(epoch) = self.promoted().await? else {
            return Ok(Outcome::NothingLeft);
        };
        let facts = self.session.facts;
        facts.say(&match self.wanted {
            Some(wanted) => {
                let wanted = counted(u32::try_from(wanted).unwrap_or(u32::MAX), "node");
                format!("Registered as the root. Waiting for {wanted} …")
            }
            None => "Registered as the root. Waiting for nodes …".to_owned(),
        });
        self.session.without_server = "The tree goes on without the server, and joiners wait.";
        self.wait_for_nodes().await?;
        facts.say("Sending what comes on stdin.");
        let failure = self.send_all(epoch).await?;
        self.wait_for_all().await?;
        Ok(Outcome::Sent { failure })
    }

    /// The next event, once what it says of the nodes is noted.
    async fn next(&mut self) -> anyhow::Result<Event> {
        next(&mut self.session, &self.audience).await
    }

    /// Until the node is the root; `None` if the stream ends before that.
    async fn promoted(&mut self) -> anyhow::Result<Option<Epoch>> {
        let mut news = News::default();
        let mut discards = false;
        loop {
            let event = tokio::select! {
                event = next(&mut self.session, &self.audience) => event?,
                discarded = self.input.discard(), if discards => {
                    discarded.context("cannot read stdin")?;
                    discards = false;
                    continue;
                }
            };
            let facts = self.session.facts;
            match event {
                Event::Node(Notification::Promoted { epoch }) => {
                    facts.tell(&Fact::Promoted { epoch: epoch.0 });
                    return Ok(Some(epoch));
                }
                Event::Node(Notification::Standby { epoch }) => {
                    facts.tell(&Fact::Standby { epoch: epoch.0 });
                    facts.say(
                        "There is a root already. This one stands by, and takes over when that one is gone.",
                    );
                    discards = self.standby_input == StandbyInput::Drop;
                }
                Event::Message(message) if matches!(message.scope, Scope::End(_)) => {
                    linger(&mut self.session).await;
                    return Ok(None);
                }
                Event::Node(Notification::StreamEnded { .. }) => return Ok(None),
                event => news.tell(&self.session, &event),
            }
        }
    }

    /// Waits until there are nodes to send to.
    async fn wait_for_nodes(&mut self) -> anyhow::Result<()> {
        let mut readiness = Readiness::new(self.wanted);
        while !readiness.has(self.audience.borrow().nodes()) {
            tokio::select! {
                event = self.next() => drop(event?),
                () = readiness.quiet() => break,
            }
        }
        Ok(())
    }

    /// Sends stdin to its end, while there are nodes to send it to. Returns the failure, if it could not be read further.
    async fn send_all(&mut self, epoch: Epoch) -> anyhow::Result<Option<std::io::Error>> {
        let Self {
            session,
            audience,
            input,
            ..
        } = self;
        // A stream that does not wait for slow nodes does not wait for lost ones either.
        let wanted = self.wanted.filter(|_| self.waits_for_lost).unwrap_or(1);
        let (gate, opening) = watch::channel(true);
        let node = session.node.clone();
        let sending = send(input, &node, audience, opening, epoch.0);
        tokio::pin!(sending);
        loop {
            let opened = audience.borrow().suffices(wanted);
            if gate.send_replace(opened) != opened {
                tell_gate(session.facts, opened, audience.borrow().nodes(), wanted);
            }
            tokio::select! {
                // The news first: a message that is refused because another root has taken over is no news.
                biased;
                event = next(session, audience) => drop(event?),
                outcome = &mut sending => return outcome,
            }
        }
    }

    /// Waits until every node has confirmed the end, and none is missing that may come back; or until there is no progress
    /// any more.
    async fn wait_for_all(&mut self) -> anyhow::Result<()> {
        let mut fewest = u32::MAX;
        let mut tell_at = Some(Instant::now() + QUIET);
        let mut until = Instant::now() + GIVE_UP;
        loop {
            let left = {
                let audience = self.audience.borrow();
                if audience.census().is_finished() {
                    return Ok(());
                }
                audience.unconfirmed()
            };
            if left < fewest {
                fewest = left;
                until = Instant::now() + GIVE_UP;
            }
            match timeout_at(tell_at.unwrap_or(until), self.next()).await {
                Ok(event) => drop(event?),
                Err(_) if tell_at.take().is_some() => self.tell_wait(left),
                Err(_) => return Ok(()),
            }
        }
    }

    fn tell_wait(&self, unconfirmed: u32) {
        let waits = match unconfirmed {
            0 => "nodes that were lost, and may come back".to_owned(),
            _ => counted(unconfirmed, "node") + " to take everything",
        };
        self.session.facts.say(&format!("Waiting for {waits} …"));
    }
}

/// Sends the input, chunk by chunk. A chunk that finds no node waits for one.
async fn send(
    input: &mut Chunks<Stdin>,
    node: &overlay_tokio::Node,
    audience: &RefCell<Audience>,
    mut gate: watch::Receiver<bool>,
    epoch: u64,
) -> anyhow::Result<Option<std::io::Error>> {
    let failure = loop {
        gate.wait_for(|open| *open).await?;
        let chunk = match input.next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        let offset = audience.borrow().sent();
        let bytes = &chunk[..];
        let message = Piece::Data {
            epoch,
            offset,
            bytes,
        };
        let message = Bytes::from(message.encode());
        loop {
            // The nodes may have gone while the input said nothing.
            gate.wait_for(|open| *open).await?;
            // Counted when it is sent.
            if node.try_broadcast(message.clone())?.await? > 0 {
                break;
            }
            // The next node that comes opens the gate.
            gate.changed().await?;
        }
        audience.borrow_mut().send(chunk.len());
    };
    let end = End {
        epoch,
        total: audience.borrow().sent(),
        whole: failure.is_none(),
    };
    node.end(Piece::End(end).encode()).await?;
    Ok(failure)
}

/// The next event, once what it says of the nodes is noted. Fails when another root has taken over.
async fn next(session: &mut Session, audience: &RefCell<Audience>) -> anyhow::Result<Event> {
    let event = session.next().await?;
    let mut audience = audience.borrow_mut();
    match &event {
        Event::Node(Notification::SubtreeChanged(census)) => {
            if census.nodes() != audience.census().nodes() {
                show(session, census.nodes());
            }
            audience.counted(census.clone());
        }
        Event::Node(Notification::ChildConnected { node, .. }) => audience.connected(*node),
        Event::Node(Notification::ChildClosed {
            node,
            reason,
            unconfirmed,
            ..
        }) => audience.closed(*node, *reason, *unconfirmed),
        Event::Node(Notification::Stalled {
            node,
            behind,
            lasting,
        }) => tell_stall(session.facts, *node, *behind, *lasting),
        Event::Node(Notification::SteppedDown { epoch }) => {
            return Err(stepped_down(session, *epoch));
        }
        _ => {}
    }
    Ok(event)
}

/// Another root has taken over: no node hears what this one would send.
fn stepped_down(session: &Session, epoch: Epoch) -> anyhow::Error {
    session.facts.tell(&Fact::SteppedDown { epoch: epoch.0 });
    anyhow!("another root has taken over this tree").hint(
        "this one could not reach the bootstrap server for too long; what it had not sent is lost",
    )
}

fn show(session: &Session, depth: &[u32]) {
    session.facts.tell(&Fact::Tree {
        depth: depth.to_vec(),
    });
    let levels: Vec<String> = depth.iter().map(u32::to_string).collect();
    let below = depth.iter().sum::<u32>().saturating_sub(1);
    let levels = levels.join(" ");
    session.facts.say(&format!(
        "{} below this root; by depth: {levels}",
        counted(below, "node")
    ));
}

fn tell_gate(facts: Facts, opened: bool, nodes: usize, wanted: usize) {
    if opened {
        facts.tell(&Fact::Resumed);
        return facts.say("Sending again.");
    }
    facts.tell(&Fact::Paused { nodes, wanted });
    facts.say(&match nodes {
        0 => "No node is here: reading stops until one joins.".to_owned(),
        _ => format!(
            "{nodes} of {wanted} nodes are here: reading stops while the others may come back."
        ),
    });
}
