//! The actions of one kind among all that a node asks for, decoded.

use overlay_core::wire::{self, ClientFrame, JoinFrame, LinkFrame, RejectReason};
use overlay_core::{Action, JoinId, LinkId, Notification};

/// The frames transmitted on `link`.
#[must_use]
pub fn sent(actions: &[Action], link: LinkId) -> Vec<LinkFrame<'_>> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Transmit(on, bytes) | Action::TransmitData(on, bytes) if *on == link => {
                Some(wire::decode(bytes).unwrap())
            }
            _ => None,
        })
        .collect()
}

/// The frames sent to the server.
#[must_use]
pub fn client_frames(actions: &[Action]) -> Vec<ClientFrame> {
    let frame = |action: &Action| match action {
        Action::SendBootstrap(_, bytes) => Some(wire::decode(bytes).unwrap()),
        _ => None,
    };
    actions.iter().filter_map(frame).collect()
}

/// The join frames sent to the server.
#[must_use]
pub fn sent_up(actions: &[Action]) -> Vec<JoinFrame> {
    let join = |frame: ClientFrame| match frame {
        ClientFrame::Join(frame) => Some(frame),
        _ => None,
    };
    client_frames(actions)
        .into_iter()
        .filter_map(join)
        .collect()
}

/// The joins that the server is told are rejected.
#[must_use]
pub fn rejections(actions: &[Action]) -> Vec<(JoinId, RejectReason)> {
    let rejection = |frame: JoinFrame| match frame {
        JoinFrame::Reject { join, rejection } => Some((join, rejection.reason)),
        _ => None,
    };
    sent_up(actions).into_iter().filter_map(rejection).collect()
}

/// The requests that are delegated to a child.
#[must_use]
pub fn delegated(actions: &[Action], child: LinkId) -> Vec<JoinId> {
    let request = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Join(JoinFrame::Request(request)) => Some(request.join),
        _ => None,
    };
    let frames = sent(actions, child).into_iter();
    frames.filter_map(request).collect()
}

/// The notifications of the app.
#[must_use]
pub fn told(actions: &[Action]) -> Vec<&Notification> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Notify(notification) => Some(notification),
            _ => None,
        })
        .collect()
}

/// The links that are opened.
#[must_use]
pub fn opened(actions: &[Action]) -> Vec<LinkId> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::OpenLink(link, _) => Some(*link),
            _ => None,
        })
        .collect()
}
