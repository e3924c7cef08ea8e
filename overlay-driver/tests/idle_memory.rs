//! Memory of what does nothing. Alone in its process, because it counts what the process allocates.
#![allow(
    unsafe_code,
    reason = "an allocator that counts can't be written without"
)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use overlay_driver::core::bootstrap::{self, Access};
use overlay_driver::core::wire::{self, ClientFrame, Registration, ResumeSecret, VERSION};
use overlay_driver::{
    Event, LinkConfig, NodeId, Notification, OverlayName, Server, ServerConfig, random_token,
};
use tokio::runtime::Runtime;

/// The most bytes for a client that is connected and does nothing. Measured: 13,000. A queue whose slots were all
/// allocated at once took 162,000 more.
const MOST_OF_A_CLIENT: usize = 16 * 1024;

/// The most bytes for a node that waits for a root, together with its server's for it. Measured: 61,000.
const MOST_OF_A_NODE: usize = 80 * 1024;

/// One claim at a time: the other's allocations would count.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn an_idle_client_costs_no_queue() {
    let _alone = ALONE.lock();
    let (allocated, _) = cost_of_clients(300);
    assert!(allocated < MOST_OF_A_CLIENT, "{allocated} bytes a client");
}

#[test]
#[ignore = "measures: needs 10,000 open files"]
fn five_thousand_idle_clients() {
    let _alone = ALONE.lock();
    let (allocated, resident) = cost_of_clients(5_000);
    println!("a client: {allocated} bytes allocated, {resident} bytes resident");
}

#[test]
fn a_node_that_waits_for_a_root_costs_no_queue() {
    let _alone = ALONE.lock();
    let runtime = runtime();
    let _context = runtime.enter();
    let server = server(100);
    let dialer = overlay_tokio::dialer(LinkConfig::loopback()).unwrap();
    let node = || {
        let url = format!("ws://{}", server.local_addr()).parse().unwrap();
        let (node, mut events) = overlay_tokio::node()
            .server(url)
            .dialer(dialer.clone())
            .spawn()
            .unwrap();
        runtime.block_on(async {
            node.join().await;
            let ready = Event::Node(Notification::BootstrapReady);
            while format!("{:?}", events.next().await.unwrap()) != format!("{ready:?}") {}
        });
        (node, events)
    };
    let _warm_up: Vec<_> = (0..10).map(|_| node()).collect();
    let before = ALLOCATED.load(Ordering::Relaxed);
    let _nodes: Vec<_> = (0..50).map(|_| node()).collect();
    let allocated = (ALLOCATED.load(Ordering::Relaxed) - before) / 50;
    println!("a node: {allocated} bytes allocated");
    assert!(allocated < MOST_OF_A_NODE, "{allocated} bytes a node");
}

/// The bytes, allocated and resident, that each of `count` idle clients costs the server.
fn cost_of_clients(count: u128) -> (usize, usize) {
    let runtime = runtime();
    let _context = runtime.enter();
    let server = server(usize::try_from(count).unwrap() + 100);
    let _warm_up: Vec<_> = (1..100).map(|id| client(&server, id)).collect();
    let before = (ALLOCATED.load(Ordering::Relaxed), resident());
    // Sockets alone: on this side nothing is allocated for them.
    let clients: Vec<_> = (0..count).map(|id| client(&server, 1_000 + id)).collect();
    let after = (ALLOCATED.load(Ordering::Relaxed), resident());
    let each = |total: usize| total / clients.len();
    let cost = (each(after.0 - before.0), each(after.1 - before.1));
    println!("a client: {} bytes allocated, {} resident", cost.0, cost.1);
    cost
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn server(clients: usize) -> Server {
    let access = Access::default().any_overlay(random_token().unwrap());
    let mut limits = bootstrap::Config::new(access);
    limits.max_connections_per_source = clients;
    limits.max_pending_joins = clients;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    overlay_tokio::serve(address, ServerConfig::new(limits)).unwrap()
}

/// A joiner that the server has welcomed, and that says nothing more.
fn client(server: &Server, id: u128) -> TcpStream {
    let mut socket = TcpStream::connect(server.local_addr()).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut end = [0; 4];
    while end != *b"\r\n\r\n" {
        end.rotate_left(1);
        socket.read_exact(&mut end[3..]).unwrap();
    }
    let hello: Bytes = wire::encode(&ClientFrame::Hello {
        version: VERSION,
        overlay: OverlayName::new("default").unwrap(),
        id: NodeId::from_u128(id),
        secret: ResumeSecret::from_bytes([7; 16]),
        registration: Registration::Joiner,
    });
    // A whole binary message, whose mask of zeros leaves it as it is.
    let mut frame = vec![0x82, 0x80 | u8::try_from(hello.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(hello);
    socket.write_all(&frame).unwrap();
    socket.read_exact(&mut [0; 2]).unwrap();
    socket
}

fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_usize) * 4096
}

/// Bytes that are allocated and not freed.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is the system's allocator's work, and to count allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) };
    }
}
