//! The memory of a server: where a stream has ended, for those that come too late.

use overlay_core::bounded::List;
use overlay_core::wire::{ClientFrame, ClientRole, Ended, Registration, ServerFrame};
use overlay_core::{ConnectionId, Epoch};
use overlay_testkit::frames::position;

use crate::harness::{CONCERT, Server, TOKEN, as_root, hello, is_root_ready, role, seconds};

fn end() -> Ended {
    Ended {
        position: position(Epoch(1), 7),
        last: List::new(b"end".to_vec()).unwrap(),
    }
}

/// The root says that its stream has ended, and goes.
fn ends(server: &mut Server, root: ConnectionId) {
    let ended = Some(end());
    server.send(root, &ClientFrame::StepDown { ended });
    server.hang_up(root);
}

fn ended(server: &mut Server, client: ConnectionId) -> Option<Ended> {
    let frames = server.received(client);
    frames.into_iter().find_map(|frame| match frame {
        ServerFrame::Ended(ended) => Some(ended),
        _ => None,
    })
}

#[test]
fn those_that_wait_for_a_root_hear_that_its_stream_has_ended() {
    let mut server = Server::new();
    let root = server.root(1);
    let waiting = server.joiner(2);
    ends(&mut server, root);
    assert_eq!(ended(&mut server, waiting), Some(end()));
}

#[test]
fn a_joiner_that_comes_later_hears_it_too() {
    let mut server = Server::new();
    let root = server.root(1);
    ends(&mut server, root);
    server.wait(seconds(100));
    let late = server.client(&hello(CONCERT, 2, Registration::Joiner));
    assert_eq!(ended(&mut server, late), Some(end()));
}

#[test]
fn the_end_is_forgotten_after_a_while() {
    let mut server = Server::new();
    let root = server.root(1);
    ends(&mut server, root);
    server.wait(seconds(121));
    let late = server.client(&hello(CONCERT, 2, Registration::Joiner));
    assert_eq!(ended(&mut server, late), None);
}

#[test]
fn another_root_begins_another_stream() {
    let mut server = Server::new();
    let root = server.root(1);
    let waiting = server.joiner(3);
    ends(&mut server, root);
    assert_eq!(ended(&mut server, waiting), Some(end()));
    server.root(2);
    assert!(is_root_ready(&server.received(waiting)));
    let late = server.client(&hello(CONCERT, 4, Registration::Joiner));
    assert_eq!(ended(&mut server, late), None);
}

#[test]
fn a_root_that_leaves_before_its_end_is_awaited_like_any_other() {
    let mut server = Server::new();
    let root = server.root(1);
    server.send(root, &ClientFrame::StepDown { ended: None });
    server.hang_up(root);
    let late = server.client(&hello(CONCERT, 2, Registration::Joiner));
    assert_eq!(ended(&mut server, late), None);
}

#[test]
fn a_standby_is_dismissed_at_the_end_and_the_next_claimant_leads() {
    let mut server = Server::new();
    let root = server.root(1);
    let standby = server.client(&hello(CONCERT, 2, as_root(TOKEN)));
    let frames = server.received(standby);
    assert_eq!(
        role(&frames).map(|(role, _)| role),
        Some(ClientRole::Standby)
    );
    ends(&mut server, root);
    server.wait(seconds(30));
    let frames = server.received(standby);
    assert!(frames.contains(&ServerFrame::Ended(end())), "{frames:?}");
    let promoted = |frame: &ServerFrame| matches!(frame, ServerFrame::Promoted { .. });
    assert!(!frames.iter().any(promoted), "{frames:?}");
    let next = server.client(&hello(CONCERT, 3, as_root(TOKEN)));
    let frames = server.received(next);
    assert_eq!(role(&frames).map(|(role, _)| role), Some(ClientRole::Root));
}
