//! Trees of nodes on both runtimes.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use overlay_conformance::{Driver, World, depths};
use overlay_driver::{Event, Notification};

fn tokio() -> Driver {
    Driver {
        runtime: Arc::new(overlay_tokio::Tokio),
        node: overlay_tokio::node,
        dialer: overlay_tokio::dialer,
        serve: overlay_tokio::serve,
    }
}

fn smol() -> Driver {
    Driver {
        runtime: Arc::new(overlay_smol::Smol),
        node: overlay_smol::node,
        dialer: overlay_smol::dialer,
        serve: overlay_smol::serve,
    }
}

/// A server and a root on one runtime, and ten nodes on others.
async fn grow_and_talk(above: Driver, below: &[Driver]) {
    let world = World::new(above);
    let mut root = world.root(2).await;
    let mut members = Vec::new();
    for driver in below.iter().cycle().take(10) {
        members.push(world.joiner_on(driver, 2).await);
    }
    for member in &mut members {
        member.joined().await;
    }
    assert_eq!(depths(&root, &members).await, [1, 2, 4, 4]);
    root.node.broadcast("down").await.unwrap();
    for member in &mut members {
        assert_eq!(member.message().await, b"down");
        let parent = member.status().await.parent.unwrap();
        if parent == root.id() {
            member.node.send(parent, "up").await.unwrap();
            assert_eq!(root.message().await, b"up");
        }
    }
}

// smol's tasks run anywhere, tokio's only within its runtime: so that is what carries the tests.

#[test]
fn a_root_on_tokio_takes_children_on_smol() {
    tokio().block_on(grow_and_talk(tokio(), &[smol()]));
}

#[test]
fn a_root_on_smol_takes_children_on_tokio() {
    tokio().block_on(grow_and_talk(smol(), &[tokio()]));
}

#[test]
fn nodes_on_both_runtimes_are_anywhere_in_a_tree() {
    tokio().block_on(grow_and_talk(tokio(), &[smol(), tokio(), tokio()]));
}

#[test]
fn an_orphan_finds_a_parent_on_the_other_runtime() {
    tokio().block_on(async {
        let world = World::new(smol());
        let mut root = world.root(1).await;
        let mut line = Vec::new();
        for driver in [smol(), tokio(), smol()] {
            let mut member = world.joiner_on(&driver, 1).await;
            member.joined().await;
            line.push(member);
        }
        let doomed = line.remove(0);
        let gone = doomed.id();
        drop(doomed);
        assert_eq!(line[0].joined().await.0, 1);
        line[1]
            .until(|event| matches!(event, Event::Node(Notification::PathChanged { depth: 2, .. })))
            .await;
        root.until(|event| matches!(event, Event::Node(Notification::ChildClosed { node, .. }) if *node == gone))
            .await;
        assert_eq!(root.status().await.children, [line[0].id()]);
    });
}
