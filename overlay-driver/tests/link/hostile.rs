//! Hostile peers: they send what no honest peer sends.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use overlay_core::wire::MAX_FRAME;
use overlay_core::{IceCandidate, Sdp, Signal};
use overlay_driver::link::{Dialer, LinkConfig, LinkError};

use crate::harness::{Side, Tokio, carry, connect, on_each_runtime, on_tokio, pause};
use crate::rough::Rough;
use crate::stranger::Stranger;

fn dialer() -> Dialer {
    Dialer::new(&Tokio, LinkConfig::loopback()).unwrap()
}

#[test]
fn a_text_message_ends_the_link() {
    on_tokio(async {
        let (stranger, side) = Stranger::meet(&dialer()).await;
        stranger.channel.send_text("hello").await.unwrap();
        assert_eq!(side.end().await, LinkError::Misbehaved("it sent text"));
        stranger.connection.close().await.unwrap();
    });
}

#[test]
fn a_second_channel_ends_the_link() {
    on_tokio(async {
        let (stranger, side) = Stranger::meet(&dialer()).await;
        let second = stranger.connection.create_data_channel("more", None).await;
        assert_eq!(
            side.end().await,
            LinkError::Misbehaved("it opened a second channel")
        );
        drop(second);
        stranger.connection.close().await.unwrap();
    });
}

#[test]
fn a_message_longer_than_a_frame_ends_the_link() {
    on_tokio(async {
        let (stranger, side) = Stranger::meet(&dialer()).await;
        let long = BytesMut::from(&vec![7; MAX_FRAME + 1][..]);
        stranger.channel.send(long).await.unwrap();
        assert_eq!(side.end().await, LinkError::TooLong(MAX_FRAME + 1));
        stranger.connection.close().await.unwrap();
    });
}

#[test]
fn an_offer_that_makes_no_sense_is_refused() {
    on_each_runtime(async |dialer| {
        for offer in [
            "",
            "v=0",
            "\0\0",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        ] {
            let side = Side::answer(&dialer, Sdp::new(offer).unwrap());
            assert!(matches!(side.end().await, LinkError::BadDescription(_)));
        }
    });
}

#[test]
fn an_answer_that_makes_no_sense_is_refused() {
    on_each_runtime(async |dialer| {
        let side = Side::offer(&dialer);
        side.offered().await;
        side.link.signal(Signal::Answer(Sdp::new("v=0").unwrap()));
        assert!(matches!(side.end().await, LinkError::BadDescription(_)));
    });
}

#[test]
fn ice_candidates_that_make_no_sense_are_left_out() {
    on_each_runtime(async |dialer| {
        let one = Side::offer(&dialer);
        let other = Side::answer(&dialer, one.offered().await);
        for text in [
            "",
            "candidate:",
            "candidate:1 1 udp x 127.0.0.1 1 typ host",
            "\u{1f980}",
        ] {
            let candidate = IceCandidate::new(text).unwrap();
            one.link.signal(Signal::IceCandidate(candidate.clone()));
            other.link.signal(Signal::IceCandidate(candidate));
        }
        carry(&one, &other).await.unwrap();
    });
}

/// The end of a link with a garbled description that lives for a moment.
async fn outcome(side: Side) -> LinkError {
    pause(Duration::from_millis(5)).await;
    side.link.close();
    side.end().await
}

#[test]
fn no_garbled_offer_crashes_a_link() {
    on_tokio(async {
        let dialer = dialer();
        let offer = Side::offer(&dialer).offered().await;
        for garbled in garblings(&offer, Sdp::new) {
            let end = outcome(Side::answer(&dialer, garbled.clone())).await;
            assert_ne!(end, LinkError::Crashed, "{garbled}");
        }
    });
}

#[test]
fn no_garbled_answer_crashes_a_link() {
    on_tokio(async {
        let dialer = dialer();
        let answering = Side::answer(&dialer, Side::offer(&dialer).offered().await);
        let answer = answering.answered().await;
        for garbled in garblings(&answer, Sdp::new) {
            let side = Side::offer(&dialer);
            side.offered().await;
            side.link.signal(Signal::Answer(garbled.clone()));
            assert_ne!(outcome(side).await, LinkError::Crashed, "{garbled}");
        }
    });
}

#[test]
fn no_garbled_ice_candidate_disturbs_a_handshake() {
    on_tokio(async {
        let dialer = dialer();
        let candidate = "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host generation 0";
        for garbled in garblings(candidate, IceCandidate::new) {
            let one = Side::offer(&dialer);
            let other = Side::answer(&dialer, one.offered().await);
            one.link.signal(Signal::IceCandidate(garbled.clone()));
            other.link.signal(Signal::IceCandidate(garbled));
            carry(&one, &other).await.unwrap();
        }
    });
}

#[test]
fn garbled_packets_crash_no_process() {
    on_tokio(async {
        let config = LinkConfig {
            handshake_timeout: Duration::from_millis(100),
            ..LinkConfig::loopback()
        };
        let honest = Dialer::new(&Tokio, config.clone()).unwrap();
        let garbling = Dialer::new(&Rough::garbling(3), config).unwrap();
        for round in 0..60 {
            let (from, to) = if round % 2 == 0 {
                (&honest, &garbling)
            } else {
                (&garbling, &honest)
            };
            match connect(from, to).await {
                Ok((one, other)) => {
                    one.link.send(Bytes::from_static(b"ping"));
                    other.link.send(Bytes::from_static(b"pong"));
                    assert_ne!(outcome(one).await, LinkError::Crashed);
                    assert_ne!(outcome(other).await, LinkError::Crashed);
                }
                Err(end) => assert_ne!(end, LinkError::Crashed),
            }
        }
    });
}

/// Every line of `text` left out, doubled, cut, emptied and inflated, and bytes changed here and
/// there.
fn garblings<T, E>(text: &str, new: impl Fn(String) -> Result<T, E>) -> Vec<T> {
    let lines: Vec<&str> = text.split_inclusive("\r\n").collect();
    let mut garblings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let key = line.split_inclusive([':', '=', ' ']).next().unwrap_or("");
        for instead in [
            String::new(),
            line.repeat(2),
            line[..line.len() / 2].to_owned(),
            format!("{key}\r\n"),
            format!("{key}99999999999999999999\r\n"),
            format!("{key}-1 -1 -1 -1\r\n"),
            format!("{key}{}\r\n", "x".repeat(300)),
        ] {
            let before = lines[..index].concat();
            garblings.push(before + &instead + &lines[index + 1..].concat());
        }
    }
    for at in (0..text.len()).step_by(text.len() / 60 + 1) {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = bytes[at].wrapping_add(1) & 0x7f;
        garblings.extend(String::from_utf8(bytes));
    }
    garblings
        .into_iter()
        .filter_map(|text| new(text).ok())
        .collect()
}
