//! How much memory a node takes: `cargo bench -p overlay-core`.
//!
//! Exact and the same in every run, because it counts the bytes that the allocator is asked for.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use overlay_core::wire::{JoinFrame, JoinRequest, LinkFrame};
use overlay_core::{Config, Epoch, EventKind, Node, Path};
use overlay_testkit::Solo;
use overlay_testkit::actions::opened;
use overlay_testkit::frames::{hello, id, join_of, request, welcome};

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
    let member = measured("a leaf below a parent", || self::member().node);
    let inner = measured("a node with ten children", || {
        let mut solo = self::member();
        (2000..2010).for_each(|number| adopt(&mut solo, number));
        solo.node
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
    Solo::new(Config::default()).node
}

/// A node six levels below the root, as in a tree of a million nodes.
fn member() -> Solo {
    let mut solo = Solo::new(Config::default());
    solo.event(EventKind::Join);
    let link = opened(&solo.registered())[0];
    solo.dial(link);
    let above = (1..6).fold(Path::root(id(0)), |path, depth| {
        path.child(id(depth)).unwrap()
    });
    solo.says(link, &welcome(Epoch(1), above));
    settle(&mut solo);
    solo
}

/// A child joins through the parent.
fn adopt(solo: &mut Solo, number: u128) {
    let parent = solo.node.parent().unwrap().link;
    let request = JoinRequest {
        hops: 5,
        ..request(join_of(number), 10)
    };
    let request = LinkFrame::Join(JoinFrame::Request(request));
    let link = opened(&solo.says(parent, &request))[0];
    solo.event(EventKind::LinkOpened(link));
    solo.says(link, &hello(join_of(number), Config::default().window));
    settle(solo);
}

/// Lets the node report what it has to.
fn settle(solo: &mut Solo) {
    solo.now = solo.node.next_deadline().unwrap();
    solo.event(EventKind::Timeout);
}
