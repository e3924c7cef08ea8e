//! App messages that wait to be sent. The core refuses a message that a neighbour has no room for; here it waits, and
//! its caller with it.

use bytes::Bytes;
use overlay_core::{EventKind, LinkId, Role, Unsent};

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
    Everyone,
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
            match self.target(send.to) {
                Err(error) => {
                    send.done.tell(Err(error));
                }
                Ok(target) if !blocked.contains(&send.to) && self.takes(target) => {
                    let payload = send.payload;
                    self.handle(match target {
                        Target::Link(to) => EventKind::Send { to, payload },
                        Target::Everyone => EventKind::Broadcast(payload),
                    });
                    send.done.tell(Ok(()));
                }
                Ok(_) => {
                    blocked.push(send.to);
                    self.sends.push_back(send);
                }
            }
        }
    }

    fn target(&self, to: Recipient) -> Result<Target, SendError> {
        match to {
            Recipient::Everyone if self.core.role() == Role::Root => Ok(Target::Everyone),
            Recipient::Everyone => Err(Unsent::NotRoot.into()),
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
            Target::Everyone => self.core.can_broadcast(),
        }
    }
}
