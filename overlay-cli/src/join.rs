//! `overlay join`: prints what the root sends.

use std::process::ExitCode;

use anyhow::Context;
use overlay_tokio::{Event, Message, Notification};

use crate::answering::Answering;
use crate::linger::linger;
use crate::news::News;
use crate::pipe::{End, Piece};
use crate::received::{Received, Verdict};
use crate::report::Facts;
use crate::session::{Fact, Session};
use crate::stop::Stop;
use crate::{args, exit, stdout};

pub(crate) async fn run(args: args::Join) -> anyhow::Result<ExitCode> {
    let facts = if args.json { Facts::Stderr } else { Facts::Off };
    let mut stop = Stop::new();
    let mut session = Session::begin(&args.session, facts, |node| node.start(args.from.start()))?;
    session.node.join().await;
    let mut listener = Listener {
        answering: args.answer.map(|command| Answering::new(command, facts)),
        received: Received::default(),
        news: News::default(),
        waits_for_next: args.next,
        over: None,
    };
    let outcome = tokio::select! {
        outcome = listener.listen(&mut session) => outcome,
        () = stop.requested() => Ok(Outcome::Stopped),
    };
    if matches!(outcome, Ok(Outcome::Ended)) {
        stdout::close();
        tokio::select! {
            () = linger(&mut session) => {}
            () = stop.requested() => {}
        }
    }
    // Whatever has happened, the node passes on what its children have not had yet, and says goodbye.
    session.leave(&mut stop).await;
    match outcome? {
        Outcome::Ended => Ok(listener.conclude(facts)),
        Outcome::ReaderClosed => Ok(exit::unread()),
        Outcome::Stopped => Ok(exit::stopped()),
    }
}

/// The reason why there is nothing more to print.
enum Outcome {
    /// The stream has ended.
    Ended,
    /// The reader of stdout has had enough, as in `overlay join … | head`.
    ReaderClosed,
    /// The user wants it.
    Stopped,
}

/// The node that prints.
struct Listener {
    answering: Option<Answering>,
    received: Received,
    news: News,
    /// Whether a stream that is over already is not the one to print.
    waits_for_next: bool,
    /// The epoch of that stream.
    over: Option<u64>,
}

impl Listener {
    async fn listen(&mut self, session: &mut Session) -> anyhow::Result<Outcome> {
        loop {
            let outcome = match session.next().await? {
                Event::Message(message) => self.message(session.facts, &message).await?,
                Event::Question(question) => {
                    // Without a command it is dropped, and nobody waits for an answer.
                    if let Some(answering) = &self.answering {
                        answering.begin(question);
                    }
                    None
                }
                Event::Node(Notification::BehindTheEnd { from }) => {
                    self.behind_the_end(from.epoch.0);
                    None
                }
                Event::Node(Notification::StreamEnded { last, .. }) => match Piece::parse(&last) {
                    Some(Piece::End(end)) => {
                        if self.has_nothing() {
                            self.behind_the_end(end.epoch);
                        }
                        self.ended(session.facts, end)
                    }
                    _ => None,
                },
                event => {
                    self.news.tell(session, &event);
                    None
                }
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
    }

    async fn message(
        &mut self,
        facts: Facts,
        message: &Message,
    ) -> anyhow::Result<Option<Outcome>> {
        match Piece::parse(&message.payload) {
            Some(Piece::Data { epoch, .. }) if self.over == Some(epoch) => Ok(None),
            Some(Piece::Data {
                epoch,
                offset,
                bytes,
            }) => {
                let fresh = self.received.part(epoch, offset, bytes);
                tell_gap(facts, fresh.gap);
                match stdout::write(fresh.bytes.to_vec()).await {
                    Ok(()) => Ok(None),
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                        Ok(Some(Outcome::ReaderClosed))
                    }
                    Err(error) => Err(error).context("cannot write to stdout"),
                }
            }
            Some(Piece::End(end)) => Ok(self.ended(facts, end)),
            // Not for this command.
            None => Ok(None),
        }
    }

    fn has_nothing(&self) -> bool {
        self.received.from().is_none()
    }

    /// The stream of this epoch was over when the node came.
    fn behind_the_end(&mut self, epoch: u64) {
        if self.waits_for_next {
            self.over = Some(epoch);
        } else {
            self.received.came_late();
        }
    }

    fn ended(&mut self, facts: Facts, end: End) -> Option<Outcome> {
        if self.over == Some(end.epoch) {
            return None;
        }
        tell_gap(facts, self.received.end(end));
        Some(Outcome::Ended)
    }

    /// Says what the node has, and what it lacks.
    fn conclude(&self, facts: Facts) -> ExitCode {
        let Received {
            printed,
            missing,
            cut,
            unread,
            ..
        } = self.received;
        let from = self.received.from();
        facts.tell(&Fact::Ended {
            bytes: printed,
            from,
            missing,
            cut: cut || unread,
        });
        match self.received.verdict() {
            Verdict::Whole => return ExitCode::SUCCESS,
            Verdict::TooLate => facts.say(&format!(
                "The stream is over: this node came in behind all of its {} bytes. --next waits for another one.",
                missing + from.unwrap_or_default()
            )),
            Verdict::Lacking if unread => facts.say(&format!(
                "Printed {printed} bytes. The root could not read its input further; of what it has read, {missing} bytes are \
                 missing."
            )),
            Verdict::Lacking if cut => facts.say(&format!(
                "Printed {printed} bytes. A root was lost before the end of its input: what it had not sent is missing, \
                 and {missing} bytes besides."
            )),
            Verdict::Lacking => {
                facts.say(&format!("Printed {printed} bytes. {missing} bytes are missing."));
            }
        }
        exit::lacking()
    }
}

fn tell_gap(facts: Facts, gap: Option<(u64, u64)>) {
    if let Some((offset, bytes)) = gap {
        facts.tell(&Fact::Gap { offset, bytes });
        facts.say(&format!("Missing: {bytes} bytes from byte {offset} on."));
    }
}
