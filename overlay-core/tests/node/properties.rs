//! One node, and anything that may befall it: honest steps, late ones, forged ones, garbage. The rules
//! of the harness are checked after each.

mod life;

use overlay_core::flow::MIN_WINDOW;
use overlay_core::wire::{ClientRole, MAX_PAYLOAD, Refusal};
use overlay_core::{Config, EventKind, Policy, Role};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::harness::secs;
use life::Life;

/// Where a story begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    Detached,
    Root,
    Member,
}

/// Something to do. What it refers to is chosen among what there is at that time.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    WaitUntilDue,
    ClockBack(u64),
    Wish(Wish),
    /// The server does what a server would do next.
    ServerGoesOn,
    Server(Index, ServerEvent),
    /// The server or the parent passes a join's frame down.
    Join(JoinStep),
    /// The other side of a link, and the connection, do what they would do next.
    LinkGoesOn(Index),
    Link(Index, LinkEvent),
    /// A frame that an honest neighbour may send.
    Word(Index, FrameKind),
    /// Any frame on any link, perhaps with a byte changed.
    Frame(Index, FrameKind, Option<(Index, u8)>),
    Garbage(Index, Vec<u8>),
    Consume(Index),
    LoseReceipt(Index),
}

#[derive(Clone, Debug)]
enum Wish {
    Join,
    BecomeRoot(bool),
    Leave,
    Send(Index, usize),
    Broadcast(usize),
    Close(Index),
}

#[derive(Clone, Debug)]
enum ServerEvent {
    Opened,
    Closed,
    Welcome(ClientRole, u8),
    Promoted(u8),
    Refused(Refusal),
    Garbage,
}

#[derive(Clone, Debug)]
enum LinkEvent {
    Offer,
    Answer,
    Candidate,
    Opened,
    Closed,
}

#[derive(Clone, Debug)]
enum JoinStep {
    Request { who: u8, attempt: u32, places: u32 },
    Answer(u8, u32),
    Candidate(u8, u32),
    Reject(u8, u32, u32),
    Cancel(u8, u32),
}

#[derive(Clone, Debug)]
enum FrameKind {
    Hello(u8, u32),
    Welcome(u8, u64),
    Heartbeat,
    Join(JoinStep),
    Status(u32, u32),
    Moved(u8, u64),
    Credit(u32),
    Goodbye(bool),
    Direct(usize),
    Broadcast(usize),
}

fn join_step() -> impl Strategy<Value = JoinStep> {
    let join = (0..8_u8, 1..3_u32);
    prop_oneof![
        4 => (0..8_u8, 1..3_u32, 0..3_u32)
            .prop_map(|(who, attempt, places)| JoinStep::Request { who, attempt, places }),
        1 => join.clone().prop_map(|(who, attempt)| JoinStep::Answer(who, attempt)),
        1 => join.clone().prop_map(|(who, attempt)| JoinStep::Candidate(who, attempt)),
        1 => (0..8_u8, 1..3_u32, any::<u32>()).prop_map(|(w, a, retry)| JoinStep::Reject(w, a, retry)),
        1 => join.prop_map(|(who, attempt)| JoinStep::Cancel(who, attempt)),
    ]
}

fn frame_kind() -> impl Strategy<Value = FrameKind> {
    prop_oneof![
        (0..8_u8, 1..3_u32).prop_map(|(who, attempt)| FrameKind::Hello(who, attempt)),
        (0..8_u8, 0..3_u64).prop_map(|(who, epoch)| FrameKind::Welcome(who, epoch)),
        Just(FrameKind::Heartbeat),
        join_step().prop_map(FrameKind::Join),
        (0..5_u32, 0..4_u32).prop_map(|(seen, places)| FrameKind::Status(seen, places)),
        (0..8_u8, 0..3_u64).prop_map(|(who, epoch)| FrameKind::Moved(who, epoch)),
        prop_oneof![0..100_000_u32, Just(u32::MAX)].prop_map(FrameKind::Credit),
        any::<bool>().prop_map(FrameKind::Goodbye),
        length().prop_map(FrameKind::Direct),
        length().prop_map(FrameKind::Broadcast),
    ]
}

/// Some messages are so long that a few of them fill a window.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0..100_usize, Just(8_000), Just(MAX_PAYLOAD)]
}

fn role() -> impl Strategy<Value = ClientRole> {
    prop_oneof![
        3 => Just(ClientRole::Joiner),
        1 => Just(ClientRole::Standby),
        2 => Just(ClientRole::Root),
    ]
}

fn server_event() -> impl Strategy<Value = ServerEvent> {
    prop_oneof![
        Just(ServerEvent::Opened),
        Just(ServerEvent::Closed),
        (role(), 0..4_u8).prop_map(|(role, epoch)| ServerEvent::Welcome(role, epoch)),
        (0..4_u8).prop_map(ServerEvent::Promoted),
        prop_oneof![
            Just(Refusal::WrongToken),
            Just(Refusal::Superseded),
            Just(Refusal::Version)
        ]
        .prop_map(ServerEvent::Refused),
        Just(ServerEvent::Garbage),
    ]
}

fn link_event() -> impl Strategy<Value = LinkEvent> {
    prop_oneof![
        Just(LinkEvent::Offer),
        Just(LinkEvent::Answer),
        Just(LinkEvent::Candidate),
        Just(LinkEvent::Opened),
        Just(LinkEvent::Closed),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        6 => Just(Wish::Join),
        4 => any::<bool>().prop_map(Wish::BecomeRoot),
        1 => Just(Wish::Leave),
        20 => (any::<Index>(), length()).prop_map(|(link, len)| Wish::Send(link, len)),
        20 => length().prop_map(Wish::Broadcast),
        2 => any::<Index>().prop_map(Wish::Close),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let mutation = prop::option::weighted(0.1, (any::<Index>(), any::<u8>()));
    prop_oneof![
        6 => prop_oneof![9 => 0..2_000_u64, 1 => 0..40_000_u64].prop_map(Step::Wait),
        4 => Just(Step::WaitUntilDue),
        1 => (0..100_000_u64).prop_map(Step::ClockBack),
        8 => wish().prop_map(Step::Wish),
        6 => Just(Step::ServerGoesOn),
        1 => (any::<Index>(), server_event()).prop_map(|(id, event)| Step::Server(id, event)),
        12 => join_step().prop_map(Step::Join),
        40 => any::<Index>().prop_map(Step::LinkGoesOn),
        2 => (any::<Index>(), link_event()).prop_map(|(link, event)| Step::Link(link, event)),
        40 => (any::<Index>(), frame_kind()).prop_map(|(link, kind)| Step::Word(link, kind)),
        1 => (any::<Index>(), frame_kind(), mutation).prop_map(|(l, kind, m)| Step::Frame(l, kind, m)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(link, bytes)| Step::Garbage(link, bytes)),
        10 => any::<Index>().prop_map(Step::Consume),
        1 => any::<Index>().prop_map(Step::LoseReceipt),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let limits = (0..4_u16, 0..4_usize, 0..3_usize, 1..6_usize);
    let times = (1..40_u64, 1..5_u64, 1..20_u64);
    (limits, times, any::<bool>(), 0..3_usize).prop_map(
        |((degree, parked, early, routes), (request, patience, park), hash, queue)| Config {
            max_degree: degree,
            policy: if hash { Policy::Hash } else { Policy::Balanced },
            max_waiting: parked,
            max_early_ice_candidates: early,
            max_routes: usize::from(degree) + routes,
            request_timeout: secs(request),
            patience: secs(patience),
            wait_timeout: secs(park),
            window: MIN_WINDOW,
            send_queue: queue * 200,
            ..Config::default()
        },
    )
}

/// A generous limit of what a node may hold, counted in characters of its `Debug` text.
fn most_text(config: &Config) -> usize {
    let links = usize::from(config.max_degree) + 3;
    let app = config.window as usize * 2 + config.send_queue + MIN_WINDOW as usize;
    let joins = config.max_waiting * (1 + config.max_early_ice_candidates) + config.max_routes;
    10_000 + links * (5_000 + app * 12) + joins * 1_000
}

proptest! {
    #[test]
    fn whatever_happens_to_a_node_it_keeps_the_rules(
        config in config(),
        start in prop_oneof![Just(Start::Detached), Just(Start::Root), Just(Start::Member)],
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let most = most_text(&config);
        let mut life = Life::new(start, config);
        for step in steps {
            life.step(step);
        }
        let text = format!("{:?}", life.solo.node);
        prop_assert!(text.len() < most, "{} characters", text.len());
        // Nobody says anything any more: in the end it has left.
        life.event(EventKind::Leave);
        life.solo.wait(secs(3_600));
        prop_assert_eq!(life.solo.node.role(), Role::Detached);
        prop_assert_eq!(life.solo.node.next_deadline(), None);
    }
}
