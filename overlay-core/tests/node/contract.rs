//! The contract of the core: what an embedder may rely on, whatever happens.

use std::time::Duration;

use overlay_core::{Config, ConfigError, Event, EventKind, Instant, Node, Policy, Role};

use overlay_sim::{Profile, Setup};

use crate::harness::{Solo, World, config, id, sdp, secs};

/// The record of a busy quarter of an hour.
fn story(seed: u64, policy: Policy) -> (u64, Vec<String>) {
    let mut setup = Setup::new(seed);
    setup.profile = Profile::Wan;
    setup.config = Config {
        policy,
        ..config(2)
    };
    let mut world = World::from(setup);
    world.listen();
    world.root();
    world.join(12);
    world.kill(1);
    world.event(2, EventKind::Leave);
    for number in 0..20 {
        let payload = bytes::Bytes::from(vec![number; 5]);
        world.event(0, EventKind::Broadcast(payload));
    }
    world.stop_server();
    world.run(secs(100));
    world.mend_all();
    world.settle();
    world.run(secs(600));
    world.record()
}

#[test]
fn the_same_events_give_the_same_actions() {
    for policy in [Policy::Balanced, Policy::Hash] {
        assert_eq!(story(1, policy), story(1, policy));
        assert_ne!(story(1, policy), story(2, policy));
    }
}

#[test]
fn the_seed_is_all_that_two_nodes_differ_by() {
    let retry = |seed| {
        let mut node = Node::new(id(1), Config::default(), [seed; 32]).unwrap();
        let actions = node.handle_input(Event::new(Instant::ZERO, EventKind::Join));
        let overlay_core::Action::ConnectBootstrap(server) = actions[0] else {
            panic!("{actions:?}")
        };
        let closed = EventKind::BootstrapClosed(server);
        node.handle_input(Event::new(Instant::ZERO, closed))
    };
    assert_eq!(retry(1), retry(1));
    assert_ne!(retry(1), retry(2));
}

#[test]
fn time_never_runs_backwards() {
    let mut solo = Solo::root(Config::default());
    solo.wait(secs(3));
    let child = solo.child(1);
    let now = solo.now;
    solo.now = Instant::ZERO;
    let node = &mut solo.node;
    let actions = node.handle_input(Event::new(Instant::ZERO, EventKind::Timeout));
    assert_eq!(actions, []);
    assert!(node.next_deadline() > Some(now));
    assert_eq!(node.children().next().unwrap().link, child);
}

#[test]
fn the_end_of_time_is_no_end_of_progress() {
    let (mut solo, _) = Solo::member(Config::default());
    solo.now = Instant::from_micros(u64::MAX);
    let event = Event::new(solo.now, EventKind::Timeout);
    assert!(solo.node.handle_input(event).len() < 10);
}

#[test]
fn every_wait_is_a_wait_however_short_it_may_be() {
    let shortest = Duration::from_micros(1);
    let mut solo = Solo::new(Config {
        retry_min: shortest,
        retry_max: shortest,
        ..Config::default()
    });
    solo.event(EventKind::Join);
    for _ in 0..100 {
        // What is due is done: the rules look after each event.
        solo.wait(solo.node.config().bootstrap_timeout);
    }
}

#[test]
fn a_configuration_without_limits_is_kept() {
    let config = Config {
        request_timeout: Duration::MAX,
        settle_timeout: Duration::MAX,
        wait_timeout: Duration::MAX,
        heartbeat_interval: Duration::MAX,
        link_timeout: Duration::MAX,
        status_interval: Duration::MAX,
        retry_min: Duration::MAX,
        retry_max: Duration::MAX,
        retry_after: Duration::MAX,
        leave_timeout: Duration::MAX,
        bootstrap_timeout: Duration::MAX,
        window: u32::MAX,
        send_queue: usize::MAX,
        max_waiting: usize::MAX,
        max_early_ice_candidates: usize::MAX,
        max_routes: usize::MAX,
        ..Config::default()
    };
    let mut solo = Solo::root(Config {
        max_degree: 1,
        ..config
    });
    let child = solo.child(1);
    solo.request(2);
    solo.wait(secs(1_000_000));
    solo.event(EventKind::LinkClosed(child));
    solo.event(EventKind::BootstrapClosed(solo.server()));
    solo.wait(secs(1_000_000));
    solo.event(EventKind::Leave);
    assert_eq!(solo.node.role(), Role::Detached);
}

#[test]
fn a_buffer_of_the_embedders_is_appended_to() {
    let mut node = Node::new(id(1), Config::default(), [0; 32]).unwrap();
    let mut out = node.handle_input(Event::new(Instant::ZERO, EventKind::Join));
    assert_eq!(out.len(), 1);
    node.handle_input_into(Event::new(Instant::ZERO, EventKind::Leave), &mut out);
    assert!(out.len() > 1);
}

#[test]
fn late_events_about_a_link_change_nothing() {
    let mut solo = Solo::root(Config::default());
    let link = solo.child(1);
    solo.event(EventKind::LinkClosed(link));
    let signal = crate::harness::candidate("late");
    let bytes = overlay_core::wire::encode(&overlay_core::wire::LinkFrame::Heartbeat);
    for late in [
        EventKind::LinkOffer(link, sdp("late")),
        EventKind::LinkSignal(link, signal),
        EventKind::LinkOpened(link),
        EventKind::LinkMessage(link, bytes),
        EventKind::LinkClosed(link),
        EventKind::Close(link),
    ] {
        assert_eq!(solo.event(late), []);
    }
    assert_eq!(solo.node.stats().late_events, 5);
}

#[test]
fn a_new_link_never_has_the_name_of_an_old_one() {
    let mut solo = Solo::root(Config::default());
    let old = solo.child(1);
    solo.event(EventKind::LinkClosed(old));
    let new = solo.child(2);
    assert_ne!(old, new);
    assert_eq!(solo.event(EventKind::LinkClosed(old)), []);
    assert_eq!(solo.node.children().next().unwrap().link, new);
}

#[test]
fn a_timeout_before_its_time_does_nothing() {
    let mut solo = Solo::root(Config::default());
    solo.child(1);
    let due = solo.node.next_deadline();
    assert_eq!(solo.event(EventKind::Timeout), []);
    assert_eq!(solo.node.next_deadline(), due);
}

#[test]
fn wishes_that_make_no_sense_now_change_nothing() {
    let (mut member, _) = Solo::member(Config::default());
    assert_eq!(member.event(EventKind::Join), []);
    assert_eq!(member.event(EventKind::BecomeRoot(None)), []);
    assert_eq!(member.node.role(), Role::Member);
    let mut root = Solo::root(Config::default());
    assert_eq!(root.event(EventKind::Join), []);
    assert_eq!(root.node.role(), Role::Root);
}

#[test]
fn a_configuration_that_no_node_can_keep_is_refused() {
    let config = Config {
        heartbeat_interval: Duration::ZERO,
        ..Config::default()
    };
    let error = Node::new(id(1), config, [0; 32]).unwrap_err();
    assert_eq!(error, ConfigError::Zero("heartbeat_interval"));
}
