//! `overlay join --answer`: a command that answers the root's questions.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, bail};
use overlay_tokio::{Combine, Question};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::hint::describe;
use crate::report::Facts;

/// The most commands that run at a time; further questions wait.
const AT_ONCE: usize = 4;

/// Longest answer, in bytes: the longest message.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A command of the user's, which gets questions on its stdin and prints the answers.
#[derive(Clone, Debug)]
pub(crate) struct Answering {
    command: String,
    facts: Facts,
    places: Arc<Semaphore>,
}

impl Answering {
    pub(crate) fn new(command: String, facts: Facts) -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self {
            command,
            facts,
            places,
        }
    }

    /// Begins to answer a question. If the command fails, or is not done in time, there is no answer.
    pub(crate) fn begin(&self, question: Question) {
        let this = self.clone();
        tokio::spawn(async move {
            let answering = timeout(question.left(), this.answer(&question));
            let answer = match answering.await {
                Ok(answer) => answer,
                Err(_) => Err(anyhow::anyhow!("the time for an answer is over")),
            };
            match answer {
                Ok(answer) => question.answer(answer),
                Err(error) => this
                    .facts
                    .say(&format!("Not answered: {}", describe(&error))),
            }
        });
    }

    async fn answer(&self, question: &Question) -> anyhow::Result<Vec<u8>> {
        let _place = self.places.acquire().await?;
        let output = self.run(question).await?;
        match question.combine() {
            Combine::Count => Ok(Vec::new()),
            Combine::Sum | Combine::Min | Combine::Max => {
                let text = String::from_utf8_lossy(&output);
                let number: i64 = text.trim().parse().with_context(|| {
                    format!("the root wants a whole number, and got `{}`", text.trim())
                })?;
                Ok(number.to_le_bytes().to_vec())
            }
            Combine::Concat | Combine::App => Ok(output),
        }
    }

    /// What the command prints.
    async fn run(&self, question: &Question) -> anyhow::Result<Vec<u8>> {
        let mut child = shell(&self.command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the command")?;
        // A command that takes too long is stopped when nobody waits for it any more, with all that it has started.
        let mut group = Group(child.id());
        let stdin = child.stdin.take();
        let asking = async {
            if let Some(mut stdin) = stdin {
                // A command need not read its question.
                let _ = stdin.write_all(question.payload()).await;
            }
        };
        let stdout = child.stdout.take().context("the command has no stdout")?;
        let mut output = Vec::new();
        let mut limited = stdout.take(LONGEST + 1);
        let reading = limited.read_to_end(&mut output);
        let ((), read) = tokio::join!(asking, reading);
        read.context("cannot read what the command prints")?;
        if output.len() as u64 > LONGEST {
            bail!("the command prints more than {LONGEST} bytes");
        }
        let status = child.wait().await?;
        group.0 = None;
        if !status.success() {
            bail!("the command has failed: {status}");
        }
        Ok(output)
    }
}

/// The processes of a command that is still to end.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self
            .0
            .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
        {
            use rustix::process::{Signal, kill_process_group};
            // It may have ended already.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).process_group(0);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.args(["/C", command]);
    shell
}
