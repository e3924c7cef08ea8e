//! Messages that pass through nodes: up to the root, and its replies.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{GoodbyeReason, Lane, LinkFrame, MAX_PART, Replied, Reply, behind};
use overlay_core::{
    Action, CloseReason, Config, EventKind, Notification, Path, ProtocolError, Receipt, Scope,
    Unsent, Way,
};

use crate::harness::{Ix, Solo, World, config, id, record, records, secs, sent, told, unsent};
use overlay_core::wire::Part;

fn text(number: usize) -> Bytes {
    Bytes::from(number.to_string())
}

/// A root, a child of it and a child of that, each with one slot.
fn chain(length: usize) -> World {
    let mut world = World::new(1);
    world.root();
    world.join_in_turn(length);
    world
}

/// The messages that a root has from below: who sent each, and the way back.
fn ups(world: &World, root: Ix) -> Vec<(Way, Bytes)> {
    let up = |(scope, payload)| match scope {
        Scope::Root(way) => Some((way, payload)),
        _ => None,
    };
    world.inbox(root).into_iter().filter_map(up).collect()
}

fn reply(to: Way, tag: u64, payload: Bytes) -> EventKind {
    EventKind::Reply { to, tag, payload }
}

/// What a root was told of its replies.
fn ends(world: &World, root: Ix) -> Vec<(u64, bool)> {
    let end = |note: &Notification| match note {
        Notification::Replied { tag, arrived, .. } => Some((*tag, *arrived)),
        _ => None,
    };
    world.notes(root).filter_map(end).collect()
}

/// A frame with this message in one record.
fn routed(solo: &mut Solo, link: overlay_core::LinkId, message: &[u8]) -> Vec<Action> {
    let records = &record(Part::Whole, message);
    solo.says(link, &LinkFrame::Routed { records })
}

/// The whole messages that pass to a neighbour.
fn passed(actions: &[Action], link: overlay_core::LinkId) -> Vec<Vec<u8>> {
    let routed = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Routed { records: bytes } => records(bytes),
        _ => Vec::new(),
    };
    let records = sent(actions, link).into_iter().flat_map(routed);
    records.map(|(_, payload)| payload).collect()
}

fn up_from(node: u128, payload: &[u8]) -> Vec<u8> {
    behind(&Path::root(id(node)), payload).to_vec()
}

#[test]
fn a_message_from_the_deepest_node_reaches_the_root_and_is_replied_to() {
    let mut world = chain(3);
    world.event(3, EventKind::SendUp(text(1)));
    world.run(secs(1));
    let up = ups(&world, 0);
    assert_eq!(up.len(), 1);
    let (way, payload) = up[0].clone();
    assert_eq!((way.node(), payload), (Some(world.node(3).id()), text(1)));
    world.event(0, reply(way, 7, text(2)));
    world.run(secs(1));
    assert_eq!(world.inbox(3), [(Scope::Reply, text(2))]);
    assert_eq!(ends(&world, 0), [(7, true)]);
    assert_eq!(world.node(1).load().awaited, 0);
}

#[test]
fn a_large_message_passes_whole_both_ways() {
    let mut world = World::with(1, |config| config.window = MIN_WINDOW);
    world.root();
    world.join_in_turn(3);
    let large: Bytes = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    world.event(3, EventKind::SendUp(large.clone()));
    world.run(secs(60));
    let (way, payload) = ups(&world, 0).remove(0);
    assert_eq!(payload, large);
    world.event(0, reply(way, 1, large.clone()));
    world.run(secs(60));
    assert_eq!(world.heard(3), [large]);
}

#[test]
fn messages_of_one_node_arrive_in_order_and_a_stopped_root_loses_none() {
    let mut world = World::with(1, |config| {
        config.window = MIN_WINDOW;
        config.send_queue = 10_000_000;
    });
    world.root();
    world.join_in_turn(3);
    world.busy(0);
    (0..2_000).for_each(|number| world.event(3, EventKind::SendUp(text(number))));
    world.run(secs(5));
    let held = ups(&world, 0).len();
    assert!(held < 2_000, "the root takes no more than a window: {held}");
    world.mend_all();
    world.run(secs(10));
    let payloads: Vec<Bytes> = ups(&world, 0).into_iter().map(|(_, up)| up).collect();
    assert_eq!(payloads, (0..2_000).map(text).collect::<Vec<_>>());
}

#[test]
fn an_orphan_keeps_its_messages_until_it_has_a_parent() {
    let mut world = World::new(2);
    world.root();
    world.join_in_turn(3);
    let orphan = 3;
    let parent = world.parent(orphan).unwrap();
    world.crash(parent);
    world.run_until(secs(5), |world| world.parent(orphan).is_none());
    world.event(orphan, EventKind::SendUp(text(1)));
    world.settle();
    world.run(secs(2));
    assert_eq!(ups(&world, 0)[0].1, text(1));
}

#[test]
fn a_message_that_has_not_gone_out_waits_for_the_next_parent() {
    let (mut solo, parent) = Solo::member(Config {
        window: MIN_WINDOW,
        ..Config::default()
    });
    let big = Bytes::from(vec![1; 5 * MAX_PART]);
    solo.event(EventKind::SendUp(big));
    assert!(solo.node.unsent_up() > 0);
    solo.event(EventKind::LinkClosed(parent));
    assert!(solo.node.unsent_up() >= 5 * MAX_PART, "all of it waits");
}

#[test]
fn a_message_that_is_taken_back_does_not_arrive() {
    let (mut solo, parent) = Solo::member(Config::default());
    let big = Bytes::from(vec![1; 5 * MAX_PART]);
    solo.event(EventKind::SendUp(big));
    solo.event(EventKind::CancelSendUp);
    assert_eq!(solo.node.unsent_up(), 0);
    let actions = solo.is_granted(parent, Lane::Routed, MIN_WINDOW);
    let frames = sent(&actions, parent);
    assert!(
        frames
            .iter()
            .any(|frame| matches!(frame, LinkFrame::Routed { records: bytes }
        if records(bytes)[0].0 == Part::Cancelled))
    );
}

#[test]
fn children_are_served_in_turn() {
    let (mut solo, parent) = Solo::member(config(2));
    let (greedy, modest) = (solo.child_from(parent, 5), solo.child_from(parent, 6));
    solo.clogged = true;
    // The first message goes out; the channel has not taken it, so the others wait.
    for number in 0..50 {
        routed(
            &mut solo,
            greedy,
            &behind(&Path::default(), &[number; 2_000]),
        );
    }
    routed(&mut solo, modest, &behind(&Path::default(), b"modest"));
    let mut order = Vec::new();
    for _ in 0..20 {
        let mut actions = solo.is_granted(parent, Lane::Routed, MIN_WINDOW);
        actions.extend(solo.event(EventKind::LinkDrained(parent)));
        order.extend(passed(&actions, parent));
    }
    let place = order
        .iter()
        .position(|message| message.ends_with(b"modest"));
    // Some of the first frames were full before the other child said anything.
    assert!(place.is_some_and(|place| place < 20), "{place:?}");
    assert_eq!(
        order
            .iter()
            .filter(|message| message.ends_with(b"modest"))
            .count(),
        1
    );
}

#[test]
fn a_sender_without_the_right_gets_its_message_back() {
    let mut root = Solo::root(config(1));
    let actions = root.event(EventKind::SendUp(text(1)));
    assert_eq!(unsent(&actions), Some(Unsent::IsRoot));
    let child = root.child(1);
    let actions = routed(&mut root, child, &behind(&Path::default(), b"up"));
    let Some(Action::Deliver(delivery)) = actions
        .into_iter()
        .find(|a| matches!(a, Action::Deliver(_)))
    else {
        panic!("nothing is delivered");
    };
    let Scope::Root(way) = delivery.scope else {
        panic!("{:?}", delivery.scope);
    };
    let (mut member, _) = Solo::member(config(1));
    let actions = member.event(reply(way, 1, text(2)));
    assert_eq!(unsent(&actions), Some(Unsent::NotRoot));
    let mut detached = Solo::new(config(1));
    let actions = detached.event(EventKind::SendUp(text(3)));
    assert_eq!(unsent(&actions), Some(Unsent::NotConnected));
}

#[test]
fn a_full_queue_refuses_and_says_when_there_is_room() {
    let (mut solo, parent) = Solo::member(Config {
        send_queue: 1_000,
        ..Config::default()
    });
    let big = Bytes::from(vec![1; 3 * MAX_PART]);
    while solo.node.can_send_up() {
        solo.event(EventKind::SendUp(big.clone()));
    }
    let actions = solo.event(EventKind::SendUp(text(1)));
    assert_eq!(unsent(&actions), Some(Unsent::Backlog));
    let mut actions = Vec::new();
    for _ in 0..100 {
        actions.extend(solo.is_granted(parent, Lane::Routed, MIN_WINDOW));
        actions.extend(solo.event(EventKind::LinkDrained(parent)));
    }
    assert!(told(&actions).contains(&&Notification::RoomToSendUp));
}

#[test]
fn a_reply_to_a_node_that_is_gone_comes_back_as_an_error() {
    let mut world = chain(3);
    world.event(3, EventKind::SendUp(text(1)));
    world.run(secs(1));
    let (way, _) = ups(&world, 0).remove(0);
    world.crash(3);
    world.run(secs(1));
    world.event(0, reply(way, 7, text(2)));
    world.run(secs(1));
    assert_eq!(ends(&world, 0), [(7, false)]);
}

#[test]
fn a_reply_that_a_lost_node_may_have_had_comes_back_as_an_error() {
    let mut world = chain(3);
    world.event(3, EventKind::SendUp(text(1)));
    world.run(secs(1));
    let (way, _) = ups(&world, 0).remove(0);
    world.kill(2);
    world.event(0, reply(way, 7, text(2)));
    world.run(secs(60));
    assert_eq!(ends(&world, 0), [(7, false)]);
}

#[test]
fn a_node_that_takes_nothing_holds_up_no_reply_to_others() {
    let mut world = World::with(2, |config| config.window = MIN_WINDOW);
    world.root();
    world.join_in_turn(2);
    for node in [1, 2] {
        world.event(node, EventKind::SendUp(text(node)));
    }
    world.run(secs(1));
    let ways: Vec<Way> = ups(&world, 0).into_iter().map(|(way, _)| way).collect();
    world.busy(1);
    for tag in 0..200 {
        world.event(0, reply(ways[0].clone(), tag, Bytes::from(vec![0; 1_000])));
    }
    world.event(0, reply(ways[1].clone(), 999, text(9)));
    world.run(secs(3));
    assert!(world.heard(2).contains(&text(9)));
    let ends = ends(&world, 0);
    assert_eq!(ends.len(), 201, "each reply has an end");
    let arrived = ends.iter().filter(|(_, arrived)| *arrived).count();
    assert!(arrived > 1 && arrived < 200, "{arrived}");
}

#[test]
fn only_the_child_that_a_reply_went_to_can_say_what_became_of_it() {
    let mut solo = Solo::root(config(2));
    let (child, other) = (solo.child(1), solo.child(2));
    let actions = routed(&mut solo, child, &behind(&Path::default(), b"up"));
    let way = ways(actions).remove(0);
    solo.event(reply(way, 3, text(1)));
    let end = LinkFrame::Replied(Replied {
        node: id(1),
        tag: 3,
        arrived: true,
    });
    assert_eq!(told(&solo.says(other, &end)).len(), 0);
    assert_eq!(told(&solo.says(child, &end)).len(), 1);
    assert_eq!(told(&solo.says(child, &end)).len(), 0, "once");
}

#[test]
fn the_way_back_leads_through_the_child_that_brought_the_message() {
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    let actions = routed(&mut solo, child, &up_from(9, b"up"));
    let way = ways(actions).remove(0);
    // It may claim to have it from a child of its own; the way goes through the liar all the same.
    assert_eq!(way.node(), Some(id(9)));
    let actions = solo.event(reply(way, 1, text(1)));
    assert_eq!(passed(&actions, child).len(), 1);
}

#[test]
fn bytes_that_are_no_message_are_a_fault() {
    let fault = |reason| CloseReason::ProtocolError(reason);
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    let actions = routed(&mut solo, child, &[200]);
    let reason = fault(ProtocolError::BadMessage);
    assert_eq!(actions[0], Action::CloseLink(child, reason));
    let (mut solo, parent) = Solo::member(config(1));
    let actions = routed(&mut solo, parent, &[200]);
    assert_eq!(actions[0], Action::CloseLink(parent, reason));
}

#[test]
fn a_way_that_is_too_long_is_a_fault() {
    let mut way = Path::root(id(9));
    while let Ok(longer) = way.child(id(9)) {
        way = longer;
    }
    let mut solo = Solo::root(config(1));
    let child = solo.child(1);
    let actions = routed(&mut solo, child, &behind(&way, b""));
    let reason = CloseReason::ProtocolError(ProtocolError::BadPath);
    assert_eq!(actions[0], Action::CloseLink(child, reason));
}

#[test]
fn a_reply_by_a_way_that_is_none_is_answered_and_dropped() {
    let (mut solo, parent) = Solo::member(config(1));
    let (way, tag) = (Path::root(id(50)), 4);
    let actions = routed(&mut solo, parent, &behind(&Reply { way, tag }, b"reply"));
    let end = LinkFrame::Replied(Replied {
        node: id(50),
        tag,
        arrived: false,
    });
    assert_eq!(sent(&actions, parent), [end]);
}

#[test]
fn what_a_child_sent_before_it_left_still_gets_there() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    solo.clogged = true;
    let mut actions = Vec::new();
    for number in 0..30 {
        let up = behind(&Path::default(), &[number; 2_000]);
        actions.extend(routed(&mut solo, child, &up));
    }
    let goodbye = LinkFrame::Goodbye(GoodbyeReason::Leaving);
    actions.extend(solo.says(child, &goodbye));
    assert!(passed(&actions, parent).len() < 20, "some of it waits here");
    for _ in 0..30 {
        actions.extend(solo.is_granted(parent, Lane::Routed, MIN_WINDOW));
        actions.extend(solo.event(EventKind::LinkDrained(parent)));
    }
    assert_eq!(passed(&actions, parent).len(), 30);
    assert_eq!(solo.node.load().routed, 0);
}

/// The ways of what is delivered to a root. Its app takes each message.
fn ways(actions: Vec<Action>) -> Vec<Way> {
    let way = |action| match action {
        Action::Deliver(delivery) => match delivery.scope {
            Scope::Root(way) => Some((way, delivery.receipt)),
            _ => None,
        },
        _ => None,
    };
    let all: Vec<(Way, Receipt)> = actions.into_iter().filter_map(way).collect();
    all.into_iter().map(|(way, _)| way).collect()
}
