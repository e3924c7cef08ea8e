//! Two nodes, and a wire that keeps the order within a connection, not between connections.
//!
//! The claims, against a naive model of one queue for each direction of a link, and one list of what the root has
//! broadcast:
//!
//! - Messages are delivered in the order in which they were sent, none lost and none doubled.
//! - So are broadcasts, across all links and moves: if one is missing, the app was told of the gap.
//! - A link that is closed with a goodbye has delivered all of them.
//! - Two honest nodes never find fault with each other.
//! - When everything is delivered and taken, parent and child agree, and the model's queues are empty. A node whose
//!   message was refused has been told that there is room.
//! - When nothing interferes any more, the joiner becomes the root's child.

mod passing_model;
mod stream_model;
mod wire_model;

use std::time::Duration;

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::{
    Action, Ask, CloseReason, Combine, Config, EventKind, LinkId, Notification, Receipt, Role,
    Scope, Unsent, Way,
};

use crate::fuzz::vocabulary::{read, vocabulary};
use crate::fuzz::watched::Watched;
use crate::fuzz::words::{MAX_MESSAGE, payload};
use crate::solo::become_root;
use passing_model::Passing;
use stream_model::Stream;
use wire_model::Wires;

/// The node that wants to be the root, by its place here.
const ROOT: usize = 0;
/// The node that wants to join.
const JOINER: usize = 1;

/// Rounds of delivering everything, and of waiting until something is due, that two nodes need at the very most.
const MOST_ROUNDS: usize = 2_000;

vocabulary! {
    /// How the two nodes are configured.
    pub struct Opening {
        /// Children of the root, modulo 2, plus 1.
        degree: u8,
        /// How many short messages are queued, modulo 4, times 3; and the bytes of history, by 20,000.
        queue: u8,
    }

    /// A step of the model. `joiner` selects the node.
    pub enum Step {
        /// The next of what is on its way on one of the connections arrives.
        110 => Deliver(which: u8),
        /// An app message to the neighbour.
        30 => Send(joiner: bool, len: u16),
        /// An app message on any link there ever was.
        5 => SendOn(joiner: bool, which: u8, len: u16),
        /// An app message to all.
        20 => Broadcast(joiner: bool, len: u16),
        /// An app message of the joiner to the root, which replies.
        20 => SendUp(len: u16),
        /// A question of the root.
        4 => Ask(combine: u8),
        /// The app takes a message: the first, or any.
        30 => Consume(joiner: bool, which: u8),
        /// The root wants to be one, the joiner wants to join.
        6 => Wish(joiner: bool),
        /// The node wants to leave.
        2 => Leave(joiner: bool),
        /// The node closes a link.
        3 => Close(joiner: bool, which: u8),
        /// Time passes for one of them until something is due there.
        10 => WaitUntilDue(joiner: bool),
        /// This many milliseconds pass for one of them.
        6 => Wait(joiner: bool, ms: u16),
        /// The connection to the server fails.
        2 => LoseServer(joiner: bool),
        /// A link fails, for both.
        2 => LoseLink(which: u8),
    }
}

/// Runs the story that the bytes tell.
pub fn run(bytes: &[u8]) {
    let Ok((opening, steps)) = read::<Opening, Step>(bytes) else {
        return;
    };
    let mut pair = Pair::new(opening);
    pair.step(Step::Wish(false));
    pair.step(Step::Wish(true));
    steps.for_each(|step| pair.step(step));
    pair.settles();
    pair.finds_together();
    pair.nodes.into_iter().for_each(Watched::leaves_in_silence);
}

struct Pair {
    nodes: [Watched; 2],
    wires: Wires,
    /// What the root has broadcast, and how far the joiner has come with it.
    stream: Stream,
    /// What the joiner has sent to the root, and the root's replies and questions.
    passing: Passing,
    /// What the apps have been handed and not taken yet.
    receipts: [Vec<Receipt>; 2],
    /// The number of the next app message.
    next: u32,
}

impl Pair {
    fn new(opening: Opening) -> Self {
        let config = Config {
            max_degree: u16::from(opening.degree % 2) + 1,
            window: MIN_WINDOW,
            send_queue: usize::from(opening.queue % 4) * 200,
            history: usize::from(opening.queue / 4 % 4) * 20_000,
            max_message: MAX_MESSAGE,
            ..Config::default()
        };
        let node = |number| {
            let node = Watched::new(number, config.clone());
            node.unwrap_or_else(|_| unreachable!("the configuration is valid"))
        };
        Self {
            nodes: [node(1), node(2)],
            wires: Wires::default(),
            stream: Stream::default(),
            passing: Passing::default(),
            receipts: [Vec::new(), Vec::new()],
            next: 0,
        }
    }

    fn step(&mut self, step: Step) {
        let at = usize::from;
        match step {
            Step::Deliver(which) => {
                self.deliver(usize::from(which));
            }
            Step::Send(joiner, len) => {
                let node = self.nodes[at(joiner)].node();
                let link = node.parent().or_else(|| node.children().next());
                if let Some(link) = link {
                    self.send(at(joiner), link.link, len);
                }
            }
            Step::SendOn(joiner, which, len) => {
                if let Some(link) = self.wires.any_link(at(joiner), which) {
                    self.send(at(joiner), link, len);
                }
            }
            Step::Broadcast(joiner, len) => self.broadcast(at(joiner), len),
            Step::SendUp(len) => self.send_up(len),
            Step::Ask(combine) => {
                let number = self.passing.ask();
                self.event(
                    ROOT,
                    EventKind::Ask(Ask {
                        number,
                        question: Bytes::from_static(b"?"),
                        timeout: Duration::from_secs(5),
                        combine: Combine::ALL[usize::from(combine) % Combine::ALL.len()],
                        limit: 100,
                    }),
                );
            }
            Step::Consume(joiner, which) => {
                let receipts = &mut self.receipts[at(joiner)];
                if let Some(which) = usize::from(which).checked_rem(receipts.len()) {
                    let receipt = receipts.remove(which);
                    self.event(at(joiner), EventKind::Consumed(receipt));
                }
            }
            Step::Wish(false) => self.event(ROOT, become_root()),
            Step::Wish(true) => self.event(JOINER, EventKind::Join),
            Step::Leave(joiner) => self.event(at(joiner), EventKind::Leave),
            Step::Close(joiner, which) => {
                if let Some(link) = self.wires.any_link(at(joiner), which) {
                    self.event(at(joiner), EventKind::Close(link));
                }
            }
            Step::WaitUntilDue(joiner) => self.wait_until_due(at(joiner)),
            Step::Wait(joiner, ms) => {
                let actions = self.nodes[at(joiner)].wait(Duration::from_millis(ms.into()));
                self.carry_out(at(joiner), actions);
            }
            Step::LoseServer(joiner) => self.wires.lose_server(at(joiner)),
            Step::LoseLink(which) => self.wires.lose_link(which),
        }
    }

    fn event(&mut self, node: usize, event: EventKind) {
        let actions = self.nodes[node].event(event);
        self.carry_out(node, actions);
    }

    fn wait_until_due(&mut self, node: usize) {
        let actions = self.nodes[node].wait_until_due();
        self.carry_out(node, actions.unwrap_or_default());
    }

    /// Whether anything was on its way.
    fn deliver(&mut self, which: usize) -> bool {
        let Some((node, event)) = self.wires.next(which) else {
            return false;
        };
        self.event(node, event);
        true
    }

    fn message(&mut self, len: u16) -> Bytes {
        self.next += 1;
        let mut bytes = self.next.to_be_bytes().to_vec();
        bytes.extend_from_slice(payload(len).get(4..).unwrap_or_default());
        Bytes::from(bytes)
    }

    fn send(&mut self, node: usize, to: LinkId, len: u16) {
        let message = self.message(len);
        let watched = self.nodes[node].node();
        let neighbours = || watched.parent().into_iter().chain(watched.children());
        let is_neighbour = neighbours().any(|neighbour| neighbour.link == to);
        let payload = message.clone();
        let too_long = payload.len() > MAX_MESSAGE;
        let actions = self.nodes[node].event(EventKind::Send { to, payload });
        match unsent(&actions) {
            None => {
                assert!(is_neighbour, "a message was taken for no neighbour");
                self.wires.sent(node, to, message);
            }
            Some(Unsent::NotConnected) => assert!(!is_neighbour),
            Some(Unsent::Backlog) => self.wires.refused(node, to),
            Some(reason) => assert!(reason == Unsent::TooLong && too_long),
        }
        self.carry_out(node, actions);
    }

    fn send_up(&mut self, len: u16) {
        let message = self.message(len);
        let actions = self.nodes[JOINER].event(EventKind::SendUp(message.clone()));
        if unsent(&actions).is_none() {
            self.passing.up(message);
        }
        self.carry_out(JOINER, actions);
    }

    /// The root replies to what the joiner has sent, which is as long.
    fn reply(&mut self, to: Way, message: &Bytes) {
        let tag = self.passing.at_root(message);
        let payload = [
            &tag.to_be_bytes(),
            &message[..message.len().min(MAX_MESSAGE - 8)],
        ]
        .concat();
        let payload = Bytes::from(payload);
        let actions = self.nodes[ROOT].event(EventKind::Reply { to, tag, payload });
        if unsent(&actions).is_some() {
            self.passing.refused(tag);
        }
        self.carry_out(ROOT, actions);
    }

    fn broadcast(&mut self, node: usize, len: u16) {
        let message = self.message(len);
        let watched = self.nodes[node].node();
        let is_root = watched.role() == Role::Root;
        let (takes, position) = (watched.can_broadcast(), watched.position());
        let too_long = message.len() > MAX_MESSAGE;
        let actions = self.nodes[node].event(EventKind::Broadcast(message.clone()));
        match unsent(&actions) {
            None => {
                assert!(is_root && takes, "a broadcast that should be refused");
                self.stream.sent(position, message);
            }
            Some(Unsent::NotRoot) => assert!(!is_root),
            Some(Unsent::Backlog) => {
                assert!(is_root && !takes, "a broadcast that should be taken");
                self.stream.refused();
            }
            Some(reason) => assert!(reason == Unsent::TooLong && too_long),
        }
        self.carry_out(node, actions);
    }

    fn carry_out(&mut self, node: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Deliver(delivery) => {
                    match delivery.scope {
                        Scope::Root(way) => {
                            assert_eq!(node, ROOT, "the joiner is no root");
                            self.reply(way, &delivery.payload);
                        }
                        Scope::Reply => self.passing.at_joiner(&delivery.payload),
                        Scope::Direct(link) => self.wires.delivered(node, link, &delivery.payload),
                        Scope::Broadcast(at) | Scope::End(at) => {
                            assert_eq!(node, JOINER, "the root gets its own broadcast");
                            self.stream.delivered(at, &delivery.payload);
                        }
                    }
                    self.receipts[node].push(delivery.receipt);
                }
                Action::CloseLink(link, reason) => {
                    let fault = matches!(
                        reason,
                        CloseReason::ProtocolError(_)
                            | CloseReason::Malformed(_)
                            | CloseReason::Slow
                    );
                    assert!(!fault, "closes the link to an honest node: {reason}");
                    self.wires.closed(node, link);
                }
                Action::Notify(notification) => self.told(node, &notification),
                Action::Ask(asked) => {
                    let one = Bytes::from_static(&[1, 0, 0, 0, 0, 0, 0, 0]);
                    self.event(node, EventKind::Answer(asked.ask, Some(one)));
                }
                action => self.wires.carry_out(node, action),
            }
        }
    }

    fn told(&mut self, node: usize, notification: &Notification) {
        match *notification {
            Notification::ParentClosed { link, reason, .. }
            | Notification::ChildClosed { link, reason, .. } => {
                if matches!(reason, CloseReason::PeerLeft | CloseReason::PeerClosed) {
                    self.wires.nothing_is_left_for(node, link);
                }
            }
            Notification::Writable(link) => self.wires.writable(node, link),
            Notification::RoomToBroadcast => self.stream.has_room(),
            Notification::Replied { tag, arrived, .. } => self.passing.replied(tag, arrived),
            Notification::Answers {
                number,
                ref answers,
            } => self.passing.answers(number, answers),
            Notification::Gap { from, to } => self.stream.gap(from, to),
            // The next tree is another one for it.
            Notification::Left if node == JOINER => self.stream.begins(),
            _ => {}
        }
    }

    /// Everything is delivered and taken, and no time passes.
    fn settles(&mut self) {
        for round in 0.. {
            let mut busy = self.deliver(0);
            for node in [ROOT, JOINER] {
                for receipt in std::mem::take(&mut self.receipts[node]) {
                    self.event(node, EventKind::Consumed(receipt));
                    busy = true;
                }
            }
            if !busy {
                break;
            }
            let most = MOST_ROUNDS + 4 * self.next as usize;
            assert!(round < most, "the two nodes never fall silent");
        }
        let [root, joiner] = [ROOT, JOINER].map(|at| self.nodes[at].node());
        let parent = joiner.parent().map(|parent| parent.link);
        let child = root.children().next().map(|child| child.link);
        let agree = match (parent, child) {
            (Some(parent), Some(child)) => self.wires.are_ends([(ROOT, child), (JOINER, parent)]),
            (None, None) => true,
            _ => false,
        };
        assert!(
            agree,
            "parent {parent:?}, child {child:?}: {:?}",
            self.wires
        );
        if let (Some(parent), Some(child)) = (parent, child) {
            for (node, link) in [(ROOT, child), (JOINER, parent)] {
                self.wires.nothing_is_left_for(node, link);
                self.wires.no_message_waits_for_room(node, link);
                assert!(self.nodes[node].node().can_send(link), "no room, ever");
            }
            self.passing.is_complete();
            let load = self.nodes[JOINER].node().load();
            assert_eq!((load.routed, load.awaited), (0, 0), "what passes is stuck");
            let [root, joiner] = [ROOT, JOINER].map(|at| self.nodes[at].node().position());
            assert_eq!(root, joiner, "the child lacks some of the stream");
            self.stream.is_complete(root.unwrap_or_default());
        }
    }

    /// Nothing interferes: the joiner joins.
    fn finds_together(&mut self) {
        for _ in 0..MOST_ROUNDS {
            let [root, joiner] = [ROOT, JOINER].map(|at| self.nodes[at].node().role());
            let wanted = root == Role::Root && matches!(joiner, Role::Joining);
            if !wanted {
                return;
            }
            self.wait_until_due(JOINER);
            // Both clocks go at the same speed.
            let behind = self.nodes[JOINER].now().since(self.nodes[ROOT].now());
            let actions = self.nodes[ROOT].wait(behind);
            self.carry_out(ROOT, actions);
            self.settles();
        }
        panic!("the joiner never finds the root: {:?}", self.wires);
    }
}

fn unsent(actions: &[Action]) -> Option<Unsent> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notification::Unsent { reason, .. }) => Some(*reason),
        _ => None,
    })
}
