//! Nodes that misbehave on their links: theirs is closed, and all other nodes go on.

use overlay_core::wire::{LinkFrame, VERSION, WireError};
use overlay_core::{CloseReason, JoinId, NodeId, ProtocolError};
use overlay_driver::{Event, Notification};

use crate::Driver;
use crate::harness::{Member, World};
use crate::rogue::{Rogue, RogueLink, hello, message};

/// A tree with an honest child, and a link to its root that a rogue holds.
struct Scene {
    world: World,
    root: Member,
    honest: Member,
    rogue: Rogue,
    link: RogueLink,
}

impl Scene {
    /// A scene where the rogue's channel is open, and it has not greeted.
    async fn open(driver: Driver) -> Self {
        let world = World::new(driver);
        let root = world.root(3).await;
        let honest = world.member(3).await;
        let mut rogue = Rogue::greet(&world).await;
        let link = rogue.open_link().await;
        Self {
            world,
            root,
            honest,
            rogue,
            link,
        }
    }

    /// A scene where the rogue is a child.
    async fn welcomed(driver: Driver) -> Self {
        let mut scene = Self::open(driver).await;
        scene.link.hello(scene.rogue.join());
        scene.link.welcomed().await;
        scene
    }

    /// Asserts that the root closes the rogue's link for this reason, and that all others go on.
    async fn ends_for(mut self, reason: CloseReason) {
        self.root_says(reason).await;
        self.others_go_on().await;
    }

    async fn root_says(&mut self, reason: CloseReason) {
        let rogue = self.rogue.join().origin;
        let closed = self
            .root
            .until(|event| matches!(event, Event::Node(Notification::ChildClosed { node, .. }) if *node == rogue))
            .await;
        assert!(
            matches!(closed, Event::Node(Notification::ChildClosed { reason: why, .. }) if why == reason),
            "{closed:?}"
        );
    }

    async fn others_go_on(mut self) {
        self.link.closed().await;
        assert_eq!(self.root.status().await.children, [self.honest.id()]);
        self.root.node.broadcast("still here").await.unwrap();
        assert_eq!(self.honest.message().await, b"still here");
        assert_eq!(self.world.joiner(0).await.joined().await.0, 1);
    }
}

pub(crate) async fn garbage_from_a_child_closes_its_link(driver: Driver) {
    let scene = Scene::welcomed(driver).await;
    scene.link.link.send(vec![0xff; 100].into());
    scene
        .ends_for(CloseReason::Malformed(WireError::Malformed))
        .await;
}

pub(crate) async fn a_truncated_frame_closes_the_link(driver: Driver) {
    let scene = Scene::welcomed(driver).await;
    let records = &message(b"whole");
    let frame = LinkFrame::Direct { records };
    let bytes = overlay_core::wire::encode(&frame);
    scene.link.link.send(bytes.slice(..bytes.len() - 1));
    scene
        .ends_for(CloseReason::Malformed(WireError::Malformed))
        .await;
}

pub(crate) async fn a_node_of_an_unknown_version_is_turned_away(driver: Driver) {
    let scene = Scene::open(driver).await;
    scene.link.say(&hello(scene.rogue.join(), VERSION + 1));
    scene.others_go_on().await;
}

pub(crate) async fn a_node_that_greets_with_garbage_is_turned_away(driver: Driver) {
    let scene = Scene::open(driver).await;
    scene
        .link
        .link
        .send(b"GET / HTTP/1.1\r\n\r\n".as_slice().into());
    scene.others_go_on().await;
}

pub(crate) async fn a_peer_that_names_a_child_does_not_replace_it(driver: Driver) {
    let scene = Scene::open(driver).await;
    scene.link.hello(JoinId {
        origin: scene.honest.id(),
        attempt: 1,
    });
    scene.others_go_on().await;
}

pub(crate) async fn a_child_that_speaks_for_the_root_is_cut_off(driver: Driver) {
    let scene = Scene::welcomed(driver).await;
    let records = &message(b"lies");
    scene.link.say(&LinkFrame::Stream { records });
    scene
        .ends_for(CloseReason::ProtocolError(ProtocolError::UnexpectedFrame))
        .await;
}

pub(crate) async fn a_child_that_sends_more_than_it_was_granted_is_cut_off(driver: Driver) {
    let mut scene = Scene::welcomed(driver).await;
    // The root's app takes nothing meanwhile, so that its windows of 256 KiB stay full.
    for _ in 0..40 {
        scene.link.say(&LinkFrame::Direct {
            records: &message(&[0; 16_000]),
        });
    }
    scene.link.closed().await;
    scene
        .root_says(CloseReason::ProtocolError(ProtocolError::WindowExceeded))
        .await;
}

pub(crate) async fn a_forged_answer_from_a_child_harms_no_joiner(driver: Driver) {
    let scene = Scene::welcomed(driver).await;
    let join = JoinId {
        origin: NodeId::from_u128(7),
        attempt: 1,
    };
    let answer = crate::rogue::forged_answer(join);
    scene.link.say(&LinkFrame::Join(answer));
    scene.link.hello(join);
    scene
        .ends_for(CloseReason::ProtocolError(ProtocolError::UnexpectedFrame))
        .await;
}
