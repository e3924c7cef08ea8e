//! The suite of what every driver must do: trees of real WebRTC links over loopback, with a real server.
//!
//! For those that bring the overlay to another runtime. The suite is written once; a driver's crate runs it as a test
//! without the standard harness:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use overlay_conformance::Driver;
//!
//! fn main() -> ExitCode {
//!     overlay_conformance::run(&Driver {
//!         runtime: Arc::new(overlay_smol::Smol),
//!         node: overlay_smol::node,
//!         dialer: overlay_smol::dialer,
//!         serve: overlay_smol::serve,
//!     })
//! }
//! ```
//!
//! A new claim needs a line in the list below. The compiler warns of a claim that is in no list.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod driver;
mod growing;
mod harness;
mod hostile_nodes;
mod leadership;
mod leaving;
mod messages;
mod passing;
mod rogue;
mod server;
mod tls;

pub use driver::Driver;
pub use harness::{Member, World, depths};

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Runs the suite with the options of the command line.
#[must_use]
pub fn run(driver: &Driver) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), claims(driver)).exit_code()
}

/// The tests of these functions.
macro_rules! claims {
    ($driver:expr, $($module:ident { $($claim:ident,)+ })+) => {
        vec![$($(claim($driver, concat!(stringify!($module), "::", stringify!($claim)), $module::$claim)),+),+]
    };
}

fn claims(driver: &Driver) -> Vec<Trial> {
    claims![driver,
        growing {
            a_node_connects_to_the_root,
            ten_nodes_of_degree_two_all_join_and_none_exceeds_two,
            fifty_nodes_of_degree_five_make_the_complete_tree_at_the_first_attempt,
            a_node_that_comes_before_the_root_joins_when_there_is_one,
            a_candidate_that_never_completes_frees_its_slot_for_the_joiner_behind_it,
            the_root_sees_its_whole_tree,
        }
        leaving {
            a_node_that_leaves_is_noticed_at_once_and_with_the_reason,
            a_node_that_is_dropped_leaves,
            messages_sent_before_leaving_arrive,
            leaving_right_after_joining_harms_no_node,
            an_orphan_joins_again_with_its_subtree,
            a_child_whose_link_is_closed_comes_back_by_itself,
        }
        leadership {
            a_standby_is_in_the_tree_and_takes_over_when_the_root_is_gone,
        }
        messages {
            parent_and_child_play_ping_pong,
            a_broadcast_reaches_every_node_once_and_in_order,
            a_node_that_does_not_listen_holds_the_root_back_and_loses_nothing,
            a_stream_of_the_ecosystem_is_forwarded_to_all_and_to_a_neighbour,
            a_large_message_arrives_whole_in_each_direction_and_at_every_node,
            a_large_message_that_is_taken_back_never_arrives,
            a_message_that_can_not_be_sent_says_why,
            a_message_that_was_handed_over_is_sent_though_its_sender_does_not_wait,
            a_node_that_is_full_says_so_at_once_and_loses_nothing_that_it_took,
            a_message_that_was_handed_over_and_can_not_be_sent_says_why,
            an_app_that_dropped_its_events_does_not_stop_the_stream_for_others,
            the_end_of_a_stream_reaches_those_that_come_later,
        }
        passing {
            a_message_from_the_deepest_node_reaches_the_root_which_replies,
            every_node_sends_up_at_once_and_nothing_is_lost,
            a_root_that_takes_nothing_stops_those_that_send_up,
            a_reply_to_a_node_that_is_gone_is_an_error,
            a_node_without_the_right_is_told_so,
            every_node_answers_a_question_once,
            an_app_that_does_not_answer_is_counted_and_not_waited_for,
            apps_combine_answers_by_a_function_of_their_own,
        }
        hostile_nodes {
            garbage_from_a_child_closes_its_link,
            a_truncated_frame_closes_the_link,
            a_node_of_an_unknown_version_is_turned_away,
            a_node_that_greets_with_garbage_is_turned_away,
            a_peer_that_names_a_child_does_not_replace_it,
            a_child_that_speaks_for_the_root_is_cut_off,
            a_child_that_sends_more_than_it_was_granted_is_cut_off,
            a_forged_answer_from_a_child_harms_no_joiner,
        }
        server {
            health_is_told_to_monitoring,
            a_browser_is_told_that_this_is_a_bootstrap_server,
            a_file_is_served_with_a_policy_for_pages,
            a_path_that_is_not_there_is_not_found_and_nothing_can_be_changed,
            a_full_server_turns_sockets_away_until_one_is_closed,
            clients_behind_a_proxy_are_told_apart,
            silent_sockets_are_closed_and_keep_no_client_out,
            a_websocket_that_says_nothing_is_closed,
            garbage_is_refused_with_a_reason,
            a_truncated_greeting_is_refused_with_a_reason,
            an_oversized_message_ends_the_connection_and_nothing_else,
            a_client_of_an_unknown_version_is_told_so,
            a_forged_answer_reaches_no_joiner,
            a_request_in_another_nodes_name_is_refused,
            a_wrong_token_is_refused_and_the_node_gives_up,
            a_root_outlives_the_servers_that_introduce_to_it,
            a_server_that_is_not_there_is_named,
        }
        tls {
            a_node_joins_through_an_encrypted_connection_to_a_server_it_trusts,
            a_server_without_a_trusted_certificate_is_refused,
        }
    ]
}

fn claim<T: Future<Output = ()>>(
    driver: &Driver,
    name: &str,
    test: impl FnOnce(Driver) -> T + Send + 'static,
) -> Trial {
    let driver = driver.clone();
    Trial::test(name, move || {
        driver.block_on(test(driver.clone()));
        Ok(())
    })
}

/// The page for authors of drivers; its code is a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/write-your-own-driver.md")]
struct WriteYourOwnDriver;
