//! One node, and anything that may befall it: honest steps, late ones, forged ones, garbage, a clock that jumps.
//!
//! Claims: [`overlay_sim::Rules`] hold after every event; what the node holds stays within its limits; time that runs
//! backwards changes nothing; a node that shall leave has left in the end, though nobody answers, and wants nothing
//! any more.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::MAX_FRAME;
use overlay_core::{Action, Config, EventKind, LinkId, Policy, Receipt, Signal};

use crate::cast::{JoinWord, LinkWord, ServerWord, candidate, payload, sdp};
use crate::vocabulary::{pick, read, vocabulary};
use crate::watched::{Watched, become_root};

vocabulary! {
    /// Where a story begins.
    pub struct Opening {
        /// What the node is.
        role: Role,
        /// Most children, modulo 4.
        degree: u8,
        /// Most requests that wait, modulo 4.
        parked: u8,
        /// Most candidates of each of them, modulo 3.
        early: u8,
        /// Routes beyond the degree, modulo 5, plus 1.
        routes: u8,
        /// Seconds for a handshake, modulo 40, plus 1.
        request: u8,
        /// Seconds until a request settles for less, modulo 5, plus 1.
        patience: u8,
        /// Seconds that it waits in all, modulo 20, plus 1.
        park: u8,
        /// How many short messages are queued, modulo 3, times 3.
        queue: u8,
        /// Whether the policy is `Hash`.
        hash: bool,
    }

    /// What the node is when the story begins.
    pub enum Role {
        /// Nothing yet.
        1 => Detached,
        /// Registered as the root.
        1 => Root,
        /// Below a parent.
        1 => Member,
    }

    /// Something happens. Who or what it happens to is chosen by number among what there is by then.
    pub enum Step {
        /// So many milliseconds pass.
        6 => Wait(ms: u16),
        /// Time passes until something is due.
        4 => WaitUntilDue,
        /// The clock shows so many milliseconds less.
        1 => ClockBack(ms: u32),
        /// The clock jumps by so many seconds.
        1 => Jump(secs: u64),
        /// The app wants something.
        8 => Wish(wish: Wish),
        /// The server does what it would do next.
        6 => ServerGoesOn,
        /// A connection to the server is open.
        1 => ServerOpened(which: u8),
        /// A connection to the server has ended.
        1 => ServerClosed(which: u8),
        /// The server says anything.
        2 => Server(which: u8, word: ServerWord),
        /// The server says what is no frame.
        1 => ServerGarbage(which: u8, bytes: u32),
        /// The server or the parent passes a join's frame down.
        12 => Join(word: JoinWord),
        /// The other side of a link, and the connection, do what they would do next.
        40 => LinkGoesOn(which: u8),
        /// What happens to a connection, at any time.
        3 => Link(which: u8, event: LinkEvent),
        /// A frame that an honest neighbour may send.
        40 => Word(which: u8, word: LinkWord),
        /// Any frame.
        1 => Frame(which: u8, word: LinkWord),
        /// Any frame, with bits flipped in the byte at this place.
        1 => Forged(which: u8, word: LinkWord, at: u16, bits: u8),
        /// What is no frame.
        1 => Garbage(which: u8, bytes: u32),
        /// A frame that is too long.
        1 => Huge(which: u8),
        /// The app has taken a message.
        10 => Consume(which: u8),
        /// The app loses the receipt of a message.
        1 => LoseReceipt(which: u8),
    }

    /// What the app wants.
    pub enum Wish {
        /// To be in the tree.
        6 => Join,
        /// To be the root, with or without a server.
        4 => BecomeRoot(with_server: bool),
        /// To leave.
        1 => Leave,
        /// To send so many bytes to a neighbour.
        20 => Send(which: u8, len: u16),
        /// To send so many bytes to all.
        20 => Broadcast(len: u16),
        /// To close the link to a neighbour.
        2 => Close(which: u8),
    }

    /// What the embedder may tell of a link.
    pub enum LinkEvent {
        /// The offer is made.
        1 => Offer,
        /// The answer is made.
        1 => Answer,
        /// There is a candidate.
        1 => Candidate,
        /// The channel is open.
        1 => Opened,
        /// The link is over.
        1 => Closed,
    }
}

/// Runs the story that the bytes tell.
pub fn run(bytes: &[u8]) {
    let Ok((opening, steps)) = read::<Opening, Step>(bytes) else {
        return;
    };
    let config = opening.config();
    let most = most_text(&config);
    let mut life = Life::new(opening.role, config);
    steps.for_each(|step| life.step(step));
    let size = life.watched.size();
    assert!(size < most, "the node holds {size} characters");
    life.watched.leaves_in_silence();
}

impl Opening {
    fn config(&self) -> Config {
        let secs = |byte: u8, modulus: u8| Duration::from_secs(u64::from(byte % modulus) + 1);
        let max_degree = u16::from(self.degree % 4);
        Config {
            max_degree,
            policy: if self.hash {
                Policy::Hash
            } else {
                Policy::Balanced
            },
            max_parked: usize::from(self.parked % 4),
            max_early_candidates: usize::from(self.early % 3),
            max_routes: usize::from(max_degree) + usize::from(self.routes % 5) + 1,
            request_timeout: secs(self.request, 40),
            patience: secs(self.patience, 5),
            park_timeout: secs(self.park, 20),
            window: MIN_WINDOW,
            send_queue: usize::from(self.queue % 3) * 200,
            ..Config::default()
        }
    }
}

/// A generous limit of what a node may hold, counted in characters of its `Debug` text: a byte takes up to four.
fn most_text(config: &Config) -> usize {
    let links = usize::from(config.max_degree) + 3;
    let app = config.window as usize * 2 + config.send_queue + MIN_WINDOW as usize;
    let joins = config.max_parked * (1 + config.max_early_candidates) + config.max_routes;
    10_000 + links * (5_000 + app * 12) + joins * 1_000
}

struct Life {
    watched: Watched,
    receipts: Vec<Receipt>,
}

impl Life {
    fn new(role: Role, config: Config) -> Self {
        Self {
            watched: match role {
                Role::Detached => Watched::detached(config),
                Role::Root => Watched::root(config),
                Role::Member => Watched::member(config),
            },
            receipts: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
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
            Step::LoseReceipt(which) => return drop(self.receipt(which)),
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
