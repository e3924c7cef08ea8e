//! A schedule for each seed: its own nodes, settings and faults (swarm testing: Groce and others, ISSTA 2012,
//! found that leaving kinds of faults out at random finds more than always having all of them).

use core::time::Duration;

use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::MAX_PART;
use overlay_core::{Config, Instant, Policy, SlowPolicy, Start};

use crate::schedule::Profile;
use crate::schedule::{Fault, Impairment, Message, Number, Outage, Partition, Step, Wish};
use crate::schedule::{Schedule, Setup, TimedStep};
use overlay_testkit::Rng;

/// The schedule of a seed.
#[must_use]
pub fn schedule(seed: u64) -> Schedule {
    let mut rng = Rng::of(seed, u64::MAX);
    let profile = *rng.pick(Profile::ALL).unwrap_or(&Profile::Lan);
    let mut setup = Setup {
        seed,
        profile,
        config: config(&mut rng, profile),
    };
    let mut draw = Draw {
        nodes: nodes(&mut rng),
        // Short runs have many faults at once, long ones let the consequences play out.
        length: log_uniform(&mut rng, 2_000_000, 120_000_000),
        rng,
        steps: Vec::new(),
    };
    match draw.rng.below(10) {
        // Nothing ever goes wrong.
        0 => draw.people(),
        // Nothing goes wrong that would excuse a join without an answer, and that at the worst of times.
        1 => {
            draw.length = draw.length.min(BRIEF);
            draw.people();
            draw.wishes(60, 12);
            draw.troubles(&[Impairment::Hang, Impairment::OneSided, Impairment::Busy]);
        }
        _ => {
            draw.people();
            draw.wishes(25, 4);
            draw.troubles(Impairment::ALL);
            draw.faults();
        }
    }
    draw.messages();
    // Stories that chance alone would seldom tell.
    match draw.rng.below(30) {
        0 => draw.farewell(),
        1 => draw.late_answer(setup.config.request_timeout),
        // Along a chain of fifty machines this many joins take longer than any joiner waits.
        5 | 6 if setup.config.max_degree > 1 => draw.usurpation(),
        2 => {
            setup.config.window = MIN_WINDOW;
            setup.config.send_queue = 1_000;
            draw.slow_receiver();
        }
        3 | 4 => draw.stream(),
        _ => {}
    }
    let mut steps = draw.steps;
    steps.sort();
    Schedule { setup, steps }
}

/// How long a slow app takes nothing.
const SLOW: Duration = Duration::from_secs(100);

/// How long it takes a crowd to join.
const BRIEF: Duration = Duration::from_secs(5);

/// The longest message: many windows of the smallest kind.
const MAX_MESSAGE: u32 = 200_000;

struct Draw {
    rng: Rng,
    nodes: Number,
    length: Duration,
    steps: Vec<TimedStep>,
}

fn nodes(rng: &mut Rng) -> Number {
    let most = *rng.pick(&[3, 6, 12, 24, 48]).unwrap_or(&6);
    u32::try_from(rng.between(1, most)).unwrap_or(1)
}

/// Any settings that a node can keep, with limits so small that they are met.
fn config(rng: &mut Rng, profile: Profile) -> Config {
    let mut config = Config {
        max_degree: *rng.pick(&[1, 2, 2, 3, 3, 4, 10]).unwrap_or(&2),
        max_message: MAX_MESSAGE as usize,
        ..Config::default()
    };
    if rng.chance(30) {
        config.policy = Policy::Hash;
    }
    if rng.chance(30) {
        config.max_waiting = small(rng, 4);
        // Each machine has one ICE candidate: without it no link ever opens.
        config.max_early_ice_candidates = 1 + small(rng, 2);
    }
    if rng.chance(20) {
        config.max_routes = usize::from(config.max_degree) + 1 + small(rng, 6);
    }
    if rng.chance(40) {
        config.window = MIN_WINDOW;
        config.send_queue = small(rng, 2_000);
    }
    if rng.chance(40) {
        config.history = small(rng, 100_000);
    }
    if rng.chance(20) {
        config.start = Start::Oldest;
    }
    if rng.chance(30) {
        config.slow = *rng
            .pick(&[SlowPolicy::Skip, SlowPolicy::Disconnect])
            .unwrap_or(&SlowPolicy::Skip);
        config.skip_timeout = millis(rng, 10, 5_000);
        config.stall_timeout = millis(rng, 500, 20_000);
    }
    // Along a chain of fifty machines an answer takes its time, and a narrow tree by hash has long ones.
    let narrow = match config.policy {
        Policy::Balanced => config.max_degree == 1,
        Policy::Hash => config.max_degree <= 2,
    };
    let far = profile != Profile::Lan && narrow;
    if rng.chance(40) && !far {
        // A handshake between two phones takes three seconds at times.
        let least = match profile {
            Profile::Mobile => 6_000,
            Profile::Lan | Profile::Wan => 3_000,
        };
        config.request_timeout = millis(rng, least, 30_000);
        config.settle_timeout = millis(rng, 50, 5_000);
        config.wait_timeout = millis(rng, 500, 10_000);
    }
    if rng.chance(40) {
        config.heartbeat_interval = millis(rng, 500, 6_000);
        config.link_timeout = config.heartbeat_interval * 3;
        config.status_interval = millis(rng, 10, 2_000);
    }
    if rng.chance(60) {
        config.rebalance_interval = millis(rng, 100, 3_000);
    }
    if rng.chance(40) {
        config.retry_min = millis(rng, 50, 1_000);
        config.retry_max = config.retry_min * 16;
        config.retry_after = millis(rng, 100, 2_000);
        config.leave_timeout = millis(rng, 500, 6_000);
    }
    config
}

impl Draw {
    /// The root, joiners and standbys: at once, or over the whole time.
    fn people(&mut self) {
        self.at(Duration::ZERO, Step::Wish(Wish::Root, 0));
        let at_once = self.rng.chance(50);
        let standbys = if self.rng.chance(40) {
            *self.rng.pick(&[1, 1, 2, 3, 12]).unwrap_or(&1)
        } else {
            0
        };
        for number in 1..=self.nodes {
            let time = if at_once {
                Duration::from_micros(self.rng.below(200_000))
            } else {
                self.moment()
            };
            let wish = if number <= standbys {
                Wish::Root
            } else {
                Wish::Join
            };
            self.at(time, Step::Wish(wish, number));
        }
    }

    fn messages(&mut self) {
        if self.rng.chance(50) {
            return;
        }
        let kinds = some(&mut self.rng, Message::ALL, 60);
        let most = log_uniform(&mut self.rng, 1, 200).as_micros();
        for _ in 0..most {
            let Some(kind) = self.rng.pick(&kinds).copied() else {
                return;
            };
            // Mostly the root broadcasts and asks; any other node is told that it may not.
            let of_root = matches!(kind, Message::Broadcast | Message::Ask);
            let number = if of_root && self.rng.chance(98) {
                0
            } else {
                self.any_machine()
            };
            let len = match self.rng.below(20) {
                0 => MAX_MESSAGE + 1,
                1 => u32::try_from(self.rng.below(MAX_MESSAGE.into())).unwrap_or(0),
                2..=6 => longest_part(),
                _ => u32::try_from(self.rng.below(1_000)).unwrap_or(0),
            };
            let time = self.moment();
            self.at(time, Step::Send(kind, number, len));
        }
    }

    /// Nodes leave, come back, and close their links.
    fn wishes(&mut self, percent: u64, most: u64) {
        for wish in some(
            &mut self.rng,
            &[Wish::Leave, Wish::CloseParent, Wish::CloseChild],
            percent,
        ) {
            for _ in 0..self.rng.between(1, most) {
                let number = if wish == Wish::Leave {
                    self.any_but_the_root()
                } else {
                    self.any_machine()
                };
                let time = self.moment();
                self.at(time, Step::Wish(wish, number));
                if wish == Wish::Leave && self.rng.chance(70) {
                    let pause = log_uniform(&mut self.rng, 1_000, 30_000_000);
                    self.at(time + pause, Step::Wish(Wish::Join, number));
                }
            }
        }
    }

    fn troubles(&mut self, kinds: &[Impairment]) {
        for impairment in some(&mut self.rng, kinds, 20) {
            for _ in 0..self.times() {
                let (time, number) = (self.moment(), self.any_machine());
                let lasts = match impairment {
                    // A monotonic clock does not jump back; one that does so a little does no harm.
                    Impairment::ClockBack => log_uniform(&mut self.rng, 1_000, 4_000_000),
                    _ => self.lasts(),
                };
                self.at(time, Step::Impairment(impairment, number, lasts));
            }
        }
    }

    fn faults(&mut self) {
        for fault in some(&mut self.rng, Fault::ALL, 20) {
            // There are more lies than ways to die.
            let most = if fault == Fault::Forge { 12 } else { 4 };
            for _ in 0..self.rng.between(1, most) {
                let (time, number) = (self.moment(), self.any_but_the_root());
                self.at(time, Step::Fault(fault, number));
            }
        }
        for between in some(&mut self.rng, Partition::ALL, 20) {
            for _ in 0..self.times() {
                let (time, one, other) = (self.moment(), self.any_machine(), self.any_machine());
                let lasts = self.lasts();
                if one != other {
                    self.at(time, Step::Partition(between, one, other, lasts));
                }
            }
        }
        for outage in some(&mut self.rng, Outage::ALL, 15) {
            let (time, lasts) = (self.moment(), self.lasts());
            self.at(time, Step::Outage(outage, lasts));
        }
        if self.rng.chance(10) {
            self.loss_of_the_root();
        }
    }

    /// The root can't talk to the server for a while, and there is a standby; newcomers come all the time.
    fn usurpation(&mut self) {
        let start = self.moment();
        self.at(start, Step::Wish(Wish::Root, self.nodes + 1));
        let start = start + BRIEF;
        let cut = *self
            .rng
            .pick(&[
                Impairment::CutServer,
                Impairment::ClogServer,
                Impairment::Pause,
            ])
            .unwrap_or(&Impairment::ClogServer);
        let lasts = log_uniform(&mut self.rng, 5_000_000, 60_000_000);
        self.at(start, Step::Impairment(cut, 0, lasts));
        for newcomer in 2..=10 {
            let time = Duration::from_micros(self.rng.below(60_000_000));
            self.at(start + time, Step::Wish(Wish::Join, self.nodes + newcomer));
        }
        self.nodes += 10;
    }

    /// The root dies, and another machine takes its place.
    fn loss_of_the_root(&mut self) {
        let fault = *self
            .rng
            .pick(&[Fault::Crash, Fault::Kill])
            .unwrap_or(&Fault::Kill);
        let time = self.moment();
        self.at(time, Step::Fault(fault, 0));
        let standby = self.nodes + 1;
        let pause = log_uniform(&mut self.rng, 1_000, 60_000_000);
        self.at(time + pause, Step::Wish(Wish::Root, standby));
    }

    /// The root broadcasts without a pause while machines leave and come back.
    fn stream(&mut self) {
        let start = self.moment();
        for tick in 0..400 {
            let time = start + Duration::from_millis(25) * tick;
            let len = u32::try_from(self.rng.below(2_000)).unwrap_or(0);
            self.at(time, Step::Send(Message::Broadcast, 0, len));
            if tick % 40 == 0 {
                let number = self.any_but_the_root();
                self.at(time, Step::Wish(Wish::Leave, number));
                self.at(time + BRIEF / 2, Step::Wish(Wish::Join, number));
            }
        }
    }

    /// A machine has much to say to its parent, which takes nothing yet, and leaves.
    fn farewell(&mut self) {
        let (start, number) = (self.moment(), self.any_but_the_root());
        self.at(start, Step::Impairment(Impairment::Busy, 0, BRIEF / 2));
        for _ in 0..20 {
            self.at(start, Step::Send(Message::Up, number, longest_part()));
        }
        self.at(start + BRIEF / 5, Step::Wish(Wish::Leave, number));
    }

    /// A newcomer hears nothing from the server until it has given up, and then of its former attempts.
    fn late_answer(&mut self, request_timeout: Duration) {
        self.nodes += 1;
        let (start, number) = (self.moment(), self.nodes);
        self.at(start, Step::Wish(Wish::Join, number));
        let asked = log_uniform(&mut self.rng, 1_000, 1_000_000);
        let clogged = request_timeout + log_uniform(&mut self.rng, 100_000, 10_000_000);
        self.at(
            start + asked,
            Step::Impairment(Impairment::ClogServer, number, clogged),
        );
    }

    /// A machine takes nothing while its parent gets another parent, and another, each of which sends more.
    fn slow_receiver(&mut self) {
        let (start, slow) = (self.moment(), self.any_but_the_root());
        self.at(start, Step::Impairment(Impairment::Busy, slow, SLOW));
        for second in 0..u32::try_from(SLOW.as_secs()).unwrap_or(0) {
            let time = start + Duration::from_secs(1) * second;
            self.at(time, Step::Send(Message::Broadcast, 0, longest_part()));
            if second % 8 == 0 {
                let number = self.any_but_the_root();
                self.at(time, Step::Wish(Wish::CloseParent, number));
            }
        }
    }

    fn at(&mut self, time: Duration, step: Step) {
        let at = Instant::ZERO + time;
        self.steps.push(TimedStep { at, step });
    }

    fn moment(&mut self) -> Duration {
        let micros = u64::try_from(self.length.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.rng.below(micros))
    }

    /// Shorter than a round trip, or longer than any timeout.
    fn lasts(&mut self) -> Duration {
        log_uniform(&mut self.rng, 10_000, 90_000_000)
    }

    fn times(&mut self) -> u64 {
        self.rng.between(1, 4)
    }

    fn any_machine(&mut self) -> Number {
        u32::try_from(self.rng.between(0, u64::from(self.nodes))).unwrap_or(0)
    }

    fn any_but_the_root(&mut self) -> Number {
        u32::try_from(self.rng.between(1, u64::from(self.nodes))).unwrap_or(1)
    }
}

/// The longest message that is one record.
fn longest_part() -> u32 {
    u32::try_from(MAX_PART).unwrap_or(u32::MAX)
}

/// Each of `all` with a chance of `percent`.
fn some<T: Copy>(rng: &mut Rng, all: &[T], percent: u64) -> Vec<T> {
    all.iter()
        .copied()
        .filter(|_| rng.chance(percent))
        .collect()
}

fn small(rng: &mut Rng, most: u64) -> usize {
    usize::try_from(rng.between(0, most)).unwrap_or(0)
}

fn millis(rng: &mut Rng, low: u64, high: u64) -> Duration {
    Duration::from_millis(rng.between(low, high))
}

/// Microseconds, each power of two between `low` and `high` as likely as any other.
fn log_uniform(rng: &mut Rng, low: u64, high: u64) -> Duration {
    let power = rng.between(
        u64::from(low.max(1).ilog2()),
        u64::from(high.max(1).ilog2()),
    );
    let floor = 1_u64 << power;
    Duration::from_micros(rng.between(floor, floor * 2 - 1).clamp(low, high))
}
