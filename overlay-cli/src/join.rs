//! `overlay join`: prints what the root sends.

use std::process::ExitCode;

use overlay_tokio::{Event, Notification, Scope};
use tokio::io::{AsyncWriteExt, Stdout};

use crate::args;
use crate::failure::Failure;
use crate::news::News;
use crate::pipe::{self, Piece};
use crate::report::Facts;
use crate::seat::{Fact, Seat};
use crate::stop;

pub(crate) async fn run(args: args::Join) -> Result<ExitCode, Failure> {
    let facts = if args.json { Facts::Stderr } else { Facts::Off };
    let mut seat = Seat::take(&args.seat, facts)?;
    seat.node.join().await;
    let mut printer = Printer {
        stdout: tokio::io::stdout(),
        bytes: 0,
    };
    let ended = tokio::select! {
        ended = print_all(&mut seat, &mut printer) => Some(ended?),
        () = stop::requested() => None,
    };
    // The node passes on what its children have not had yet, and says goodbye.
    seat.node.leave().await;
    while !matches!(seat.next().await?, Event::Node(Notification::Left)) {}
    match ended {
        Some(Ended::Whole) => {
            let bytes = printer.bytes;
            facts.tell(&Fact::Ended { bytes });
            Ok(ExitCode::SUCCESS)
        }
        Some(Ended::NobodyReads) => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::from(130)),
    }
}

/// Why there is nothing more to print.
enum Ended {
    /// The stream is complete.
    Whole,
    /// Whoever read from stdout has had enough, as in `overlay join … | head`.
    NobodyReads,
}

struct Printer {
    stdout: Stdout,
    bytes: u64,
}

async fn print_all(seat: &mut Seat, printer: &mut Printer) -> Result<Ended, Failure> {
    let mut news = News::default();
    loop {
        match seat.next().await? {
            Event::Message(message) if message.scope == Scope::Broadcast => {
                let open = match pipe::parse(&message.payload) {
                    Some(Piece::Data(data)) => printer.print(data).await?,
                    Some(Piece::End) => return Ok(Ended::Whole),
                    // Not for this command.
                    None => true,
                };
                if !open {
                    return Ok(Ended::NobodyReads);
                }
            }
            event => news.tell(seat, &event),
        }
    }
}

impl Printer {
    /// Prints data; false if nobody reads it.
    async fn print(&mut self, data: &[u8]) -> Result<bool, Failure> {
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
            Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"))),
        }
    }
}
