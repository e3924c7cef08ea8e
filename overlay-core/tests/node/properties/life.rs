//! A node that lives through the steps: what each refers to is chosen among what there is by then.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{
    self, ClientRole, GoodbyeReason, JoinFrame, JoinRequest, LinkFrame, MAX_PAYLOAD, RejectReason,
    Rejection, ServerFrame, Token, VERSION,
};
use overlay_core::{
    Action, BootstrapId, Census, Config, Dial, Epoch, Event, EventKind, Instant, JoinId, LinkId,
    Path, Receipt, Role, Signal,
};
use proptest::sample::Index;

use super::{FrameKind, JoinStep, LinkEvent, ServerEvent, Start, Step, Wish};
use crate::harness::{Solo, candidate, hello, id, ms, sdp, welcome};

fn joiner(who: u8, attempt: u32) -> JoinId {
    // The node under test is 1000: sometimes somebody claims to be it.
    let origin = if who == 7 {
        id(1000)
    } else {
        id(u128::from(who))
    };
    JoinId { origin, attempt }
}

fn path_of(who: u8) -> Path {
    match who {
        0 => Path::default(),
        7 => Path::root(id(1000)),
        _ => Path::root(id(100)).child(id(u128::from(who))).unwrap(),
    }
}

fn join_frame(step: &JoinStep) -> JoinFrame {
    match *step {
        JoinStep::Request {
            who,
            attempt,
            places,
        } => JoinFrame::Request(JoinRequest {
            join: joiner(who, attempt),
            offer: sdp(&format!("{who} {attempt}")),
            census: Census::of_node(places),
            hops: 0,
            waited_ms: 0,
            kind: overlay_core::wire::JoinKind::Introduced,
            lost: overlay_core::Path::default(),
        }),
        JoinStep::Answer(who, attempt) => JoinFrame::Signal {
            join: joiner(who, attempt),
            signal: Signal::Answer(sdp("answer")),
        },
        JoinStep::Candidate(who, attempt) => JoinFrame::Signal {
            join: joiner(who, attempt),
            signal: candidate("candidate"),
        },
        JoinStep::Reject(who, attempt, retry_after_ms) => JoinFrame::Reject {
            join: joiner(who, attempt),
            rejection: Rejection {
                reason: RejectReason::Full,
                retry_after_ms,
            },
        },
        JoinStep::Cancel(who, attempt) => JoinFrame::Cancel {
            join: joiner(who, attempt),
        },
    }
}

fn frame_bytes(kind: &FrameKind) -> Bytes {
    let payload = [7; MAX_PAYLOAD];
    wire::encode(&match kind {
        FrameKind::Hello(who, attempt) => hello(joiner(*who, *attempt), MIN_WINDOW),
        FrameKind::Welcome(who, epoch) => LinkFrame::Welcome {
            version: VERSION,
            id: id(u128::from(*who)),
            epoch: Epoch(*epoch),
            path: path_of(*who),
            window: MIN_WINDOW,
            position: overlay_core::wire::StreamPosition {
                root: id(0),
                epoch: Epoch(*epoch),
                next: *epoch,
            },
        },
        FrameKind::Heartbeat => LinkFrame::Heartbeat,
        FrameKind::Join(step) => LinkFrame::Join(join_frame(step)),
        FrameKind::Status(seen, places) => LinkFrame::Status {
            seen: *seen,
            census: Census::of_node(*places),
        },
        FrameKind::Moved(who, epoch) => LinkFrame::Moved {
            epoch: Epoch(*epoch),
            path: path_of(*who),
        },
        FrameKind::Credit(bytes) => LinkFrame::Credit { bytes: *bytes },
        FrameKind::Goodbye(true) => LinkFrame::Goodbye(GoodbyeReason::Leaving),
        FrameKind::Goodbye(false) => LinkFrame::Goodbye(GoodbyeReason::Closing),
        FrameKind::Direct(len) => LinkFrame::Direct {
            payload: &payload[..*len],
        },
        FrameKind::Broadcast(len) => LinkFrame::Broadcast {
            number: *len as u64,
            payload: &payload[..*len],
        },
    })
}

/// A link that the node has opened, and how far its honest story has gone.
#[derive(Debug)]
struct Opened {
    link: LinkId,
    /// Whose join it is for.
    join: JoinId,
    dials: bool,
    stage: u32,
    live: bool,
}

#[derive(Debug)]
pub(super) struct Life {
    pub(super) solo: Solo,
    links: Vec<Opened>,
    servers: Vec<BootstrapId>,
    server_stage: u32,
    receipts: Vec<Receipt>,
    attempts: u32,
}

impl Life {
    pub(super) fn new(start: Start, config: Config) -> Self {
        let mut life = Self {
            solo: Solo::new(config),
            links: Vec::new(),
            servers: Vec::new(),
            server_stage: 0,
            receipts: Vec::new(),
            attempts: 0,
        };
        let go_on = match start {
            Start::Detached => 0,
            Start::Root => {
                life.wish(&Wish::BecomeRoot(true));
                2
            }
            Start::Member => {
                life.wish(&Wish::Join);
                6
            }
        };
        for step in 0..go_on {
            if step < 2 {
                life.step(Step::ServerGoesOn);
            } else {
                life.link_goes_on(0);
            }
        }
        life
    }

    pub(super) fn event(&mut self, kind: EventKind) {
        for action in self.solo.event(kind) {
            match action {
                Action::OpenLink(link, Dial::Offer) => {
                    self.attempts += 1;
                    self.opened(link, joiner(7, self.attempts), true);
                }
                Action::OpenLink(link, Dial::Answer(offer)) => {
                    // Unless a changed byte has hit it, the offer says whose it is.
                    let mut words = offer.split(' ').map(|word| word.parse().unwrap_or(0));
                    let mut word = || words.next().unwrap_or(0);
                    let who = u8::try_from(word()).unwrap_or(0);
                    self.opened(link, joiner(who, word()), false);
                }
                Action::ConnectBootstrap(id) => {
                    self.servers.push(id);
                    self.server_stage = 0;
                }
                Action::CloseLink(link, _) => self.closed(link),
                Action::Deliver(delivery) => self.receipts.push(delivery.receipt),
                _ => {}
            }
        }
    }

    fn opened(&mut self, link: LinkId, join: JoinId, dials: bool) {
        self.links.push(Opened {
            link,
            join,
            dials,
            stage: 0,
            live: true,
        });
    }

    fn closed(&mut self, link: LinkId) {
        let closed = self.links.iter_mut().find(|opened| opened.link == link);
        if let Some(closed) = closed {
            closed.live = false;
        }
    }

    fn server_says(&mut self, frame: &ServerFrame) {
        if let Some(server) = self.servers.last() {
            let bytes = wire::encode(frame);
            self.event(EventKind::BootstrapMessage(*server, bytes));
        }
    }

    /// Any link there ever was; a live one more often.
    fn link(&self, index: Index) -> Option<usize> {
        let all = 0..self.links.len();
        let live: Vec<usize> = all.clone().filter(|at| self.links[*at].live).collect();
        let of = |choices: &[usize]| (!choices.is_empty()).then(|| *index.get(choices));
        let any: Vec<usize> = all.collect();
        of(&live).filter(|_| index.index(20) > 0).or(of(&any))
    }

    fn receipt(&mut self, index: Index) -> Option<Receipt> {
        (!self.receipts.is_empty()).then(|| {
            let at = index.index(self.receipts.len());
            self.receipts.swap_remove(at)
        })
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Wait(time) => {
                self.solo.now = self.solo.now + ms(time);
                self.event(EventKind::Timeout);
            }
            Step::WaitUntilDue => {
                if let Some(due) = self.solo.node.next_deadline() {
                    self.solo.now = due;
                    self.event(EventKind::Timeout);
                }
            }
            Step::ClockBack(time) => {
                let now = self.solo.now;
                let back = now.as_micros().saturating_sub(time * 1_000);
                let event = Event::new(Instant::from_micros(back), EventKind::Timeout);
                assert_eq!(self.solo.node.handle_input(event), []);
            }
            Step::Wish(wish) => self.wish(&wish),
            Step::ServerGoesOn => {
                self.server_stage += 1;
                let event = match self.server_stage {
                    1 => ServerEvent::Opened,
                    _ => self.expected_welcome(),
                };
                if let Some(server) = self.servers.last() {
                    self.server(*server, &event);
                }
            }
            Step::Server(index, event) => {
                if !self.servers.is_empty() {
                    let server = self.servers[index.index(self.servers.len())];
                    self.server(server, &event);
                }
            }
            Step::Join(step) => match self.solo.node.parent() {
                Some(parent) => self.word(parent.link, &FrameKind::Join(step)),
                None => self.server_says(&ServerFrame::Join(join_frame(&step))),
            },
            Step::LinkGoesOn(index) => {
                if let Some(at) = self.link(index) {
                    self.link_goes_on(at);
                }
            }
            Step::Word(index, kind) => {
                if let Some(at) = self.link(index) {
                    self.word(self.links[at].link, &kind);
                }
            }
            Step::Link(index, event) => {
                if let Some(at) = self.link(index) {
                    self.link_event(self.links[at].link, &event);
                }
            }
            Step::Frame(index, kind, mutation) => {
                if let Some(at) = self.link(index) {
                    let mut bytes = frame_bytes(&kind).to_vec();
                    if let Some((at, byte)) = mutation {
                        let at = at.index(bytes.len());
                        bytes[at] = byte;
                    }
                    let link = self.links[at].link;
                    self.event(EventKind::LinkMessage(link, Bytes::from(bytes)));
                }
            }
            Step::Garbage(index, bytes) => {
                if let Some(at) = self.link(index) {
                    let link = self.links[at].link;
                    self.event(EventKind::LinkMessage(link, Bytes::from(bytes)));
                }
            }
            Step::Consume(index) => {
                if let Some(receipt) = self.receipt(index) {
                    self.event(EventKind::Consumed(receipt));
                }
            }
            Step::LoseReceipt(index) => drop(self.receipt(index)),
        }
    }

    fn wish(&mut self, wish: &Wish) {
        let payload = |len| Bytes::from(vec![1; len]);
        let event = match wish {
            Wish::Join => EventKind::Join,
            Wish::BecomeRoot(token) => {
                EventKind::BecomeRoot(token.then(|| Token::new("token").unwrap()))
            }
            Wish::Leave => EventKind::Leave,
            Wish::Broadcast(len) => EventKind::Broadcast(payload(*len)),
            Wish::Send(index, len) => match self.link(*index) {
                Some(at) => EventKind::Send {
                    to: self.links[at].link,
                    payload: payload(*len),
                },
                None => return,
            },
            Wish::Close(index) => match self.link(*index) {
                Some(at) => EventKind::Close(self.links[at].link),
                None => return,
            },
        };
        self.event(event);
    }

    /// What a server answers that knows of no other root.
    fn expected_welcome(&self) -> ServerEvent {
        let node = &self.solo.node;
        if node.is_standby() || node.role() == Role::Root {
            ServerEvent::Welcome(ClientRole::Root, 1)
        } else {
            ServerEvent::Welcome(ClientRole::Joiner, 0)
        }
    }

    fn server(&mut self, server: BootstrapId, event: &ServerEvent) {
        let frame = match event {
            ServerEvent::Opened => return self.event(EventKind::BootstrapOpened(server)),
            ServerEvent::Closed => return self.event(EventKind::BootstrapClosed(server)),
            ServerEvent::Garbage => Bytes::from_static(&[7, 7]),
            ServerEvent::Welcome(role, epoch) => wire::encode(&ServerFrame::Welcome {
                version: VERSION,
                keepalive_ms: 10_000,
                role: *role,
                epoch: Epoch(u64::from(*epoch)),
                lease_ms: 8_000,
            }),
            ServerEvent::Promoted(epoch) => wire::encode(&ServerFrame::Promoted {
                epoch: Epoch(u64::from(*epoch)),
            }),
            ServerEvent::Refused(refusal) => wire::encode(&ServerFrame::Refused {
                version: VERSION,
                refusal: *refusal,
                retry_after_ms: 500,
            }),
        };
        self.event(EventKind::BootstrapMessage(server, frame));
    }

    fn link_event(&mut self, link: LinkId, event: &LinkEvent) {
        self.event(match event {
            LinkEvent::Offer => EventKind::LinkOffer(link, sdp("offer")),
            LinkEvent::Answer => EventKind::LinkSignal(link, Signal::Answer(sdp("answer"))),
            LinkEvent::Candidate => EventKind::LinkSignal(link, candidate("mine")),
            LinkEvent::Opened => EventKind::LinkOpened(link),
            LinkEvent::Closed => EventKind::LinkClosed(link),
        });
    }

    /// What an honest neighbour might say; if it would not say that, a heartbeat.
    fn word(&mut self, link: LinkId, kind: &FrameKind) {
        use FrameKind::{Broadcast, Credit, Direct, Goodbye, Heartbeat, Join, Moved, Status};
        let node = &self.solo.node;
        let above = node.parent().is_some_and(|parent| parent.link == link);
        let below = node.children().any(|child| child.link == link);
        let fits = match kind {
            Join(JoinStep::Request { .. }) | Broadcast(_) | Moved(1, 1) => above,
            Join(_) | Direct(_) | Credit(_) | Goodbye(_) => above || below,
            Status(..) => below,
            _ => false,
        };
        if above || below {
            let bytes = frame_bytes(if fits { kind } else { &Heartbeat });
            self.event(EventKind::LinkMessage(link, bytes));
        }
    }

    /// What the other side of a link, and the connection, do next.
    fn link_goes_on(&mut self, at: usize) {
        self.links[at].stage += 1;
        let Opened {
            link,
            join,
            dials,
            stage,
            ..
        } = self.links[at];
        let says = |frame: LinkFrame<'_>| EventKind::LinkMessage(link, wire::encode(&frame));
        match (dials, stage) {
            (true, 1) => self.link_event(link, &LinkEvent::Offer),
            (true, 2) => self.server_says(&ServerFrame::Join(JoinFrame::Signal {
                join,
                signal: Signal::Answer(sdp("answer")),
            })),
            (true, 3) | (false, 2) => self.link_event(link, &LinkEvent::Opened),
            (true, 4) => self.event(says(welcome(Epoch(1), path_of(1)))),
            (false, 1) => self.link_event(link, &LinkEvent::Answer),
            (false, 3) => self.event(says(hello(join, MIN_WINDOW))),
            _ => self.event(says(LinkFrame::Heartbeat)),
        }
    }
}
