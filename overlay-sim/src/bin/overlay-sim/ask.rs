//! `overlay-sim ask`.

use anyhow::Result;
use overlay_sim::AskResult;
use serde_json::json;

use crate::Outcome;
use crate::args;

pub(crate) fn ask(command: &args::Ask, as_json: bool) -> Result<Outcome> {
    let mut outcome = Outcome::Held;
    for seed in command.seed.clone() {
        for result in overlay_sim::ask(command.tree.growth(seed), command.tree.nodes)? {
            if result.answers.answered < result.answers.asked {
                outcome = Outcome::Violated;
            }
            print(seed, &result, as_json);
        }
    }
    Ok(outcome)
}

fn print(seed: u64, result: &AskResult, as_json: bool) {
    let (answers, bytes) = (&result.answers, result.bytes);
    let (combine, took) = (format!("{:?}", result.combine), result.took.as_millis());
    let (answered, asked) = (answers.answered, answers.asked);
    if as_json {
        println!(
            "{}",
            json!({
                "seed": seed,
                "combine": combine,
                "answered": answered,
                "asked": asked,
                "took_ms": u64::try_from(took).unwrap_or(u64::MAX),
                "bytes_at_root": bytes,
            })
        );
    } else {
        println!(
            "seed {seed}: {combine:<7} {answered} of {asked} answered after {took} ms; {bytes} bytes came to the root"
        );
    }
}
