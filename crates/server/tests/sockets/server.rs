//! A whole server on a real socket: HTTP, handshakes, bounds and stopping.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use parlor_gateway::outbox::OutboxLimits;
use parlor_protocol::FrameKind;
use parlor_server::{
    Server, ServerConfig, Site, StartError,
    transport::{Listening, Stopped},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Client, Echoes, Frame, close, header, message, soon, text, upgrade};

const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A server of echoes.
async fn echoes(echoes: Echoes, change: impl FnOnce(&mut ServerConfig)) -> Listening {
    let mut config = ServerConfig::default();
    change(&mut config);
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let site = Site::new(echoes).with_page("/own", "text/plain", "own page");
    Listening::start(listener, site, config).unwrap()
}

async fn serve() -> Listening {
    echoes(Echoes::default(), |_| {}).await
}

/// Asks on a connection of its own.
async fn ask(server: &Listening, request: &str) -> (String, String) {
    soon(Client::connect(server.address()).await.ask_whole(request)).await
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: play.example\r\n{more}\r\n")
}

#[track_caller]
fn assert_status(head: &str, status: u16) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "not {status}: {head}");
}

#[tokio::test]
async fn socket_is_opened_as_in_the_rfc() {
    let server = serve().await;
    let mut client = Client::connect(server.address()).await;
    let head = soon(client.ask(&upgrade(""))).await;
    assert_status(&head, 101);
    assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(header(&head, "sec-websocket-protocol"), None);
    client.send(&text("hello")).await;
    soon(client.expect_text("hello")).await;
}

#[tokio::test]
async fn first_known_subprotocol_is_named() {
    let server = serve().await;
    let offer = "Sec-WebSocket-Protocol: soap, echo.v2, echo.v1\r\n";
    let head = soon(Client::connect(server.address()).await.ask(&upgrade(offer))).await;
    assert_status(&head, 101);
    assert_eq!(header(&head, "sec-websocket-protocol"), Some("echo.v2"));
}

/// A client need not wait for the 101 before it speaks.
#[tokio::test]
async fn frames_right_behind_the_handshake_are_read() {
    let server = serve().await;
    let mut client = Client::connect(server.address()).await;
    let request = [upgrade("").as_bytes(), &text("one"), &text("two")[..3]].concat();
    client.send(&request).await;
    let head = soon(client.ask("")).await;
    assert_status(&head, 101);
    soon(client.expect_text("one")).await;
    client.send(&text("two")[3..]).await;
    soon(client.expect_text("two")).await;
}

#[tokio::test]
async fn handshakes_that_break_a_rule_are_refused_in_json() {
    let server = serve().await;
    for (from, to, status, code) in [
        ("GET /ws", "POST /ws", 405, "METHOD_NOT_ALLOWED"),
        ("Connection: Upgrade", "Connection: keep-alive", 426, "BAD_REQUEST"),
        ("Upgrade: websocket", "Upgrade: h2c", 426, "BAD_REQUEST"),
        ("Version: 13", "Version: 8", 426, "BAD_REQUEST"),
        ("Key: dGhl", "Key: short", 400, "BAD_REQUEST"),
        ("\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n", 403, "FORBIDDEN"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: soap\r\n\r\n", 400, "BAD_REQUEST"),
    ] {
        let request = upgrade("").replacen(from, to, 1);
        assert_ne!(request, upgrade(""), "{from} is in the request");
        let (head, body) = ask(&server, &request).await;
        assert_status(&head, status);
        assert_eq!(header(&head, "content-type"), Some("application/json"));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], code, "{to}");
        assert_eq!(body["error"]["retryable"], false);
        if status == 426 {
            assert_eq!(header(&head, "sec-websocket-version"), Some("13"));
        }
    }
}

#[tokio::test]
async fn http_1_0_is_not_upgraded() {
    let server = serve().await;
    let request = upgrade("").replacen("HTTP/1.1", "HTTP/1.0", 1);
    let (head, _) = ask(&server, &request).await;
    assert!(head.starts_with("HTTP/1.0 400 "), "{head}");
}

#[tokio::test]
async fn listed_origin_may_connect() {
    let server = echoes(Echoes::default(), |config| {
        config.allowed_origins = vec!["https://games.example".parse().unwrap()];
    })
    .await;
    for (origin, status) in [
        ("https://games.example", 101),
        ("http://play.example", 101),
        ("https://other.example", 403),
    ] {
        let request = upgrade(&format!("Origin: {origin}\r\n"));
        assert_status(&soon(Client::connect(server.address()).await.ask(&request)).await, status);
    }
}

#[tokio::test]
async fn server_full_says_when_to_come_back_and_has_room_again_later() {
    let server = echoes(Echoes::default(), |config| config.connections_max = 2).await;
    let mut first = soon(Client::open(server.address())).await;
    let _second = soon(Client::open(server.address())).await;

    let (head, body) = ask(&server, &upgrade("")).await;
    assert_status(&head, 503);
    assert_eq!(header(&head, "retry-after"), Some("5"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"]["code"], "SERVER_FULL");
    assert_eq!(body["error"]["retryable"], true);
    assert_status(&ask(&server, &get("/style.css", "")).await.0, 200);

    first.send(&close(1000)).await;
    soon(first.expect_close(1000)).await;
    soon(first.expect_end()).await;
    soon(async {
        // The place is free once the connection's task has ended, just after the socket.
        while !Client::connect(server.address())
            .await
            .ask(&upgrade(""))
            .await
            .starts_with("HTTP/1.1 101 ")
        {}
    })
    .await;
}

#[tokio::test]
async fn client_that_sends_no_headers_is_closed() {
    let server = echoes(Echoes::default(), |config| {
        config.handshake_time_max = Duration::from_millis(50);
    })
    .await;
    for sent in ["", "GET /ws HTTP/1.1\r\nHost: pl"] {
        let mut client = Client::connect(server.address()).await;
        client.send(sent.as_bytes()).await;
        let mut rest = Vec::new();
        let read = soon(client.io.read_to_end(&mut rest)).await;
        assert!(read.is_err() || !rest.starts_with(b"HTTP/1.1 1"), "it was not served");
    }
}

#[tokio::test]
async fn connection_for_http_alone_does_not_last_for_ever() {
    let server = echoes(Echoes::default(), |config| {
        config.http_time_max = Duration::from_millis(100);
    })
    .await;
    let mut client = Client::connect(server.address()).await;
    assert_status(&soon(client.ask_whole(&get("/style.css", ""))).await.0, 200);
    let mut rest = Vec::new();
    soon(client.io.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn headers_are_bounded() {
    let server = serve().await;
    let mut client = Client::connect(server.address()).await;
    let request = get("/", &format!("X-Long: {}\r\n", "x".repeat(20_000)));
    // The server may close before it has taken all of it.
    let _ = client.io.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let read = soon(client.io.read_to_end(&mut answer)).await;
    assert!(read.is_err() || answer.starts_with(b"HTTP/1.1 431 "), "{answer:?}");
}

#[tokio::test]
async fn pages_come_with_their_type_and_a_strict_policy() {
    let server = serve().await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/play/tictactoe", "text/html; charset=utf-8"),
        ("/play/tictactoe?room=ABCDEFGH", "text/html; charset=utf-8"),
        ("/parlor.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/own", "text/plain"),
    ] {
        let (head, body) = ask(&server, &get(path, "")).await;
        assert_status(&head, 200);
        assert!(!body.is_empty());
        assert_eq!(header(&head, "content-type"), Some(content_type), "{path}");
        assert_eq!(header(&head, "x-content-type-options"), Some("nosniff"));
        assert_eq!(header(&head, "referrer-policy"), Some("no-referrer"));
        assert_eq!(
            header(&head, "content-security-policy"),
            Some(
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                 connect-src 'self' ws://play.example wss://play.example"
            )
        );
    }
}

#[tokio::test]
async fn every_built_in_file_is_served_at_its_path() {
    let server = serve().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let mut folders = vec![root.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if relative.starts_with("admin") {
                // Shown only where there is an administrator.
                continue;
            }
            let (head, _) = ask(&server, &get(&format!("/{relative}"), "")).await;
            assert_status(&head, 200);
            files += 1;
        }
    }
    assert!(files > 5, "there are pages");
}

#[tokio::test]
async fn host_cannot_add_to_the_policy() {
    let server = serve().await;
    let request = "GET / HTTP/1.1\r\nHost: x; script-src *\r\n\r\n";
    let (head, _) = ask(&server, request).await;
    if let Some(policy) = header(&head, "content-security-policy") {
        assert!(policy.ends_with("connect-src 'self'"), "{policy}");
    } else {
        assert_status(&head, 400);
    }
}

#[tokio::test]
async fn page_that_the_client_has_is_not_sent_again() {
    let server = serve().await;
    for path in ["/", "/own"] {
        let (head, _) = ask(&server, &get(path, "")).await;
        let etag = header(&head, "etag").unwrap();
        for (known, status) in [
            (etag.to_owned(), 304),
            (format!("\"other\", W/{etag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let request = get(path, &format!("If-None-Match: {known}\r\n"));
            let mut client = Client::connect(server.address()).await;
            let head = soon(client.ask(&request)).await;
            assert_status(&head, status);
            assert_eq!(header(&head, "etag"), Some(etag));
        }
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = serve().await;
    let (head, body) = ask(&server, &get("/own", "")).await;
    assert_eq!(body, "own page");
    let mut client = Client::connect(server.address()).await;
    let without = soon(client.ask(&get("/own", "").replacen("GET", "HEAD", 1))).await;
    assert_eq!(header(&without, "content-length"), header(&head, "content-length"));
    // The next answer on the same connection follows at once: there was no body.
    assert_status(&soon(client.ask(&get("/style.css", ""))).await, 200);
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_json() {
    let server = serve().await;
    for (request, status, code) in [
        (get("/nothing", ""), 404, "NOT_FOUND"),
        (get("/play/nothing", ""), 404, "NOT_FOUND"),
        (get("/../Cargo.toml", ""), 404, "NOT_FOUND"),
        (get("/../main.rs", ""), 404, "NOT_FOUND"),
        (get("//etc/passwd", ""), 404, "NOT_FOUND"),
        (get("/", "").replacen("GET", "DELETE", 1), 405, "METHOD_NOT_ALLOWED"),
        (get("/own", "").replacen("GET", "PUT", 1), 405, "METHOD_NOT_ALLOWED"),
        (get("/style.css", "").replacen("GET", "POST", 1), 405, "METHOD_NOT_ALLOWED"),
    ] {
        let (head, body) = ask(&server, &request).await;
        assert_status(&head, status);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], code, "{request}");
        if status == 405 {
            assert_eq!(header(&head, "allow"), Some("GET, HEAD"));
        }
    }
}

/// One client reads nothing while the server sends it far more than any socket holds.
#[tokio::test]
async fn slow_reader_does_not_stall_the_others() {
    let limits = OutboxLimits { messages_max: 64, ..OutboxLimits::default() };
    let all = Echoes { limits, ..Echoes::default() };
    let outboxes = std::sync::Arc::clone(&all.outboxes);
    let server = echoes(all, |_| {}).await;
    let _slow = soon(Client::open(server.address())).await;
    let slow = soon(async {
        loop {
            if let Some(outbox) = outboxes.lock().unwrap().first() {
                break std::sync::Arc::clone(outbox);
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut other = soon(Client::open(server.address())).await;

    let body = message(FrameKind::Binary, &[7; 100_000]);
    soon(async {
        while slow.push(body.clone()).is_ok() {
            slow.wake();
            other.send(&text("still here")).await;
            other.expect_text("still here").await;
        }
    })
    .await;
    assert!(slow.is_closed());
    slow.wake();
    other.send(&text("and here")).await;
    soon(other.expect_text("and here")).await;
}

#[tokio::test]
async fn stopping_closes_every_connection_with_1001() {
    let server = serve().await;
    let address = server.address();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(soon(Client::open(address)).await);
    }
    for client in &mut clients {
        client.send(&text("hello")).await;
        soon(client.expect_text("hello")).await;
    }
    let stopping = tokio::spawn(server.stop());
    for client in &mut clients {
        soon(client.expect(Frame::Close(Some(1001), "going away".into()))).await;
        client.send(&close(1001)).await;
        soon(client.expect_end()).await;
    }
    assert_eq!(soon(stopping).await.unwrap(), Stopped { connections_cut: 0 });
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn stopping_has_a_deadline_and_says_what_was_cut() {
    let server = echoes(Echoes::default(), |config| {
        config.drain_time_max = Duration::from_millis(50);
        config.close_time_max = Duration::from_secs(60);
    })
    .await;
    let mut client = soon(Client::open(server.address())).await;
    client.send(&text("hello")).await;
    soon(client.expect_text("hello")).await;
    assert_eq!(soon(server.stop()).await, Stopped { connections_cut: 1 });
}

#[tokio::test]
async fn dropped_server_cuts_everything() {
    let server = serve().await;
    let address = server.address();
    let mut client = soon(Client::open(address)).await;
    drop(server);
    soon(client.expect_end()).await;
    soon(async { while tokio::net::TcpStream::connect(address).await.is_ok() {} }).await;
}

/// The game server itself, up to its first words.
#[tokio::test]
async fn game_server_greets_in_both_codecs() {
    let mut config = ServerConfig::default();
    config.listen = SocketAddr::from(ANYWHERE);
    let server = Server::new(config).page("/rules", "text/plain", "be kind").start().unwrap();

    let mut client = Client::connect(server.address()).await;
    assert_status(&soon(client.ask(&upgrade(""))).await, 101);
    let Some(Frame::Text(welcome)) = soon(client.next()).await else { panic!("no text") };
    assert!(welcome.contains(r#""type":"welcome""#), "{welcome}");
    client.send(&text(r#"{"type":"ping","id":1}"#)).await;
    let Some(Frame::Text(pong)) = soon(client.next()).await else { panic!("no text") };
    assert!(pong.contains(r#""type":"ping_result""#), "{pong}");

    let mut client = Client::connect(server.address()).await;
    let offer = "Sec-WebSocket-Protocol: parlor.v1.msgpack\r\n";
    let head = soon(client.ask(&upgrade(offer))).await;
    assert_eq!(header(&head, "sec-websocket-protocol"), Some("parlor.v1.msgpack"));
    assert!(matches!(soon(client.next()).await, Some(Frame::Binary(_))));

    let mut client = Client::connect(server.address()).await;
    assert_eq!(soon(client.ask_whole(&get("/rules", ""))).await.1, "be kind");
    assert_eq!(server.gateway().connection_count(), 2);
}

#[tokio::test]
async fn taken_address_is_named_in_the_error() {
    let taken = TcpListener::bind(ANYWHERE).await.unwrap();
    // Listening sockets on one port are told apart from sockets that are only bound to it.
    let address = taken.local_addr().unwrap();
    let mut config = ServerConfig::default();
    config.listen = address;
    let error = Server::new(config).start().unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }));
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
}
