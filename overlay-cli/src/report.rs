//! Reports to the user: facts as lines of JSON, all else as plain sentences on stderr.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde::Serialize;

/// Whether the user was told that facts are lost: once is enough.
static LOST: AtomicBool = AtomicBool::new(false);

/// A fact, and when it was told.
#[derive(Serialize)]
struct Timed<'a, F> {
    #[serde(flatten)]
    fact: &'a F,
    /// As RFC 3339 has it, in UTC.
    time: String,
}

/// The destination of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facts {
    /// Nowhere: JSON was not asked for.
    Off,
    /// Stdout.
    Stdout,
    /// Stderr, because stdout carries data.
    Stderr,
}

impl Facts {
    /// Prints a fact as one line of JSON, with the time.
    pub(crate) fn tell(self, fact: &impl Serialize) {
        if self == Self::Off {
            return;
        }
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let Ok(mut line) = serde_json::to_vec(&Timed { fact, time }) else {
            return;
        };
        line.push(b'\n');
        let told = match self {
            Self::Off => Ok(()),
            Self::Stdout => std::io::stdout().write_all(&line),
            Self::Stderr => std::io::stderr().write_all(&line),
        };
        // A closed pipe is not an error: its reader has seen enough.
        if let Err(error) = told
            && error.kind() != ErrorKind::BrokenPipe
            && !LOST.swap(true, Ordering::Relaxed)
        {
            say(&format!("Events are lost: {error}."));
        }
    }

    /// Says something to a person, unless a program is listening.
    pub(crate) fn say(self, sentence: &str) {
        if self == Self::Off {
            say(sentence);
        }
    }
}

/// Says something on stderr.
pub(crate) fn say(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "{sentence}");
}
