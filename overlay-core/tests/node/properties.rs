//! Nodes in every story: the bodies of the fuzz targets, over the committed corpus and pseudo-random bytes.

use overlay_testkit::fuzz::{self, check};

#[test]
fn a_node_in_any_situation_survives_any_bytes_from_the_wire() {
    check("join_request", fuzz::join_request::run);
}

#[test]
fn a_node_keeps_its_invariants_under_random_events_and_can_leave() {
    check("node_events", fuzz::node_events::run);
}

#[test]
fn two_nodes_lose_double_and_reorder_nothing_and_agree_in_the_end() {
    check("two_nodes_model", fuzz::two_nodes_model::run);
}

#[test]
fn a_node_lives_with_every_configuration_that_is_not_refused() {
    check("config", fuzz::config::run);
}
