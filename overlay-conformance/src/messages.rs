//! App messages through the tree.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use overlay_core::Notification;
use overlay_driver::{Event, Scope, SendError, Sending, Unsent};

use crate::Driver;
use crate::harness::World;

pub(crate) async fn parent_and_child_play_ping_pong(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let mut member = world.member(2).await;
    member.node.send(root.id(), "ping").await.unwrap();
    assert_eq!(root.message().await, b"ping");
    root.node.send(member.id(), "pong").await.unwrap();
    assert_eq!(member.message().await, b"pong");
}

pub(crate) async fn a_broadcast_reaches_every_node_once_and_in_order(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    let members = world.members(6, 2).await;
    let listening = members.into_iter().map(|mut member| {
        world.driver.spawn(async move {
            for number in 0..2_000_u32 {
                assert_eq!(member.message().await, number.to_be_bytes());
            }
            member
        })
    });
    let listening: Vec<_> = listening.collect();
    for number in 0..2_000_u32 {
        root.node
            .broadcast(number.to_be_bytes().to_vec())
            .await
            .unwrap();
    }
    for listener in listening {
        listener.await.unwrap();
    }
}

pub(crate) async fn a_node_that_does_not_listen_holds_the_root_back_and_loses_nothing(
    driver: Driver,
) {
    let world = World::new(driver);
    let root = world.root(1).await;
    let mut slow = world.member(1).await;
    let sender = root.node.clone();
    let mut sending = world.driver.spawn(async move {
        for number in 0..500_u32 {
            let mut payload = vec![0; 16_000];
            payload[..4].copy_from_slice(&number.to_be_bytes());
            sender.broadcast(payload).await.unwrap();
        }
    });
    // Eight megabytes don't fit in the windows between them, so the root can't be done.
    world.driver.sleep(Duration::from_millis(500)).await;
    assert_eq!(sending.try_recv(), Ok(None));
    for number in 0..500_u32 {
        assert_eq!(slow.message().await[..4], number.to_be_bytes());
    }
    sending.await.unwrap();
}

pub(crate) async fn a_stream_of_the_ecosystem_is_forwarded_to_all_and_to_a_neighbour(
    driver: Driver,
) {
    let world = World::new(driver);
    let root = world.root(1).await;
    let mut member = world.member(1).await;
    let numbers = || stream::iter(0..100_u8).map(|number| Ok(vec![number].into()));
    let to_all = root.node.broadcasts();
    numbers().forward(pin!(to_all)).await.unwrap();
    let to_one = root.node.messages_to(member.id());
    numbers().forward(pin!(to_one)).await.unwrap();
    let mut sums = [0_u32; 2];
    for _ in 0..200 {
        let event = member
            .until(|event| matches!(event, Event::Message(_)))
            .await;
        if let Event::Message(message) = event {
            sums[usize::from(message.scope == Scope::Direct)] += u32::from(message.payload[0]);
        }
    }
    assert_eq!(sums, [4950, 4950]);
}

pub(crate) async fn a_large_message_arrives_whole_in_each_direction_and_at_every_node(
    driver: Driver,
) {
    let world = World::new(driver);
    let mut root = world.root(1).await;
    let mut inner = world.member(1).await;
    let mut leaf = world.member(1).await;
    let large: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    inner.node.send(root.id(), large.clone()).await.unwrap();
    assert_eq!(root.message().await, large);
    root.node.send(inner.id(), large.clone()).await.unwrap();
    assert_eq!(inner.message().await, large);
    root.node.broadcast(large.clone()).await.unwrap();
    assert_eq!(inner.message().await, large);
    assert_eq!(leaf.message().await, large);
}

pub(crate) async fn a_large_message_that_is_taken_back_never_arrives(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(1).await;
    let mut member = world.member(1).await;
    // More than any machine sends in the time that it gets.
    let large = vec![7; 16_000_000];
    for broadcast in [true, false] {
        let (node, to, large) = (root.node.clone(), member.id(), large.clone());
        let sending = async move {
            if broadcast {
                node.broadcast(large).await.map(drop)
            } else {
                node.send(to, large).await
            }
        };
        let timeout = world.driver.sleep(Duration::from_millis(10));
        let first = futures_util::future::select(Box::pin(sending), Box::pin(timeout)).await;
        assert!(matches!(first, futures_util::future::Either::Right(_)));
    }
    root.node.send(member.id(), "sent").await.unwrap();
    root.node.broadcast("broadcast").await.unwrap();
    let mut messages = [member.message().await, member.message().await];
    messages.sort();
    assert_eq!(messages, [&b"broadcast"[..], b"sent"]);
}

pub(crate) async fn a_message_that_can_not_be_sent_says_why(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    let member = world.member(2).await;
    let stranger = "00000000000000000000000000000001".parse().unwrap();
    assert_eq!(
        root.node.send(stranger, "x").await,
        Err(SendError::Unsent(Unsent::NotConnected))
    );
    assert_eq!(
        member.node.broadcast("x").await,
        Err(SendError::Unsent(Unsent::NotRoot))
    );
    assert_eq!(
        root.node.broadcast(vec![0; 17_000_000]).await,
        Err(SendError::Unsent(Unsent::TooLong))
    );
}

pub(crate) async fn a_message_that_was_handed_over_is_sent_though_its_sender_does_not_wait(
    driver: Driver,
) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let mut member = world.member(2).await;
    drop(member.node.try_send(root.id(), "up").unwrap());
    assert_eq!(root.message().await, b"up");
    drop(root.node.try_send(member.id(), "down").unwrap());
    assert_eq!(member.message().await, b"down");
    root.node.try_broadcast("all").unwrap().await.unwrap();
    assert_eq!(member.message().await, b"all");
}

pub(crate) async fn a_node_that_is_full_says_so_at_once_and_loses_nothing_that_it_took(
    driver: Driver,
) {
    let world = World::new(driver);
    let root = world.root(1).await;
    let mut slow = world.member(1).await;
    let numbered = |number: usize| {
        let mut payload = vec![0; 16_000];
        payload[..8].copy_from_slice(&number.to_be_bytes());
        payload
    };
    let mut taken = 0;
    let mut refusals = 0;
    // The member does not listen, so the windows fill, and then the node does.
    while refusals < 10 {
        match root.node.try_broadcast(numbered(taken)) {
            Ok(sending) => {
                drop(sending);
                taken += 1;
            }
            Err(error) => {
                assert_eq!(error, SendError::Full);
                refusals += 1;
                world.driver.sleep(Duration::from_millis(50)).await;
            }
        }
    }
    for number in 0..taken {
        assert_eq!(slow.message().await[..8], number.to_be_bytes());
    }
    root.node.try_broadcast("last").unwrap().await.unwrap();
    assert_eq!(slow.message().await, b"last");
}

pub(crate) async fn a_message_that_was_handed_over_and_can_not_be_sent_says_why(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    let member = world.member(2).await;
    let stranger = "00000000000000000000000000000001".parse().unwrap();
    let outcome = |sent: Result<Sending, SendError>| async { sent.unwrap().await };
    assert_eq!(
        outcome(root.node.try_send(stranger, "x")).await,
        Err(SendError::Unsent(Unsent::NotConnected))
    );
    assert_eq!(
        outcome(member.node.try_broadcast("x")).await,
        Err(SendError::Unsent(Unsent::NotRoot))
    );
    let too_long = root.node.try_broadcast(vec![0; 17_000_000]);
    assert_eq!(too_long.map(drop), Err(SendError::Unsent(Unsent::TooLong)));
}

pub(crate) async fn an_app_that_dropped_its_events_does_not_stop_the_stream_for_others(
    driver: Driver,
) {
    let world = World::new(driver);
    let root = world.root(1).await;
    let inner = world.member(1).await;
    let mut leaf = world.member(1).await;
    drop(inner.events);
    let sender = root.node.clone();
    let _sending = world.driver.spawn(async move {
        for number in 0..100_u8 {
            sender.broadcast(vec![number; 16_000]).await.unwrap();
        }
    });
    for number in 0..100_u8 {
        let message = leaf.until(|event| matches!(event, Event::Message(_))).await;
        let Event::Message(message) = message else {
            unreachable!()
        };
        assert!(matches!(message.scope, Scope::Broadcast(_)));
        assert_eq!(message.payload[0], number);
    }
    drop(inner.node);
}

pub(crate) async fn the_end_of_a_stream_reaches_those_that_come_later(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(1).await;
    let mut early = world.member(1).await;
    root.node.broadcast("one").await.unwrap();
    root.node.end("end").await.unwrap();
    assert_eq!(early.message().await, b"one");
    assert_eq!(early.message().await, b"end");
    // The history has all of it.
    let mut late = world.member(1).await;
    assert_eq!(late.message().await, b"one");
    let message = late.until(|event| matches!(event, Event::Message(_))).await;
    let Event::Message(message) = message else {
        unreachable!()
    };
    assert!(matches!(message.scope, Scope::End(_)));
    assert_eq!(message.payload, "end");
    let finished = |event: &Event| match event {
        Event::Node(Notification::SubtreeChanged(census)) => {
            census.size() == 3 && census.is_finished()
        }
        _ => false,
    };
    root.until(finished).await;
    assert_eq!(
        root.node.broadcast("more").await,
        Err(SendError::Unsent(Unsent::Ended))
    );
}
