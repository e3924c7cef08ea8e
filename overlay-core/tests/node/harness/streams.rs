//! What stories about the root's stream share.

use bytes::Bytes;
use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{LinkFrame, Part, VERSION};
use overlay_core::{
    Action, Epoch, EventKind, LinkId, Notification, Position, Scope, Start, Unsent,
};

use super::{Solo, below_root, join_of, opened, records, secs, sent, told, welcome};

/// The numbers that the app is given, as their payloads say them.
pub(crate) fn delivered(actions: &[Action]) -> Vec<u8> {
    let broadcast = |action: &Action| match action {
        Action::Deliver(delivery) if matches!(delivery.scope, Scope::Broadcast(_)) => {
            delivery.payload.first().copied()
        }
        _ => None,
    };
    actions.iter().filter_map(broadcast).collect()
}

/// The gaps that the app is told of.
pub(crate) fn gaps(actions: &[Action]) -> Vec<(Position, Position)> {
    let gap = |note: &Notification| match note {
        Notification::Gap { from, to } => Some((*from, *to)),
        _ => None,
    };
    told(actions).into_iter().filter_map(gap).collect()
}

/// The records that a child is sent.
pub(crate) fn fed(actions: &[Action], child: LinkId) -> Vec<(Part, Vec<u8>)> {
    let stream = |frame: LinkFrame<'_>| match frame {
        LinkFrame::Stream { records: bytes } => records(bytes),
        _ => Vec::new(),
    };
    sent(actions, child).into_iter().flat_map(stream).collect()
}

/// The same node when it has lost its parent, and greets another: the new link, and its greeting.
pub(crate) fn orphaned(solo: &mut Solo, parent: LinkId) -> LinkId {
    solo.event(EventKind::LinkClosed(parent));
    solo.wait(secs(1));
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    link
}

/// A joiner with this number comes to a root's stream at this place.
pub(crate) fn child_at(
    solo: &mut Solo,
    joiner: u128,
    start: Start,
    window: u32,
) -> (LinkId, Vec<Action>) {
    let link = opened(&solo.request(joiner))[0];
    solo.event(EventKind::LinkOpened(link));
    let hello = LinkFrame::Hello {
        version: VERSION,
        join: join_of(joiner),
        window: MIN_WINDOW,
        stream_window: window,
        start,
    };
    let actions = solo.says(link, &hello);
    (link, actions)
}

/// The app of a root broadcasts.
pub(crate) fn broadcast(solo: &mut Solo, payload: impl Into<Bytes>) -> Vec<Action> {
    solo.event(EventKind::Broadcast(payload.into()))
}

/// Why a message was not sent, if it was not.
pub(crate) fn unsent(actions: &[Action]) -> Option<Unsent> {
    told(actions).into_iter().find_map(|note| match note {
        Notification::Unsent { reason, .. } => Some(*reason),
        _ => None,
    })
}

/// The welcome of another parent, whose stream begins here.
pub(crate) fn welcome_at(position: Position) -> LinkFrame<'static> {
    let mut frame = welcome(Epoch(1), below_root(2));
    if let LinkFrame::Welcome { position: told, .. } = &mut frame {
        *told = position;
    }
    frame
}
