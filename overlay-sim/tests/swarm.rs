//! The swarm in small: enough seeds for a test, each of them twice.

use overlay_sim::{Schedule, run, schedule, sweep};

/// How many seeds a test has time for.
const SEEDS: u64 = 200;

#[test]
fn a_sweep_violates_no_claim_and_comes_out_the_same_twice() {
    let sweep = || sweep(0..SEEDS, |_| {}).unwrap();
    let (first, second) = (sweep(), sweep());
    assert_eq!(first.failures, []);
    assert_eq!(first.trace_hash, second.trace_hash);
    assert_eq!(first.coverage, second.coverage);
}

#[test]
fn the_trace_of_a_seed_is_the_same_on_every_machine() {
    // Another hash after a change of the protocol or of the schedules is right: put it here.
    let hash = run(&schedule(42)).unwrap().trace_hash;
    assert_eq!(format!("{hash:016x}"), "ce430363147ab5ff");
}

#[test]
fn what_is_drawn_survives_its_own_text() {
    for seed in 0..500 {
        let drawn = schedule(seed);
        let read: Schedule = drawn.to_string().parse().unwrap();
        assert_eq!(read, drawn, "seed {seed}");
    }
}
