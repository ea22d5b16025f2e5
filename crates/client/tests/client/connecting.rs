//! Opening and ending a connection.

use std::sync::Arc;
use std::time::Duration;

use parlor_client::protocol::{Codec, ErrorCode, EventType};
use parlor_client::{Client, Closed, ConnectError, Options};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use crate::script::{Script, welcome};

#[tokio::test]
async fn greeting_is_told_in_either_codec() {
    for codec in Codec::ALL {
        let (_script, client, _events) =
            Script::connect(Options { codec, ..Options::default() }).await;
        assert_eq!(client.welcome().server, "script/1");
        assert_eq!(client.welcome().limits.max_message_bytes, 256);
    }
}

#[tokio::test]
async fn another_version_of_the_protocol_is_not_spoken() {
    let greeting = json!({"protocol": 2, "server": "later"});
    let (_script, connected) = Script::greet(Options::default(), greeting).await;
    assert!(matches!(connected, Err(ConnectError::Version(2))), "{connected:?}");
}

#[tokio::test]
async fn greeting_of_another_shape_is_refused() {
    let (_script, connected) = Script::greet(Options::default(), json!({"protocol": 1})).await;
    assert!(matches!(connected, Err(ConnectError::Greeting(_))), "{connected:?}");
}

#[tokio::test]
async fn refused_handshake_carries_the_status_and_the_server_s_error() {
    let (near, mut far) = tokio::io::duplex(4096);
    let serve = async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(far.read_u8().await.unwrap());
        }
        let body = r#"{"error":{"code":"SERVER_FULL","message":"full","retryable":true}}"#;
        let head = format!("HTTP/1.1 503 Full\r\nContent-Length: {}\r\n\r\n", body.len());
        far.write_all((head + body).as_bytes()).await.unwrap();
    };
    let connecting = Client::over(near, "ws://parlor.test/ws", Options::default());
    let (connected, ()) = tokio::join!(connecting, serve);
    let Err(ConnectError::Refused { status: 503, error: Some(error) }) = connected else {
        panic!("{connected:?}");
    };
    assert_eq!(error.code, ErrorCode::SERVER_FULL);
}

#[tokio::test(start_paused = true)]
async fn server_that_does_not_answer_is_not_waited_for() {
    let (near, _far) = tokio::io::duplex(4096);
    let connected = Client::over(near, "ws://parlor.test/ws", Options::default()).await;
    assert!(matches!(connected, Err(ConnectError::Timeout)), "{connected:?}");
}

#[tokio::test]
async fn port_where_nobody_listens_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    drop(listener);
    let connected = Client::connect(&url, Options::default()).await;
    assert!(matches!(connected, Err(ConnectError::Unreachable(_))), "{connected:?}");
}

#[tokio::test(start_paused = true)]
async fn server_that_falls_silent_is_asked_for_a_sign_of_life_and_then_given_up() {
    let (mut script, client, mut events) = Script::connect(Options::default()).await;
    let before = tokio::time::Instant::now();
    assert_eq!(script.hear().await, json!({"type": "ping", "data": {}}));
    assert_eq!(before.elapsed(), Duration::from_secs(20), "one heartbeat");
    assert_eq!(events.next().await.unwrap_err(), Closed::Silent);
    assert_eq!(before.elapsed(), Duration::from_secs(25));
    assert!(client.closed().unwrap().may_reconnect());
}

#[tokio::test(start_paused = true)]
async fn server_that_gives_any_sign_of_life_is_not_given_up() {
    let (mut script, client, mut events) = Script::connect(Options::default()).await;
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(19)).await;
        script.ping().await;
        assert!(matches!(script.hear_frame().await, Some(Message::Pong(_))));
    }
    let asked = script.hear().await;
    script.refuse(&asked, ErrorCode::RATE_LIMITED).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(client.closed(), None);
    script.close(1001, "going away").await;
    let Closed::ByServer { code: 1001, .. } = events.next().await.unwrap_err() else {
        panic!("{:?}", client.closed());
    };
}

/// A server whose connection breaks while it says these bytes.
async fn cut_after(answer: &[u8]) -> ConnectError {
    let (near, mut far) = tokio::io::duplex(4096);
    let serve = async move {
        far.write_all(answer).await.unwrap();
    };
    let connecting = Client::over(near, "ws://parlor.test/ws", Options::default());
    let (connected, ()) = tokio::join!(connecting, serve);
    connected.unwrap_err()
}

#[tokio::test]
async fn connection_that_breaks_in_the_handshake_may_be_tried_again() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
    for bytes in [0, 1, 12, answer.len()] {
        let error = cut_after(&answer[..bytes]).await;
        assert!(matches!(error, ConnectError::Unreachable(_)), "after {bytes} bytes: {error:?}");
        assert!(error.may_retry());
    }
}

#[tokio::test]
async fn connection_that_breaks_before_the_greeting_may_be_tried_again() {
    let (near, far) = tokio::io::duplex(4096);
    let serve = async { drop(Script::accept(far, Codec::Json).await) };
    let connecting = Client::over(near, "ws://parlor.test/ws", Options::default());
    let (connected, ()) = tokio::join!(connecting, serve);
    let error = connected.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn only_what_may_pass_is_tried_again() {
    let refused = |status| ConnectError::Refused { status, error: None };
    for (error, expect) in [
        (ConnectError::Timeout, true),
        (refused(503), true),
        (refused(429), true),
        (refused(403), false),
        (refused(400), false),
        (ConnectError::Version(2), false),
    ] {
        assert_eq!(error.may_retry(), expect, "{error}");
    }
}

#[tokio::test]
async fn closing_sends_what_was_asked_and_then_a_close_frame() {
    let (mut script, client, mut events) = Script::connect(Options::default()).await;
    let client = Arc::new(client);
    let asking = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.ping().await }
    });
    let request = script.hear().await;
    script.answer(&request, json!({"serverTime": 1})).await;
    asking.await.unwrap().unwrap();

    let client = Arc::into_inner(client).unwrap();
    let serve = async move {
        let frame = script.hear_frame().await;
        assert!(matches!(frame, Some(Message::Close(_))), "{frame:?}");
        assert!(script.hear_frame().await.is_none());
    };
    tokio::join!(client.close(), serve);
    assert_eq!(events.next().await.unwrap_err(), Closed::ByClient);
}

#[tokio::test]
async fn dropping_the_client_ends_the_connection() {
    let (mut script, client, mut events) = Script::connect(Options::default()).await;
    drop(client);
    assert!(script.hear_frame().await.is_none());
    assert_eq!(events.next().await.unwrap_err(), Closed::ByClient);
}

#[tokio::test]
async fn message_that_is_none_of_the_protocol_s_ends_the_connection() {
    let (mut script, _client, mut events) = Script::connect(Options::default()).await;
    script.say(&json!({"data": {}})).await;
    assert!(matches!(events.next().await, Err(Closed::BadMessage(_))));
}

#[tokio::test]
async fn message_of_exactly_the_client_s_bound_is_taken_and_a_larger_one_is_not() {
    let bound = welcome().to_string().len() + r#"{"type":"welcome","data":}"#.len();
    let options = Options { message_bytes_max: bound, ..Options::default() };
    let (mut script, _client, mut events) = Script::connect(options).await;
    let event =
        |padding: usize| json!({"type": "game_started", "data": {"x": "x".repeat(padding)}});
    let fitting = bound - event(0).to_string().len();

    script.say(&event(fitting)).await;
    assert_eq!(events.next().await.unwrap().kind, EventType::GameStarted);
    script.say(&event(fitting + 1)).await;
    assert!(matches!(events.next().await, Err(Closed::Lost(_))));
}
