//! What an embedder may know of a node's inside.

use bytes::Bytes;
use overlay_core::flow::{MIN_WINDOW, message_cost};
use overlay_core::wire::{JoinFrame, Lane, MAX_PART, record_len};
use overlay_core::{Action, Config, EventKind, LinkId, Load, Progress, Receipt};

use crate::harness::{OWN_JOIN, Solo, answer, candidate, config, join_of, opened, sdp, signal};

/// Half of the smallest window.
fn big() -> Bytes {
    Bytes::from(vec![1; MAX_PART])
}

/// The load is this, and then that.
fn load(solo: &Solo, change: impl FnOnce(&mut Load)) -> (Load, Load) {
    let mut expected = Load::default();
    change(&mut expected);
    (solo.node.load(), expected)
}

fn receipts(actions: Vec<Action>) -> Vec<Receipt> {
    let receipt = |action| match action {
        Action::Deliver(delivery) => Some(delivery.receipt),
        _ => None,
    };
    actions.into_iter().filter_map(receipt).collect()
}

fn broadcast(solo: &mut Solo, parent: LinkId) -> Vec<Receipt> {
    let payload = &big()[..];
    receipts(solo.hears(parent, payload))
}

#[test]
fn a_joiner_tells_each_step_of_its_way() {
    let mut solo = Solo::new(Config::default());
    assert_eq!(solo.node.progress(), None);
    solo.event(EventKind::Join);
    assert_eq!(solo.node.progress(), Some(Progress::Introducing));
    let (link, join) = (opened(&solo.registered())[0], OWN_JOIN);
    let told = solo.node.progress();
    assert_eq!(told, Some(Progress::Offering { link, join }));
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let told = solo.node.progress();
    assert_eq!(told, Some(Progress::Requested { link, join }));
    solo.server_passes(signal(join, answer()));
    let told = solo.node.progress();
    assert_eq!(told, Some(Progress::Answered { link, join }));
    solo.event(EventKind::LinkOpened(link));
    let told = solo.node.progress();
    assert_eq!(told, Some(Progress::Greeted { link, join }));
    solo.welcome(link);
    assert_eq!(solo.node.progress(), None);
}

#[test]
fn an_orphan_tells_when_it_tries_again() {
    let (mut solo, parent) = Solo::member(Config::default());
    solo.event(EventKind::LinkClosed(parent));
    let Some(Progress::Waiting { until }) = solo.node.progress() else {
        panic!("{:?}", solo.node.progress());
    };
    let wait = until.since(solo.now);
    assert_eq!(opened(&solo.wait(wait)), []);
    assert_eq!(solo.node.progress(), Some(Progress::Introducing));
}

#[test]
fn the_table_of_links_tells_how_full_it_is() {
    let (mut solo, parent) = Solo::member(config(2));
    solo.child_from(parent, 2);
    solo.request_from(parent, 3);
    assert_eq!(solo.node.load().links, 3);
    // A former parent stays until it has closed.
    solo.event(EventKind::Close(parent));
    assert_eq!(solo.node.load().links, 3);
    solo.event(EventKind::LinkClosed(parent));
    assert_eq!(solo.node.load().links, 2);
}

#[test]
fn the_queue_of_requests_tells_how_full_it_is() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    for (joiner, candidates) in [(2, 1), (3, 4)] {
        solo.request(joiner);
        for number in 0..candidates {
            let (join, signal) = (join_of(joiner), candidate(&number.to_string()));
            solo.server_passes(JoinFrame::Signal { join, signal });
        }
    }
    let (is, expected) = load(&solo, |load| {
        (load.links, load.routes) = (1, 3);
        (load.parked, load.early_ice_candidates) = (2, 5);
    });
    assert_eq!(is, expected);
    // The request that waits longest takes the failed candidate's slot, and the other one waits for it.
    solo.event(EventKind::LinkClosed(link));
    let load = solo.node.load();
    assert_eq!((load.parked, load.early_ice_candidates), (1, 4));
    solo.event(EventKind::BootstrapClosed(solo.server()));
    let load = solo.node.load();
    assert_eq!((load.parked, load.early_ice_candidates), (0, 0));
}

#[test]
fn the_queues_of_messages_tell_how_full_they_are() {
    let mut solo = Solo::root(config(2));
    let slow = [solo.child(1), solo.child(2)];
    let cost = message_cost(MAX_PART) as usize;
    // A window holds two.
    for to in [
        slow[0], slow[0], slow[0], slow[1], slow[1], slow[1], slow[1],
    ] {
        let payload = big();
        solo.event(EventKind::Send { to, payload });
    }
    let (is, expected) = load(&solo, |load| {
        load.links = 2;
        (load.queued, load.longest_queue) = (3 * cost, 2 * cost);
    });
    assert_eq!(is, expected);
    for link in slow {
        solo.is_granted(link, Lane::Direct, MIN_WINDOW);
    }
    let (is, expected) = load(&solo, |load| load.links = 2);
    assert_eq!(is, expected);
}

#[test]
fn the_log_tells_what_it_holds() {
    let (mut solo, parent) = Solo::member(Config {
        history: 100,
        ..config(1)
    });
    let child = solo.child_from(parent, 2);
    let record = record_len(MAX_PART);
    let held: Vec<Receipt> = (0..3).flat_map(|_| broadcast(&mut solo, parent)).collect();
    // The third one waits for the child.
    assert_eq!(solo.node.load().log, record);
    solo.event(EventKind::LinkClosed(child));
    assert_eq!(solo.node.load().log, 0, "less than that is history");
    drop(held);
}
