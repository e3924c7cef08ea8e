//! Messages between neighbours, and the credit that they need.

use bytes::Bytes;
use overlay_core::flow::{MIN_WINDOW, message_cost};
use overlay_core::wire::{Lane, LinkFrame, MAX_PART, Part};
use overlay_core::{
    Action, CloseReason, Config, EventKind, LinkId, Notification, ProtocolError, Receipt, Scope,
    Unsent,
};

use crate::harness::{Solo, World, config, opened, record, records, secs, sent, told, unsent};

fn text(number: usize) -> Bytes {
    Bytes::from(number.to_string())
}

/// A message that is one record, of the greatest length.
fn big(number: u8) -> Bytes {
    Bytes::from(vec![number; MAX_PART])
}

/// The records of messages that a neighbour is sent.
fn direct(actions: &[Action], link: LinkId) -> Vec<(Part, Vec<u8>)> {
    let direct = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Direct { records: bytes } => records(bytes),
        _ => Vec::new(),
    };
    sent(actions, link).into_iter().flat_map(direct).collect()
}

fn send(solo: &mut Solo, to: LinkId, payload: Bytes) -> Vec<Action> {
    solo.event(EventKind::Send { to, payload })
}

#[test]
fn neighbours_talk_in_both_directions() {
    let mut world = World::new(2);
    world.root();
    world.join(1);
    let (down, up) = (world.link(0, 1), world.link(1, 0));
    let send = |to, payload| EventKind::Send { to, payload };
    world.event(0, send(down, text(1)));
    world.event(1, send(up, text(2)));
    world.run(secs(1));
    assert_eq!(world.inbox(1), [(Scope::Direct(up), text(1))]);
    assert_eq!(world.inbox(0), [(Scope::Direct(down), text(2))]);
}

#[test]
fn a_message_of_many_windows_arrives_whole_in_both_directions() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(1);
    let large: Bytes = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    for (from, to) in [(0, 1), (1, 0)] {
        let (link, payload) = (world.link(from, to), large.clone());
        world.event(from, EventKind::Send { to: link, payload });
        world.run(secs(20));
        assert_eq!(world.heard(to), std::slice::from_ref(&large));
    }
}

#[test]
fn a_message_above_the_limit_is_refused() {
    let mut solo = Solo::root(Config {
        max_message: 100,
        ..Config::default()
    });
    let child = solo.child(1);
    let actions = send(&mut solo, child, Bytes::from(vec![0; 101]));
    assert_eq!(unsent(&actions), Some(Unsent::TooLong));
    let actions = solo.event(EventKind::Broadcast(Bytes::from(vec![0; 101])));
    assert_eq!(unsent(&actions), Some(Unsent::TooLong));
}

#[test]
fn a_neighbour_that_sends_more_than_the_limit_is_cut_off() {
    let mut solo = Solo::root(Config {
        max_message: 100,
        ..Config::default()
    });
    let child = solo.child(1);
    let actions = solo.is_sent(child, &[0; 101]);
    let reason = CloseReason::ProtocolError(ProtocolError::LongMessage);
    assert_eq!(actions[0], Action::CloseLink(child, reason));
}

#[test]
fn a_part_in_the_wrong_place_is_a_fault() {
    for (part, payload) in [
        (Part::Middle, "a"),
        (Part::Last, "b"),
        (Part::Cancelled, ""),
    ] {
        let mut solo = Solo::root(config(1));
        let child = solo.child(1);
        let bytes = record(part, payload.as_bytes());
        let actions = solo.says(child, &LinkFrame::Direct { records: &bytes });
        let reason = CloseReason::ProtocolError(ProtocolError::BadRecord);
        assert_eq!(actions[0], Action::CloseLink(child, reason), "{part:?}");
    }
}

#[test]
fn a_sender_without_the_right_gets_the_message_back() {
    let (mut solo, parent) = Solo::member(Config::default());
    let actions = solo.event(EventKind::Broadcast(text(1)));
    let back = Notification::Unsent {
        payload: text(1),
        reason: Unsent::NotRoot,
    };
    assert_eq!(told(&actions), [&back]);
    solo.event(EventKind::LinkClosed(parent));
    let actions = send(&mut solo, parent, text(2));
    assert_eq!(unsent(&actions), Some(Unsent::NotConnected));
}

#[test]
fn a_candidate_is_no_neighbour_yet() {
    let mut solo = Solo::root(Config::default());
    let link = opened(&solo.request(1))[0];
    let actions = send(&mut solo, link, text(1));
    assert_eq!(unsent(&actions), Some(Unsent::NotConnected));
    assert_eq!(solo.event(EventKind::Broadcast(text(2))), []);
}

#[test]
fn a_message_without_credit_waits_then_is_refused_then_is_asked_for_again() {
    let mut solo = Solo::root(Config {
        send_queue: MAX_PART,
        ..Config::default()
    });
    let child = solo.child(1);
    // Two fill the window, one waits.
    assert_eq!(direct(&send(&mut solo, child, big(1)), child).len(), 1);
    assert_eq!(direct(&send(&mut solo, child, big(2)), child).len(), 1);
    assert_eq!(send(&mut solo, child, big(3)), []);
    let refused = send(&mut solo, child, big(4));
    assert_eq!(unsent(&refused), Some(Unsent::Backlog));
    assert!(!solo.node.can_send(child));
    let actions = solo.is_granted(child, Lane::Direct, message_cost(MAX_PART));
    assert_eq!(direct(&actions, child), [(Part::Whole, big(3).to_vec())]);
    assert_eq!(told(&actions), [&Notification::Writable(child)]);
    assert!(solo.node.can_send(child));
}

#[test]
fn messages_that_waited_travel_in_one_frame() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    send(&mut solo, child, big(1));
    send(&mut solo, child, big(2));
    (0..5).for_each(|number| drop(send(&mut solo, child, text(number))));
    let actions = solo.is_granted(child, Lane::Direct, MIN_WINDOW);
    assert_eq!(sent(&actions, child).len(), 1);
    assert_eq!(direct(&actions, child).len(), 5);
}

#[test]
fn a_neighbour_gets_credit_for_what_the_app_has_taken() {
    let mut solo = Solo::root(Config {
        window: MIN_WINDOW,
        ..Config::default()
    });
    let child = solo.child(1);
    let half = message_cost(MAX_PART);
    let mut receipts = Vec::new();
    for round in 0..3 {
        let actions = solo.is_sent(child, &big(1));
        // The app may hold a window of them, and the neighbour learns of that in time.
        let credit = LinkFrame::Credit {
            lane: Lane::Direct,
            bytes: half,
        };
        let expected: &[LinkFrame<'_>] = if round == 0 { &[credit] } else { &[] };
        assert_eq!(sent(&actions, child), expected, "round {round}");
        receipts.extend(actions.into_iter().filter_map(|action| match action {
            Action::Deliver(delivery) => Some(delivery.receipt),
            _ => None,
        }));
    }
    let mut granted = 0;
    for receipt in receipts {
        let actions = solo.event(EventKind::Consumed(receipt));
        for frame in sent(&actions, child) {
            if let LinkFrame::Credit { bytes, .. } = frame {
                granted += bytes;
            }
        }
    }
    assert_eq!(granted, 2 * half);
}

/// The receipt of the only message among these actions.
fn receipt(actions: Vec<Action>) -> Receipt {
    let mut receipts = actions.into_iter().filter_map(|action| match action {
        Action::Deliver(delivery) => Some(delivery.receipt),
        _ => None,
    });
    receipts.next().unwrap()
}

#[test]
fn joined_receipts_give_back_as_much_as_each_on_its_own() {
    let (mut solo, parent) = Solo::member(Config {
        window: MIN_WINDOW,
        ..config(1)
    });
    let mut all = receipt(solo.is_sent(parent, &big(1)));
    for _ in 0..2 {
        let next = receipt(solo.is_sent(parent, &big(1)));
        assert_eq!(all.join(next), Ok(()));
    }
    let actions = solo.event(EventKind::Consumed(all));
    let credit = LinkFrame::Credit {
        lane: Lane::Direct,
        bytes: 2 * message_cost(MAX_PART),
    };
    assert_eq!(sent(&actions, parent), [credit]);
}

#[test]
fn receipts_of_different_lanes_stay_apart() {
    let (mut solo, parent) = Solo::member(config(1));
    let mut direct = receipt(solo.is_sent(parent, &text(1)));
    let broadcast = receipt(solo.hears(parent, b"news"));
    let broadcast = direct.join(broadcast).unwrap_err();
    let mut next = receipt(solo.hears(parent, b"more"));
    assert_eq!(next.join(broadcast), Ok(()));
    assert!(next.join(direct).is_err());
}

#[test]
fn a_peer_that_sends_more_than_it_was_granted_is_cut_off() {
    let mut solo = Solo::root(Config {
        window: MIN_WINDOW,
        ..Config::default()
    });
    let child = solo.child(1);
    let mut delivered = Vec::new();
    // The app holds a window's worth from the second on, so the credit of these stays used.
    (0..3).for_each(|_| delivered.extend(solo.is_sent(child, &big(1))));
    let actions = solo.is_sent(child, &[]);
    let reason = CloseReason::ProtocolError(ProtocolError::WindowExceeded);
    assert_eq!(actions[0], Action::CloseLink(child, reason));
}

#[test]
fn control_frames_need_no_credit() {
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    while solo.node.can_send(child) {
        let _ = send(&mut solo, child, big(1));
    }
    assert_eq!(sent(&solo.request(2), child).len(), 1);
}

#[test]
fn a_full_lane_of_messages_does_not_hold_the_stream_up() {
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    while solo.node.can_send(child) {
        let _ = send(&mut solo, child, big(1));
    }
    let actions = solo.event(EventKind::Broadcast(text(1)));
    assert_eq!(sent(&actions, child).len(), 1);
}
