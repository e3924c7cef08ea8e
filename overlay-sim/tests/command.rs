//! The `overlay-sim` command, as a script sees it.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "cli")]

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn overlay_sim(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overlay-sim"));
    command.args(arguments.split_whitespace()).output().unwrap()
}

/// The last line that a command prints, and its exit status.
fn last_line(arguments: &str) -> (Value, Option<i32>) {
    let output = overlay_sim(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().last().unwrap();
    (serde_json::from_str(line).unwrap(), output.status.code())
}

#[test]
fn a_run_tells_the_shape_of_the_tree_and_is_the_same_twice() {
    let run = "run --nodes 111 --degree 10 --seed 1 --json";
    let (first, status) = last_line(run);
    assert_eq!(status, Some(0));
    assert_eq!(first["depth"], serde_json::json!([1, 10, 100]));
    assert_eq!(
        (&first["attached"], &first["same_depth"]),
        (&111.into(), &1.0.into())
    );
    assert_eq!(
        (&first["max_depth"], &first["ideal_max_depth"]),
        (&2.into(), &2.into())
    );
    assert_eq!(first["trace_hash"], last_line(run).0["trace_hash"]);
}

#[test]
fn churn_tells_how_the_tree_has_stood_it_for_each_seed() {
    let output = overlay_sim("churn --nodes 30 --degree 3 --turnover 1 --seed 1..3 --json");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(
            (&line["departures"], &line["unattached"]),
            (&30.into(), &0.into())
        );
        assert!(line["same_depth_worst"].is_f64() && line["same_depth_final"].is_f64());
        assert!(line["reattach_ms"]["p99"].as_u64() >= line["reattach_ms"]["p50"].as_u64());
    }
}

#[test]
fn a_sweep_that_is_too_small_to_reach_everything_fails_unless_that_is_meant() {
    let (line, status) = last_line("swarm --seeds 0..3 --json");
    assert_eq!((&line["seeds"], &line["failures"]), (&3.into(), &0.into()));
    assert!(!line["missing"].as_array().unwrap().is_empty());
    assert_eq!(status, Some(1));
    assert_eq!(last_line("swarm --seeds 0..3 --partial --json").1, Some(0));
}

#[test]
fn a_replay_tells_its_story_up_to_an_event() {
    let output = overlay_sim("replay --seed 1 --verbose --until 5");
    let transcript = String::from_utf8(output.stdout).unwrap();
    assert!(
        transcript.contains("#5 ") && !transcript.contains("#6 "),
        "{transcript}"
    );
    assert!(transcript.ends_with("every invariant held\n"));
}

#[test]
fn a_text_that_is_no_schedule_is_refused_with_its_line() {
    let path = std::env::temp_dir().join(format!("overlay-sim-{}.schedule", std::process::id()));
    fs::write(&path, "overlay-sim schedule 1\n1.0 dance 3\n").unwrap();
    let output = overlay_sim(&format!("replay {}", path.display()));
    fs::remove_file(&path).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("line 2: `dance` is not known here"),
        "{error}"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_wrong_command_line_says_so() {
    assert_eq!(overlay_sim("swarm --seeds 5..5").status.code(), Some(2));
    assert_eq!(overlay_sim("run --policy best").status.code(), Some(2));
    assert_eq!(overlay_sim("replay").status.code(), Some(2));
}
