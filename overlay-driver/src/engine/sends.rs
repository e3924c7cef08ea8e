//! App messages that wait to be sent. The core refuses a message that a neighbour has no room for; here it waits, and
//! its caller with it. A large message takes its time to go out, and so long its caller can take it back.

use bytes::Bytes;
use overlay_core::{EventKind, LinkId, NodeId, Role, Unsent};

use super::Engine;
use crate::handle::{LARGE, Recipient, SendError};
use crate::sending::Outcome;

/// A message that waits for its recipient, and the caller that waits with it.
pub(super) struct PendingSend {
    to: Recipient,
    payload: Bytes,
    done: Outcome,
    /// The way of a large message that the core has taken, and of which some has yet to go out.
    under_way: Option<Target>,
}

/// A message's destination.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Link(LinkId),
    Everyone { last: bool },
}

impl PendingSend {
    pub(super) const fn new(to: Recipient, payload: Bytes, done: Outcome) -> Self {
        Self {
            to,
            payload,
            done,
            under_way: None,
        }
    }

    fn is_large(&self) -> bool {
        self.payload.len() > LARGE
    }
}

impl Engine {
    /// Sends the waiting messages that can be sent now, in order for each recipient.
    pub(super) fn retry_sends(&mut self) {
        let mut blocked = Vec::new();
        for _ in 0..self.sends.len() {
            let Some(send) = self.sends.pop_front() else {
                break;
            };
            let queue = send.to.queue();
            let left = if send.under_way.is_some() {
                self.look_after(send)
            } else if blocked.contains(&queue) && !send.done.is_revoked() {
                Some(send)
            } else {
                self.begin(send)
            };
            if let Some(send) = left {
                blocked.push(queue);
                self.sends.push_back(send);
            }
        }
    }

    /// Whether a message waits that is promised to be sent.
    pub(super) fn has_promised_sends(&self) -> bool {
        self.sends.iter().any(|send| send.done.is_promised())
    }

    /// Hands a message to the core, if that takes it. Returns it if it waits, or is under way.
    fn begin(&mut self, mut send: PendingSend) -> Option<PendingSend> {
        if send.done.is_revoked() {
            return None;
        }
        let target = match self.target(send.to) {
            Ok(target) => target,
            Err(error) => {
                send.done.tell(Err(error));
                return None;
            }
        };
        // Behind others it could not be told from them.
        if !self.takes(target) || send.is_large() && self.rest(target) > 0 {
            return Some(send);
        }
        let receivers = self.receivers(target);
        let payload = send.payload.clone();
        self.handle(match target {
            Target::Link(to) => EventKind::Send { to, payload },
            Target::Everyone { last: false } => EventKind::Broadcast(payload),
            Target::Everyone { last: true } => EventKind::End(payload),
        });
        if send.is_large() && self.rest(target) > 0 {
            send.under_way = Some(target);
            return Some(send);
        }
        send.done.tell(Ok(receivers));
        None
    }

    /// Sees to a large message that is under way. Returns it if it still is.
    fn look_after(&mut self, send: PendingSend) -> Option<PendingSend> {
        let target = send.under_way?;
        match self.target(send.to) {
            Ok(now) if now == target => {}
            Ok(_) => {
                send.done.tell(Err(Unsent::NotConnected.into()));
                return None;
            }
            Err(error) => {
                send.done.tell(Err(error));
                return None;
            }
        }
        if send.done.is_revoked() {
            self.handle(match target {
                Target::Link(to) => EventKind::CancelSend(to),
                Target::Everyone { .. } => EventKind::CancelBroadcast,
            });
            return None;
        }
        let rest = self.rest(target);
        send.done.progress(send.payload.len().saturating_sub(rest));
        if rest > 0 {
            return Some(send);
        }
        let receivers = self.receivers(target);
        send.done.tell(Ok(receivers));
        None
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

    /// The bytes on this way that have not gone out.
    fn rest(&self, target: Target) -> usize {
        match target {
            Target::Link(link) => self.core.unsent(link),
            Target::Everyone { .. } => self.core.rest_of_broadcast(),
        }
    }

    fn receivers(&self, target: Target) -> usize {
        match target {
            Target::Link(_) => 1,
            Target::Everyone { .. } => self.core.children().count(),
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
