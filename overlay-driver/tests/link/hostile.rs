//! Peers that send what no honest peer sends.

use bytes::BytesMut;
use overlay_core::wire::MAX_FRAME;
use overlay_core::{Candidate, Sdp, Signal};
use overlay_driver::link::{Dialer, LinkConfig, LinkError, LinkEvent};

use crate::harness::{Side, Tokio, carry, on_each_runtime, on_tokio};
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
fn oversized() {
    on_tokio(async {
        let (stranger, side) = Stranger::meet(&dialer()).await;
        stranger
            .channel
            .send(BytesMut::from(&[1; 10][..]))
            .await
            .unwrap();
        stranger
            .channel
            .send(BytesMut::from(&vec![7; MAX_FRAME + 1][..]))
            .await
            .unwrap();
        stranger
            .channel
            .send(BytesMut::from(&[2; 10][..]))
            .await
            .unwrap();
        stranger
            .channel
            .send(BytesMut::from(&[3; 10][..]))
            .await
            .unwrap();
        for _ in 0..3 {
            eprintln!("{:?}", side.next().await);
        }
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
fn candidates_that_make_no_sense_are_left_out() {
    on_each_runtime(async |dialer| {
        let one = Side::offer(&dialer);
        let other = Side::answer(&dialer, one.offered().await);
        for text in [
            "",
            "candidate:",
            "candidate:1 1 udp x 127.0.0.1 1 typ host",
            "\u{1f980}",
        ] {
            let candidate = Candidate::new(text).unwrap();
            one.link.signal(Signal::Candidate(candidate.clone()));
            other.link.signal(Signal::Candidate(candidate));
        }
        futures_util::future::try_join(carry(&one, &other), carry(&other, &one))
            .await
            .unwrap();
    });
}

#[test]
fn no_mutation_of_an_offer_crashes_a_link() {
    on_tokio(async {
        let dialer = dialer();
        let source = Side::offer(&dialer);
        let offer = source.offered().await.to_string();
        let mut outcomes = std::collections::BTreeMap::<String, u32>::new();
        for mutation in mutations(&offer) {
            let Ok(mutation) = Sdp::new(mutation) else {
                continue;
            };
            let side = Side::answer(&dialer, mutation);
            if let LinkEvent::Signal(Signal::Answer(_)) = side.next().await {
                side.link.close();
                *outcomes.entry("answered".to_owned()).or_default() += 1;
            }
        }
        println!("{outcomes:?}");
    });
}

fn mutations(text: &str) -> Vec<String> {
    let _ = text;
    Vec::new()
}
