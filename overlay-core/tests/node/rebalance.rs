//! A tree that stays shallow: which node is invited up, which makes room, and what requests wait for.

use overlay_core::wire::{Invitation, JoinFrame, JoinRequest, LinkFrame, TO_THE_ROOT};
use std::time::Duration;

use overlay_core::{
    Action, Census, CloseReason, Config, EventKind, LinkId, Notification, Path, Policy,
};

use crate::harness::{
    Solo, World, config, delegated, id, join_of, opened, request, secs, sent, status,
};

fn moved(world: &World) -> usize {
    let moved = |note: &Notification| matches!(note, Notification::ParentClosed { reason, .. } if *reason == CloseReason::Moved);
    let nodes = world.all();
    nodes.map(|ix| world.count(ix, moved)).sum()
}

fn invitations(actions: &[Action], link: LinkId) -> Vec<Invitation> {
    let invitation = |frame| match frame {
        LinkFrame::Invite(invitation) => Some(invitation),
        _ => None,
    };
    let frames = sent(actions, link).into_iter();
    frames.filter_map(invitation).collect()
}

/// A node with this many below it, each of which takes two more.
fn pair(below: u32) -> Census {
    let mut census = Census::of_node(2);
    for _ in 0..below {
        census.admit(&Census::of_node(2));
    }
    census
}

/// So many nodes, one below the other, each of which takes one.
fn chain(levels: usize) -> Census {
    let mut census = Census::of_node(1);
    for _ in 1..levels {
        census.admit(&Census::of_node(1));
    }
    census
}

/// The first attempt of an orphan that has lost the node of this number, a child of the node under test.
fn orphan(joiner: u128, lost: u128, census: Census) -> JoinFrame {
    let lost = Path::root(id(1000)).child(id(lost)).unwrap();
    JoinFrame::Request(JoinRequest {
        census,
        lost,
        ..request(join_of(joiner), 2)
    })
}

#[test]
fn an_orphan_is_placed_however_rare_heartbeats_are() {
    let mut solo = Solo::root(Config {
        heartbeat_interval: Duration::MAX / 2,
        link_timeout: Duration::MAX,
        ..config(1)
    });
    let child = solo.child(1);
    solo.says(child, &status(0, pair(6)));
    let actions = solo.server_passes(orphan(66, 1, pair(1)));
    assert_eq!(delegated(&actions, child), [join_of(66)]);
}

#[test]
fn after_any_departure_the_tree_becomes_complete_again() {
    for goes in 1..15 {
        let mut world = World::new(2);
        world.root();
        world.join(14);
        world.crash(goes);
        world.run(secs(60));
        assert_eq!(world.depths(), [1, 2, 4, 7], "{}", world.describe());
        world.assert_sound();
    }
}

#[test]
fn no_node_moves_without_churn() {
    let mut world = World::new(3);
    world.root();
    world.join(40);
    world.run(secs(60));
    assert_eq!(moved(&world), 0);
}

#[test]
fn by_the_rule_of_the_original_no_node_moves() {
    let mut world = World::with(2, |config| config.policy = Policy::Hash);
    world.root();
    world.join(14);
    world.crash(1);
    world.run(secs(60));
    assert_eq!(moved(&world), 0);
}

#[test]
fn a_free_slot_is_left_to_newcomers_for_a_while() {
    let mut solo = Solo::root(config(2));
    let (a, b) = (solo.child(1), solo.child(2));
    solo.says(a, &status(0, pair(3)));
    // Two places at depth 2 below `b`, a node at depth 3 below `a`.
    let interval = solo.node.config().rebalance_interval;
    let early = solo.wait(interval);
    assert_eq!(invitations(&early, a), []);
    solo.says(a, &LinkFrame::Heartbeat);
    let late = solo.wait(interval);
    let expected = Invitation {
        down: 2,
        up: 1,
        max_depth: 2,
    };
    assert_eq!(invitations(&late, a).first(), Some(&expected));
    assert_eq!(invitations(&late, b), []);
}

#[test]
fn an_invitation_finds_the_deepest_leaf() {
    let (mut solo, parent) = Solo::member(config(2));
    let (a, b) = (solo.child_from(parent, 5), solo.child_from(parent, 6));
    solo.says(b, &status(0, pair(1)));
    let invitation = Invitation {
        down: 1,
        up: 1,
        max_depth: 1,
    };
    let actions = solo.says(parent, &LinkFrame::Invite(invitation));
    assert_eq!(invitations(&actions, a), []);
    let deeper = Invitation {
        down: 0,
        up: 2,
        max_depth: 1,
    };
    assert_eq!(invitations(&actions, b), [deeper]);
}

#[test]
fn a_short_child_makes_room_for_a_high_subtree_and_if_it_stays_the_subtree_goes_on() {
    let mut solo = Solo::root(config(1));
    let short = solo.child(1);
    let actions = solo.server_passes(orphan(7, 99, pair(2)));
    let [invitation] = invitations(&actions, short)[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(invitation.up, TO_THE_ROOT);
    assert_eq!(delegated(&actions, short), []);
    let actions = solo.says(short, &LinkFrame::Stay);
    assert_eq!(delegated(&actions, short), [join_of(7)]);
}

#[test]
fn a_child_that_makes_room_is_followed_by_the_joiner() {
    let mut solo = Solo::root(config(1));
    let short = solo.child(1);
    solo.server_passes(orphan(7, 99, pair(2)));
    let actions = solo.event(EventKind::LinkClosed(short));
    assert_eq!(opened(&actions).len(), 1);
}

#[test]
fn a_thin_child_makes_room_for_a_large_subtree_that_is_no_higher() {
    let mut solo = Solo::root(config(1));
    let thin = solo.child(1);
    solo.says(thin, &status(0, chain(3)));
    let actions = solo.server_passes(orphan(7, 99, pair(6)));
    assert_eq!(invitations(&actions, thin).len(), 1);
}

#[test]
fn a_joiner_for_which_a_child_made_room_gives_the_slot_to_no_other() {
    let mut solo = Solo::root(config(2));
    let (large, small) = (solo.child(1), solo.child(2));
    solo.says(large, &status(0, pair(6)));
    let actions = solo.server_passes(orphan(7, 99, pair(3)));
    assert_eq!(invitations(&actions, small).len(), 1);
    let actions = solo.event(EventKind::LinkClosed(small));
    assert_eq!(opened(&actions).len(), 1);
    assert_eq!(invitations(&actions, large), []);
}

#[test]
fn no_child_makes_room_for_a_joiner_that_would_make_room_for_it() {
    let (mut solo, large) = (Solo::root(config(1)), pair(6));
    let child = solo.child(1);
    solo.says(child, &status(0, large));
    for (joiner, census) in [(7, chain(3)), (8, pair(2)), (9, pair(5))] {
        let actions = solo.server_passes(orphan(joiner, 99, census));
        assert_eq!(delegated(&actions, child), [join_of(joiner)]);
    }
}

#[test]
fn no_child_makes_room_for_a_single_node() {
    let mut solo = Solo::root(config(1));
    let short = solo.child(1);
    let actions = solo.server_passes(orphan(7, 99, Census::of_node(2)));
    assert_eq!(delegated(&actions, short), [join_of(7)]);
}

#[test]
fn an_orphan_waits_for_the_slot_of_a_silent_parent() {
    let mut solo = Solo::root(config(1));
    let silent = solo.child(5);
    solo.wait(secs(9));
    let actions = solo.server_passes(orphan(7, 5, pair(2)));
    assert_eq!(
        (opened(&actions).len(), delegated(&actions, silent)),
        (0, vec![])
    );
    let actions = solo.wait(secs(7));
    assert_eq!(opened(&actions).len(), 1, "{actions:?}");
}

#[test]
fn a_single_node_takes_the_free_slot_before_an_orphan_and_the_orphan_goes_below() {
    let mut solo = Solo::root(config(2));
    let high = solo.child(1);
    solo.says(high, &status(0, pair(4)));
    let actions = solo.server_passes(orphan(7, 99, pair(1)));
    assert_eq!(opened(&actions), []);
    assert_eq!(invitations(&actions, high).len(), 1);
    let single = opened(&solo.request(8))[0];
    let actions = solo.greet(single, join_of(8));
    assert_eq!(delegated(&actions, single), [join_of(7)]);
}

#[test]
fn a_thin_subtree_gives_way_too_however_high() {
    let mut solo = Solo::root(config(2));
    let large = solo.child(1);
    solo.says(large, &status(0, pair(6)));
    let actions = solo.server_passes(orphan(7, 99, chain(3)));
    assert_eq!(invitations(&actions, large).len(), 1);
}

#[test]
fn an_orphan_takes_the_slot_if_no_joiner_without_children_comes() {
    let mut solo = Solo::root(config(2));
    let high = solo.child(1);
    solo.says(high, &status(0, pair(4)));
    solo.server_passes(orphan(7, 99, pair(1)));
    let actions = solo.wait(solo.node.config().settle_timeout);
    assert_eq!(opened(&actions).len(), 1);
}
