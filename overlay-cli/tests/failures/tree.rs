//! A tree of processes with a stream flowing through it, and the failures that it can suffer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::member::Member;
use crate::outcome::{Effect, Outcome};
use crate::process::{Process, Server};
use crate::stream::Stream;

/// The number of nodes below the root.
const NODES: usize = 30;

/// Most children of a node: the tree is three levels deep.
const DEGREE: u16 = 3;

/// Time in which the tree must be whole: far longer than it should take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Only one scenario at a time: what is measured is not how busy the machine is.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Tree {
    server: Option<Server>,
    address: String,
    root: Root,
    /// The standby, which is a node of the tree until it is promoted.
    standby: Option<Root>,
    /// Whether the standby has taken over.
    succeeded: bool,
    members: Vec<Member>,
    stream: Stream,
    _turn: MutexGuard<'static, ()>,
}

/// An `overlay root`.
struct Root {
    process: Process,
    id: String,
}

impl Tree {
    /// A tree that the stream has begun to flow through.
    pub(crate) fn grow() -> Self {
        Self::plant(false)
    }

    /// Such a tree with a standby. It joins before the nodes, so it has children.
    pub(crate) fn grow_with_a_standby() -> Self {
        Self::plant(true)
    }

    fn plant(with_standby: bool) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let server = Server::start();
        let root = Root::start(&server, &["--wait-for", "1"]);
        let standby = with_standby.then(|| {
            let mut standby = Root::start(&server, &[]);
            standby.process.fact("standby");
            standby
        });
        let mut tree = Self {
            address: server.address().to_owned(),
            stream: Stream::new(),
            root,
            standby,
            succeeded: false,
            members: (0..NODES)
                .map(|_| Member::early(server.join(DEGREE)))
                .collect(),
            server: Some(server),
            _turn: turn,
        };
        tree.wait_until_whole();
        tree.stream.turn_to(tree.root.process.stdin());
        let_it_flow();
        tree
    }

    /// Kills the child of the root that has the most children.
    pub(crate) fn kill_an_inner_node(&mut self) -> Instant {
        let children = |member: &Member| {
            let is_child = |other: &&Member| other.parent() == member.id();
            self.members.iter().filter(is_child).count()
        };
        let (index, victim) = self
            .members
            .iter()
            .enumerate()
            .filter(|(_, member)| member.parent() == Some(&self.root.id))
            .max_by_key(|(_, member)| children(member))
            .unwrap();
        assert!(children(victim) > 0);
        let victim = self.members.remove(index);
        let now = Instant::now();
        victim.kill();
        now
    }

    /// Kills the root, and waits until the standby has taken over.
    pub(crate) fn kill_the_root(&mut self) -> Instant {
        let now = Instant::now();
        self.root.process.kill();
        self.promote_the_standby();
        now
    }

    /// Stops the root, like a machine that falls asleep. Wakes it when the standby has taken over.
    #[cfg(unix)]
    pub(crate) fn put_the_root_to_sleep_and_wake_it(&mut self) -> Instant {
        let now = Instant::now();
        self.root.process.signal("-STOP");
        let mut old = self.promote_the_standby();
        old.process.signal("-CONT");
        old.process.fact("stepped_down");
        let (_, _, stderr) = old.process.finish();
        assert!(stderr.contains("another root has taken over"), "{stderr}");
        now
    }

    /// Waits until the standby is the root, and lets the stream go on there. Returns the old root.
    fn promote_the_standby(&mut self) -> Root {
        let mut promoted = self.standby.take().unwrap();
        promoted.process.fact("promoted");
        self.stream.turn_to(promoted.process.stdin());
        self.succeeded = true;
        std::mem::replace(&mut self.root, promoted)
    }

    /// Kills the server, and waits until the root knows.
    pub(crate) fn kill_the_server(&mut self) {
        self.server = None;
        self.root.process.fact("server_lost");
        let_it_flow();
    }

    pub(crate) fn restart_the_server(&mut self) -> Instant {
        self.server = Some(Server::listen(&self.address));
        Instant::now()
    }

    pub(crate) fn join_another(&mut self) {
        let server = self.server.as_ref().unwrap();
        self.members.push(Member::late(server.join(DEGREE)));
    }

    /// Waits until every node has a path to the root. Returns the moment when the last of them got its parent.
    pub(crate) fn wait_until_whole(&mut self) -> Instant {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            self.members.iter_mut().for_each(Member::listen);
            let lost: Vec<&Member> = self
                .members
                .iter()
                .filter(|member| self.above(member).is_none())
                .collect();
            if lost.is_empty() {
                return self
                    .members
                    .iter()
                    .filter_map(Member::joined_at)
                    .max()
                    .unwrap();
            }
            if Instant::now() > deadline {
                let histories: Vec<String> = lost.iter().map(|member| member.history()).collect();
                panic!(
                    "{} nodes have no path to the root:\n{}",
                    lost.len(),
                    histories.join("\n")
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the stream, and waits for every node to print the rest of it.
    pub(crate) fn finish(mut self, took: Duration) -> Outcome {
        let_it_flow();
        let last = self.stream.end();
        self.members.iter_mut().for_each(Member::wait_for_the_end);
        let effects: Vec<Effect> = self.members.iter().map(|it| self.effect_on(it)).collect();
        let (status, _, stderr) = self.root.process.finish();
        let members = self.members.into_iter().zip(effects);
        let nodes: Vec<_> = members
            .map(|(it, effect)| it.finish(effect, last))
            .collect();
        let all_whole = nodes.iter().all(|node| node.tally.is_clean());
        // A root that has taken over speaks of its own stream.
        let may_be_whole = all_whole || self.succeeded;
        let truths: &[i32] = if may_be_whole { &[0, 3] } else { &[3] };
        let code = status.code().unwrap_or(-1);
        assert!(
            truths.contains(&code),
            "the root ends with {code}: {stderr}"
        );
        Outcome {
            took,
            lines: last,
            nodes,
        }
    }

    /// The effect on a node that has heard the stream's end.
    fn effect_on(&self, member: &Member) -> Effect {
        let above = self.above(member).unwrap();
        if member.was_moved() {
            Effect::Moved
        } else if member.joined_later() {
            Effect::JoinedLater
        } else if self.succeeded || above.into_iter().any(Member::was_moved) {
            Effect::BelowMoved
        } else {
            Effect::Untouched
        }
    }

    /// The nodes between this one and a root. `None` if there is no path between them.
    fn above<'a>(&'a self, mut member: &'a Member) -> Option<Vec<&'a Member>> {
        let mut above = Vec::new();
        while !self.is_root(member.parent()?) {
            member = self
                .members
                .iter()
                .find(|other| other.id() == member.parent())?;
            above.push(member);
            // Parents that change while they are being asked could look like a circle.
            if above.len() > self.members.len() {
                return None;
            }
        }
        Some(above)
    }

    /// Whether this is the root or the standby: a node below either of them is in the tree.
    fn is_root(&self, id: &str) -> bool {
        let standby = self.standby.as_ref();
        id == self.root.id || standby.is_some_and(|standby| id == standby.id)
    }
}

impl Root {
    fn start(server: &Server, args: &[&str]) -> Self {
        let mut process = server.root(DEGREE, args);
        let registered = process.fact("registered");
        let id = registered["node"].as_str().unwrap().to_owned();
        Self { process, id }
    }
}

/// Time for some lines: every scenario has some before, during and after the failure.
fn let_it_flow() {
    thread::sleep(Duration::from_secs(1));
}
