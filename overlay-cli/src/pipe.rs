//! The bytes of a stream as broadcast messages.
//!
//! A message is a tag and up to [`CHUNK`] bytes. Chunks end at line ends where they can, so that a node
//! prints whole lines as they come; a longer line is cut and is whole again on the other side.

use overlay_tokio::core::wire::MAX_PAYLOAD;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of the stream in one message.
const CHUNK: usize = MAX_PAYLOAD - 1;

const DATA: u8 = 0;
const END: u8 = 1;

/// The meaning of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// More of the stream.
    Data(&'a [u8]),
    /// There is no more.
    End,
}

/// The meaning of a message. `None` if it is no message of this command.
pub(crate) fn parse(payload: &[u8]) -> Option<Piece<'_>> {
    match payload.split_first()? {
        (&DATA, data) => Some(Piece::Data(data)),
        (&END, []) => Some(Piece::End),
        _ => None,
    }
}

/// The message that says that there is no more.
pub(crate) fn end() -> Vec<u8> {
    vec![END]
}

/// Cuts a stream into messages.
#[derive(Debug)]
pub(crate) struct Chunks<R> {
    input: R,
    /// Read, and not yet sent.
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Chunks<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::with_capacity(CHUNK),
            ended: false,
        }
    }

    /// The next message with data: all lines that have come, as far as they fit. `None` at the end.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(len) = self.ready() {
                let mut message = Vec::with_capacity(1 + len);
                message.push(DATA);
                message.extend(self.buffer.drain(..len));
                return Ok(Some(message));
            }
            if self.ended {
                return Ok(None);
            }
            let room = CHUNK - self.buffer.len();
            // `read_buf` reads no more than the spare capacity.
            self.buffer.reserve(room);
            let read = (&mut self.input)
                .take(room as u64)
                .read_buf(&mut self.buffer)
                .await?;
            self.ended = read == 0;
        }
    }

    /// How much of the buffer makes a message now.
    fn ready(&self) -> Option<usize> {
        let lines = self.buffer.iter().rposition(|&byte| byte == b'\n');
        match lines {
            Some(end) => Some(end + 1),
            None if self.buffer.len() == CHUNK => Some(CHUNK),
            None if self.ended && !self.buffer.is_empty() => Some(self.buffer.len()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pieces(input: &[u8]) -> Vec<Vec<u8>> {
        let mut chunks = Chunks::new(input);
        let mut pieces = Vec::new();
        while let Some(message) = chunks.next().await.unwrap() {
            let Some(Piece::Data(data)) = parse(&message) else {
                panic!("a chunk is data");
            };
            pieces.push(data.to_vec());
        }
        pieces
    }

    #[tokio::test]
    async fn chunks_end_at_line_ends() {
        assert_eq!(
            pieces(b"one\ntwo\nthree").await,
            [&b"one\ntwo\n"[..], b"three"]
        );
    }

    #[tokio::test]
    async fn a_line_longer_than_a_message_is_cut_and_loses_nothing() {
        let mut input = vec![b'x'; 3 * CHUNK];
        input.push(b'\n');
        let pieces = pieces(&input).await;
        assert!(pieces.iter().all(|piece| piece.len() <= CHUNK));
        assert_eq!(pieces.concat(), input);
    }

    #[tokio::test]
    async fn input_that_is_there_fills_messages() {
        let input = b"a line\n".repeat(10_000);
        let fewest = input.len().div_ceil(CHUNK);
        assert!(pieces(&input).await.len() <= fewest + 1);
    }

    #[test]
    fn a_message_without_a_known_tag_is_ignored() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"\x01x"), None);
        assert_eq!(parse(b"hello"), None);
        assert_eq!(parse(&end()), Some(Piece::End));
    }
}
