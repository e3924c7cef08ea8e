//! App messages that wait to be sent. The core refuses a message that a neighbour has no room for; here it waits, and
//! its caller with it. A large message takes its time to go out, and so long its caller can take it back.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_channel::oneshot;
use overlay_core::{Answers, Ask, EventKind, LinkId, NodeId, Role, Unsent, Way};

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
#[derive(Clone, PartialEq, Eq)]
enum Target {
    Link(LinkId),
    Everyone { last: bool },
    Root,
    Way(Way),
}

/// What the core has taken, and will say what has become of.
#[derive(Default)]
pub(super) struct Awaited {
    latest: u64,
    replies: BTreeMap<u64, Outcome>,
    asks: BTreeMap<u64, AskOutcome>,
}

/// The end of an app that asks.
pub(crate) type AskOutcome = oneshot::Sender<Result<Answers, SendError>>;

impl Awaited {
    /// A number that none had before.
    const fn number(&mut self) -> u64 {
        self.latest += 1;
        self.latest
    }

    pub(super) fn replied(&mut self, tag: u64, arrived: bool) {
        let outcome = if arrived {
            Ok(1)
        } else {
            Err(SendError::Undelivered)
        };
        if let Some(done) = self.replies.remove(&tag) {
            done.tell(outcome);
        }
    }

    pub(super) fn answered(&mut self, number: u64, answers: Answers) {
        if let Some(reply) = self.asks.remove(&number) {
            // The caller may be gone by now.
            let _ = reply.send(Ok(answers));
        }
    }
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

    /// Asks every node. The core says at once if it does not.
    pub(super) fn ask(&mut self, ask: Ask, reply: AskOutcome) {
        let number = self.awaited.number();
        self.refusal = None;
        self.awaited.asks.insert(number, reply);
        self.handle(EventKind::Ask(Ask { number, ..ask }));
        if let Some(reason) = self.refusal.take()
            && let Some(reply) = self.awaited.asks.remove(&number)
        {
            let _ = reply.send(Err(reason.into()));
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
        let target = match self.target(&send.to) {
            Ok(target) => target,
            Err(error) => {
                send.done.tell(Err(error));
                return None;
            }
        };
        // Behind others it could not be told from them.
        if !self.takes(&target) || send.is_large() && self.rest(&target) > 0 {
            return Some(send);
        }
        let receivers = self.receivers(&target);
        let payload = send.payload.clone();
        self.refusal = None;
        self.handle(match target.clone() {
            Target::Link(to) => EventKind::Send { to, payload },
            Target::Everyone { last: false } => EventKind::Broadcast(payload),
            Target::Everyone { last: true } => EventKind::End(payload),
            Target::Root => EventKind::SendUp(payload),
            Target::Way(to) => return self.reply(to, send),
        });
        if send.is_large() && self.rest(&target) > 0 {
            send.under_way = Some(target);
            return Some(send);
        }
        send.done.tell(Ok(receivers));
        None
    }

    /// Hands a reply to the core, which says later what has become of it.
    fn reply(&mut self, to: Way, send: PendingSend) -> Option<PendingSend> {
        let tag = self.awaited.number();
        let payload = send.payload;
        self.awaited.replies.insert(tag, send.done);
        self.handle(EventKind::Reply { to, tag, payload });
        if let Some(reason) = self.refusal.take()
            && let Some(done) = self.awaited.replies.remove(&tag)
        {
            done.tell(Err(reason.into()));
        }
        None
    }

    /// Sees to a large message that is under way. Returns it if it still is.
    fn look_after(&mut self, send: PendingSend) -> Option<PendingSend> {
        let target = send.under_way.clone()?;
        match self.target(&send.to) {
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
                Target::Root | Target::Way(_) => EventKind::CancelSendUp,
            });
            return None;
        }
        let rest = self.rest(&target);
        send.done.progress(send.payload.len().saturating_sub(rest));
        if rest > 0 {
            return Some(send);
        }
        let receivers = self.receivers(&target);
        send.done.tell(Ok(receivers));
        None
    }

    fn target(&self, to: &Recipient) -> Result<Target, SendError> {
        match to {
            Recipient::Everyone { .. } if self.core.role() != Role::Root => {
                Err(Unsent::NotRoot.into())
            }
            Recipient::Everyone { .. } if self.core.has_ended() => Err(Unsent::Ended.into()),
            Recipient::Everyone { last } => Ok(Target::Everyone { last: *last }),
            Recipient::Neighbour(node) => {
                let link = self.link_to(*node).ok_or(Unsent::NotConnected)?;
                Ok(Target::Link(link))
            }
            Recipient::Root => match self.core.role() {
                Role::Root => Err(Unsent::IsRoot.into()),
                Role::Detached => Err(Unsent::NotConnected.into()),
                Role::Joining | Role::Member | Role::Leaving => Ok(Target::Root),
            },
            Recipient::Way(_) if self.core.role() != Role::Root => Err(Unsent::NotRoot.into()),
            Recipient::Way(way) => Ok(Target::Way(way.clone())),
        }
    }

    /// Whether the core would take a message now.
    fn takes(&self, target: &Target) -> bool {
        match target {
            Target::Link(link) => self.core.can_send(*link),
            Target::Root | Target::Way(_) => self.core.can_send_up(),
            Target::Everyone { .. } => self.core.can_broadcast(),
        }
    }

    /// The bytes on this way that have not gone out.
    fn rest(&self, target: &Target) -> usize {
        match target {
            Target::Link(link) => self.core.unsent(*link),
            Target::Root => self.core.unsent_up(),
            // What has become of a reply, the root hears.
            Target::Way(_) => 0,
            Target::Everyone { .. } => self.core.rest_of_broadcast(),
        }
    }

    fn receivers(&self, target: &Target) -> usize {
        match target {
            Target::Link(_) | Target::Root | Target::Way(_) => 1,
            Target::Everyone { .. } => self.core.children().count(),
        }
    }
}

/// The sends that stay in order among themselves.
#[derive(PartialEq, Eq)]
enum Queue {
    Neighbour(NodeId),
    /// To every node, the last message among them.
    Everyone,
    /// Up, or from the root down.
    Passing,
}

impl Recipient {
    const fn queue(&self) -> Queue {
        match self {
            Self::Neighbour(node) => Queue::Neighbour(*node),
            Self::Everyone { .. } => Queue::Everyone,
            Self::Root | Self::Way(_) => Queue::Passing,
        }
    }
}
