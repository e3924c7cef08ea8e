//! The bytes of a stream as messages.
//!
//! Each message says where its bytes are in the stream, so that a node knows what it lacks. Messages end at line ends
//! where they can, so that a node prints whole lines as they come. What has no line end is sent after a short wait.

use std::io;
use std::time::Duration;

use overlay_tokio::core::wire::MAX_PART;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep, timeout_at};

/// Most bytes of the stream in one message. A header has a tag, two numbers of at most ten bytes, and a length of three.
const CHUNK: usize = MAX_PART - 24;

/// The time that a line gets to become whole before its beginning is sent.
const LINE_WAIT: Duration = Duration::from_millis(50);

/// The pause before another look at an input that is not ready, because another process has made it non-blocking.
const NOT_READY: Duration = Duration::from_millis(5);

/// A message of this command.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Piece<'a> {
    /// A part of the stream.
    Data {
        /// The epoch of the root whose stream it is.
        epoch: u64,
        /// The place of the first byte.
        offset: u64,
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// There is no more.
    End(End),
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// The epoch of the root whose stream it is.
    pub(crate) epoch: u64,
    /// The length of the stream.
    pub(crate) total: u64,
    /// Whether that was all of the root's input; no if it could not be read further.
    pub(crate) whole: bool,
}

impl<'a> Piece<'a> {
    /// The meaning of a message. `None` if it is no message of this command.
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        postcard::from_bytes(payload).ok()
    }

    /// The message with this meaning.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Only a type that postcard can't express fails; this one is tested.
        postcard::to_allocvec(self).unwrap_or_default()
    }
}

/// Cuts a stream into chunks, each of which fits in a message.
#[derive(Debug)]
pub(crate) struct Chunks<R> {
    input: R,
    /// Read, and not yet given out.
    buffer: Vec<u8>,
    /// When the present beginning of a line has waited long enough.
    line_due: Option<Instant>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Chunks<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            line_due: None,
            ended: false,
        }
    }

    /// The next chunk: all lines that have come, as far as they fit. `None` at the end. Nothing is lost if this is
    /// dropped before it is ready.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(len) = self.ready() {
                self.line_due = None;
                return Ok(Some(self.buffer.drain(..len).collect()));
            }
            if self.ended {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// Reads the input to its end, and drops it.
    pub(crate) async fn discard(&mut self) -> io::Result<()> {
        while !self.ended {
            self.buffer.clear();
            self.read().await?;
        }
        self.buffer.clear();
        Ok(())
    }

    /// Reads what is there, or waits for more.
    async fn read(&mut self) -> io::Result<()> {
        // Also of what has come behind whole lines, which are given out.
        if !self.buffer.is_empty() {
            self.line_due.get_or_insert(Instant::now() + LINE_WAIT);
        }
        let room = CHUNK - self.buffer.len();
        // `read_buf` reads no more than the spare capacity.
        self.buffer.reserve(room);
        let mut limited = (&mut self.input).take(room as u64);
        let reading = limited.read_buf(&mut self.buffer);
        let read = match self.line_due {
            Some(due) => match timeout_at(due, reading).await {
                Ok(read) => read,
                Err(_) => return Ok(()),
            },
            None => reading.await,
        };
        match read {
            Ok(count) => {
                self.ended = count == 0;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(NOT_READY).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// How much of the buffer makes a chunk now.
    fn ready(&self) -> Option<usize> {
        let lines = self.buffer.iter().rposition(|&byte| byte == b'\n');
        let waited = self.line_due.is_some_and(|due| due <= Instant::now());
        match lines {
            Some(end) => Some(end + 1),
            None if self.buffer.len() == CHUNK => Some(CHUNK),
            None if (self.ended || waited) && !self.buffer.is_empty() => Some(self.buffer.len()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    async fn chunks(input: &[u8]) -> Vec<Vec<u8>> {
        let mut chunks = Chunks::new(input);
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next().await.unwrap() {
            all.push(chunk);
        }
        all
    }

    #[tokio::test]
    async fn chunks_end_at_line_ends() {
        assert_eq!(
            chunks(b"one\ntwo\nthree").await,
            [&b"one\ntwo\n"[..], b"three"]
        );
    }

    #[tokio::test]
    async fn a_line_longer_than_a_message_is_cut_and_loses_nothing() {
        let mut input = vec![b'x'; 3 * CHUNK];
        input.push(b'\n');
        let chunks = chunks(&input).await;
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK));
        assert_eq!(chunks.concat(), input);
    }

    #[tokio::test]
    async fn input_that_is_there_fills_messages() {
        let input = b"a line\n".repeat(10_000);
        let fewest = input.len().div_ceil(CHUNK);
        assert!(chunks(&input).await.len() <= fewest + 1);
    }

    #[tokio::test]
    async fn a_prompt_without_a_line_end_does_not_wait_for_one() {
        let (mut writer, reader) = tokio::io::duplex(1024);
        let mut chunks = Chunks::new(reader);
        writer.write_all(b"name? ").await.unwrap();
        assert_eq!(chunks.next().await.unwrap().unwrap(), b"name? ");
        writer.write_all(b"a line\nname? ").await.unwrap();
        assert_eq!(chunks.next().await.unwrap().unwrap(), b"a line\n");
        let prompt = tokio::time::timeout(100 * LINE_WAIT, chunks.next()).await;
        assert_eq!(prompt.unwrap().unwrap().unwrap(), b"name? ");
        writer.write_all(b"half").await.unwrap();
        let dropped = tokio::time::timeout(Duration::ZERO, chunks.next()).await;
        assert!(dropped.is_err());
        assert_eq!(chunks.next().await.unwrap().unwrap(), b"half");
    }

    #[tokio::test]
    async fn input_that_is_discarded_ends_all_the_same() {
        let mut chunks = Chunks::new(&b"one\ntwo\n"[..]);
        chunks.discard().await.unwrap();
        assert_eq!(chunks.next().await.unwrap(), None);
    }

    #[test]
    fn a_message_comes_back_as_it_was_and_fits() {
        let bytes = &vec![b'x'; CHUNK][..];
        let (epoch, offset, total) = (u64::MAX, u64::MAX, u64::MAX);
        let whole = true;
        for piece in [
            Piece::Data {
                epoch,
                offset,
                bytes,
            },
            Piece::End(End {
                epoch,
                total,
                whole,
            }),
        ] {
            let encoded = piece.encode();
            assert!(encoded.len() <= MAX_PART);
            assert_eq!(Piece::parse(&encoded), Some(piece));
        }
    }

    #[test]
    fn a_message_that_is_not_this_commands_is_ignored() {
        assert_eq!(Piece::parse(b""), None);
        assert_eq!(Piece::parse(b"hello"), None);
    }
}
