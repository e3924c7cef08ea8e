//! A node that lives through the steps: what each refers to is chosen among what there is by then.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::MAX_FRAME;
use overlay_core::{
    Action, Ask, BootstrapId, Combine, Config, EventKind, LinkId, Receipt, Scope, Signal, Way,
};

use super::{LinkEvent, Role, Step, Wish};
use crate::fuzz::vocabulary::pick;
use crate::fuzz::watched::Watched;
use crate::fuzz::words::{JoinWord, LinkWord, ask, candidate, payload, sdp};
use crate::solo::become_root;

/// A node, and the receipts of what it has delivered.
pub(super) struct Life {
    pub(super) watched: Watched,
    receipts: Vec<Receipt>,
    /// The ways back of what has come for the root.
    ways: Vec<Way>,
}

impl Life {
    pub(super) fn new(role: Role, config: Config) -> Self {
        Self {
            watched: match role {
                Role::Detached => Watched::detached(config),
                Role::Root => Watched::root(config),
                Role::Member => Watched::member(config),
            },
            receipts: Vec::new(),
            ways: Vec::new(),
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        for action in self.happens(step).unwrap_or_default() {
            if let Action::Deliver(delivery) = action {
                if let Scope::Root(way) = delivery.scope {
                    self.ways.push(way);
                }
                self.receipts.push(delivery.receipt);
            }
        }
    }

    /// What the node does about it; `None` if there is nothing that it could happen to.
    fn happens(&mut self, step: Step) -> Option<Vec<Action>> {
        let watched = &mut self.watched;
        let event = match step {
            Step::Wait(ms) => return Some(watched.wait(Duration::from_millis(ms.into()))),
            Step::Jump(secs) => return Some(watched.wait(Duration::from_secs(secs))),
            Step::WaitUntilDue => return watched.wait_until_due(),
            Step::Sleep(ms) => {
                watched.sleep(Duration::from_millis(ms.into()));
                return None;
            }
            Step::ClockBack(ms) => {
                watched.clock_back(Duration::from_millis(ms.into()));
                return None;
            }
            Step::ServerGoesOn => return Some(watched.server_goes_on()),
            Step::Join(word) => return Some(watched.passed_down(word)),
            Step::LinkGoesOn(which) => {
                let at = self.place(which)?;
                return Some(self.watched.link_goes_on(at));
            }
            Step::Wish(wish) => self.wish(wish)?,
            Step::ServerOpened(which) => EventKind::BootstrapOpened(self.server(which)?),
            Step::ServerClosed(which) => EventKind::BootstrapClosed(self.server(which)?),
            Step::Server(which, word) => {
                EventKind::BootstrapMessage(self.server(which)?, word.bytes())
            }
            Step::ServerGarbage(which, bytes) => {
                EventKind::BootstrapMessage(self.server(which)?, garbage(bytes))
            }
            Step::Link(which, event) => link_event(self.link(which)?, event),
            Step::Word(which, word) => {
                let link = self.link(which)?;
                EventKind::LinkMessage(link, self.honest(link, word)?.bytes())
            }
            Step::Frame(which, word) => EventKind::LinkMessage(self.link(which)?, word.bytes()),
            Step::Forged(which, word, at, bits) => {
                EventKind::LinkMessage(self.link(which)?, forged(word, at, bits))
            }
            Step::Garbage(which, bytes) => {
                EventKind::LinkMessage(self.link(which)?, garbage(bytes))
            }
            Step::Huge(which) => {
                EventKind::LinkMessage(self.link(which)?, Bytes::from(vec![2; MAX_FRAME + 1]))
            }
            Step::Consume(which) => EventKind::Consumed(self.receipt(which)?),
            Step::LoseReceipt(which) => {
                self.receipt(which);
                return None;
            }
        };
        Some(self.watched.event(event))
    }

    /// The place of any link there ever was; mostly of an open one.
    fn place(&self, which: u8) -> Option<usize> {
        let links = self.watched.links();
        let open: Vec<usize> = (0..links.len()).filter(|at| links[*at].is_open).collect();
        match pick(which, &open) {
            Some(at) if which < 240 => Some(*at),
            _ => usize::from(which).checked_rem(links.len()),
        }
    }

    fn link(&self, which: u8) -> Option<LinkId> {
        Some(self.watched.links()[self.place(which)?].id)
    }

    fn server(&self, which: u8) -> Option<BootstrapId> {
        pick(which, self.watched.servers()).copied()
    }

    fn receipt(&mut self, which: u8) -> Option<Receipt> {
        let at = usize::from(which).checked_rem(self.receipts.len())?;
        Some(self.receipts.swap_remove(at))
    }

    fn wish(&self, wish: Wish) -> Option<EventKind> {
        let bytes = |len| Bytes::from_static(payload(len));
        Some(match wish {
            Wish::Join => EventKind::Join,
            Wish::BecomeRoot(true) => become_root(),
            Wish::BecomeRoot(false) => EventKind::BecomeRoot(None),
            Wish::Leave => EventKind::Leave,
            Wish::Broadcast(len) => EventKind::Broadcast(bytes(len)),
            Wish::End(len) => EventKind::End(bytes(len)),
            Wish::Send(which, len) => EventKind::Send {
                to: self.link(which)?,
                payload: bytes(len),
            },
            Wish::SendUp(len) => EventKind::SendUp(bytes(len)),
            Wish::CancelSendUp => EventKind::CancelSendUp,
            Wish::Reply(node, tag, len) => EventKind::Reply {
                to: match self.ways.get(usize::from(node) / 8) {
                    Some(way) => way.clone(),
                    None => self.ways.last()?.clone(),
                },
                tag: tag.into(),
                payload: bytes(len),
            },
            Wish::Ask(number, combine, ms) => EventKind::Ask(Ask {
                number: u64::from(number % 8),
                question: bytes(u16::from(number)),
                timeout: Duration::from_millis(ms.into()),
                combine: Combine::ALL[usize::from(combine) % Combine::ALL.len()],
                limit: usize::from(combine) * 100,
            }),
            Wish::Answer(number, 0) => EventKind::Answer(ask(number), None),
            Wish::Answer(number, len) => EventKind::Answer(ask(number), Some(bytes(len))),
            Wish::Combined(number, len) => EventKind::Combined(ask(number), bytes(len)),
            Wish::CancelSend(which) => EventKind::CancelSend(self.link(which)?),
            Wish::CancelBroadcast => EventKind::CancelBroadcast,
            Wish::Close(which) => EventKind::Close(self.link(which)?),
        })
    }

    /// What a neighbour says instead of what it has no right to say.
    fn honest(&self, link: LinkId, word: LinkWord) -> Option<LinkWord> {
        use LinkWord::{
            Answer, Ask, Credit, CreditToPass, Direct, Goodbye, Heartbeat, Invite, Join, Jump,
            Leaving, Moved, Replied, Reply, Stalled, Status, Stay, Stream, Up,
        };
        let node = self.watched.node();
        let above = node.parent().is_some_and(|parent| parent.link == link);
        let below = node.children().any(|child| child.link == link);
        let fits = match word {
            Join(JoinWord::Request(..))
            | Stream(..)
            | Moved(1, 1)
            | Invite(..)
            | Jump(..)
            | Reply(..)
            | Ask(..) => above,
            Join(_) | Direct(..) | Credit(..) | CreditToPass(..) | Goodbye(_) => above || below,
            Status(..) | Stalled(_) | Stay | Leaving | Up(..) | Replied(..) | Answer(..) => below,
            _ => false,
        };
        let word = match word {
            // Whole messages: a part without the others is a fault.
            Direct(_, _, len) => Direct(WHOLE, WHOLE, len),
            word => word,
        };
        (above || below).then_some(if fits { word } else { Heartbeat })
    }
}

/// The number of a record that is a whole message.
const WHOLE: u8 = 15;

fn link_event(link: LinkId, event: LinkEvent) -> EventKind {
    match event {
        LinkEvent::Offer => EventKind::LinkOffer(link, sdp()),
        LinkEvent::Answer => EventKind::LinkSignal(link, Signal::Answer(sdp())),
        LinkEvent::Candidate => EventKind::LinkSignal(link, candidate()),
        LinkEvent::Opened => EventKind::LinkOpened(link),
        LinkEvent::Closed => EventKind::LinkClosed(link),
    }
}

fn garbage(bytes: u32) -> Bytes {
    Bytes::copy_from_slice(&bytes.to_be_bytes())
}

fn forged(word: LinkWord, at: u16, bits: u8) -> Bytes {
    let mut bytes = word.bytes().to_vec();
    let at = usize::from(at) % bytes.len();
    bytes[at] ^= bits;
    Bytes::from(bytes)
}
