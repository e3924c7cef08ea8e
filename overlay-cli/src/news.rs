//! The news about a node's place in the tree: each of them a fact for a script, and for a person only what is new.

use std::time::Duration;

use overlay_tokio::core::wire::RejectReason;
use overlay_tokio::{CloseReason, Event, NodeId, Notification};

use crate::report::Facts;
use crate::session::{Fact, Session, millis};

/// What a person has been told of a node's place.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// It was in the tree once.
    joined: bool,
    /// It leaves one parent for another.
    moves: bool,
    /// Why it is not in the tree now.
    rejected: Option<RejectReason>,
}

impl News {
    /// Tells of an event, if it is one about the node's place.
    pub(crate) fn tell(&mut self, session: &Session, event: &Event) {
        let facts = session.facts;
        match event {
            Event::Node(Notification::ParentConnected {
                node: parent,
                depth,
                attempt,
                ..
            }) => {
                facts.tell(&Fact::Joined {
                    node: session.node.id().to_string(),
                    parent: parent.to_string(),
                    depth: *depth,
                    attempt: *attempt,
                });
                self.rejected = None;
                let parent = short(*parent);
                let moves = std::mem::take(&mut self.moves);
                let how = match std::mem::replace(&mut self.joined, true) {
                    true if moves => "Moved",
                    true => "Joined again",
                    false => "Joined",
                };
                facts.say(&format!("{how} at depth {depth}, below {parent}."));
            }
            Event::Node(Notification::ParentClosed {
                node: parent,
                reason,
                ..
            }) => {
                facts.tell(&Fact::ParentClosed {
                    parent: parent.to_string(),
                    reason: reason.to_string(),
                });
                self.moves = *reason == CloseReason::Moved;
                // The command closes no link itself: it is the root now.
                if !self.moves && *reason != CloseReason::Closed {
                    facts.say(&format!("The parent is gone: {reason}. Joining again …"));
                }
            }
            Event::Node(Notification::Reattached { took, new_parent }) => {
                facts.tell(&Fact::Reattached {
                    parent: new_parent.to_string(),
                    ms: millis(*took),
                });
            }
            Event::Node(Notification::Stalled {
                node,
                behind,
                lasting,
            }) => tell_stall(facts, *node, *behind, *lasting),
            Event::Node(Notification::RootChanged { epoch, root }) => {
                facts.tell(&Fact::RootChanged {
                    epoch: epoch.0,
                    root: root.to_string(),
                });
                let root = short(*root);
                facts.say(&format!("The tree has another root: {root}."));
            }
            Event::Node(Notification::JoinRejected { reason, retry_in }) => {
                facts.tell(&Fact::Rejected {
                    reason: reason.to_string(),
                    retry_ms: millis(*retry_in),
                });
                if self.rejected.replace(*reason) != Some(*reason) {
                    facts.say(&format!("Not joined yet: {reason}. Trying again …"));
                }
            }
            _ => {}
        }
    }
}

/// Says which node takes nothing.
pub(crate) fn tell_stall(facts: Facts, node: NodeId, behind: u64, lasting: Duration) {
    facts.tell(&Fact::Stalled {
        node: node.to_string(),
        behind,
        ms: millis(lasting),
    });
    let seconds = lasting.as_secs();
    let node = short(node);
    facts.say(&format!(
        "Node {node} has taken nothing for {seconds} s; {behind} bytes wait for it."
    ));
}

/// The first digits of an id: enough for a person to tell nodes apart.
fn short(id: NodeId) -> String {
    format!("{id:?}")
}
