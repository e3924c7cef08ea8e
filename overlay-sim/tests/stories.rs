//! Stories that a sweep can't be asked about, because what counts is what does not happen in them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use overlay_sim::{Outcome, Schedule, run};

/// A root and twelve nodes of degree 3: a complete tree after a few seconds; then `more` happens.
fn tree_of_thirteen(more: impl IntoIterator<Item = String>) -> Outcome {
    let mut text =
        String::from("overlay-sim schedule 1\nseed 7\nprofile lan\ndegree 3\n0.0 root 0\n");
    for number in 1..=12 {
        writeln!(text, "{number}.0 join {number}").unwrap();
    }
    for line in more {
        writeln!(text, "{line}").unwrap();
    }
    let schedule: Schedule = text.parse().unwrap();
    let outcome = run(&schedule).unwrap();
    assert_eq!(outcome.failure, None);
    outcome
}

#[test]
fn nodes_whose_timers_fire_once_a_minute_are_not_taken_for_dead() {
    let throttled = (0..=12).map(|number| format!("20.0 throttle {number} 1200.0"));
    let outcome = tree_of_thirteen(throttled);
    assert!(outcome.coverage.of("throttle") > 0);
    assert_eq!(outcome.coverage.of("parent closed"), 0);
}

#[test]
fn a_node_that_sleeps_for_a_while_takes_no_neighbour_for_dead_when_it_wakes() {
    let outcome = tree_of_thirteen(["20.0 pause 1 10.0".to_owned()]);
    assert_eq!(outcome.coverage.of("parent closed"), 0);
}

#[test]
fn a_leaf_that_comes_and_goes_moves_no_node() {
    let flaps = (0..100).flat_map(|round| {
        let time = 20 + round * 4;
        [
            format!("{time}.0 leave 12"),
            format!("{}.0 join 12", time + 2),
        ]
    });
    let outcome = tree_of_thirteen(flaps);
    assert_eq!(outcome.coverage.of("moved"), 0);
}

#[test]
fn an_inner_node_that_comes_and_goes_moves_its_children_and_few_others() {
    let rounds = 50;
    let flaps = (0..rounds).flat_map(|round| {
        let time = 20 + round * 20;
        [
            format!("{time}.0 leave 1"),
            format!("{}.0 join 1", time + 10),
        ]
    });
    let outcome = tree_of_thirteen(flaps);
    // Three children of its own, when it is as high as at first; one fills the hole, and a leaf that one's.
    let moved = outcome.coverage.of("moved");
    assert!(moved <= rounds * 5, "{moved} moves in {rounds} rounds");
}
