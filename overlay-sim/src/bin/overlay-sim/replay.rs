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
    let (verdict, story) = overlay_sim::replay(&schedule, until)?;
    for line in story {
        println!("{line}");
    }
    if as_json {
        let violated = verdict.failure.as_ref().map(|failure| {
            let claim = failure.breach.invariant.to_string();
            json!({ "event": failure.event, "claim": claim, "detail": failure.breach.detail })
        });
        let hash = format!("{:016x}", verdict.trace_hash);
        println!(
            "{}",
            json!({ "events": verdict.events, "trace_hash": hash, "violated": violated })
        );
    } else {
        println!(
            "{} events; trace {:016x}",
            verdict.events, verdict.trace_hash
        );
        match &verdict.failure {
            Some(failure) => println!("{failure}"),
            None => println!("every claim held"),
        }
    }
    Ok(if verdict.failure.is_none() {
        Outcome::Held
    } else {
        Outcome::Violated
    })
}
