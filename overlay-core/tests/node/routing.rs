//! Passing a join's signals between joiner and acceptor.

use overlay_core::wire::{JoinFrame, LinkFrame, RejectReason};
use overlay_core::{Action, Config, EventKind, JoinId, LinkId};

use crate::harness::{
    self, Solo, World, answer, candidate, config, join_of, opened, reject, rejections, secs, sent,
    sent_up, signal,
};

/// A root with one place, a child in it, and a join that went to that child.
fn delegated() -> (Solo, LinkId, JoinId) {
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    let join = join_of(2);
    assert_eq!(sent(&solo.request(2), child).len(), 1);
    (solo, child, join)
}

fn answer_to(join: JoinId) -> JoinFrame {
    signal(join, answer())
}

fn from(child: LinkId, solo: &mut Solo, frame: JoinFrame) -> Vec<JoinFrame> {
    sent_up(&solo.says(child, &LinkFrame::Join(frame)))
}

#[test]
fn an_answer_goes_up_and_candidates_go_both_ways() {
    let (mut solo, child, join) = delegated();
    assert_eq!(from(child, &mut solo, answer_to(join)), [answer_to(join)]);
    let theirs = signal(join, candidate("acceptor"));
    assert_eq!(from(child, &mut solo, theirs.clone()), [theirs]);
    let ours = signal(join, candidate("joiner"));
    let actions = solo.server_passes(ours.clone());
    assert_eq!(sent(&actions, child), [LinkFrame::Join(ours)]);
}

#[test]
fn candidates_of_both_sides_cross_a_deep_tree() {
    // The harness opens no link before ICE candidates have crossed in both directions.
    let mut world = World::new(1);
    world.root();
    world.join(8);
    assert_eq!(world.depths(), [1; 9]);
}

#[test]
fn a_rejection_goes_up_as_it_is_and_ends_the_join() {
    let (mut solo, child, join) = delegated();
    let no = reject(join, RejectReason::Loop, 3);
    assert_eq!(
        from(child, &mut solo, no.clone()),
        std::slice::from_ref(&no)
    );
    assert_eq!(from(child, &mut solo, no), []);
    assert_eq!(from(child, &mut solo, answer_to(join)), []);
}

#[test]
fn an_answer_from_the_joiners_side_is_dropped() {
    let (mut solo, child, join) = delegated();
    let actions = solo.server_passes(answer_to(join));
    assert_eq!(sent(&actions, child), []);
    assert_eq!(solo.node.stats().join_frames_dropped, 1);
}

#[test]
fn a_peer_without_a_part_in_a_join_can_not_speak_in_it() {
    let mut solo = Solo::root(config(2));
    let children = [solo.child(1), solo.child(2)];
    let actions = solo.request(3);
    let acceptor = usize::from(sent(&actions, children[0]).is_empty());
    let other = children[1 - acceptor];
    let join = join_of(3);
    for forged in [
        answer_to(join),
        signal(join, candidate("forged")),
        reject(join, RejectReason::Full, 3),
        JoinFrame::Cancel { join },
    ] {
        let actions = solo.says(other, &LinkFrame::Join(forged));
        assert_eq!(actions, [], "a word of a stranger");
    }
    let real = from(children[acceptor], &mut solo, answer_to(join));
    assert_eq!(real, [answer_to(join)]);
}

#[test]
fn the_acceptors_side_can_not_cancel() {
    let (mut solo, child, join) = delegated();
    assert_eq!(from(child, &mut solo, JoinFrame::Cancel { join }), []);
    assert_eq!(from(child, &mut solo, answer_to(join)), [answer_to(join)]);
}

#[test]
fn frames_of_an_unknown_join_are_dropped() {
    let (mut solo, child, _) = delegated();
    let join = join_of(77);
    for frame in [
        answer_to(join),
        signal(join, candidate("x")),
        reject(join, RejectReason::Full, 3),
        JoinFrame::Cancel { join },
    ] {
        assert_eq!(solo.server_passes(frame.clone()), []);
        assert_eq!(from(child, &mut solo, frame), []);
    }
    assert_eq!(solo.node.stats().join_frames_dropped, 8);
}

#[test]
fn a_forged_answer_to_a_candidate_of_this_node_is_dropped() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let link = opened(&solo.request(2))[0];
    assert_eq!(
        solo.says(child, &LinkFrame::Join(answer_to(join_of(2)))),
        []
    );
    assert_eq!(solo.server_passes(answer_to(join_of(2))), []);
    let ours = candidate("joiner");
    let applied = Action::ApplySignal(link, ours.clone());
    let actions = solo.server_passes(signal(join_of(2), ours));
    assert_eq!(actions, [applied]);
}

#[test]
fn a_route_is_forgotten_when_its_join_can_not_go_on() {
    let (mut solo, child, join) = delegated();
    for _ in 0..18 {
        // 72 s: the wait for a place, and twice the wait for a handshake.
        solo.wait(secs(4));
        solo.says(child, &LinkFrame::Heartbeat);
    }
    assert_eq!(from(child, &mut solo, answer_to(join)), []);
}

/// A root with one child and room for two routes, both taken by joins that went there.
fn crowded() -> (Solo, LinkId) {
    let mut solo = Solo::root(Config {
        max_degree: 1,
        max_routes: 2,
        ..Config::default()
    });
    let child = solo.child(1);
    assert_eq!(delegated_by(&mut solo, 2, child), [join_of(2)]);
    assert_eq!(delegated_by(&mut solo, 3, child), [join_of(3)]);
    (solo, child)
}

/// The joins that go to `child` when `joiner` asks.
fn delegated_by(solo: &mut Solo, joiner: u128, child: LinkId) -> Vec<JoinId> {
    harness::delegated(&solo.request(joiner), child)
}

#[test]
fn a_joiner_is_told_busy_where_every_route_is_needed() {
    let (mut solo, child) = crowded();
    let actions = solo.request(4);
    assert_eq!(rejections(&actions), [(join_of(4), RejectReason::Busy)]);
    let mut answered = |joiner| from(child, &mut solo, answer_to(join_of(joiner))).len();
    assert_eq!([answered(2), answered(3)], [1, 1]);
}

#[test]
fn a_route_makes_room_when_its_handshake_has_had_time() {
    let (mut solo, child) = crowded();
    from(child, &mut solo, answer_to(join_of(3)));
    assert_eq!(delegated_by(&mut solo, 4, child), []);
    solo.wait(solo.node.config().settle_timeout);
    assert_eq!(delegated_by(&mut solo, 5, child), [join_of(5)]);
    let late = signal(join_of(3), candidate("late"));
    assert_eq!(from(child, &mut solo, late), []);
    assert_eq!(from(child, &mut solo, answer_to(join_of(2))).len(), 1);
}

#[test]
fn a_signal_for_a_candidate_that_failed_is_dropped() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    solo.event(EventKind::LinkClosed(link));
    let late = signal(join_of(1), candidate("late"));
    assert_eq!(solo.server_passes(late), []);
    assert_eq!(solo.node.stats().join_frames_dropped, 1);
}

#[test]
fn joins_that_went_to_a_child_that_is_gone_are_told() {
    let (mut solo, child, join) = delegated();
    let actions = solo.event(EventKind::LinkClosed(child));
    let [
        JoinFrame::Reject {
            join: of,
            rejection,
        },
    ] = sent_up(&actions)[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((of, rejection.reason), (join, RejectReason::Busy));
}

#[test]
fn a_join_is_over_when_the_joiner_has_greeted() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    solo.event(EventKind::LinkClosed(child));
    let late = signal(join_of(1), candidate("late"));
    assert_eq!(solo.server_passes(late), []);
    let cancel = JoinFrame::Cancel { join: join_of(1) };
    assert_eq!(solo.server_passes(cancel), []);
}

#[test]
fn a_member_routes_between_its_parent_and_its_child() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    solo.request_from(parent, 6);
    let actions = solo.says(child, &LinkFrame::Join(answer_to(join_of(6))));
    let up = LinkFrame::Join(answer_to(join_of(6)));
    assert_eq!(sent(&actions, parent), [up]);
}
