//! What `overlay root`, `overlay ask` and `overlay join` have in common: a node, and the news about its way to the server.

use std::time::Duration;

use anyhow::{Context, anyhow};
use overlay_tokio::core::wire::Refusal;
use overlay_tokio::{
    BootstrapError, BootstrapLost, Builder, Event, Events, Node, Notification, Tls, node,
};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::args;
use crate::hint::WithHint;
use crate::report::Facts;
use crate::stop::Stop;

/// A node of this process, and its place on the command line.
pub(crate) struct Session {
    pub(crate) node: Node,
    pub(crate) events: Events,
    pub(crate) facts: Facts,
    /// When the first server must have answered; `None` once it has, or if there is no hurry.
    contact_by: Option<Instant>,
    /// What a person should know while there is no server.
    pub(crate) without_server: &'static str,
    /// Whether the user was told that there is none: once is enough, however many tries fail.
    server_lost: bool,
}

/// The time that a goodbye may take without a word to the user.
const QUICK: Duration = Duration::from_secs(1);

/// A fact about a node.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// A server has the node registered.
    Registered { node: String },
    /// There is no connection to a server.
    ServerLost {
        cause: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    },
    /// The node is in the tree.
    Joined {
        node: String,
        parent: String,
        depth: usize,
        attempt: u32,
    },
    /// The parent is gone.
    ParentClosed { parent: String, reason: String },
    /// A node that had lost its parent has one again.
    Reattached { parent: String, ms: u64 },
    /// A node takes nothing.
    Stalled { node: String, behind: u64, ms: u64 },
    /// The tree has another root.
    RootChanged { epoch: u64, root: String },
    /// An attempt has failed.
    Rejected { reason: String, retry_ms: u64 },
    /// There is another root; this one takes over when it is gone.
    Standby { epoch: u64 },
    /// The node is the root.
    Promoted { epoch: u64 },
    /// Another root has taken over.
    SteppedDown { epoch: u64 },
    /// The nodes of the tree, as the root knows them: how many at each depth.
    Tree { depth: Vec<u32> },
    /// These bytes of the stream will not come.
    Gap { offset: u64, bytes: u64 },
    /// A node's answer, as text.
    Answer { node: String, answer: String },
    /// The answers: of how many nodes, and the number that they were combined to.
    Answered {
        answered: u32,
        omitted: u32,
        asked: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        combined: Option<i64>,
    },
    /// Too few nodes are there, so no more is read.
    Paused { nodes: usize, wanted: usize },
    /// There are enough again.
    Resumed,
    /// The stream has ended for this node, which came in at `from`. `cut`: a root was lost in the middle of its stream, so
    /// that nobody knows how much is missing.
    Ended {
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<u64>,
        missing: u64,
        cut: bool,
    },
    /// The root has sent all of its input. Of the nodes in the tree, some lack parts, and some have not confirmed the end;
    /// up to `unheard` bytes reached nobody.
    Finished {
        bytes: u64,
        nodes: u32,
        lacking: u32,
        unconfirmed: u32,
        unheard: u64,
    },
}

impl Session {
    /// Starts a node. `change`: what the subcommand adds to the options of every node.
    pub(crate) fn begin(
        args: &args::Session,
        facts: Facts,
        change: impl FnOnce(Builder) -> Builder,
    ) -> anyhow::Result<Self> {
        let mut builder = node()
            .history(args.history)
            .overlay(args.overlay.clone())
            .max_degree(args.degree)
            .policy(args.policy)
            .links(args.links.config());
        for server in &args.bootstrap {
            builder = builder.server(server.clone());
        }
        if let Some(file) = &args.ca_file {
            let read = std::fs::read(file).and_then(|pem| Tls::from_pem(&pem));
            let tls = read.with_context(|| file.display().to_string())?;
            builder = builder.tls(tls);
        }
        let (node, events) = change(builder).spawn()?;
        let hurry = !args.connect_timeout.is_zero();
        Ok(Self {
            node,
            events,
            facts,
            contact_by: hurry.then(|| Instant::now() + args.connect_timeout),
            without_server: "",
            server_lost: false,
        })
    }

    /// The next event that is not about the way to the server; that is dealt with here. Fails when
    /// there is no way to go on.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Event> {
        loop {
            let event = self.events.next().await;
            match event.context("the node has ended")? {
                Event::Node(Notification::BootstrapReady) => {
                    self.contact_by = None;
                    if std::mem::take(&mut self.server_lost) {
                        self.facts.say("Connected to the bootstrap server again.");
                    }
                    let node = self.node.id().to_string();
                    self.facts.tell(&Fact::Registered { node });
                    return Ok(Event::Node(Notification::BootstrapReady));
                }
                Event::BootstrapLost { cause, retry_in } => self.server_lost(&cause, retry_in)?,
                event => {
                    // A node that has a parent does not need the server.
                    self.server_lost &=
                        !matches!(event, Event::Node(Notification::ParentConnected { .. }));
                    return Ok(event);
                }
            }
        }
    }

    /// Leaves the tree. A second request to stop ends that at once.
    pub(crate) async fn leave(&mut self, stop: &mut Stop) {
        self.node.leave().await;
        let left = async {
            while let Some(event) = self.events.next().await {
                if matches!(event, Event::Node(Notification::Left)) {
                    return;
                }
            }
        };
        tokio::pin!(left);
        if timeout(QUICK, &mut left).await.is_ok() {
            return;
        }
        self.facts
            .say("Leaving: a neighbour has not taken everything yet. Ctrl-C ends it at once.");
        tokio::select! {
            () = left => {}
            () = stop.requested() => {}
        }
    }

    fn server_lost(
        &mut self,
        cause: &BootstrapLost,
        retry_in: Option<Duration>,
    ) -> anyhow::Result<()> {
        self.facts.tell(&Fact::ServerLost {
            cause: cause.to_string(),
            retry_ms: retry_in.map(millis),
        });
        let too_late = self.contact_by.is_some_and(|by| Instant::now() >= by);
        match retry_in {
            Some(_) if !too_late => {
                if !std::mem::replace(&mut self.server_lost, true) {
                    let sentence = format!("{cause}; trying again … {}", self.without_server);
                    self.facts.say(sentence.trim_end());
                }
                Ok(())
            }
            _ => Err(match hint(cause) {
                Some(hint) => anyhow!("{cause}").hint(hint),
                None => anyhow!("{cause}"),
            }),
        }
    }
}

const fn hint(cause: &BootstrapLost) -> Option<&'static str> {
    match cause {
        BootstrapLost::Failed(BootstrapError::Tls { .. }) => Some(
            "does this machine trust the certificate (see --ca-file)? A server without TLS has an \
             address that starts with ws://",
        ),
        BootstrapLost::Failed(_) | BootstrapLost::Silent => {
            Some("is `overlay server` running there? --connect-timeout 0 keeps trying until it is")
        }
        BootstrapLost::Refused(Refusal::WrongToken) => {
            Some("the root's token must be the server's: compare the two token files")
        }
        BootstrapLost::Refused(Refusal::Version) => {
            Some("install the same version of overlay on both sides")
        }
        BootstrapLost::Refused(Refusal::UnknownOverlay) => {
            Some("check the name given with --overlay: the server has a fixed list of them")
        }
        _ => None,
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
