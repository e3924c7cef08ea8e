//! Roots and standbys.

use overlay_driver::{Event, Notification};

use crate::Driver;
use crate::harness::{Member, World, token};

pub(crate) async fn a_standby_is_in_the_tree_and_takes_over_when_the_root_is_gone(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    let mut standby = Member::of(world.builder(2));
    standby.node.become_root(token()).await;
    standby
        .until(|event| matches!(event, Event::Node(Notification::Standby { .. })))
        .await;
    standby.joined().await;
    assert_eq!(standby.status().await.parent, Some(root.id()));
    let mut member = world.member(2).await;
    drop(root);
    standby
        .until(|event| matches!(event, Event::Node(Notification::Promoted { .. })))
        .await;
    let promoted = standby.id();
    member
        .until(|event| matches!(event, Event::Node(Notification::RootChanged { root, .. }) if *root == promoted))
        .await;
    standby
        .until(|event| matches!(event, Event::Node(Notification::SubtreeChanged(census)) if census.nodes() == [1, 1]))
        .await;
    standby.node.broadcast("the root is gone").await.unwrap();
    assert_eq!(member.message().await, b"the root is gone");
}
