//! What the tests stand on: a small virtual world for stories about trees ([`World`]), one node
//! driven by hand for stories about bad company ([`Solo`]), and the invariants that every node keeps after
//! every event, whatever the story ([`Invariants`]).

mod server;
mod solo;
mod webrtc;
mod world;

use std::time::Duration;

use overlay_core::wire::{ClientFrame, JoinFrame, LinkFrame, RejectReason};
use overlay_core::{Action, Config, JoinId, LinkId, NodeId, Notification, wire};

pub(crate) use overlay_testkit::Invariants;
pub(crate) use solo::{
    OWN_JOIN, Solo, below_root, candidate, hello, move_to, moving, position, request, sdp, status,
    welcome,
};
pub(crate) use world::{Handshakes, Ix, World};

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The id of the `number`th node.
pub(crate) const fn id(number: u128) -> NodeId {
    NodeId::from_u128(number << 96 | number)
}

/// The first attempt of the `number`th node.
pub(crate) const fn join_of(number: u128) -> JoinId {
    JoinId {
        origin: id(number),
        attempt: 1,
    }
}

/// The defaults, but for the number of children.
pub(crate) fn config(max_degree: u16) -> Config {
    Config {
        max_degree,
        ..Config::default()
    }
}

/// The frames transmitted on `link`.
pub(crate) fn sent(actions: &[Action], link: LinkId) -> Vec<LinkFrame<'_>> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Transmit(on, bytes) if *on == link => Some(wire::decode(bytes).unwrap()),
            _ => None,
        })
        .collect()
}

/// The frames sent to the server.
pub(crate) fn client_frames(actions: &[Action]) -> Vec<ClientFrame> {
    let frame = |action: &Action| match action {
        Action::SendBootstrap(_, bytes) => Some(wire::decode(bytes).unwrap()),
        _ => None,
    };
    actions.iter().filter_map(frame).collect()
}

/// The join frames among them.
pub(crate) fn sent_up(actions: &[Action]) -> Vec<JoinFrame> {
    let join = |frame: ClientFrame| match frame {
        ClientFrame::Join(frame) => Some(frame),
        _ => None,
    };
    client_frames(actions)
        .into_iter()
        .filter_map(join)
        .collect()
}

/// What the app is told.
pub(crate) fn told(actions: &[Action]) -> Vec<&Notification> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Notify(notification) => Some(notification),
            _ => None,
        })
        .collect()
}

/// The links that are opened.
pub(crate) fn opened(actions: &[Action]) -> Vec<LinkId> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::OpenLink(link, _) => Some(*link),
            _ => None,
        })
        .collect()
}

/// The requests that are sent on to a child.
pub(crate) fn delegated(actions: &[Action], child: LinkId) -> Vec<JoinId> {
    let request = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Join(JoinFrame::Request(request)) => Some(request.join),
        _ => None,
    };
    let frames = sent(actions, child).into_iter();
    frames.filter_map(request).collect()
}

/// The joins that the server is told are rejected.
pub(crate) fn rejections(actions: &[Action]) -> Vec<(JoinId, RejectReason)> {
    let rejection = |frame: JoinFrame| match frame {
        JoinFrame::Reject { join, rejection } => Some((join, rejection.reason)),
        _ => None,
    };
    sent_up(actions).into_iter().filter_map(rejection).collect()
}
