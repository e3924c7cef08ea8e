//! Schedules that once violated an invariant, each as small as it could be made. See `overlay-sim shrink`.

use std::fs;
use std::path::PathBuf;

use overlay_sim::{Schedule, run};

#[test]
fn a_schedule_that_once_failed_passes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let schedule: Schedule = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let outcome = run(&schedule).unwrap();
        assert_eq!(outcome.failure, None, "{}", path.display());
    }
}
