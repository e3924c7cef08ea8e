//! Messages that go no further, and word of what has become of replies.

use super::{Message, Route, Source, unsent};
use crate::node::effects::Effects;
use crate::node::link::{Links, State};
use crate::notification::{Notification, Unsent};
use crate::wire::{LinkFrame, Replied, Reply};

/// A message goes no further.
pub(super) fn refuse(
    source: Source,
    message: Message,
    reason: Unsent,
    links: &mut Links,
    fx: &mut Effects,
) {
    match message.route {
        Route::Up(way) if way.ids().is_empty() => unsent(message.payload, reason, fx),
        Route::Up(_) => fx.stats.upward_dropped += 1,
        Route::Down(Reply { way, tag }) => {
            let node = way.ids().first().copied().unwrap_or(fx.id);
            let arrived = false;
            report(source, Replied { node, tag, arrived }, links, fx);
        }
    }
}

/// Says what has become of a reply, where it came from.
pub(super) fn report(source: Source, end: Replied, links: &mut Links, fx: &mut Effects) {
    let Replied { node, tag, arrived } = end;
    match source {
        None => fx.notify(Notification::Replied { node, tag, arrived }),
        Some(link) if matches!(links.state(link), Some(State::Parent(_))) => {
            links.transmit(link, &LinkFrame::Replied(end), fx);
        }
        Some(_) => {}
    }
}
