//! Places in the root's stream: where a node comes in, and across a change of parents and of roots.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{Lane, LinkFrame, MAX_PART, Part, record_len};
use overlay_core::{
    Action, CloseReason, Config, Epoch, EventKind, LinkId, Position, ProtocolError, Start,
};

use crate::harness::{
    Solo, answer, below_root, broadcast, child_at, config, delivered, fed, gaps, id, opened,
    orphaned, position, record, sdp, secs, sent, sent_up, signal, welcome, welcome_at,
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

/// A parent brings the message of this number, which is next.
fn brings(solo: &mut Solo, parent: LinkId, number: u8) -> Vec<Action> {
    solo.says(
        parent,
        &LinkFrame::Stream {
            records: &message(number),
        },
    )
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
        history: 2 * record_len(1),
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
    let parts: Vec<Part> = fed(&actions, child)
        .into_iter()
        .map(|(part, _)| part)
        .collect();
    assert!(parts.iter().rev().skip(1).all(|part| *part == Part::Middle));
    assert_eq!(parts.last(), Some(&Part::Last));
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
    let offer = EventKind::LinkOffer(link, sdp("offer"));
    let join = sent_up(&solo.event(offer))[0].join();
    solo.server_passes(signal(join, answer()));
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
fn a_node_does_not_move_to_a_later_root_before_its_parent_has_brought_all_of_the_former_one() {
    let (mut solo, old, new) = greeted();
    solo.says(new, &welcome_at(later_root()));
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
