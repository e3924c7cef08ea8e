//! Requests that wait for a candidate.

use overlay_core::wire::{JoinFrame, LinkFrame, RejectReason};
use overlay_core::{Action, Census, CloseReason, Config, Epoch, EventKind, Path};

use crate::harness::{
    Solo, World, candidate, config, delegated, id, join_of, ms, opened, rejections, secs, sent,
    status,
};

#[test]
fn requests_wait_for_a_candidate_and_follow_it_when_it_connects() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    assert_eq!(solo.request(2), []);
    assert_eq!(solo.request(3), []);
    let actions = solo.greet(link, join_of(1));
    assert_eq!(delegated(&actions, link), [join_of(2), join_of(3)]);
}

#[test]
fn a_hanging_candidate_loses_its_slot_to_the_request_behind_it() {
    let mut solo = Solo::root(Config {
        wait_timeout: secs(60),
        ..config(1)
    });
    let hanging = opened(&solo.request(1))[0];
    solo.request(2);
    let actions = solo.wait(solo.node.config().request_timeout);
    assert!(actions.contains(&Action::CloseLink(hanging, CloseReason::Timeout)));
    assert_eq!(rejections(&actions), [(join_of(1), RejectReason::Timeout)]);
    let next = opened(&actions)[0];
    solo.greet(next, join_of(2));
    assert_eq!(solo.node.children().next().unwrap().node, id(2));
    assert_eq!(solo.node.stats().candidates_failed, 1);
}

#[test]
fn a_crowd_behind_a_hanging_candidate_gets_in() {
    let mut world = World::new(1);
    let root = world.root();
    let hanging = world.start();
    world.hang(hanging);
    let crowd: Vec<_> = (0..6).map(|_| world.start()).collect();
    let inside = |w: &World| crowd.iter().all(|ix| w.parent(*ix).is_some());
    world.run_until(secs(90), inside);
    assert!(world.parent(hanging).is_none());
    assert_eq!(world.children(root).len(), 1);
}

#[test]
fn a_request_settles_for_a_connected_child_after_settle_timeout() {
    let mut solo = Solo::root(config(2));
    let child = solo.child_with_slots(1, 1);
    solo.request_with_slots(2, 5);
    // The candidate's subtree has the shallower place; the child has one only further down.
    solo.says(child, &status(0, deep_slot()));
    assert_eq!(solo.request(3), []);
    assert_eq!(delegated(&solo.wait(ms(1_999)), child), []);
    assert_eq!(delegated(&solo.wait(ms(1)), child), [join_of(3)]);
}

#[test]
fn an_overdue_request_takes_the_first_child_that_connects() {
    let mut solo = Solo::root(config(2));
    let links = [opened(&solo.request(1))[0], opened(&solo.request(2))[0]];
    // It waits for the first candidate, and then for any.
    solo.request(3);
    solo.wait(secs(3));
    let actions = solo.greet(links[1], join_of(2));
    assert_eq!(delegated(&actions, links[1]), [join_of(3)]);
}

#[test]
fn an_overdue_request_takes_the_first_slot_that_is_reported() {
    let mut solo = Solo::root(config(2));
    let child = solo.child_with_slots(1, 0);
    solo.request(2);
    solo.request(3);
    solo.wait(secs(3));
    let actions = solo.says(child, &status(0, Census::of_node(1)));
    assert_eq!(delegated(&actions, child), [join_of(3)]);
}

#[test]
fn a_slot_promised_to_a_joiner_that_gave_up_is_free_again() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request_with_slots(1, 1))[0];
    solo.request_with_slots(2, 0);
    solo.server_passes(JoinFrame::Cancel { join: join_of(2) });
    solo.greet(link, join_of(1));
    let actions = solo.request_with_slots(3, 0);
    assert_eq!(delegated(&actions, link), [join_of(3)]);
}

#[test]
fn a_slot_promised_to_a_rejected_joiner_is_free_again() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request_with_slots(1, 1))[0];
    solo.request_with_slots(2, 0);
    solo.wait(solo.node.config().wait_timeout);
    solo.greet(link, join_of(1));
    let actions = solo.request_with_slots(3, 0);
    assert_eq!(delegated(&actions, link), [join_of(3)]);
}

#[test]
fn a_slot_promised_to_a_joiner_that_settled_for_another_is_free_again() {
    let mut solo = Solo::root(config(2));
    let child = solo.child_with_slots(1, 1);
    solo.says(child, &status(0, deep_slot()));
    let link = opened(&solo.request_with_slots(2, 1))[0];
    solo.request_with_slots(3, 0);
    assert_eq!(delegated(&solo.wait(secs(2)), child), [join_of(3)]);
    solo.greet(link, join_of(2));
    let actions = solo.request_with_slots(4, 0);
    assert_eq!(delegated(&actions, link), [join_of(4)]);
}

#[test]
fn a_request_that_waits_too_long_is_told_that_the_tree_is_busy() {
    let mut solo = Solo::root(config(1));
    solo.request(1);
    solo.request(2);
    let actions = solo.wait(solo.node.config().wait_timeout);
    assert_eq!(rejections(&actions), [(join_of(2), RejectReason::Busy)]);
}

#[test]
fn time_spent_waiting_further_up_counts() {
    let mut solo = Solo::root(config(1));
    solo.request(1);
    let waited = ms(9_000);
    solo.request_that_waited(2, waited);
    let actions = solo.wait(ms(1_000));
    assert_eq!(rejections(&actions), [(join_of(2), RejectReason::Busy)]);
}

#[test]
fn a_request_tells_the_next_node_how_long_it_has_waited() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    solo.request_that_waited(2, ms(500));
    solo.wait(ms(300));
    let actions = solo.greet(link, join_of(1));
    let waited = sent(&actions, link)
        .into_iter()
        .find_map(|frame| match frame {
            LinkFrame::Join(JoinFrame::Request(request)) => Some(request.waited_ms),
            _ => None,
        });
    assert_eq!(waited, Some(800));
}

#[test]
fn a_joiner_that_is_above_by_now_does_not_get_its_slot() {
    let (mut solo, parent) = Solo::member(config(1));
    let hanging = opened(&solo.request_from(parent, 2))[0];
    solo.request_from(parent, 3);
    solo.request_from(parent, 4);
    let path = Path::root(id(3)).child(id(1)).unwrap();
    let epoch = Epoch(1);
    solo.says(parent, &LinkFrame::Moved { epoch, path });
    let actions = solo.event(EventKind::LinkClosed(hanging));
    let link = opened(&actions)[0];
    assert_eq!(solo.node.join_of(link), Some(join_of(4)));
}

#[test]
fn no_more_requests_than_max_waiting_wait() {
    let mut solo = Solo::root(Config {
        max_waiting: 2,
        ..config(1)
    });
    solo.request(1);
    assert_eq!(rejections(&solo.request(2)), []);
    assert_eq!(rejections(&solo.request(3)), []);
    let busy = [(join_of(4), RejectReason::Busy)];
    assert_eq!(rejections(&solo.request(4)), busy);
}

#[test]
fn a_slot_that_becomes_free_goes_to_the_request_that_waits_longest() {
    let mut solo = Solo::root(config(2));
    let leaf = solo.child_with_slots(1, 0);
    solo.request(2);
    solo.request(3);
    solo.request(4);
    let actions = solo.event(EventKind::LinkClosed(leaf));
    let link = opened(&actions)[0];
    solo.greet(link, join_of(3));
    assert!(solo.node.children().any(|child| child.node == id(3)));
}

#[test]
fn a_slot_that_a_waiting_request_gets_moves_no_other() {
    let mut solo = Solo::root(config(2));
    let links = [opened(&solo.request(1))[0], opened(&solo.request(2))[0]];
    solo.request(3);
    solo.request(4);
    // The third waits for the first candidate, the fourth for the second.
    let actions = solo.event(EventKind::LinkClosed(links[0]));
    assert_eq!(opened(&actions).len(), 1);
    let actions = solo.greet(links[1], join_of(2));
    assert_eq!(delegated(&actions, links[1]), [join_of(4)]);
}

#[test]
fn requests_behind_a_candidate_are_placed_anew_when_it_fails() {
    let mut solo = Solo::root(config(1));
    let failing = opened(&solo.request(1))[0];
    for joiner in 2..=4 {
        solo.request(joiner);
    }
    let next = opened(&solo.event(EventKind::LinkClosed(failing)))[0];
    let actions = solo.greet(next, join_of(2));
    assert_eq!(delegated(&actions, next), [join_of(3), join_of(4)]);
}

#[test]
fn a_request_that_is_placed_anew_keeps_its_age() {
    let mut solo = Solo::root(config(2));
    let failing = opened(&solo.request(1))[0];
    for joiner in 2..=5 {
        solo.request(joiner);
    }
    solo.wait(secs(5));
    solo.request(6);
    // The third gets the place; the fifth waits on.
    solo.event(EventKind::LinkClosed(failing));
    let busy = |joiner| (join_of(joiner), RejectReason::Busy);
    assert_eq!(rejections(&solo.wait(secs(5))), [busy(4), busy(5)]);
    assert_eq!(rejections(&solo.wait(secs(5))), [busy(6)]);
}

#[test]
fn candidates_of_a_waiting_joiner_are_kept_up_to_a_limit_and_follow_it() {
    let mut solo = Solo::root(Config {
        max_early_ice_candidates: 2,
        ..config(1)
    });
    let link = opened(&solo.request(1))[0];
    solo.request(2);
    let join = join_of(2);
    for text in ["a", "b", "c"] {
        let signal = candidate(text);
        solo.server_passes(JoinFrame::Signal { join, signal });
    }
    assert_eq!(solo.node.stats().join_frames_dropped, 1);
    let actions = solo.greet(link, join_of(1));
    let signal = |text| {
        LinkFrame::Join(JoinFrame::Signal {
            join,
            signal: candidate(text),
        })
    };
    let frames = sent(&actions, link);
    assert_eq!(frames[2..], [signal("a"), signal("b")]);
}

#[test]
fn kept_ice_candidates_are_applied_when_the_joiner_gets_a_slot_here() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    solo.request(2);
    let join = join_of(2);
    let signal = candidate("a");
    solo.server_passes(JoinFrame::Signal {
        join,
        signal: signal.clone(),
    });
    let actions = solo.event(EventKind::LinkClosed(link));
    let next = opened(&actions)[0];
    assert!(actions.contains(&Action::ApplySignal(next, signal)));
}

/// A node with a full child that has a child with a place.
fn deep_slot() -> Census {
    let mut middle = Census::of_node(1);
    middle.admit(&Census::of_node(1));
    let mut top = Census::of_node(1);
    top.admit(&middle);
    top
}
