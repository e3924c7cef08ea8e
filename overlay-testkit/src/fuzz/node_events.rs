//! One node, and anything that may befall it: honest steps, late ones, forged ones, garbage, a clock that jumps.
//!
//! Claims: [`crate::Invariants`] hold after every event; what the node holds stays within its limits; time that runs
//! backwards changes nothing; a node that is told to leave has left in the end without any answer, and wants nothing.

mod life;

use std::time::Duration;

use overlay_core::flow::MIN_WINDOW;
use overlay_core::{Config, Policy, SlowPolicy};

use crate::fuzz::vocabulary::{read, vocabulary};
use crate::fuzz::words::{JoinWord, LinkWord, MAX_MESSAGE, ServerWord};
use life::Life;

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
        settle_timeout: u8,
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

    /// An event. Its object is chosen by number among what there is by then.
    pub enum Step {
        /// This many milliseconds pass.
        6 => Wait(ms: u16),
        /// Time passes until something is due.
        4 => WaitUntilDue,
        /// This many milliseconds pass, and the node is not told.
        3 => Sleep(ms: u16),
        /// The clock shows this many milliseconds less.
        1 => ClockBack(ms: u32),
        /// The clock jumps by this many seconds.
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
        /// To send this many bytes to a neighbour.
        20 => Send(which: u8, len: u16),
        /// To send this many bytes to all.
        20 => Broadcast(len: u16),
        /// To end the stream with this many bytes.
        1 => End(len: u16),
        /// To send this many bytes to the root.
        10 => SendUp(len: u16),
        /// To take the latest of these back.
        2 => CancelSendUp,
        /// To reply with this many bytes to what came this way, or to a child.
        6 => Reply(node: u8, tag: u8, len: u16),
        /// To ask, and wait for this many milliseconds.
        4 => Ask(number: u8, combine: u8, ms: u16),
        /// To answer with this many bytes, or that it has no answer.
        6 => Answer(number: u8, len: u16),
        /// To say what two answers make together.
        4 => Combined(number: u8, len: u16),
        /// To take its latest message to a neighbour back.
        2 => CancelSend(which: u8),
        /// To take its latest broadcast back.
        2 => CancelBroadcast,
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
            max_waiting: usize::from(self.parked % 4),
            max_early_ice_candidates: usize::from(self.early % 3),
            max_routes: usize::from(max_degree) + usize::from(self.routes % 5) + 1,
            request_timeout: secs(self.request, 40),
            settle_timeout: secs(self.settle_timeout, 5),
            wait_timeout: secs(self.park, 20),
            window: MIN_WINDOW,
            send_queue: usize::from(self.queue % 3) * 200,
            history: usize::from(self.queue / 3 % 4) * 10_000,
            max_message: MAX_MESSAGE,
            slow: SLOW[usize::from(self.queue) / 12 % SLOW.len()],
            ..Config::default()
        }
    }
}

const SLOW: [SlowPolicy; 3] = [SlowPolicy::Wait, SlowPolicy::Skip, SlowPolicy::Disconnect];

/// A generous limit of what a node may hold, counted in characters of its `Debug` text: a byte takes up to four.
fn most_text(config: &Config) -> usize {
    let links = usize::from(config.max_degree) + 3;
    let app = config.window as usize * 2 + config.send_queue + 2 * config.max_message;
    let stream = config.history + config.window as usize * 2 + config.max_message;
    let joins = config.max_waiting * (1 + config.max_early_ice_candidates) + config.max_routes;
    10_000 + links * (5_000 + app * 36) + stream * 12 + joins * 1_000
}
