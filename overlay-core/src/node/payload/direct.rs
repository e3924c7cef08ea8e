//! App messages between neighbours.

use bytes::Bytes;

use super::{Payload, lanes, unsent};
use crate::action::{Action, Delivery, Held, Receipt, Scope};
use crate::close::ProtocolError;
use crate::id::{LinkId, NodeId};
use crate::node::effects::Effects;
use crate::node::link::Links;
use crate::notification::Unsent;
use crate::wire::Lane;

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
        if !link.direct.outbox.has_room(limit) {
            link.direct.outbox.refuse();
            return unsent(payload, Unsent::Backlog, fx);
        }
        link.direct.outbox.push(payload);
        lanes::pump(to, links, fx);
    }

    /// The app takes its latest message to a neighbour back.
    pub(crate) fn cancel_send(to: LinkId, links: &mut Links, fx: &mut Effects) {
        if let Some(link) = links.get_mut(to) {
            link.direct.outbox.cancel_latest();
            lanes::pump(to, links, fx);
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
        for payload in lanes::receive(link, Lane::Direct, records, links, fx)? {
            let (lane, cost) = (Lane::Direct, lanes::cost(&payload));
            fx.stats.messages_delivered += 1;
            fx.act(Action::Deliver(Delivery {
                from,
                scope: Scope::Direct(link),
                payload,
                receipt: Receipt(Held::Mail { link, lane, cost }),
            }));
        }
        Ok(())
    }
}
