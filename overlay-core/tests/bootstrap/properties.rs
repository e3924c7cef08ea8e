//! A server in every story: the body of the fuzz target, over the committed corpus and pseudo-random bytes.

use overlay_testkit::fuzz::{check, server_frames};

#[test]
fn a_server_keeps_its_bounds_and_its_clients_apart_in_every_story() {
    check("server_frames", server_frames::run);
}
