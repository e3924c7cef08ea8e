//! Others' way into the tree.

use overlay_core::wire::{JoinFrame, JoinRequest, LinkFrame, RejectReason, ServerFrame};
use overlay_core::{
    Action, Census, CloseReason, Config, Dial, Epoch, EventKind, JoinId, LinkId, MAX_DEPTH,
    Notification, Path, Policy, ProtocolError, Role,
};

use crate::harness::{
    Solo, World, answer, config, delegated, hello, id, join_of, ms, opened, rejections, request,
    sdp, secs, sent, sent_up, status, told,
};

#[test]
fn a_node_with_a_free_slot_answers_itself() {
    let mut solo = Solo::root(config(1));
    let actions = solo.request(1);
    let link = opened(&actions)[0];
    assert_eq!(
        actions,
        [Action::OpenLink(link, Dial::Answer(sdp("offer")))]
    );
    let signal = answer();
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
        assert!(solo.node.slots_taken() <= 3);
    }
    assert_eq!(solo.node.stats().joins_accepted, 3);
    assert_eq!(solo.node.stats().joins_queued, 7);
}

#[test]
fn a_full_node_sends_joiners_to_the_child_with_the_shallowest_free_slot() {
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
    // FNV-1a over both ids, finished as MurmurHash3 does, its upper half modulo the degree.
    let slot = |origin: overlay_core::NodeId, own: overlay_core::NodeId| {
        let bytes = origin.as_bytes().iter().chain(own.as_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
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
    let mut world = World::with(4, |config| config.policy = Policy::Hash);
    world.root();
    world.join(60);
    assert_eq!(world.depths()[..2], [1, 4]);
    assert_eq!(world.depths().iter().sum::<usize>(), 61);
    world.assert_sound();
}

#[test]
fn a_tree_without_a_free_slot_says_that_it_is_full() {
    let mut solo = Solo::root(config(1));
    solo.child_with_slots(1, 0);
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
fn a_node_on_the_path_to_the_root_can_not_join_below_itself() {
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
    assert_eq!(solo.node.slots_taken(), 0);
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
fn the_deepest_node_accepts_no_joiner() {
    let (mut solo, parent) = Solo::member(config(2));
    let mut above = Path::root(id(100));
    while above.depth() < MAX_DEPTH - 2 {
        above = above.child(id(100)).unwrap();
    }
    let path = above.child(id(1)).unwrap();
    let epoch = Epoch(1);
    solo.says(parent, &LinkFrame::Moved { epoch, path });
    assert_eq!(solo.node.path().depth(), MAX_DEPTH);
    assert_eq!(opened(&solo.request_from(parent, 5)), []);
}

#[test]
fn a_report_that_has_crossed_a_request_does_not_undo_it() {
    let mut solo = Solo::root(config(1));
    let child = solo.child_with_slots(1, 1);
    solo.request_with_slots(2, 0);
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
    assert_eq!(solo.node.slots_taken(), 1);
}

#[test]
fn a_joiner_that_gives_up_frees_its_slot_wherever_it_is() {
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
    let lost = solo.child_with_slots(1, 2);
    let other = solo.child_with_slots(2, 1);
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
    let other = solo.child_with_slots(2, 1);
    let join = JoinId {
        attempt: 2,
        ..join_of(1)
    };
    let actions = solo.server_passes(JoinFrame::Request(request(join, 2)));
    assert_eq!(delegated(&actions, other), [join]);
}

#[test]
fn a_greeting_for_another_join_displaces_no_child() {
    let mut solo = Solo::root(config(2));
    let child = solo.child(1);
    let impostor = opened(&solo.request(2))[0];
    let actions = solo.greet(impostor, join_of(1));
    let reason = CloseReason::ProtocolError(ProtocolError::WrongJoin);
    assert!(actions.contains(&Action::CloseLink(impostor, reason)));
    assert_eq!(rejections(&actions), [(join_of(2), RejectReason::Timeout)]);
    assert_eq!(solo.node.children().next().unwrap().link, child);
}

#[test]
fn a_joiner_that_dies_on_its_way_leaves_nothing_behind() {
    let mut world = World::new(1);
    let root = world.root();
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
fn an_orphan_accepts_no_joiner() {
    let (mut solo, parent) = Solo::member(config(2));
    let link = opened(&solo.request_from(parent, 5))[0];
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
fn a_leaving_node_accepts_no_joiner() {
    let mut solo = Solo::root(config(2));
    let child = solo.child(1);
    solo.event(EventKind::Leave);
    assert_eq!(solo.node.role(), Role::Leaving);
    assert_eq!(solo.server_says(&ServerFrame::Pong), []);
    let frame = LinkFrame::Join(JoinFrame::Request(request(join_of(2), 1)));
    assert_eq!(solo.says(child, &frame), []);
}
