//! Being the root, and standing by for it.

use overlay_core::wire::{
    ClientFrame, ClientRole, GoodbyeReason, LinkFrame, Registration, RejectReason, ServerFrame,
};
use overlay_core::{Action, Config, Epoch, EventKind, LinkId, Notification, Role};

use crate::harness::{
    Solo, World, below_root, client_frames, id, join_of, ms, opened, reject, rejections, secs,
    sent, token, told,
};

/// A node that wants to lead, and has told the server.
fn claimant() -> Solo {
    let mut solo = Solo::new(Config::default());
    let token = token("token");
    solo.event(EventKind::BecomeRoot(Some(token)));
    solo.event(EventKind::BootstrapOpened(solo.server()));
    solo
}

/// A standby below a parent, in epoch 5.
fn standby() -> (Solo, LinkId) {
    let mut solo = claimant();
    let link = opened(&solo.registered_as(ClientRole::Standby, 5))[0];
    solo.dial(link);
    solo.welcome_in(link, 5);
    (solo, link)
}

/// A node that wants to lead where standbys are enough: it joins. The link of its first attempt.
fn one_too_many() -> (Solo, LinkId) {
    let mut solo = claimant();
    let link = opened(&solo.registered_as(ClientRole::Joiner, 5))[0];
    (solo, link)
}

fn promote(solo: &mut Solo, epoch: u64) -> Vec<Action> {
    let epoch = Epoch(epoch);
    solo.server_says(&ServerFrame::Promoted { epoch })
}

/// How a node introduces itself to the server when it comes back.
fn returns(solo: &mut Solo) -> Registration {
    solo.event(EventKind::BootstrapClosed(solo.server()));
    solo.wait(secs(1));
    let actions = solo.event(EventKind::BootstrapOpened(solo.server()));
    match client_frames(&actions).pop() {
        Some(ClientFrame::Hello { registration, .. }) => registration,
        other => panic!("{other:?}"),
    }
}

fn claims(epoch: u64, leads: bool) -> Registration {
    Registration::Root {
        token: token("token"),
        epoch: Epoch(epoch),
        leads,
    }
}

#[test]
fn a_node_that_wants_to_lead_is_the_root_when_the_server_says_so() {
    let mut solo = Solo::new(Config::default());
    let token = token("token");
    solo.event(EventKind::BecomeRoot(Some(token)));
    assert_eq!(solo.node.role(), Role::Joining);
    solo.event(EventKind::BootstrapOpened(solo.server()));
    let actions = solo.registered_as(ClientRole::Root, 7);
    let epoch = Epoch(7);
    assert!(told(&actions).contains(&&Notification::Promoted { epoch }));
    assert_eq!((solo.node.role(), solo.node.epoch()), (Role::Root, epoch));
}

#[test]
fn a_standby_is_a_member_that_stays_at_the_server() {
    let (mut solo, _) = standby();
    assert_eq!(solo.node.role(), Role::Member);
    assert!(solo.node.is_standby());
    let pings = client_frames(&solo.wait(secs(10)));
    assert_eq!(pings, [ClientFrame::Ping]);
}

#[test]
fn a_surplus_standby_asks_again_when_there_is_no_root() {
    let (mut solo, link) = one_too_many();
    let join = solo.dial(link);
    let first = solo.server();
    let actions = solo.server_passes(reject(join, RejectReason::NoRoot, 1_000));
    assert!(actions.contains(&Action::CloseBootstrap(first)));
    assert!(actions.contains(&Action::ConnectBootstrap(solo.server())));
}

#[test]
fn a_member_that_wants_to_lead_asks_again_from_time_to_time() {
    let (mut solo, link) = one_too_many();
    let first = solo.server();
    solo.dial(link);
    let actions = solo.welcome_in(link, 5);
    assert!(actions.contains(&Action::CloseBootstrap(first)));
    let actions = solo.wait(solo.node.config().retry_max);
    assert!(actions.contains(&Action::ConnectBootstrap(solo.server())));
    solo.event(EventKind::BootstrapOpened(solo.server()));
    solo.registered_as(ClientRole::Standby, 5);
    assert_eq!(client_frames(&solo.wait(secs(10))), [ClientFrame::Ping]);
}

#[test]
fn a_promoted_standby_leaves_its_parent_and_keeps_its_children() {
    let (mut solo, parent) = standby();
    let child = solo.child_from(parent, 2);
    let actions = promote(&mut solo, 6);
    assert_eq!(solo.node.role(), Role::Root);
    assert_eq!(solo.node.path().ids(), [id(1000)]);
    let goodbye = LinkFrame::Goodbye(GoodbyeReason::Closing);
    assert_eq!(sent(&actions, parent), [goodbye]);
    let moved = LinkFrame::Moved {
        epoch: Epoch(6),
        path: solo.node.path().clone(),
    };
    assert_eq!(sent(&actions, child)[0], moved);
}

#[test]
fn a_standby_on_its_way_drops_its_attempt_when_it_is_promoted() {
    let mut solo = Solo::new(Config::default());
    let token = token("token");
    solo.event(EventKind::BecomeRoot(Some(token)));
    solo.event(EventKind::BootstrapOpened(solo.server()));
    solo.registered_as(ClientRole::Standby, 0);
    let actions = promote(&mut solo, 6);
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::CloseLink(..)))
    );
    assert_eq!(solo.node.role(), Role::Root);
}

#[test]
fn a_root_that_comes_back_says_that_it_leads() {
    let mut solo = Solo::root_in(3);
    assert_eq!(returns(&mut solo), claims(3, true));
    let actions = solo.registered_as(ClientRole::Root, 3);
    assert_eq!(told(&actions), [&Notification::BootstrapReady]);
}

#[test]
fn a_standby_that_comes_back_says_what_it_has_seen() {
    let (mut solo, _) = standby();
    assert_eq!(returns(&mut solo), claims(5, false));
    solo.registered_as(ClientRole::Standby, 5);
    assert_eq!(solo.node.role(), Role::Member);
}

#[test]
fn a_root_that_was_succeeded_steps_down_with_its_children() {
    let mut solo = Solo::root_in(3);
    solo.child(1);
    returns(&mut solo);
    let actions = solo.registered_as(ClientRole::Standby, 4);
    let epoch = Epoch(4);
    assert!(told(&actions).contains(&&Notification::SteppedDown { epoch }));
    assert_eq!(solo.node.role(), Role::Joining);
    assert_eq!(solo.node.children().count(), 1);
    assert_eq!(
        opened(&solo.wait(secs(1))).len(),
        1,
        "it looks for a parent"
    );
}

#[test]
fn a_root_admits_no_joiner_when_its_lease_is_over() {
    let mut solo = Solo::root_in(3);
    // Asked for a sign of life once and not answered.
    solo.mute = true;
    solo.wait(ms(7_900));
    assert_eq!(opened(&solo.request(1)).len(), 1);
    solo.now = solo.now + ms(100);
    let refused = [(join_of(2), RejectReason::Busy)];
    assert_eq!(rejections(&solo.request(2)), refused);
    assert_eq!(solo.node.stats().lease_over, 1);
}

#[test]
fn an_answer_renews_the_lease_from_when_it_was_asked_for() {
    let mut solo = Solo::root_in(3);
    solo.mute = true;
    solo.wait(ms(2_700));
    solo.now = solo.now + secs(5);
    solo.server_says(&ServerFrame::Pong);
    solo.now = solo.now + ms(2_900);
    assert_eq!(opened(&solo.request(1)).len(), 1);
    solo.now = solo.now + ms(100);
    assert!(opened(&solo.request(2)).is_empty());
}

#[test]
fn a_joiner_is_not_made_a_root() {
    let mut solo = Solo::new(Config::default());
    solo.event(EventKind::Join);
    solo.event(EventKind::BootstrapOpened(solo.server()));
    solo.registered_as(ClientRole::Root, 9);
    assert_eq!(solo.node.role(), Role::Joining);
    assert_eq!(solo.node.stats().server_garbage, 1);
}

#[test]
fn when_the_root_dies_its_standby_has_the_whole_tree_in_the_end() {
    let mut world = World::new(2);
    let root = world.root();
    let standby = world.root();
    world.join(9);
    world.kill(root);
    world.run(secs(120));
    assert_eq!(world.node(standby).role(), Role::Root);
    assert_eq!(world.depths().iter().sum::<usize>(), 10);
    world.assert_sound();
}

#[test]
fn an_old_root_that_was_cut_off_joins_the_new_ones_tree() {
    let mut world = World::new(2);
    let root = world.root();
    let standby = world.root();
    world.join(6);
    world.sleep(root, secs(60));
    world.run(secs(60));
    assert_eq!(world.node(standby).role(), Role::Root);
    world.run(secs(60));
    assert_eq!(world.node(root).role(), Role::Member);
    assert_eq!(world.depths().iter().sum::<usize>(), 8);
    assert!(world.node(root).is_standby());
    world.assert_sound();
}

#[test]
fn members_hear_that_the_root_has_changed() {
    let mut solo = Solo::new(Config::default());
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    solo.welcome_in(link, 5);
    let (epoch, path) = (Epoch(6), below_root(1));
    let actions = solo.says(link, &LinkFrame::Moved { epoch, path });
    let changed = |told: &&&Notification| {
        matches!(
            told,
            Notification::RootChanged {
                epoch: Epoch(6),
                ..
            }
        )
    };
    assert_eq!(told(&actions).iter().filter(changed).count(), 1);
}

#[test]
fn a_standby_believes_the_server_when_a_parent_has_lied_about_the_epoch() {
    let (mut solo, parent) = standby();
    let (epoch, path) = (Epoch(99), below_root(1));
    solo.says(parent, &LinkFrame::Moved { epoch, path });
    solo.event(EventKind::LinkClosed(parent));
    let link = opened(&solo.wait(secs(1)))[0];
    solo.dial(link);
    solo.welcome_in(link, 5);
    assert_eq!(solo.node.role(), Role::Member);
    assert_eq!(
        returns(&mut solo),
        claims(5, false),
        "nor does it pass the lie on"
    );
}

#[test]
fn a_root_that_leaves_says_that_it_does_not_come_back() {
    let mut solo = Solo::root_in(3);
    let frames = client_frames(&solo.event(EventKind::Leave));
    assert_eq!(frames, [ClientFrame::StepDown { ended: None }]);
}
