//! The news about a node's place in the tree: each of them a fact for a script, and for a person only what is new.

use overlay_tokio::core::wire::RejectReason;
use overlay_tokio::{Event, NodeId};

use crate::failure::Failure;
use crate::seat::{Fact, Seat, millis};

/// What a person has been told of a node's place.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// It was in the tree once.
    joined: bool,
    /// Why it is not in the tree now.
    rejected: Option<RejectReason>,
}

impl News {
    /// Tells of an event, if it is one about the node's place. Fails when the node can't join at all.
    pub(crate) fn tell(&mut self, seat: &Seat, event: &Event) -> Result<(), Failure> {
        let facts = seat.facts;
        match event {
            Event::ParentConnected {
                node: parent,
                depth,
                attempt,
            } => {
                facts.tell(&Fact::Joined {
                    node: seat.node.id().to_string(),
                    parent: parent.to_string(),
                    depth: *depth,
                    attempt: *attempt,
                });
                self.rejected = None;
                let parent = short(*parent);
                facts.say(&if std::mem::replace(&mut self.joined, true) {
                    format!("Joined again at depth {depth}, below {parent}. What was sent meanwhile may be missing.")
                } else {
                    format!("Joined at depth {depth}, below {parent}.")
                });
            }
            Event::ParentClosed {
                node: parent,
                reason,
            } => {
                facts.tell(&Fact::ParentClosed {
                    parent: parent.to_string(),
                    reason: reason.to_string(),
                });
                facts.say(&format!("The parent is gone: {reason}. Joining again …"));
            }
            Event::JoinRejected { reason, retry_in } => {
                facts.tell(&Fact::Rejected {
                    reason: reason.to_string(),
                    retry_ms: retry_in.map(millis),
                });
                if retry_in.is_none() {
                    return Err(Failure::new(format!("cannot join: {reason}")));
                }
                if self.rejected.replace(*reason) != Some(*reason) {
                    facts.say(&format!("Not joined yet: {reason}. Trying again …"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first digits of an id: enough for a person to tell nodes apart.
fn short(id: NodeId) -> String {
    format!("{id:?}")
}
