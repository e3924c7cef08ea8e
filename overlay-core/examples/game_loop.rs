//! A game of six players on one thread: a loop of fixed steps, 60 of them a second, that never waits for the network.
//!
//! In each step a player's node gets what has come through its socket, the world moves on, and what the player has to
//! say is sent. The host is the root of the tree: it alone knows where the ball really is and broadcasts that, and the
//! players, who see it roll on by themselves in between, push it. Pushes go up the tree: a player that has one from below passes
//! it on to its parent.
//!
//! The driver is that of `udp_loop`, asked with [`Member::poll`](member::Member::poll) instead of `wait`. Run it with
//! `cargo run -p overlay-core --example game_loop`.
#![allow(clippy::print_stdout, reason = "the example shows what happens")]

#[path = "udp/member.rs"]
#[expect(dead_code, reason = "a game never waits")]
mod member;
#[path = "udp/post.rs"]
mod post;
#[path = "udp/server.rs"]
mod server;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use overlay_core::wire::Token;
use overlay_core::{Config, EventKind, Role, Scope};

use member::{Member, News};

const PLAYERS: u8 = 6;

/// How long a step is, in the game and on the clock.
const STEP: Duration = Duration::from_nanos(1_000_000_000 / 60);

/// How many steps the game may be late before it gives up the lost time.
const MAX_LAG: u32 = 10;

/// How long the game lasts once all are there: three seconds.
const GAME: u32 = 180;

fn main() -> Result<(), Box<dyn Error>> {
    let token = Token::new("only the host knows")?;
    let server = server::start(token.clone())?;
    let mut host = Player::new(0, server)?;
    host.member.tell(EventKind::BecomeRoot(Some(token)))?;
    let mut players = vec![host];
    for number in 1..PLAYERS {
        let mut player = Player::new(number, server)?;
        player.member.tell(EventKind::Join)?;
        players.push(player);
    }

    let mut next = Instant::now();
    let (mut step, mut played) = (0_u32, 0);
    while played < GAME {
        for player in &mut players {
            player.step(step)?;
        }
        played += u32::from(players.iter().all(Player::is_in));
        if played % 60 == 1 {
            let seen: Vec<i32> = players.iter().map(|player| player.ball.position).collect();
            println!("step {step}: the ball is at {seen:?}, as each player sees it");
        }
        step += 1;
        next += STEP;
        let now = Instant::now();
        if now > next + STEP * MAX_LAG {
            next = now;
        }
        thread::sleep(next.saturating_duration_since(now));
    }
    Ok(())
}

/// A ball on a line.
#[derive(Clone, Copy, Default)]
struct Ball {
    position: i32,
    speed: i32,
}

impl Ball {
    fn roll(&mut self) {
        self.position += self.speed;
        if self.position.abs() > 1_000 {
            self.speed = -self.speed;
        }
    }

    fn encode(self) -> Bytes {
        let fields = [self.position.to_le_bytes(), self.speed.to_le_bytes()];
        Bytes::copy_from_slice(fields.as_flattened())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (position, speed) = bytes.split_first_chunk()?;
        Some(Self {
            position: i32::from_le_bytes(*position),
            speed: i32::from_le_bytes(speed.try_into().ok()?),
        })
    }
}

struct Player {
    number: u8,
    member: Member,
    /// As this player sees it.
    ball: Ball,
}

impl Player {
    fn new(number: u8, server: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let config = Config {
            max_degree: 2,
            ..Config::default()
        };
        Ok(Self {
            number,
            member: Member::new(number, config, server)?,
            ball: Ball::default(),
        })
    }

    fn is_in(&self) -> bool {
        matches!(self.member.node.role(), Role::Root | Role::Member)
    }

    fn is_host(&self) -> bool {
        self.member.node.role() == Role::Root
    }

    /// One sixtieth of a second.
    fn step(&mut self, step: u32) -> io::Result<()> {
        self.member.poll()?;
        while let Some(news) = self.member.news() {
            let News::Message(message) = news else {
                continue;
            };
            match message.scope {
                // What a player makes of it must not depend on its being well-formed.
                Scope::Broadcast(_) | Scope::End(_) => {
                    self.ball = Ball::decode(&message.payload).unwrap_or(self.ball);
                }
                Scope::Direct(_) => self.push(message.payload.clone())?,
                // Players say nothing to the host alone.
                Scope::Root(_) | Scope::Reply => {}
            }
            self.member.taken(message)?;
        }
        self.ball.roll();
        // Twenty times a second is enough. If some player's window is full, the next news will do.
        if self.is_host() && step.is_multiple_of(3) && self.member.node.can_broadcast() {
            let ball = EventKind::Broadcast(self.ball.encode());
            self.member.tell(ball)?;
        }
        if step % 60 == u32::from(self.number) * 10 {
            self.push(Bytes::copy_from_slice(&[self.number]))?;
        }
        Ok(())
    }

    /// A push takes effect where the host is; all other players pass it on.
    fn push(&mut self, push: Bytes) -> io::Result<()> {
        if self.is_host() {
            let strength = push.first().copied().unwrap_or(0);
            self.ball.speed = (self.ball.speed + i32::from(strength)).clamp(-20, 20);
        } else if let Some(parent) = self.member.node.parent() {
            let (to, payload) = (parent.link, push);
            self.member.tell(EventKind::Send { to, payload })?;
        }
        Ok(())
    }
}
