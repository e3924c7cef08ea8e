//! The lanes of a link that carry whole messages: what goes out as there is credit, and credit for what was taken.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::credit;
use crate::action::Action;
use crate::close::ProtocolError;
use crate::flow::{Mail, message_cost};
use crate::id::LinkId;
use crate::node::effects::Effects;
use crate::node::link::Links;
use crate::notification::Notification;
use crate::wire::{self, Lane, LinkFrame, MAX_HEADER};

/// The lanes, the shorter messages first.
const LANES: [Lane; 3] = [Lane::Gather, Lane::Routed, Lane::Direct];

/// Sends a neighbour the messages that there is credit for, a frame of each lane in turn: none holds another up.
pub(super) fn pump(id: LinkId, links: &mut Links, fx: &mut Effects) {
    let Some(link) = links.get_mut(id) else {
        return;
    };
    loop {
        let mut sent = false;
        for lane in LANES {
            let queued = link.mail(lane).map_or(0, |mail| mail.outbox.queued());
            let mail = if link.takes(queued) {
                link.mail_mut(lane)
            } else {
                None
            };
            let Some(records) = mail.and_then(|mail| mail.outbox.next_frame()) else {
                continue;
            };
            let records = &records[..];
            let frame = wire::encode(&match lane {
                Lane::Direct => LinkFrame::Direct { records },
                Lane::Routed => LinkFrame::Routed { records },
                Lane::Gather => LinkFrame::Gather { records },
                Lane::Stream => LinkFrame::Stream { records },
            });
            link.given(frame.len(), fx.now);
            fx.act(Action::TransmitData(id, frame));
            sent = true;
        }
        if !sent {
            break;
        }
    }
    let has_room = link.direct.outbox.has_room_again(fx.config.send_queue);
    if has_room && link.state.neighbour().is_some() {
        fx.notify(Notification::Writable(id));
    }
}

/// A neighbour has sent messages, or parts of one. Returns those that are complete.
pub(super) fn receive(
    id: LinkId,
    lane: Lane,
    records: &[u8],
    links: &mut Links,
    fx: &mut Effects,
) -> Result<Vec<Bytes>, ProtocolError> {
    let header = if lane == Lane::Direct { 0 } else { MAX_HEADER };
    let longest = fx.config.max_message.saturating_add(header);
    let Some(mail) = links.get_mut(id).and_then(|link| link.mail_mut(lane)) else {
        return Ok(Vec::new());
    };
    let messages = mail.inbox.receive(records, fx.config.window, longest)?;
    give_credit(id, lane, links, fx);
    Ok(messages.into_iter().map(Bytes::from).collect())
}

/// As [`receive`], of messages behind a header: each with that, and with its cost.
pub(super) fn receive_headed<H: DeserializeOwned>(
    id: LinkId,
    lane: Lane,
    records: &[u8],
    links: &mut Links,
    fx: &mut Effects,
) -> Result<Vec<(H, Bytes, u32)>, ProtocolError> {
    let messages = receive(id, lane, records, links, fx)?.into_iter();
    let headed = messages.map(|message| {
        let (header, payload) = wire::split(&message)?;
        Some((header, payload, cost(&message)))
    });
    let headed: Option<Vec<_>> = headed.collect();
    headed.ok_or(ProtocolError::BadMessage)
}

/// A message of this cost, as the neighbour's credit counts it, has been taken.
pub(super) fn taken(id: LinkId, lane: Lane, cost: u32, links: &mut Links, fx: &mut Effects) {
    if let Some(mail) = links.get_mut(id).and_then(|link| link.mail_mut(lane)) {
        mail.inbox.consumed(cost);
        give_credit(id, lane, links, fx);
    }
}

/// A message for a neighbour, if fewer than `send_queue` bytes wait in its lane. False, and it is dropped, if not.
pub(super) fn post(
    id: LinkId,
    lane: Lane,
    message: Bytes,
    links: &mut Links,
    fx: &mut Effects,
) -> bool {
    let mail = links.get_mut(id).and_then(|link| link.mail_mut(lane));
    let Some(mail) = mail.filter(|mail| mail.outbox.has_room(fx.config.send_queue)) else {
        return false;
    };
    mail.outbox.push(message);
    pump(id, links, fx);
    true
}

/// The cost of a message in a neighbour's window.
pub(super) fn cost(message: &Bytes) -> u32 {
    message_cost(message.len())
}

/// Grants a neighbour as much as this node takes again.
fn give_credit(id: LinkId, lane: Lane, links: &mut Links, fx: &mut Effects) {
    let neighbour = |mail: &mut Mail| mail.inbox.grant(fx.config.window);
    let link = links
        .get_mut(id)
        .filter(|link| link.state.neighbour().is_some());
    if let Some(bytes) = link
        .and_then(|link| link.mail_mut(lane))
        .and_then(neighbour)
    {
        credit(id, lane, bytes, links, fx);
    }
}
