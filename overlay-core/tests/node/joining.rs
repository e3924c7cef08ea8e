//! A node's own way into the tree.

use std::time::Duration;

use overlay_core::wire::{JoinFrame, LinkFrame, RejectReason, ServerFrame};
use overlay_core::{
    Action, CloseReason, Config, Epoch, EventKind, JoinId, Notification, ProtocolError, Role,
    Signal,
};

use overlay_sim::{Profile, Setup};

use crate::harness::{
    Ix, OWN_JOIN, Solo, World, answer, below_root, candidate, id, opened, reject, sdp, secs, sent,
    sent_up, signal, told, welcome,
};

fn attempts(world: &World, ix: Ix) -> Vec<u32> {
    let attempt = |note: &Notification| match note {
        Notification::ParentConnected { attempt, .. } => Some(*attempt),
        _ => None,
    };
    world.notes(ix).filter_map(attempt).collect()
}

/// A joiner that is registered, and its dial.
fn joiner() -> (Solo, overlay_core::LinkId) {
    let mut solo = Solo::new(Config::default());
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    (solo, link)
}

/// The reason and the wait that the app is told.
fn rejected(actions: &[Action]) -> Option<(RejectReason, Duration)> {
    told(actions).into_iter().find_map(|note| match note {
        Notification::JoinRejected { reason, retry_in } => Some((*reason, *retry_in)),
        _ => None,
    })
}

#[test]
fn a_first_node_joins_the_root() {
    let mut world = World::new(2);
    let root = world.root();
    world.join(1);
    assert_eq!(world.depths(), [1, 1]);
    assert_eq!(world.children(root), [1]);
    world.assert_sound();
}

#[test]
fn a_crowd_ends_as_the_complete_tree_at_the_first_attempt() {
    for (count, degree, depths) in [
        (7, 2, &[1, 2, 4, 1][..]),
        (14, 2, &[1, 2, 4, 8]),
        (50, 5, &[1, 5, 25, 20]),
        (200, 10, &[1, 10, 100, 90]),
        (1_000, 10, &[1, 10, 100, 890]),
        (12, 1, &[1; 13]),
    ] {
        let mut world = World::new(degree);
        world.root();
        for ix in world.join(count) {
            assert_eq!(attempts(&world, ix), [1]);
        }
        assert_eq!(world.depths(), depths);
        world.run(secs(2));
        world.assert_sound();
    }
}

#[test]
fn nodes_that_join_in_turn_make_the_complete_tree() {
    for (count, degree, depths) in [
        (7, 2, &[1, 2, 4, 1][..]),
        (30, 3, &[1, 3, 9, 18]),
        (50, 5, &[1, 5, 25, 20]),
    ] {
        let mut world = World::new(degree);
        world.root();
        world.join_in_turn(count);
        assert_eq!(world.depths(), depths);
        world.assert_sound();
    }
}

#[test]
fn a_crowd_on_an_uneven_network_makes_the_complete_tree_too() {
    for seed in 0..10 {
        let mut setup = Setup::new(seed);
        setup.profile = Profile::Mobile;
        setup.config.max_degree = 3;
        // Handshakes between phones take seconds, and no request may settle for a deeper slot meanwhile.
        setup.config.settle_timeout = secs(30);
        let mut world = World::from(setup);
        world.root();
        for ix in world.join(39) {
            assert_eq!(attempts(&world, ix), [1], "seed {seed}");
        }
        assert_eq!(world.depths(), [1, 3, 9, 27], "seed {seed}");
    }
}

#[test]
fn each_reason_reaches_the_app_with_a_wait() {
    use RejectReason::{Busy, Full, Loop, NoRoot, Timeout, Version};
    for reason in [Full, Busy, NoRoot, Timeout, Version, Loop] {
        let (mut solo, link) = joiner();
        solo.event(EventKind::LinkOffer(link, sdp("offer")));
        let actions = solo.server_passes(reject(OWN_JOIN, reason, 7_000));
        assert_eq!(rejected(&actions), Some((reason, secs(7))));
        assert_eq!(
            actions[0],
            Action::CloseLink(link, CloseReason::Rejected(reason))
        );
        let again = opened(&solo.wait(secs(7)));
        assert_eq!(again.len(), 1, "it tries again");
    }
}

#[test]
fn the_wait_grows_with_each_failure_and_stays_within_bounds() {
    let (mut solo, mut link) = joiner();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let join = solo.dial(link);
        let actions = solo.server_passes(reject(join, RejectReason::Full, 0));
        let wait = rejected(&actions).unwrap().1;
        waits.push(wait);
        link = opened(&solo.wait(wait))[0];
    }
    let config = Config::default();
    assert!(waits.iter().all(|wait| *wait >= config.retry_min / 2));
    assert!(waits.iter().all(|wait| *wait <= config.retry_max));
    assert!(waits[8] > waits[0] * 16, "{waits:?}");
}

#[test]
fn each_attempt_has_a_name_of_its_own_and_counts_from_the_last_parent() {
    let (mut solo, link) = joiner();
    let first = solo.dial(link);
    solo.server_passes(reject(first, RejectReason::Full, 0));
    let link = opened(&solo.wait(secs(1)))[0];
    let second = solo.dial(link);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    let actions = solo.welcome(link);
    let connected = Notification::ParentConnected {
        link,
        node: id(1),
        depth: 2,
        attempt: 2,
    };
    assert!(told(&actions).contains(&&connected), "{actions:?}");
}

#[test]
fn no_node_on_the_route_sends_a_joiner_away_for_good() {
    let (mut solo, link) = joiner();
    let join = solo.dial(link);
    let actions = solo.server_passes(reject(join, RejectReason::Version, u32::MAX));
    let longest = solo.node.config().retry_max;
    assert_eq!(rejected(&actions), Some((RejectReason::Version, longest)));
    assert_eq!(opened(&solo.wait(longest)).len(), 1);
}

#[test]
fn a_handshake_may_end_well_though_its_route_is_cut() {
    let (mut solo, link) = joiner();
    let join = solo.dial(link);
    let actions = solo.server_passes(reject(join, RejectReason::Busy, 0));
    assert_eq!(actions, []);
    solo.welcome(link);
    assert_eq!(solo.node.role(), Role::Member);
}

#[test]
fn a_handshake_whose_route_is_cut_has_little_time_left() {
    let (mut solo, link) = joiner();
    let join = solo.dial(link);
    solo.server_passes(reject(join, RejectReason::Busy, 0));
    let actions = solo.wait(solo.node.config().settle_timeout);
    assert!(actions.contains(&Action::CloseLink(link, CloseReason::Timeout)));
}

#[test]
fn every_stage_of_an_attempt_has_an_end() {
    // No offer; no answer; no channel; no welcome.
    for stage in 0..4 {
        let (mut solo, link) = joiner();
        if stage >= 1 {
            solo.event(EventKind::LinkOffer(link, sdp("offer")));
        }
        if stage >= 2 {
            let join = OWN_JOIN;
            solo.server_passes(signal(join, answer()));
        }
        if stage >= 3 {
            solo.event(EventKind::LinkOpened(link));
        }
        let actions = solo.wait(solo.node.config().request_timeout);
        assert!(actions.contains(&Action::CloseLink(link, CloseReason::Timeout)));
        assert_eq!(rejected(&actions).unwrap().0, RejectReason::Timeout);
        let join = OWN_JOIN;
        assert!(sent_up(&actions).contains(&JoinFrame::Cancel { join }));
    }
}

#[test]
fn a_node_can_leave_at_each_stage_of_an_attempt() {
    for stage in 0..5 {
        let mut solo = Solo::new(Config::default());
        solo.event(EventKind::Join);
        if stage >= 1 {
            let link = opened(&solo.registered())[0];
            if stage >= 2 {
                solo.event(EventKind::LinkOffer(link, sdp("offer")));
            }
            if stage >= 3 {
                let join = OWN_JOIN;
                solo.server_passes(signal(join, answer()));
            }
            if stage >= 4 {
                solo.event(EventKind::LinkOpened(link));
            }
        }
        let actions = solo.event(EventKind::Leave);
        assert!(told(&actions).contains(&&Notification::Left));
        assert_eq!(solo.node.role(), Role::Detached);
        let join = OWN_JOIN;
        let cancelled = sent_up(&actions).contains(&JoinFrame::Cancel { join });
        assert_eq!(cancelled, stage >= 1, "stage {stage}");
        assert_eq!(solo.node.next_deadline(), None);
    }
}

#[test]
fn candidates_trickle_out_behind_the_offer() {
    let (mut solo, link) = joiner();
    let offer = solo.event(EventKind::LinkOffer(link, sdp("offer")));
    assert!(matches!(sent_up(&offer)[..], [JoinFrame::Request(_)]));
    let join = OWN_JOIN;
    let signal = candidate("here");
    let actions = solo.event(EventKind::LinkSignal(link, signal.clone()));
    assert_eq!(sent_up(&actions), [JoinFrame::Signal { join, signal }]);
}

#[test]
fn signals_are_applied_in_their_order_and_the_answer_once() {
    let (mut solo, link) = joiner();
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let join = OWN_JOIN;
    let answer = answer();
    let mut say = |signal: Signal| solo.server_passes(JoinFrame::Signal { join, signal });
    assert_eq!(say(candidate("too early")), []);
    let applied = Action::ApplySignal(link, answer.clone());
    assert_eq!(say(answer), [applied]);
    assert_eq!(say(Signal::Answer(sdp("of somebody else"))), []);
    let there = candidate("there");
    assert_eq!(say(there.clone()), [Action::ApplySignal(link, there)]);
    assert_eq!(solo.node.stats().join_frames_dropped, 2);
}

#[test]
fn frames_of_another_attempt_change_nothing() {
    let (mut solo, link) = joiner();
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let other = JoinId {
        attempt: 7,
        ..OWN_JOIN
    };
    let signal = answer();
    let answer = JoinFrame::Signal {
        join: other,
        signal,
    };
    assert_eq!(solo.server_passes(answer), []);
    let rejection = reject(other, RejectReason::Full, 0);
    assert_eq!(solo.server_passes(rejection), []);
    assert_eq!(solo.server_passes(JoinFrame::Cancel { join: other }), []);
    assert_eq!(solo.node.role(), Role::Joining);
}

#[test]
fn a_member_needs_no_server() {
    let (mut solo, link) = joiner();
    solo.dial(link);
    let actions = solo.welcome(link);
    assert!(actions.contains(&Action::CloseBootstrap(solo.server())));
    assert_eq!(solo.node.role(), Role::Member);
    assert_eq!(solo.node.path().ids(), [id(0), id(1), solo.node.id()]);
}

#[test]
fn an_impossible_welcome_ends_the_attempt() {
    let own = Solo::new(Config::default()).node.id();
    let through_self = below_root(1).child(own).unwrap().child(id(2)).unwrap();
    let mut elsewhere = welcome(Epoch(1), below_root(1));
    if let LinkFrame::Welcome { id: sender, .. } = &mut elsewhere {
        *sender = id(7);
    }
    let mut small = welcome(Epoch(1), below_root(1));
    if let LinkFrame::Welcome { window, .. } = &mut small {
        *window -= 1;
    }
    for (frame, error) in [
        (welcome(Epoch(1), through_self), ProtocolError::BadPath),
        (elsewhere, ProtocolError::BadPath),
        (small, ProtocolError::SmallWindow),
        (LinkFrame::Heartbeat, ProtocolError::UnexpectedFrame),
    ] {
        let (mut solo, link) = joiner();
        solo.dial(link);
        let actions = solo.says(link, &frame);
        let reason = CloseReason::ProtocolError(error);
        assert!(actions.contains(&Action::CloseLink(link, reason)));
        assert_eq!(rejected(&actions).unwrap().0, RejectReason::Timeout);
        assert_eq!(solo.node.role(), Role::Joining);
    }
}

#[test]
fn an_acceptor_of_another_version_is_named_as_that() {
    let (mut solo, link) = joiner();
    solo.dial(link);
    let welcome_of_version_7 = bytes::Bytes::from_static(&[1, 7]);
    let actions = solo.bytes(link, welcome_of_version_7);
    assert_eq!(rejected(&actions).unwrap().0, RejectReason::Version);
}

#[test]
fn a_welcome_before_the_greeting_is_refused() {
    let (mut solo, link) = joiner();
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let actions = solo.welcome(link);
    let reason = CloseReason::ProtocolError(ProtocolError::UnexpectedFrame);
    assert!(actions.contains(&Action::CloseLink(link, reason)));
}

#[test]
fn an_orphan_rejoins_with_its_children() {
    let mut world = World::new(2);
    world.root();
    world.join(6);
    let orphan = world.children(0)[0];
    let children = world.children(orphan);
    world.cut(0, orphan);
    world.run_until(secs(60), |w| w.node(orphan).role() == Role::Joining);
    world.mend_all();
    world.settle();
    world.run(secs(5));
    assert_eq!(world.children(orphan), children);
    assert_eq!(world.depths().iter().sum::<usize>(), 7);
    world.assert_sound();
}

#[test]
fn a_lost_server_starts_an_attempt_anew_unless_it_is_answered() {
    let (mut solo, link) = joiner();
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let actions = solo.event(EventKind::BootstrapClosed(solo.server()));
    assert!(actions.contains(&Action::CloseLink(link, CloseReason::Cancelled)));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    let offer = solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let join = sent_up(&offer)[0].join();
    solo.server_passes(signal(join, answer()));
    solo.event(EventKind::BootstrapClosed(solo.server()));
    solo.event(EventKind::LinkOpened(link));
    solo.welcome(link);
    assert_eq!(solo.node.role(), Role::Member);
}

#[test]
fn a_channel_that_opens_before_the_answer_is_not_greeted() {
    let (mut solo, link) = joiner();
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    assert_eq!(solo.event(EventKind::LinkOpened(link)), []);
}

#[test]
fn an_orphan_does_not_go_back_to_an_older_tree() {
    let (mut solo, parent) = Solo::member(Config::default());
    let epoch = Epoch(2);
    let path = below_root(1);
    solo.says(parent, &LinkFrame::Moved { epoch, path });
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    let actions = solo.welcome(link);
    let reason = CloseReason::ProtocolError(ProtocolError::StaleEpoch);
    assert!(actions.contains(&Action::CloseLink(link, reason)));
}

#[test]
fn a_joiner_whose_census_is_unchanged_sends_no_status() {
    let (mut solo, parent) = Solo::member(Config::default());
    assert_eq!(sent(&solo.wait(secs(1)), parent), []);
}

#[test]
fn a_change_since_the_request_is_reported() {
    let (mut solo, parent) = Solo::member(Config::default());
    let child = solo.child_from(parent, 5);
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    solo.event(EventKind::LinkClosed(child));
    solo.wait(secs(1));
    solo.welcome(link);
    // No request has come through the new parent.
    let actions = solo.wait(secs(1));
    let frames = sent(&actions, link);
    let [LinkFrame::Status { seen: 0, census }] = &frames[..] else {
        panic!("no report: {frames:?}")
    };
    assert_eq!((census.nodes(), census.free_slots()), (&[1][..], &[10][..]));
}

#[test]
fn the_greeting_names_the_join_and_the_window() {
    let (mut solo, link) = joiner();
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let join = OWN_JOIN;
    solo.server_passes(signal(join, answer()));
    let actions = solo.event(EventKind::LinkOpened(link));
    let window = solo.node.config().window;
    assert_eq!(sent(&actions, link), [crate::harness::hello(join, window)]);
}

#[test]
fn a_server_message_after_the_join_is_too_late() {
    let (mut solo, _) = Solo::member(Config::default());
    assert_eq!(solo.server_says(&ServerFrame::Pong), []);
    assert_eq!(solo.event(EventKind::BootstrapClosed(solo.server())), []);
    assert_eq!(solo.node.stats().late_events, 2);
}
