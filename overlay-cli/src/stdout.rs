//! Data to stdout: written at once, also where another process has made the pipe non-blocking.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// The pause before another try on a pipe that is full, and says so instead of waiting.
const FULL: Duration = Duration::from_millis(5);

/// Writes all of `data`. The caller waits; the thread pool does the blocking.
pub(crate) async fn write(data: Vec<u8>) -> io::Result<()> {
    let written = tokio::task::spawn_blocking(move || write_all(&mut io::stdout().lock(), &data));
    // A thread that panics or is stopped with the runtime has written nothing that counts.
    written
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Lets the reader of stdout know that there is no more, before the process ends.
pub(crate) fn close() {
    #[cfg(unix)]
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        // Without it the reader waits until the process ends, and no longer.
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

fn write_all(output: &mut impl Write, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match output.write(data) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => data = &data[count..],
            Err(error) => wait_if_full(error)?,
        }
    }
    while let Err(error) = output.flush() {
        wait_if_full(error)?;
    }
    Ok(())
}

fn wait_if_full(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => {}
        ErrorKind::WouldBlock => std::thread::sleep(FULL),
        _ => return Err(error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that takes two bytes at a time, and nothing every other time.
    #[derive(Default)]
    struct Stubborn {
        taken: Vec<u8>,
        calls: u32,
    }

    impl Write for Stubborn {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 3 {
                0 => Err(ErrorKind::WouldBlock.into()),
                1 => Err(ErrorKind::Interrupted.into()),
                _ => self.taken.write(&data[..data.len().min(2)]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            self.calls += 1;
            if self.calls.is_multiple_of(2) {
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(())
        }
    }

    #[test]
    fn a_full_pipe_loses_nothing() {
        let mut pipe = Stubborn::default();
        write_all(&mut pipe, b"every byte").unwrap();
        assert_eq!(pipe.taken, b"every byte");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut nothing: &mut [u8] = &mut [];
        assert!(write_all(&mut nothing, b"x").is_err());
    }
}
