//! Failures of a tree of processes, while a stream flows through it.
//!
//! Each test is a scenario: it breaks something, waits until every node is attached again, and prints how long that
//! took and which lines of the stream each node missed or saw twice. `scripts/failures` runs them many times.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails panics, and these are there to be read"
)]

mod member;
mod outcome;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../common/process.rs"]
mod process;
mod rounds;
mod stream;
mod tree;

use crate::outcome::Outcome;
use crate::tree::Tree;

#[test]
fn a_killed_inner_node_loses_no_line_outside_its_subtree() {
    rounds::run(
        "an inner node is killed",
        || {
            let mut tree = Tree::grow();
            let killed = tree.kill_an_inner_node();
            let whole_again = tree.wait_until_whole();
            tree.finish(whole_again - killed)
        },
        |outcome| {
            assert!(outcome.moved() > 0);
            outcome.assert_the_untouched_saw_everything_once();
        },
    );
}

#[test]
fn a_standby_succeeds_a_killed_root() {
    rounds::run(
        "the root is killed, and a standby takes over",
        || {
            let mut tree = Tree::grow_with_a_standby();
            let killed = tree.kill_the_root();
            let whole_again = tree.wait_until_whole();
            tree.finish(whole_again - killed)
        },
        some_have_moved,
    );
}

#[test]
#[cfg(unix)]
fn a_root_that_slept_steps_down_for_a_standby() {
    rounds::run(
        "the root sleeps, and steps down when it wakes",
        || {
            let mut tree = Tree::grow_with_a_standby();
            let asleep = tree.put_the_root_to_sleep_and_wake_it();
            let whole_again = tree.wait_until_whole();
            tree.finish(whole_again - asleep)
        },
        some_have_moved,
    );
}

#[test]
fn a_server_restart_loses_no_line() {
    rounds::run(
        "the server is killed and restarted",
        || {
            let mut tree = Tree::grow();
            tree.kill_the_server();
            let restarted = tree.restart_the_server();
            tree.join_another();
            let joined = tree.wait_until_whole();
            tree.finish(joined - restarted)
        },
        |outcome| {
            assert_eq!(outcome.moved(), 0);
            outcome.assert_all_saw_everything_once();
        },
    );
}

/// With another root, every path is another one. So no node is sure to have seen every line.
fn some_have_moved(outcome: &Outcome) {
    assert!(outcome.moved() > 0);
}
