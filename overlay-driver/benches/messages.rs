//! Figures of messages through trees on loopback, on Linux, beside bare links with the same tuning:
//! `cargo bench -p overlay-driver -- messages`.
#![allow(
    clippy::cast_precision_loss,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

#[allow(dead_code)]
#[path = "../tests/link/harness.rs"]
mod harness;

mod figures;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use overlay_core::bootstrap::{self, Access};
use overlay_driver::link::{Dialer, LinkConfig};
use overlay_driver::{
    Builder, Event, Events, Node, Notification, Server, ServerConfig, random_token,
};

use tokio::runtime::Runtime;

use figures::{cpu_seconds, cpu_seconds_of};
use harness::{Side, Tokio, on_tokio, pair};

/// The bytes that each throughput is measured with.
const BYTES: usize = 256 * 1024 * 1024;

fn main() {
    if std::env::args().any(|argument| argument == "messages") {
        on_tokio(measure());
    }
}

async fn measure() {
    let parts: Vec<String> = std::env::args().collect();
    let all = !PARTS
        .iter()
        .any(|part| parts.iter().any(|wanted| wanted == part));
    let wanted = |part: &str| all || parts.iter().any(|wanted| wanted == part);
    if wanted("sizes") {
        println!("to a neighbour, beside a bare link:");
        for size in [100, 1024, 16 * 1024, 1024 * 1024] {
            beside_a_link(size).await;
        }
    }
    if wanted("broadcasts") {
        println!("broadcasts of 100 B, each awaited:");
        for nodes in [1, 10] {
            broadcasts(nodes).await;
        }
    }
    if wanted("latency") {
        println!("100 B on each of 100 bare links, until the last has it:");
        bare_latency(100).await;
        println!("a broadcast of 100 B to 100 nodes of degree 10, until the last has it:");
        latency(100).await;
    }
}

/// What is measured, if not everything: `-- messages latency`.
const PARTS: [&str; 3] = ["sizes", "broadcasts", "latency"];

/// The name of the threads that run all nodes but the root.
const MEMBERS: &str = "members";

/// A tree of nodes on one dialer.
struct Tree {
    /// Runs the members if their processor time is to be told from the root's.
    threads: Option<Runtime>,
    server: Server,
    root: Node,
    root_events: Option<Events>,
    members: Vec<(Node, Option<Events>)>,
}

impl Tree {
    async fn grow(nodes: usize) -> Self {
        Self::grow_on(nodes, None).await
    }

    /// A tree whose members run on threads of their own.
    async fn apart(nodes: usize) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(MEMBERS)
            .enable_all()
            .build()
            .unwrap();
        Self::grow_on(nodes, Some(threads)).await
    }

    async fn grow_on(nodes: usize, threads: Option<Runtime>) -> Self {
        let token = random_token().unwrap();
        let access = Access::default().any_overlay(token.clone());
        let config = ServerConfig::new(bootstrap::Config::new(access));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(Arc::new(Tokio), address, config).unwrap();
        let builder = Builder::new(Arc::new(Tokio))
            .server(format!("ws://{}", server.local_addr()).parse().unwrap())
            .dialer(Dialer::new(&Tokio, LinkConfig::loopback()).unwrap());
        let (root, mut events) = builder.clone().spawn().unwrap();
        root.become_root(token).await;
        until(&mut events, |news| {
            matches!(news, Notification::Promoted { .. })
        })
        .await;
        let mut members = Vec::new();
        for _ in 0..nodes {
            let (node, mut events) = {
                let _members = threads.as_ref().map(Runtime::enter);
                builder.clone().spawn().unwrap()
            };
            node.join().await;
            until(&mut events, |news| {
                matches!(news, Notification::ParentConnected { .. })
            })
            .await;
            members.push((node, Some(events)));
        }
        Self {
            threads,
            server,
            root,
            root_events: Some(events),
            members,
        }
    }

    /// Each member takes what comes; the counter has the messages of all.
    fn listen(&mut self) -> Arc<AtomicUsize> {
        let taken = Arc::new(AtomicUsize::new(0));
        let all = self.members.iter_mut().map(|(_, events)| events);
        for events in all.chain([&mut self.root_events]) {
            let (mut events, taken) = (events.take().unwrap(), Arc::clone(&taken));
            let _members = self.threads.as_ref().map(Runtime::enter);
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    if let Event::Message(_) = event {
                        taken.fetch_add(1, Ordering::Release);
                    }
                }
            });
        }
        taken
    }

    async fn fell(self) {
        drop(self.members);
        drop(self.root);
        self.server.shut_down().await;
        if let Some(threads) = self.threads {
            threads.shutdown_background();
        }
    }
}

async fn until(events: &mut Events, wanted: impl Fn(&Notification) -> bool) {
    while let Some(event) = events.next().await {
        if matches!(&event, Event::Node(news) if wanted(news)) {
            return;
        }
    }
    panic!("the node has ended");
}

async fn reaches(taken: &AtomicUsize, count: usize) {
    while taken.load(Ordering::Acquire) < count {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

/// Rounds in which a tree and a bare link take turns, so that a busy machine slows both.
const TURNS: usize = 7;

/// Sends messages to a neighbour, many at a time, and as many bytes through a bare link in the frames that it takes.
async fn beside_a_link(size: usize) {
    let bytes = if size < 1024 { BYTES / 16 } else { BYTES } / TURNS;
    let count = bytes / size;
    let mut tree = Tree::grow(1).await;
    let taken = tree.listen();
    let link = pair(&Dialer::new(&Tokio, LinkConfig::loopback()).unwrap()).await;
    let (mut rates, mut bare_rates, mut ratios, mut used) = (vec![], vec![], vec![], 0.0);
    for turn in 0..TURNS {
        let cpu = cpu_seconds();
        let rate = bytes as f64 / tree.sends(size, count, &taken, turn * count).await;
        used += cpu_seconds() - cpu;
        let bare = bytes as f64 / bare(&link, size.min(16 * 1024), bytes).await;
        rates.push(rate);
        bare_rates.push(bare);
        ratios.push(rate / bare);
    }
    tree.fell().await;
    println!(
        "  {size:>8} B: {:.0} MB/s, a bare link {:.0} MB/s: {:.2} ({:.2} to {:.2}); {:.2} µs CPU a message",
        median(&mut rates) / 1e6,
        median(&mut bare_rates) / 1e6,
        median(&mut ratios),
        ratios[0],
        ratios[TURNS - 1],
        1e6 * used / (count * TURNS) as f64,
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Tree {
    /// The root sends its child so many messages, 64 at a time. Returns the seconds until the child has taken them.
    async fn sends(&self, size: usize, count: usize, taken: &AtomicUsize, before: usize) -> f64 {
        let to = self.members[0].0.id();
        let payload = Bytes::from(vec![7; size]);
        let start = Instant::now();
        let senders = (0..64.min(count)).map(|first| {
            let (node, payload) = (self.root.clone(), payload.clone());
            tokio::spawn(async move {
                for _ in (first..count).step_by(64) {
                    node.send(to, payload.clone()).await.unwrap();
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        reaches(taken, before + count).await;
        let time = start.elapsed().as_secs_f64();
        for sender in senders {
            sender.await.unwrap();
        }
        time
    }
}

/// Seconds that so many bytes take through a bare link, in frames of this size.
async fn bare((one, other): &(Side, Side), size: usize, bytes: usize) -> f64 {
    // Most bytes in flight, as if limited by credit; and of small frames, most frames.
    let window = (512 * 1024).min(512 * size);
    let frame = Bytes::from(vec![7; size]);
    let start = Instant::now();
    for sent in 0..(bytes + window) / size {
        if sent < bytes / size {
            one.link.send(frame.clone());
        }
        if sent >= window / size {
            other.message().await;
        }
    }
    start.elapsed().as_secs_f64()
}

async fn broadcasts(nodes: usize) {
    let count = 1_000_000 / nodes;
    let mut tree = Tree::apart(nodes).await;
    let taken = tree.listen();
    let payload = Bytes::from(vec![7; 100]);
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let members = cpu_seconds_of(MEMBERS);
    let root = tree.root.clone();
    let sender = tokio::spawn(async move {
        for _ in 0..count {
            root.broadcast(payload.clone()).await.unwrap();
        }
    });
    sender.await.unwrap();
    reaches(&taken, count * nodes).await;
    let (time, used) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let at_leaves = cpu_seconds_of(MEMBERS) - members;
    let each = 1e6 / (count * nodes) as f64;
    println!(
        "  to {nodes:>3}: {:.0} a second; {:.2} µs CPU a delivery, {:.2} of it at the leaf",
        count as f64 / time,
        each * used,
        each * at_leaves,
    );
    tree.fell().await;
}

/// Broadcasts that each latency is measured with.
const ROUNDS: usize = 500;

async fn latency(nodes: usize) {
    let mut tree = Tree::grow(nodes).await;
    let (last, lasts) = async_channel::unbounded();
    let taken = Arc::new(AtomicUsize::new(0));
    for (_, events) in &mut tree.members {
        let (mut events, taken, last) = (events.take().unwrap(), Arc::clone(&taken), last.clone());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::Message(_) = event
                    && (taken.fetch_add(1, Ordering::AcqRel) + 1).is_multiple_of(nodes)
                {
                    let _ = last.try_send(());
                }
            }
        });
    }
    rounds(nodes, async || {
        tree.root.broadcast(vec![7; 100]).await.unwrap();
        lasts.recv().await.unwrap();
    })
    .await;
    tree.fell().await;
}

/// The same bytes over as many links as a broadcast to that many nodes takes, without a tree: all at once.
async fn bare_latency(links: usize) {
    let dialer = Dialer::new(&Tokio, LinkConfig::loopback()).unwrap();
    let mut pairs = Vec::new();
    for _ in 0..links {
        pairs.push(pair(&dialer).await);
    }
    rounds(links, async || {
        for (one, _) in &pairs {
            one.link.send(Bytes::from(vec![7; 100]));
        }
        for (_, other) in &pairs {
            other.message().await;
        }
    })
    .await;
}

/// Measures what is to bring one message to each of so many nodes.
async fn rounds(nodes: usize, bring: impl AsyncFn()) {
    let mut times = Vec::new();
    let cpu = cpu_seconds();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        bring().await;
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "  p50 {:.1?}, p99 {:.1?}; {:.2} µs CPU a delivery",
        at(50),
        at(99),
        1e6 * (cpu_seconds() - cpu) / (ROUNDS * nodes) as f64
    );
}
