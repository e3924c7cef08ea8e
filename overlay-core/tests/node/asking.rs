//! Questions to every node, and their answers.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::{Answer, LinkFrame, Part, Question, behind, split};
use overlay_core::{
    Action, Answers, Ask, AskId, Asked, CloseReason, Combine, Config, EventKind, LinkId,
    Notification, ProtocolError, Unsent,
};

use crate::harness::{Solo, World, config, id, ms, record, records, secs, sent, told, unsent};

fn ask(number: u64, combine: Combine, limit: usize) -> EventKind {
    EventKind::Ask(Ask {
        number,
        question: Bytes::from_static(b"?"),
        timeout: secs(8),
        combine,
        limit,
    })
}

fn name(number: u64) -> AskId {
    AskId {
        root: id(100),
        number,
    }
}

/// The root's question, as its parent passes it on to a node under test.
fn question(combine: Combine, left_ms: u32) -> Question {
    Question {
        ask: name(1),
        left_ms,
        step_ms: 1_000,
        total_ms: left_ms + 1_000,
        combine,
        limit: 100,
    }
}

fn is_asked(solo: &mut Solo, parent: LinkId, question: &Question) -> Vec<Action> {
    let records = &record(Part::Whole, &behind(question, b"?"));
    solo.says(parent, &LinkFrame::Gather { records })
}

fn child_answers(
    solo: &mut Solo,
    child: LinkId,
    ask: AskId,
    [answered, asked]: [u32; 2],
    value: &[u8],
) -> Vec<Action> {
    let header = Answer {
        ask,
        answered,
        omitted: 0,
        asked,
    };
    let records = &record(Part::Whole, &behind(&header, value));
    solo.says(child, &LinkFrame::Gather { records })
}

fn answers(solo: &mut Solo, value: &[u8]) -> Vec<Action> {
    let value = Bytes::copy_from_slice(value);
    solo.event(EventKind::Answer(name(1), Some(value)))
}

/// The answers that go to the parent.
fn given(actions: &[Action], parent: LinkId) -> Vec<(Answer, Bytes)> {
    let gather = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Gather { records: bytes } => records(bytes),
        _ => Vec::new(),
    };
    let all = sent(actions, parent).into_iter().flat_map(gather);
    all.map(|(_, message)| split(&Bytes::from(message)).unwrap())
        .collect()
}

fn number(value: i64) -> [u8; 8] {
    value.to_le_bytes()
}

fn result(world: &World) -> Option<Answers> {
    world.notes(0).find_map(|note| match note {
        Notification::Answers { answers, .. } => Some(answers.clone()),
        _ => None,
    })
}

#[test]
fn every_node_answers_once() {
    for combine in [
        Combine::Concat,
        Combine::Sum,
        Combine::Count,
        Combine::App,
        Combine::Max,
    ] {
        let mut world = World::new(3);
        world.root();
        world.join(30);
        world.run(secs(3));
        world.event(0, ask(1, combine, 10_000));
        world.run(secs(2));
        let result = result(&world).unwrap();
        assert_eq!((result.answered, result.asked, result.omitted), (30, 30, 0));
        match combine {
            Combine::Concat => assert_eq!(result.each().count(), 30),
            Combine::Count => assert_eq!(result.value, ""),
            Combine::Max => assert_eq!(result.number(), Some(1)),
            _ => assert_eq!(result.number(), Some(30)),
        }
    }
}

#[test]
fn a_node_that_does_not_answer_is_counted_as_such_before_the_time_is_over() {
    let mut world = World::new(2);
    world.root();
    world.join(14);
    world.run(secs(3));
    world.busy(1);
    world.event(0, ask(1, Combine::Count, 0));
    world.run(secs(4));
    assert_eq!(result(&world), None, "the root waits for it");
    world.run(secs(5));
    let result = result(&world).unwrap();
    assert_eq!((result.answered, result.asked), (13, 14));
}

#[test]
fn a_subtree_that_is_lost_is_not_waited_for() {
    let mut world = World::new(2);
    world.root();
    world.join(14);
    world.run(secs(3));
    let lost = world.children(0)[0];
    world.busy(lost);
    world.event(0, ask(1, Combine::Count, 0));
    world.run(ms(200));
    world.crash(lost);
    world.run(secs(2));
    let result = result(&world).unwrap();
    assert_eq!((result.answered, result.asked), (7, 14));
}

#[test]
fn answers_that_there_is_no_room_for_are_counted() {
    let mut world = World::new(2);
    world.root();
    world.join(10);
    world.run(secs(3));
    // An entry is an id, a length and eight bytes.
    world.event(0, ask(1, Combine::Concat, 4 * 25));
    world.run(secs(2));
    let result = result(&world).unwrap();
    assert_eq!((result.answered, result.omitted, result.asked), (4, 6, 10));
    assert_eq!(result.each().count(), 4);
}

#[test]
fn each_level_answers_before_the_one_above_has_to() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    let actions = is_asked(&mut solo, parent, &question(Combine::Count, 3_000));
    let Some(Action::Ask(Asked { left, .. })) = actions
        .iter()
        .find(|action| matches!(action, Action::Ask(_)))
    else {
        panic!("the app is not asked");
    };
    assert!(*left < ms(3_000));
    let passed: Vec<_> = sent(&actions, child);
    let [LinkFrame::Gather { records: bytes }] = passed[..] else {
        panic!("{passed:?}");
    };
    let (_, message) = records(bytes).remove(0);
    let (below, _) = split::<Question>(&Bytes::from(message)).unwrap();
    assert_eq!(below.left_ms, 2_000);
    answers(&mut solo, b"");
    let actions = solo.wait(ms(2_999));
    assert_eq!(given(&actions, parent), []);
    let actions = solo.wait(ms(1));
    let (answer, _) = given(&actions, parent).remove(0);
    assert_eq!((answer.answered, answer.asked), (1, 2));
}

#[test]
fn an_answer_is_taken_once_from_each_child_that_was_asked() {
    let (mut solo, parent) = Solo::member(config(2));
    let child = solo.child_from(parent, 5);
    is_asked(&mut solo, parent, &question(Combine::Sum, 3_000));
    let late = solo.child_from(parent, 6);
    child_answers(&mut solo, late, name(1), [1, 1], &number(50));
    child_answers(&mut solo, child, name(1), [2, 2], &number(20));
    child_answers(&mut solo, child, name(1), [2, 2], &number(20));
    let actions = answers(&mut solo, &number(3));
    let (answer, value) = given(&actions, parent).remove(0);
    assert_eq!((answer.answered, answer.asked), (3, 3));
    assert_eq!(value[..], number(23));
}

#[test]
fn a_question_that_comes_again_is_not_answered_again() {
    let (mut solo, parent) = Solo::member(config(0));
    is_asked(&mut solo, parent, &question(Combine::Count, 3_000));
    assert_eq!(given(&answers(&mut solo, b""), parent)[0].0.answered, 1);
    let actions = is_asked(&mut solo, parent, &question(Combine::Count, 3_000));
    let (answer, _) = given(&actions, parent).remove(0);
    assert_eq!((answer.answered, answer.asked), (0, 0));
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::Ask(_)))
    );
}

#[test]
fn an_app_that_has_no_answer_is_not_waited_for() {
    let (mut solo, parent) = Solo::member(config(0));
    is_asked(&mut solo, parent, &question(Combine::Sum, 3_000));
    let actions = solo.event(EventKind::Answer(name(1), None));
    let (answer, value) = given(&actions, parent).remove(0);
    assert_eq!(
        (answer.answered, answer.asked, &value[..]),
        (0, 1, &b""[..])
    );
}

#[test]
fn an_answer_that_is_no_number_is_none() {
    let (mut solo, parent) = Solo::member(config(0));
    is_asked(&mut solo, parent, &question(Combine::Sum, 3_000));
    let (answer, _) = given(&answers(&mut solo, b"twelve"), parent).remove(0);
    assert_eq!(answer.answered, 0);
}

#[test]
fn apps_combine_two_answers_at_a_time_and_late_ones_are_counted() {
    let (mut solo, parent) = Solo::member(config(2));
    let (one, two) = (solo.child_from(parent, 5), solo.child_from(parent, 6));
    is_asked(&mut solo, parent, &question(Combine::App, 3_000));
    answers(&mut solo, b"a");
    let actions = child_answers(&mut solo, one, name(1), [1, 1], b"b");
    let pair = |left: &'static [u8], right: &'static [u8]| Action::Combine {
        ask: name(1),
        left: Bytes::from_static(left),
        right: Bytes::from_static(right),
    };
    assert_eq!(actions, [pair(b"a", b"b")]);
    assert_eq!(child_answers(&mut solo, two, name(1), [1, 1], b"c"), []);
    let actions = solo.event(EventKind::Combined(name(1), Bytes::from_static(b"ab")));
    assert_eq!(actions, [pair(b"ab", b"c")]);
    let actions = solo.wait(ms(3_000));
    let (answer, value) = given(&actions, parent).remove(0);
    assert_eq!(
        (answer.answered, answer.omitted, &value[..]),
        (2, 1, &b"ab"[..])
    );
}

#[test]
fn an_answer_that_can_not_be_is_a_fault() {
    for (counts, value) in [
        ([3, 2], &number(1)[..]),
        ([1, 1], b"short"),
        ([0, 1], &number(1)),
    ] {
        let (mut solo, parent) = Solo::member(config(1));
        let child = solo.child_from(parent, 5);
        is_asked(&mut solo, parent, &question(Combine::Sum, 3_000));
        let actions = child_answers(&mut solo, child, name(1), counts, value);
        let reason = CloseReason::ProtocolError(ProtocolError::BadMessage);
        assert_eq!(actions[0], Action::CloseLink(child, reason), "{counts:?}");
    }
}

#[test]
fn an_answer_in_which_a_child_claims_more_than_it_brings_is_a_fault() {
    let (mut solo, parent) = Solo::member(config(1));
    let child = solo.child_from(parent, 5);
    is_asked(&mut solo, parent, &question(Combine::Concat, 3_000));
    let entry = behind(&(id(5), &b"x"[..]), b"");
    let actions = child_answers(&mut solo, child, name(1), [2, 2], &entry);
    let reason = CloseReason::ProtocolError(ProtocolError::BadMessage);
    assert_eq!(actions[0], Action::CloseLink(child, reason));
}

#[test]
fn a_node_remembers_few_questions_and_says_no_to_others() {
    let (mut solo, parent) = Solo::member(Config {
        max_asks: 2,
        ..config(0)
    });
    for number in 0..2 {
        let ask = name(number);
        let asked = Question {
            ask,
            ..question(Combine::Count, 3_000)
        };
        is_asked(&mut solo, parent, &asked);
    }
    let ask = name(2);
    let asked = Question {
        ask,
        ..question(Combine::Count, 3_000)
    };
    let actions = is_asked(&mut solo, parent, &asked);
    let (answer, _) = given(&actions, parent).remove(0);
    assert_eq!((answer.answered, answer.asked), (0, 1));
    solo.wait(Duration::from_secs(4));
    assert_eq!(solo.node.load().asks, 0, "their time is over");
}

#[test]
fn only_a_root_asks_and_only_so_much_at_once() {
    let (mut solo, _) = Solo::member(config(1));
    let actions = solo.event(ask(1, Combine::Count, 0));
    assert_eq!(unsent(&actions), Some(Unsent::NotRoot));
    let mut root = Solo::root(Config {
        max_asks: 1,
        max_message: 10,
        ..config(1)
    });
    root.child(1);
    assert_eq!(unsent(&root.event(ask(1, Combine::Count, 0))), None);
    let actions = root.event(ask(2, Combine::Count, 0));
    assert_eq!(unsent(&actions), Some(Unsent::Backlog));
    let actions = root.wait(secs(8));
    let is_answer = |note: &&Notification| matches!(note, Notification::Answers { number: 1, .. });
    assert!(told(&actions).iter().any(is_answer), "{actions:?}");
}

#[test]
fn a_root_without_nodes_has_its_answer_at_once() {
    let mut root = Solo::root(config(1));
    let actions = root.event(ask(1, Combine::Sum, 0));
    let answers = Answers::default();
    assert_eq!(
        told(&actions),
        [&Notification::Answers { number: 1, answers }]
    );
}
