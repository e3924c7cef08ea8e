//! Several clients of one bootstrap server: honest ones, impostors, clients that send garbage, and a driver whose clock
//! jumps.
//!
//! Invariants, after every event:
//!
//! - only connected clients are sent frames, and none after the last; all frames decode;
//! - a client that is disconnected was told why;
//! - a join's frames reach its joiner and its root only, the ICE candidates within their limit;
//! - an overlay has one root;
//! - connections and joins are within their limits, and an event makes a bounded number of actions;
//! - two servers with the same seed and events do the same;
//! - after a timeout the next deadline lies in the future.

mod client;
mod server;

use std::time::Duration;

use overlay_core::bootstrap::{self, Access, Rate};

use crate::frames::{overlay, token};
use crate::fuzz::vocabulary::{read, vocabulary};
use crate::fuzz::words::JoinWord;
use server::Server;

const MAX_CONNECTIONS: usize = 6;
const RESERVED_FOR_ROOTS: usize = 2;
const MAX_PENDING_JOINS: usize = 2;
const MAX_ICE_CANDIDATES: u32 = 2;

vocabulary! {
    /// The limits of the server.
    pub struct Opening {
        /// How many messages a joiner may send at once, plus 1.
        burst: u8,
    }

    /// Something happens.
    pub enum Step {
        /// A client connects from somewhere, and greets.
        50 => Arrive(source: u8, greeting: Greeting),
        /// A client connects and says nothing.
        5 => ArriveMute(source: u8),
        /// A client greets, again perhaps.
        8 => Greet(node: u8, greeting: Greeting),
        /// A client asks for a sign of life.
        10 => Ping(node: u8),
        /// A client says what one in its role may say about a join.
        140 => Talk(node: u8, what: u8, which: u8),
        /// A client says anything about any join.
        4 => Wild(node: u8, word: JoinWord),
        /// A client says what is no frame.
        3 => Babble(node: u8, bytes: u32),
        /// A client is gone.
        10 => HangUp(node: u8),
        /// Time passes, in milliseconds, with or without a timeout for the server.
        12 => Pass(ms: u16, told: bool),
        /// The clock jumps ahead, in seconds.
        2 => Jump(secs: u64),
        /// The clock jumps back, in milliseconds.
        2 => ClockBack(ms: u32),
        /// The server goes down.
        1 => Shutdown,
    }

    /// What a client says of itself.
    pub struct Greeting {
        /// Its number, modulo 5.
        node: u8,
        /// Whether it does not know the secret of that node.
        impostor: bool,
        /// Whether it wants to be the root.
        root: bool,
        /// The epoch that it has seen, modulo 5; if that is even, it says that it was the root of it.
        seen: u8,
        /// Where.
        place: Place,
    }

    /// An overlay and a token.
    pub enum Place {
        /// The overlay that has a token of its own.
        8 => Named,
        /// An overlay that the token for any opens.
        4 => Other,
        /// Another one, which is one too many.
        1 => OneTooMany,
        /// The overlay that has a token of its own, and another token.
        1 => WrongToken,
    }
}

/// Runs the story that the bytes tell.
pub fn run(bytes: &[u8]) {
    let Ok((opening, steps)) = read::<Opening, Step>(bytes) else {
        return;
    };
    let mut server = Server::new(opening);
    steps.for_each(|step| server.step(step));
    server.shuts_down();
}

fn config(opening: Opening) -> bootstrap::Config {
    let access = Access::default().overlay(overlay("named"), token("own"));
    let mut config = bootstrap::Config::new(access.any_overlay(token("any")));
    config.max_connections = MAX_CONNECTIONS;
    config.reserved_for_roots = RESERVED_FOR_ROOTS;
    config.max_connections_per_source = 4;
    config.max_wildcard_overlays = 1;
    config.max_pending_joins = MAX_PENDING_JOINS;
    config.max_ice_candidates = MAX_ICE_CANDIDATES;
    config.join_timeout = Duration::from_secs(5);
    config.max_joiner_session = Duration::from_mins(1);
    config.max_wrong_tokens = 3;
    config.max_wrong_token_sources = 2;
    config.joiner_traffic.messages = Rate {
        per_second: 10,
        burst: u32::from(opening.burst) + 1,
    };
    config
}
