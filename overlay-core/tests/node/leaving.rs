//! Leaving, and closing a link.

use bytes::Bytes;
use overlay_core::flow::{MIN_WINDOW, message_cost};
use overlay_core::wire::{
    ANY_DEPTH, GoodbyeReason, JoinFrame, Lane, LinkFrame, MAX_PART, Refusal, RejectReason,
};
use overlay_core::{Action, CloseReason, Config, EventKind, Notification, Role};

use crate::harness::{
    Solo, World, config, move_to, moving, opened, refused, secs, sent, sent_up, told,
};

fn goodbye() -> LinkFrame<'static> {
    LinkFrame::Goodbye(GoodbyeReason::Leaving)
}

#[test]
fn a_node_that_leaves_is_not_taken_for_lost() {
    let mut world = World::new(2);
    world.root();
    world.join(6);
    let leaver = world.children(0)[0];
    world.event(leaver, EventKind::Leave);
    world.run(secs(1));
    let left = |note: &Notification| *note == Notification::Left;
    assert_eq!(world.count(leaver, left), 1);
    world.settle();
    world.run(secs(5));
    assert_eq!(world.depths().iter().sum::<usize>(), 6);
    assert_eq!(world.node(0).census().size(), 6);
    world.assert_sound();
}

#[test]
fn both_sides_of_a_goodbye_know_why() {
    let mut world = World::new(1);
    world.root();
    world.join(2);
    // A root has no node above that could take its children.
    world.event(2, EventKind::Leave);
    world.event(0, EventKind::Leave);
    world.run(secs(1));
    let peer_left = |note: &Notification| match note {
        Notification::ParentClosed { reason, .. } | Notification::ChildClosed { reason, .. } => {
            *reason == CloseReason::PeerLeft
        }
        _ => false,
    };
    assert_eq!(world.count(1, peer_left), 2);
}

#[test]
fn a_node_that_has_left_can_join_again_or_be_root() {
    let mut world = World::new(2);
    world.root();
    world.join(2);
    world.event(2, EventKind::Leave);
    world.run(secs(1));
    assert_eq!(world.node(2).role(), Role::Detached);
    world.event(2, EventKind::Join);
    world.settle();
    assert_eq!(world.parent(2), Some(0));
    world.event(2, EventKind::Leave);
    world.run(secs(1));
    world.event(2, EventKind::BecomeRoot(None));
    assert_eq!(world.node(2).role(), Role::Root);
}

#[test]
fn a_former_root_joins_a_younger_tree() {
    let mut world = World::new(2);
    let root = world.root();
    let other = world.start();
    world.settle();
    for wish in [
        EventKind::Leave,
        EventKind::BecomeRoot(None),
        EventKind::Leave,
    ] {
        world.event(other, wish);
        world.run(secs(1));
    }
    assert!(world.node(other).epoch() > world.node(root).epoch());
    world.event(other, EventKind::Join);
    world.settle();
    assert_eq!(world.parent(other), Some(root));
}

#[test]
fn a_root_that_leaves_lets_all_children_go() {
    let mut world = World::new(2);
    world.root();
    world.join(6);
    world.event(0, EventKind::Leave);
    world.run(secs(10));
    assert_eq!(world.node(0).role(), Role::Detached);
    world.root();
    world.settle();
    world.run(secs(10));
    assert_eq!(world.depths().iter().sum::<usize>(), 7);
    world.assert_sound();
}

#[test]
fn queued_messages_are_delivered_before_the_goodbye() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(1);
    world.busy(1);
    let to = world.link(0, 1);
    let mut sent = 0;
    while world.node(0).can_send(to) {
        let payload = Bytes::from(vec![1; MAX_PART]);
        world.event(0, EventKind::Send { to, payload });
        sent += 1;
    }
    world.event(0, EventKind::Leave);
    world.run(secs(1));
    assert_eq!(world.node(0).role(), Role::Leaving);
    world.mend_all();
    world.run(secs(2));
    assert_eq!(world.heard(1).len(), sent);
    assert_eq!(world.node(0).role(), Role::Detached);
}

#[test]
fn a_neighbour_that_takes_nothing_does_not_hold_up_a_leave() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    while solo.node.can_send(child) {
        let payload = Bytes::from(vec![1; MAX_PART]);
        let _ = solo.event(EventKind::Send { to: child, payload });
    }
    let actions = solo.event(EventKind::Leave);
    assert_eq!(sent(&actions, child), []);
    let actions = solo.wait(solo.node.config().leave_timeout);
    assert!(actions.contains(&Action::CloseLink(child, CloseReason::Left)));
    assert!(told(&actions).contains(&&Notification::Left));
}

#[test]
fn an_orphan_that_gives_up_lets_its_children_go() {
    let (mut solo, parent) = Solo::member(Config::default());
    let child = solo.child_from(parent, 5);
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    solo.event(EventKind::BootstrapOpened(solo.server()));
    let refused = solo.server_says(&refused(Refusal::UnknownOverlay, 0));
    assert_eq!(sent(&refused, child), [goodbye()]);
    let actions = solo.event(EventKind::LinkClosed(child));
    assert_eq!(told(&actions), [&Notification::Left]);
    assert_eq!(solo.node.role(), Role::Detached);
}

#[test]
fn a_leaving_node_with_a_candidate_under_way_still_looks_after_its_children() {
    let (mut solo, parent) = Solo::member(config(3));
    let child = solo.child_from(parent, 5);
    solo.request_from(parent, 6);
    let actions = solo.event(EventKind::Leave);
    assert!(matches!(sent(&actions, child)[..], [LinkFrame::Invite(_)]));
    assert_eq!(sent(&actions, parent).last(), Some(&LinkFrame::Leaving));
}

#[test]
fn a_neighbour_that_takes_a_crumb_at_a_time_has_an_end_to_its_time() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    for _ in 0..2_000 {
        let payload = Bytes::new();
        solo.event(EventKind::Send { to: child, payload });
    }
    solo.event(EventKind::Leave);
    for _ in 0..36 {
        solo.wait(secs(9));
        solo.is_granted(child, Lane::Direct, 64);
    }
    assert_eq!(solo.node.role(), Role::Detached);
}

#[test]
fn empty_credit_does_not_put_the_end_off() {
    // One link with a backlog, and one whose goodbye is said.
    for backlog in [true, false] {
        let mut solo = Solo::root(Config::default());
        let child = solo.child(1);
        while backlog && solo.node.can_send(child) {
            let payload = Bytes::from(vec![1; MAX_PART]);
            let _ = solo.event(EventKind::Send { to: child, payload });
        }
        solo.event(EventKind::Leave);
        for _ in 0..3 {
            solo.wait(secs(4));
            solo.is_granted(child, Lane::Direct, 0);
        }
        assert_eq!(solo.node.role(), Role::Detached);
    }
}

#[test]
fn a_neighbour_that_takes_its_time_gets_everything() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    while solo.node.can_send(child) {
        let payload = Bytes::from(vec![1; MAX_PART]);
        let _ = solo.event(EventKind::Send { to: child, payload });
    }
    solo.event(EventKind::Leave);
    let mut actions = Vec::new();
    while sent(&actions, child) != [goodbye()] {
        actions = solo.wait(secs(4));
        let bytes = message_cost(MAX_PART);
        actions.extend(solo.is_granted(child, Lane::Direct, bytes));
        actions.retain(|action| !matches!(action, Action::TransmitData(..)));
        assert_eq!(solo.node.role(), Role::Leaving);
    }
}

#[test]
fn a_neighbour_that_does_not_close_is_closed() {
    let (mut solo, parent) = Solo::member(Config::default());
    let actions = solo.event(EventKind::Leave);
    assert_eq!(sent(&actions, parent), [goodbye()]);
    let actions = solo.wait(solo.node.config().leave_timeout);
    assert!(actions.contains(&Action::CloseLink(parent, CloseReason::Left)));
    assert_eq!(solo.node.next_deadline(), None);
}

#[test]
fn a_node_that_closes_the_link_to_its_parent_looks_for_another() {
    let mut world = World::new(2);
    world.root();
    world.join(6);
    let up = world.link(6, world.parent(6).unwrap());
    world.event(6, EventKind::Close(up));
    assert_eq!(world.node(6).role(), Role::Joining);
    world.settle();
    world.run(secs(1));
    assert_eq!(world.depths(), [1, 2, 4]);
    world.assert_sound();
}

#[test]
fn an_orphan_forgets_the_joins_that_came_through_its_parent() {
    for ends in [EventKind::Close, EventKind::LinkClosed] {
        let (mut solo, parent) = Solo::member(config(1));
        let candidate = opened(&solo.request_from(parent, 5))[0];
        solo.request_from(parent, 6);
        solo.event(ends(parent));
        let actions = solo.event(EventKind::LinkClosed(candidate));
        assert_eq!(opened(&actions), [], "for a joiner that can't be told");
    }
}

#[test]
fn a_link_that_is_parting_is_not_writable() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let mut unsent = Vec::new();
    while unsent.is_empty() {
        let payload = Bytes::from(vec![1; MAX_PART]);
        let actions = solo.event(EventKind::Send { to: child, payload });
        unsent.extend(
            actions
                .into_iter()
                .filter(|a| matches!(a, Action::Notify(_))),
        );
    }
    solo.event(EventKind::Close(child));
    let bytes = MIN_WINDOW * 20;
    assert_eq!(
        told(&solo.is_granted(child, Lane::Direct, bytes)),
        [&Notification::Left; 0]
    );
}

#[test]
fn a_child_whose_link_is_closed_looks_for_another_parent() {
    let mut world = World::new(2);
    world.root();
    world.join(2);
    let down = world.link(0, 1);
    world.event(0, EventKind::Close(down));
    world.run(secs(1));
    let closed = |reason| move |n: &Notification| matches!(n, Notification::ParentClosed { reason: r, .. } if *r == reason);
    assert_eq!(world.count(1, closed(CloseReason::PeerClosed)), 1);
    world.settle();
    assert_eq!(world.depths(), [1, 2]);
}

#[test]
fn a_slot_is_free_only_when_its_link_is_closed() {
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    let actions = solo.event(EventKind::Close(child));
    let farewell = LinkFrame::Goodbye(GoodbyeReason::Closing);
    assert_eq!(sent(&actions, child), [farewell]);
    assert_eq!(solo.node.slots_taken(), 1);
    // Nobody to wait for, and no place now: but soon.
    let [JoinFrame::Reject { rejection, .. }] = sent_up(&solo.request(2))[..] else {
        panic!("no rejection")
    };
    assert_eq!(rejection.reason, RejectReason::Busy);
    solo.event(EventKind::LinkClosed(child));
    assert_eq!(solo.node.slots_taken(), 0);
}

#[test]
fn the_parent_learns_that_a_closed_childs_slot_is_free() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    solo.event(EventKind::Close(child));
    solo.wait(secs(1));
    solo.event(EventKind::LinkClosed(child));
    let actions = solo.wait(secs(1));
    let frames = sent(&actions, parent);
    let [LinkFrame::Status { seen: 1, census }] = &frames[..] else {
        panic!("no report: {frames:?}")
    };
    assert_eq!((census.nodes(), census.free_slots()), (&[1][..], &[1][..]));
}

#[test]
fn joins_under_way_are_told_when_a_node_leaves() {
    let mut solo = Solo::root(config(2));
    solo.child(1);
    solo.request(2);
    solo.request(3);
    solo.request(4);
    let actions = solo.event(EventKind::Leave);
    assert_eq!(sent_up(&actions).len(), 3, "{actions:?}");
    assert_eq!(opened(&actions), []);
}

#[test]
fn a_message_after_the_goodbye_is_not_expected() {
    let (mut solo, parent) = Solo::member(Config::default());
    solo.event(EventKind::Leave);
    let payload = b"late";
    assert_eq!(solo.hears(parent, payload), []);
    assert_eq!(solo.says(parent, &LinkFrame::Heartbeat), []);
    let bytes = message_cost(1);
    assert_eq!(solo.is_granted(parent, Lane::Direct, bytes), []);
    let actions = solo.says(parent, &goodbye());
    assert!(told(&actions).contains(&&Notification::Left));
}

#[test]
fn a_node_that_leaves_on_purpose_leaves_no_orphans() {
    let mut world = World::new(2);
    world.root();
    world.join(14);
    world.stop_server();
    let leaver = world.parent(world.parent(14).unwrap()).unwrap();
    assert_eq!(world.parent(leaver), Some(0));
    world.event(leaver, EventKind::Leave);
    world.run(secs(1));
    assert_eq!(world.node(leaver).role(), Role::Detached);
    world.run(secs(5));
    assert_eq!(world.depths().iter().sum::<usize>(), 14);
    assert_eq!(world.node(0).census().size(), 14);
    let orphaned = |note: &Notification| matches!(note, Notification::ParentClosed { reason, .. } if *reason != CloseReason::Moved);
    for ix in (1..=14).filter(|ix| *ix != leaver) {
        assert_eq!(world.count(ix, orphaned), 0);
    }
    world.assert_sound();
}

#[test]
fn a_node_and_its_parent_can_leave_at_once() {
    let mut world = World::new(2);
    world.root();
    world.join(14);
    let lower = world.parent(14).unwrap();
    let upper = world.parent(lower).unwrap();
    world.event(lower, EventKind::Leave);
    world.event(upper, EventKind::Leave);
    world.run(secs(2));
    world.settle();
    world.run(secs(5));
    assert_eq!(world.depths().iter().sum::<usize>(), 13);
    world.assert_sound();
}

#[test]
fn a_leaving_node_does_not_wait_long_for_a_child_that_has_not_even_asked() {
    let (mut solo, parent) = Solo::member(Config::default());
    let child = solo.child_from(parent, 5);
    let actions = solo.event(EventKind::Leave);
    assert_eq!(sent(&actions, parent), [LinkFrame::Leaving]);
    assert!(matches!(sent(&actions, child)[..], [LinkFrame::Invite(_)]));
    assert_eq!(solo.node.role(), Role::Leaving);
    assert!(solo.node.parent().is_some());
    let actions = solo.wait(solo.node.config().settle_timeout);
    assert!(sent(&actions, child).contains(&goodbye()));
    assert!(sent(&actions, parent).contains(&goodbye()));
}

#[test]
fn a_leaving_node_waits_longer_for_a_child_that_has_asked() {
    let (mut solo, parent) = Solo::member(Config::default());
    let child = solo.child_from(parent, 5);
    solo.event(EventKind::Leave);
    solo.says(child, &moving(5, move_to(2, ANY_DEPTH)));
    let config = solo.node.config().clone();
    let actions = solo.wait(config.settle_timeout);
    assert_eq!(sent(&actions, child), []);
    let actions = solo.wait(config.leave_timeout);
    assert!(sent(&actions, child).contains(&goodbye()));
}

#[test]
fn a_node_that_leaves_does_not_wait_for_a_child_that_stays() {
    let (mut solo, parent) = Solo::member(Config::default());
    let child = solo.child_from(parent, 5);
    solo.event(EventKind::Leave);
    let actions = solo.says(child, &LinkFrame::Stay);
    assert_eq!(sent(&actions, child), [goodbye()]);
}

#[test]
fn a_node_that_is_told_twice_to_leave_waits_for_no_child() {
    let (mut solo, parent) = Solo::member(Config::default());
    let child = solo.child_from(parent, 5);
    solo.event(EventKind::Leave);
    let actions = solo.event(EventKind::Leave);
    assert_eq!(sent(&actions, child), [goodbye()]);
    assert_eq!(sent(&actions, parent), [goodbye()]);
}
