//! Trees that grow as nodes join.

use std::time::Duration;

use overlay_core::Config;
use overlay_driver::{Event, Notification};

use crate::Driver;
use crate::harness::{World, depths};
use crate::rogue::Rogue;

pub(crate) async fn a_node_connects_to_the_root(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let mut member = world.joiner(2).await;
    assert_eq!(member.joined().await, (1, 1));
    let child = root
        .until(|event| matches!(event, Event::Node(Notification::ChildConnected { .. })))
        .await;
    assert!(
        matches!(child, Event::Node(Notification::ChildConnected { node, .. }) if node == member.id())
    );
}

pub(crate) async fn ten_nodes_of_degree_two_all_join_and_none_exceeds_two(driver: Driver) {
    let world = World::new(driver);
    let root = world.root(2).await;
    let members = world.members(10, 2).await;
    assert_eq!(depths(&root, &members).await, [1, 2, 4, 4]);
    for member in members.iter().chain([&root]) {
        assert!(member.status().await.children.len() <= 2);
    }
}

pub(crate) async fn fifty_nodes_of_degree_five_make_the_complete_tree_at_the_first_attempt(
    driver: Driver,
) {
    let world = World::new(driver);
    let root = world.root(5).await;
    let mut members = Vec::new();
    for _ in 0..50 {
        members.push(world.joiner(5).await);
    }
    for member in &mut members {
        let (_, attempt) = member.joined().await;
        assert_eq!(attempt, 1);
    }
    assert_eq!(depths(&root, &members).await, [1, 5, 25, 20]);
}

pub(crate) async fn a_node_that_comes_before_the_root_joins_when_there_is_one(driver: Driver) {
    let world = World::new(driver);
    let mut early = world.joiner(2).await;
    early
        .until(|event| matches!(event, Event::Node(Notification::JoinRejected { .. })))
        .await;
    let _root = world.root(2).await;
    assert_eq!(early.joined().await.0, 1);
}

pub(crate) async fn a_candidate_that_never_completes_frees_its_slot_for_the_joiner_behind_it(
    driver: Driver,
) {
    let world = World::new(driver);
    let config = Config {
        max_degree: 1,
        request_timeout: Duration::from_secs(3),
        ..Config::default()
    };
    let root = world.root_of(world.configured(config)).await;
    let mut rogue = Rogue::greet(&world).await;
    rogue.request_and_never_connect().await;
    let mut honest = world.joiner(1).await;
    assert_eq!(honest.joined().await.0, 1);
    assert_eq!(root.status().await.children, [honest.id()]);
}

pub(crate) async fn the_root_sees_its_whole_tree(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let _members = world.members(6, 2).await;
    let complete = |event: &Event| matches!(event, Event::Node(Notification::SubtreeChanged(census)) if census.nodes() == [1, 2, 4]);
    root.until(complete).await;
}
