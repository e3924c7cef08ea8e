//! A machine: one node, its clock, its app, and what is wrong with it.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use overlay_core::{BootstrapId, Config, ConfigError, Instant, LinkId, Node, NodeId, Receipt};

use crate::invariants::{Invariants, Scrutiny};
use crate::schedule::Profile;
use crate::schedule::{Impairment, Number};
use crate::world::What;
use overlay_testkit::Rng;
use overlay_testkit::net::EndId;

/// The place of a machine in its world.
pub(crate) type Ix = usize;

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) number: Number,
    pub(crate) node: Node,
    pub(crate) rules: Invariants,
    pub(crate) rng: Rng,
    /// Microseconds to its provider.
    pub(crate) distance: u32,
    pub(crate) life: Life,
    /// Whether its embedder wants it to be in the tree.
    pub(crate) willing: bool,
    /// Whether it has sent forged frames.
    pub(crate) forger: bool,
    /// What its clock shows at the world's time 0, plus its jumps.
    pub(crate) clock: i64,
    /// By how much it was ever set back.
    pub(crate) set_back: Duration,
    pub(crate) sleep: Option<Box<Sleep>>,
    /// How long it has slept, and how often.
    pub(crate) slept: Duration,
    pub(crate) naps: u32,
    /// Until when each kind of impairment lasts.
    until: [Instant; Impairment::ALL.len()],
    /// When the world will next wake it.
    pub(crate) wake: Option<Instant>,
    /// Its links, by the name that its node has for them.
    pub(crate) links: Vec<(LinkId, EndId)>,
    pub(crate) session: Option<Session>,
    /// Messages that its app holds.
    pub(crate) receipts: Vec<Receipt>,
    /// The bytes that have come on its links.
    pub(crate) received: u64,
    /// Its request that has no answer yet, and when it was sent.
    pub(crate) asked: Option<Instant>,
    /// The parent that its app was told of.
    pub(crate) parent: Option<Ix>,
    /// The event in which it went to another parent.
    pub(crate) moved: u64,
    /// The neighbour, perhaps a former one, that its app last wrote to.
    pub(crate) correspondent: Option<LinkId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    Dead,
}

/// What was to happen to a machine that sleeps, in order.
#[derive(Debug)]
pub(crate) struct Sleep {
    pub(crate) since: Instant,
    pub(crate) held: VecDeque<What>,
}

/// Its connection to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) id: BootstrapId,
    /// When the latest message arrives, at the server and here: the next can't overtake it.
    pub(crate) there: Instant,
    pub(crate) here: Instant,
    /// Something was lost on it: nothing passes any more.
    pub(crate) broken: bool,
}

impl Machine {
    pub(crate) fn new(
        number: Number,
        ix: Ix,
        seed: u64,
        profile: Profile,
        config: Arc<Config>,
        scrutiny: Scrutiny,
    ) -> Result<Self, ConfigError> {
        let mut rng = Rng::of(seed, u64::from(number));
        let id = node_id(ix, &mut rng);
        let distance = profile.distance(&mut rng);
        // Clocks have nothing in common, so a time that is taken for another machine's shows.
        let clock = i64::try_from(rng.below(1 << 40)).unwrap_or(0);
        Ok(Self {
            number,
            node: Node::new(id, config, rng.seed())?,
            rules: Invariants::new(scrutiny),
            rng,
            distance,
            life: Life::Alive,
            willing: false,
            forger: false,
            clock,
            set_back: Duration::ZERO,
            sleep: None,
            slept: Duration::ZERO,
            naps: 0,
            until: [Instant::ZERO; Impairment::ALL.len()],
            wake: None,
            links: Vec::new(),
            session: None,
            receipts: Vec::new(),
            received: 0,
            asked: None,
            parent: None,
            moved: 0,
            correspondent: None,
        })
    }

    pub(crate) fn lives(&self) -> bool {
        self.life == Life::Alive
    }

    /// What its clock shows when it is `now` in the world.
    pub(crate) fn local(&self, now: Instant) -> Instant {
        Instant::from_micros(now.as_micros().saturating_add_signed(self.clock))
    }

    /// When in the world its clock shows `local`.
    pub(crate) fn global(&self, local: Instant) -> Instant {
        Instant::from_micros(
            local
                .as_micros()
                .saturating_add_signed(self.clock.saturating_neg()),
        )
    }

    pub(crate) fn end(&self, link: LinkId) -> Option<EndId> {
        let found = self.links.iter().find(|(own, _)| *own == link);
        found.map(|(_, end)| *end)
    }

    pub(crate) fn impairment(&mut self, kind: Impairment, until: Instant) {
        let slot = &mut self.until[kind as usize];
        *slot = until.max(*slot);
    }

    pub(crate) fn has(&self, kind: Impairment, now: Instant) -> bool {
        self.until[kind as usize] > now
    }

    /// Until when each impairment of a kind lasts.
    pub(crate) fn until(&self, kind: Impairment) -> Instant {
        self.until[kind as usize]
    }

    pub(crate) fn mend(&mut self) {
        self.until = [Instant::ZERO; Impairment::ALL.len()];
    }

    /// A machine that slept through `time`, or whose clock leapt over it.
    pub(crate) fn napped(&mut self, time: Duration) {
        self.slept += time;
        self.naps += 1;
    }
}

/// Random, as ids should be, but for the place of the machine in the last 32 bits.
fn node_id(ix: Ix, rng: &mut Rng) -> NodeId {
    let random = u128::from(rng.draw()) << 64 | u128::from(rng.draw());
    NodeId::from_u128(random & !0xffff_ffff | (ix as u128 & 0xffff_ffff))
}

/// The machine that has this id, if it is one that [`node_id`] made.
pub(crate) fn ix_of(id: NodeId) -> Ix {
    let bytes = id.as_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) as Ix
}
