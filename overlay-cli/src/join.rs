//! `overlay join`: prints what the root sends.

use std::process::ExitCode;

use anyhow::Context;
use overlay_tokio::{Event, Notification, Scope};
use tokio::io::{AsyncWriteExt, Stdout};

use crate::args;
use crate::news::News;
use crate::pipe::{self, Piece};
use crate::report::Facts;
use crate::session::{Fact, Session};
use crate::stop;

pub(crate) async fn run(args: args::Join) -> anyhow::Result<ExitCode> {
    let facts = if args.json { Facts::Stderr } else { Facts::Off };
    let mut session = Session::begin(&args.session, facts)?;
    session.node.join().await;
    let mut printer = Printer {
        stdout: tokio::io::stdout(),
        bytes: 0,
    };
    let ended = tokio::select! {
        ended = print_all(&mut session, &mut printer) => Some(ended?),
        () = stop::requested() => None,
    };
    // The node passes on what its children have not had yet, and says goodbye.
    session.node.leave().await;
    while !matches!(session.next().await?, Event::Node(Notification::Left)) {}
    match ended {
        Some(Ended::Whole) => {
            let bytes = printer.bytes;
            facts.tell(&Fact::Ended { bytes });
            Ok(ExitCode::SUCCESS)
        }
        Some(Ended::ReaderClosed) => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::from(130)),
    }
}

/// The reason why there is nothing more to print.
enum Ended {
    /// The stream is complete.
    Whole,
    /// The reader of stdout has had enough, as in `overlay join … | head`.
    ReaderClosed,
}

struct Printer {
    stdout: Stdout,
    bytes: u64,
}

async fn print_all(session: &mut Session, printer: &mut Printer) -> anyhow::Result<Ended> {
    let mut news = News::default();
    loop {
        match session.next().await? {
            Event::Message(message) if message.scope == Scope::Broadcast => {
                let open = match pipe::parse(&message.payload) {
                    Some(Piece::Data(data)) => printer.print(data).await?,
                    Some(Piece::End) => return Ok(Ended::Whole),
                    // Not for this command.
                    None => true,
                };
                if !open {
                    return Ok(Ended::ReaderClosed);
                }
            }
            event => news.tell(session, &event),
        }
    }
}

impl Printer {
    /// Prints data; false if stdout has no reader any more.
    async fn print(&mut self, data: &[u8]) -> anyhow::Result<bool> {
        let printed = async {
            self.stdout.write_all(data).await?;
            self.stdout.flush().await
        };
        match printed.await {
            Ok(()) => {
                self.bytes += data.len() as u64;
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error).context("cannot write to stdout"),
        }
    }
}
