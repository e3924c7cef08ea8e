//! From an offer to an open link, or to the reason why not.

use bytes::Bytes;

use crate::harness::{on_each_runtime, pair};

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
