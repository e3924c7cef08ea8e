//! Neighbours and joiners that mean harm, or speak another language.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{
    self, ANY_DEPTH, JoinFrame, Lane, LinkFrame, MAX_FRAME, MAX_PART, Refusal, RejectReason,
    VERSION, WireError,
};
use overlay_core::{
    Action, Census, CloseReason, Config, Epoch, EventKind, LinkId, Path, ProtocolError,
};

use crate::harness::{
    Solo, answer, below_root, config, hello, id, join_of, move_to, moving, opened, position,
    refused, reject, request, sent, sent_up, welcome,
};

fn closed(actions: &[Action], link: LinkId) -> Option<CloseReason> {
    actions.iter().find_map(|action| match action {
        Action::CloseLink(closed, reason) if *closed == link => Some(*reason),
        _ => None,
    })
}

const UNEXPECTED: Option<CloseReason> =
    Some(CloseReason::ProtocolError(ProtocolError::UnexpectedFrame));

#[test]
fn garbage_closes_its_link_and_no_other() {
    let long = Bytes::from(vec![9; MAX_FRAME + 1]);
    let overlong = Bytes::from_static(&[0x82, 0x00]);
    let mut truncated = wire::encode(&hello(join_of(1), MIN_WINDOW));
    truncated.truncate(10);
    for (bytes, error) in [
        (Bytes::new(), WireError::Malformed),
        (Bytes::from_static(b"{}"), WireError::Malformed),
        (overlong, WireError::Malformed),
        (truncated, WireError::Malformed),
        (long, WireError::TooLong(MAX_FRAME + 1)),
        (Bytes::from_static(&[0, 9]), WireError::Version(9)),
    ] {
        let mut solo = Solo::root(Config::default());
        let (good, bad) = (solo.child(1), solo.child(2));
        let candidate = opened(&solo.request(3))[0];
        solo.event(EventKind::LinkOpened(candidate));
        for link in [bad, candidate] {
            let actions = solo.bytes(link, bytes.clone());
            let reason = CloseReason::Malformed(error);
            assert_eq!(closed(&actions, link), Some(reason));
        }
        assert_eq!(solo.node.children().next().unwrap().link, good);
        assert_eq!(solo.node.slots_taken(), 1);
        assert_eq!(solo.node.stats().protocol_errors, 2);
    }
}

#[test]
fn a_child_that_speaks_as_a_parent_is_cut_off() {
    let broadcast = LinkFrame::Stream { records: &[] };
    let jump = LinkFrame::Jump(position(Epoch(1), 0));
    let moved = LinkFrame::Moved {
        epoch: Epoch(9),
        path: below_root(1),
    };
    let welcome = welcome(Epoch(1), below_root(1));
    for frame in [
        broadcast,
        jump,
        moved,
        welcome,
        hello(join_of(1), MIN_WINDOW),
    ] {
        let mut solo = Solo::root(Config::default());
        let child = solo.child(1);
        assert_eq!(closed(&solo.says(child, &frame), child), UNEXPECTED);
    }
}

#[test]
fn a_parent_that_speaks_as_a_child_is_cut_off() {
    let status = LinkFrame::Status {
        seen: 0,
        census: Census::of_node(1),
    };
    for frame in [
        status,
        hello(join_of(1), MIN_WINDOW),
        welcome(Epoch(1), below_root(1)),
    ] {
        let (mut solo, parent) = Solo::member(Config::default());
        assert_eq!(closed(&solo.says(parent, &frame), parent), UNEXPECTED);
    }
}

#[test]
fn a_candidate_must_greet_first() {
    for frame in [
        LinkFrame::Heartbeat,
        LinkFrame::Direct { records: &[] },
        LinkFrame::Join(JoinFrame::Request(request(join_of(9), 1))),
        LinkFrame::Credit {
            lane: Lane::Stream,
            bytes: 1,
        },
    ] {
        let mut solo = Solo::root(Config::default());
        let link = opened(&solo.request(1))[0];
        solo.event(EventKind::LinkOpened(link));
        assert_eq!(closed(&solo.says(link, &frame), link), UNEXPECTED);
        assert_eq!(solo.node.slots_taken(), 0);
    }
}

#[test]
fn a_parent_that_moves_to_nowhere_is_left() {
    let own = id(1000);
    let below_self = Path::root(own).child(id(1)).unwrap();
    let mut deep = Path::root(id(100));
    while let Ok(deeper) = deep.child(id(1)) {
        deep = deeper;
    }
    for (epoch, path, error) in [
        (1, Path::default(), ProtocolError::BadPath),
        (1, below_root(2), ProtocolError::BadPath),
        (1, below_self, ProtocolError::BadPath),
        (1, deep, ProtocolError::BadPath),
        (0, below_root(1), ProtocolError::StaleEpoch),
    ] {
        let (mut solo, parent) = Solo::member(Config::default());
        let epoch = Epoch(epoch);
        let actions = solo.says(parent, &LinkFrame::Moved { epoch, path });
        let reason = CloseReason::ProtocolError(error);
        assert_eq!(closed(&actions, parent), Some(reason));
    }
}

#[test]
fn the_highest_epoch_of_all_does_not_overflow() {
    let (mut solo, parent) = Solo::member(Config::default());
    let epoch = Epoch(u64::MAX);
    let path = below_root(1);
    solo.says(parent, &LinkFrame::Moved { epoch, path });
    solo.event(EventKind::Leave);
    solo.event(EventKind::LinkClosed(parent));
    solo.event(EventKind::BecomeRoot(None));
    assert_eq!(solo.node.epoch(), epoch);
}

#[test]
fn a_rejection_sends_no_joiner_away_for_longer_than_the_longest_wait() {
    let config = Config::default();
    let mut solo = Solo::new(config.clone());
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    let join = solo.dial(link);
    solo.server_passes(reject(join, RejectReason::Busy, u32::MAX));
    assert_eq!(opened(&solo.wait(config.retry_max)).len(), 1);
    let first = solo.server();
    solo.server_says(&refused(Refusal::RateLimited, u32::MAX));
    solo.wait(config.retry_max);
    assert_ne!(solo.server(), first);
}

#[test]
fn a_request_from_below_is_refused() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let frame = LinkFrame::Join(JoinFrame::Request(request(join_of(2), 1)));
    let actions = solo.says(child, &frame);
    assert!(matches!(
        sent(&actions, child)[..],
        [LinkFrame::Join(JoinFrame::Reject { .. })]
    ));
    assert_eq!(solo.node.slots_taken(), 1);
}

#[test]
fn a_request_from_below_can_not_end_the_join_that_it_names() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let link = opened(&solo.request(2))[0];
    let frame = LinkFrame::Join(JoinFrame::Request(request(join_of(2), 1)));
    solo.says(child, &frame);
    let signal = answer();
    let actions = solo.event(EventKind::LinkSignal(link, signal.clone()));
    let join = join_of(2);
    assert_eq!(sent_up(&actions), [JoinFrame::Signal { join, signal }]);
}

#[test]
fn a_node_below_can_not_ask_in_the_name_of_a_node_above() {
    let (mut solo, parent) = Solo::member(config(3));
    let child = solo.child_from(parent, 5);
    let refused = |actions: &[Action]| {
        let rejects = |frame: &LinkFrame<'_>| {
            matches!(frame, LinkFrame::Join(JoinFrame::Reject { rejection, .. })
                if rejection.reason == RejectReason::Loop)
        };
        matches!(&sent(actions, child)[..], [frame] if rejects(frame)) && actions.len() == 1
    };
    assert!(refused(
        &solo.says(child, &moving(1, move_to(2, ANY_DEPTH)))
    ));
    assert!(refused(
        &solo.says(child, &moving(1000, move_to(1, ANY_DEPTH)))
    ));
    // An orphan has forgotten its ancestors. It is still itself.
    solo.event(EventKind::LinkClosed(parent));
    assert!(refused(
        &solo.says(child, &moving(1000, move_to(1, ANY_DEPTH)))
    ));
}

#[test]
fn a_request_in_anothers_name_does_not_stand_in_its_way() {
    let mut solo = Solo::root(config(4));
    let child = solo.child(1);
    let forged = opened(&solo.says(child, &moving(9, move_to(1, ANY_DEPTH))))[0];
    let actions = solo.request(9);
    assert_eq!(closed(&actions, forged), Some(CloseReason::Cancelled));
    assert_eq!(opened(&actions).len(), 1);
}

#[test]
fn parents_that_hand_a_node_on_and_take_nothing_do_not_pile_up() {
    let (mut solo, mut parent) = Solo::member(config(1));
    for number in 2..12 {
        while solo.node.can_send(parent) {
            let payload = Bytes::from(vec![1; MAX_PART]);
            solo.event(EventKind::Send {
                to: parent,
                payload,
            });
        }
        let next = solo.greets_another(parent);
        solo.says(next, &welcome(Epoch(1), below_root(number)));
        parent = next;
    }
    assert_eq!(solo.node.load().links, 1 + 4);
}

#[test]
fn a_small_window_is_no_window() {
    let mut solo = Solo::root(Config::default());
    let link = opened(&solo.request(1))[0];
    let actions = solo.greet_with(link, join_of(1), MIN_WINDOW - 1);
    let reason = CloseReason::ProtocolError(ProtocolError::SmallWindow);
    assert_eq!(closed(&actions, link), Some(reason));
    assert_eq!(solo.node.slots_taken(), 0);
}

#[test]
fn a_greeting_on_a_channel_that_is_not_open_is_refused() {
    let mut solo = Solo::root(Config::default());
    let link = opened(&solo.request(1))[0];
    let actions = solo.says(link, &hello(join_of(1), MIN_WINDOW));
    assert!(closed(&actions, link).is_some());
}

#[test]
fn a_census_with_maximal_counts_does_not_overflow() {
    let boast = |solo: &mut Solo, link| {
        let mut census = Census::of_node(u32::MAX);
        census.admit(&Census::of_node(u32::MAX));
        census.admit(&Census::of_node(u32::MAX));
        solo.says(link, &LinkFrame::Status { seen: 0, census })
    };
    let mut solo = Solo::root(Config::default());
    for joiner in 1..=10 {
        let child = solo.child(joiner);
        boast(&mut solo, child);
    }
    assert!(solo.node.census().size() > 10);
    let join = overlay_core::JoinId {
        attempt: u32::MAX,
        ..join_of(20)
    };
    solo.server_passes(JoinFrame::Request(request(join, u32::MAX)));
    assert_eq!(solo.node.stats().joins_delegated, 1);
}

#[test]
fn credit_without_end_is_just_credit() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    for _ in 0..3 {
        solo.is_granted(child, Lane::Direct, u32::MAX);
    }
    assert!(solo.node.can_send(child));
}

#[test]
fn the_version_is_checked_before_anything_else_is_read() {
    let mut solo = Solo::root(Config::default());
    let link = opened(&solo.request(1))[0];
    solo.event(EventKind::LinkOpened(link));
    let mut later = vec![0, u8::try_from(VERSION + 1).unwrap()];
    later.extend(b"whatever version two will say");
    let actions = solo.bytes(link, Bytes::from(later));
    let reason = CloseReason::Malformed(WireError::Version(VERSION + 1));
    assert_eq!(closed(&actions, link), Some(reason));
}
