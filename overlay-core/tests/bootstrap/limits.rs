//! Rate limits.

use bytes::Bytes;
use overlay_core::ConnectionId;
use overlay_core::bootstrap::Rate;
use overlay_core::wire::{ClientFrame, Refusal};

use crate::harness::*;

#[test]
fn a_joiner_that_floods_is_disconnected() {
    let mut server = Server::new();
    let joiner = server.joiner(1);
    pings(&mut server, joiner, 199); // its greeting was the first of 200
    assert_eq!(server.refusal(joiner), None);
    pings(&mut server, joiner, 1);
    assert_eq!(server.refusal(joiner), Some(Refusal::RateLimited));
}

#[test]
fn a_pause_earns_a_joiner_new_messages() {
    let mut server = Server::new();
    let joiner = server.joiner(1);
    pings(&mut server, joiner, 199);
    server.wait(seconds(1));
    pings(&mut server, joiner, 50);
    assert_eq!(server.refusal(joiner), None);
    pings(&mut server, joiner, 1);
    assert_eq!(server.refusal(joiner), Some(Refusal::RateLimited));
}

#[test]
fn a_root_may_send_what_a_thousand_joins_need() {
    let mut server = Server::new();
    let root = server.root(ROOT);
    pings(&mut server, root, 20_000);
    assert_eq!(server.refusal(root), None);
    pings(&mut server, root, 1);
    assert_eq!(server.refusal(root), Some(Refusal::RateLimited));
}

#[test]
fn bytes_count_even_if_they_are_no_frame() {
    let mut server = Server::with(|config| {
        config.joiner_traffic.bytes = Rate {
            per_second: 1,
            burst: 16 * 1024,
        };
    });
    let joiner = server.joiner(1);
    server.send_bytes(joiner, Bytes::from(vec![0; 16 * 1024]));
    assert_eq!(server.refusal(joiner), Some(Refusal::RateLimited));
}

fn pings(server: &mut Server, client: ConnectionId, count: usize) {
    for _ in 0..count {
        server.send(client, &ClientFrame::Ping);
    }
}
