//! Every state of a link against every transition: a table, so that a new transition is seen.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::census::Census;
use crate::close::CloseReason;
use crate::id::JoinId;
use crate::wire::JoinKind;

const NOW: Instant = Instant::ZERO;

fn join() -> JoinId {
    JoinId {
        origin: NodeId::from_u128(7),
        attempt: 1,
    }
}

fn dialing(stage: Stage) -> State {
    let mut dialing = Dialing::new(join(), JoinKind::Introduced, NOW);
    dialing.stage = stage;
    State::Dialing(dialing)
}

fn candidate(channel: Channel) -> Candidate {
    let (known, predicted) = (Census::of_node(1), Census::of_node(1));
    Candidate {
        join: join(),
        subtree: Box::new(Forecast { known, predicted }),
        moves: false,
        channel,
        deadline: NOW,
    }
}

fn states() -> Vec<State> {
    let mut states: Vec<State> = STAGES.map(dialing).into();
    states.push(State::Parent(NodeId::from_u128(1)));
    states.push(State::Candidate(candidate(Channel::Connecting)));
    states.push(State::Candidate(candidate(Channel::Open)));
    states.push(State::Child(candidate(Channel::Open).greeted()));
    states.push(State::Closing(Closing::new(
        GoodbyeReason::Moved,
        NOW,
        Duration::ZERO,
    )));
    states
}

const STAGES: [Stage; 4] = [
    Stage::Offering,
    Stage::Requested,
    Stage::Answered,
    Stage::Greeted,
];

const INTAKES: [Intake; 4] = [
    Intake::Open,
    Intake::Invited,
    Intake::Relocating,
    Intake::Leaving,
];

fn name(state: &State) -> String {
    match state {
        State::Dialing(dialing) => format!("{:?}", dialing.stage),
        State::Parent(_) => "Parent".into(),
        State::Candidate(candidate) => format!("Candidate/{:?}", candidate.channel),
        State::Child(_) => "Child".into(),
        State::Closing(_) => "Closing".into(),
    }
}

/// A row: the state, and what it becomes by each transition; `-` where there is none and the state stays as it is.
fn row(index: usize) -> String {
    let transitions: [fn(State) -> Transition; 5] = [
        |state| state.arrived(NodeId::from_u128(1)),
        State::opened,
        |state| state.greeted(join()),
        |state| {
            let other = JoinId {
                attempt: 2,
                ..join()
            };
            state.greeted(other)
        },
        |state| state.parted(GoodbyeReason::Leaving, NOW, Duration::ZERO),
    ];
    let before = name(&states()[index]);
    let after = transitions.map(|transition| {
        let mut link = Link::new(states().swap_remove(index), NOW);
        let applies = link.change(transition);
        assert!(applies || name(&link.state) == before, "a state is kept");
        if applies {
            name(&link.state)
        } else {
            "-".into()
        }
    });
    format!("{before}: {}", after.join(" "))
}

#[test]
fn a_link_changes_by_these_transitions_and_no_others() {
    let rows: Vec<String> = (0..states().len()).map(row).collect();
    // By: arrived, opened, greeted, greeted for another join, parted.
    let expected = [
        "Offering: - - - - -",
        "Requested: - - - - -",
        "Answered: - - - - -",
        "Greeted: Parent - - - -",
        "Parent: - - - - Closing",
        "Candidate/Connecting: - Candidate/Open - - -",
        "Candidate/Open: - Candidate/Open Child - -",
        "Child: - - - - Closing",
        "Closing: - - - - -",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn an_attempt_comes_from_each_stage_to_the_next_alone() {
    let table = STAGES.map(|stage| (stage.offered(), stage.answered(), stage.opened()));
    let expected = [
        (Some(Stage::Requested), None, None),
        (None, Some(Stage::Answered), None),
        (None, None, Some(Stage::Greeted)),
        (None, None, None),
    ];
    assert_eq!(table, expected);
}

#[test]
fn a_childs_intake_opens_again_unless_the_child_leaves() {
    assert!(
        INTAKES
            .iter()
            .all(|intake| intake.left() == Intake::Leaving)
    );
    let table = INTAKES.map(|intake| (intake.invited(), intake.asked(), intake.stayed()));
    let expected = [
        (Some(Intake::Invited), None, None),
        (None, Some(Intake::Relocating), Some(Intake::Open)),
        (None, None, Some(Intake::Open)),
        (None, None, None),
    ];
    assert_eq!(table, expected);
}

#[test]
fn a_goodbye_is_said_once() {
    let mut closing = Closing::new(GoodbyeReason::Moved, NOW, Duration::ZERO);
    assert_eq!(closing.flushed(), Some(GoodbyeReason::Moved));
    assert_eq!(closing.flushed(), None);
    assert_eq!(GoodbyeReason::Moved.reason(), CloseReason::Moved);
}
