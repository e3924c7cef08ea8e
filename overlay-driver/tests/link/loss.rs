//! Peers that go without a word.

use bytes::Bytes;
use futures_util::future::try_join;
use overlay_driver::link::{Dialer, LinkConfig, LinkError};

use crate::harness::{Side, Tokio, carry, on_tokio};

#[test]
fn a_peer_that_vanishes_is_noticed() {
    on_tokio(async {
        let dialer = Dialer::new(&Tokio, LinkConfig::loopback()).unwrap();
        // Its runtime ends with all tasks and sockets, as if its process were killed.
        let doomed = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let one = Side::offer(&dialer);
        let offer = one.offered().await;
        let other = doomed.spawn(async {
            let dialer = Dialer::new(&Tokio, LinkConfig::loopback()).unwrap();
            Side::answer(&dialer, offer)
        });
        let other = other.await.unwrap();
        try_join(carry(&one, &other), carry(&other, &one))
            .await
            .unwrap();
        other.link.send(Bytes::from_static(b"still here"));
        assert_eq!(one.message().await, "still here");
        doomed.shutdown_background();
        assert_eq!(one.end().await, LinkError::Lost);
    });
}
