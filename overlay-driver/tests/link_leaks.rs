//! Links leave nothing behind. Alone in its process, because it counts what the process has.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "link/harness.rs"]
mod harness;

use std::fs;

use bytes::Bytes;
use overlay_driver::link::{Dialer, LinkConfig};

use harness::{Side, Tokio, on_tokio, pair, pause, soon};

const WARM_UP: usize = 200;
const CYCLES: usize = 800;

/// A link that leaked its connection would take 200 KB, one that leaked a task 10 KB.
const MAX_GROWTH: usize = CYCLES * 5 * 1024;

#[test]
fn a_thousand_links_leave_no_sockets_no_tasks_and_no_memory() {
    on_tokio(async {
        let dialer = Dialer::new(&Tokio, LinkConfig::loopback()).unwrap();
        for cycle in 0..WARM_UP {
            open_and_close(&dialer, cycle).await;
        }
        let before = (open_files(), tasks(), resident());
        for cycle in 0..CYCLES {
            open_and_close(&dialer, cycle).await;
        }
        let same = async {
            while open_files() > before.0 || tasks() > before.1 {
                pause(std::time::Duration::from_millis(10)).await;
            }
        };
        soon("sockets and tasks to be gone", same).await;
        let after = (open_files(), tasks(), resident());
        println!("files, tasks, bytes of memory: {before:?}, then {after:?}");
        assert!(after.2 < before.2 + MAX_GROWTH);
    });
}

/// One link, closed at one of several moments.
async fn open_and_close(dialer: &Dialer, cycle: usize) {
    match cycle % 5 {
        // Before anything has happened.
        0 => drop(Side::offer(dialer)),
        // In the middle of the handshake.
        1 => {
            let one = Side::offer(dialer);
            let other = Side::answer(dialer, one.offered().await);
            other.answered().await;
            other.link.close();
            one.link.close();
            other.end().await;
            one.end().await;
        }
        // By either side, after some use.
        cycle => {
            let (one, other) = pair(dialer).await;
            one.link.send(Bytes::from(vec![7; 16384]));
            other.message().await;
            let (first, second) = if cycle == 2 {
                (one, other)
            } else {
                (other, one)
            };
            first.link.close();
            second.end().await;
            first.end().await;
        }
    }
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
