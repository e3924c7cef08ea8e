//! Two nodes and their wire.

use overlay_testkit::fuzz::two_nodes_model::{Opening, Step};
use overlay_testkit::fuzz::vocabulary::write;

use crate::Seed;

const ROOT: bool = false;
const JOINER: bool = true;
/// Deliveries that are enough for a join.
const JOINS: [Step; 16] = [Step::Deliver(0); 16];
const LONG: u16 = 62_000;

pub(crate) fn seeds() -> Vec<Seed> {
    [messages(), ends()].concat()
}

fn story(steps: &[&[Step]]) -> Vec<u8> {
    let opening = Opening {
        degree: 0,
        queue: 2,
    };
    write(&opening, &steps.concat())
}

fn messages() -> Vec<Seed> {
    vec![
        ("a-join", story(&[&JOINS])),
        (
            "messages-both-ways",
            story(&[
                &JOINS,
                &[
                    Step::Send(ROOT, 20),
                    Step::Send(JOINER, 30),
                    Step::Broadcast(ROOT, 40),
                ],
                &[Step::Deliver(1); 4],
                &[Step::Consume(ROOT, 0), Step::Consume(JOINER, 1)],
            ]),
        ),
        (
            "a-backlog-that-ends",
            story(&[
                &JOINS,
                &[Step::Send(ROOT, LONG); 6],
                &[Step::Broadcast(ROOT, LONG)],
                &[Step::Deliver(0), Step::Consume(JOINER, 0)],
                &[Step::Send(ROOT, LONG); 2],
            ]),
        ),
        (
            "messages-to-the-root-and-replies",
            story(&[
                &JOINS,
                &[Step::SendUp(20), Step::SendUp(LONG), Step::Ask(2)],
                &[Step::Deliver(0); 6],
                &[Step::SendUp(30), Step::LoseLink(0)],
            ]),
        ),
    ]
}

fn ends() -> Vec<Seed> {
    vec![
        (
            "questions-that-meet-a-goodbye",
            story(&[
                &JOINS,
                &[Step::Ask(0), Step::Ask(5), Step::Leave(JOINER)],
                &[Step::Wait(ROOT, 6_000), Step::WaitUntilDue(ROOT)],
            ]),
        ),
        (
            "a-goodbye-behind-a-backlog",
            story(&[
                &JOINS,
                &[Step::Send(JOINER, LONG); 4],
                &[Step::Leave(JOINER)],
            ]),
        ),
        (
            "both-close-at-once",
            story(&[
                &JOINS,
                &[
                    Step::Send(JOINER, 20),
                    Step::Close(JOINER, 0),
                    Step::Close(ROOT, 0),
                ],
                &[Step::SendOn(ROOT, 0, 20), Step::Deliver(0)],
            ]),
        ),
        (
            "a-link-is-lost-in-the-middle-of-a-message",
            story(&[
                &JOINS,
                &[
                    Step::Send(ROOT, 20),
                    Step::LoseLink(0),
                    Step::Deliver(1),
                    Step::Deliver(0),
                ],
                &[Step::WaitUntilDue(JOINER); 2],
                &JOINS,
            ]),
        ),
        (
            "a-link-is-lost-in-the-middle-of-a-join",
            story(&[
                &JOINS[..7],
                &[Step::LoseLink(0), Step::LoseServer(JOINER)],
                &JOINS,
            ]),
        ),
        (
            "the-root-leaves-and-comes-back",
            story(&[
                &JOINS,
                &[Step::Leave(ROOT)],
                &JOINS,
                &[Step::Wish(ROOT)],
                &JOINS,
            ]),
        ),
        (
            "one-of-them-sleeps",
            story(&[
                &JOINS,
                &[Step::Wait(ROOT, 60_000), Step::WaitUntilDue(ROOT)],
                &JOINS,
            ]),
        ),
    ]
}
