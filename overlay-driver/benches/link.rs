//! Figures of links on loopback: `cargo bench -p overlay-driver --bench link`.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use overlay_driver::link::{Dialer, LinkConfig};

#[allow(dead_code)]
#[path = "../tests/link/harness.rs"]
mod harness;
use harness::{Side, Smol, Tokio, on_tokio, pair, pause};

fn main() {
    let only = std::env::args().find(|argument| argument == "tokio" || argument == "smol");
    let runs = |name| only.as_deref().is_none_or(|only| only == name);
    if runs("tokio") {
        println!("tokio");
        on_tokio(async { figures(Dialer::new(&Tokio, LinkConfig::loopback()).unwrap()).await });
    }
    if runs("smol") {
        println!("smol");
        smol::block_on(async {
            figures(Dialer::new(&Smol, LinkConfig::loopback()).unwrap()).await
        });
    }
}

async fn figures(dialer: Dialer) {
    open_one_by_one(&dialer).await;
    throughput(&dialer, 16 * 1024).await;
    throughput(&dialer, 1024).await;
    many_at_once(&dialer, 100).await;
    many_at_once(&dialer, 500).await;
}

async fn open_one_by_one(dialer: &Dialer) {
    const ROUNDS: u32 = 200;
    let cpu = cpu_time();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let sides = pair(dialer).await;
        times.push(start.elapsed());
        drop(sides);
    }
    times.sort_unstable();
    let cpu = (cpu_time() - cpu) / ROUNDS;
    println!(
        "  open: median {:?}, 90 % {:?}, max {:?}; CPU per pair {cpu:?}",
        times[times.len() / 2],
        times[times.len() * 9 / 10],
        times[times.len() - 1],
    );
}

async fn throughput(dialer: &Dialer, size: usize) {
    const BYTES: usize = 256 * 1024 * 1024;
    let (one, other) = pair(dialer).await;
    let frame = Bytes::from(vec![7; size]);
    let start = Instant::now();
    let cpu = cpu_time();
    let count = BYTES / size;
    // Never more than 512 KiB under way: half of what the queue takes, as credit would do.
    let window = 512 * 1024 / size;
    for sent in 0..count + window {
        if sent < count {
            one.link.send(frame.clone());
        }
        if sent >= window {
            other.message().await;
        }
    }
    let time = start.elapsed();
    println!(
        "  {size} B messages: {:.0} MB/s, {:.0} % CPU",
        BYTES as f64 / 1e6 / time.as_secs_f64(),
        100.0 * (cpu_time() - cpu).as_secs_f64() / time.as_secs_f64()
    );
}

async fn many_at_once(dialer: &Dialer, count: usize) {
    let before = resident();
    let cpu = cpu_time();
    let start = Instant::now();
    let one = async || {
        let sides = pair(dialer).await;
        (start.elapsed(), sides)
    };
    let pairs: Vec<(Duration, (Side, Side))> =
        futures_util::future::join_all((0..count).map(|_| one())).await;
    let cpu = (cpu_time() - cpu) / u32::try_from(count).unwrap();
    let mut times: Vec<Duration> = pairs.iter().map(|(time, _)| *time).collect();
    times.sort_unstable();
    println!(
        "  {count} pairs at once: half after {:?}, all after {:?}; CPU per pair {cpu:?}",
        times[count / 2],
        times[count - 1],
    );
    pause(Duration::from_secs(1)).await;
    let idle = cpu_time();
    pause(Duration::from_secs(5)).await;
    println!(
        "  idle: {:.1} % of a core; resident {} KB per pair",
        100.0 * (cpu_time() - idle).as_secs_f64() / 5.0,
        (resident() - before) / 1024 / count
    );
    drop(pairs);
}

fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split(' ').collect();
    let ticks: u64 = fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
