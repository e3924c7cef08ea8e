//! The bootstrap server, and clients that attack it.

use std::time::Duration;

use async_tungstenite::tungstenite::Message;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use overlay_core::bootstrap;
use overlay_core::wire::{
    self, ClientFrame, JoinFrame, MAX_FRAME, Refusal, Registration, ServerFrame, Token, VERSION,
};
use overlay_core::{JoinId, NodeId, Role};
use overlay_driver::{BootstrapLost, Event, Notification, ServerConfig, StaticFile};

use crate::Driver;
use crate::harness::{Member, World, access};
use crate::rogue::{A_MOMENT, Rogue, forged_answer};

/// The response that an HTTP client gets.
async fn http(world: &World, request: &str) -> String {
    let mut socket = world.driver.connect(world.address()).await;
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).await.unwrap();
    response
}

pub(crate) async fn health_is_told_to_monitoring(driver: Driver) {
    let world = World::new(driver);
    let _root = world.root(2).await;
    let response = http(
        &world,
        "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(
        response.ends_with(r#"{"status":"ok","connections":1,"overlays":1}"#),
        "{response}"
    );
}

pub(crate) async fn a_browser_is_told_that_this_is_a_bootstrap_server(driver: Driver) {
    let world = World::new(driver);
    let response = http(
        &world,
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(response.contains("bootstrap server"), "{response}");
}

pub(crate) async fn a_file_is_served_with_a_policy_for_pages(driver: Driver) {
    let world = World::with(driver, |config: &mut ServerConfig| {
        config.files = vec![StaticFile {
            path: "/page.js",
            media_type: "text/javascript",
            body: b"alert(1)".as_slice().into(),
        }];
    });
    let response = http(&world, "GET /page.js HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.contains("default-src 'none'"), "{response}");
    assert!(response.ends_with("alert(1)"), "{response}");
    let other = http(&world, "GET /other.js HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
}

pub(crate) async fn silent_sockets_are_closed_and_keep_no_client_out(driver: Driver) {
    let world = World::with(driver, |config: &mut ServerConfig| {
        config.header_timeout = Duration::from_secs(1);
    });
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(world.driver.connect(world.address()).await);
    }
    let _root = world.root(2).await;
    world.member(2).await;
    for mut socket in silent {
        let mut rest = Vec::new();
        // Closed, with or without a word.
        let _ = socket.read_to_end(&mut rest).await;
    }
}

pub(crate) async fn a_websocket_that_says_nothing_is_closed(driver: Driver) {
    let world = World::with(driver, |config| {
        config.bootstrap.hello_timeout = Duration::from_secs(1);
    });
    let mut silent = Rogue::connect(&world).await;
    assert_eq!(silent.refusal().await, Some(Refusal::Silent));
}

pub(crate) async fn garbage_is_refused_with_a_reason(driver: Driver) {
    let world = World::new(driver);
    let garbage = [
        Message::binary(vec![]),
        Message::binary(vec![0xff; 1_000]),
        Message::text(r#"{"type":"X"}"#),
    ];
    for message in garbage {
        let mut rogue = Rogue::connect(&world).await;
        rogue.send_message(message).await;
        assert_eq!(rogue.refusal().await, Some(Refusal::Malformed));
    }
    let _root = world.root(2).await;
    world.member(2).await;
}

pub(crate) async fn a_truncated_greeting_is_refused_with_a_reason(driver: Driver) {
    let world = World::new(driver);
    let mut rogue = Rogue::connect(&world).await;
    let mut hello = wire::encode(&rogue.hello(Registration::Joiner)).to_vec();
    hello.pop();
    rogue.send(hello).await;
    assert_eq!(rogue.refusal().await, Some(Refusal::Malformed));
}

pub(crate) async fn an_oversized_message_ends_the_connection_and_nothing_else(driver: Driver) {
    let world = World::new(driver);
    let _root = world.root(2).await;
    let mut rogue = Rogue::greet(&world).await;
    rogue.send(vec![0; 8 * MAX_FRAME]).await;
    assert_eq!(rogue.hear().await, None);
    world.member(2).await;
}

pub(crate) async fn a_client_of_an_unknown_version_is_told_so(driver: Driver) {
    let world = World::new(driver);
    let mut rogue = Rogue::connect(&world).await;
    let ClientFrame::Hello {
        overlay,
        id,
        secret,
        registration,
        ..
    } = rogue.hello(Registration::Joiner)
    else {
        unreachable!()
    };
    let version = VERSION + 1;
    let hello = ClientFrame::Hello {
        version,
        overlay,
        id,
        secret,
        registration,
    };
    rogue.say(&hello).await;
    assert_eq!(rogue.refusal().await, Some(Refusal::Version));
}

pub(crate) async fn a_forged_answer_reaches_no_joiner(driver: Driver) {
    let world = World::new(driver);
    let mut victim = world.joiner(2).await;
    victim
        .until(|event| matches!(event, Event::Node(Notification::BootstrapReady)))
        .await;
    let mut rogue = Rogue::greet(&world).await;
    let join = JoinId {
        origin: victim.id(),
        attempt: 1,
    };
    rogue.send_join(forged_answer(join)).await;
    assert_eq!(rogue.refusal().await, Some(Refusal::Malformed));
    let root = world.root(2).await;
    victim.joined().await;
    assert_eq!(victim.status().await.parent, Some(root.id()));
}

pub(crate) async fn a_request_in_another_nodes_name_is_refused(driver: Driver) {
    let world = World::new(driver);
    let mut rogue = Rogue::greet(&world).await;
    let join = JoinId {
        origin: NodeId::from_u128(7),
        attempt: 1,
    };
    rogue.send_join(JoinFrame::Cancel { join }).await;
    assert_eq!(rogue.refusal().await, Some(Refusal::Malformed));
}

pub(crate) async fn a_wrong_token_is_refused_and_the_node_gives_up(driver: Driver) {
    let world = World::new(driver);
    let mut thief = Member::of(world.builder(2));
    thief.node.become_root(Token::new("guess").unwrap()).await;
    let lost = thief
        .until(|event| matches!(event, Event::BootstrapLost { .. }))
        .await;
    assert!(matches!(
        lost,
        Event::BootstrapLost {
            cause: BootstrapLost::Refused(Refusal::WrongToken),
            retry_in: None
        }
    ));
    let _root = world.root(2).await;
    world.member(2).await;
}

pub(crate) async fn a_root_outlives_the_servers_that_introduce_to_it(driver: Driver) {
    let world = World::new(driver);
    let mut root = world.root(2).await;
    let mut member = world.member(2).await;
    let address = world.address();
    world.server.shut_down().await;
    root.until(|event| matches!(event, Event::BootstrapLost { .. }))
        .await;
    let config = ServerConfig::new(bootstrap::Config::new(access()));
    let _second = (world.driver.serve)(address, config).unwrap();
    root.until(|event| matches!(event, Event::Node(Notification::BootstrapReady)))
        .await;
    root.node.broadcast("still here").await.unwrap();
    assert_eq!(member.message().await, b"still here");
    assert_eq!(member.status().await.role, Role::Member);
}

pub(crate) async fn a_server_that_is_not_there_is_named(driver: Driver) {
    let world = World::new(driver);
    let builder = world.builder(2);
    world.server.shut_down().await;
    world.driver.sleep(A_MOMENT).await;
    let mut lost = Member::of(builder);
    lost.node.join().await;
    let event = lost
        .until(|event| matches!(event, Event::BootstrapLost { .. }))
        .await;
    let Event::BootstrapLost { cause, retry_in } = event else {
        unreachable!()
    };
    assert!(
        cause
            .to_string()
            .starts_with("cannot reach ws://127.0.0.1:"),
        "{cause}"
    );
    assert!(retry_in.is_some());
}

pub(crate) async fn a_path_that_is_not_there_is_not_found_and_nothing_can_be_changed(
    driver: Driver,
) {
    let world = World::new(driver);
    for (request, status) in [
        ("GET /else HTTP/1.1\r\n\r\n", "404"),
        ("POST /health HTTP/1.1\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let response = http(&world, request).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
    }
    let head = http(&world, "HEAD /health HTTP/1.0\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

pub(crate) async fn a_full_server_turns_sockets_away_until_one_is_closed(driver: Driver) {
    let world = World::with(driver, |config| config.max_sockets = 1);
    let root = world.root(2).await;
    let mut turned_away = world.joiner(2).await;
    turned_away
        .until(|event| matches!(event, Event::BootstrapLost { .. }))
        .await;
    drop(root);
    turned_away
        .until(|event| matches!(event, Event::Node(Notification::BootstrapReady)))
        .await;
}

pub(crate) async fn clients_behind_a_proxy_are_told_apart(driver: Driver) {
    let world = World::with(driver, |config| {
        config.behind_proxy = true;
        config.bootstrap.max_connections_per_source = 1;
    });
    let mut clients = Vec::new();
    for (forwarded_for, welcome) in [
        ("192.0.2.1", true),
        ("192.0.2.2", true),
        ("192.0.2.3, 192.0.2.2", false),
    ] {
        let mut client = Rogue::forwarded_for(&world, forwarded_for).await;
        client.say(&client.hello(Registration::Joiner)).await;
        let answer = client.hear().await;
        assert_eq!(
            matches!(answer, Some(ServerFrame::Welcome { .. })),
            welcome,
            "{answer:?}"
        );
        clients.push(client);
    }
}
