//! What a root says at the end: its last sentence and its exit status, which are true.

use std::process::ExitCode;

use anyhow::Context;

use crate::audience::Audience;
use crate::exit;
use crate::report::Facts;
use crate::session::Fact;

/// The way in which a root's work has ended.
pub(crate) enum Outcome {
    /// All that could be read is sent.
    Sent { failure: Option<std::io::Error> },
    /// Another root has sent everything while this one stood by.
    NothingLeft,
}

impl Outcome {
    /// Says what has become of the stream.
    pub(crate) fn conclude(self, facts: Facts, audience: &Audience) -> anyhow::Result<ExitCode> {
        let Self::Sent { failure } = self else {
            facts.say("The root has sent everything: there is nothing left to take over.");
            return Ok(ExitCode::SUCCESS);
        };
        let census = audience.census();
        let nodes = census.size().saturating_sub(1);
        let (bytes, lacking) = (audience.sent(), census.gapped());
        let (unconfirmed, unheard) = (audience.unconfirmed(), audience.unheard());
        facts.tell(&Fact::Finished {
            bytes,
            nodes,
            lacking,
            unconfirmed,
            unheard,
        });
        let mut missing = Vec::new();
        if lacking > 0 {
            missing.push(format!(
                "{} missed a part, as each has told",
                counted(lacking, "node")
            ));
        }
        if unconfirmed > 0 {
            missing.push(format!(
                "{} did not confirm the end",
                counted(unconfirmed, "node")
            ));
        }
        if unheard > 0 {
            missing.push(format!("up to {unheard} bytes reached nobody"));
        }
        if failure.is_some() {
            let but = if missing.is_empty() {
                String::new()
            } else {
                format!("; {}", missing.join("; "))
            };
            facts.say(&format!(
                "Sent the {bytes} bytes that could be read to {}{but}.",
                counted(nodes, "node")
            ));
        } else if missing.is_empty() {
            facts.say(&match nodes {
                0 => format!("Sent {bytes} bytes. No node is in the tree at the end."),
                1 => format!("The node in the tree has all of the {bytes} bytes."),
                _ => format!("All {nodes} nodes in the tree have all of the {bytes} bytes."),
            });
        } else {
            let missing = missing.join("; ");
            facts.say(&format!(
                "Sent {bytes} bytes to {}, but {missing}.",
                counted(nodes, "node")
            ));
        }
        match failure {
            Some(error) => Err(error).context("cannot read stdin"),
            None if missing.is_empty() => Ok(ExitCode::SUCCESS),
            None => Ok(exit::lacking()),
        }
    }
}

/// A number of things, in words.
pub(crate) fn counted(count: u32, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
