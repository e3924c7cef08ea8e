//! Descriptions and ICE candidates as text: what a peer's may hold, and how this side's are put together.
//!
//! The WebRTC stack parses both; this is the coarse filter before it. It keeps a peer from adding media, from having
//! many addresses probed, and from having names resolved.

use std::net::IpAddr;

use overlay_core::{IceCandidate, MAX_SDP};

/// The most ICE candidates that a peer may name. Each is probed 60 times from every local address, even if it is a
/// stranger's. A browser with two networks and a TURN server has about ten.
pub(super) const MAX_CANDIDATES: usize = 16;

/// Whether an ICE candidate can be probed: UDP, and an address rather than a name. Browsers hide local addresses behind
/// `.local` names; such a peer is found all the same, because it probes this side.
pub(super) fn usable(candidate: &str) -> bool {
    let mut fields = candidate
        .strip_prefix("candidate:")
        .unwrap_or(candidate)
        .split(' ');
    // foundation component transport priority address port …
    let transport = fields.nth(2);
    let address = fields.nth(1).and_then(|text| text.parse::<IpAddr>().ok());
    let port = fields.next().and_then(|text| text.parse::<u16>().ok());
    transport.is_some_and(|transport| transport.eq_ignore_ascii_case("udp"))
        && address.is_some_and(|address| !address.is_unspecified() && !address.is_multicast())
        && port.is_some_and(|port| port != 0)
}

/// A peer's description without the ICE candidates that cannot be used, and the number of those left.
pub(super) fn filter(description: &str) -> Result<(String, usize), &'static str> {
    let mut media = description.lines().filter(|line| line.starts_with("m="));
    let (Some(section), None) = (media.next(), media.next()) else {
        return Err("it does not have exactly one media section");
    };
    if !(section.starts_with("m=application ") && section.ends_with(" webrtc-datachannel")) {
        return Err("its media section is not for data channels");
    }
    let mut candidates = 0;
    let mut filtered = String::with_capacity(description.len());
    for line in description.lines() {
        if let Some(candidate) = line.strip_prefix("a=candidate:") {
            if candidates == MAX_CANDIDATES || !usable(candidate) {
                continue;
            }
            candidates += 1;
        }
        filtered.push_str(line);
        filtered.push_str("\r\n");
    }
    Ok((filtered, candidates))
}

/// This side's description with as many of the ICE candidates as it has room for, and the rest of them.
pub(super) fn with_candidates(
    mut description: String,
    candidates: Vec<IceCandidate>,
) -> (String, Vec<IceCandidate>) {
    let mut rest = Vec::new();
    for candidate in candidates {
        let line = format!("a={candidate}\r\n");
        if description.len() + line.len() > MAX_SDP {
            rest.push(candidate);
        } else {
            description.push_str(&line);
        }
    }
    (description, rest)
}

#[cfg(test)]
mod tests {
    use overlay_core::Sdp;

    use super::*;

    const DATA: &str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel";

    #[test]
    fn only_ice_candidates_that_can_be_probed_are_usable() {
        assert!(usable(
            "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"
        ));
        assert!(usable(
            "candidate:1 1 UDP 2130706431 2001:db8::1 5000 typ host generation 0"
        ));
        for unusable in [
            "",
            "candidate:",
            "candidate:1 1 tcp 2130706431 192.0.2.1 9 typ host tcptype passive",
            "candidate:1 1 udp 2130706431 3e1f5d64.local 5000 typ host",
            "candidate:1 1 udp 2130706431 0.0.0.0 5000 typ host",
            "candidate:1 1 udp 2130706431 224.0.0.1 5000 typ host",
            "candidate:1 1 udp 2130706431 192.0.2.1 0 typ host",
            "candidate:1 1 udp 2130706431 192.0.2.1 70000 typ host",
        ] {
            assert!(!usable(unusable), "{unusable}");
        }
    }

    #[test]
    fn a_description_must_be_for_data_channels_alone() {
        assert!(filter(&format!("v=0\r\n{DATA}\r\n")).is_ok());
        assert!(filter("v=0\r\n").is_err());
        assert!(filter(&format!("v=0\r\n{DATA}\r\n{DATA}\r\n")).is_err());
        assert!(filter("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n").is_err());
    }

    #[test]
    fn ice_candidates_beyond_the_limit_are_left_out() {
        let candidate = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n";
        let (filtered, count) = filter(&format!("{DATA}\r\n{}", candidate.repeat(100))).unwrap();
        assert_eq!(count, MAX_CANDIDATES);
        assert_eq!(filtered.matches("a=candidate").count(), MAX_CANDIDATES);
    }

    #[test]
    fn ice_candidates_that_do_not_fit_a_description_are_kept_for_later() {
        let candidates = vec![IceCandidate::new("c".repeat(500)).unwrap(); 20];
        let (description, rest) = with_candidates(String::from("v=0\r\n"), candidates);
        assert!(Sdp::new(description).is_ok());
        assert_eq!(rest.len(), 4);
    }
}
