//! Figures of links on loopback, on Linux: `cargo bench -p overlay-driver [-- tokio|smol]`. With `messages` others are asked for.
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

#[allow(dead_code)]
mod figures;

use std::fs;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use overlay_driver::link::{Dialer, LinkConfig};

use figures::cpu_seconds;
use harness::{Smol, Tokio, on_tokio, pair, pause};

fn main() {
    if std::env::args().any(|argument| argument == "messages") {
        return;
    }
    let mut arguments = std::env::args();
    let only = arguments.find(|argument| argument == "tokio" || argument == "smol");
    let runs = |name| only.as_deref().is_none_or(|only| only == name);
    let config = LinkConfig::loopback();
    if runs("tokio") {
        println!("tokio");
        on_tokio(measure(Dialer::new(&Tokio, config.clone()).unwrap()));
    }
    if runs("smol") {
        println!("smol");
        smol::block_on(measure(Dialer::new(&Smol, config).unwrap()));
    }
}

async fn measure(dialer: Dialer) {
    many_at_once(&dialer, 100).await;
    many_at_once(&dialer, 500).await;
    one_by_one(&dialer).await;
    throughput(&dialer, 16 * 1024).await;
    throughput(&dialer, 1024).await;
}

async fn many_at_once(dialer: &Dialer, count: u32) {
    let (start, cpu, memory) = (Instant::now(), cpu_seconds(), resident());
    let one = async || {
        let sides = pair(dialer).await;
        (start.elapsed(), sides)
    };
    let pairs = join_all((0..count).map(|_| one())).await;
    let cpu = cpu_seconds() - cpu;
    println!(
        "  {count} pairs at once: {}; {:.1} ms CPU each",
        spread(pairs.iter().map(|(time, _)| *time)),
        1e3 * cpu / f64::from(count),
    );
    pause(Duration::from_secs(1)).await;
    let idle = cpu_seconds();
    pause(Duration::from_secs(5)).await;
    println!(
        "    then idle: {:.1} % of a core, {:.0} KB each",
        100.0 * (cpu_seconds() - idle) / 5.0,
        (resident() - memory) / 1e3 / f64::from(count),
    );
}

async fn one_by_one(dialer: &Dialer) {
    const ROUNDS: u32 = 200;
    let cpu = cpu_seconds();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let sides = pair(dialer).await;
        times.push(start.elapsed());
        drop(sides);
    }
    println!(
        "  one by one: {}; {:.1} ms CPU each",
        spread(times),
        1e3 * (cpu_seconds() - cpu) / f64::from(ROUNDS)
    );
}

async fn throughput(dialer: &Dialer, size: usize) {
    const BYTES: usize = 256 * 1024 * 1024;
    // Most bytes in flight, as if limited by credit: half of what a link queues.
    const WINDOW: usize = 512 * 1024;
    let (one, other) = pair(dialer).await;
    let frame = Bytes::from(vec![7; size]);
    let (start, cpu) = (Instant::now(), cpu_seconds());
    for sent in 0..(BYTES + WINDOW) / size {
        if sent < BYTES / size {
            one.link.send(frame.clone());
        }
        if sent >= WINDOW / size {
            other.message().await;
        }
    }
    let time = start.elapsed().as_secs_f64();
    println!(
        "  messages of {size} B: {:.0} MB/s, {:.0} % of a core",
        BYTES as f64 / 1e6 / time,
        100.0 * (cpu_seconds() - cpu) / time
    );
}

fn spread(times: impl IntoIterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!(
        "median {:.1?}, 90 % {:.1?}, last {:.1?}",
        at(50),
        at(90),
        at(100)
    )
}

fn resident() -> f64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}
