//! What happens, in words, for a person that replays a failed run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use overlay_core::wire::{self, ClientFrame, JoinFrame, LinkFrame, ServerFrame};
use overlay_core::{Action, EventKind, Instant, JoinId};

use crate::schedule::{Number, Step};

/// The transcript of a run.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// One line for each thing that happened.
    pub(crate) lines: Vec<String>,
    /// The number of the last event that is of interest.
    until: u64,
    event: u64,
    /// Where each join was last heard of.
    pub(crate) traces: BTreeMap<JoinId, String>,
}

impl Transcript {
    /// A transcript that ends at the event of this number.
    pub(crate) fn until(until: u64) -> Self {
        Self {
            until,
            ..Self::default()
        }
    }

    pub(crate) fn apply(&mut self, now: Instant, step: &Step) {
        self.line(|| format!("{now:?} ───── {step:?}"));
    }

    pub(crate) fn event(
        &mut self,
        event_number: u64,
        now: Instant,
        number: Number,
        event: &EventKind,
    ) {
        match event {
            EventKind::LinkMessage(_, bytes) => {
                if let Ok(LinkFrame::Join(frame)) = wire::decode(bytes) {
                    self.join_frame(now, &frame, &format!("came to {number}"));
                }
            }
            EventKind::BootstrapMessage(_, bytes) => {
                if let Ok(ServerFrame::Join(frame)) = wire::decode(bytes) {
                    self.join_frame(now, &frame, &format!("came from the server to {number}"));
                }
            }
            _ => {}
        }
        self.event = event_number - 1;
        self.line(|| format!("{now:?} #{event_number} {number} ← {}", event_words(event)));
    }

    pub(crate) fn actions(&mut self, now: Instant, number: Number, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Transmit(_, bytes) | Action::TransmitData(_, bytes) => {
                    if let Ok(LinkFrame::Join(frame)) = wire::decode(bytes) {
                        self.join_frame(now, &frame, &format!("was passed on by {number}"));
                    }
                }
                Action::SendBootstrap(_, bytes) => {
                    if let Ok(ClientFrame::Join(frame)) = wire::decode(bytes) {
                        self.join_frame(
                            now,
                            &frame,
                            &format!("was sent to the server by {number}"),
                        );
                    }
                }
                _ => {}
            }
            self.line(|| format!("{now:?}       {number} → {}", action_words(action)));
        }
    }

    fn join_frame(&mut self, now: Instant, frame: &JoinFrame, what: &str) {
        let kind = match frame {
            JoinFrame::Request(_) => "request",
            JoinFrame::Signal { .. } => "signal",
            JoinFrame::Reject { .. } => "rejection",
            JoinFrame::Cancel { .. } => "cancellation",
        };
        let text = format!("a {kind} {what} at {now:?}");
        self.traces.insert(frame.join(), text);
    }

    fn line(&mut self, text: impl FnOnce() -> String) {
        if self.event < self.until {
            self.lines.push(text());
        }
    }
}

fn event_words(event: &EventKind) -> String {
    match event {
        EventKind::LinkMessage(link, bytes) => {
            format!("{link:?} {}", words(&wire::decode::<LinkFrame<'_>>(bytes)))
        }
        EventKind::BootstrapMessage(id, bytes) => {
            format!(
                "server {} {}",
                id.number(),
                words(&wire::decode::<ServerFrame>(bytes))
            )
        }
        EventKind::Broadcast(payload) => format!("Broadcast({} bytes)", payload.len()),
        EventKind::End(payload) => format!("End({} bytes)", payload.len()),
        EventKind::Send { to, payload } => format!("Send({to:?}, {} bytes)", payload.len()),
        other => format!("{other:?}"),
    }
}

fn action_words(action: &Action) -> String {
    match action {
        Action::Transmit(link, bytes) | Action::TransmitData(link, bytes) => {
            format!("{link:?} {}", words(&wire::decode::<LinkFrame<'_>>(bytes)))
        }
        Action::SendBootstrap(id, bytes) => {
            format!(
                "server {} {}",
                id.number(),
                words(&wire::decode::<ClientFrame>(bytes))
            )
        }
        Action::Deliver(delivery) => {
            let len = delivery.payload.len();
            format!(
                "Deliver({:?}, {:?}, {len} bytes)",
                delivery.from, delivery.scope
            )
        }
        other => format!("{other:?}"),
    }
}

/// A frame, with long payloads cut.
fn words<F: core::fmt::Debug>(frame: &Result<F, wire::WireError>) -> String {
    let mut text = String::new();
    let _ = match frame {
        Ok(frame) => write!(text, "{frame:?}"),
        Err(error) => write!(text, "{error}"),
    };
    if text.len() > 200 {
        let cut = (0..=200).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(cut.unwrap_or(0));
        text.push('…');
    }
    text
}
