//! App messages: the root's stream for every node, messages between neighbours, and what passes up to the root and back.
//!
//! | file | idea |
//! |---|---|
//! | `stream` | the root's stream, from the parent into the log, and from there to the children and the app |
//! | `outgoing` | a broadcast of this node's own on its way into the log |
//! | `reader` | the app as a reader of the log |
//! | `direct` | messages from and to a neighbour |
//! | `routed` | messages that pass: up to the root, and its replies |
//! | `gather` | the root's questions, and the answers of a subtree |
//! | `lanes` | credit for whole messages, on each lane of a link |
//! | `stalls` | receivers that take nothing, and what becomes of them |

mod direct;
mod gather;
mod lanes;
mod outgoing;
mod reader;
mod routed;
mod stalls;
mod stream;

use bytes::Bytes;

use super::ancestry::Above;
use super::effects::Effects;
use super::link::Links;
use crate::action::{Held, Receipt};
use crate::ask::Ask;
use crate::bounded::List;
use crate::census::Standing;
use crate::close::ProtocolError;
use crate::event::EventKind;
use crate::flow::MIN_WINDOW;
use crate::id::LinkId;
use crate::log::Log;
use crate::notification::{Notification, Unsent};
use crate::position::{Position, Start};
use crate::slow::SlowPolicy;
use crate::wire::{Ended, Lane, LinkFrame, record_len};

use gather::Gather;
use outgoing::Outgoing;
use reader::Reader;
use routed::Routed;

/// The app messages of a node.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(crate) routed: Routed,
    pub(crate) gather: Gather,
    log: Log,
    reader: Reader,
    /// What the parent sends.
    inflow: Option<Inflow>,
    /// The bytes that a parent-to-be may send at first.
    promised: u32,
    /// The root's broadcast of which not everything is in the log.
    outgoing: Option<Outgoing>,
    /// A broadcast was refused since there was last room.
    refused: bool,
    /// The tree's policy.
    slow: SlowPolicy,
    /// The latest frame of the stream: mostly the next child gets the same.
    latest: Option<((Position, usize), Bytes)>,
}

/// The root's stream on its way from the parent.
#[derive(Debug)]
struct Inflow {
    link: LinkId,
    /// The position of the next record.
    at: Position,
    /// The bytes that have come since the parent's credit was last at a full window.
    used: u32,
}

impl Payload {
    /// Forgets what came in another tree.
    pub(crate) fn forget_stream(&mut self, fx: &Effects) {
        self.log.clear();
        self.reader.forget();
        self.inflow = None;
        self.latest = None;
        self.slow = fx.config.slow;
    }

    /// The app sends a message to the root, or, at the root, replies or asks. `is_away`: this node is not in the tree, and not
    /// on its way.
    pub(crate) fn wish(
        &mut self,
        event: EventKind,
        is_away: bool,
        above: Above,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        match event {
            EventKind::SendUp(bytes) if above.is_root => unsent(bytes, Unsent::IsRoot, fx),
            EventKind::SendUp(bytes) if is_away && above.parent.is_none() => {
                unsent(bytes, Unsent::NotConnected, fx);
            }
            EventKind::SendUp(bytes) => self.routed.send_up(bytes, fx),
            EventKind::Reply { to, tag, payload } if above.is_root => {
                self.routed.reply(to, tag, payload, fx);
            }
            EventKind::Ask(ask) if above.is_root => self.gather.ask(ask, links, fx),
            EventKind::Reply { payload: bytes, .. }
            | EventKind::Ask(Ask {
                question: bytes, ..
            }) => unsent(bytes, Unsent::NotRoot, fx),
            _ => {}
        }
    }

    /// What passes goes on as far as it can.
    pub(crate) fn settle(&mut self, above: Above, links: &mut Links, fx: &mut Effects) {
        let root = self.log.head().map_or(fx.id, |head| head.root);
        self.routed.settle(above, root, links, fx);
        self.gather.settle(links, fx);
    }

    /// How far this node is with the root's stream.
    pub(crate) const fn standing(&self) -> Standing {
        Standing {
            finished: self.reader.is_finished() && self.log.has_end(),
            gapped: self.reader.is_gapped(),
        }
    }

    /// Whether the root's stream has ended here.
    pub(crate) fn has_ended(&self) -> bool {
        self.log.has_end() || self.outgoing.as_ref().is_some_and(Outgoing::is_last)
    }

    /// The bytes of the latest broadcast that are not in the stream yet.
    pub(crate) fn rest_of_broadcast(&self) -> usize {
        self.outgoing.as_ref().map_or(0, Outgoing::rest)
    }

    /// How far this node has come with the root's stream.
    pub(crate) fn position(&self) -> Option<Position> {
        self.log.head()
    }

    /// Where this node comes into the stream of its next parent, and how many bytes it takes at first.
    pub(crate) fn start(&mut self, links: &Links, fx: &Effects) -> (Start, u32) {
        let start = self.log.head().map_or(fx.config.start, Start::At);
        let lag = u32::try_from(self.lag(links)).unwrap_or(u32::MAX);
        self.promised = fx.config.window.saturating_sub(lag);
        (start, self.promised)
    }

    /// The tree's policy for slow receivers.
    pub(crate) const fn slow(&self) -> SlowPolicy {
        self.slow
    }

    /// The number of bytes in the log, and of those of a message that is not complete.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.log.len(), self.reader.assembled())
    }

    /// The end of this node's own stream.
    pub(crate) fn ended(&self) -> Option<Ended> {
        let (position, last) = self.log.end()?;
        let last = List::new(last).ok()?;
        Some(Ended { position, last })
    }

    /// The server says where the stream has ended: whoever brought it is gone, and so is what this node lacks of it.
    pub(crate) fn over(&mut self, ended: &Ended, fx: &mut Effects) {
        let own = self.log.head();
        let had = |own: Position| own.is_of(&ended.position) && own.offset > ended.position.offset;
        if own.is_some_and(had) || !ended.position.is_possible() {
            return;
        }
        let missed = match own {
            Some(own) if own.is_of(&ended.position) => ended.position.offset - own.offset,
            Some(_) => ended.position.offset,
            None => 0,
        };
        let last = ended.last.to_vec();
        let behind = ended.position.plus(record_len(last.len()));
        self.log.begin(behind);
        if own.is_none() {
            self.reader.begin(Start::Live, behind);
        }
        fx.notify(Notification::StreamEnded {
            missed,
            last: last.into(),
        });
    }

    /// The app has taken a message. True if that was the last of the stream.
    pub(crate) fn consumed(
        &mut self,
        Receipt(held): Receipt,
        links: &mut Links,
        fx: &mut Effects,
    ) -> bool {
        match held {
            Held::Mail { link, lane, cost } => {
                lanes::taken(link, lane, cost, links, fx);
                false
            }
            Held::Reply { cost } => {
                self.routed.consumed(cost);
                false
            }
            Held::Stream { cost, last } => {
                let waited = self.reader.pace().waiting().is_some();
                let finished = self.reader.consumed(cost, last);
                // What the app has been handed it has passed: only if more waits for it, this makes a difference.
                if waited {
                    self.flow(links, fx);
                }
                finished
            }
        }
    }

    /// The neighbour takes more.
    pub(crate) fn credited(
        &mut self,
        id: LinkId,
        lane: Lane,
        bytes: u32,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let Some(link) = links.get_mut(id) else {
            return;
        };
        if let Some(mail) = link.mail_mut(lane) {
            mail.outbox.credit_mut().grant(bytes);
            #[cfg(planted)]
            if planted!(fx.config, OutboxReordered) {
                mail.outbox.overtake();
            }
            lanes::pump(id, links, fx);
        } else {
            if let Some(feed) = &mut link.feed {
                feed.grant(bytes);
            }
            self.flow(links, fx);
        }
    }

    /// A link's channel has taken what it was given.
    pub(crate) fn drained(&mut self, id: LinkId, links: &mut Links, fx: &mut Effects) {
        if let Some(link) = links.get_mut(id) {
            link.drained();
            lanes::pump(id, links, fx);
            self.flow(links, fx);
        }
    }

    /// A former neighbour takes more: it gets as much time again, if there is something for it.
    pub(crate) fn credited_late(
        &mut self,
        id: LinkId,
        lane: Lane,
        bytes: u32,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        if bytes > 0 && !self.is_flushed(id, links) {
            links.extend_closing(id, fx);
        }
        self.credited(id, lane, bytes, links, fx);
        self.say_goodbye(id, links, fx);
    }

    /// What comes of the stream from here on is not for this neighbour.
    pub(crate) fn ends_for(&self, id: LinkId, links: &mut Links) {
        if let Some(feed) = links.get_mut(id).and_then(|link| link.feed.as_mut()) {
            feed.ends(&self.log);
        }
    }

    /// Says goodbye on a closing link that has nothing more to bring.
    pub(crate) fn say_goodbye(&self, id: LinkId, links: &mut Links, fx: &mut Effects) {
        if self.is_flushed(id, links) || planted!(fx.config, GoodbyeTooEarly) {
            links.say_goodbye(id, fx);
        }
    }

    /// Whether a neighbour has been sent all that it is to get.
    fn is_flushed(&self, id: LinkId, links: &Links) -> bool {
        links.get(id).is_none_or(|link| {
            let feed = link.feed.as_ref();
            let is_fed = feed.is_none_or(|feed| {
                feed.behind(&self.log) == 0 && (feed.has_end() || self.outgoing.is_none())
            });
            is_fed && link.mails().all(|mail| mail.outbox.is_empty())
        })
    }

    /// At most how many bytes a neighbour has not taken of what it was to get.
    pub(crate) fn unconfirmed(&self, id: LinkId, links: &Links) -> usize {
        links.get(id).map_or(0, |link| {
            let feed = link.feed.as_ref();
            let stream = feed.map_or(0, |feed| feed.unconfirmed(&self.log));
            let mails = link.mails().map(|mail| mail.outbox.unconfirmed());
            mails.sum::<usize>() + stream
        })
    }
}

/// The peer has told its window.
pub(crate) fn grant(id: LinkId, window: u32, links: &mut Links) -> Result<(), ProtocolError> {
    if window < MIN_WINDOW {
        return Err(ProtocolError::SmallWindow);
    }
    if let Some(link) = links.get_mut(id) {
        link.mails_mut()
            .for_each(|mail| mail.outbox.credit_mut().open(window));
    }
    Ok(())
}

/// Hands a message back to the app.
pub(crate) fn unsent(payload: Bytes, reason: Unsent, fx: &mut Effects) {
    fx.notify(Notification::Unsent { payload, reason });
}

/// Grants a neighbour more.
fn credit(id: LinkId, lane: Lane, bytes: u32, links: &mut Links, fx: &mut Effects) {
    links.transmit(id, &LinkFrame::Credit { lane, bytes }, fx);
}
