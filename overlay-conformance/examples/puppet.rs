//! A native node for tests in other languages: it does what lines on stdin say, and prints what happens.
//!
//! `puppet SERVER [DEGREE]`. Both directions are JSON, one object a line. A browser's tests run it as the neighbour of their tabs:
//! the `overlay` command only receives, and this sends as well.
//!
//! | line | does |
//! |---|---|
//! | `{"do":"join"}`, `{"do":"root","token":T}`, `{"do":"leave"}` | what they say |
//! | `{"do":"send","to":NODE,"text":T}`, `up`, `broadcast`, `end` | sends |
//! | `{"do":"ask","text":T}` | asks every node |
//! | `{"do":"close","to":NODE}` | closes a link |
//! | `{"do":"echo"}` | from now on, direct messages go back, and messages from below are replied to with themselves |
//!
//! Instead of `text`, `size` makes a message of this many bytes: 0, 1, … 250, 0, ….
#![allow(clippy::print_stdout, reason = "the lines are what it is for")]

use std::error::Error;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use overlay_tokio::{Combine, Event, Message, Node, Notification, Scope, SendError, Token};
use serde_json::{Value, json};

/// The time that the root waits for answers.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let server = args.next().ok_or("usage: puppet SERVER [DEGREE]")?;
    let degree = args.next().map_or(Ok(10), |degree| degree.parse())?;
    let builder = overlay_tokio::node().server(server.parse()?);
    let (node, mut events) = builder.max_degree(degree).spawn()?;
    say(&json!({ "is": "made", "node": node.id().to_string() }));
    let echo = Arc::new(AtomicBool::new(false));
    let (sender, lines) = async_channel::unbounded();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send_blocking(line);
        }
    });
    // In a task of its own: whoever takes events must not wait for a send.
    let wishes = (node.clone(), Arc::clone(&echo));
    tokio::spawn(async move {
        while let Ok(line) = lines.recv().await {
            if let Err(error) = obey(&wishes.0, &wishes.1, &line).await {
                say(&json!({ "is": "error", "text": error.to_string() }));
            }
        }
    });
    while let Some(event) = events.next().await {
        match event {
            Event::Node(news) => tell(&news),
            Event::Message(message) => hear(&node, message, echo.load(Ordering::Relaxed)),
            Event::Question(question) => {
                let answer = String::from_utf8_lossy(question.payload()).to_uppercase();
                question.answer(answer);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Does what a line says.
async fn obey(node: &Node, echo: &AtomicBool, line: &str) -> Result<(), Box<dyn Error>> {
    let wish: Value = serde_json::from_str(line)?;
    let text = |name: &str| wish[name].as_str().unwrap_or_default().to_owned();
    let payload = match wish["size"].as_u64() {
        Some(size) => (0..size).map(|at| (at % 251) as u8).collect(),
        None => Bytes::from(text("text")),
    };
    match text("do").as_str() {
        "join" => node.join().await,
        "root" => node.become_root(Token::new(text("token"))?).await,
        "leave" => node.leave().await,
        "close" => node.close(text("to").parse()?).await,
        "echo" => echo.store(true, Ordering::Relaxed),
        "send" => node.send(text("to").parse()?, payload).await?,
        "up" => node.send_up(payload).await?,
        "broadcast" => drop(node.broadcast(payload).await?),
        "end" => node.end(payload).await?,
        "ask" => {
            let answers = node.ask(payload, PATIENCE, Combine::Concat).await?;
            let each = answers
                .each()
                .map(|(_, answer)| String::from_utf8_lossy(answer));
            let each: Vec<_> = each.collect();
            say(&json!({ "is": "answers", "asked": answers.asked, "answers": each }));
        }
        other => return Err(format!("no such wish: {other}").into()),
    }
    Ok(())
}

fn hear(node: &Node, message: Message, echo: bool) {
    let scope = match &message.scope {
        Scope::Direct => "direct",
        Scope::Broadcast(_) => "broadcast",
        Scope::End(_) => "end",
        Scope::Root(_) => "up",
        Scope::Reply => "reply",
        // More may come.
    };
    let bytes = &message.payload;
    let whole = bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| usize::from(*byte) == at % 251);
    let text = (bytes.len() < 1_000).then(|| String::from_utf8_lossy(bytes).into_owned());
    say(&json!({
        "is": "message", "scope": scope, "from": message.from.to_string(), "size": bytes.len(), "whole": whole, "text": text,
    }));
    if echo {
        let node = node.clone();
        tokio::spawn(async move {
            let sent: Result<(), SendError> = match &message.scope {
                Scope::Direct => node.send(message.from, message.payload).await,
                Scope::Root(way) => node.reply(way, message.payload).await,
                _ => Ok(()),
            };
            if let Err(error) = sent {
                say(&json!({ "is": "error", "text": error.to_string() }));
            }
        });
    }
}

fn tell(news: &Notification) {
    say(&match news {
        Notification::ParentConnected { node, depth, .. } => {
            json!({ "is": "parent", "node": node.to_string(), "depth": depth })
        }
        Notification::ParentClosed { reason, .. } => {
            json!({ "is": "parentLost", "reason": reason.to_string() })
        }
        Notification::ChildConnected { node, .. } => {
            json!({ "is": "child", "node": node.to_string() })
        }
        Notification::ChildClosed { node, reason, .. } => {
            json!({ "is": "childLost", "node": node.to_string(), "reason": reason.to_string() })
        }
        Notification::SubtreeChanged(census) => json!({ "is": "tree", "nodes": census.nodes() }),
        Notification::Promoted { .. } => json!({ "is": "promoted" }),
        Notification::Left => json!({ "is": "left" }),
        Notification::Gap { .. } => json!({ "is": "gap" }),
        _ => return,
    });
}

fn say(line: &Value) {
    println!("{line}");
}
