//! The connection to the server.

use std::time::Duration;

use bytes::Bytes;
use overlay_core::wire::{
    self, ClientFrame, ClientRole, Refusal, Registration, RejectReason, ServerFrame, VERSION,
};
use overlay_core::{Action, BootstrapId, Config, Epoch, EventKind, Notification, Role};

use crate::harness::{
    Ix, OWN_JOIN, Solo, World, answer, candidate, client_frames, config, id, ms, opened, refused,
    reject, sdp, secs, token, told,
};

/// What the app is told of a lost server.
fn lost(actions: &[Action]) -> Option<(Option<Refusal>, Option<Duration>)> {
    told(actions).into_iter().find_map(|note| match note {
        Notification::BootstrapLost { refusal, retry_in } => Some((*refusal, *retry_in)),
        _ => None,
    })
}

fn connects(actions: &[Action]) -> Vec<u32> {
    let number = |action: &Action| match action {
        Action::ConnectBootstrap(id) => Some(id.number()),
        _ => None,
    };
    actions.iter().filter_map(number).collect()
}

fn starting() -> Solo {
    let mut solo = Solo::new(Config::default());
    solo.event(EventKind::Join);
    solo
}

#[test]
fn a_node_tells_the_server_its_id_and_its_goal() {
    let mut solo = Solo::new(Config::default());
    let token = token("token");
    solo.event(EventKind::BecomeRoot(Some(token.clone())));
    let actions = solo.event(EventKind::BootstrapOpened(solo.server()));
    let [
        ClientFrame::Hello {
            version,
            overlay,
            id,
            registration,
            ..
        },
    ] = &client_frames(&actions)[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((*version, &**overlay), (VERSION, "default"));
    assert_eq!(*id, solo.node.id());
    let expected = Registration::Root {
        token,
        epoch: Epoch(0),
        leads: false,
    };
    assert_eq!(*registration, expected);
}

#[test]
fn a_server_that_can_not_be_reached_is_tried_again_under_the_next_number() {
    let mut solo = starting();
    let mut waits = Vec::new();
    for number in 1..=12 {
        assert_eq!(solo.server().number(), number);
        let actions = solo.event(EventKind::BootstrapClosed(solo.server()));
        let (refusal, wait) = lost(&actions).unwrap();
        assert_eq!(refusal, None);
        waits.push(wait.unwrap());
        assert_eq!(connects(&solo.wait(wait.unwrap())), [number + 1]);
    }
    let config = Config::default();
    assert!(waits.iter().all(|wait| *wait >= config.retry_min / 2));
    assert!(waits.iter().all(|wait| *wait <= config.retry_max));
    assert!(waits[8] > waits[0] * 16, "{waits:?}");
}

#[test]
fn the_waits_start_anew_after_a_success_and_after_a_departure() {
    for succeeds in [true, false] {
        let mut solo = starting();
        for _ in 0..8 {
            let actions = solo.event(EventKind::BootstrapClosed(solo.server()));
            solo.wait(lost(&actions).unwrap().1.unwrap());
        }
        if succeeds {
            solo.registered();
        } else {
            solo.event(EventKind::Leave);
            solo.event(EventKind::Join);
        }
        let actions = solo.event(EventKind::BootstrapClosed(solo.server()));
        let wait = lost(&actions).unwrap().1.unwrap();
        assert!(wait <= solo.node.config().retry_min);
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    for accepts in [false, true] {
        let mut solo = starting();
        let first = solo.server();
        if accepts {
            solo.event(EventKind::BootstrapOpened(first));
        }
        let actions = solo.wait(solo.node.config().bootstrap_timeout);
        assert!(actions.contains(&Action::CloseBootstrap(first)));
        assert!(lost(&actions).unwrap().1.is_some());
    }
}

#[test]
fn an_operators_mistake_is_not_tried_again() {
    for refusal in [
        Refusal::WrongToken,
        Refusal::UnknownOverlay,
        Refusal::Version,
    ] {
        let mut solo = starting();
        solo.event(EventKind::BootstrapOpened(solo.server()));
        let actions = solo.server_says(&refused(refusal, 0));
        assert_eq!(lost(&actions), Some((Some(refusal), None)));
        assert_eq!(solo.node.role(), Role::Detached);
        assert_eq!(solo.wait(secs(600)), []);
    }
}

#[test]
fn a_root_with_a_wrong_token_is_told_and_asks_no_more() {
    let mut solo = Solo::root(Config::default());
    let actions = solo.server_says(&refused(Refusal::WrongToken, 0));
    assert_eq!(lost(&actions), Some((Some(Refusal::WrongToken), None)));
    assert_eq!(solo.wait(secs(600)), []);
    assert_eq!(solo.node.role(), Role::Root);
}

#[test]
fn a_refusal_that_may_pass_is_tried_again_after_the_servers_time() {
    for refusal in [
        Refusal::IdInUse,
        Refusal::Superseded,
        Refusal::TooManyConnections,
        Refusal::RateLimited,
        Refusal::Silent,
        Refusal::Malformed,
        Refusal::ShuttingDown,
    ] {
        let mut solo = starting();
        solo.event(EventKind::BootstrapOpened(solo.server()));
        let actions = solo.server_says(&refused(refusal, 9_000));
        assert_eq!(lost(&actions), Some((Some(refusal), Some(secs(9)))));
        assert_eq!(connects(&solo.wait(secs(9))), [2]);
    }
}

#[test]
fn garbage_from_the_server_ends_the_connection() {
    let mut solo = starting();
    let first = solo.server();
    solo.event(EventKind::BootstrapOpened(first));
    let garbage = Bytes::from_static(&[9, 9, 9]);
    let actions = solo.event(EventKind::BootstrapMessage(first, garbage));
    assert_eq!(actions[0], Action::CloseBootstrap(first));
    assert_eq!(lost(&actions).unwrap().0, Some(Refusal::Malformed));
    assert_eq!(solo.node.stats().server_garbage, 1);
    assert_eq!(connects(&solo.wait(secs(1))), [2]);
}

#[test]
fn a_server_of_another_version_is_named_as_that() {
    let mut solo = starting();
    let first = solo.server();
    solo.event(EventKind::BootstrapOpened(first));
    let welcome = Bytes::from_static(&[0, 1, 100]);
    let actions = solo.event(EventKind::BootstrapMessage(first, welcome));
    assert_eq!(lost(&actions), Some((Some(Refusal::Version), None)));
}

#[test]
fn an_idle_root_pings() {
    let mut solo = Solo::root(Config::default());
    // Three times in a lease of 8 s.
    for _ in 0..3 {
        let actions = solo.wait(ms(2_700));
        assert_eq!(client_frames(&actions), [ClientFrame::Ping]);
    }
}

#[test]
fn a_silent_server_is_given_up() {
    let mut solo = Solo::root(Config::default());
    let first = solo.server();
    solo.mute = true;
    let actions = solo.wait(secs(20));
    assert!(actions.contains(&Action::CloseBootstrap(first)));
    assert_eq!(lost(&actions).unwrap().0, None);
    assert_eq!(solo.node.role(), Role::Root);
}

#[test]
fn a_root_that_has_much_to_say_pings_too() {
    let mut solo = Solo::root(Config::default());
    let first = solo.server();
    let link = opened(&solo.request(1))[0];
    for _ in 0..5 {
        solo.wait(secs(5));
        solo.event(EventKind::LinkSignal(link, candidate("found late")));
    }
    assert_eq!(solo.server(), first, "the connection was given up");
}

#[test]
fn a_server_that_asks_for_a_ping_each_millisecond_gets_one_a_second() {
    let mut solo = starting();
    solo.event(EventKind::BootstrapOpened(solo.server()));
    solo.server_says(&ServerFrame::Welcome {
        version: VERSION,
        keepalive_ms: 0,
        role: ClientRole::Joiner,
        epoch: Epoch(0),
        lease_ms: 0,
    });
    let pings = client_frames(&solo.wait(secs(1)));
    assert_eq!(pings, [ClientFrame::Ping]);
}

#[test]
fn a_root_that_loses_the_server_comes_back_and_keeps_its_tree() {
    let mut world = World::new(2);
    let root = world.root();
    world.join(6);
    world.stop_server();
    world.run(secs(60));
    assert_eq!(world.depths(), [1, 2, 4]);
    world.mend_all();
    let ready = |w: &World| w.count(root, |n| *n == Notification::BootstrapReady) == 2;
    world.run_until(secs(60), ready);
    world.join(1);
    assert_eq!(world.depths(), [1, 2, 4, 1]);
    world.assert_sound();
}

#[test]
fn a_request_that_waited_when_the_server_was_lost_can_be_made_again() {
    let mut solo = Solo::root(config(1));
    let link = opened(&solo.request(1))[0];
    solo.request(2);
    solo.event(EventKind::BootstrapClosed(solo.server()));
    solo.wait(secs(1));
    solo.registered();
    solo.request(2);
    let actions = solo.event(EventKind::LinkClosed(link));
    let link = opened(&actions)[0];
    let answer = EventKind::LinkSignal(link, answer());
    assert_eq!(client_frames(&solo.event(answer)).len(), 1);
}

#[test]
fn a_joiner_outwaits_a_server_that_is_down() {
    let mut world = World::new(2);
    world.root();
    world.stop_server();
    let joiner = world.start();
    world.run(secs(300));
    let lost = |note: &Notification| matches!(note, Notification::BootstrapLost { .. });
    assert!(world.count(joiner, lost) > 8);
    world.mend_all();
    world.settle();
    assert_eq!(world.depths(), [1, 1]);
}

#[test]
fn joiners_wait_for_a_root_to_come() {
    let mut world = World::new(3);
    let joiners: Vec<Ix> = (0..5).map(|_| world.start()).collect();
    world.run(secs(60));
    let no_root = |note: &Notification| {
        let reason = RejectReason::NoRoot;
        matches!(note, Notification::JoinRejected { reason: r, .. } if *r == reason)
    };
    assert!(joiners.iter().all(|ix| world.count(*ix, no_root) > 1));
    world.root();
    world.settle();
    assert_eq!(world.depths().iter().sum::<usize>(), 6);
}

#[test]
fn a_joiner_that_waits_comes_as_soon_as_there_is_a_root() {
    let mut solo = starting();
    let link = opened(&solo.registered())[0];
    solo.event(EventKind::LinkOffer(link, sdp("offer")));
    let join = OWN_JOIN;
    solo.server_passes(reject(join, RejectReason::NoRoot, 20_000));
    solo.server_says(&ServerFrame::RootReady { epoch: Epoch(1) });
    let wait = solo.node.config().retry_min;
    assert_eq!(opened(&solo.wait(wait)).len(), 1);
    // It is news to no other node.
    assert_eq!(
        solo.server_says(&ServerFrame::RootReady { epoch: Epoch(1) }),
        []
    );
}

#[test]
fn news_of_an_earlier_connection_changes_nothing() {
    let mut solo = starting();
    let first: BootstrapId = solo.server();
    solo.event(EventKind::BootstrapClosed(first));
    solo.wait(secs(1));
    assert_ne!(solo.server(), first);
    let welcome = wire::encode(&ServerFrame::Welcome {
        version: VERSION,
        keepalive_ms: 1,
        role: ClientRole::Joiner,
        epoch: Epoch(0),
        lease_ms: 0,
    });
    assert_eq!(solo.event(EventKind::BootstrapOpened(first)), []);
    assert_eq!(solo.event(EventKind::BootstrapMessage(first, welcome)), []);
    assert_eq!(solo.event(EventKind::BootstrapClosed(first)), []);
    assert_eq!(solo.node.stats().late_events, 3);
}

#[test]
fn a_root_without_a_token_asks_no_server() {
    let mut solo = Solo::new(Config::default());
    let actions = solo.event(EventKind::BecomeRoot(None));
    let epoch = Epoch(1);
    assert_eq!(told(&actions), [&Notification::Promoted { epoch }]);
    assert_eq!(actions.len(), 1);
    assert_eq!(solo.node.role(), Role::Root);
    assert_eq!(solo.node.path().ids(), [id(1000)]);
    assert_eq!(solo.node.next_deadline(), None);
}
