//! Processes of the command, and what they print: for every test of this crate that starts some.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Time in which anything must happen: far longer than it should take.
const TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) const TOKEN: &str = "a-token-for-these-tests";

/// A running command; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Lines of stdout and stderr that are facts, each with the moment when it came.
    facts: Receiver<(Instant, Value)>,
    /// Lines that are none.
    lines: Receiver<String>,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// A server on a port of its own.
pub(crate) struct Server {
    process: Process,
    address: String,
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overlay"));
    command.args(args).env_remove("RUST_LOG");
    command
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        Self::start_with(command)
    }

    /// A process whose stdout goes where `command` says.
    pub(crate) fn start_with(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, facts) = mpsc::channel();
        let (text, lines) = mpsc::channel();
        let stdout = child.stdout.take();
        let stdout = stdout.map(|stdout| collect(stdout, sender.clone(), text.clone()));
        let stderr = collect(child.stderr.take().unwrap(), sender, text);
        Self {
            child,
            facts,
            lines,
            stdout,
            stderr: Some(stderr),
        }
    }

    /// Waits until it has printed this line.
    pub(crate) fn wait_for_line(&mut self, wanted: &str) {
        loop {
            let line = self.lines.recv_timeout(TIMEOUT);
            if line.unwrap_or_else(|_| panic!("`{wanted}` was not printed")) == wanted {
                return;
            }
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The next fact, and the moment when it came. `None` if there is none in this time.
    pub(crate) fn next_fact(&mut self, timeout: Duration) -> Option<(Instant, Value)> {
        self.facts.recv_timeout(timeout).ok()
    }

    /// Waits for the next fact of this name. Those before it are skipped.
    pub(crate) fn fact(&mut self, event: &str) -> Value {
        loop {
            let fact = self.next_fact(TIMEOUT);
            let (_, fact) = fact.unwrap_or_else(|| panic!("`{event}` did not happen"));
            if fact["event"] == event {
                return fact;
            }
        }
    }

    /// Its input, which ends when this is dropped.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Sends it a signal, as `kill` takes it.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end: the exit status, stdout, and stderr.
    pub(crate) fn finish(mut self) -> (ExitStatus, String, String) {
        let deadline = Instant::now() + TIMEOUT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the process does not end");
            thread::sleep(Duration::from_millis(20));
        };
        let text = |thread: Option<JoinHandle<String>>| {
            thread.map_or_else(String::new, |thread| thread.join().unwrap())
        };
        (status, text(self.stdout.take()), text(self.stderr.take()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::listen("127.0.0.1:0")
    }

    /// A server on this address, or on a free port if that is 0.
    pub(crate) fn listen(address: &str) -> Self {
        let mut command = command(&["server", "--listen", address, "--json"]);
        command.env("OVERLAY_TOKEN", TOKEN);
        let mut process = Process::start(command);
        let address = process.fact("listening")["address"]
            .as_str()
            .unwrap()
            .to_owned();
        Self { process, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Stops the server. Returns what it has printed.
    #[cfg(unix)]
    pub(crate) fn stop(mut self) -> String {
        self.process.signal("-TERM");
        let idle = Process::start(command(&["--version"]));
        std::mem::replace(&mut self.process, idle).finish().1
    }

    /// A command with the address of the server.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        let url = format!("ws://{}", self.address);
        command.args(["--bootstrap", &url, "--bind", "127.0.0.1"]);
        command
    }

    /// A root whose input is open.
    pub(crate) fn root(&self, degree: u16, args: &[&str]) -> Process {
        let mut command = self.command(&["root", "--json", "--degree", &degree.to_string()]);
        command
            .args(args)
            .env("OVERLAY_TOKEN", TOKEN)
            .stdin(Stdio::piped());
        Process::start(command)
    }

    /// A node whose output nobody reads.
    pub(crate) fn join_unread(&self, degree: u16) -> (Process, std::io::PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = self.command(&["join", "--json", "--degree", &degree.to_string()]);
        command.stdout(Stdio::from(writer));
        (Process::start_with(command), reader)
    }

    pub(crate) fn join(&self, degree: u16) -> Process {
        Process::start(self.command(&["join", "--json", "--degree", &degree.to_string()]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// Collects a stream, and sends the facts in it as they come.
fn collect(
    stream: impl Read + Send + 'static,
    facts: mpsc::Sender<(Instant, Value)>,
    text_lines: mpsc::Sender<String>,
) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        let mut lines = BufReader::new(stream);
        loop {
            let start = text.len();
            match lines.read_line(&mut text) {
                Ok(0) | Err(_) => return text,
                Ok(_) => {}
            }
            // The test may have heard enough.
            let _heard = match serde_json::from_str(&text[start..]) {
                Ok(fact @ Value::Object(_)) => facts.send((Instant::now(), fact)).is_ok(),
                _ => text_lines.send(text[start..].trim_end().to_owned()).is_ok(),
            };
        }
    })
}
