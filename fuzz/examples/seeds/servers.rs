//! Clients of one bootstrap server.

use overlay_testkit::fuzz::server_frames::{Greeting, Opening, Place, Step};
use overlay_testkit::fuzz::vocabulary::write;
use overlay_testkit::fuzz::words::JoinWord;

use crate::Seed;

/// What a client says of itself that knows its secret.
const fn greeting(node: u8, root: bool, seen: u8, place: Place) -> Greeting {
    Greeting {
        node,
        impostor: false,
        root,
        seen,
        place,
    }
}

const fn arrives(node: u8, root: bool, place: Place) -> Step {
    Step::Arrive(node, greeting(node, root, 0, place))
}

/// A root of this epoch comes back.
const fn returns(node: u8, seen: u8) -> Step {
    Step::Arrive(node, greeting(node, true, seen, Place::Named))
}

/// What a joiner says: a request, a candidate, that it gives up.
const ASK: u8 = 0;
const CANDIDATE: u8 = 3;
const CANCEL: u8 = 7;
/// What a root says: an answer, a candidate, a rejection.
const ANSWER: u8 = 0;
const REJECT: u8 = 7;

#[allow(clippy::too_many_lines, reason = "a list")]
pub(crate) fn seeds() -> Vec<Seed> {
    let root = arrives(0, true, Place::Named);
    let joiner = |node| arrives(node, false, Place::Named);
    let says = |node, what| Step::Talk(node, what, 0);
    let story = |steps: &[Step]| write(&Opening { burst: 20 }, steps);
    vec![
        (
            "a-standby-succeeds-and-the-old-root-comes-back",
            story(&[
                root,
                arrives(1, true, Place::Named),
                joiner(2),
                Step::HangUp(0),
                Step::Jump(9),
                says(2, ASK),
                returns(0, 2),
            ]),
        ),
        (
            "two-roots-come-back-to-a-new-server",
            story(&[returns(0, 2), returns(1, 4), joiner(2), says(2, ASK)]),
        ),
        (
            "a-join-from-the-request-to-the-last-candidate",
            story(&[
                root,
                joiner(1),
                says(1, ASK),
                says(1, CANDIDATE),
                says(0, ANSWER),
                says(0, CANDIDATE),
                says(0, CANDIDATE),
                says(0, CANDIDATE),
                Step::HangUp(1),
            ]),
        ),
        (
            "a-joiner-waits-for-a-root",
            story(&[joiner(1), says(0, ASK), root, says(0, ASK), says(1, REJECT)]),
        ),
        (
            "a-joiner-changes-its-mind",
            story(&[
                root,
                joiner(1),
                says(1, ASK),
                says(1, ASK),
                says(1, CANCEL),
                says(0, ANSWER),
            ]),
        ),
        (
            "a-root-is-gone-in-the-middle-of-joins",
            story(&[
                root,
                joiner(1),
                joiner(2),
                says(1, ASK),
                says(2, ASK),
                Step::HangUp(0),
            ]),
        ),
        (
            "a-root-comes-back-and-takes-over",
            story(&[root, joiner(1), says(1, ASK), root, says(1, ASK)]),
        ),
        (
            "a-root-with-the-wrong-token",
            story(&[arrives(0, true, Place::WrongToken); 5]),
        ),
        (
            "one-overlay-too-many",
            story(&[
                root,
                arrives(1, true, Place::Other),
                arrives(2, true, Place::OneTooMany),
                arrives(3, false, Place::OneTooMany),
            ]),
        ),
        (
            "the-server-is-full",
            story(&[0, 1, 2, 0, 1, 2, 0, 1, 2].map(Step::ArriveMute)),
        ),
        (
            "everybody-falls-silent",
            story(&[
                root,
                joiner(1),
                Step::ArriveMute(2),
                Step::Pass(30_000, true),
                Step::Jump(60),
            ]),
        ),
        (
            "a-joiner-sends-too-much",
            story(&[&[root, joiner(1)][..], &[Step::Ping(1); 25]].concat()),
        ),
        (
            "a-joiner-speaks-of-anothers-join",
            story(&[
                root,
                joiner(1),
                says(1, ASK),
                joiner(2),
                Step::Wild(2, JoinWord::Cancel(1, 1)),
            ]),
        ),
        (
            "a-babbler-and-a-clock-that-jumps",
            story(&[
                joiner(1),
                Step::Babble(0, 0x0707_0707),
                joiner(2),
                Step::ClockBack(1_000_000),
                Step::Jump(u64::MAX),
                Step::Shutdown,
            ]),
        ),
        // Two that random stories have found, as far as these words can tell them.
        (
            "mute-clients-time-out-beside-a-root-and-a-joiner",
            story(
                &[
                    &[Step::ArriveMute(0); 4][..],
                    &[
                        Step::Greet(0, greeting(0, false, 0, Place::Named)),
                        Step::Arrive(1, greeting(1, true, 0, Place::Other)),
                        Step::Greet(1, greeting(2, true, 0, Place::Other)),
                        Step::ArriveMute(1),
                        Step::ArriveMute(1),
                        Step::Ping(0),
                        Step::Pass(10_000, true),
                        says(1, ASK),
                    ],
                ]
                .concat(),
            ),
        ),
        (
            "a-joiner-hangs-up-while-roots-of-three-overlays-come-back",
            story(&[
                joiner(0),
                Step::Arrive(0, greeting(1, true, 4, Place::Other)),
                Step::Arrive(0, greeting(2, true, 3, Place::Named)),
                Step::Arrive(0, greeting(3, true, 0, Place::Named)),
                Step::HangUp(0),
                Step::ArriveMute(0),
                Step::Arrive(0, greeting(4, true, 2, Place::OneTooMany)),
                Step::ArriveMute(0),
                Step::Pass(8_000, true),
            ]),
        ),
    ]
}
