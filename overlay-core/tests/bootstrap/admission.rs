//! Admission of clients.

use bytes::Bytes;
use overlay_core::Epoch;
use overlay_core::bootstrap::{self, Access, Rate};
use overlay_core::wire::{self, ClientFrame, ClientRole, Refusal, Registration, ServerFrame};
use std::time::Duration;

use crate::harness::*;

#[test]
fn a_joiner_is_welcomed_and_told_its_keepalive() {
    let mut server = Server::with(|config| config.keepalive = seconds(7));
    let joiner = server.client(&hello(CONCERT, 1, Registration::Joiner));
    let welcome = ServerFrame::Welcome {
        version: wire::VERSION,
        keepalive_ms: 7_000,
        role: ClientRole::Joiner,
        epoch: Epoch(0),
        lease_ms: 8_000,
    };
    assert_eq!(server.received(joiner), [welcome]);
}

#[test]
fn a_client_that_never_says_hello_is_disconnected() {
    let mut server = Server::new();
    let client = server.connect();
    server.wait(seconds(9));
    assert_eq!(server.refusal(client), None);
    server.wait(seconds(1));
    assert_eq!(server.refusal(client), Some(Refusal::Silent));
    assert_eq!(server.next_deadline(), None);
}

#[test]
fn a_client_of_another_version_is_told_so() {
    let mut server = Server::new();
    let client = server.connect();
    server.send_bytes(client, Bytes::from_static(&[0, 1, 0xde, 0xad]));
    assert_eq!(server.refusal(client), Some(Refusal::Version));
}

#[test]
fn a_client_that_begins_with_anything_but_a_hello_is_disconnected() {
    let mut server = Server::new();
    let firsts = [
        wire::encode(&ClientFrame::Ping),
        wire::encode(&ClientFrame::Join(request(1, 1))),
        Bytes::from_static(b"GET / HTTP/1.1"),
        Bytes::from(vec![0; wire::MAX_FRAME + 1]),
        Bytes::new(),
    ];
    let count = firsts.len() as u64;
    for first in firsts {
        let client = server.connect();
        server.send_bytes(client, first);
        assert_eq!(server.refusal(client), Some(Refusal::Malformed));
    }
    assert_eq!(server.stats().refused.malformed, count);
}

#[test]
fn a_client_that_says_hello_twice_is_disconnected() {
    let mut server = Server::new();
    let joiner = server.joiner(1);
    server.send(joiner, &hello(CONCERT, 1, Registration::Joiner));
    assert_eq!(server.refusal(joiner), Some(Refusal::Malformed));
}

#[test]
fn a_joiner_of_an_overlay_that_is_not_carried_is_refused() {
    let mut server = Server::new();
    let joiner = server.client(&hello("typo", 1, Registration::Joiner));
    assert_eq!(server.refusal(joiner), Some(Refusal::UnknownOverlay));
}

#[test]
fn a_joiner_of_an_overlay_that_may_yet_be_opened_waits() {
    let mut server = Server::with(|config| config.access = any_overlay());
    let joiner = server.client(&hello("picnic", 1, Registration::Joiner));
    assert!(is_welcome(&server.received(joiner)));
    assert_eq!(server.stats().overlays, 0);
}

#[test]
fn a_full_server_says_when_to_come_back() {
    let mut server = Server::with(|config| {
        config.max_connections = 2;
        config.reserved_for_roots = 0;
    });
    let first = server.connect_from(1).unwrap();
    server.connect_from(2).unwrap();
    let refused = server.connect_from(3).unwrap_err();
    assert_eq!(refused.refusal, Refusal::TooManyConnections);
    assert!(matches!(
        wire::decode(&refused.farewell),
        Ok(ServerFrame::Refused {
            retry_after_ms: 1_000..=2_000,
            ..
        })
    ));
    server.hang_up(first);
    assert!(server.connect_from(3).is_ok());
}

#[test]
fn a_root_gets_in_where_joiners_have_filled_the_server() {
    let mut server = Server::with(|config| config.max_connections = 2);
    server.joiner(1);
    server.joiner(2);
    let third = server.client(&hello(CONCERT, 3, Registration::Joiner));
    assert_eq!(server.refusal(third), Some(Refusal::TooManyConnections));
    server.root(ROOT);
    assert_eq!(server.stats().connections, 3);
}

#[test]
fn a_source_with_its_share_of_connections_leaves_room_for_others() {
    let mut server = Server::with(|config| config.max_connections_per_source = 2);
    let first = server.connect_from(1).unwrap();
    server.connect_from(1).unwrap();
    assert!(server.connect_from(1).is_err());
    assert!(server.connect_from(2).is_ok());
    server.hang_up(first);
    assert!(server.connect_from(1).is_ok());
    assert_eq!(server.stats().refused.too_many_connections, 1);
}

#[test]
fn an_id_is_not_taken_over_without_its_secret() {
    let mut server = Server::new();
    let owner = server.joiner(1);
    let thief = server.client(&impostor(CONCERT, 1, 9, Registration::Joiner));
    assert_eq!(server.refusal(thief), Some(Refusal::IdInUse));
    assert_eq!(server.refusal(owner), None);
}

#[test]
fn a_joiner_that_comes_back_takes_over_from_its_dead_connection() {
    let mut server = Server::new();
    let (root, old, join) = server.join_under_way();
    let new = server.joiner(1);
    assert_eq!(server.refusal(old), Some(Refusal::Superseded));
    assert_eq!(server.joins(root), [cancel(join)]);
    server.send_join(new, request(1, 2));
    assert_eq!(server.joins(root), [request(1, 2)]);
}

#[test]
fn a_joiner_that_comes_back_has_given_up_its_join_even_if_that_had_an_answer() {
    let mut server = Server::new();
    let (root, _, join) = server.join_under_way();
    server.send_join(root, answer(join));
    server.joiner(1);
    assert_eq!(server.joins(root), [cancel(join)]);
}

#[test]
fn a_connection_that_was_silent_for_too_long_loses_its_id_before_the_timeout() {
    let mut server = Server::new();
    let dead = server.joiner(1);
    server.oversleep(seconds(40));
    let reborn = server.client(&impostor(CONCERT, 1, 9, Registration::Joiner));
    assert_eq!(server.refusal(dead), Some(Refusal::Silent));
    assert!(is_welcome(&server.received(reborn)));
}

#[test]
fn an_id_belongs_to_one_connection_in_each_overlay() {
    let mut server = Server::with(|config| config.access = any_overlay());
    let here = server.client(&hello("picnic", 1, Registration::Joiner));
    let there = server.client(&impostor("parade", 1, 9, Registration::Joiner));
    assert_eq!((server.refusal(here), server.refusal(there)), (None, None));
}

#[test]
fn a_senseless_bound_is_refused_by_name() {
    let error = |configure: fn(&mut bootstrap::Config)| {
        let mut config = config();
        configure(&mut config);
        bootstrap::Server::new(config, [0; 32], Duration::ZERO).unwrap_err()
    };
    assert_eq!(
        error(|config| config.access = Access::default()),
        bootstrap::ConfigError::NoOverlay
    );
    assert_eq!(
        error(|config| config.access = Access::default().any_overlay(token(""))),
        bootstrap::ConfigError::EmptyToken
    );
    assert_eq!(
        error(|config| config.max_pending_joins = 0),
        bootstrap::ConfigError::Zero("max_pending_joins")
    );
    assert_eq!(
        error(|config| config.keepalive = Duration::from_micros(999)),
        bootstrap::ConfigError::Duration("keepalive")
    );
    assert_eq!(
        error(|config| config.root_traffic.bytes = Rate {
            per_second: 1,
            burst: 1
        }),
        bootstrap::ConfigError::ByteBurst("root_traffic")
    );
}

fn any_overlay() -> Access {
    Access::default().any_overlay(token(TOKEN))
}
