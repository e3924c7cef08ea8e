//! The fingerprint of a run: two runs with the same hash did the same.

use overlay_core::{Action, Dial, EventKind, Instant, Signal};

/// Folds into 64 bits when which machine was told what kind of thing, and all that nodes wanted done: bytes that they
/// sent, signals that they applied. Not for adversaries: for telling runs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0x2545_f491_4f6c_dd1d)
    }
}

impl Trace {
    pub(crate) const fn hash(self) -> u64 {
        self.0
    }

    pub(crate) const fn number(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9fb2_1c65_1e98_df25);
        self.0 ^= self.0 >> 32;
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.number(u64::from_le_bytes(last));
    }

    /// A machine is told something. What a message says was folded in when a node sent it; what a forger says
    /// shows in what comes of it.
    pub(crate) fn event(&mut self, now: Instant, machine: usize, event: &EventKind) {
        self.number(now.as_micros());
        self.number((machine as u64) << 8 | event_tag(event));
    }

    /// A machine wants something.
    pub(crate) fn action(&mut self, action: &Action) {
        match action {
            Action::OpenLink(_, Dial::Offer) => self.number(1),
            Action::OpenLink(_, Dial::Answer(offer)) => self.tagged(2, offer.as_bytes()),
            Action::ApplySignal(_, Signal::Answer(answer)) => self.tagged(3, answer.as_bytes()),
            Action::ApplySignal(_, Signal::IceCandidate(text)) => self.tagged(4, text.as_bytes()),
            Action::Transmit(_, bytes) => self.tagged(5, bytes),
            Action::CloseLink(..) => self.number(6),
            Action::ConnectBootstrap(_) => self.number(7),
            Action::SendBootstrap(_, bytes) => self.tagged(8, bytes),
            Action::CloseBootstrap(_) => self.number(9),
            Action::Deliver(delivery) => self.tagged(10, &delivery.payload),
            Action::Notify(_) => self.number(11),
            Action::TransmitData(_, bytes) => self.tagged(12, bytes),
            Action::Ask(asked) => self.tagged(13, &asked.question),
            Action::Combine { .. } => self.number(14),
        }
    }

    fn tagged(&mut self, tag: u64, bytes: &[u8]) {
        self.number(tag);
        self.bytes(bytes);
    }
}

const fn event_tag(event: &EventKind) -> u64 {
    match event {
        EventKind::Join => 1,
        EventKind::BecomeRoot(_) => 2,
        EventKind::Leave => 3,
        EventKind::Send { .. } => 4,
        EventKind::Broadcast(_) | EventKind::End(_) => 5,
        EventKind::Consumed(_) => 6,
        EventKind::Close(_) => 7,
        EventKind::BootstrapOpened(_) => 8,
        EventKind::BootstrapMessage(..) => 9,
        EventKind::BootstrapClosed(_) => 10,
        EventKind::LinkOffer(..) => 11,
        EventKind::LinkSignal(..) => 12,
        EventKind::LinkOpened(_) => 13,
        EventKind::LinkMessage(..) => 14,
        EventKind::LinkClosed(_) => 15,
        EventKind::Timeout => 16,
        EventKind::LinkDrained(_) => 17,
        EventKind::CancelSend(_) => 18,
        EventKind::CancelBroadcast => 19,
        EventKind::SendUp(_) => 20,
        EventKind::Reply { .. } => 21,
        EventKind::Ask(_) => 22,
        EventKind::Answer(..) => 23,
        EventKind::Combined(..) => 24,
        EventKind::CancelSendUp => 25,
    }
}
