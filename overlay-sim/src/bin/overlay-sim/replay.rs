//! `overlay-sim replay`.

use anyhow::Result;
use serde_json::json;

use crate::Outcome;
use crate::args::Replay;

pub(crate) fn replay(replay: &Replay, as_json: bool) -> Result<Outcome> {
    let schedule = replay.source.schedule()?;
    let until = if replay.verbose {
        replay.until.unwrap_or(u64::MAX)
    } else {
        0
    };
    let (outcome, transcript) = overlay_sim::replay(&schedule, until)?;
    for line in transcript {
        println!("{line}");
    }
    if as_json {
        let violated = outcome.failure.as_ref().map(|failure| {
            let invariant = failure.violation.invariant.to_string();
            json!({ "event": failure.event, "invariant": invariant, "detail": failure.violation.detail })
        });
        let hash = format!("{:016x}", outcome.trace_hash);
        println!(
            "{}",
            json!({ "events": outcome.events, "trace_hash": hash, "violated": violated })
        );
    } else {
        println!(
            "{} events; trace {:016x}",
            outcome.events, outcome.trace_hash
        );
        match &outcome.failure {
            Some(failure) => println!("{failure}"),
            None => println!("every invariant held"),
        }
    }
    Ok(if outcome.failure.is_none() {
        Outcome::Held
    } else {
        Outcome::Violated
    })
}
