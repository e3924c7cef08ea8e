//! What happens to a tree of processes when some of them die, while a stream flows through it.
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
#[path = "../common/process.rs"]
mod process;
mod stream;
mod tree;

use crate::tree::Tree;

#[test]
fn inner_node_killed() {
    let mut tree = Tree::grow();
    let killed = tree.kill_an_inner_node();
    let whole_again = tree.wait_until_whole();
    let outcome = tree.finish(whole_again - killed);
    outcome.print("inner_node_killed");
    assert!(outcome.moved() > 0);
    outcome.assert_the_untouched_saw_everything_once();
}

#[test]
fn root_killed_with_a_standby() {
    let mut tree = Tree::grow_with_a_standby();
    let killed = tree.kill_the_root();
    let whole_again = tree.wait_until_whole();
    let outcome = tree.finish(whole_again - killed);
    outcome.print("root_killed_with_a_standby");
    // Whoever was below the old root; nobody has kept the whole way to a root.
    assert!(outcome.moved() > 0);
}

#[test]
#[cfg(unix)]
fn root_asleep_and_succeeded_by_a_standby() {
    let mut tree = Tree::grow_with_a_standby();
    let asleep = tree.put_the_root_to_sleep_and_wake_it();
    let whole_again = tree.wait_until_whole();
    let outcome = tree.finish(whole_again - asleep);
    outcome.print("root_asleep_and_succeeded_by_a_standby");
    assert!(outcome.moved() > 0);
}

#[test]
fn server_killed_and_restarted() {
    let mut tree = Tree::grow();
    tree.kill_the_server();
    let restarted = tree.restart_the_server();
    tree.join_another();
    let joined = tree.wait_until_whole();
    let outcome = tree.finish(joined - restarted);
    outcome.print("server_killed_and_restarted");
    assert_eq!(outcome.moved(), 0);
    outcome.assert_all_saw_everything_once();
}
