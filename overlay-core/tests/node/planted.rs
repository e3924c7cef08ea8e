//! Bugs on purpose, and the rule that notices each: a rule which never fails shows nothing.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{GoodbyeReason, JoinFrame, LinkFrame, MAX_PART};
use overlay_core::{Config, EventKind, JoinId, Planted};

use crate::harness::{Solo, candidate, config, join_of, opened, request};

/// A node of one place with this bug.
fn with(bug: Planted) -> Config {
    Config {
        planted: Some(bug),
        ..config(1)
    }
}

#[test]
#[should_panic(expected = "MembersNeedNoServer")]
fn a_member_that_keeps_its_server_is_noticed() {
    drop(Solo::member(with(Planted::ServerKept)));
}

#[test]
#[should_panic(expected = "NoLoopIsAccepted")]
fn a_node_that_accepts_its_own_parent_is_noticed() {
    let (mut solo, parent) = Solo::member(with(Planted::LoopCheckGone));
    solo.request_from(parent, 1);
}

#[test]
#[should_panic(expected = "NoActionForADeadLink")]
fn a_signal_for_a_candidate_that_failed_is_noticed() {
    let mut solo = Solo::root(with(Planted::RouteNotRemoved));
    let link = opened(&solo.request(1))[0];
    solo.event(EventKind::LinkClosed(link));
    let (join, signal) = (join_of(1), candidate("late"));
    solo.server_passes(JoinFrame::Signal { join, signal });
}

#[test]
#[should_panic(expected = "AppKnowsTheNeighbours")]
fn a_child_that_is_there_twice_is_noticed() {
    let mut solo = Solo::root(Config {
        max_degree: 2,
        ..with(Planted::TwinKept)
    });
    solo.child(1);
    let join = JoinId {
        attempt: 2,
        ..join_of(1)
    };
    let request = request(join, 1);
    let again = opened(&solo.server_passes(JoinFrame::Request(request)))[0];
    solo.greet(again, join);
}

#[test]
#[should_panic(expected = "QueuesAreBounded")]
fn requests_past_the_limit_are_noticed() {
    let mut solo = Solo::root(Config {
        max_waiting: 1,
        ..with(Planted::WaitingWithoutLimit)
    });
    (1..=3).for_each(|joiner| drop(solo.request(joiner)));
}

#[test]
#[should_panic(expected = "QueuesAreBounded")]
fn messages_past_the_limit_are_noticed() {
    let mut solo = Solo::root(Config {
        send_queue: 0,
        max_message: MAX_PART,
        window: MIN_WINDOW,
        ..with(Planted::SendQueueWithoutLimit)
    });
    let to = solo.child(1);
    for _ in 0..12 {
        let payload = Bytes::from(vec![0; MAX_PART]);
        solo.event(EventKind::Send { to, payload });
    }
}

#[test]
#[should_panic(expected = "QueuesAreBounded")]
fn credit_for_what_is_held_is_noticed() {
    let (mut solo, parent) = Solo::member(Config {
        window: MIN_WINDOW,
        history: 0,
        ..with(Planted::CreditForWhatIsHeld)
    });
    solo.child_from(parent, 5);
    for _ in 0..12 {
        solo.hears(parent, &[0; MAX_PART]);
    }
}

#[test]
#[should_panic(expected = "QueuesAreBounded")]
fn a_link_that_ends_instead_of_another_is_noticed() {
    let mut solo = Solo::root(with(Planted::LateEventTaken));
    let gone = solo.child(1);
    solo.says(gone, &LinkFrame::Goodbye(GoodbyeReason::Leaving));
    solo.child(2);
    solo.event(EventKind::LinkClosed(gone));
}
