//! What passes through the tree: messages to the root, its replies, and answers to its questions.

use std::time::Duration;

use futures_util::future::join_all;
use overlay_core::Config;
use overlay_driver::{Combine, Event, Scope, SendError, Unsent, Way};

use crate::Driver;
use crate::harness::{Member, World};

const PATIENCE: Duration = Duration::from_secs(10);

/// An answer that is a number.
const SEVEN: [u8; 8] = 7_i64.to_le_bytes();

/// The next message from below, and the way back.
async fn up(root: &mut Member) -> (Way, Vec<u8>) {
    let from_below = |event: &Event| matches!(event, Event::Message(message) if matches!(message.scope, Scope::Root(_)));
    match root.until(from_below).await {
        Event::Message(message) => match message.scope {
            Scope::Root(way) => (way, message.payload.to_vec()),
            _ => unreachable!(),
        },
        _ => unreachable!(),
    }
}

/// A node answers whatever it is asked with this.
async fn answers(mut member: Member, answer: &'static [u8]) {
    while let Some(event) = member.events.next().await {
        if let Event::Question(question) = event {
            question.answer(answer);
        }
    }
}

pub(crate) async fn a_message_from_the_deepest_node_reaches_the_root_which_replies(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(1).await;
    let _inner = world.member(1).await;
    let mut leaf = world.member(1).await;
    for size in [1, 1_000, 3_000_000] {
        let payload = vec![7; size];
        leaf.node.send_up(payload.clone()).await.unwrap();
        let (way, message) = up(&mut root).await;
        assert_eq!((way.node(), message.len()), (Some(leaf.id()), size));
        let reply = root.node.try_reply(&way, payload.clone()).unwrap();
        assert_eq!(leaf.message().await, payload);
        assert_eq!(reply.await, Ok(1));
    }
}

pub(crate) async fn every_node_sends_up_at_once_and_nothing_is_lost(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let members = world.members(6, 2).await;
    let senders = members.iter().map(|member| {
        let node = member.node.clone();
        world.driver.spawn(async move {
            for number in 0..500_u32 {
                node.send_up(number.to_be_bytes().to_vec()).await.unwrap();
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut next = std::collections::HashMap::new();
    for _ in 0..6 * 500 {
        let (way, payload) = up(&mut root).await;
        let next = next.entry(way.node()).or_insert(0_u32);
        assert_eq!(payload, next.to_be_bytes());
        *next += 1;
    }
    for sender in senders {
        sender.await.unwrap();
    }
}

pub(crate) async fn a_root_that_takes_nothing_stops_those_that_send_up(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(1).await;
    let member = world.member(1).await;
    let node = member.node.clone();
    let mut sending = world.driver.spawn(async move {
        for _ in 0..500 {
            node.send_up(vec![0; 16_000]).await.unwrap();
        }
    });
    world.driver.sleep(Duration::from_millis(500)).await;
    assert_eq!(sending.try_recv(), Ok(None));
    for _ in 0..500 {
        up(&mut root).await;
    }
    sending.await.unwrap();
}

pub(crate) async fn a_reply_to_a_node_that_is_gone_is_an_error(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(1).await;
    let inner = world.member(1).await;
    let leaf = world.member(1).await;
    leaf.node.send_up("up").await.unwrap();
    let (way, _) = up(&mut root).await;
    drop(leaf);
    while !inner.status().await.children.is_empty() {
        world.driver.sleep(Duration::from_millis(20)).await;
    }
    let reply = root.node.reply(&way, "down").await;
    assert_eq!(reply, Err(SendError::Undelivered));
}

pub(crate) async fn a_node_without_the_right_is_told_so(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(1).await;
    let member = world.member(1).await;
    let no_right = |reason: Unsent| SendError::from(reason);
    let up_there = root.node.send_up("up").await;
    assert_eq!(up_there, Err(no_right(Unsent::IsRoot)));
    let question = member.node.ask("?", PATIENCE, Combine::Count).await;
    assert_eq!(question.unwrap_err(), no_right(Unsent::NotRoot));
    member.node.send_up("up").await.unwrap();
    let (way, _) = up(&mut root).await;
    let reply = member.node.reply(&way, "down").await;
    assert_eq!(reply, Err(no_right(Unsent::NotRoot)));
}

pub(crate) async fn every_node_answers_a_question_once(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    let members = world.members(6, 2).await;
    for member in members {
        drop(world.driver.spawn(answers(member, &SEVEN)));
    }
    let node = &root.node;
    while root.status().await.census.size() < 7 {
        world.driver.sleep(Duration::from_millis(20)).await;
    }
    let ask = |combine| node.ask("?", PATIENCE, combine);
    let all = [Combine::Concat, Combine::Sum, Combine::Count].map(ask);
    let [each, sum, count] = join_all(all).await.try_into().unwrap();
    let (each, sum, count) = (each.unwrap(), sum.unwrap(), count.unwrap());
    assert_eq!([each.answered, sum.answered, count.answered], [6; 3]);
    assert_eq!([each.asked, sum.asked, count.asked], [6; 3]);
    assert_eq!(each.each().count(), 6);
    assert_eq!((sum.number(), count.number()), (Some(42), None));
}

pub(crate) async fn an_app_that_does_not_answer_is_counted_and_not_waited_for(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    let mut silent = world.member(2).await;
    let other = world.member(2).await;
    drop(world.driver.spawn(answers(other, b"yes")));
    drop(world.driver.spawn(async move {
        // It drops its questions.
        while silent.events.next().await.is_some() {}
    }));
    while root.status().await.census.size() < 3 {
        world.driver.sleep(Duration::from_millis(20)).await;
    }
    // Longer than the test may take.
    let long = Duration::from_hours(1);
    let answers = root.node.ask("?", long, Combine::Concat).await.unwrap();
    assert_eq!((answers.answered, answers.asked), (1, 2));
}

pub(crate) async fn apps_combine_answers_by_a_function_of_their_own(driver: Driver) {
    let world = World::new(driver);
    let builder = || {
        let config = Config {
            max_degree: 1,
            ..Config::default()
        };
        world
            .configured(config)
            .combine(|left, right| left.iter().chain(right).copied().collect())
    };
    let root = world.root_of(builder()).await;
    for letter in [b"a", b"b", b"c"] {
        let mut member = Member::of(builder());
        member.node.join().await;
        member.joined().await;
        drop(world.driver.spawn(answers(member, letter)));
    }
    while root.status().await.census.size() < 4 {
        world.driver.sleep(Duration::from_millis(20)).await;
    }
    let answers = root.node.ask("?", PATIENCE, Combine::App).await.unwrap();
    let mut letters = answers.value.to_vec();
    letters.sort_unstable();
    assert_eq!((answers.answered, &letters[..]), (3, &b"abc"[..]));
}
