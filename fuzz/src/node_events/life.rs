//! A node that lives through the steps: what each refers to is chosen among what there is by then.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::MAX_FRAME;
use overlay_core::{Action, Config, EventKind, LinkId, Receipt, Signal};

use super::{LinkEvent, Role, Step, Wish};
use crate::cast::{JoinWord, LinkWord, candidate, payload, sdp};
use crate::vocabulary::pick;
use crate::watched::{Watched, become_root};

/// A node, and the receipts of what it has delivered.
pub(super) struct Life {
    pub(super) watched: Watched,
    receipts: Vec<Receipt>,
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
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        let watched = &mut self.watched;
        let message = |link: LinkId, bytes: Bytes| EventKind::LinkMessage(link, bytes);
        let event = match step {
            Step::Wait(ms) => return self.answered(|w| w.wait(Duration::from_millis(ms.into()))),
            Step::Jump(secs) => return self.answered(|w| w.wait(Duration::from_secs(secs))),
            Step::WaitUntilDue => {
                return self.answered(|w| w.wait_until_due().unwrap_or_default());
            }
            Step::ClockBack(ms) => return watched.clock_back(Duration::from_millis(ms.into())),
            Step::ServerGoesOn => return self.answered(Watched::server_goes_on),
            Step::LinkGoesOn(which) => {
                let Some(at) = self.place(which) else { return };
                return self.answered(|w| w.link_goes_on(at));
            }
            Step::Join(word) => return self.answered(|w| w.passed_down(word)),
            Step::Wish(wish) => match self.wish(wish) {
                Some(event) => event,
                None => return,
            },
            Step::ServerOpened(which)
            | Step::ServerClosed(which)
            | Step::Server(which, _)
            | Step::ServerGarbage(which, _) => {
                let Some(server) = pick(which, watched.servers()).copied() else {
                    return;
                };
                match step {
                    Step::ServerOpened(_) => EventKind::BootstrapOpened(server),
                    Step::ServerClosed(_) => EventKind::BootstrapClosed(server),
                    Step::Server(_, word) => EventKind::BootstrapMessage(server, word.bytes()),
                    _ => EventKind::BootstrapMessage(server, garbage(step)),
                }
            }
            Step::Link(which, _)
            | Step::Word(which, _)
            | Step::Frame(which, _)
            | Step::Forged(which, ..)
            | Step::Garbage(which, _)
            | Step::Huge(which) => {
                let Some(at) = self.place(which) else { return };
                let link = self.watched.links()[at].id;
                match step {
                    Step::Link(_, event) => link_event(link, event),
                    Step::Word(_, word) => match self.honest(link, word) {
                        Some(word) => message(link, word.bytes()),
                        None => return,
                    },
                    Step::Frame(_, word) => message(link, word.bytes()),
                    Step::Forged(_, word, at, bits) => message(link, forged(word, at, bits)),
                    Step::Huge(_) => message(link, Bytes::from(vec![2; MAX_FRAME + 1])),
                    _ => message(link, garbage(step)),
                }
            }
            Step::Consume(which) => match self.receipt(which) {
                Some(receipt) => EventKind::Consumed(receipt),
                None => return,
            },
            Step::LoseReceipt(which) => {
                self.receipt(which);
                return;
            }
        };
        self.answered(|watched| watched.event(event));
    }

    /// Lets something happen, and keeps the receipts of what is delivered.
    fn answered(&mut self, happens: impl FnOnce(&mut Watched) -> Vec<Action>) {
        for action in happens(&mut self.watched) {
            if let Action::Deliver(delivery) = action {
                self.receipts.push(delivery.receipt);
            }
        }
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

    fn receipt(&mut self, which: u8) -> Option<Receipt> {
        let at = usize::from(which).checked_rem(self.receipts.len())?;
        Some(self.receipts.swap_remove(at))
    }

    fn wish(&self, wish: Wish) -> Option<EventKind> {
        let bytes = |len| Bytes::from_static(payload(len));
        let link = |which| Some(self.watched.links()[self.place(which)?].id);
        Some(match wish {
            Wish::Join => EventKind::Join,
            Wish::BecomeRoot(true) => become_root(),
            Wish::BecomeRoot(false) => EventKind::BecomeRoot(None),
            Wish::Leave => EventKind::Leave,
            Wish::Broadcast(len) => EventKind::Broadcast(bytes(len)),
            Wish::Send(which, len) => EventKind::Send {
                to: link(which)?,
                payload: bytes(len),
            },
            Wish::Close(which) => EventKind::Close(link(which)?),
        })
    }

    /// What a neighbour says instead of what it has no right to say.
    fn honest(&self, link: LinkId, word: LinkWord) -> Option<LinkWord> {
        use LinkWord::{Broadcast, Credit, Direct, Goodbye, Heartbeat, Join, Moved, Status};
        let node = self.watched.node();
        let above = node.parent().is_some_and(|parent| parent.link == link);
        let below = node.children().any(|child| child.link == link);
        let fits = match word {
            Join(JoinWord::Request(..)) | Broadcast(_) | Moved(1, 1) => above,
            Join(_) | Direct(_) | Credit(_) | Goodbye(_) => above || below,
            Status(..) => below,
            _ => false,
        };
        (above || below).then_some(if fits { word } else { Heartbeat })
    }
}

fn link_event(link: LinkId, event: LinkEvent) -> EventKind {
    match event {
        LinkEvent::Offer => EventKind::LinkOffer(link, sdp()),
        LinkEvent::Answer => EventKind::LinkSignal(link, Signal::Answer(sdp())),
        LinkEvent::Candidate => EventKind::LinkSignal(link, candidate()),
        LinkEvent::Opened => EventKind::LinkOpened(link),
        LinkEvent::Closed => EventKind::LinkClosed(link),
    }
}

fn garbage(step: Step) -> Bytes {
    match step {
        Step::Garbage(_, bytes) | Step::ServerGarbage(_, bytes) => {
            Bytes::copy_from_slice(&bytes.to_be_bytes())
        }
        _ => Bytes::new(),
    }
}

fn forged(word: LinkWord, at: u16, bits: u8) -> Bytes {
    let mut bytes = word.bytes().to_vec();
    let at = usize::from(at) % bytes.len();
    bytes[at] ^= bits;
    Bytes::from(bytes)
}
