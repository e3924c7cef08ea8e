//! Nodes that leave the tree.

use overlay_core::{CloseReason, Role};
use overlay_driver::{Event, Notification};

use crate::Driver;
use crate::harness::World;

pub(crate) async fn a_node_that_leaves_is_noticed_at_once_and_with_the_reason(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let mut member = world.member(2).await;
    member.node.leave().await;
    member
        .until(|event| matches!(event, Event::Node(Notification::Left)))
        .await;
    let gone = root
        .until(|event| matches!(event, Event::Node(Notification::ChildClosed { .. })))
        .await;
    assert!(matches!(
        gone,
        Event::Node(Notification::ChildClosed {
            reason: CloseReason::PeerLeft,
            ..
        })
    ));
    assert_eq!(member.status().await.role, Role::Detached);
}

pub(crate) async fn a_node_that_is_dropped_leaves(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let member = world.member(2).await;
    drop(member);
    let gone = root
        .until(|event| matches!(event, Event::Node(Notification::ChildClosed { .. })))
        .await;
    assert!(matches!(
        gone,
        Event::Node(Notification::ChildClosed {
            reason: CloseReason::PeerLeft,
            ..
        })
    ));
}

pub(crate) async fn messages_sent_before_leaving_arrive(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(1).await;
    let mut member = world.member(1).await;
    for number in 0..100_u8 {
        root.node.broadcast(vec![number; 10_000]).await.unwrap();
        if number == 99 {
            root.node.leave().await;
        }
        assert_eq!(member.message().await[0], number);
    }
    let gone = member
        .until(|event| matches!(event, Event::Node(Notification::ParentClosed { .. })))
        .await;
    assert!(matches!(
        gone,
        Event::Node(Notification::ParentClosed {
            reason: CloseReason::PeerLeft,
            ..
        })
    ));
}

pub(crate) async fn leaving_right_after_joining_harms_no_node(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    for _ in 0..10 {
        let mut hasty = world.joiner(2).await;
        hasty.node.leave().await;
        hasty
            .until(|event| matches!(event, Event::Node(Notification::Left)))
            .await;
    }
    let mut member = world.joiner(2).await;
    assert_eq!(member.joined().await.0, 1);
    assert_eq!(root.status().await.children, [member.id()]);
}

pub(crate) async fn an_orphan_joins_again_with_its_subtree(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(1).await;
    let doomed = world.member(1).await;
    let mut orphan = world.member(1).await;
    let mut grandchild = world.member(1).await;
    let gone = doomed.id();
    drop(doomed);
    assert_eq!(orphan.joined().await.0, 1);
    let moved = grandchild
        .until(|event| matches!(event, Event::Node(Notification::PathChanged { .. })))
        .await;
    assert!(matches!(
        moved,
        Event::Node(Notification::PathChanged { depth: 2, .. })
    ));
    // A node that leaves gives its slot back before it is gone.
    root.until(|event| matches!(event, Event::Node(Notification::ChildClosed { node, .. }) if *node == gone))
        .await;
    assert_eq!(root.status().await.children, [orphan.id()]);
    assert_eq!(orphan.status().await.children, [grandchild.id()]);
}

pub(crate) async fn a_child_whose_link_is_closed_comes_back_by_itself(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(1).await;
    let mut member = world.member(1).await;
    root.node.close(member.id()).await;
    let gone = member
        .until(|event| matches!(event, Event::Node(Notification::ParentClosed { .. })))
        .await;
    assert!(matches!(
        gone,
        Event::Node(Notification::ParentClosed {
            reason: CloseReason::PeerClosed,
            ..
        })
    ));
    assert_eq!(member.joined().await.0, 1);
}
