//! How much memory a node takes: `cargo bench -p overlay-core`.
//!
//! Exact and the same in every run, because it counts the bytes that the allocator is asked for.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use overlay_core::wire::{
    self, ClientRole, JoinFrame, JoinRequest, LinkFrame, ServerFrame, VERSION,
};
use overlay_core::{
    Action, BootstrapId, Census, Config, Epoch, Event, EventKind, Instant, JoinId, LinkId, Node,
    NodeId, Path, Sdp, Signal,
};

/// The system's allocator, counted.
struct Counted;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counted = Counted;

#[allow(unsafe_code, reason = "passes everything on to the system's allocator")]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

fn main() {
    measured("a detached node", detached);
    let member = measured("a leaf below a parent", member);
    let inner = measured("a node with ten children", || {
        let mut node = self::member();
        (0..10).for_each(|number| adopt(&mut node, number));
        node
    });
    println!("{} for each child", (inner - member) / 10);
    // A simulation of a million nodes shall fit into a small machine's memory.
    assert!(member < 2 * 1024, "a leaf takes less than 2 KiB");
}

/// Prints what a node takes, on the stack and on the heap.
fn measured(what: &str, make: impl Fn() -> Node) -> usize {
    // What is allocated once and for all is allocated now.
    drop(make());
    let before = HELD.load(Relaxed);
    let node = make();
    let heap = HELD.load(Relaxed) - before;
    let bytes = size_of_val(&node) + heap;
    println!("{what}: {bytes} bytes, {heap} of them on the heap");
    bytes
}

fn detached() -> Node {
    Node::new(id(1000), Config::default(), [7; 32]).unwrap()
}

/// A node six levels below the root, as in a tree of a million nodes.
fn member() -> Node {
    let mut node = detached();
    let server = match tell(&mut node, EventKind::Join)[..] {
        [Action::ConnectBootstrap(server)] => server,
        ref other => unreachable!("{other:?}"),
    };
    tell(&mut node, EventKind::BootstrapOpened(server));
    let welcome = ServerFrame::Welcome {
        version: VERSION,
        keepalive_ms: 10_000,
        role: ClientRole::Joiner,
        epoch: Epoch(1),
        lease_ms: 8_000,
    };
    let link = opened(&server_says(&mut node, server, &welcome));
    tell(&mut node, EventKind::LinkOffer(link, sdp()));
    let join = own_join(&node);
    let answer = JoinFrame::Signal {
        join,
        signal: Signal::Answer(sdp()),
    };
    server_says(&mut node, server, &ServerFrame::Join(answer));
    tell(&mut node, EventKind::LinkOpened(link));
    let above = (1..6).fold(Path::root(id(0)), |path, depth| {
        path.child(id(depth)).unwrap()
    });
    let welcome = LinkFrame::Welcome {
        version: VERSION,
        id: id(5),
        epoch: Epoch(1),
        path: above,
        window: Config::default().window,
        position: overlay_core::wire::StreamPosition {
            root: id(0),
            epoch: Epoch(1),
            next: 1,
        },
    };
    link_says(&mut node, link, &welcome);
    settle(&mut node);
    node
}

/// A child joins through the parent.
fn adopt(node: &mut Node, number: u128) {
    let parent = node.parent().unwrap().link;
    let join = JoinId {
        origin: id(2000 + number),
        attempt: 1,
    };
    let request = JoinRequest {
        join,
        offer: sdp(),
        census: Census::of_node(10),
        hops: 5,
        waited_ms: 0,
        kind: overlay_core::wire::JoinKind::Introduced,
        lost: overlay_core::Path::default(),
    };
    let frame = LinkFrame::Join(JoinFrame::Request(request));
    let link = opened(&link_says(node, parent, &frame));
    tell(node, EventKind::LinkOpened(link));
    let hello = LinkFrame::Hello {
        version: VERSION,
        join,
        window: Config::default().window,
    };
    link_says(node, link, &hello);
    settle(node);
}

fn tell(node: &mut Node, kind: EventKind) -> Vec<Action> {
    node.handle_input(Event::new(Instant::from_millis(1_000), kind))
}

fn server_says(node: &mut Node, server: BootstrapId, frame: &ServerFrame) -> Vec<Action> {
    tell(
        node,
        EventKind::BootstrapMessage(server, wire::encode(frame)),
    )
}

fn link_says(node: &mut Node, link: LinkId, frame: &LinkFrame<'_>) -> Vec<Action> {
    let bytes: Bytes = wire::encode(frame);
    tell(node, EventKind::LinkMessage(link, bytes))
}

/// Lets the node report what it has to.
fn settle(node: &mut Node) {
    let due = node.next_deadline().unwrap();
    let _ = node.handle_input(Event::new(due, EventKind::Timeout));
}

fn opened(actions: &[Action]) -> LinkId {
    let opened = actions.iter().find_map(|action| match action {
        Action::OpenLink(link, _) => Some(*link),
        _ => None,
    });
    opened.unwrap()
}

fn own_join(node: &Node) -> JoinId {
    JoinId {
        origin: node.id(),
        attempt: 1,
    }
}

fn id(number: u128) -> NodeId {
    NodeId::from_u128(number)
}

fn sdp() -> Sdp {
    Sdp::new("v=0").unwrap()
}
