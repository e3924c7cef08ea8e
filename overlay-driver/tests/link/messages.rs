//! Frames on an open link.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::MAX_FRAME;
use overlay_driver::link::{Dialer, LinkConfig, LinkError};

use crate::harness::{Side, Tokio, carry, on_each_runtime, on_tokio, pair, pause};
use crate::rough::Rough;
use crate::stranger::Stranger;

#[test]
fn messages_arrive_whole_and_in_order_at_a_receiver_that_is_slow_at_first() {
    const COUNT: u32 = 20_000;
    let message = |number: u32| Bytes::from(number.to_be_bytes().repeat(256));
    on_tokio(async {
        let config = LinkConfig {
            max_backlog: 32 * 1024 * 1024,
            ..LinkConfig::loopback()
        };
        let (one, other) = pair(&Dialer::new(&Tokio, config).unwrap()).await;
        for number in 0..COUNT {
            one.link.send(message(number));
        }
        for number in 0..COUNT {
            if number < 200 {
                pause(Duration::from_millis(2)).await;
            }
            assert_eq!(other.message().await, message(number));
        }
    });
}

#[test]
fn frames_go_in_both_directions_at_once() {
    const COUNT: u8 = 200;
    on_each_runtime(async |dialer| {
        let (one, other) = pair(&dialer).await;
        for number in 0..COUNT {
            one.link.send(Bytes::from(vec![number; 4096]));
            other.link.send(Bytes::from(vec![number; 4096]));
        }
        for number in 0..COUNT {
            assert_eq!(one.message().await, vec![number; 4096]);
            assert_eq!(other.message().await, vec![number; 4096]);
        }
    });
}

#[test]
fn the_shortest_and_the_longest_frame_arrive() {
    on_each_runtime(async |dialer| {
        let (one, other) = pair(&dialer).await;
        one.link.send(Bytes::new());
        one.link.send(Bytes::from(vec![7; MAX_FRAME]));
        assert_eq!(other.message().await, "");
        assert_eq!(other.message().await, vec![7; MAX_FRAME]);
    });
}

#[test]
fn a_frame_longer_than_allowed_ends_the_link() {
    on_each_runtime(async |dialer| {
        let (one, other) = pair(&dialer).await;
        one.link.send(Bytes::from(vec![7; MAX_FRAME + 1]));
        assert_eq!(one.end().await, LinkError::TooLong(MAX_FRAME + 1));
        assert_eq!(other.end().await, LinkError::PeerClosed);
    });
}

#[test]
fn frames_that_are_queued_before_the_link_is_open_arrive() {
    on_each_runtime(async |dialer| {
        let one = Side::offer(&dialer);
        one.link.send(Bytes::from_static(b"early"));
        let other = Side::answer(&dialer, one.offered().await);
        carry(&one, &other).await.unwrap();
        assert_eq!(other.message().await, "early");
    });
}

#[test]
fn messages_sent_before_a_close_arrive_before_it() {
    on_each_runtime(async |dialer| {
        let (one, other) = pair(&dialer).await;
        for number in 0..50 {
            one.link.send(Bytes::from(vec![number; 8192]));
        }
        one.link.close();
        for number in 0..50 {
            assert_eq!(other.message().await, vec![number; 8192]);
        }
        assert_eq!(other.end().await, LinkError::PeerClosed);
        assert_eq!(one.end().await, LinkError::ClosedHere);
    });
}

#[test]
fn a_link_that_is_dropped_is_closed() {
    on_each_runtime(async |dialer| {
        let (one, other) = pair(&dialer).await;
        drop(one);
        assert_eq!(other.end().await, LinkError::PeerClosed);
    });
}

#[test]
fn a_closed_link_may_be_closed_again_and_drops_frames() {
    on_each_runtime(async |dialer| {
        let (one, other) = pair(&dialer).await;
        one.link.close();
        one.link.close();
        one.link.send(Bytes::from_static(b"late"));
        assert_eq!(one.end().await, LinkError::ClosedHere);
        assert_eq!(other.end().await, LinkError::PeerClosed);
    });
}

#[test]
fn a_peer_that_takes_nothing_stalls_the_link() {
    on_each_runtime(async |dialer| {
        let (one, _other) = pair(&dialer).await;
        for _ in 0..4096 {
            one.link.send(Bytes::from(vec![7; MAX_FRAME]));
            // A pause: as much as can be taken is taken.
            pause(Duration::from_micros(100)).await;
        }
        assert_eq!(one.end().await, LinkError::Stalled);
    });
}

#[test]
fn a_path_that_loses_packets_loses_no_message() {
    on_tokio(async {
        let dialer = Dialer::new(&Rough::losing(20), LinkConfig::loopback()).unwrap();
        let (one, other) = pair(&dialer).await;
        for number in 0..100 {
            one.link.send(Bytes::from(vec![number; 4096]));
        }
        for number in 0..100 {
            assert_eq!(other.message().await, vec![number; 4096]);
        }
    });
}

#[test]
fn a_message_before_an_immediate_close_arrives() {
    on_tokio(async {
        let dialer = Dialer::new(&Tokio, LinkConfig::loopback()).unwrap();
        for _ in 0..20 {
            let (stranger, side) = Stranger::meet(&dialer).await;
            stranger.channel.send("goodbye".into()).await.unwrap();
            stranger.connection.close().await.unwrap();
            assert_eq!(side.message().await, "goodbye");
            assert_eq!(side.end().await, LinkError::PeerClosed);
        }
    });
}
