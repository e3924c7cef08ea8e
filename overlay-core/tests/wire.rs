//! What the bytes are, and what bytes are refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use overlay_core::bounded::List;
use overlay_core::wire::*;
use overlay_core::{
    Census, Epoch, IceCandidate, JoinId, MAX_DEPTH, MAX_ICE_CANDIDATE, MAX_SDP, NodeId, Path,
    Position, Sdp, Signal, SlowPolicy, Start,
};
use proptest::prelude::*;

const ID: NodeId = NodeId::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
const ID_BYTES: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const JOIN: JoinId = JoinId {
    origin: ID,
    attempt: 300,
};

fn text(len: usize) -> String {
    "x".repeat(len)
}

fn request(sdp: usize) -> JoinFrame {
    let mut census = Census::of_node(u32::MAX);
    for _ in 0..MAX_DEPTH {
        let mut above = Census::of_node(u32::MAX);
        above.admit(&census);
        census = above;
    }
    JoinFrame::Request(JoinRequest {
        join: JOIN,
        offer: Sdp::new(text(sdp)).unwrap(),
        census,
        hops: u8::MAX,
        waited_ms: u32::MAX,
        kind: JoinKind::Move {
            up: TO_THE_ROOT,
            max_depth: ANY_DEPTH,
        },
        lost: deepest(),
    })
}

fn deepest() -> Path {
    let mut path = Path::root(ID);
    while let Ok(deeper) = path.child(ID) {
        path = deeper;
    }
    path
}

/// One frame of each kind, as long as it may be.
fn link_frames() -> Vec<LinkFrame<'static>> {
    static RECORDS: [u8; MAX_RECORDS] = [7; MAX_RECORDS];
    let rejection = Rejection {
        reason: RejectReason::Loop,
        retry_after_ms: u32::MAX,
    };
    let JoinFrame::Request(JoinRequest { census, .. }) = request(0) else {
        unreachable!()
    };
    let signal = Signal::Answer(Sdp::new(text(MAX_SDP)).unwrap());
    let candidate = Signal::IceCandidate(IceCandidate::new(text(MAX_ICE_CANDIDATE)).unwrap());
    let (version, join, window) = (VERSION, JOIN, u32::MAX);
    let (epoch, path) = (Epoch(u64::MAX), deepest());
    let position = Position {
        root: ID,
        epoch,
        offset: u64::MAX,
    };
    vec![
        LinkFrame::Hello {
            version,
            join,
            window,
            stream_window: window,
            start: Start::At(position),
        },
        LinkFrame::Welcome {
            version,
            id: ID,
            epoch,
            path: path.clone(),
            window,
            position,
            ended: true,
            slow: SlowPolicy::Disconnect,
        },
        LinkFrame::Heartbeat,
        LinkFrame::Join(request(MAX_SDP)),
        LinkFrame::Join(JoinFrame::Signal { join, signal }),
        LinkFrame::Join(JoinFrame::Signal {
            join,
            signal: candidate,
        }),
        LinkFrame::Join(JoinFrame::Reject { join, rejection }),
        LinkFrame::Join(JoinFrame::Cancel { join }),
        LinkFrame::Status {
            seen: u32::MAX,
            census,
        },
        LinkFrame::Moved { epoch, path },
        LinkFrame::Credit {
            lane: Lane::Stream,
            bytes: u32::MAX,
        },
        LinkFrame::Goodbye(GoodbyeReason::Closing),
        LinkFrame::Direct { records: &RECORDS },
        LinkFrame::Stream { records: &RECORDS },
        LinkFrame::Invite(Invitation {
            down: u8::MAX,
            up: u8::MAX,
            max_depth: ANY_DEPTH,
        }),
        LinkFrame::Jump(position),
        LinkFrame::Stay,
        LinkFrame::Leaving,
        LinkFrame::Stalled(Stall {
            node: ID,
            behind: u64::MAX,
            for_ms: u32::MAX,
        }),
        LinkFrame::Routed { records: &RECORDS },
        LinkFrame::Gather { records: &RECORDS },
        LinkFrame::Replied(Replied {
            node: ID,
            tag: u64::MAX,
            arrived: false,
        }),
    ]
}

fn client_hello(registration: Registration) -> ClientFrame {
    ClientFrame::Hello {
        version: VERSION,
        overlay: OverlayName::new("lab").unwrap(),
        id: ID,
        secret: ResumeSecret::from_bytes([9; 16]),
        registration,
    }
}

#[test]
fn the_opening_frames_of_a_link_are_these_bytes() {
    let hello = LinkFrame::Hello {
        version: VERSION,
        join: JOIN,
        window: 0x4000,
        stream_window: 3,
        start: Start::Oldest,
    };
    let expected = [&[0, 4][..], &ID_BYTES, &[0xac, 2], &[0x80, 0x80, 1, 3, 1]].concat();
    assert_eq!(encode(&hello), expected);
    let welcome = LinkFrame::Welcome {
        version: VERSION,
        id: ID,
        epoch: Epoch(2),
        path: Path::root(ID),
        window: 1,
        position: Position {
            root: ID,
            epoch: Epoch(2),
            offset: 7,
        },
        ended: false,
        slow: SlowPolicy::Skip,
    };
    let start = [&[1, 4][..], &ID_BYTES, &[2, 1], &ID_BYTES, &[1]].concat();
    let expected = [&start[..], &ID_BYTES, &[2, 7, 0, 1]].concat();
    assert_eq!(encode(&welcome), expected);
}

#[test]
fn the_opening_frames_of_a_client_are_these_bytes() {
    let start = [&[0, 4, 3][..], b"lab", &ID_BYTES, &[9; 16]].concat();
    let joiner = client_hello(Registration::Joiner);
    assert_eq!(encode(&joiner), [&start[..], &[0]].concat());
    let token = Token::new("key").unwrap();
    let root = client_hello(Registration::Root {
        token,
        epoch: Epoch(200),
        leads: true,
    });
    let end = [&[1, 3][..], b"key", &[200, 1, 1]].concat();
    assert_eq!(encode(&root), [&start[..], &end].concat());
}

#[test]
fn the_opening_frames_of_a_server_are_these_bytes() {
    let welcome = ServerFrame::Welcome {
        version: VERSION,
        keepalive_ms: 300,
        role: ClientRole::Root,
        epoch: Epoch(200),
        lease_ms: 3,
    };
    assert_eq!(encode(&welcome), [0, 4, 0xac, 2, 2, 200, 1, 3][..]);
    let refused = ServerFrame::Refused {
        version: VERSION,
        refusal: Refusal::WrongToken,
        retry_after_ms: 5,
    };
    assert_eq!(encode(&refused), [1, 4, 1, 5][..]);
}

#[test]
fn the_longest_frame_of_each_kind_fits_and_comes_back_as_it_was() {
    for frame in link_frames() {
        let bytes = encode(&frame);
        assert!(bytes.len() <= MAX_FRAME, "{} bytes", bytes.len());
        assert_eq!(decode(&bytes), Ok(frame));
    }
    let frame = ClientFrame::Join(request(MAX_SDP));
    assert_eq!(decode(&encode(&frame)), Ok(frame));
    let frame = ServerFrame::Join(request(MAX_SDP));
    assert_eq!(decode(&encode(&frame)), Ok(frame));
}

#[test]
fn a_frame_that_is_cut_short_or_has_something_behind_it_is_none() {
    for frame in link_frames() {
        let mut bytes = encode(&frame).to_vec();
        for len in 0..bytes.len().min(200) {
            let cut = decode::<LinkFrame<'_>>(&bytes[..len]);
            assert_eq!(cut, Err(WireError::Malformed), "{len} bytes of {frame:?}");
        }
        bytes.push(0);
        assert!(decode::<LinkFrame<'_>>(&bytes).is_err());
    }
}

#[test]
fn a_frame_that_is_too_long_is_refused_unread() {
    let bytes = vec![0xff; MAX_FRAME + 1];
    let too_long = WireError::TooLong(MAX_FRAME + 1);
    assert_eq!(decode::<LinkFrame<'_>>(&bytes), Err(too_long));
    assert_eq!(decode::<ServerFrame>(&bytes), Err(too_long));
}

#[test]
fn a_number_in_more_bytes_than_it_needs_is_refused() {
    for overlong in [
        &[0x82, 0][..],
        &[6, 0, 0x81, 0],
        &[0, 0x84, 0],
        &[0x80, 0, 4],
    ] {
        let frame = decode::<LinkFrame<'_>>(overlong);
        assert_eq!(frame, Err(WireError::Malformed), "{overlong:?}");
    }
    assert_eq!(
        decode::<LinkFrame<'_>>(&[6, 0, 1]),
        Ok(LinkFrame::Credit {
            lane: Lane::Direct,
            bytes: 1
        })
    );
}

#[test]
fn text_and_lists_past_their_limit_are_refused() {
    let long = LinkFrame::Join(JoinFrame::Signal {
        join: JOIN,
        signal: Signal::IceCandidate(IceCandidate::new(text(MAX_ICE_CANDIDATE)).unwrap()),
    });
    let mut bytes = encode(&long).to_vec();
    // The length comes before the text; one byte more of each.
    let at = bytes.len() - MAX_ICE_CANDIDATE - 2;
    assert_eq!(bytes[at..at + 2], [0x80, 4]);
    bytes[at] += 1;
    bytes.push(b'x');
    assert_eq!(decode::<LinkFrame<'_>>(&bytes), Err(WireError::Malformed));
    let levels: List<u32, { MAX_DEPTH + 2 }> = List::new(vec![1; MAX_DEPTH + 2]).unwrap();
    let deep = encode(&(4_u8, 0_u8, levels.clone(), levels));
    assert_eq!(decode::<LinkFrame<'_>>(&deep), Err(WireError::Malformed));
}

#[test]
fn another_version_is_named_whatever_follows_it() {
    let other = [0, 5, 0xde, 0xad];
    let error = WireError::Version(VERSION + 1);
    assert_eq!(decode::<LinkFrame<'_>>(&other), Err(error));
    assert_eq!(decode::<ClientFrame>(&other), Err(error));
    assert_eq!(decode::<ServerFrame>(&other), Err(error));
}

#[test]
fn secrets_are_not_printed() {
    let token = Token::new("hunter2").unwrap();
    let text = format!(
        "{:?}",
        client_hello(Registration::Root {
            token,
            epoch: Epoch(0),
            leads: false,
        })
    );
    assert!(!text.contains("hunter2") && !text.contains("[9"), "{text}");
}

/// What decodes is canonical.
fn comes_back_as_it_was(bytes: &[u8]) {
    if let Ok(frame) = decode::<LinkFrame<'_>>(bytes) {
        assert_eq!(encode(&frame), bytes);
    }
    if let Ok(frame) = decode::<ClientFrame>(bytes) {
        assert_eq!(encode(&frame), bytes);
    }
    if let Ok(frame) = decode::<ServerFrame>(bytes) {
        assert_eq!(encode(&frame), bytes);
    }
}

#[test]
fn the_longest_header_is_no_longer_than_they_say() {
    let reply = Reply {
        way: deepest(),
        tag: u64::MAX,
    };
    let message = behind(&reply, b"payload");
    assert!(message.len() <= MAX_HEADER + 7, "{}", message.len());
    let (header, payload) = split::<Reply>(&message).unwrap();
    assert_eq!((header, &payload[..]), (reply, &b"payload"[..]));
    assert_eq!(split::<Reply>(&message.slice(..20)), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        comes_back_as_it_was(&bytes);
    }

    #[test]
    fn a_frame_with_some_bytes_changed_is_another_one_or_none(
        which in 0..link_frames().len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&link_frames()[which]).to_vec();
        bytes.truncate(200);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        comes_back_as_it_was(&bytes);
    }
}
