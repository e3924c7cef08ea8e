//! Heartbeats, and telling the dead from the sleeping.

use overlay_core::wire::{Lane, LinkFrame};
use overlay_core::{Action, CloseReason, Config, Epoch, EventKind, Notification, Role};

use crate::harness::{Solo, World, below_root, id, ms, secs, sent, told};

fn closes(actions: &[Action]) -> Vec<Action> {
    let close = |action: &Action| match action {
        Action::CloseLink(link, reason) => Some(Action::CloseLink(*link, *reason)),
        _ => None,
    };
    actions.iter().filter_map(close).collect()
}

fn closed(world: &World, ix: usize) -> usize {
    world.count(ix, |note| {
        matches!(
            note,
            Notification::ParentClosed { .. } | Notification::ChildClosed { .. }
        )
    })
}

#[test]
fn heartbeats_keep_an_idle_tree_alive_for_an_hour() {
    let mut world = World::new(2);
    world.root();
    world.join(6);
    world.run(secs(3_600));
    assert_eq!(world.depths(), [1, 2, 4]);
    assert!((0..7).all(|ix| closed(&world, ix) == 0));
}

#[test]
fn an_idle_link_gets_a_heartbeat_in_each_interval_and_a_busy_one_none() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let actions = solo.wait(secs(5));
    assert_eq!(sent(&actions, child), [LinkFrame::Heartbeat]);
    solo.wait(secs(3));
    solo.says(child, &LinkFrame::Heartbeat);
    let payload = bytes::Bytes::from_static(b"hello");
    let _ = solo.event(EventKind::Send { to: child, payload });
    assert_eq!(sent(&solo.wait(secs(4)), child), []);
}

#[test]
fn a_node_whose_timers_are_late_shows_life_when_it_hears_something() {
    let (mut solo, parent) = Solo::member(Config::default());
    solo.now = solo.now + secs(14);
    let actions = solo.says(parent, &LinkFrame::Heartbeat);
    assert_eq!(sent(&actions, parent), [LinkFrame::Heartbeat]);
    let again = solo.says(parent, &LinkFrame::Heartbeat);
    assert_eq!(sent(&again, parent), [], "it has just said something");
}

#[test]
fn a_neighbour_that_says_nothing_is_given_up() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let actions = solo.wait(secs(15));
    assert!(actions.contains(&Action::CloseLink(child, CloseReason::Silent)));
    assert_eq!(solo.node.children().count(), 0);
    assert_eq!(solo.node.stats().silent_neighbours, 1);
}

#[test]
fn any_frame_is_a_sign_of_life() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    for _ in 0..10 {
        solo.wait(secs(14));
        solo.is_granted(child, Lane::Direct, 1);
    }
    assert_eq!(solo.node.children().count(), 1);
}

#[test]
fn an_orphan_rejoins_with_its_subtree_and_all_paths_follow() {
    for closes in [true, false] {
        let mut world = World::new(2);
        world.root();
        world.join(14);
        let orphan = world.parent(14).unwrap();
        let dead = world.parent(orphan).unwrap();
        assert_ne!(dead, 0);
        if closes {
            world.crash(dead);
        } else {
            world.kill(dead);
        }
        world.run_until(secs(60), |w| w.node(orphan).role() == Role::Joining);
        world.settle();
        world.run(secs(20));
        assert_eq!(world.parent(14), Some(orphan));
        assert_eq!(world.depths().iter().sum::<usize>(), 14);
        assert_eq!(world.node(0).census().size(), 14);
        world.assert_sound();
    }
}

#[test]
fn a_node_reports_a_changed_path_to_the_app() {
    let (mut solo, parent) = Solo::member(Config::default());
    let path = below_root(7);
    let path = path.child(id(1)).unwrap();
    let frame = LinkFrame::Moved {
        epoch: Epoch(1),
        path,
    };
    let actions = solo.says(parent, &frame);
    let epoch = Epoch(1);
    let changed = Notification::PathChanged { depth: 3, epoch };
    assert_eq!(told(&actions), [&changed]);
}

#[test]
fn a_changed_path_is_told_to_the_children() {
    let (mut solo, parent) = Solo::member(Config::default());
    let child = solo.child_from(parent, 5);
    let epoch = Epoch(2);
    let path = below_root(1);
    let actions = solo.says(parent, &LinkFrame::Moved { epoch, path });
    let path = solo.node.path().clone();
    assert_eq!(sent(&actions, child), [LinkFrame::Moved { epoch, path }]);
}

#[test]
fn half_of_the_tree_dies_and_the_rest_comes_together() {
    let mut world = World::new(3);
    world.root();
    world.join(39);
    for ix in (1..40).step_by(2) {
        world.kill(ix);
    }
    world.run(secs(30));
    world.settle();
    world.run(secs(40));
    assert_eq!(world.depths().iter().sum::<usize>(), 20);
    assert_eq!(world.node(0).census().size(), 20);
    world.assert_sound();
}

#[test]
fn a_node_that_slept_takes_no_neighbour_for_dead() {
    for time in [8, 12, 14] {
        let mut world = World::new(3);
        let root = world.root();
        world.join(12);
        world.run(secs(7));
        world.sleep(root, secs(time));
        world.run(secs(60));
        assert_eq!(world.node(root).stats().silent_neighbours, 0, "{time} s");
    }
}

#[test]
fn a_stall_that_is_short_of_two_heartbeats_is_forgiven_too() {
    let mut solo = Solo::root(Config {
        link_timeout: secs(12),
        ..Config::default()
    });
    let child = solo.child(1);
    solo.wait(ms(4_900));
    solo.event(EventKind::Timeout);
    // The heartbeat that is due in 0.1 s comes 9.7 s late.
    solo.now = solo.now + ms(9_800);
    assert_eq!(closes(&solo.event(EventKind::Timeout)), []);
    solo.wait(secs(3));
    solo.says(child, &LinkFrame::Heartbeat);
    assert_eq!(solo.node.children().count(), 1);
}

#[test]
fn a_node_that_wakes_once_a_minute_still_finds_a_dead_neighbour() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let mut closed = Vec::new();
    for _ in 0..10 {
        solo.now = solo.now + secs(60);
        closed.extend(closes(&solo.event(EventKind::Timeout)));
    }
    assert_eq!(closed, [Action::CloseLink(child, CloseReason::Silent)]);
}

#[test]
fn a_node_that_slept_for_long_finds_its_way_back() {
    let mut world = World::new(2);
    world.root();
    world.join(6);
    let sleeper = world.children(0)[0];
    world.sleep(sleeper, secs(600));
    world.run(secs(700));
    world.settle();
    assert_eq!(world.node(sleeper).stats().silent_neighbours, 0);
    assert_eq!(world.depths().iter().sum::<usize>(), 7);
    world.run(secs(20));
    world.assert_sound();
}

#[test]
fn both_sides_of_a_cut_link_heal() {
    let mut world = World::new(2);
    world.root();
    world.join(6);
    world.cut(0, 1);
    world.run_until(secs(60), |w| w.node(1).role() == Role::Joining);
    world.mend_all();
    world.settle();
    world.run(secs(20));
    assert_eq!(world.depths().iter().sum::<usize>(), 7);
    world.assert_sound();
}
