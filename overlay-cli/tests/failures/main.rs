//! What happens to a tree of processes when some of them die, while a stream flows through it.
//!
//! Each test is a scenario: it breaks something, waits until every node is attached again, and prints how long that
//! took and which lines of the stream each node missed or saw twice. `scripts/failures` plays each many times.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails panics, and these are there to be read"
)]

mod member;
mod outcome;
#[path = "../common/process.rs"]
mod process;
mod rounds;
mod stream;
mod tree;

use crate::tree::Tree;

#[test]
fn inner_node_killed() {
    rounds::play("inner_node_killed", || {
        let mut tree = Tree::grow();
        let killed = tree.kill_an_inner_node();
        let whole_again = tree.wait_until_whole();
        let outcome = tree.finish(whole_again - killed);
        assert!(outcome.moved() > 0);
        outcome.assert_the_untouched_saw_everything_once();
        outcome
    });
}

#[test]
fn root_killed_with_a_standby() {
    rounds::play("root_killed_with_a_standby", || {
        let mut tree = Tree::grow_with_a_standby();
        let killed = tree.kill_the_root();
        let whole_again = tree.wait_until_whole();
        let outcome = tree.finish(whole_again - killed);
        // All nodes below the old root; none has kept its path to a root.
        assert!(outcome.moved() > 0);
        outcome
    });
}

#[test]
#[cfg(unix)]
fn root_asleep_and_succeeded_by_a_standby() {
    rounds::play("root_asleep_and_succeeded_by_a_standby", || {
        let mut tree = Tree::grow_with_a_standby();
        let asleep = tree.put_the_root_to_sleep_and_wake_it();
        let whole_again = tree.wait_until_whole();
        let outcome = tree.finish(whole_again - asleep);
        assert!(outcome.moved() > 0);
        outcome
    });
}

#[test]
fn server_killed_and_restarted() {
    rounds::play("server_killed_and_restarted", || {
        let mut tree = Tree::grow();
        tree.kill_the_server();
        let restarted = tree.restart_the_server();
        tree.join_another();
        let joined = tree.wait_until_whole();
        let outcome = tree.finish(joined - restarted);
        assert_eq!(outcome.moved(), 0);
        outcome.assert_all_saw_everything_once();
        outcome
    });
}
