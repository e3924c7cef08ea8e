//! A small world, and random faults. When they stop, everybody who lives and wants to be in the tree
//! must come to be in it, and the tree must carry messages.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::MAX_PAYLOAD;
use overlay_core::{EventKind, Policy, Scope, Standing};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::harness::{Handshakes, Ix, World, ms, secs};

/// However it went before, this is enough to be in the tree again: a silence that must be noticed, a
/// handshake that must time out, and a few of the longest waits.
const PATIENCE: Duration = secs(300);

#[derive(Clone, Debug)]
enum Fault {
    Nothing(u64),
    Newcomer,
    Kill(Index),
    Crash(Index),
    Sleep(Index, u64),
    Cut(Index, Index),
    Mend,
    Hang(Index),
    HalfOpen(Index),
    LoseLink(Index),
    ServerIsCareless,
    StopServer,
    StartServer,
    Leave(Index),
    Join(Index),
    CloseParent(Index),
    CloseChild(Index),
    Busy(Index),
    Resume(Index),
    Broadcast(usize),
    SendUp(Index, usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    let any = any::<Index>;
    let length = || prop_oneof![0..100_usize, Just(MAX_PAYLOAD)];
    prop_oneof![
        12 => prop_oneof![0..200_u64, 0..2_000_u64, 0..40_000_u64].prop_map(Fault::Nothing),
        4 => Just(Fault::Newcomer),
        1 => any().prop_map(Fault::Kill),
        1 => any().prop_map(Fault::Crash),
        2 => (any(), 0..60_000_u64).prop_map(|(who, time)| Fault::Sleep(who, time)),
        2 => (any(), any()).prop_map(|(a, b)| Fault::Cut(a, b)),
        1 => Just(Fault::Mend),
        2 => any().prop_map(Fault::Hang),
        1 => any().prop_map(Fault::HalfOpen),
        2 => any().prop_map(Fault::LoseLink),
        1 => Just(Fault::ServerIsCareless),
        1 => Just(Fault::StopServer),
        2 => Just(Fault::StartServer),
        1 => any().prop_map(Fault::Leave),
        2 => any().prop_map(Fault::Join),
        1 => any().prop_map(Fault::CloseParent),
        1 => any().prop_map(Fault::CloseChild),
        2 => any().prop_map(Fault::Busy),
        1 => any().prop_map(Fault::Resume),
        4 => length().prop_map(Fault::Broadcast),
        2 => (any(), length()).prop_map(|(who, len)| Fault::SendUp(who, len)),
    ]
}

fn payload(len: usize) -> Bytes {
    Bytes::from(vec![1; len])
}

/// Anybody but the root.
fn somebody(world: &World, index: Index) -> Option<Ix> {
    (world.people.len() > 1).then(|| 1 + index.index(world.people.len() - 1))
}

fn inflict(world: &mut World, fault: &Fault) {
    let somebody = |world: &World, index: &Index| somebody(world, *index);
    let anybody = |world: &World, index: &Index| index.index(world.people.len());
    match fault {
        Fault::Nothing(time) => world.run(ms(*time)),
        Fault::Newcomer if world.living().count() < 6 => {
            world.start();
        }
        Fault::Newcomer => {}
        Fault::Kill(who) => {
            let _ = somebody(world, who).map(|ix| world.kill(ix));
        }
        Fault::Crash(who) => {
            let _ = somebody(world, who).map(|ix| world.crash(ix));
        }
        Fault::Sleep(who, time) => world.sleep(anybody(world, who), ms(*time)),
        Fault::Cut(a, b) => world.cut(anybody(world, a), anybody(world, b)),
        Fault::Mend => world.mend_all(),
        Fault::Hang(who) => {
            let ix = anybody(world, who);
            world.people[ix].handshakes = Handshakes::Hang;
        }
        Fault::HalfOpen(who) => {
            let ix = anybody(world, who);
            world.people[ix].handshakes = Handshakes::OneSided;
        }
        Fault::LoseLink(who) => {
            let ix = anybody(world, who);
            if world.people[ix].alive {
                world.lose_link(ix);
            }
        }
        Fault::ServerIsCareless => world.server.careless = true,
        Fault::StopServer => world.stop_server(),
        Fault::StartServer => world.server.up = true,
        Fault::Leave(who) => {
            let _ = somebody(world, who).map(|ix| world.event(ix, EventKind::Leave));
        }
        Fault::Join(who) => {
            let _ = somebody(world, who).map(|ix| world.event(ix, EventKind::Join));
        }
        Fault::CloseParent(who) => {
            let ix = anybody(world, who);
            if let Some(parent) = world.node(ix).parent() {
                world.event(ix, EventKind::Close(parent.link));
            }
        }
        Fault::CloseChild(who) => {
            let ix = anybody(world, who);
            let child = world.node(ix).children().next();
            if let Some(child) = child {
                world.event(ix, EventKind::Close(child.link));
            }
        }
        Fault::Busy(who) => {
            let ix = anybody(world, who);
            world.people[ix].busy = true;
        }
        Fault::Resume(who) => world.resume(anybody(world, who)),
        Fault::Broadcast(len) => world.event(0, EventKind::Broadcast(payload(*len))),
        Fault::SendUp(who, len) => {
            let ix = anybody(world, who);
            if let Some(parent) = world.node(ix).parent() {
                let (to, payload) = (parent.link, payload(*len));
                world.event(ix, EventKind::Send { to, payload });
            }
        }
    }
}

/// The faults stop; everybody who lives wants to be in the tree.
fn make_peace(world: &mut World) {
    world.mend_all();
    world.server.up = true;
    world.server.careless = false;
    for ix in 0..world.people.len() {
        world.resume(ix);
    }
    // Until the longest sleep is over.
    world.run(secs(60));
    for ix in 1..world.people.len() {
        world.event(ix, EventKind::Join);
    }
}

fn in_the_tree(world: &World) -> bool {
    world
        .living()
        .all(|person| matches!(person.node.standing(), Standing::Member | Standing::Root))
}

proptest! {
    #[test]
    fn when_the_faults_stop_everybody_comes_to_be_in_the_tree(
        seed in any::<u64>(),
        degree in 1..4_u16,
        hash in any::<bool>(),
        (max_parked, spare_routes) in (0..4_usize, 1..6_usize),
        faults in prop::collection::vec(fault(), 0..60),
    ) {
        let mut world = World::with(|config| {
            config.window = MIN_WINDOW;
            config.max_parked = max_parked;
            config.max_routes = usize::from(degree) + spare_routes;
            config.policy = if hash { Policy::Hash } else { Policy::Balanced };
        });
        world.seed(seed);
        world.jitter = ms(50);
        world.root(degree);
        for fault in &faults {
            inflict(&mut world, fault);
        }
        make_peace(&mut world);
        world.run_until(PATIENCE, in_the_tree);
        // Who is in may still hang below somebody who has not noticed that its own parent is gone.
        world.run(secs(60));
        world.run_until(PATIENCE, in_the_tree);
        world.run(secs(5));
        world.assert_sound();
        let living = world.living().count();
        prop_assert_eq!(world.depths().iter().sum::<usize>(), living);
        prop_assert_eq!(world.node(0).census().size() as usize, living, "{}", world.describe());
        let news = Bytes::from_static(b"peace");
        world.event(0, EventKind::Broadcast(news.clone()));
        world.run(secs(20));
        for person in world.living().filter(|person| person.node.parent().is_some()) {
            let heard = person.inbox.iter().filter(|(scope, text)| {
                *scope == Scope::Broadcast && *text == news
            });
            prop_assert_eq!(heard.count(), 1, "{}", world.describe());
        }
    }
}
