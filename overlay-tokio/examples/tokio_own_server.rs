//! A whole tree in one process: a bootstrap server, a root and a few nodes.
//!
//! Run it with `cargo run -p overlay-tokio --example tokio_own_server`.
#![allow(clippy::print_stdout, reason = "the example shows what happens")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use overlay_tokio::core::bootstrap::{self, Access};
use overlay_tokio::{Event, Events, LinkConfig, Node, Notification, ServerConfig, random_token};

const NODES: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server for any overlay whose root knows the token. With port 0, the system chooses one.
    let token = random_token()?;
    let config = bootstrap::Config::new(Access::default().any_overlay(token.clone()));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = overlay_tokio::serve(address, ServerConfig::new(config))?;
    println!("the server listens on {}", server.local_addr());

    // Nodes of two children each, whose links stay within this machine.
    let builder = overlay_tokio::node()
        .server(format!("ws://{}", server.local_addr()).parse()?)
        .dialer(overlay_tokio::dialer(LinkConfig::loopback())?)
        .max_degree(2);
    let (root, mut root_events) = builder.clone().spawn()?;
    root.become_root(token).await;
    until(&mut root_events, |news| {
        matches!(news, Notification::Promoted { .. })
    })
    .await?;

    let mut listening = Vec::new();
    for number in 1..=NODES {
        let (node, mut events) = builder.clone().spawn()?;
        node.join().await;
        until(&mut events, |news| {
            matches!(news, Notification::ParentConnected { .. })
        })
        .await?;
        println!("node {number} is in the tree");
        listening.push(tokio::spawn(listen(number, node, events)));
    }

    root.broadcast("hello").await?;
    for listener in listening {
        listener.await?;
    }
    root.leave().await;
    until(&mut root_events, |news| matches!(news, Notification::Left)).await?;
    server.shut_down().await;
    Ok(())
}

/// Waits for the news that is wanted, and skips what comes before.
async fn until(
    events: &mut Events,
    wanted: impl Fn(&Notification) -> bool,
) -> Result<(), Box<dyn Error>> {
    while let Some(event) = events.next().await {
        match event {
            Event::Node(news) if wanted(&news) => return Ok(()),
            Event::BootstrapLost {
                cause,
                retry_in: None,
            } => return Err(cause.into()),
            _ => {}
        }
    }
    Err("the node has ended".into())
}

/// Prints the first message. The node stays in the tree until then, because its handle is here.
async fn listen(number: usize, node: Node, mut events: Events) {
    while let Some(event) = events.next().await {
        if let Event::Message(message) = event {
            let text = String::from_utf8_lossy(&message.payload);
            println!(
                "node {number}, {:.6}, hears {text:?}",
                node.id().to_string()
            );
            return;
        }
    }
}
