//! Joins on their way.

use overlay_core::wire::{Refusal, RejectReason};

use crate::harness::*;

#[test]
fn a_join_is_forwarded_between_the_joiner_and_the_root() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.send_join(joiner, candidate(join));
    assert_eq!(server.joins(root), [candidate(join)]);
    server.send_join(root, answer(join));
    server.send_join(root, candidate(join));
    assert_eq!(server.joins(joiner), [answer(join), candidate(join)]);
    server.hang_up(joiner);
    assert_eq!(server.joins(root), []);
    let stats = server.stats();
    assert_eq!((stats.joins_passed, stats.answers_passed), (1, 1));
    assert_eq!(stats.pending_joins, 0);
}

#[test]
fn a_joiner_hears_of_its_own_join_only() {
    let mut server = Server::new();
    let (root, first, join_of_first) = server.join_under_way();
    let second = server.joiner(2);
    server.send_join(second, request(2, 1));
    server.send_join(root, answer(join_of_first));
    assert_eq!(server.joins(first), [answer(join_of_first)]);
    assert_eq!(server.joins(second), []);
}

#[test]
fn a_request_without_a_root_is_rejected_at_once_and_the_joiner_stays() {
    let mut server = Server::new();
    let joiner = server.joiner(1);
    server.send_join(joiner, request(1, 1));
    let no_root = Some((join(1, 1), RejectReason::NoRoot));
    assert_eq!(rejected(&server.joins(joiner)), no_root);
    let root = server.root(ROOT);
    server.send_join(joiner, request(1, 2));
    assert_eq!(server.joins(root), [request(1, 2)]);
}

#[test]
fn a_join_over_the_limit_is_rejected_as_busy() {
    let mut server = Server::with(|config| config.max_pending_joins = 1);
    let (root, first, _) = server.join_under_way();
    let second = server.joiner(2);
    server.send_join(second, request(2, 1));
    let busy = Some((join(2, 1), RejectReason::Busy));
    assert_eq!(rejected(&server.joins(second)), busy);
    server.hang_up(first);
    server.joins(root);
    server.send_join(second, request(2, 2));
    assert_eq!(server.joins(root), [request(2, 2)]);
}

#[test]
fn a_newer_attempt_ends_the_older() {
    let mut server = Server::with(|config| config.max_pending_joins = 1);
    let (root, joiner, older) = server.join_under_way();
    server.send_join(joiner, request(1, 2));
    assert_eq!(server.joins(root), [cancel(older), request(1, 2)]);
    server.send_join(root, answer(older));
    server.send_join(root, answer(join(1, 2)));
    assert_eq!(server.joins(joiner), [answer(join(1, 2))]);
}

#[test]
fn a_frame_that_no_joiner_sends_ends_its_connection() {
    let own = join(1, 1);
    let others = join(2, 1);
    let protocol_errors = [
        request(2, 1),
        candidate(others),
        cancel(others),
        hopped_request(1, 2, 1),
        request(1, 1),
        request(1, 0),
        answer(own),
        reject(own),
    ];
    for error in protocol_errors {
        let mut server = Server::new();
        let (root, joiner, _) = server.join_under_way();
        server.send_join(joiner, error.clone());
        let outcome = (server.refusal(joiner), server.joins(root));
        let expected = (Some(Refusal::Malformed), vec![cancel(own)]);
        assert_eq!(outcome, expected, "{error:?}");
    }
}

#[test]
fn a_frame_that_no_root_sends_ends_its_connection() {
    for error in [request(1, 1), cancel(join(1, 1))] {
        let mut server = Server::new();
        let (root, ..) = server.join_under_way();
        server.send_join(root, error);
        assert_eq!(server.refusal(root), Some(Refusal::Malformed));
    }
}

#[test]
fn a_frame_after_the_end_of_its_join_is_dropped_and_counted() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.send_join(root, reject(join));
    assert_eq!(server.joins(joiner), [reject(join)]);
    server.send_join(root, answer(join));
    server.send_join(root, reject(join));
    server.send_join(joiner, candidate(join));
    server.send_join(joiner, cancel(join));
    assert_eq!((server.joins(joiner), server.joins(root)), (vec![], vec![]));
    assert_eq!(server.stats().frames_late, 4);
}

#[test]
fn an_answer_without_a_request_goes_nowhere() {
    let mut server = Server::new();
    let (root, joiner) = (server.root(ROOT), server.joiner(1));
    for frame in [
        answer(join(1, 1)),
        reject(join(1, 1)),
        answer(join(ROOT, 1)),
    ] {
        server.send_join(root, frame);
    }
    assert_eq!((server.joins(joiner), server.joins(root)), (vec![], vec![]));
    assert_eq!(server.stats().frames_late, 3);
}

#[test]
fn a_join_is_answered_once() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.send_join(root, answer(join));
    server.send_join(root, answer(join));
    assert_eq!(server.joins(joiner), [answer(join)]);
    assert_eq!(server.stats().frames_surplus, 1);
}

#[test]
fn each_side_of_a_join_has_its_share_of_candidates() {
    let mut server = Server::with(|config| config.max_ice_candidates = 2);
    let (root, joiner, join) = server.join_under_way();
    for _ in 0..3 {
        server.send_join(joiner, candidate(join));
        server.send_join(root, candidate(join));
    }
    assert_eq!(server.joins(root).len(), 2);
    assert_eq!(server.joins(joiner).len(), 2);
    assert_eq!(server.stats().frames_surplus, 2);
}

#[test]
fn a_joiner_that_vanishes_unanswered_is_cancelled() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.hang_up(joiner);
    assert_eq!(server.joins(root), [cancel(join)]);
}

#[test]
fn a_joiner_that_hangs_up_once_answered_is_not_cancelled() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.send_join(root, answer(join));
    server.hang_up(joiner);
    assert_eq!(server.joins(root), []);
}

#[test]
fn a_joiner_that_gives_up_is_cancelled_even_once_answered() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.send_join(root, answer(join));
    server.send_join(joiner, cancel(join));
    assert_eq!(server.joins(root), [cancel(join)]);
    assert_eq!(server.stats().pending_joins, 0);
}

#[test]
fn joiners_that_wait_for_an_answer_are_told_that_the_root_is_gone() {
    let mut server = Server::new();
    let (root, answered, join_of_answered) = server.join_under_way();
    let waiting = server.joiner(2);
    server.send_join(waiting, request(2, 1));
    server.send_join(root, answer(join_of_answered));
    server.hang_up(root);
    let no_root = Some((join(2, 1), RejectReason::NoRoot));
    assert_eq!(rejected(&server.joins(waiting)), no_root);
    assert_eq!(server.joins(answered), [answer(join_of_answered)]);
}

#[test]
fn a_new_root_has_no_part_in_the_joins_of_the_old_one() {
    let mut server = Server::new();
    let (old, joiner, join) = server.join_under_way();
    server.send_join(old, answer(join));
    server.joins(joiner);
    let new = server.root(ROOT);
    assert!(is_root_ready(&server.received(joiner)));
    server.send_join(new, candidate(join));
    server.send_join(joiner, candidate(join));
    assert_eq!((server.joins(joiner), server.joins(new)), (vec![], vec![]));
}

#[test]
fn a_join_that_takes_too_long_is_forgotten_without_a_frame() {
    let mut server = Server::new();
    let (root, joiner, join) = server.join_under_way();
    server.wait_pinging(&[root, joiner], seconds(60));
    server.send_join(root, answer(join));
    assert_eq!((server.joins(joiner), server.joins(root)), (vec![], vec![]));
    assert_eq!(server.stats().joins_expired, 1);
    assert_eq!(server.stats().pending_joins, 0);
}
