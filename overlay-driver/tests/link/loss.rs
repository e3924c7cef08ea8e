//! Peers and tasks that are gone without a goodbye, or seem to be.

use std::time::Duration;

use bytes::Bytes;
use overlay_driver::link::{Dialer, LinkConfig, LinkError};

use crate::harness::{Side, Tokio, carry, on_tokio, pair, pause};
use crate::rough::Rough;

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
        carry(&one, &other).await.unwrap();
        other.link.send(Bytes::from_static(b"still here"));
        assert_eq!(one.message().await, "still here");
        doomed.shutdown_background();
        assert_eq!(one.end().await, LinkError::Lost);
    });
}

#[test]
fn a_crash_of_the_stack_ends_the_link_and_nothing_else() {
    on_tokio(async {
        let dialer = Dialer::new(&Tokio, LinkConfig::loopback()).unwrap();
        let crashing = Dialer::new(&Rough::crashing(), LinkConfig::loopback()).unwrap();
        let one = Side::offer(&dialer);
        let other = Side::answer(&crashing, one.offered().await);
        assert_eq!(other.end().await, LinkError::Crashed);
        pair(&dialer).await;
    });
}

#[test]
fn a_process_that_was_suspended_keeps_its_links() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (one, other) = pair(&Dialer::new(&Tokio, LinkConfig::loopback()).unwrap()).await;
        // Nothing else runs meanwhile, as while a laptop sleeps.
        std::thread::sleep(Duration::from_secs(5));
        pause(Duration::from_secs(2)).await;
        one.link.send(Bytes::from_static(b"awake"));
        assert_eq!(other.message().await, "awake");
    });
}
