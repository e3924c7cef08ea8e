//! Handshakes: from an offer to an open link, or to the reason why there is none.

use std::net::UdpSocket;
use std::time::Duration;

use bytes::Bytes;
use overlay_core::{IceCandidate, Sdp, Signal};
use overlay_driver::link::{ConfigError, Dialer, IceServer, LinkConfig, LinkError, LinkEvent};

use crate::harness::{Side, Smol, Tokio, carry, connect, on_each_runtime, on_tokio, pair, pause};

#[test]
fn two_peers_find_each_other_and_talk() {
    on_each_runtime(async |dialer| {
        let (one, other) = pair(&dialer).await;
        one.link.send(Bytes::from_static(b"ping"));
        assert_eq!(other.message().await, "ping");
        other.link.send(Bytes::from_static(b"pong"));
        assert_eq!(one.message().await, "pong");
    });
}

#[test]
fn a_peer_on_tokio_and_a_peer_on_smol_connect() {
    on_tokio(async {
        let tokio = Dialer::new(&Tokio, LinkConfig::loopback()).unwrap();
        let smol = Dialer::new(&Smol, LinkConfig::loopback()).unwrap();
        connect(&tokio, &smol).await.unwrap();
        connect(&smol, &tokio).await.unwrap();
    });
}

#[test]
fn nodes_on_all_interfaces_connect() {
    on_tokio(async {
        pair(&Dialer::new(&Tokio, LinkConfig::default()).unwrap()).await;
    });
}

#[test]
fn many_handshakes_at_once_all_succeed() {
    on_each_runtime(async |dialer| {
        let pairs = (0..100).map(|_| async {
            let (one, other) = pair(&dialer).await;
            one.link.send(Bytes::from_static(b"first"));
            assert_eq!(other.message().await, "first");
        });
        futures_util::future::join_all(pairs).await;
    });
}

#[test]
fn a_late_answer_is_in_time() {
    on_each_runtime(async |dialer| {
        let one = Side::offer(&dialer);
        let other = Side::answer(&dialer, one.offered().await);
        // Longer than the answering side probes by itself.
        pause(Duration::from_secs(5)).await;
        carry(&one, &other).await.unwrap();
    });
}

/// A description without its ICE candidates, and these.
fn apart(description: &Sdp) -> (Sdp, Vec<Signal>) {
    let (candidates, rest): (Vec<&str>, Vec<&str>) = description
        .split_inclusive("\r\n")
        .partition(|line| line.starts_with("a=candidate"));
    let candidates = candidates.iter().map(|line| {
        let candidate = line.trim_start_matches("a=").trim_end();
        Signal::IceCandidate(IceCandidate::new(candidate).unwrap())
    });
    (Sdp::new(rest.concat()).unwrap(), candidates.collect())
}

#[test]
fn ice_candidates_may_travel_apart_and_arrive_before_the_answer() {
    on_each_runtime(async |dialer| {
        let one = Side::offer(&dialer);
        let (offer, from_one) = apart(&one.offered().await);
        let other = Side::answer(&dialer, offer);
        let (answer, from_other) = apart(&other.answered().await);
        assert_eq!((from_one.len(), from_other.len()), (1, 1));
        for signal in from_one {
            other.link.signal(signal);
        }
        for signal in from_other {
            one.link.signal(signal);
        }
        one.link.signal(Signal::Answer(answer));
        carry(&one, &other).await.unwrap();
    });
}

/// An answering side whose peer never hears its answer.
async fn abandoned(dialer: &Dialer) -> Side {
    let offer = Side::offer(dialer).offered().await;
    let side = Side::answer(dialer, offer);
    side.answered().await;
    side
}

#[test]
fn an_offer_without_a_peer_behind_it_is_given_up() {
    on_tokio(async {
        let config = LinkConfig {
            handshake_timeout: Duration::from_millis(200),
            ..LinkConfig::loopback()
        };
        let dialer = Dialer::new(&Tokio, config).unwrap();
        assert_eq!(abandoned(&dialer).await.end().await, LinkError::Unreachable);
    });
}

#[test]
fn handshakes_beyond_the_limit_wait_for_those_before_them() {
    on_tokio(async {
        let config = LinkConfig {
            max_handshakes: 1,
            ..LinkConfig::loopback()
        };
        let dialer = Dialer::new(&Tokio, config).unwrap();
        let first = abandoned(&dialer).await;
        let one = Side::offer(&dialer);
        let other = Side::answer(&dialer, one.offered().await);
        pause(Duration::from_millis(300)).await;
        assert!(other.events.is_empty());
        drop(first);
        carry(&one, &other).await.unwrap();
    });
}

#[test]
fn a_handshake_that_takes_too_long_lets_others_pass() {
    on_tokio(async {
        let config = LinkConfig {
            max_handshakes: 1,
            handshake_turn: Duration::from_millis(100),
            ..LinkConfig::loopback()
        };
        let dialer = Dialer::new(&Tokio, config).unwrap();
        let _slow = abandoned(&dialer).await;
        pair(&dialer).await;
    });
}

#[test]
fn a_link_can_be_closed_while_it_waits() {
    on_tokio(async {
        let config = LinkConfig {
            max_handshakes: 1,
            ..LinkConfig::loopback()
        };
        let dialer = Dialer::new(&Tokio, config).unwrap();
        let offering = Side::offer(&dialer);
        let offer = offering.offered().await;
        let _first = abandoned(&dialer).await;
        let answering = Side::answer(&dialer, offer);
        for side in [offering, answering] {
            side.link.close();
            assert_eq!(side.end().await, LinkError::ClosedHere);
        }
    });
}

fn with_server(url: String) -> LinkConfig {
    LinkConfig {
        ice_servers: vec![IceServer {
            urls: vec![url],
            username: "user".to_owned(),
            credential: "secret".to_owned(),
        }],
        ..LinkConfig::loopback()
    }
}

#[test]
fn the_address_that_a_stun_server_sees_becomes_an_ice_candidate() {
    on_tokio(async {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let url = format!("stun:{}", server.local_addr().unwrap());
        let side = Side::offer(&Dialer::new(&Tokio, with_server(url)).unwrap());
        side.offered().await;
        let mut request = [0; 128];
        let (_, from) = server.recv_from(&mut request).unwrap();
        // A success response whose XOR-MAPPED-ADDRESS is 192.0.2.1:5000.
        let mut response = vec![1, 1, 0, 12];
        response.extend(&request[4..20]);
        response.extend([0, 0x20, 0, 8, 0, 1, 0x13 ^ 0x21, 0x88 ^ 0x12]);
        response.extend([0xc0 ^ 0x21, 0x12, 0x02 ^ 0xa4, 0x01 ^ 0x42]);
        server.send_to(&response, from).unwrap();
        loop {
            match side.next().await {
                LinkEvent::Signal(Signal::IceCandidate(candidate))
                    if candidate.contains("192.0.2.1 5000 typ srflx") =>
                {
                    break;
                }
                LinkEvent::Signal(_) => {}
                other => panic!("{other:?} instead of a candidate"),
            }
        }
    });
}

#[test]
fn a_link_that_is_relayed_tells_no_address_of_its_own() {
    on_tokio(async {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let config = LinkConfig {
            relay_only: true,
            ..with_server(format!("turn:{}", server.local_addr().unwrap()))
        };
        let side = Side::offer(&Dialer::new(&Tokio, config).unwrap());
        assert!(!side.offered().await.contains("a=candidate"));
        // It asks the relay for an address.
        server.recv_from(&mut [0; 128]).unwrap();
        assert!(side.events.is_empty());
    });
}

#[test]
fn servers_that_cannot_be_used_are_refused() {
    for url in [
        "",
        "example.org",
        "http:example.org",
        "stuns:example.org",
        "turn:a?transport=tcp",
    ] {
        let refused = Dialer::new(&Tokio, with_server(url.to_owned())).unwrap_err();
        assert!(matches!(refused, ConfigError::IceServer { .. }), "{url}");
    }
    let config = LinkConfig {
        relay_only: true,
        ..with_server("stun:example.org".to_owned())
    };
    assert_eq!(
        Dialer::new(&Tokio, config).unwrap_err(),
        ConfigError::NoRelay
    );
}
