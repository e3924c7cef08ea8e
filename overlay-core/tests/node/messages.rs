//! App messages, and the credit that they need.

use bytes::Bytes;
use overlay_core::flow::{MIN_WINDOW, message_cost};
use overlay_core::wire::{LinkFrame, MAX_PAYLOAD};
use overlay_core::{
    Action, CloseReason, Config, EventKind, LinkId, Notification, ProtocolError, Scope, Unsent,
};

use crate::harness::{Solo, World, config, ms, opened, secs, sent, told};

fn text(number: usize) -> Bytes {
    Bytes::from(number.to_string())
}

fn big(number: u8) -> Bytes {
    Bytes::from(vec![number; MAX_PAYLOAD])
}

/// Why a message was not sent, if it was not.
fn unsent(actions: &[Action]) -> Option<Unsent> {
    told(actions).into_iter().find_map(|note| match note {
        Notification::Unsent { reason, .. } => Some(*reason),
        _ => None,
    })
}

fn payloads(actions: &[Action], link: LinkId) -> Vec<Bytes> {
    let payload = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Direct { payload } | LinkFrame::Broadcast { payload, .. } => {
            Some(Bytes::copy_from_slice(payload))
        }
        _ => None,
    };
    sent(actions, link)
        .into_iter()
        .filter_map(payload)
        .collect()
}

fn broadcast(world: &mut World, numbers: std::ops::Range<usize>) {
    for number in numbers {
        world.event(0, EventKind::Broadcast(text(number)));
    }
}

#[test]
fn a_broadcast_reaches_every_node_once_and_in_order() {
    let mut world = World::new(3);
    world.root();
    world.join(30);
    broadcast(&mut world, 0..100);
    world.run(secs(5));
    let all: Vec<Bytes> = (0..100).map(text).collect();
    for ix in 1..=30 {
        assert_eq!(world.heard(ix), all);
    }
    assert_eq!(world.heard(0), Vec::<Bytes>::new());
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
    assert_eq!(world.inbox(1), [(Scope::Direct, text(1))]);
    assert_eq!(world.inbox(0), [(Scope::Direct, text(2))]);
}

#[test]
fn a_message_of_the_greatest_length_fits_and_one_byte_more_does_not() {
    let mut solo = Solo::root(Config::default());
    let child = solo.child(1);
    let send = |payload| EventKind::Send { to: child, payload };
    let actions = solo.event(send(big(1)));
    assert_eq!(payloads(&actions, child), [big(1)]);
    let longer = Bytes::from(vec![0; MAX_PAYLOAD + 1]);
    let actions = solo.event(send(longer.clone()));
    assert_eq!(unsent(&actions), Some(Unsent::TooLong));
    let actions = solo.event(EventKind::Broadcast(longer));
    assert_eq!(unsent(&actions), Some(Unsent::TooLong));
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
    let (to, payload) = (parent, text(2));
    let actions = solo.event(EventKind::Send { to, payload });
    assert_eq!(unsent(&actions), Some(Unsent::NotConnected));
}

#[test]
fn a_candidate_is_no_neighbour_yet() {
    let mut solo = Solo::root(Config::default());
    let link = opened(&solo.request(1))[0];
    let (to, payload) = (link, text(1));
    let actions = solo.event(EventKind::Send { to, payload });
    assert_eq!(unsent(&actions), Some(Unsent::NotConnected));
    assert_eq!(solo.event(EventKind::Broadcast(text(2))), []);
}

#[test]
fn a_message_without_credit_waits_then_is_refused_then_is_asked_for_again() {
    let mut solo = Solo::root(Config {
        send_queue: MAX_PAYLOAD,
        ..Config::default()
    });
    let child = solo.child(1);
    let mut send = |number| {
        let payload = big(number);
        solo.event(EventKind::Send { to: child, payload })
    };
    // Two fill the window, one waits.
    assert_eq!(payloads(&send(1), child).len(), 1);
    assert_eq!(payloads(&send(2), child).len(), 1);
    assert_eq!(send(3), []);
    assert_eq!(unsent(&send(4)), Some(Unsent::Backlog));
    assert!(!solo.node.can_send(child) && !solo.node.can_broadcast());
    let bytes = message_cost(MAX_PAYLOAD);
    let actions = solo.says(child, &LinkFrame::Credit { bytes });
    assert_eq!(payloads(&actions, child), [big(3)]);
    assert_eq!(told(&actions), [&Notification::Writable(child)]);
    assert!(solo.node.can_send(child) && solo.node.can_broadcast());
}

#[test]
fn a_neighbour_gets_credit_for_what_the_app_has_taken() {
    let mut solo = Solo::root(Config {
        window: MIN_WINDOW,
        ..Config::default()
    });
    let child = solo.child(1);
    let message = big(1);
    let frame = LinkFrame::Direct { payload: &message };
    let mut receipts = Vec::new();
    for _ in 0..2 {
        for action in solo.says(child, &frame) {
            let Action::Deliver(delivery) = action else {
                panic!("{action:?}")
            };
            receipts.push(delivery.receipt);
        }
    }
    for receipt in receipts {
        let actions = solo.event(EventKind::Consumed(receipt));
        let bytes = message_cost(MAX_PAYLOAD);
        assert_eq!(sent(&actions, child), [LinkFrame::Credit { bytes }]);
    }
}

#[test]
fn a_peer_that_sends_more_than_it_was_granted_is_cut_off() {
    let mut solo = Solo::root(Config {
        window: MIN_WINDOW,
        ..Config::default()
    });
    let child = solo.child(1);
    let message = big(1);
    let frame = LinkFrame::Direct { payload: &message };
    let mut delivered = Vec::new();
    delivered.extend(solo.says(child, &frame));
    delivered.extend(solo.says(child, &frame));
    let actions = solo.says(child, &LinkFrame::Direct { payload: &[] });
    let reason = CloseReason::ProtocolError(ProtocolError::WindowExceeded);
    assert_eq!(actions[0], Action::CloseLink(child, reason));
    assert_eq!(delivered.len(), 2);
}

#[test]
fn a_slow_app_slows_the_root_and_then_gets_everything() {
    let mut world = World::with(2, |config| {
        config.window = MIN_WINDOW;
        config.send_queue = 4 * 1024;
    });
    world.root();
    world.join(6);
    let (slow, writable) = (6, |note: &Notification| {
        matches!(note, Notification::Writable(_))
    });
    assert_eq!(world.node(slow).path().depth(), 2);
    let mut next = 0;
    for round in 1..=3 {
        world.busy(slow);
        while world.node(0).can_broadcast() {
            broadcast(&mut world, next..next + 1);
            next += 1;
            world.run(ms(100));
        }
        world.event(0, EventKind::Broadcast(text(next)));
        world.run(secs(600));
        assert!(!world.node(0).can_broadcast(), "the app is still busy");
        // A window for each of two links, and the root's queue: no more was taken in.
        let most = 2 * MIN_WINDOW as usize + 4 * 1024;
        assert!(next <= round * (most / message_cost(1) as usize + 1));
        world.mend_all();
        world.run_until(secs(60), |w| w.count(0, writable) == round);
    }
    world.run(secs(60));
    let all: Vec<Bytes> = (0..next).map(text).collect();
    for ix in 1..=6 {
        assert_eq!(world.heard(ix), all);
    }
}

#[test]
fn a_broadcast_is_credited_when_the_app_and_every_child_have_it() {
    let (mut solo, parent) = Solo::member(Config {
        window: MIN_WINDOW,
        ..Config::default()
    });
    let child = solo.child_from(parent, 5);
    let message = big(1);
    // Two go out at once; the child's window is full, so the third waits here.
    let mut receipts = Vec::new();
    for round in 0..3 {
        let actions = solo.hears(parent, &message);
        assert_eq!(payloads(&actions, child).len(), usize::from(round < 2));
        for action in actions {
            if let Action::Deliver(delivery) = action {
                receipts.push(delivery.receipt);
            }
        }
        if round < 2 {
            let receipt = receipts.remove(0);
            let actions = solo.event(EventKind::Consumed(receipt));
            assert_eq!(sent(&actions, parent).len(), 1);
        }
    }
    let receipt = receipts.remove(0);
    assert_eq!(solo.event(EventKind::Consumed(receipt)), []);
    let bytes = message_cost(MAX_PAYLOAD);
    let actions = solo.says(child, &LinkFrame::Credit { bytes });
    assert_eq!(payloads(&actions, child), [message]);
    assert_eq!(sent(&actions, parent), [LinkFrame::Credit { bytes }]);
}

#[test]
fn a_receipt_that_never_comes_back_costs_no_more_than_its_message() {
    let (mut solo, parent) = Solo::member(Config::default());
    let mut lost = None;
    let mut sizes = Vec::new();
    for round in 0..1_000 {
        for action in solo.hears(parent, b"news") {
            let Action::Deliver(delivery) = action else {
                panic!("{action:?}")
            };
            if lost.is_none() {
                lost = Some(delivery.receipt);
            } else {
                let _ = solo.event(EventKind::Consumed(delivery.receipt));
            }
        }
        if round % 500 == 100 {
            sizes.push(format!("{:?}", solo.node).len());
        }
    }
    assert!(sizes[1] < sizes[0] + 100, "the node has grown: {sizes:?}");
}

#[test]
fn a_child_that_takes_nothing_does_not_fill_a_node_that_changes_parents() {
    let (mut solo, mut parent) = Solo::member(Config {
        window: MIN_WINDOW,
        send_queue: MAX_PAYLOAD,
        ..Config::default()
    });
    let child = solo.child_from(parent, 5);
    let mut closed = 0;
    for _ in 0..10 {
        for _ in 0..2 {
            let message = big(1);
            let actions = solo.hears(parent, &message);
            let close = Action::CloseLink(child, CloseReason::Slow);
            closed += usize::from(actions.contains(&close));
        }
        solo.event(EventKind::LinkClosed(parent));
        solo.wait(secs(1));
        parent = opened(&solo.registered())[0];
        solo.dial(parent);
        solo.welcome(parent);
        solo.says(child, &LinkFrame::Heartbeat);
    }
    assert_eq!(closed, 1);
}

#[test]
fn the_death_of_a_slow_child_frees_the_messages_that_it_held() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(6);
    let slow = 6;
    let parent = world.parent(slow).unwrap();
    world.busy(slow);
    let mut sent = 0;
    while world.node(0).can_broadcast() {
        world.event(0, EventKind::Broadcast(big(1)));
        world.run(ms(100));
        sent += 1;
    }
    world.crash(slow);
    world.run(secs(20));
    assert!(world.node(0).can_broadcast());
    assert_eq!(world.heard(parent).len(), sent);
}

#[test]
fn control_frames_need_no_credit() {
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    while solo.node.can_send(child) {
        let (to, payload) = (child, big(1));
        let _ = solo.event(EventKind::Send { to, payload });
    }
    assert_eq!(sent(&solo.request(2), child).len(), 1);
}
