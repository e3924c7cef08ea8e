//! Silence, long stays, and the end.

use std::time::Duration;

use overlay_core::bootstrap::{self, Source};
use overlay_core::wire::{ClientFrame, Refusal, ServerFrame};
use overlay_core::{Instant, wire};

use crate::harness::*;

#[test]
fn a_ping_is_answered() {
    let mut server = Server::new();
    let joiner = server.joiner(1);
    server.send(joiner, &ClientFrame::Ping);
    assert_eq!(server.received(joiner), [ServerFrame::Pong]);
}

#[test]
fn a_silent_client_is_disconnected_and_one_that_pings_is_not() {
    let mut server = Server::new();
    let (root, joiner, silent) = (server.root(ROOT), server.joiner(1), server.joiner(2));
    server.wait_pinging(&[root, joiner], seconds(60));
    assert_eq!(server.refusal(silent), Some(Refusal::Silent));
    assert_eq!((server.refusal(root), server.refusal(joiner)), (None, None));
}

#[test]
fn a_joiner_has_a_longest_stay_and_a_root_has_none() {
    let mut server = Server::new();
    let (root, joiner) = (server.root(ROOT), server.joiner(1));
    server.wait_pinging(&[root, joiner], seconds(599));
    assert_eq!(server.refusal(joiner), None);
    server.wait_pinging(&[root], seconds(1));
    assert_eq!(server.refusal(joiner), Some(Refusal::RateLimited));
    server.wait_pinging(&[root], seconds(86_400));
    assert_eq!(server.refusal(root), None);
}

#[test]
fn a_join_that_has_ended_has_no_deadline() {
    let mut server = Server::with(|config| config.join_timeout = seconds(5));
    let (root, _rejected, join) = server.join_under_way();
    server.send_join(root, reject(join));
    let orphan = server.joiner(2);
    server.send_join(orphan, request(2, 1));
    server.hang_up(root);
    server.wait(seconds(10));
    assert_eq!(server.stats().joins_expired, 0);
}

#[test]
fn a_shutdown_sends_clients_away_each_for_a_different_time() {
    let mut server = Server::new();
    let clients: Vec<_> = (0..100).map(|id| server.joiner(id)).collect();
    let greeting = server.connect();
    server.shut_down();
    let mut waits: Vec<u32> = clients
        .iter()
        .flat_map(|client| server.received(*client))
        .map(|frame| match frame {
            ServerFrame::Refused {
                refusal: Refusal::ShuttingDown,
                retry_after_ms,
                ..
            } => retry_after_ms,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(waits.iter().all(|wait| (1_000..=11_000).contains(wait)));
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 90 && waits.last() > Some(&8_000));
    assert_eq!(server.refusal(greeting), Some(Refusal::ShuttingDown));
}

#[test]
fn a_server_that_was_shut_down_accepts_no_client() {
    let mut server = Server::new();
    let (_, joiner, _) = server.join_under_way();
    server.shut_down();
    assert_eq!(server.received(joiner).len(), 1, "the farewell alone");
    let refused = server.connect_from(1).unwrap_err();
    assert_eq!(refused.refusal, Refusal::ShuttingDown);
    let stats = server.stats();
    let left = (stats.connections, stats.overlays, stats.pending_joins);
    assert_eq!(left, (0, 0, 0));
    assert_eq!(server.next_deadline(), None);
}

#[test]
fn an_event_about_a_dead_connection_changes_nothing_for_its_successor() {
    let mut server = Server::new();
    let dead = server.joiner(1);
    server.hang_up(dead);
    let successor = server.joiner(2);
    server.send(dead, &ClientFrame::Ping);
    server.hang_up(dead);
    assert_eq!(server.received(successor), []);
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn time_never_runs_backwards() {
    let mut server = bootstrap::Server::new(config(), [0; 32], Duration::ZERO).unwrap();
    let late = Instant::from_millis(60_000);
    let early = Instant::from_millis(1);
    server.accept(late, Source(1)).unwrap();
    let timeout = bootstrap::Event {
        now: early,
        kind: bootstrap::EventKind::Timeout,
    };
    assert_eq!(server.handle_input(timeout), []);
    server.accept(early, Source(1)).unwrap();
    assert_eq!(server.next_deadline(), Some(late + seconds(10)));
}

#[test]
fn every_deadline_is_due_at_the_end_of_time() {
    let mut server = bootstrap::Server::new(config(), [0; 32], Duration::ZERO).unwrap();
    let end = Instant::ZERO + Duration::MAX;
    let connection = server.accept(end, Source(1)).unwrap();
    let bytes = wire::encode(&ClientFrame::Ping);
    let kind = bootstrap::EventKind::Timeout;
    let actions = server.handle_input(bootstrap::Event { now: end, kind });
    assert!(matches!(actions[..], [_, bootstrap::Action::Close { .. }]));
    assert_eq!(server.next_deadline(), None);
    let kind = bootstrap::EventKind::Message { connection, bytes };
    assert_eq!(server.handle_input(bootstrap::Event { now: end, kind }), []);
}
