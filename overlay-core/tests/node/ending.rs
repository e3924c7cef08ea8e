//! The end of a root's stream: every node hears of it, however late it comes, and the root learns who has.

use bytes::Bytes;
use overlay_core::bounded::List;
use overlay_core::wire::{ClientFrame, Ended, LinkFrame, MAX_LAST, Part, ServerFrame};
use overlay_core::{
    Action, CloseReason, Epoch, EventKind, Notification, Position, ProtocolError, Role, Scope,
    Unsent,
};

use crate::harness::{
    Ix, Solo, World, below_root, client_frames, config, id, opened, position, record, secs, told,
};

fn end() -> EventKind {
    EventKind::End(Bytes::from_static(b"end"))
}

/// Whether the last message of a node's is that of the stream.
fn has_end(world: &World, ix: Ix) -> bool {
    let inbox = world.inbox(ix);
    matches!(inbox.last(), Some((Scope::End(_), payload)) if payload == "end")
}

/// A root, and this many nodes below it, in a chain.
fn chain(nodes: usize) -> World {
    let mut world = World::new(1);
    world.root();
    world.join_in_turn(nodes);
    world
}

fn gaps(world: &World, ix: Ix) -> usize {
    world.count(ix, |note| matches!(note, Notification::Gap { .. }))
}

fn ended(note: &Notification) -> Option<(u64, &[u8])> {
    match note {
        Notification::StreamEnded { missed, last } => Some((*missed, last)),
        _ => None,
    }
}

/// The reasons for which messages were not sent.
fn unsent(actions: &[Action]) -> Vec<Unsent> {
    let reason = |note: &Notification| match note {
        Notification::Unsent { reason, .. } => Some(*reason),
        _ => None,
    };
    told(actions).into_iter().filter_map(reason).collect()
}

#[test]
fn every_node_gets_the_last_message_and_the_root_learns_it() {
    let mut world = World::new(2);
    world.root();
    let nodes = world.join(6);
    world.event(0, EventKind::Broadcast(Bytes::from_static(b"1")));
    assert_eq!(world.node(0).census().finished(), 0);
    world.event(0, end());
    world.run(secs(3));
    for node in nodes {
        assert!(has_end(&world, node), "node {node}");
    }
    assert!(world.node(0).census().is_finished());
}

#[test]
fn a_child_that_comes_behind_the_end_gets_the_last_message() {
    let mut world = chain(2);
    world.event(0, end());
    world.run(secs(3));
    world.join_in_turn(1);
    assert!(has_end(&world, 3) && world.inbox(3).len() == 1);
    assert!(world.node(0).census().is_finished());
}

#[test]
fn an_app_that_has_not_taken_the_last_message_has_not_finished() {
    let mut world = chain(2);
    world.busy(2);
    world.event(0, end());
    world.run(secs(10));
    let census = world.node(0).census();
    assert_eq!((census.finished(), census.size()), (2, 3));
    assert!(!census.is_finished());
}

#[test]
fn a_former_roots_end_that_is_taken_late_does_not_finish_the_next_stream() {
    let (mut solo, parent) = Solo::member(config(1));
    let bytes = record(Part::End, b"end");
    let ends = LinkFrame::Stream { records: &bytes };
    let mut receipts = Vec::new();
    for epoch in [1_u8, 2] {
        let next = Position::beginning(id(epoch.into()), Epoch(epoch.into()));
        let path = below_root(1);
        let epoch = next.epoch;
        solo.says(parent, &LinkFrame::Moved { epoch, path });
        solo.says(parent, &LinkFrame::Jump(next));
        for action in solo.says(parent, &ends) {
            if let Action::Deliver(delivery) = action {
                receipts.push(delivery.receipt);
            }
        }
    }
    let mut finished = Vec::new();
    for receipt in receipts {
        solo.event(EventKind::Consumed(receipt));
        finished.push(solo.node.census().finished());
    }
    assert_eq!(finished, [0, 1]);
}

#[test]
fn nothing_is_broadcast_behind_the_end() {
    let mut solo = Solo::root(config(1));
    solo.event(end());
    assert!(!solo.node.can_broadcast());
    let more = EventKind::Broadcast(Bytes::from_static(b"more"));
    assert_eq!(unsent(&solo.event(more)), [Unsent::Ended]);
    assert_eq!(unsent(&solo.event(end())), [Unsent::Ended]);
}

#[test]
fn only_the_root_ends_the_stream() {
    let (mut solo, _) = Solo::member(config(1));
    assert_eq!(unsent(&solo.event(end())), [Unsent::NotRoot]);
    assert!(!solo.node.has_ended());
}

#[test]
fn a_last_message_above_its_limit_is_refused() {
    let long = vec![0; MAX_LAST + 1];
    let (mut member, parent) = Solo::member(config(1));
    let records = &record(Part::End, &long);
    let actions = member.says(parent, &LinkFrame::Stream { records });
    let reason = CloseReason::ProtocolError(ProtocolError::LongLast);
    assert!(actions.contains(&Action::CloseLink(parent, reason)));
    let mut root = Solo::root(config(1));
    let actions = root.event(EventKind::End(long.into()));
    assert_eq!(unsent(&actions), [Unsent::TooLong]);
}

#[test]
fn a_node_with_a_gap_is_counted_at_the_root() {
    let mut world = World::with(1, |config| config.history = 0);
    world.root();
    world.join_in_turn(2);
    world.kill(1);
    for _ in 0..20 {
        world.event(0, EventKind::Broadcast(Bytes::from(vec![0; 10_000])));
    }
    world.run(secs(60));
    world.event(0, end());
    world.run(secs(3));
    assert_eq!(gaps(&world, 2), 1);
    let census = world.node(0).census();
    assert_eq!((census.gapped(), census.is_finished()), (1, true));
}

#[test]
fn a_root_that_has_lost_a_child_knows_that_nodes_may_come_back() {
    let mut world = chain(3);
    world.event(0, end());
    world.kill(1);
    world.run_until(secs(60), |world| world.node(0).census().size() == 1);
    assert!(!world.node(0).census().is_finished());
    world.run_until(secs(60), |world| world.node(0).census().is_finished());
    assert_eq!(world.node(0).census().size(), 3);
    for orphan in [2, 3] {
        assert!(has_end(&world, orphan));
    }
}

#[test]
fn a_subtree_that_has_the_end_is_not_waited_for() {
    let mut world = chain(2);
    world.event(0, end());
    world.run(secs(3));
    world.kill(2);
    world.run_until(secs(60), |world| world.node(0).census().size() == 2);
    assert!(world.node(0).census().is_finished());
}

#[test]
fn a_root_that_leaves_behind_the_end_tells_the_server() {
    let mut solo = Solo::root(config(1));
    solo.event(EventKind::Broadcast(Bytes::from_static(b"1")));
    solo.event(end());
    let actions = solo.event(EventKind::Leave);
    let frames = client_frames(&actions);
    let [ClientFrame::StepDown { ended: Some(ended) }] = &frames[..] else {
        panic!("not told: {frames:?}")
    };
    let before = record(Part::Whole, b"1").len() as u64;
    assert_eq!(ended.position.offset, before);
    assert_eq!(&ended.last[..], b"end");
}

#[test]
fn a_root_that_leaves_before_the_end_tells_the_server_of_none() {
    let mut solo = Solo::root(config(1));
    let frames = client_frames(&solo.event(EventKind::Leave));
    assert_eq!(frames, [ClientFrame::StepDown { ended: None }]);
}

#[test]
fn a_joiner_learns_from_the_server_that_the_stream_is_over() {
    let mut world = chain(1);
    world.event(0, end());
    world.run(secs(3));
    world.event(0, EventKind::Leave);
    world.run(secs(1));
    let late = world.start();
    world.run(secs(3));
    let over = world.notes(late).find_map(ended);
    assert_eq!(over, Some((0, &b"end"[..])));
}

#[test]
fn a_joiner_that_was_told_of_an_end_gets_all_of_the_next_stream() {
    let mut solo = Solo::new(config(1));
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    solo.server_says(&ServerFrame::Ended(Ended {
        position: position(Epoch(1), 7),
        last: List::default(),
    }));
    solo.dial(link);
    solo.welcome_in(link, 2);
    let actions = solo.hears(link, b"next");
    assert!(matches!(&actions[..], [Action::Deliver(delivery)] if delivery.payload == "next"));
}

#[test]
fn an_orphan_learns_from_the_server_what_it_has_missed() {
    let (mut solo, parent) = Solo::member(config(1));
    solo.hears(parent, b"one");
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    solo.registered();
    let actions = solo.server_says(&ServerFrame::Ended(Ended {
        position: position(Epoch(1), 7),
        last: List::default(),
    }));
    let over: Vec<_> = told(&actions).into_iter().filter_map(ended).collect();
    assert_eq!(
        over,
        [(7 - record(Part::Whole, b"one").len() as u64, &[][..])]
    );
    assert_eq!(solo.node.role(), Role::Joining);
}

#[test]
fn a_node_that_has_had_the_end_is_not_told_again() {
    let mut world = chain(1);
    world.event(0, end());
    world.run(secs(3));
    world.event(0, EventKind::Leave);
    world.run(secs(60));
    assert_eq!(world.node(1).role(), Role::Joining);
    assert_eq!(world.notes(1).find_map(ended), None);
}

#[test]
fn a_standby_does_not_take_over_behind_the_end() {
    let mut world = World::new(2);
    world.root();
    let standby = world.root();
    assert!(world.node(standby).is_standby());
    world.event(0, end());
    world.run(secs(3));
    world.event(0, EventKind::Leave);
    world.run(secs(60));
    assert_eq!(world.node(standby).role(), Role::Joining);
}

#[test]
fn a_root_that_is_told_of_the_end_of_another_stream_goes_on_with_its_own() {
    let mut solo = Solo::root(config(1));
    let before = solo.node.position();
    let position = Position {
        root: id(9),
        ..position(Epoch(1), 20)
    };
    let last = List::default();
    solo.server_says(&ServerFrame::Ended(Ended { position, last }));
    assert_eq!(solo.node.position(), before);
}
