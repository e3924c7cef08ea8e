//! The swarm in small: enough seeds for a test, each of them twice.

use overlay_sim::{Invariant, Schedule, replay, run, schedule, sweep};

/// How many seeds a test has time for.
const SEEDS: u64 = 200;

#[test]
fn a_sweep_violates_no_invariant_and_comes_out_the_same_twice() {
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
    assert_eq!(format!("{hash:016x}"), "b9b895b1e2bf5c7b");
}

#[test]
fn a_random_schedule_parses_back_from_its_text() {
    for seed in 0..500 {
        let drawn = schedule(seed);
        let read: Schedule = drawn.to_string().parse().unwrap();
        assert_eq!(read, drawn, "seed {seed}");
    }
}

#[test]
fn a_failure_says_which_node_waits_for_which() {
    // On this network no handshake can be done in time.
    let text = "overlay-sim schedule 1
        seed 3
        profile wan
        request-timeout 0.3
        0.0 root 0
        0.5 join 1";
    let failure = replay(&text.parse().unwrap(), 0)
        .unwrap()
        .0
        .failure
        .unwrap();
    assert_eq!(failure.violation.invariant, Invariant::AllAreAttached);
    let told = failure.to_string();
    assert!(told.contains("1 waits for its next attempt"), "{told}");
    assert!(
        told.contains("0: Root below none, 0 of 10 slots taken"),
        "{told}"
    );
}
