//! Signals: what two WebRTC peers must tell each other before they have a connection (RFC 8829, JSEP).
//!
//! The core carries signals and never looks inside. A link has one data channel, and so one media
//! section: every ICE candidate belongs to `sdpMid` "0", `sdpMLineIndex` 0.

use serde::{Deserialize, Serialize};

use crate::bounded::text;

/// Longest session description, in bytes. One with a data channel alone takes 0.5–1.5 KiB; the rest
/// is room for ICE candidates that a peer has gathered before it sends the description.
pub const MAX_SDP: usize = 8 * 1024;

/// Longest ICE candidate, in bytes. The longest that browsers emit take about 250.
pub const MAX_ICE_CANDIDATE: usize = 512;

text! {
    /// A session description: the text of an offer or an answer.
    Sdp, MAX_SDP
}

text! {
    /// An ICE candidate as in `RTCIceCandidate.candidate`: `candidate:…` (RFC 8839 section 5.1).
    IceCandidate, MAX_ICE_CANDIDATE
}

/// A message of one peer to the other, after the offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// The acceptor's answer to the offer.
    Answer(Sdp),
    /// An address at which the sender may be reached. Each comes as soon as it is found (RFC 8838, trickle ICE).
    IceCandidate(IceCandidate),
}
