//! Others' way into the tree.

use overlay_core::wire::{JoinFrame, JoinRequest, LinkFrame, RejectReason, Rejection, ServerFrame};
use overlay_core::{
    Action, Census, CloseReason, Config, Dial, Epoch, EventKind, JoinId, LinkId, MAX_DEPTH,
    Notification, Path, Policy, Signal, Standing, Violation,
};

use crate::harness::{
    Handshakes, Solo, World, candidate, hello, id, join_of, ms, opened, request, sdp, secs, sent,
    sent_up, told,
};

fn config(max_degree: u16) -> Config {
    Config {
        max_degree,
        ..Config::default()
    }
}

fn rejections(actions: &[Action]) -> Vec<(JoinId, RejectReason)> {
    let rejection = |frame: JoinFrame| match frame {
        JoinFrame::Reject {
            join,
            rejection: Rejection { reason, .. },
        } => Some((join, reason)),
        _ => None,
    };
    sent_up(actions).into_iter().filter_map(rejection).collect()
}

/// The requests that are sent on to a child.
fn delegated(actions: &[Action], child: LinkId) -> Vec<JoinId> {
    let request = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Join(JoinFrame::Request(request)) => Some(request.join),
        _ => None,
    };
    sent(actions, child)
        .into_iter()
        .filter_map(request)
        .collect()
}

#[test]
fn a_node_with_a_free_place_answers_itself() {
    let mut solo = Solo::root(config(1));
    let actions = solo.request(1);
    let link = opened(&actions)[0];
    assert_eq!(
        actions,
        [Action::OpenLink(link, Dial::Answer(sdp("offer")))]
    );
    let signal = Signal::Answer(sdp("answer"));
    let actions = solo.event(EventKind::LinkSignal(link, signal.clone()));
    let join = join_of(1);
    assert_eq!(sent_up(&actions), [JoinFrame::Signal { join, signal }]);
}

#[test]
fn a_candidate_is_a_child_when_it_has_greeted() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    solo.event(EventKind::LinkOpened(link));
    assert_eq!(solo.node.children().count(), 0);
    let actions = solo.says(link, &hello(join_of(1), 1 << 20));
    let connected = Notification::ChildConnected { link, node: id(1) };
    assert_eq!(told(&actions), [&connected]);
    assert!(matches!(
        sent(&actions, link)[..],
        [LinkFrame::Welcome { .. }]
    ));
    assert_eq!(solo.node.census().nodes(), [1, 1]);
}

#[test]
fn candidates_count_against_max_degree() {
    let mut solo = Solo::root(config(3));
    for joiner in 1..=10 {
        solo.request(joiner);
        assert_eq!(solo.node.children().count(), 0);
        assert!(solo.node.places_taken() <= 3);
    }
    assert_eq!(solo.node.stats().joins_accepted, 3);
    assert_eq!(solo.node.stats().joins_parked, 7);
}

#[test]
fn a_full_node_sends_newcomers_to_the_child_with_the_shallowest_place() {
    let mut solo = Solo::root(config(2));
    let children = [solo.child(1), solo.child(2)];
    // Each takes two; then each of those two would take two.
    let mut received = [0, 0];
    for joiner in 3..=6 {
        let actions = solo.request(joiner);
        for (child, received) in children.iter().zip(&mut received) {
            *received += delegated(&actions, *child).len();
        }
    }
    assert_eq!(received, [2, 2]);
    assert_eq!(solo.node.stats().joins_delegated, 4);
}

#[test]
fn a_delegated_request_counts_its_hops() {
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    let actions = solo.request(2);
    let expected = JoinRequest {
        hops: 1,
        ..request(join_of(2), 2)
    };
    let frame = LinkFrame::Join(JoinFrame::Request(expected));
    assert_eq!(sent(&actions, child), [frame]);
}

#[test]
fn the_original_rule_chooses_by_hash_of_origin_and_own_id() {
    // FNV-1a over both ids, its upper half modulo the degree.
    let slot = |origin: overlay_core::NodeId, own: overlay_core::NodeId| {
        let bytes = origin.as_bytes().iter().chain(own.as_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        usize::try_from((hash >> 32) % 4).unwrap()
    };
    let mut solo = Solo::root(Config {
        policy: Policy::Hash,
        ..config(4)
    });
    let children: Vec<LinkId> = (1..=4).map(|joiner| solo.child(joiner)).collect();
    for joiner in 5..50 {
        let child = children[slot(id(joiner), solo.node.id())];
        let actions = solo.request(joiner);
        assert_eq!(delegated(&actions, child), [join_of(joiner)]);
    }
}

#[test]
fn the_original_rule_makes_a_tree_too() {
    let mut world = World::with(|config| config.policy = Policy::Hash);
    world.root(4);
    world.join(60);
    assert_eq!(world.depths()[..2], [1, 4]);
    assert_eq!(world.depths().iter().sum::<usize>(), 61);
    world.assert_sound();
}

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
fn a_hanging_candidate_loses_its_place_to_who_waits_for_it() {
    let mut solo = Solo::root(Config {
        park_timeout: secs(60),
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
    let mut world = World::new();
    let root = world.root(1);
    let hanging = world.start();
    world.people[hanging].handshakes = Handshakes::Hang;
    let crowd: Vec<_> = (0..6).map(|_| world.start()).collect();
    let inside = |w: &World| crowd.iter().all(|ix| w.parent(*ix).is_some());
    world.run_until(secs(90), inside);
    assert!(world.parent(hanging).is_none());
    assert_eq!(world.children(root).len(), 1);
}

#[test]
fn who_loses_patience_settles_for_a_connected_child() {
    let mut solo = Solo::root(config(2));
    let child = solo.child_with_places(1, 1);
    opened(&solo.request_with_places(2, 5));
    // The candidate's subtree has the shallower place; the child has one only further down.
    solo.says(child, &status(0, deep_place()));
    assert_eq!(solo.request(3), []);
    assert_eq!(delegated(&solo.wait(ms(1_999)), child), []);
    assert_eq!(delegated(&solo.wait(ms(1)), child), [join_of(3)]);
}

#[test]
fn who_has_lost_patience_takes_the_first_child_that_connects() {
    let mut solo = Solo::root(config(2));
    let links = [opened(&solo.request(1))[0], opened(&solo.request(2))[0]];
    // It waits for the first candidate, and then for anybody.
    solo.request(3);
    solo.wait(secs(3));
    let actions = solo.greet(links[1], join_of(2));
    assert_eq!(delegated(&actions, links[1]), [join_of(3)]);
}

#[test]
fn who_has_lost_patience_takes_the_first_place_that_is_reported() {
    let mut solo = Solo::root(config(2));
    let child = solo.child_with_places(1, 0);
    solo.request(2);
    solo.request(3);
    solo.wait(secs(3));
    let actions = solo.says(child, &status(0, Census::of_node(1)));
    assert_eq!(delegated(&actions, child), [join_of(3)]);
}

#[test]
fn a_place_promised_to_who_gave_up_is_a_place_again() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request_with_places(1, 1))[0];
    solo.request_with_places(2, 0);
    solo.server_passes(JoinFrame::Cancel { join: join_of(2) });
    solo.greet(link, join_of(1));
    let actions = solo.request_with_places(3, 0);
    assert_eq!(delegated(&actions, link), [join_of(3)]);
}

#[test]
fn a_place_promised_to_who_was_told_to_come_back_is_a_place_again() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request_with_places(1, 1))[0];
    solo.request_with_places(2, 0);
    solo.wait(solo.node.config().park_timeout);
    solo.greet(link, join_of(1));
    let actions = solo.request_with_places(3, 0);
    assert_eq!(delegated(&actions, link), [join_of(3)]);
}

#[test]
fn a_place_promised_to_who_settled_for_another_is_a_place_again() {
    let mut solo = Solo::root(config(2));
    let child = solo.child_with_places(1, 1);
    solo.says(child, &status(0, deep_place()));
    let link = opened(&solo.request_with_places(2, 1))[0];
    solo.request_with_places(3, 0);
    assert_eq!(delegated(&solo.wait(secs(2)), child), [join_of(3)]);
    solo.greet(link, join_of(2));
    let actions = solo.request_with_places(4, 0);
    assert_eq!(delegated(&actions, link), [join_of(4)]);
}

#[test]
fn who_waits_too_long_is_told_that_the_tree_is_busy() {
    let mut solo = Solo::root(config(1));
    solo.request(1);
    solo.request(2);
    let actions = solo.wait(solo.node.config().park_timeout);
    assert_eq!(rejections(&actions), [(join_of(2), RejectReason::Busy)]);
}

#[test]
fn no_more_than_max_parked_wait() {
    let mut solo = Solo::root(Config {
        max_parked: 2,
        ..config(1)
    });
    solo.request(1);
    assert_eq!(rejections(&solo.request(2)), []);
    assert_eq!(rejections(&solo.request(3)), []);
    let busy = [(join_of(4), RejectReason::Busy)];
    assert_eq!(rejections(&solo.request(4)), busy);
}

#[test]
fn a_tree_without_a_place_says_that_it_is_full() {
    let mut solo = Solo::root(config(1));
    solo.child_with_places(1, 0);
    let full = [(join_of(2), RejectReason::Full)];
    assert_eq!(rejections(&solo.request(2)), full);
    let mut leaf = Solo::root(config(0));
    let full = [(join_of(1), RejectReason::Full)];
    assert_eq!(rejections(&leaf.request(1)), full);
}

#[test]
fn a_rejection_says_when_to_come_back() {
    let mut solo = Solo::root(config(0));
    let [JoinFrame::Reject { rejection, .. }] = &sent_up(&solo.request(1))[..] else {
        panic!("no rejection")
    };
    assert_eq!(rejection.retry_after(), solo.node.config().retry_after);
}

#[test]
fn a_place_that_becomes_free_goes_to_the_one_who_waits_longest() {
    let mut solo = Solo::root(config(2));
    let leaf = solo.child_with_places(1, 0);
    solo.request(2);
    solo.request(3);
    solo.request(4);
    let actions = solo.event(EventKind::LinkClosed(leaf));
    let link = opened(&actions)[0];
    solo.greet(link, join_of(3));
    assert!(solo.node.children().any(|child| child.node == id(3)));
}

#[test]
fn a_place_that_is_given_to_one_who_waits_for_it_moves_nobody_else() {
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
fn who_is_on_the_path_to_the_root_can_not_join_below_itself() {
    let (mut solo, parent) = Solo::member(config(1));
    for ancestor in [0, 1, 1000] {
        let join = JoinId {
            origin: id(ancestor),
            attempt: 9,
        };
        let frame = LinkFrame::Join(JoinFrame::Request(request(join, 1)));
        let actions = solo.says(parent, &frame);
        let [
            LinkFrame::Join(JoinFrame::Reject {
                join: of,
                rejection,
            }),
        ] = sent(&actions, parent)[..]
        else {
            panic!("{actions:?}")
        };
        assert_eq!((of, rejection.reason), (join, RejectReason::Loop));
    }
    assert_eq!(solo.node.places_taken(), 0);
}

#[test]
fn a_request_that_went_too_deep_is_turned_back() {
    let mut solo = Solo::root(config(1));
    let deep = JoinRequest {
        hops: u8::try_from(MAX_DEPTH).unwrap(),
        ..request(join_of(1), 1)
    };
    let actions = solo.server_passes(JoinFrame::Request(deep));
    assert_eq!(rejections(&actions), [(join_of(1), RejectReason::Full)]);
}

#[test]
fn the_deepest_node_takes_nobody_in() {
    let (mut solo, parent) = Solo::member(config(2));
    let mut above = Path::root(id(100));
    while above.depth() < MAX_DEPTH - 2 {
        above = above.child(id(100)).unwrap();
    }
    let path = above.child(id(1)).unwrap();
    let epoch = Epoch(1);
    solo.says(parent, &LinkFrame::Moved { epoch, path });
    assert_eq!(solo.node.path().depth(), MAX_DEPTH);
    let frame = LinkFrame::Join(JoinFrame::Request(request(join_of(5), 1)));
    assert_eq!(opened(&solo.says(parent, &frame)), []);
}

#[test]
fn all_who_wait_for_a_candidate_are_placed_anew_when_it_fails() {
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
fn who_is_placed_anew_keeps_its_age() {
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
fn a_report_that_has_crossed_a_request_does_not_undo_it() {
    let mut solo = Solo::root(config(1));
    let child = solo.child_with_places(1, 1);
    solo.request_with_places(2, 0);
    solo.says(child, &status(0, Census::of_node(1)));
    let full = [(join_of(3), RejectReason::Full)];
    assert_eq!(rejections(&solo.request(3)), full);
    solo.says(child, &status(2, Census::of_node(1)));
    let full = [(join_of(4), RejectReason::Full)];
    assert_eq!(rejections(&solo.request(4)), full, "a lie");
    solo.says(child, &status(1, Census::of_node(1)));
    assert_eq!(delegated(&solo.request(5), child), [join_of(5)]);
}

#[test]
fn a_repeated_request_is_seen_to_once() {
    let mut solo = Solo::root(config(2));
    assert_eq!(opened(&solo.request(1)).len(), 1);
    assert_eq!(solo.request(1), []);
    assert_eq!(solo.node.places_taken(), 1);
}

#[test]
fn a_joiner_that_gives_up_frees_its_place_wherever_it_is() {
    // As a candidate.
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    solo.request(2);
    let join = join_of(1);
    let actions = solo.server_passes(JoinFrame::Cancel { join });
    let closed = Action::CloseLink(link, CloseReason::Cancelled);
    assert_eq!(actions[0], closed);
    assert_eq!(rejections(&actions), [], "it knows");
    let next = opened(&actions)[0];
    // Waiting.
    solo.request(3);
    solo.server_passes(JoinFrame::Cancel { join: join_of(3) });
    let actions = solo.greet(next, join_of(2));
    assert_eq!(delegated(&actions, next), []);
    // Delegated.
    solo.request(4);
    let join = join_of(4);
    let actions = solo.server_passes(JoinFrame::Cancel { join });
    let frame = LinkFrame::Join(JoinFrame::Cancel { join });
    assert_eq!(sent(&actions, next), [frame]);
}

#[test]
fn candidates_of_a_waiting_joiner_are_kept_up_to_a_limit_and_follow_it() {
    let mut solo = Solo::root(Config {
        max_early_candidates: 2,
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
fn kept_candidates_are_applied_when_the_joiner_gets_a_place_here() {
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

#[test]
fn a_candidate_that_comes_back_replaces_its_old_link() {
    let mut solo = Solo::root(config(2));
    let old = solo.child(1);
    let join = JoinId {
        attempt: 2,
        ..join_of(1)
    };
    let frame = JoinFrame::Request(request(join, 2));
    let new = opened(&solo.server_passes(frame))[0];
    assert_eq!(solo.node.children().next().unwrap().link, old);
    let actions = solo.greet(new, join);
    assert!(actions.contains(&Action::CloseLink(old, CloseReason::Replaced)));
    assert_eq!(solo.node.children().count(), 1);
    assert_eq!(solo.node.census().nodes(), [1, 1]);
}

#[test]
fn a_child_that_comes_back_is_not_sent_to_itself() {
    let mut solo = Solo::root(config(2));
    let lost = solo.child_with_places(1, 2);
    let other = solo.child_with_places(2, 1);
    let join = JoinId {
        attempt: 2,
        ..join_of(1)
    };
    let actions = solo.server_passes(JoinFrame::Request(request(join, 2)));
    assert_eq!(delegated(&actions, lost), []);
    assert_eq!(delegated(&actions, other), [join]);
}

#[test]
fn a_new_attempt_does_not_wait_for_the_last_one() {
    let mut solo = Solo::root(config(2));
    solo.request(1);
    let other = solo.child_with_places(2, 1);
    let join = JoinId {
        attempt: 2,
        ..join_of(1)
    };
    let actions = solo.server_passes(JoinFrame::Request(request(join, 2)));
    assert_eq!(delegated(&actions, other), [join]);
}

#[test]
fn a_greeting_for_another_join_displaces_nobody() {
    let mut solo = Solo::root(config(2));
    let child = solo.child(1);
    let impostor = opened(&solo.request(2))[0];
    let actions = solo.greet(impostor, join_of(1));
    let reason = CloseReason::Violation(Violation::WrongJoin);
    assert!(actions.contains(&Action::CloseLink(impostor, reason)));
    assert_eq!(rejections(&actions), [(join_of(2), RejectReason::Timeout)]);
    assert_eq!(solo.node.children().next().unwrap().link, child);
}

#[test]
fn a_joiner_that_dies_on_its_way_leaves_nothing_behind() {
    let mut world = World::new();
    let root = world.root(1);
    world.join(1);
    for stage in 0..40 {
        let joiner = world.start();
        world.run(ms(stage * 4));
        world.kill(joiner);
    }
    world.run(secs(180));
    world.join(3);
    assert_eq!(world.depths(), [1, 1, 1, 1, 1]);
    world.run(secs(2));
    assert_eq!(world.node(root).census().size(), 5);
}

#[test]
fn an_orphan_takes_nobody_in() {
    let (mut solo, parent) = Solo::member(config(2));
    let frame = LinkFrame::Join(JoinFrame::Request(request(join_of(5), 1)));
    let link = opened(&solo.says(parent, &frame))[0];
    solo.event(EventKind::LinkClosed(parent));
    let actions = solo.greet(link, join_of(5));
    let reason = CloseReason::Rejected(RejectReason::Busy);
    assert_eq!(actions, [Action::CloseLink(link, reason)]);
}

#[test]
fn a_joiner_of_another_version_is_told_so() {
    let mut solo = Solo::root(config(2));
    let link = opened(&solo.request(1))[0];
    solo.event(EventKind::LinkOpened(link));
    let hello_of_version_7 = bytes::Bytes::from_static(&[0, 7]);
    let actions = solo.bytes(link, hello_of_version_7);
    assert_eq!(rejections(&actions), [(join_of(1), RejectReason::Version)]);
}

#[test]
fn a_joiner_is_told_that_its_acceptor_leaves() {
    let mut solo = Solo::root(config(2));
    solo.request(1);
    let actions = solo.event(EventKind::Leave);
    assert_eq!(rejections(&actions), [(join_of(1), RejectReason::Busy)]);
}

#[test]
fn a_leaving_node_takes_nobody_in() {
    let mut solo = Solo::root(config(2));
    let child = solo.child(1);
    solo.event(EventKind::Leave);
    assert_eq!(solo.node.standing(), Standing::Leaving);
    assert_eq!(solo.server_says(&ServerFrame::Pong), []);
    let frame = LinkFrame::Join(JoinFrame::Request(request(join_of(2), 1)));
    assert_eq!(solo.says(child, &frame), []);
}

fn status(seen: u32, census: Census) -> LinkFrame<'static> {
    LinkFrame::Status { seen, census }
}

/// A node with a full child that has a child with a place.
fn deep_place() -> Census {
    let mut middle = Census::of_node(1);
    middle.admit(&Census::of_node(1));
    let mut top = Census::of_node(1);
    top.admit(&middle);
    top
}
