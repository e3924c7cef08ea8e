//! A chat: a line that is typed at one node is printed at every node, in the same order everywhere.
//!
//! ```console
//! $ overlay server --listen 127.0.0.1:8080 --token-file token
//! $ cargo run -p overlay-smol --example smol_chat -- ws://127.0.0.1:8080 "$(cat token)"   # the root
//! $ cargo run -p overlay-smol --example smol_chat -- ws://127.0.0.1:8080                  # every other node
//! ```
//! `DEGREE` is the most children of a node: with 1, the tree is a chain.
//!
//! Only the root reaches every node. So a line goes up from child to parent, and the root broadcasts it.
//!
//! Of the tasks, `listen` never waits for a send: two nodes that take nothing while they send could wait for each other.
//! It takes all that comes, so a node holds itself back: at most `WINDOW` of its lines are on their way, and one that is
//! printed makes room. A queue then holds no more than the windows of the nodes below. A line that is on its way while a
//! link breaks may be lost.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chat prints")]
#![allow(clippy::unwrap_used, reason = "no task panics while it holds the lock")]

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use overlay_smol::{Event, Events, Node, NodeId, Notification, Scope, Token};
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncBufReadExt, BufReader};
use smol::stream::StreamExt;

/// The most lines of one node that are on their way.
const WINDOW: usize = 64;

/// What the tasks share.
struct Chat {
    node: Node,
    /// What stands before each line of this node.
    name: String,
    /// The node that lines go to: the parent, or this node itself if it is the root.
    next: Mutex<Option<NodeId>>,
    /// An entry for each line of this node that is on its way.
    window: (Sender<()>, Receiver<()>),
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let server = args.next().ok_or("usage: chat SERVER [TOKEN]")?.parse()?;
    let degree = std::env::var("DEGREE").map_or(Ok(10), |degree| degree.parse())?;
    let (node, events) = overlay_smol::node()
        .server(server)
        .max_degree(degree)
        .spawn()?;
    match args.next() {
        Some(token) => node.become_root(Token::new(token)?).await,
        None => node.join().await,
    }
    let name = format!("{:.6}: ", node.id().to_string());
    let (next, window) = (Mutex::default(), channel::bounded(WINDOW));
    let chat = Arc::new(Chat {
        node,
        name,
        next,
        window,
    });
    let (lines, queue) = channel::unbounded();
    let listening = smol::spawn(listen(Arc::clone(&chat), events, lines.clone()));
    smol::spawn(carry(Arc::clone(&chat), queue)).detach();
    let mut typed = BufReader::new(smol::Unblock::new(std::io::stdin())).lines();
    while let Some(line) = typed.next().await.transpose()? {
        let line = Bytes::from([chat.name.as_str(), &line].concat());
        chat.window.0.send(()).await?;
        lines.try_send(line)?;
    }
    // There is room for a whole window when no line is on its way any more.
    for _ in 0..WINDOW {
        chat.window.0.send(()).await?;
    }
    chat.node.leave().await;
    listening.await;
    Ok(())
}

/// Takes what comes.
async fn listen(chat: Arc<Chat>, mut events: Events, lines: Sender<Bytes>) {
    while let Some(event) = events.next().await {
        match event {
            // From a child. The queue has no bound of its own, so this does not wait.
            Event::Message(up) if up.scope == Scope::Direct => drop(lines.try_send(up.payload)),
            Event::Message(message) => chat.print(&message.payload),
            Event::Node(Notification::Promoted { .. }) => chat.go_on(Some(chat.node.id())),
            Event::Node(Notification::ParentConnected { node, .. }) => chat.go_on(Some(node)),
            Event::Node(Notification::ParentClosed { .. }) => chat.go_on(None),
            Event::Node(Notification::Left) => return,
            Event::BootstrapLost { cause, .. } => eprintln!("{cause}"),
            _ => {}
        }
    }
}

/// Carries lines one step, in order.
async fn carry(chat: Arc<Chat>, queue: Receiver<Bytes>) {
    while let Ok(line) = queue.recv().await {
        while !chat.pass_on(&line).await {
            // The node is between two parents.
            smol::Timer::after(Duration::from_millis(50)).await;
        }
    }
}

impl Chat {
    /// Whether the line could be sent.
    async fn pass_on(&self, line: &Bytes) -> bool {
        let next = *self.next.lock().unwrap();
        let sent = match next {
            None => return false,
            Some(parent) if parent != self.node.id() => self.node.send(parent, line.clone()).await,
            // It reaches every node but the root itself.
            Some(_) => self
                .node
                .broadcast(line.clone())
                .await
                .map(|_| self.print(line)),
        };
        sent.is_ok()
    }

    fn go_on(&self, next: Option<NodeId>) {
        *self.next.lock().unwrap() = next;
        // Without a link, the lines that were on their way may be lost, and leave the window.
        while next.is_none() && self.window.1.try_recv().is_ok() {}
    }

    fn print(&self, line: &[u8]) {
        println!("{}", String::from_utf8_lossy(line));
        if line.starts_with(self.name.as_bytes()) {
            let _ = self.window.1.try_recv();
        }
    }
}
