//! Moving to another parent, and helping others to.

use overlay_core::wire::{
    ANY_DEPTH, GoodbyeReason, Invitation, JoinFrame, JoinRequest, LinkFrame, RejectReason,
};
use overlay_core::{
    Action, Census, CloseReason, Epoch, EventKind, JoinId, LinkId, Notification, Path, Role,
};

use crate::harness::{
    OWN_JOIN, Solo, answer, below_root, config, delegated, id, join_of, move_to, moving, opened,
    reject, request, sdp, secs, sent, sent_up, signal, told, welcome,
};

/// The second attempt of the node under test: its first made it a member.
const MOVE: JoinId = JoinId {
    attempt: 2,
    ..OWN_JOIN
};

fn invite() -> LinkFrame<'static> {
    LinkFrame::Invite(Invitation {
        down: 0,
        up: 2,
        max_depth: 1,
    })
}

fn requests(actions: &[Action], link: LinkId) -> Vec<JoinRequest> {
    let request = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Join(JoinFrame::Request(request)) => Some(request),
        _ => None,
    };
    sent(actions, link)
        .into_iter()
        .filter_map(request)
        .collect()
}

fn busy(join: JoinId) -> LinkFrame<'static> {
    LinkFrame::Join(reject(join, RejectReason::Busy, 1_000))
}

/// A member below node 1 that is invited and has sent its request: the link to the parent, and the new one.
fn invited(max_degree: u16) -> (Solo, LinkId, LinkId) {
    let (mut solo, parent) = Solo::member(config(max_degree));
    let dial = opened(&solo.says(parent, &invite()))[0];
    let actions = solo.event(EventKind::LinkOffer(dial, sdp("offer")));
    assert_eq!(requests(&actions, parent)[0].kind, move_to(2, 1));
    (solo, parent, dial)
}

/// The same, with the new channel open and the greeting sent.
fn greeted(max_degree: u16) -> (Solo, LinkId, LinkId) {
    let (mut solo, parent, dial) = invited(max_degree);
    solo.says(parent, &answered(MOVE));
    solo.event(EventKind::LinkOpened(dial));
    (solo, parent, dial)
}

fn answered(join: JoinId) -> LinkFrame<'static> {
    LinkFrame::Join(signal(join, answer()))
}

#[test]
fn an_invited_node_goes_to_another_parent_and_is_never_without_one() {
    let (mut solo, parent, dial) = greeted(2);
    assert_eq!(solo.node.parent().unwrap().link, parent);
    let actions = solo.says(dial, &welcome(Epoch(1), below_root(2)));
    let [
        Notification::ParentClosed { reason, .. },
        Notification::ParentConnected { node, .. },
    ] = told(&actions)[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((*reason, *node), (CloseReason::Moved, id(2)));
    let goodbye = LinkFrame::Goodbye(GoodbyeReason::Moved);
    assert_eq!(sent(&actions, parent), [goodbye]);
    assert_eq!(solo.node.stats().moves_done, 1);
}

#[test]
fn the_children_of_a_node_that_has_moved_are_told_where_they_stand() {
    let (mut solo, parent) = Solo::member(config(2));
    let child = solo.child_from(parent, 5);
    let dial = opened(&solo.says(parent, &invite()))[0];
    let actions = solo.event(EventKind::LinkOffer(dial, sdp("offer")));
    assert_eq!(requests(&actions, parent)[0].census.size(), 2);
    solo.says(parent, &answered(MOVE));
    solo.event(EventKind::LinkOpened(dial));
    let actions = solo.says(dial, &welcome(Epoch(1), below_root(2)));
    let path = below_root(2).child(solo.node.id()).unwrap();
    let epoch = Epoch(1);
    assert_eq!(sent(&actions, child), [LinkFrame::Moved { epoch, path }]);
}

#[test]
fn a_rejected_mover_stays_and_says_so() {
    let (mut solo, parent, dial) = invited(2);
    let actions = solo.says(parent, &busy(MOVE));
    assert!(sent(&actions, parent).contains(&LinkFrame::Stay));
    let closed = Action::CloseLink(dial, CloseReason::Rejected(RejectReason::Busy));
    assert!(actions.contains(&closed));
    assert_eq!(told(&actions), [&Notification::Left; 0]);
    assert_eq!(solo.node.parent().unwrap().link, parent);
    assert_eq!(opened(&solo.says(parent, &invite())).len(), 1);
}

#[test]
fn a_move_that_takes_too_long_is_taken_back() {
    let (mut solo, parent, _) = greeted(2);
    let mut frames = Vec::new();
    for _ in 0..40 {
        let actions = solo.wait(secs(1));
        frames.extend(sent(&actions, parent).iter().map(|f| format!("{f:?}")));
        solo.says(parent, &LinkFrame::Heartbeat);
    }
    let cancel = format!("{:?}", LinkFrame::Join(JoinFrame::Cancel { join: MOVE }));
    let at = frames.iter().position(|frame| *frame == cancel).unwrap();
    assert_eq!(frames[at + 1], "Stay");
}

#[test]
fn one_move_at_a_time() {
    let (mut solo, parent, _) = invited(2);
    assert_eq!(solo.says(parent, &invite()), []);
}

#[test]
fn an_orphan_keeps_an_attempt_that_has_its_answer() {
    let (mut solo, parent, dial) = greeted(2);
    let actions = solo.event(EventKind::LinkClosed(parent));
    assert_eq!(told(&actions).len(), 1);
    assert_eq!(solo.node.role(), Role::Joining);
    let actions = solo.says(dial, &welcome(Epoch(1), below_root(2)));
    assert!(matches!(
        told(&actions)[..],
        [
            Notification::ParentConnected { .. },
            Notification::Reattached { .. }
        ]
    ));
}

#[test]
fn an_orphan_without_an_answer_begins_anew_through_the_server() {
    let (mut solo, parent, dial) = invited(2);
    let actions = solo.event(EventKind::LinkClosed(parent));
    assert!(actions.contains(&Action::CloseLink(dial, CloseReason::Cancelled)));
    solo.wait(secs(1));
    let again = opened(&solo.registered())[0];
    let offer = solo.event(EventKind::LinkOffer(again, sdp("offer")));
    assert_eq!(sent_up(&offer)[0].join().attempt, 3);
}

#[test]
fn a_leaving_node_takes_its_move_back() {
    let (mut solo, parent, dial) = invited(2);
    let actions = solo.event(EventKind::Leave);
    let cancel = LinkFrame::Join(JoinFrame::Cancel { join: MOVE });
    let goodbye = LinkFrame::Goodbye(GoodbyeReason::Leaving);
    assert_eq!(sent(&actions, parent), [cancel, goodbye]);
    assert!(actions.contains(&Action::CloseLink(dial, CloseReason::Left)));
}

#[test]
fn a_welcome_from_below_ends_the_move_and_not_the_membership() {
    let (mut solo, parent, dial) = greeted(2);
    let below = below_root(1).child(solo.node.id()).unwrap();
    let below = below.child(id(7)).unwrap();
    let actions = solo.says(dial, &welcome(Epoch(1), below));
    assert!(sent(&actions, parent).contains(&LinkFrame::Stay));
    assert_eq!(solo.node.parent().unwrap().link, parent);
}

#[test]
fn an_uninvited_child_gets_no_slot_elsewhere() {
    let mut solo = Solo::root(config(2));
    let child = solo.child(1);
    let actions = solo.says(child, &moving(1, move_to(1, ANY_DEPTH)));
    assert_eq!(sent(&actions, child), [busy(join_of(1))]);
    assert_eq!(opened(&actions), []);
}

#[test]
fn a_move_never_replaces_a_link() {
    let (mut solo, parent) = Solo::member(config(3));
    let child = solo.child_from(parent, 5);
    // The second place is free, but the joiner is a child already; so it goes nowhere.
    let actions = solo.says(parent, &moving(5, move_to(0, 1)));
    assert_eq!(opened(&actions), []);
    // Nor does a candidate that was none when it was accepted.
    let late = JoinRequest {
        join: JoinId {
            attempt: 9,
            ..join_of(6)
        },
        kind: move_to(0, 1),
        ..request(join_of(6), 1)
    };
    let frame = LinkFrame::Join(JoinFrame::Request(late.clone()));
    let candidate = opened(&solo.says(parent, &frame))[0];
    let other = solo.child_from(parent, 6);
    solo.greet(candidate, late.join);
    let children: Vec<LinkId> = solo.node.children().map(|child| child.link).collect();
    assert_eq!(children.len(), 2);
    assert!(children.contains(&child) && children.contains(&other));
}

#[test]
fn a_request_goes_no_deeper_than_it_may() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    let actions = solo.says(parent, &moving(8, move_to(0, 1)));
    let full = |actions: &[Action]| {
        let frames = format!("{:?}", sent(actions, parent));
        frames.contains("Reject") && frames.contains("Full")
    };
    assert!(full(&actions), "{actions:?}");
    let actions = solo.says(parent, &moving(9, move_to(0, 2)));
    assert_eq!(requests(&actions, child)[0].kind, move_to(0, 1));
}

#[test]
fn a_subtree_with_a_closed_intake_counts_by_its_nodes_and_not_by_its_slots() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    let whole = solo.node.census();
    assert_eq!(whole.shallowest_slot(), Some(2));
    solo.says(child, &LinkFrame::Leaving);
    let shut = solo.node.census();
    // The child's own place is free already; that below it is not told of any more.
    assert_eq!((shut.size(), shut.shallowest_slot()), (2, Some(1)));
    assert_eq!(shut.free_slots(), [1]);
    let actions = solo.request_from(parent, 6);
    assert_eq!(
        (delegated(&actions, child).len(), opened(&actions).len()),
        (0, 1)
    );
}

#[test]
fn a_request_that_can_not_take_a_free_slot_waits_on() {
    let (mut solo, parent) = Solo::member(config(3));
    solo.child_from(parent, 5);
    let first = opened(&solo.request_from(parent, 6))[0];
    let second = opened(&solo.request_from(parent, 7))[0];
    // The joiner is a child already: it waits for a place below the first of the two.
    solo.says(parent, &moving(5, move_to(0, ANY_DEPTH)));
    assert_eq!(solo.node.load().parked, 1);
    solo.event(EventKind::LinkClosed(first));
    assert_eq!((solo.node.load().parked, solo.node.slots_taken()), (1, 2));
    let actions = solo.greet(second, join_of(7));
    assert_eq!(delegated(&actions, second), [join_of(5)]);
}

#[test]
fn a_request_that_waits_for_a_slot_that_it_can_not_take_is_looked_at_once() {
    let mut solo = Solo::root(config(2));
    let (_silent, liar) = (solo.child(5), solo.child(6));
    for _ in 0..8 {
        solo.wait(secs(1));
        solo.says(liar, &LinkFrame::Heartbeat);
    }
    let mut census = Census::of_node(2);
    census.admit(&Census::of_node(2));
    let request = JoinRequest {
        census,
        kind: move_to(1, ANY_DEPTH),
        lost: Path::root(id(1000)).child(id(5)).unwrap(),
        ..request(join_of(5), 1)
    };
    solo.says(liar, &LinkFrame::Join(JoinFrame::Request(request)));
    // A place becomes free, and the joiner, a child already, can't take it.
    solo.says(liar, &LinkFrame::Leaving);
    assert!(solo.node.load().parked <= 1);
}
