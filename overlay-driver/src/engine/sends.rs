//! App messages that wait to be sent. The core refuses a message that a neighbour has no room for; here it waits, and
//! its caller with it.

use bytes::Bytes;
use overlay_core::{EventKind, LinkId, NodeId, Role, Unsent};

use super::Engine;
use crate::handle::{Recipient, SendError};
use crate::sending::Outcome;

/// A message that waits for its recipient, and the caller that waits with it.
pub(super) struct PendingSend {
    pub(super) to: Recipient,
    pub(super) payload: Bytes,
    pub(super) done: Outcome,
}

/// A message's destination.
#[derive(Clone, Copy)]
enum Target {
    Link(LinkId),
    Everyone { last: bool },
}

impl Engine {
    /// Sends the waiting messages that can be sent now, in order for each recipient.
    pub(super) fn retry_sends(&mut self) {
        let mut blocked = Vec::new();
        for _ in 0..self.sends.len() {
            let Some(send) = self.sends.pop_front() else {
                break;
            };
            if send.done.is_revoked() {
                continue;
            }
            let queue = send.to.queue();
            match self.target(send.to) {
                Err(error) => {
                    send.done.tell(Err(error));
                }
                Ok(target) if !blocked.contains(&queue) && self.takes(target) => {
                    let payload = send.payload;
                    let receivers = match target {
                        Target::Link(_) => 1,
                        Target::Everyone { .. } => self.core.children().count(),
                    };
                    self.handle(match target {
                        Target::Link(to) => EventKind::Send { to, payload },
                        Target::Everyone { last: false } => EventKind::Broadcast(payload),
                        Target::Everyone { last: true } => EventKind::End(payload),
                    });
                    send.done.tell(Ok(receivers));
                }
                Ok(_) => {
                    blocked.push(queue);
                    self.sends.push_back(send);
                }
            }
        }
    }

    fn target(&self, to: Recipient) -> Result<Target, SendError> {
        match to {
            Recipient::Everyone { .. } if self.core.role() != Role::Root => {
                Err(Unsent::NotRoot.into())
            }
            Recipient::Everyone { .. } if self.core.has_ended() => Err(Unsent::Ended.into()),
            Recipient::Everyone { last } => Ok(Target::Everyone { last }),
            Recipient::Neighbour(node) => {
                let link = self.link_to(node).ok_or(Unsent::NotConnected)?;
                Ok(Target::Link(link))
            }
        }
    }

    /// Whether the core would take a message now.
    fn takes(&self, target: Target) -> bool {
        match target {
            Target::Link(link) => self.core.can_send(link),
            Target::Everyone { .. } => self.core.can_broadcast(),
        }
    }
}

impl Recipient {
    /// The neighbour whose messages stay in order; `None` for those to every node, the last among them.
    const fn queue(self) -> Option<NodeId> {
        match self {
            Self::Neighbour(node) => Some(node),
            Self::Everyone { .. } => None,
        }
    }
}
