//! Succession of a root that is gone.

use overlay_core::wire::{ClientFrame, ClientRole, Refusal, ServerFrame};
use overlay_core::{ConnectionId, Epoch};

use crate::harness::*;

/// A client with the token that has seen no epoch yet, and what the server makes of it.
fn claimant(server: &mut Server, id: u128) -> (ConnectionId, Option<(ClientRole, Epoch)>) {
    let connection = server.client(&hello(CONCERT, id, as_root(TOKEN)));
    let role = role(&server.received(connection));
    (connection, role)
}

/// A root that comes back and says that it leads in `epoch`.
fn returning(
    server: &mut Server,
    id: u128,
    epoch: Epoch,
) -> (ConnectionId, Option<(ClientRole, Epoch)>) {
    let connection = server.client(&hello(CONCERT, id, as_root_of(epoch)));
    let role = role(&server.received(connection));
    (connection, role)
}

/// A root and a standby.
fn pair(server: &mut Server) -> (ConnectionId, Epoch, ConnectionId) {
    let (root, role) = claimant(server, 1);
    let epoch = role.unwrap().1;
    let (standby, role) = claimant(server, 2);
    assert_eq!(role, Some((ClientRole::Standby, epoch)));
    (root, epoch, standby)
}

/// The epoch of a promotion, if that is the first frame.
fn promoted(frames: &[ServerFrame]) -> Option<Epoch> {
    match frames {
        [ServerFrame::Promoted { epoch }, ..] => Some(*epoch),
        _ => None,
    }
}

#[test]
fn a_standby_waits_while_the_root_lives() {
    let mut server = Server::new();
    let (root, _, standby) = pair(&mut server);
    server.wait_pinging(&[root, standby], seconds(700));
    assert_eq!(server.received(standby), []);
    assert_eq!(server.refusal(standby), None);
}

#[test]
fn a_standby_is_promoted_in_a_higher_epoch_when_grace_and_lease_are_over() {
    let mut server = Server::new();
    let (root, epoch, standby) = pair(&mut server);
    server.hang_up(root);
    server.wait(seconds(7));
    assert_eq!(server.received(standby), []);
    server.wait(seconds(1));
    let next = promoted(&server.received(standby));
    assert!(next > Some(epoch), "{next:?} after {epoch:?}");
    assert_eq!(server.stats().promotions, 1);
}

#[test]
fn a_silent_root_is_succeeded_too() {
    let mut server = Server::new();
    let (root, _, standby) = pair(&mut server);
    server.wait(seconds(13));
    assert_eq!(server.refusal(root), Some(Refusal::Silent));
    assert!(promoted(&server.received(standby)).is_some());
}

#[test]
fn a_root_that_is_back_in_time_keeps_its_epoch() {
    let mut server = Server::new();
    let (root, epoch, standby) = pair(&mut server);
    server.hang_up(root);
    server.wait(seconds(4));
    let (root, role) = returning(&mut server, 1, epoch);
    assert_eq!(role, Some((ClientRole::Root, epoch)));
    server.wait_pinging(&[root, standby], seconds(30));
    assert!(is_root_ready(&server.received(standby)));
}

#[test]
fn a_root_that_is_back_too_late_is_a_standby() {
    let mut server = Server::new();
    let (root, epoch, standby) = pair(&mut server);
    server.hang_up(root);
    server.wait(seconds(8));
    let next = promoted(&server.received(standby)).unwrap();
    let (_, role) = returning(&mut server, 1, epoch);
    assert_eq!(role, Some((ClientRole::Standby, next)));
}

#[test]
fn the_standby_that_has_waited_longest_is_promoted_first() {
    let mut server = Server::new();
    let (root, _, first) = pair(&mut server);
    let (second, _) = claimant(&mut server, 3);
    server.hang_up(root);
    server.wait(seconds(8));
    assert!(promoted(&server.received(first)).is_some());
    assert!(is_root_ready(&server.received(second)));
}

#[test]
fn the_second_standby_is_promoted_if_the_first_is_gone() {
    let mut server = Server::new();
    let (root, _, first) = pair(&mut server);
    let (second, _) = claimant(&mut server, 3);
    server.hang_up(root);
    server.hang_up(first);
    server.wait(seconds(8));
    assert!(promoted(&server.received(second)).is_some());
}

#[test]
fn joiners_hear_of_the_new_root() {
    let mut server = Server::new();
    let (root, _, standby) = pair(&mut server);
    let joiner = server.joiner(9);
    server.hang_up(root);
    server.wait(seconds(8));
    assert!(is_root_ready(&server.received(joiner)));
    server.received(standby);
    server.send_join(joiner, request(9, 1));
    assert_eq!(server.joins(standby), [request(9, 1)]);
}

#[test]
fn a_standby_is_introduced_like_any_joiner() {
    let mut server = Server::new();
    let (root, _, standby) = pair(&mut server);
    server.send_join(standby, request(2, 1));
    assert_eq!(server.joins(root), [request(2, 1)]);
}

#[test]
fn a_frame_that_a_standby_sent_before_it_heard_of_its_promotion_does_no_harm() {
    let mut server = Server::new();
    let (root, _, standby) = pair(&mut server);
    server.hang_up(root);
    server.wait(seconds(8));
    server.send_join(standby, request(2, 1));
    server.send_join(standby, cancel(join(2, 1)));
    assert_eq!(server.refusal(standby), None);
}

#[test]
fn a_client_over_the_limit_of_standbys_is_a_joiner() {
    let mut server = Server::with(|config| config.max_standbys = 1);
    pair(&mut server);
    let (_, third) = claimant(&mut server, 3);
    assert_eq!(third.unwrap().0, ClientRole::Joiner);
    let (_, again) = claimant(&mut server, 2);
    assert_eq!(again.unwrap().0, ClientRole::Standby);
}

#[test]
fn a_root_keeps_its_epoch_at_a_restarted_server() {
    let mut server = Server::new();
    let (_, role) = returning(&mut server, 1, Epoch(77));
    assert_eq!(role, Some((ClientRole::Root, Epoch(77))));
}

#[test]
fn a_standby_waits_for_the_root_at_a_restarted_server() {
    let mut server = Server::new();
    let standby = server.client(&hello(CONCERT, 2, as_standby_of(Epoch(77))));
    assert_eq!(
        role(&server.received(standby)),
        Some((ClientRole::Standby, Epoch(77)))
    );
    server.wait(seconds(4));
    let (_, role) = returning(&mut server, 1, Epoch(77));
    assert_eq!(role, Some((ClientRole::Root, Epoch(77))));
}

#[test]
fn a_standby_is_promoted_at_a_restarted_server_if_the_root_does_not_come() {
    let mut server = Server::new();
    let standby = server.client(&hello(CONCERT, 2, as_standby_of(Epoch(1 << 60))));
    server.received(standby);
    server.wait(seconds(8));
    assert!(promoted(&server.received(standby)) > Some(Epoch(1 << 60)));
}

#[test]
fn the_root_of_the_later_epoch_wins_if_two_come_back() {
    let mut server = Server::new();
    let (older, _) = returning(&mut server, 1, Epoch(77));
    let (_, role) = returning(&mut server, 2, Epoch(78));
    assert_eq!(role, Some((ClientRole::Root, Epoch(78))));
    assert_eq!(server.refusal(older), Some(Refusal::Superseded));
    let (_, role) = returning(&mut server, 1, Epoch(77));
    assert_eq!(role, Some((ClientRole::Standby, Epoch(78))));
}

#[test]
fn two_roots_never_get_the_same_epoch_even_at_the_same_moment() {
    let mut server = Server::new();
    let mut epochs = Vec::new();
    for id in 1..=3 {
        let (root, role) = claimant(&mut server, id);
        epochs.push(role.unwrap());
        server.send(root, &ClientFrame::StepDown { ended: None });
        server.hang_up(root);
    }
    assert!(
        epochs.is_sorted_by(|earlier, later| earlier.1 < later.1),
        "{epochs:?}"
    );
}

#[test]
fn a_client_that_says_that_it_leads_in_no_epoch_is_a_standby() {
    let mut server = Server::new();
    pair(&mut server);
    let (_, role) = returning(&mut server, 3, Epoch(0));
    assert_eq!(role.map(|(role, _)| role), Some(ClientRole::Standby));
}

#[test]
fn a_root_that_was_the_only_client_has_its_time_to_come_back_too() {
    let mut server = Server::new();
    let (root, role) = claimant(&mut server, 1);
    let epoch = role.unwrap().1;
    server.hang_up(root);
    let (_, other) = claimant(&mut server, 2);
    assert_eq!(other, Some((ClientRole::Standby, epoch)));
    let (_, back) = returning(&mut server, 1, epoch);
    assert_eq!(back, Some((ClientRole::Root, epoch)));
}

#[test]
fn a_standby_is_promoted_at_once_if_the_root_has_stepped_down() {
    let mut server = Server::new();
    let (root, epoch, standby) = pair(&mut server);
    server.send(root, &ClientFrame::StepDown { ended: None });
    server.hang_up(root);
    server.wait(seconds(0));
    assert!(promoted(&server.received(standby)) > Some(epoch));
}

#[test]
fn a_standby_that_comes_and_goes_is_promoted_in_the_end() {
    let mut server = Server::new();
    let (root, _) = claimant(&mut server, 1);
    server.hang_up(root);
    let mut posts = Vec::new();
    for _ in 0..4 {
        let (standby, role) = claimant(&mut server, 2);
        posts.extend(role);
        server.hang_up(standby);
        server.wait(seconds(3));
    }
    assert!(
        posts.iter().any(|(role, _)| *role == ClientRole::Root),
        "{posts:?}"
    );
}
