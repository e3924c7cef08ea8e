//! The root's stream at one node: from the parent to the children and the app, and across a change of parents.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{GoodbyeReason, Lane, LinkFrame, MAX_PART, Part, record_len};
use overlay_core::{
    Action, CloseReason, Config, Epoch, EventKind, LinkId, Notification, Position, ProtocolError,
    Receipt, Role, Scope, Start, Unsent,
};

use crate::harness::{
    Solo, World, below_root, config, id, join_of, ms, opened, position, record, records,
    secs, sent, told, welcome,
};

/// The length of the record that each message of these stories is.
const RECORD: u64 = 3;

/// A message with this number, which is also its place in the stream.
fn message(number: u8) -> Vec<u8> {
    record(Part::Whole, &[number])
}

/// The position of the message with this number.
fn at(number: u64) -> Position {
    position(Epoch(1), number * RECORD)
}

/// The numbers that the app is given, as their payloads say them.
fn delivered(actions: &[Action]) -> Vec<u8> {
    let broadcast = |action: &Action| match action {
        Action::Deliver(delivery) if matches!(delivery.scope, Scope::Broadcast(_)) => {
            delivery.payload.first().copied()
        }
        _ => None,
    };
    actions.iter().filter_map(broadcast).collect()
}

fn gaps(actions: &[Action]) -> Vec<(Position, Position)> {
    let gap = |note: &Notification| match note {
        Notification::Gap { from, to } => Some((*from, *to)),
        _ => None,
    };
    told(actions).into_iter().filter_map(gap).collect()
}

/// The records that a child is sent.
fn fed(actions: &[Action], child: LinkId) -> Vec<(Part, Vec<u8>)> {
    let stream = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Stream { records: bytes } => records(bytes),
        _ => Vec::new(),
    };
    sent(actions, child).into_iter().flat_map(stream).collect()
}

/// A parent brings the message of this number, which is next.
fn brings(solo: &mut Solo, parent: LinkId, number: u8) -> Vec<Action> {
    solo.says(
        parent,
        &LinkFrame::Stream {
            records: &message(number),
        },
    )
}

fn welcome_at(position: Position) -> LinkFrame<'static> {
    let mut frame = welcome(Epoch(1), below_root(2));
    if let LinkFrame::Welcome { position: told, .. } = &mut frame {
        *told = position;
    }
    frame
}

/// A member that has had two broadcasts, was invited, and has greeted another parent: the old link, and the new one.
fn greeted() -> (Solo, LinkId, LinkId) {
    let (mut solo, old) = Solo::member(config(2));
    for number in [0, 1] {
        assert_eq!(delivered(&brings(&mut solo, old, number)), [number]);
    }
    let new = solo.greets_another(old);
    (solo, old, new)
}

/// The same node when it has lost its parent, and greets another: the new link, and its greeting.
fn orphaned(solo: &mut Solo, parent: LinkId) -> LinkId {
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    link
}

/// A joiner with this number comes to a root's stream at this place.
fn child_at(solo: &mut Solo, joiner: u128, start: Start, window: u32) -> (LinkId, Vec<Action>) {
    let link = opened(&solo.request(joiner))[0];
    solo.event(EventKind::LinkOpened(link));
    let hello = LinkFrame::Hello {
        version: overlay_core::wire::VERSION,
        join: join_of(joiner),
        window: MIN_WINDOW,
        stream_window: window,
        start,
    };
    let actions = solo.says(link, &hello);
    (link, actions)
}

fn broadcast(solo: &mut Solo, payload: impl Into<Bytes>) -> Vec<Action> {
    solo.event(EventKind::Broadcast(payload.into()))
}

fn unsent(actions: &[Action]) -> Option<Unsent> {
    told(actions).into_iter().find_map(|note| match note {
        Notification::Unsent { reason, .. } => Some(*reason),
        _ => None,
    })
}

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
        assert_eq!(world.heard(ix), [large.clone()]);
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
    assert_eq!(gaps(&actions), [(at(0), after)]);
    assert_eq!(delivered(&actions), [b'o']);
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
    assert_eq!(
        unsent(&broadcast(&mut solo, "more")),
        Some(Unsent::Backlog)
    );
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
    assert_eq!(sent(&actions, parent).len(), 0, "the app has not passed them");
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
        let close = |action: &Action| matches!(action, Action::CloseLink(link, _) if *link == parent);
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

// ── Where a node comes in ──

#[test]
fn a_live_joiner_gets_what_comes_from_now_on() {
    let mut solo = Solo::root(config(2));
    broadcast(&mut solo, "before");
    let (child, actions) = child_at(&mut solo, 1, Start::Live, MIN_WINDOW);
    assert_eq!(fed(&actions, child), []);
    let actions = broadcast(&mut solo, "after");
    assert_eq!(fed(&actions, child), [(Part::Whole, b"after".to_vec())]);
}

#[test]
fn a_joiner_that_wants_the_oldest_gets_what_the_history_has() {
    let mut solo = Solo::root(Config {
        history: 2 * RECORD as usize,
        ..config(2)
    });
    for number in 0..5 {
        broadcast(&mut solo, vec![number]);
    }
    let (child, actions) = child_at(&mut solo, 1, Start::Oldest, MIN_WINDOW);
    let last_two = [3, 4].map(|number| (Part::Whole, vec![number]));
    assert_eq!(fed(&actions, child), last_two);
}

#[test]
fn a_joiner_goes_on_from_its_position() {
    let mut solo = Solo::root(config(2));
    for number in 0..5 {
        broadcast(&mut solo, vec![number]);
    }
    let beginning = Position::beginning(id(Solo::NUMBER), Epoch(1));
    let third = Position {
        offset: 3 * RECORD,
        ..beginning
    };
    let (child, actions) = child_at(&mut solo, 1, Start::At(third), MIN_WINDOW);
    assert!(matches!(
        sent(&actions, child)[0],
        LinkFrame::Welcome { position, .. } if position == third
    ));
    assert_eq!(fed(&actions, child), [3, 4].map(|n| (Part::Whole, vec![n])));
}

#[test]
fn a_joiner_that_is_in_the_middle_of_a_message_gets_the_rest() {
    let mut solo = Solo::root(config(2));
    let payload = Bytes::from(vec![1; 2 * MAX_PART + 1]);
    broadcast(&mut solo, payload);
    let position = Position {
        offset: record_len(MAX_PART) as u64,
        ..Position::beginning(id(Solo::NUMBER), Epoch(1))
    };
    let (child, actions) = child_at(&mut solo, 1, Start::At(position), 2 * MIN_WINDOW);
    let parts: Vec<Part> = fed(&actions, child).into_iter().map(|(part, _)| part).collect();
    assert_eq!(parts, [Part::Middle, Part::Last]);
}

#[test]
fn a_position_in_the_middle_of_a_record_is_none() {
    let mut solo = Solo::root(config(2));
    broadcast(&mut solo, vec![0; 100]);
    broadcast(&mut solo, vec![1]);
    let beginning = Position::beginning(id(Solo::NUMBER), Epoch(1));
    let position = Position {
        offset: 50,
        ..beginning
    };
    let (child, actions) = child_at(&mut solo, 1, Start::At(position), MIN_WINDOW);
    let next = Position {
        offset: record_len(100) as u64,
        ..beginning
    };
    assert!(sent(&actions, child).contains(&LinkFrame::Jump(next)));
    assert_eq!(fed(&actions, child), [(Part::Whole, vec![1])]);
}

#[test]
fn a_joiner_that_was_told_an_impossible_position_comes_in_live() {
    for (epoch, offset) in [(1, 1 << 50), (1, u64::MAX), (9, 0)] {
        let mut solo = Solo::root(config(2));
        let nowhere = Position {
            offset,
            ..Position::beginning(id(Solo::NUMBER), Epoch(epoch))
        };
        let (child, _) = child_at(&mut solo, 1, Start::At(nowhere), MIN_WINDOW);
        let actions = broadcast(&mut solo, "now");
        assert_eq!(fed(&actions, child).len(), 1, "{nowhere:?}");
    }
}

// ── Another parent ──

#[test]
fn a_greeting_says_how_far_the_node_is() {
    let (mut solo, parent) = Solo::member(config(1));
    brings(&mut solo, parent, 0);
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    let offer = EventKind::LinkOffer(link, crate::harness::sdp("offer"));
    let join = crate::harness::sent_up(&solo.event(offer))[0].join();
    solo.server_passes(crate::harness::signal(join, crate::harness::answer()));
    let actions = solo.event(EventKind::LinkOpened(link));
    assert!(matches!(
        sent(&actions, link)[..],
        [LinkFrame::Hello { start: Start::At(position), .. }] if position == at(1)
    ));
}

#[test]
fn what_a_new_parent_repeats_is_dropped() {
    let (mut solo, _, new) = greeted();
    let actions = solo.says(new, &welcome_at(at(1)));
    assert_eq!(solo.node.parent().unwrap().link, new);
    assert_eq!(gaps(&actions), []);
    assert_eq!(delivered(&brings(&mut solo, new, 1)), []);
    assert_eq!(delivered(&brings(&mut solo, new, 2)), [2]);
    assert_eq!(solo.node.stats().records_repeated, 1);
}

#[test]
fn a_frame_that_is_partly_known_gives_the_rest() {
    let (mut solo, _, new) = greeted();
    solo.says(new, &welcome_at(at(0)));
    let records = &[message(0), message(1), message(2), message(3)].concat();
    let actions = solo.says(new, &LinkFrame::Stream { records });
    assert_eq!(delivered(&actions), [2, 3]);
}

#[test]
fn what_the_old_parent_brings_between_greeting_and_welcome_comes_once() {
    let (mut solo, old, new) = greeted();
    assert_eq!(delivered(&brings(&mut solo, old, 2)), [2]);
    solo.says(new, &welcome_at(at(2)));
    assert_eq!(delivered(&brings(&mut solo, new, 2)), []);
    assert_eq!(delivered(&brings(&mut solo, new, 3)), [3]);
}

#[test]
fn a_move_that_would_leave_a_gap_is_given_up() {
    let (mut solo, old, new) = greeted();
    let actions = solo.says(new, &welcome_at(at(5)));
    assert!(actions.contains(&Action::CloseLink(new, CloseReason::Cancelled)));
    assert_eq!(sent(&actions, old), [LinkFrame::Stay]);
    assert_eq!(solo.node.parent().unwrap().link, old);
    assert_eq!(delivered(&brings(&mut solo, old, 2)), [2]);
}

#[test]
fn an_orphan_is_told_of_its_gap_at_once() {
    let (mut solo, parent) = Solo::member(config(2));
    brings(&mut solo, parent, 0);
    let link = orphaned(&mut solo, parent);
    let actions = solo.says(link, &welcome_at(at(7)));
    assert_eq!(gaps(&actions), [(at(1), at(7))]);
    let actions = brings(&mut solo, link, 7);
    assert_eq!((gaps(&actions), delivered(&actions)), (vec![], vec![7]));
}

#[test]
fn a_gap_in_a_message_is_told_from_its_beginning() {
    let (mut solo, parent) = Solo::member(config(2));
    brings(&mut solo, parent, 0);
    let first = record(Part::First, b"a");
    solo.says(parent, &LinkFrame::Stream { records: &first });
    let link = orphaned(&mut solo, parent);
    let actions = solo.says(link, &welcome_at(at(7)));
    assert_eq!(gaps(&actions), [(at(1), at(7))]);
    // The end of another one.
    let middle = record(Part::Last, b"z");
    solo.says(link, &LinkFrame::Stream { records: &middle });
    let actions = brings(&mut solo, link, 8);
    assert_eq!(gaps(&actions), [(at(7), at(8))]);
}

#[test]
fn a_gap_is_passed_on_without_another_broadcast() {
    let (mut solo, parent) = Solo::member(config(2));
    let child = solo.child_from(parent, 5);
    let link = orphaned(&mut solo, parent);
    let actions = solo.says(link, &welcome_at(at(4)));
    assert!(sent(&actions, child).contains(&LinkFrame::Jump(at(4))));
}

#[test]
fn a_node_new_to_a_tree_has_missed_nothing() {
    let mut solo = Solo::new(config(1));
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    solo.says(link, &welcome_at(at(7)));
    assert_eq!(gaps(&brings(&mut solo, link, 7)), []);
}

#[test]
fn an_app_that_wanted_a_position_is_told_of_a_gap() {
    let mut solo = Solo::new(Config {
        start: Start::At(at(2)),
        ..config(1)
    });
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    let actions = solo.says(link, &welcome_at(at(7)));
    assert_eq!(gaps(&actions), [(at(2), at(7))]);
}

#[test]
fn a_lie_about_a_position_does_not_silence_later_broadcasts() {
    let (mut solo, parent) = Solo::member(config(2));
    let nowhere = position(Epoch(1), 1 << 61);
    solo.says(parent, &LinkFrame::Jump(nowhere));
    let link = orphaned(&mut solo, parent);
    solo.says(link, &welcome_at(at(2)));
    assert_eq!(delivered(&brings(&mut solo, link, 2)), [2]);
    assert_eq!(delivered(&brings(&mut solo, link, 3)), [3]);
}

#[test]
fn a_position_that_no_stream_comes_to_is_a_fault() {
    let (mut solo, parent) = Solo::member(config(2));
    let nowhere = position(Epoch(1), u64::MAX);
    let actions = solo.says(parent, &LinkFrame::Jump(nowhere));
    let reason = CloseReason::ProtocolError(ProtocolError::BadPosition);
    assert!(actions.contains(&Action::CloseLink(parent, reason)));
}

// ── Another root ──

/// The beginning of a later root's stream.
fn later_root() -> Position {
    Position::beginning(id(77), Epoch(2))
}

#[test]
fn the_next_roots_stream_comes_behind_the_former_ones() {
    let (mut solo, parent) = Solo::member(config(2));
    let child = solo.child_from(parent, 5);
    brings(&mut solo, parent, 0);
    let actions = solo.says(parent, &LinkFrame::Jump(later_root()));
    assert_eq!(sent(&actions, child), [LinkFrame::Jump(later_root())]);
    let actions = brings(&mut solo, parent, 1);
    assert_eq!((delivered(&actions), gaps(&actions)), (vec![1], vec![]));
}

#[test]
fn a_root_passes_on_what_it_has_of_the_former_roots_stream() {
    let (mut solo, parent) = Solo::member(Config {
        window: MIN_WINDOW,
        ..config(2)
    });
    let child = solo.child_from(parent, 5);
    // A child whose window is full lacks the third.
    (0..2).for_each(|_| drop(solo.hears(parent, &[0; MAX_PART])));
    let third = vec![3; MAX_PART];
    let actions = solo.hears(parent, &third);
    assert_eq!(fed(&actions, child), []);
    solo.event(EventKind::LinkClosed(parent));
    solo.event(EventKind::Leave);
    let actions = solo.is_granted(child, Lane::Stream, MIN_WINDOW);
    assert_eq!(fed(&actions, child), [(Part::Whole, third)]);
}

#[test]
fn a_parent_that_is_behind_brings_nothing_twice() {
    let (mut solo, old, new) = greeted();
    let epoch = Epoch(2);
    let path = below_root(1);
    solo.says(old, &LinkFrame::Moved { epoch, path });
    solo.says(old, &LinkFrame::Jump(later_root()));
    assert_eq!(delivered(&brings(&mut solo, old, 9)), [9]);
    // The new parent has yet to hear of the later root, and says nothing until it has come as far.
    let mut welcome = welcome(epoch, below_root(2));
    if let LinkFrame::Welcome { position: told, .. } = &mut welcome {
        *told = Position {
            offset: RECORD,
            ..later_root()
        };
    }
    let actions = solo.says(new, &welcome);
    assert_eq!(gaps(&actions), []);
    assert_eq!(delivered(&brings(&mut solo, new, 10)), [10]);
}

#[test]
fn a_parent_with_a_former_roots_stream_is_no_parent() {
    let (mut solo, parent) = Solo::member(config(1));
    let (epoch, path) = (Epoch(2), below_root(1));
    solo.says(parent, &LinkFrame::Moved { epoch, path });
    solo.says(parent, &LinkFrame::Jump(later_root()));
    let actions = solo.says(parent, &LinkFrame::Jump(at(0)));
    let reason = CloseReason::ProtocolError(ProtocolError::StaleEpoch);
    assert!(actions.contains(&Action::CloseLink(parent, reason)));
}

#[test]
fn the_children_of_a_node_with_another_root_hear_its_epoch_before_its_stream() {
    let (mut solo, parent) = Solo::member(config(2));
    let child = solo.child_from(parent, 5);
    let link = orphaned(&mut solo, parent);
    let actions = solo.welcome_in(link, 2);
    assert!(matches!(
        sent(&actions, child)[..],
        [LinkFrame::Moved { .. }, LinkFrame::Jump(_)]
    ));
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
