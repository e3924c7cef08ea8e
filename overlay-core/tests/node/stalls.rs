//! Receivers that take nothing: which node is named, and what becomes of it by each policy.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{Lane, LinkFrame, MAX_PART, Part, Stall};
use overlay_core::{
    Action, CloseReason, Config, EventKind, LinkId, NodeId, Notification, Role, SlowPolicy, Start,
};

use crate::harness::{
    Ix, Solo, World, broadcast, child_at, config, fed, id, ms, record, secs, sent, told, unsent,
};

/// A tree of degree 2 in which every window is small, with this many nodes below the root.
fn tree(slow: SlowPolicy, nodes: usize) -> World {
    let mut world = World::with(2, |config| {
        config.window = MIN_WINDOW;
        config.history = 0;
        config.slow = slow;
    });
    world.root();
    world.join(nodes);
    world
}

/// The root broadcasts as fast as it may, for so many seconds.
fn stream(world: &mut World, seconds: u32) {
    for _ in 0..seconds * 10 {
        while world.node(0).can_broadcast() {
            world.event(0, EventKind::Broadcast(Bytes::from(vec![1; 4_000])));
        }
        world.run(ms(100));
    }
}

/// The nodes that an app was told take nothing.
fn stalled(world: &World, ix: Ix) -> Vec<Ix> {
    let stalled = |note: &Notification| match note {
        Notification::Stalled { node, .. } => Some(*node),
        _ => None,
    };
    let nodes: Vec<NodeId> = world.notes(ix).filter_map(stalled).collect();
    let mut nodes: Vec<Ix> = nodes.into_iter().map(|node| world.ix_of(node)).collect();
    nodes.dedup();
    nodes
}

fn stalls(actions: &[Action]) -> Vec<NodeId> {
    let stalled = |note: &Notification| match note {
        Notification::Stalled { node, .. } => Some(*node),
        _ => None,
    };
    told(actions).into_iter().filter_map(stalled).collect()
}

/// A root, and a child that takes nothing though something is there for it.
fn slow_child(slow: SlowPolicy) -> (Solo, LinkId) {
    let mut solo = Solo::root(Config {
        slow,
        history: 0,
        ..config(1)
    });
    let child = solo.child(1);
    for _ in 0..3 {
        solo.event(EventKind::Broadcast(Bytes::from(vec![1; MAX_PART])));
    }
    (solo, child)
}

/// Lets time pass, in which a child gives signs of life.
fn wait(solo: &mut Solo, child: LinkId, seconds: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    for _ in 0..seconds {
        actions.extend(solo.wait(secs(1)));
        actions.extend(solo.says(child, &LinkFrame::Heartbeat));
    }
    actions
}

#[test]
fn the_parent_and_the_root_learn_which_node_takes_nothing() {
    let mut world = tree(SlowPolicy::Wait, 14);
    let slow = 14;
    assert_eq!(world.node(slow).path().depth(), 3);
    world.busy(slow);
    stream(&mut world, 14);
    let parent = world.parent(slow).unwrap();
    for ix in world.all() {
        let expected: &[Ix] = if [0, parent].contains(&ix) {
            &[slow]
        } else {
            &[]
        };
        assert_eq!(stalled(&world, ix), expected, "node {ix}");
    }
}

#[test]
fn a_stall_is_told_again_while_it_lasts_and_no_longer() {
    let (mut solo, child) = slow_child(SlowPolicy::Wait);
    assert_eq!(stalls(&wait(&mut solo, child, 9)), []);
    assert_eq!(stalls(&wait(&mut solo, child, 22)), [id(1); 3]);
    solo.is_granted(child, Lane::Stream, MIN_WINDOW);
    assert_eq!(stalls(&wait(&mut solo, child, 30)), []);
}

#[test]
fn a_stall_says_how_far_behind_the_node_is_and_for_how_long() {
    let (mut solo, child) = slow_child(SlowPolicy::Wait);
    let actions = wait(&mut solo, child, 11);
    let stalled = Notification::Stalled {
        node: id(1),
        behind: 3 * record(Part::Whole, &[1; MAX_PART]).len() as u64,
        lasting: secs(10),
    };
    assert!(told(&actions).contains(&&stalled));
}

#[test]
fn a_child_that_is_lost_while_it_takes_nothing_is_named_at_once() {
    let (mut solo, child) = slow_child(SlowPolicy::Wait);
    solo.wait(secs(4));
    let actions = solo.event(EventKind::LinkClosed(child));
    assert_eq!(stalls(&actions), [id(1)]);
}

#[test]
fn a_child_that_names_another_node_is_not_to_blame() {
    let (mut solo, child) = slow_child(SlowPolicy::Wait);
    wait(&mut solo, child, 9);
    let below = Stall {
        node: id(77),
        behind: 5,
        for_ms: 10_000,
    };
    let actions = solo.says(child, &LinkFrame::Stalled(below));
    assert_eq!(stalls(&actions), [id(77)]);
    assert_eq!(stalls(&wait(&mut solo, child, 9)), []);
}

#[test]
fn a_child_can_not_flood_the_root_with_names() {
    let (mut solo, child) = slow_child(SlowPolicy::Wait);
    let mut named = 0;
    for number in 0..1_000 {
        let stall = Stall {
            node: id(number),
            behind: 5,
            for_ms: 10_000,
        };
        named += stalls(&solo.says(child, &LinkFrame::Stalled(stall))).len();
    }
    assert_eq!(named, 16);
}

#[test]
fn by_waiting_nothing_is_lost_however_long_it_takes() {
    let mut world = tree(SlowPolicy::Wait, 6);
    world.busy(6);
    stream(&mut world, 5);
    let before = world.heard(1).len();
    stream(&mut world, 600);
    assert_eq!(world.heard(1).len(), before, "everybody waits");
    world.mend_all();
    world.run(secs(10));
    assert_eq!(world.heard(6).len(), world.heard(1).len());
    assert_eq!(gaps(&world, 6), 0);
}

#[test]
fn by_skipping_the_others_go_on_and_the_slow_node_is_told_of_its_gap() {
    let mut world = tree(SlowPolicy::Skip, 6);
    world.busy(6);
    stream(&mut world, 60);
    let heard = world.heard(5).len();
    assert!(heard > 1_000, "{heard}: the others wait");
    world.mend_all();
    stream(&mut world, 2);
    assert_eq!(gaps(&world, 6), 1);
    assert!(world.heard(6).len() < heard / 2);
    assert_eq!(world.inbox(6).last(), world.inbox(5).last());
    assert_eq!(gaps(&world, 5), 0);
}

#[test]
fn by_skipping_a_slow_app_does_not_hold_up_what_is_below_it() {
    let mut world = tree(SlowPolicy::Skip, 6);
    let inner = world.parent(6).unwrap();
    world.busy(inner);
    stream(&mut world, 30);
    assert!(world.heard(6).len() > 500);
}

#[test]
fn a_skipped_child_whose_channel_takes_nothing_is_left_alone_until_it_does() {
    let mut solo = Solo::root(Config {
        slow: SlowPolicy::Skip,
        history: 0,
        ..config(1)
    });
    // Its credit lasts for all of this.
    let (child, _) = child_at(&mut solo, 1, Start::Live, 1 << 30);
    solo.clogged = true;
    while solo.node.can_broadcast() {
        broadcast(&mut solo, vec![1; MAX_PART]);
    }
    wait(&mut solo, child, 2);
    for _ in 0..100 {
        let actions = broadcast(&mut solo, vec![2; MAX_PART]);
        assert_eq!((unsent(&actions), sent(&actions, child)), (None, vec![]));
    }
    solo.clogged = false;
    let actions = solo.event(EventKind::LinkDrained(child));
    assert!(matches!(sent(&actions, child)[..], [LinkFrame::Jump(_)]));
    let actions = broadcast(&mut solo, "live");
    assert_eq!(fed(&actions, child), [(Part::Whole, b"live".to_vec())]);
}

#[test]
fn a_skipped_child_that_is_lost_is_named() {
    let (mut solo, child) = slow_child(SlowPolicy::Skip);
    wait(&mut solo, child, 2);
    let actions = solo.event(EventKind::LinkClosed(child));
    assert_eq!(stalls(&actions), [id(1)]);
}

#[test]
fn by_disconnecting_the_slow_node_loses_its_link() {
    let (mut solo, child) = slow_child(SlowPolicy::Disconnect);
    let actions = wait(&mut solo, child, 11);
    assert!(actions.contains(&Action::CloseLink(child, CloseReason::Slow)));
    assert_eq!(stalls(&actions), [id(1)]);
    let mut world = tree(SlowPolicy::Disconnect, 6);
    world.busy(6);
    stream(&mut world, 60);
    assert!(world.heard(5).len() > 1_000, "the others wait");
    world.mend_all();
    world.run(secs(60));
    assert_eq!(world.node(6).role(), Role::Member, "it comes back");
}

#[test]
fn the_roots_policy_is_the_trees() {
    let mut world = tree(SlowPolicy::Skip, 6);
    let late = world.start();
    world.run(secs(5));
    for ix in [1, 6, late] {
        assert_eq!(world.node(ix).slow_policy(), SlowPolicy::Skip);
    }
}

fn gaps(world: &World, ix: Ix) -> usize {
    world.count(ix, |note| matches!(note, Notification::Gap { .. }))
}

#[test]
fn a_node_that_is_slow_and_steady_is_waited_for() {
    let mut solo = slow_child(SlowPolicy::Skip);
    let (solo, child) = (&mut solo.0, solo.1);
    for _ in 0..60 {
        solo.wait(ms(900));
        let actions = solo.is_granted(child, Lane::Stream, MIN_WINDOW / 2);
        assert!(!sent(&actions, child).is_empty());
        while solo.node.can_broadcast() {
            solo.event(EventKind::Broadcast(Bytes::from(vec![1; MAX_PART])));
        }
    }
    let jumped = |frame: &LinkFrame<'_>| matches!(frame, LinkFrame::Jump(_));
    let actions = solo.is_granted(child, Lane::Stream, MIN_WINDOW);
    assert!(!sent(&actions, child).iter().any(jumped));
}
