//! The right to be the root.

use overlay_core::Epoch;
use overlay_core::bootstrap::{Access, Notice};
use overlay_core::wire::{ClientRole, Refusal, Registration};
use overlay_testkit::frames;

use crate::harness::*;

#[test]
fn the_operator_hears_of_roots_that_come_and_go() {
    let mut server = Server::new();
    let root = server.root(ROOT);
    server.hang_up(root);
    let (overlay, id) = (overlay(CONCERT), frames::id(ROOT));
    let registered = Notice::RootRegistered {
        overlay: overlay.clone(),
        id,
        epoch: Epoch(1),
    };
    let lost = Notice::RootLost { overlay, id };
    let notices = server.notices();
    assert!(notices.contains(&registered), "{notices:?}");
    assert_eq!(notices.last(), Some(&lost));
}

#[test]
fn the_operator_hears_of_clients_and_joins() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.send_join(root, reject(join));
    let notices = server.notices();
    let registered = Notice::Registered {
        connection: joiner,
        overlay: overlay(CONCERT),
        id: frames::id(1),
        role: ClientRole::Joiner,
    };
    assert!(notices.contains(&registered), "{notices:?}");
    assert!(
        notices.contains(&Notice::JoinPassed { join }),
        "{notices:?}"
    );
    let last = notices.last();
    assert!(
        matches!(last, Some(Notice::JoinRejected { .. })),
        "{notices:?}"
    );
}

#[test]
fn a_wrong_token_tells_nothing_about_the_overlay() {
    let mut server = Server::new();
    for name in [CONCERT, "typo"] {
        let client = server.client(&hello(name, ROOT, as_root("guess")));
        assert_eq!(server.refusal(client), Some(Refusal::WrongToken));
    }
}

#[test]
fn the_wildcard_token_opens_every_overlay_that_has_no_token_of_its_own() {
    let mut server = Server::with(with_wildcard("master"));
    let named = server.client(&hello(CONCERT, ROOT, as_root("master")));
    assert_eq!(server.refusal(named), Some(Refusal::WrongToken));
    let other = server.client(&hello("picnic", ROOT, as_root("master")));
    assert!(is_welcome(&server.received(other)));
}

#[test]
fn the_wildcard_token_holds_a_limited_number_of_overlays_open() {
    let mut server = Server::with(|config| {
        with_wildcard("master")(config);
        config.max_wildcard_overlays = 1;
    });
    let first = server.client(&hello("picnic", 1, as_root("master")));
    let second = server.client(&hello("parade", 2, as_root("master")));
    assert_eq!(server.refusal(second), Some(Refusal::RateLimited));
    server.root(ROOT);
    server.hang_up(first);
    let third = server.client(&hello("parade", 2, as_root("master")));
    assert!(is_welcome(&server.received(third)));
}

#[test]
fn a_source_that_guesses_gets_no_answer_until_the_window_is_over() {
    let mut server = Server::with(|config| config.max_wrong_tokens = 2);
    let try_token = |server: &mut Server, source, token| {
        let client = server.connect_from(source).unwrap();
        server.send(client, &hello(CONCERT, ROOT, as_root(token)));
        server.refusal(client)
    };
    for _window in 0..2 {
        for guess in ["a", "b"] {
            let refusal = try_token(&mut server, 1, guess);
            assert_eq!(refusal, Some(Refusal::WrongToken));
        }
        let right_but_late = try_token(&mut server, 1, TOKEN);
        assert_eq!(right_but_late, Some(Refusal::RateLimited));
        server.wait(seconds(60));
    }
    assert_eq!(try_token(&mut server, 1, TOKEN), None);
}

#[test]
fn a_guessing_source_spoils_nothing_for_others() {
    let mut server = Server::with(|config| config.max_wrong_tokens = 1);
    server.client(&hello(CONCERT, ROOT, as_root("guess")));
    let other = server.connect_from(2).unwrap();
    server.send(other, &hello(CONCERT, ROOT, as_root(TOKEN)));
    assert!(is_welcome(&server.received(other)));
}

#[test]
fn the_oldest_of_too_many_guessing_sources_is_forgotten() {
    let mut server = Server::with(|config| {
        config.max_wrong_tokens = 1;
        config.max_wrong_token_sources = 2;
    });
    for source in [1, 2, 3, 1] {
        let client = server.connect_from(source).unwrap();
        server.send(client, &hello(CONCERT, ROOT, as_root("guess")));
        assert_eq!(server.refusal(client), Some(Refusal::WrongToken));
        server.wait(seconds(1));
    }
}

#[test]
fn a_root_that_comes_back_takes_over_from_its_dead_connection() {
    let mut server = Server::new();
    let old = server.root(ROOT);
    let new = server.root(ROOT);
    assert_eq!(server.refusal(old), Some(Refusal::Superseded));
    let joiner = server.joiner(1);
    server.send_join(joiner, request(1, 1));
    assert_eq!(server.joins(new), [request(1, 1)]);
}

#[test]
fn a_roots_id_with_another_secret_does_not_replace_it() {
    let mut server = Server::new();
    let root = server.root(ROOT);
    let impostor = server.client(&impostor(CONCERT, ROOT, 9, as_root(TOKEN)));
    assert_eq!(server.refusal(impostor), Some(Refusal::IdInUse));
    assert_eq!(server.refusal(root), None);
}

#[test]
fn a_squatter_on_the_roots_id_gives_way_to_the_token() {
    let mut server = Server::new();
    let squatter = server.client(&impostor(CONCERT, ROOT, 9, Registration::Joiner));
    server.root(ROOT);
    assert_eq!(server.refusal(squatter), Some(Refusal::IdInUse));
}

#[test]
fn a_root_may_become_a_joiner() {
    let mut server = Server::new();
    let root = server.root(ROOT);
    server.joiner(ROOT);
    assert_eq!(server.refusal(root), Some(Refusal::Superseded));
    assert_eq!(server.stats().overlays, 0);
}

fn with_wildcard(text: &str) -> impl Fn(&mut overlay_core::bootstrap::Config) {
    let wildcard = token(text);
    move |config| {
        let access = Access::default().overlay(overlay(CONCERT), token(TOKEN));
        config.access = access.any_overlay(wildcard.clone());
    }
}

#[test]
fn joiners_that_wait_for_a_root_hear_of_it_at_once() {
    let mut server = Server::new();
    let early = server.joiner(1);
    server.send_join(early, request(1, 1));
    assert!(rejected(&server.joins(early)).is_some());
    server.root(ROOT);
    assert!(is_root_ready(&server.received(early)));
}
