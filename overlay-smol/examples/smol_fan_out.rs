//! A file from the root to every node of the tree.
//!
//! ```console
//! $ overlay server --listen 127.0.0.1:8080 --token-file token
//! $ cargo run -p overlay-smol --example smol_fan_out -- get ws://127.0.0.1:8080 COPY
//! $ cargo run -p overlay-smol --example smol_fan_out -- put ws://127.0.0.1:8080 FILE "$(cat token)" 1
//! ```
//!
//! The root sends when 1 node is there, or as many as the last argument says. The slowest node sets the pace.
//! The file is cut into messages, and an empty message ends it.
#![allow(clippy::print_stdout, reason = "the example shows what happens")]

use std::error::Error;

use overlay_smol::{Event, Events, Node, Notification, Token};
use smol::fs::File;
use smol::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of one message. A longer one would do as well; a node keeps the beginning until it has the end.
const CHUNK: usize = 16 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (["put", server, path, _, _] | ["get", server, path]) = args[..] else {
        return Err("usage: fan_out get SERVER FILE | fan_out put SERVER FILE TOKEN NODES".into());
    };
    let (node, mut events) = overlay_smol::node().server(server.parse()?).spawn()?;
    let bytes = if let [token, nodes] = args[3..] {
        node.become_root(Token::new(token)?).await;
        put(&node, &mut events, File::open(path).await?, nodes.parse()?).await?
    } else {
        node.join().await;
        get(&mut events, File::create(path).await?).await?
    };
    println!("{bytes} bytes");
    // What is sent already still goes out.
    node.leave().await;
    while !matches!(next(&mut events).await?, Event::Node(Notification::Left)) {}
    Ok(())
}

/// Sends a file, once there are enough nodes below. Returns its length.
async fn put(
    node: &Node,
    events: &mut Events,
    mut file: File,
    nodes: u32,
) -> Result<usize, Box<dyn Error>> {
    loop {
        match next(events).await? {
            // The root itself counts.
            Event::Node(Notification::SubtreeChanged(tree)) if tree.size() > nodes => break,
            _ => {}
        }
    }
    let mut bytes = 0;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut file)
            .take(CHUNK as u64)
            .read_to_end(&mut chunk)
            .await?;
        let len = chunk.len();
        // To wait here is fine although nothing listens: no node of this program sends to its parent.
        node.broadcast(chunk).await?;
        if len == 0 {
            return Ok(bytes);
        }
        bytes += len;
    }
}

/// Writes what comes to a file. Returns its length.
async fn get(events: &mut Events, mut file: File) -> Result<usize, Box<dyn Error>> {
    let mut bytes = 0;
    loop {
        match next(events).await? {
            // Messages that this waits with are not lost: the root waits as well.
            Event::Message(message) if !message.payload.is_empty() => {
                file.write_all(&message.payload).await?;
                bytes += message.payload.len();
            }
            Event::Message(_) => {
                file.flush().await?;
                return Ok(bytes);
            }
            Event::Node(Notification::Gap { .. }) => {
                return Err("a part passed while this node had no parent".into());
            }
            _ => {}
        }
    }
}

/// The next event that is no reason to give up.
async fn next(events: &mut Events) -> Result<Event, Box<dyn Error>> {
    match events.next().await.ok_or("the node has ended")? {
        Event::BootstrapLost {
            cause,
            retry_in: None,
        } => Err(cause.into()),
        event => Ok(event),
    }
}
