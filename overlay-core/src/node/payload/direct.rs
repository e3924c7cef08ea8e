//! App messages between neighbours.

use bytes::Bytes;

use super::{Payload, credit, unsent};
use crate::action::{Action, Delivery, Held, Receipt, Scope};
use crate::close::ProtocolError;
use crate::flow::message_cost;
use crate::id::{LinkId, NodeId};
use crate::node::effects::Effects;
use crate::node::link::Links;
use crate::notification::{Notification, Unsent};
use crate::wire::{self, Lane, LinkFrame};

impl Payload {
    /// Sends a message of the app to a neighbour.
    pub(crate) fn send(to: LinkId, payload: Bytes, links: &mut Links, fx: &mut Effects) {
        let limit = if planted!(fx.config, SendQueueWithoutLimit) {
            usize::MAX
        } else {
            fx.config.send_queue
        };
        let neighbour = links
            .get_mut(to)
            .filter(|link| link.state.neighbour().is_some());
        let Some(link) = neighbour else {
            return unsent(payload, Unsent::NotConnected, fx);
        };
        if payload.len() > fx.config.max_message {
            return unsent(payload, Unsent::TooLong, fx);
        }
        if !link.outbox.has_room(limit) {
            link.outbox.refuse();
            return unsent(payload, Unsent::Backlog, fx);
        }
        link.outbox.push(payload);
        pump(to, links, fx);
    }

    /// The app takes its latest message to a neighbour back.
    pub(crate) fn cancel_send(to: LinkId, links: &mut Links, fx: &mut Effects) {
        if let Some(link) = links.get_mut(to) {
            link.outbox.cancel_latest();
            pump(to, links, fx);
        }
    }

    /// A neighbour has sent messages for this node, or parts of one.
    pub(crate) fn direct(
        link: LinkId,
        from: NodeId,
        records: &[u8],
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let (window, longest) = (fx.config.window, fx.config.max_message);
        let Some(sender) = links.get_mut(link) else {
            return Ok(());
        };
        for message in sender.inbox.receive(records, window, longest)? {
            let cost = message_cost(message.len());
            fx.stats.messages_delivered += 1;
            fx.act(Action::Deliver(Delivery {
                from,
                scope: Scope::Direct(link),
                payload: message.into(),
                receipt: Receipt(Held::Direct { link, cost }),
            }));
        }
        give_credit(link, links, fx);
        Ok(())
    }
}

/// Sends a neighbour the messages that there is credit for.
pub(super) fn pump(id: LinkId, links: &mut Links, fx: &mut Effects) {
    let Some(link) = links.get_mut(id) else {
        return;
    };
    while link.takes(link.outbox.queued())
        && let Some(records) = link.outbox.next_frame()
    {
        let frame = wire::encode(&LinkFrame::Direct { records: &records });
        link.given(frame.len(), fx.now);
        fx.act(Action::TransmitData(id, frame));
    }
    if link.outbox.has_room_again(fx.config.send_queue) && link.state.neighbour().is_some() {
        fx.notify(Notification::Writable(id));
    }
}

/// The app has taken a message of a neighbour.
pub(super) fn consumed(link: LinkId, cost: u32, links: &mut Links, fx: &mut Effects) {
    if let Some(sender) = links.get_mut(link) {
        sender.inbox.consumed(cost);
        give_credit(link, links, fx);
    }
}

/// Grants a neighbour as much as this node takes again.
fn give_credit(id: LinkId, links: &mut Links, fx: &mut Effects) {
    let sender = links
        .get_mut(id)
        .filter(|link| link.state.neighbour().is_some());
    if let Some(bytes) = sender.and_then(|link| link.inbox.grant(fx.config.window)) {
        credit(id, Lane::Direct, bytes, links, fx);
    }
}
