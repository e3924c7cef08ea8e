//! What the benches read of this process, on Linux.

use std::fs;

/// The processor time that it has used.
pub(crate) fn cpu_seconds() -> f64 {
    seconds(&fs::read_to_string("/proc/self/stat").unwrap())
}

/// The processor time that its threads of this name have used.
pub(crate) fn cpu_seconds_of(threads: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
    let named = format!("({threads})");
    let named = stats.filter(|stat| stat.contains(&named));
    named.map(|stat| seconds(&stat)).sum()
}

fn seconds(stat: &str) -> f64 {
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(12) + ticks(13)) / 100.0
}
