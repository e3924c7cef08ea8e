//! The root's stream at one node: from the parent to the children and the app, and across a change of parents.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{GoodbyeReason, Lane, LinkFrame, MAX_PART, Part, record_len};
use overlay_core::{
    Action, CloseReason, Config, Epoch, EventKind, Notification, ProtocolError, Receipt, Role,
    Start, Unsent,
};

use crate::harness::{
    Solo, World, broadcast, child_at, config, delivered, fed, gaps, ms, orphaned, position, record,
    secs, sent, told, unsent, welcome_at,
};

// ── To every node ──

#[test]
fn a_broadcast_reaches_every_node_once_and_in_order() {
    let mut world = World::new(3);
    world.root();
    world.join(30);
    let text = |number: u32| Bytes::from(number.to_string());
    for number in 0..100 {
        world.event(0, EventKind::Broadcast(text(number)));
    }
    world.run(secs(5));
    let all: Vec<Bytes> = (0..100).map(text).collect();
    for ix in 1..=30 {
        assert_eq!(world.heard(ix), all);
    }
    assert_eq!(world.heard(0), Vec::<Bytes>::new());
}

#[test]
fn a_large_broadcast_reaches_every_node_whole() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(6);
    let large: Bytes = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    world.event(0, EventKind::Broadcast(large.clone()));
    assert!(!world.node(0).can_broadcast(), "it goes in bit by bit");
    world.run(secs(20));
    for ix in 1..=6 {
        assert_eq!(world.heard(ix), std::slice::from_ref(&large));
    }
    assert!(world.node(0).can_broadcast());
}

#[test]
fn a_part_of_a_message_is_passed_on_before_the_rest_has_come() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    let first = record(Part::First, b"be");
    let actions = solo.says(parent, &LinkFrame::Stream { records: &first });
    assert_eq!(fed(&actions, child), [(Part::First, b"be".to_vec())]);
    assert_eq!(delivered(&actions), []);
    let last = record(Part::Last, b"gun");
    let actions = solo.says(parent, &LinkFrame::Stream { records: &last });
    assert!(matches!(&actions[..], [.., Action::Deliver(d)] if d.payload == "begun"));
}

#[test]
fn broadcasts_that_waited_travel_in_one_frame() {
    let mut solo = Solo::root(config(1));
    let (child, _) = child_at(&mut solo, 1, Start::Live, 0);
    for number in 0..5 {
        assert_eq!(fed(&broadcast(&mut solo, vec![number]), child), []);
    }
    let actions = solo.is_granted(child, Lane::Stream, MIN_WINDOW);
    assert_eq!(sent(&actions, child).len(), 1);
    assert_eq!(fed(&actions, child).len(), 5);
}

#[test]
fn a_message_longer_than_a_node_takes_is_a_gap() {
    let (mut solo, parent) = Solo::member(Config {
        max_message: 3,
        ..config(1)
    });
    let long = solo.hears(parent, b"long");
    assert_eq!(delivered(&long), []);
    let after = position(Epoch(1), record_len(4) as u64);
    let actions = solo.hears(parent, b"ok");
    assert_eq!(gaps(&actions), [(position(Epoch(1), 0), after)]);
    assert_eq!(delivered(&actions), [b'o']);
}

#[test]
fn a_broadcast_that_is_taken_back_is_dropped_by_every_node_that_has_some_of_it() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(6);
    world.event(0, EventKind::Broadcast(Bytes::from(vec![1; 1_000_000])));
    world.run(ms(1));
    world.event(0, EventKind::CancelBroadcast);
    world.run(secs(1));
    assert!(world.node(0).can_broadcast());
    world.event(0, EventKind::Broadcast(Bytes::from_static(b"after")));
    world.run(secs(5));
    for ix in 1..=6 {
        assert_eq!(world.heard(ix), [Bytes::from_static(b"after")]);
        assert_eq!(world.node(ix).load().assembled, 0);
    }
}

// ── Backpressure ──

#[test]
fn a_slow_app_slows_the_root_and_then_gets_everything() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(6);
    let (slow, room) = (6, |note: &Notification| {
        *note == Notification::RoomToBroadcast
    });
    assert_eq!(world.node(slow).path().depth(), 2);
    let text = |number: usize| Bytes::from(format!("{number:1000}"));
    let mut next = 0;
    for round in 1..=3 {
        world.busy(slow);
        while world.node(0).can_broadcast() {
            world.event(0, EventKind::Broadcast(text(next)));
            next += 1;
            world.run(ms(10));
        }
        world.event(0, EventKind::Broadcast(text(next)));
        world.run(secs(600));
        assert!(!world.node(0).can_broadcast(), "the app is still busy");
        // The app holds a window, each of three nodes another, and two are under way: no more was taken in.
        let most = 7 * MIN_WINDOW as usize;
        assert!(next <= round * (most / record_len(1000) + 1));
        world.mend_all();
        world.run_until(secs(60), |w| w.count(0, room) == round);
    }
    world.run(secs(60));
    let all: Vec<Bytes> = (0..next).map(text).collect();
    for ix in 1..=6 {
        assert_eq!(world.heard(ix), all);
    }
}

#[test]
fn a_broadcast_without_room_is_refused_and_then_asked_for() {
    let mut solo = Solo::root(Config {
        window: MIN_WINDOW,
        ..config(1)
    });
    let child = solo.child(1);
    // Two are under way, and two more fill the window here.
    for _ in 0..5 {
        assert_eq!(unsent(&broadcast(&mut solo, vec![0; MAX_PART])), None);
    }
    assert_eq!(unsent(&broadcast(&mut solo, "more")), Some(Unsent::Backlog));
    let actions = solo.is_granted(child, Lane::Stream, MIN_WINDOW);
    assert!(told(&actions).contains(&&Notification::RoomToBroadcast));
    assert!(solo.node.can_broadcast());
}

#[test]
fn the_parent_gets_credit_for_what_the_app_and_every_child_have_passed() {
    let (mut solo, parent) = Solo::member(Config {
        window: MIN_WINDOW,
        ..config(1)
    });
    let child = solo.child_from(parent, 5);
    let big = record(Part::Whole, &[1; MAX_PART]);
    let frame = LinkFrame::Stream { records: &big };
    let mut receipts: Vec<Receipt> = Vec::new();
    let mut credits = Vec::new();
    // Two go out at once; the child's window is full, so the third and the fourth wait here.
    for _ in 0..4 {
        let actions = solo.says(parent, &frame);
        credits.push(sent(&actions, parent).len());
        receipts.extend(actions.into_iter().filter_map(|action| match action {
            Action::Deliver(delivery) => Some(delivery.receipt),
            _ => None,
        }));
    }
    assert_eq!(credits, [0, 1, 0, 0]);
    let actions = solo.is_granted(child, Lane::Stream, MIN_WINDOW);
    assert_eq!(fed(&actions, child).len(), 2);
    assert_eq!(
        sent(&actions, parent).len(),
        0,
        "the app has not passed them"
    );
    for receipt in receipts {
        credits.push(sent(&solo.event(EventKind::Consumed(receipt)), parent).len());
    }
    assert_eq!(credits[4..].iter().sum::<usize>(), 1);
}

#[test]
fn a_parent_that_sends_more_than_it_was_granted_is_cut_off() {
    let (mut solo, parent) = Solo::member(Config {
        window: MIN_WINDOW,
        ..config(1)
    });
    let child = solo.child_from(parent, 5);
    let big = record(Part::Whole, &[1; MAX_PART]);
    let mut closed = Vec::new();
    for _ in 0..7 {
        let actions = solo.says(parent, &LinkFrame::Stream { records: &big });
        let close =
            |action: &Action| matches!(action, Action::CloseLink(link, _) if *link == parent);
        closed.extend(actions.into_iter().filter(close));
    }
    let reason = CloseReason::ProtocolError(ProtocolError::WindowExceeded);
    assert_eq!(closed, [Action::CloseLink(parent, reason)]);
    assert!(solo.node.children().any(|node| node.link == child));
}

#[test]
fn a_child_that_takes_nothing_does_not_fill_a_node_that_changes_parents() {
    let (mut solo, mut parent) = Solo::member(Config {
        window: MIN_WINDOW,
        history: 0,
        ..config(1)
    });
    let child = solo.child_from(parent, 5);
    for _ in 0..10 {
        // As much as it was granted, and no more.
        let promised = solo.node.load().log;
        for _ in 0..(4 * MAX_PART).saturating_sub(promised) / MAX_PART {
            solo.hears(parent, &[1; MAX_PART]);
        }
        parent = orphaned(&mut solo, parent);
        let position = solo.node.position().unwrap();
        solo.says(parent, &welcome_at(position));
        solo.says(child, &LinkFrame::Heartbeat);
    }
    assert!(solo.node.load().log <= 3 * MIN_WINDOW as usize);
    assert_eq!(solo.node.children().count(), 1);
}

#[test]
fn the_death_of_a_slow_child_lets_the_others_go_on() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(6);
    let slow = 6;
    let parent = world.parent(slow).unwrap();
    world.busy(slow);
    let mut sent = 0;
    while world.node(0).can_broadcast() {
        world.event(0, EventKind::Broadcast(Bytes::from(vec![1; MAX_PART])));
        world.run(ms(100));
        sent += 1;
    }
    world.crash(slow);
    world.run(secs(20));
    assert!(world.node(0).can_broadcast());
    assert_eq!(world.heard(parent).len(), sent);
}

#[test]
fn a_receipt_that_never_comes_back_costs_no_more_than_its_message() {
    let (mut solo, parent) = Solo::member(Config {
        history: 0,
        ..config(1)
    });
    let mut lost = None;
    let mut sizes = Vec::new();
    for round in 0..1_000 {
        for action in solo.hears(parent, b"news") {
            let Action::Deliver(delivery) = action else {
                continue;
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

// ── Goodbye ──

#[test]
fn a_child_gets_all_that_was_broadcast_before_its_goodbye() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join(1);
    world.busy(1);
    let mut sent = 0;
    while world.node(0).can_broadcast() {
        world.event(0, EventKind::Broadcast(Bytes::from(vec![1; MAX_PART])));
        world.run(ms(10));
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
fn a_child_whose_link_is_closed_gets_nothing_that_comes_later() {
    let mut solo = Solo::root(config(1));
    let (child, _) = child_at(&mut solo, 1, Start::Live, 0);
    broadcast(&mut solo, "before");
    solo.event(EventKind::Close(child));
    broadcast(&mut solo, "after");
    let actions = solo.is_granted(child, Lane::Stream, MIN_WINDOW);
    let farewell = LinkFrame::Goodbye(GoodbyeReason::Closing);
    assert_eq!(fed(&actions, child), [(Part::Whole, b"before".to_vec())]);
    assert_eq!(sent(&actions, child).last(), Some(&farewell));
}
