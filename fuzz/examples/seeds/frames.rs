//! Frames: each kind there is, about joins and nodes that the situations know, and some that are none.

use bytes::Bytes;
use overlay_core::wire::{
    self, ClientFrame, LinkFrame, MAX_FRAME, MAX_RECORDS, OverlayName, Registration, ResumeSecret,
    Token, VERSION,
};
use overlay_core::{Epoch, MAX_DEPTH, Path};
use overlay_testkit::fuzz::words::{JoinWord, LinkWord, SELF, ServerWord, id};

use crate::Seed;

pub(crate) fn seeds() -> Vec<Seed> {
    let seeds = links().into_iter().chain(clients());
    let seeds = seeds.chain(servers()).chain(strange());
    seeds.map(|(name, bytes)| (name, bytes.to_vec())).collect()
}

fn links() -> Vec<(&'static str, Bytes)> {
    let join = |word| LinkWord::Join(word);
    let words = [
        ("link-hello-of-a-candidate", LinkWord::Hello(3, 1, 0, 0)),
        ("link-hello-for-another-join", LinkWord::Hello(5, 1, 2, 20)),
        ("link-welcome", LinkWord::Welcome(1, 1, 0)),
        ("link-welcome-from-below", LinkWord::Welcome(SELF, 1, 0)),
        (
            "link-welcome-of-an-older-epoch",
            LinkWord::Welcome(1, 0, 15),
        ),
        ("link-heartbeat", LinkWord::Heartbeat),
        ("link-request", join(JoinWord::Request(0, 1, 2))),
        (
            "link-request-of-the-node-itself",
            join(JoinWord::Request(SELF, 1, 2)),
        ),
        ("link-request-of-a-child", join(JoinWord::Request(2, 2, 0))),
        ("link-move-of-a-child", join(JoinWord::Move(2, 2, 0, 0, 7))),
        (
            "link-move-up-to-the-top",
            join(JoinWord::Move(0, 1, 9, 7, 7)),
        ),
        (
            "link-move-to-nowhere-in-the-name-of-a-waiting-joiner",
            join(JoinWord::Move(6, 1, 0, 0, 0)),
        ),
        (
            "link-move-to-nowhere-in-the-name-of-the-node-itself",
            join(JoinWord::Move(SELF, 2, 0, 0, 0)),
        ),
        ("link-answer-of-a-child", join(JoinWord::Answer(5, 1))),
        (
            "link-candidate-for-a-child",
            join(JoinWord::Candidate(5, 1)),
        ),
        (
            "link-candidate-for-a-waiting-joiner",
            join(JoinWord::Candidate(6, 1)),
        ),
        (
            "link-reject-of-a-child",
            join(JoinWord::Reject(5, 1, 1_000)),
        ),
        ("link-cancel-of-a-candidate", join(JoinWord::Cancel(3, 1))),
        (
            "link-cancel-of-a-waiting-joiner",
            join(JoinWord::Cancel(6, 1)),
        ),
        ("link-status", LinkWord::Status(1, 2)),
        ("link-status-of-a-full-child", LinkWord::Status(1, 0)),
        ("link-moved", LinkWord::Moved(1, 2)),
        ("link-moved-below-the-node-itself", LinkWord::Moved(SELF, 2)),
        ("link-credit", LinkWord::Credit(false, 32_768)),
        ("link-credit-without-end", LinkWord::Credit(true, u32::MAX)),
        ("link-goodbye-leaving", LinkWord::Goodbye(1)),
        ("link-goodbye-closing", LinkWord::Goodbye(0)),
        ("link-goodbye-moved", LinkWord::Goodbye(2)),
        ("link-invite", LinkWord::Invite(0, 7, 7)),
        ("link-invite-of-a-leaf-below", LinkWord::Invite(1, 1, 1)),
        ("link-invite-to-nowhere", LinkWord::Invite(0, 0, 0)),
        ("link-stay", LinkWord::Stay),
        ("link-leaving", LinkWord::Leaving),
        ("link-jump", LinkWord::Jump(1, 2, 1)),
        ("link-direct-empty", LinkWord::Direct(15, 15, 0)),
        ("link-direct", LinkWord::Direct(15, 15, 20)),
        ("link-direct-of-parts", LinkWord::Direct(0, 6, 62_000)),
        ("link-direct-stray", LinkWord::Stray(false, 4)),
        ("link-stalled", LinkWord::Stalled(3)),
        ("link-up", LinkWord::Up(0, 20)),
        ("link-up-by-another", LinkWord::Up(4, 20)),
        ("link-reply", LinkWord::Reply(0, 1, 20)),
        ("link-reply-to-a-child", LinkWord::Reply(5, 1, 20)),
        ("link-replied", LinkWord::Replied(5, 1, true)),
        ("link-ask", LinkWord::Ask(1, 0, 3_000)),
        ("link-answer", LinkWord::Answer(0, 1, 8)),
        ("link-answer-of-nobody", LinkWord::Answer(1, 0, 0)),
        ("link-credit-to-pass", LinkWord::CreditToPass(false, 9_000)),
        ("link-end", LinkWord::Stream(15, 10, 20)),
        ("link-stream", LinkWord::Stream(15, 15, 20)),
        ("link-stream-of-parts", LinkWord::Stream(0, 6, 62_000)),
    ];
    words.map(|(name, word)| (name, word.bytes())).into()
}

fn clients() -> Vec<(&'static str, Bytes)> {
    let hello = |registration| ClientFrame::Hello {
        version: VERSION,
        overlay: OverlayName::new("default").unwrap(),
        id: id(2),
        secret: ResumeSecret::from_bytes([2; 16]),
        registration,
    };
    let token = Token::new("token").unwrap();
    let join = |word: JoinWord| ClientFrame::Join(word.frame());
    let frames = [
        ("client-hello-of-a-joiner", hello(Registration::Joiner)),
        (
            "client-hello-of-a-root",
            hello(Registration::Root {
                token,
                epoch: Epoch(3),
                leads: true,
            }),
        ),
        ("client-ping", ClientFrame::Ping),
        ("client-steps-down", ClientFrame::StepDown { ended: None }),
        ("client-request", join(JoinWord::Request(2, 1, 2))),
        ("client-candidate", join(JoinWord::Candidate(2, 1))),
    ];
    frames
        .iter()
        .map(|(name, frame)| (*name, wire::encode(frame)))
        .collect()
}

fn servers() -> Vec<(&'static str, Bytes)> {
    let join = |word| ServerWord::Join(word);
    let words = [
        ("server-welcome", ServerWord::Welcome(20_000, 0, 1)),
        (
            "server-welcome-without-a-break",
            ServerWord::Welcome(0, 0, 0),
        ),
        (
            "server-welcome-without-end",
            ServerWord::Welcome(u32::MAX, 0, 1),
        ),
        (
            "server-welcome-of-a-standby",
            ServerWord::Welcome(20_000, 1, 2),
        ),
        (
            "server-welcome-of-a-root",
            ServerWord::Welcome(20_000, 2, 3),
        ),
        ("server-promoted", ServerWord::Promoted(3)),
        ("server-refused-superseded", ServerWord::Refused(0, 1_000)),
        ("server-refused-wrong-token", ServerWord::Refused(3, 0)),
        (
            "server-refused-without-end",
            ServerWord::Refused(1, u32::MAX),
        ),
        ("server-pong", ServerWord::Pong),
        ("server-root-ready", ServerWord::RootReady(2)),
        ("server-request", join(JoinWord::Request(0, 1, 2))),
        ("server-answer", join(JoinWord::Answer(SELF, 1))),
        (
            "server-answer-of-the-second-attempt",
            join(JoinWord::Answer(SELF, 2)),
        ),
        ("server-candidate", join(JoinWord::Candidate(SELF, 1))),
        (
            "server-candidate-for-a-candidate",
            join(JoinWord::Candidate(3, 1)),
        ),
        ("server-reject", join(JoinWord::Reject(SELF, 1, 10_002))),
        ("server-reject-for-good", join(JoinWord::Reject(SELF, 1, 0))),
        ("server-cancel-of-a-candidate", join(JoinWord::Cancel(4, 1))),
    ];
    words.map(|(name, word)| (name, word.bytes())).into()
}

fn strange() -> Vec<(&'static str, Bytes)> {
    let deep = (1..=MAX_DEPTH).fold(Path::root(id(100)), |path, _| path.child(id(1)).unwrap());
    let moved = LinkFrame::Moved {
        epoch: Epoch(u64::MAX),
        path: deep,
    };
    let payload = [7; MAX_RECORDS];
    let longest = wire::encode(&LinkFrame::Direct { records: &payload });
    let mut other_version = LinkWord::Hello(3, 1, 0, 0).bytes().to_vec();
    other_version[1] = 2;
    vec![
        ("link-moved-too-deep", wire::encode(&moved)),
        ("none-of-another-version", other_version.into()),
        ("none-cut-off", longest.slice(..longest.len() - 1)),
        ("none-too-long", vec![2; MAX_FRAME + 1].into()),
        (
            "none-with-a-number-of-too-many-bytes",
            vec![6, 0, 0x80, 0].into(),
        ),
        (
            "none-with-a-list-of-four-billion",
            vec![4, 0, 0xff, 0xff, 0xff, 0xff, 0x0f].into(),
        ),
        ("none-empty", Bytes::new()),
    ]
}
