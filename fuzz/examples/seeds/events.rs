//! The life of one node.

use overlay_testkit::fuzz::node_events::{LinkEvent, Opening, Role, Step, Wish};
use overlay_testkit::fuzz::vocabulary::write;
use overlay_testkit::fuzz::words::{JoinWord, LinkWord, ServerWord};

use crate::Seed;

const fn opening(role: Role) -> Opening {
    Opening {
        role,
        degree: 2,
        parked: 2,
        early: 2,
        routes: 4,
        request: 29,
        settle_timeout: 1,
        park: 9,
        queue: 1,
        hash: false,
    }
}

#[allow(clippy::too_many_lines, reason = "a list")]
pub(crate) fn seeds() -> Vec<Seed> {
    let asks = |node| Step::Join(JoinWord::Request(node, 1, 2));
    let goes_on = Step::LinkGoesOn;
    let joins = [
        Step::Wish(Wish::Join),
        Step::ServerGoesOn,
        Step::ServerGoesOn,
    ];
    // Three steps make a child of the first of the open links.
    let child = |node, at| [asks(node), goes_on(at), goes_on(at), goes_on(at)];
    let dial = [goes_on(0); 4];
    vec![
        (
            "a-node-joins",
            write(&opening(Role::Detached), &[&joins[..], &dial].concat()),
        ),
        (
            "the-server-is-not-there",
            write(
                &opening(Role::Detached),
                &[
                    &joins[..1],
                    &[
                        Step::ServerClosed(0),
                        Step::WaitUntilDue,
                        Step::WaitUntilDue,
                    ],
                    &[Step::Server(1, ServerWord::Refused(3, 0))],
                ]
                .concat(),
            ),
        ),
        (
            "a-join-is-rejected-and-tried-again",
            write(
                &opening(Role::Detached),
                &[
                    &joins[..],
                    &[goes_on(0), Step::Join(JoinWord::Reject(7, 1, 5_002))],
                    &[Step::WaitUntilDue; 3],
                ]
                .concat(),
            ),
        ),
        (
            "a-root-takes-children-and-broadcasts",
            write(
                &opening(Role::Root),
                &[
                    &child(2, 0)[..],
                    &child(3, 1),
                    &[Step::Wish(Wish::Broadcast(62_000)); 5],
                    &[
                        Step::Word(0, LinkWord::Credit(true, 40_000)),
                        Step::Word(1, LinkWord::Credit(true, 40_000)),
                    ],
                    &[Step::Wish(Wish::Leave), Step::Word(0, LinkWord::Goodbye(1))],
                ]
                .concat(),
            ),
        ),
        (
            "a-root-replies-and-asks",
            write(
                &opening(Role::Root),
                &[
                    &child(2, 0)[..],
                    &child(3, 1),
                    &[
                        Step::Word(0, LinkWord::Up(0, 20)),
                        Step::Word(1, LinkWord::Up(4, 30)),
                        Step::Wish(Wish::Reply(0, 1, 20)),
                        Step::Wish(Wish::Reply(8, 2, 62_000)),
                        Step::Word(0, LinkWord::Replied(2, 1, true)),
                        Step::Wish(Wish::Ask(0, 0, 5_000)),
                        Step::Word(0, LinkWord::Answer(0, 0, 0)),
                        Step::Word(1, LinkWord::Answer(0, 1, 8)),
                    ],
                    &[Step::Wait(6_000), Step::Link(1, LinkEvent::Closed)],
                ]
                .concat(),
            ),
        ),
        (
            "a-member-passes-on",
            write(
                &opening(Role::Member),
                &[
                    &child(2, 1)[..],
                    &[
                        Step::Word(0, LinkWord::Ask(1, 5, 3_000)),
                        Step::Wish(Wish::Answer(1, 8)),
                        Step::Word(1, LinkWord::Answer(1, 1, 8)),
                        Step::Wish(Wish::Combined(1, 9)),
                        Step::Word(1, LinkWord::Up(0, 62_000)),
                        Step::Wish(Wish::SendUp(40)),
                        Step::Word(0, LinkWord::Reply(2, 3, 20)),
                        Step::Word(0, LinkWord::Reply(0, 4, 20)),
                        Step::Word(0, LinkWord::CreditToPass(false, 60_000)),
                    ],
                    &[Step::Wait(5_000), Step::Wish(Wish::CancelSendUp)],
                ]
                .concat(),
            ),
        ),
        (
            "a-crowd-waits-for-a-candidate-that-fails",
            write(
                &opening(Role::Root),
                &[
                    &[asks(2), asks(3), asks(4), asks(5), asks(6)][..],
                    &[Step::Join(JoinWord::Candidate(4, 1)), Step::Wait(3_000)],
                    &[Step::Link(0, LinkEvent::Closed)],
                    &[goes_on(0), goes_on(0), goes_on(0)],
                    &[Step::Join(JoinWord::Cancel(5, 1)), Step::Jump(40)],
                ]
                .concat(),
            ),
        ),
        (
            "a-member-loses-its-parent-and-comes-back-with-a-child",
            write(
                &opening(Role::Member),
                &[
                    &child(2, 1)[..],
                    &[Step::Link(0, LinkEvent::Closed), Step::WaitUntilDue],
                    &[Step::ServerGoesOn, Step::ServerGoesOn],
                    &[goes_on(1), goes_on(1), goes_on(1), goes_on(1)],
                    &[
                        Step::Word(1, LinkWord::Stream(15, 15, 20)),
                        Step::Consume(0),
                    ],
                ]
                .concat(),
            ),
        ),
        (
            "a-member-is-invited-and-moves-with-a-child",
            write(
                &opening(Role::Member),
                &[
                    &child(2, 1)[..],
                    &[Step::Word(0, LinkWord::Invite(0, 1, 7))],
                    &[goes_on(2), goes_on(2), goes_on(2), goes_on(2)],
                    &[Step::WaitUntilDue; 3],
                ]
                .concat(),
            ),
        ),
        (
            "a-child-moves-up-another-stays-and-the-last-leaves",
            write(
                &opening(Role::Root),
                &[
                    &child(2, 0)[..],
                    &child(3, 1),
                    &[
                        Step::Word(0, LinkWord::Status(0, 29)),
                        Step::Word(1, LinkWord::Status(0, 2)),
                        Step::Word(1, LinkWord::Stay),
                        Step::Word(0, LinkWord::Join(JoinWord::Move(4, 1, 0, 0, 1))),
                        Step::Word(1, LinkWord::Leaving),
                        Step::Word(1, LinkWord::Goodbye(1)),
                        goes_on(1),
                        goes_on(1),
                        goes_on(1),
                    ],
                    &[Step::WaitUntilDue; 3],
                ]
                .concat(),
            ),
        ),
        (
            "a-member-hears-forged-frames-and-garbage",
            write(
                &opening(Role::Member),
                &[
                    Step::Forged(0, LinkWord::Moved(1, 2), 3, 0x80),
                    Step::ClockBack(50_000),
                    Step::Garbage(0, 0x0707_0707),
                    Step::Jump(u64::MAX),
                    Step::Huge(255),
                ],
            ),
        ),
        (
            "a-member-falls-asleep-and-wakes",
            write(
                &opening(Role::Member),
                &[
                    &child(2, 1)[..],
                    &[Step::Jump(100_000), goes_on(0), goes_on(1)],
                    &[Step::WaitUntilDue; 6],
                ]
                .concat(),
            ),
        ),
    ]
}
