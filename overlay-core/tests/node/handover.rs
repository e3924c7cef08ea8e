//! Broadcasts across a change of parents: none is lost unnoticed, and none comes twice.

use overlay_core::wire::{LinkFrame, StreamPosition};
use overlay_core::{Action, Config, Epoch, EventKind, LinkId, Notification, Role, Scope};

use crate::harness::{Solo, below_root, config, id, opened, position, secs, sent, told, welcome};

/// The numbers that the app is given, as their payloads say them.
fn delivered(actions: &[Action]) -> Vec<u8> {
    let broadcast = |action: &Action| match action {
        Action::Deliver(delivery) if delivery.scope == Scope::Broadcast => {
            delivery.payload.first().copied()
        }
        _ => None,
    };
    actions.iter().filter_map(broadcast).collect()
}

fn missed(actions: &[Action]) -> Vec<u64> {
    let missed = |note: &Notification| match note {
        Notification::BroadcastsMissed(broadcasts) => Some(*broadcasts),
        _ => None,
    };
    told(actions).into_iter().filter_map(missed).collect()
}

/// A parent brings the broadcast of this number.
fn brings(solo: &mut Solo, parent: LinkId, number: u8) -> Vec<Action> {
    let frame = LinkFrame::Broadcast {
        number: u64::from(number),
        payload: &[number],
    };
    solo.says(parent, &frame)
}

fn welcome_at(next: u64) -> LinkFrame<'static> {
    let mut frame = welcome(Epoch(1), below_root(2));
    if let LinkFrame::Welcome { position: told, .. } = &mut frame {
        *told = position(Epoch(1), next);
    }
    frame
}

/// A member that has had two broadcasts, was invited, and has greeted another parent: the old link, and the new one.
fn greeted() -> (Solo, LinkId, LinkId) {
    let (mut solo, old) = Solo::member(config(2));
    for number in [1, 2] {
        assert_eq!(delivered(&brings(&mut solo, old, number)), [number]);
    }
    let new = solo.greets_another(old);
    (solo, old, new)
}

#[test]
fn the_old_parent_is_kept_until_it_has_brought_its_last_broadcasts() {
    let (mut solo, old, new) = greeted();
    assert_eq!(told(&solo.says(new, &welcome_at(5))).len(), 0);
    assert_eq!(delivered(&brings(&mut solo, new, 5)), []);
    assert_eq!(delivered(&brings(&mut solo, old, 3)), [3]);
    assert_eq!(solo.node.parent().unwrap().link, old);
    let actions = brings(&mut solo, old, 4);
    assert_eq!(delivered(&actions), [4, 5]);
    assert_eq!(missed(&actions), []);
    assert_eq!(solo.node.parent().unwrap().link, new);
}

#[test]
fn a_broadcast_that_the_new_parent_repeats_is_dropped_and_credited() {
    let (mut solo, _, new) = greeted();
    let actions = solo.says(new, &welcome_at(2));
    assert_eq!(solo.node.parent().unwrap().link, new);
    assert_eq!(missed(&actions), []);
    assert_eq!(delivered(&brings(&mut solo, new, 2)), []);
    assert_eq!(delivered(&brings(&mut solo, new, 3)), [3]);
    assert_eq!(solo.node.stats().broadcasts_repeated, 1);
}

#[test]
fn an_old_parent_that_goes_meanwhile_leaves_a_hole_that_is_told() {
    let (mut solo, old, new) = greeted();
    solo.says(new, &welcome_at(5));
    brings(&mut solo, new, 5);
    let actions = solo.event(EventKind::LinkClosed(old));
    assert_eq!((missed(&actions), delivered(&actions)), (vec![2], vec![5]));
    assert_eq!(solo.node.role(), Role::Member);
}

#[test]
fn an_old_parent_that_brings_nothing_is_left_in_the_end() {
    let (mut solo, old, new) = greeted();
    solo.says(new, &welcome_at(5));
    let mut missing = Vec::new();
    for _ in 0..40 {
        missing.extend(missed(&solo.wait(secs(1))));
        for link in [old, new] {
            solo.says(link, &LinkFrame::Heartbeat);
        }
    }
    assert_eq!(missing, [2]);
    assert_eq!(solo.node.parent().unwrap().link, new);
}

#[test]
fn an_orphan_is_told_how_many_it_has_missed() {
    let (mut solo, parent) = Solo::member(config(2));
    brings(&mut solo, parent, 1);
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    let actions = solo.says(link, &welcome_at(7));
    assert_eq!(missed(&actions), [5]);
    assert_eq!(delivered(&brings(&mut solo, link, 7)), [7]);
}

#[test]
fn a_node_new_to_a_tree_has_missed_nothing() {
    let mut solo = Solo::new(Config::default());
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    assert_eq!(missed(&solo.says(link, &welcome_at(7))), []);
}

#[test]
fn a_lie_about_a_number_does_not_silence_later_broadcasts() {
    let (mut solo, parent) = Solo::member(config(2));
    let (number, payload) = (u64::MAX, &[9][..]);
    solo.says(parent, &LinkFrame::Broadcast { number, payload });
    assert_eq!(delivered(&brings(&mut solo, parent, 2)), [2]);
    assert_eq!(delivered(&brings(&mut solo, parent, 3)), [3]);
}

#[test]
fn the_position_of_another_root_is_queued_behind_the_former_roots_broadcasts() {
    let (mut solo, parent) = Solo::member(config(2));
    let child = solo.child_from(parent, 5);
    brings(&mut solo, parent, 1);
    let other = StreamPosition {
        root: id(77),
        epoch: Epoch(2),
        next: 1,
    };
    let actions = solo.says(parent, &LinkFrame::Position(other));
    assert_eq!(sent(&actions, child), [LinkFrame::Position(other)]);
    assert_eq!(delivered(&brings(&mut solo, parent, 1)), [1]);
}

#[test]
fn the_children_of_a_node_with_another_root_hear_its_epoch_before_its_broadcasts() {
    let (mut solo, parent) = Solo::member(config(2));
    let child = solo.child_from(parent, 5);
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    let actions = solo.welcome_in(link, 2);
    // In the other order, a child that is welcomed by a node of the former tree between the two would take the
    // former root for a new one, and miss all its broadcasts.
    assert!(matches!(
        sent(&actions, child)[..],
        [LinkFrame::Moved { .. }, LinkFrame::Position(_)]
    ));
}

/// The next broadcast of a root that came later, of epoch 2.
fn later_root(next: u64) -> StreamPosition {
    StreamPosition {
        root: id(77),
        epoch: Epoch(2),
        next,
    }
}

#[test]
fn a_parent_that_is_still_at_a_former_roots_broadcasts_brings_nothing_twice() {
    let (mut solo, old, new) = greeted();
    let (epoch, path) = (Epoch(2), below_root(1));
    solo.says(old, &LinkFrame::Moved { epoch, path });
    solo.says(old, &LinkFrame::Position(later_root(1)));
    assert_eq!(delivered(&brings(&mut solo, old, 1)), [1]);
    let mut welcome = welcome(epoch, below_root(2));
    if let LinkFrame::Welcome { position: told, .. } = &mut welcome {
        *told = position(Epoch(1), 2);
    }
    assert_eq!(missed(&solo.says(new, &welcome)), []);
    assert_eq!(
        delivered(&brings(&mut solo, new, 2)),
        [],
        "the former root's"
    );
    solo.says(new, &LinkFrame::Position(later_root(1)));
    assert_eq!(delivered(&brings(&mut solo, new, 1)), []);
    assert_eq!(delivered(&brings(&mut solo, new, 2)), [2]);
}

#[test]
fn a_parent_that_is_already_at_the_next_roots_broadcasts_has_to_wait() {
    let (mut solo, old, new) = greeted();
    let mut welcome = welcome(Epoch(2), below_root(2));
    if let LinkFrame::Welcome { position: told, .. } = &mut welcome {
        *told = later_root(2);
    }
    assert_eq!(missed(&solo.says(new, &welcome)), []);
    assert_eq!(delivered(&brings(&mut solo, old, 3)), [3]);
    solo.says(old, &LinkFrame::Position(later_root(1)));
    assert_eq!(delivered(&brings(&mut solo, old, 1)), [1]);
    assert_eq!(delivered(&brings(&mut solo, new, 2)), [2]);
}
