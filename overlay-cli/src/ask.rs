//! `overlay ask`: leads the tree, asks every node, and prints the answers.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use overlay_tokio::core::Answers;
use overlay_tokio::{Combine, Event, NodeId, Notification};

use crate::args::{self, How};
use crate::conclusion::counted;
use crate::hint::WithHint;
use crate::news::News;
use crate::readiness::Readiness;
use crate::report::Facts;
use crate::session::{Fact, Session};
use crate::stop::Stop;
use crate::{exit, token};

pub(crate) async fn run(args: args::Ask) -> anyhow::Result<ExitCode> {
    let facts = if args.json { Facts::Stdout } else { Facts::Off };
    let token = token::of_root(&args.token, &args.session.overlay)?;
    let mut stop = Stop::new();
    let mut session = Session::begin(&args.session, facts, |node| node)?;
    session.node.become_root(token).await;
    let outcome = tokio::select! {
        answers = ask(&mut session, &args) => Some(answers),
        () = stop.requested() => None,
    };
    session.leave(&mut stop).await;
    match outcome {
        Some(answers) => show(facts, args.combine, &answers?),
        None => Ok(exit::stopped()),
    }
}

async fn ask(session: &mut Session, args: &args::Ask) -> anyhow::Result<Answers> {
    let facts = session.facts;
    wait_for_nodes(session, args).await?;
    facts.say("Asking.");
    let node = session.node.clone();
    let asking = node.ask(args.question.clone(), args.timeout, args.combine.combine());
    tokio::pin!(asking);
    loop {
        tokio::select! {
            answers = &mut asking => return answers.context("cannot ask"),
            event = session.next() => drop(event?),
        }
    }
}

/// Waits until the node leads, and there are nodes to ask.
async fn wait_for_nodes(session: &mut Session, args: &args::Ask) -> anyhow::Result<()> {
    let facts = session.facts;
    let mut readiness = Readiness::new(args.wait_for.map(usize::from));
    let mut news = News::default();
    loop {
        let event = tokio::select! {
            event = session.next() => event?,
            () = readiness.quiet() => return Ok(()),
        };
        match event {
            Event::Node(Notification::Promoted { epoch }) => {
                facts.tell(&Fact::Promoted { epoch: epoch.0 });
                facts.say("Registered as the root. Waiting for nodes …");
            }
            Event::Node(Notification::Standby { .. }) => {
                return Err(anyhow!("this tree has a root already").hint(
                    "only the root may ask: stop the other one first, or ask through another --overlay",
                ));
            }
            Event::Node(Notification::SubtreeChanged(census)) => {
                facts.tell(&Fact::Tree {
                    depth: census.nodes().to_vec(),
                });
                let nodes = census.size().saturating_sub(1);
                if readiness.has(usize::try_from(nodes).unwrap_or(usize::MAX)) {
                    return Ok(());
                }
            }
            event => news.tell(session, &event),
        }
    }
}

/// Prints the answers, and says how many there are.
fn show(facts: Facts, how: How, answers: &Answers) -> anyhow::Result<ExitCode> {
    let combined = match how.combine() {
        Combine::Count => Some(i64::from(answers.answered)),
        _ => answers.number().filter(|_| how != How::Each),
    };
    match facts {
        Facts::Off => {
            if !print(how, answers, combined)? {
                return Ok(exit::unread());
            }
        }
        Facts::Stdout | Facts::Stderr => {
            for (node, answer) in answers.each().filter(|_| how == How::Each) {
                let node = node.to_string();
                let answer = String::from_utf8_lossy(answer).into_owned();
                facts.tell(&Fact::Answer { node, answer });
            }
        }
    }
    let Answers {
        answered,
        omitted,
        asked,
        ..
    } = *answers;
    facts.tell(&Fact::Answered {
        answered,
        omitted,
        asked,
        combined,
    });
    facts.say(&format!(
        "{answered} of {} answered.",
        counted(asked, "node")
    ));
    if omitted > 0 {
        facts.say(&format!(
            "There was no room for the answers of {}.",
            counted(omitted, "node")
        ));
    }
    // Where nobody was left to ask, nobody has answered.
    Ok(if answered == asked && asked > 0 {
        ExitCode::SUCCESS
    } else {
        exit::lacking()
    })
}

/// False if the reader of stdout has closed it.
fn print(how: How, answers: &Answers, combined: Option<i64>) -> anyhow::Result<bool> {
    let mut text = Vec::new();
    match combined {
        Some(number) => writeln!(text, "{number}")?,
        None if how == How::Each => {
            for (node, answer) in answers.each() {
                lines(node, answer, &mut text)?;
            }
        }
        // Nobody has answered.
        None => {}
    }
    let printed = std::io::stdout().write_all(&text);
    match printed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot write to stdout"),
    }
}

/// Each line of an answer behind the node's name, so that every line says whose it is.
fn lines(node: NodeId, answer: &[u8], text: &mut Vec<u8>) -> std::io::Result<()> {
    let answer = answer.strip_suffix(b"\n").unwrap_or(answer);
    for line in answer.split(|byte| *byte == b'\n') {
        write!(text, "{node}\t")?;
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_was_asked_nobody_has_answered() {
        let nobody = Answers::default();
        assert_eq!(
            show(Facts::Off, How::Each, &nobody).unwrap(),
            exit::lacking()
        );
    }

    #[test]
    fn every_line_of_an_answer_has_its_node() {
        let mut text = Vec::new();
        lines(NodeId::from_u128(7), b"one\ntwo\n", &mut text).unwrap();
        let id = NodeId::from_u128(7);
        assert_eq!(text, format!("{id}\tone\n{id}\ttwo\n").into_bytes());
    }
}
