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
async fn server_that_falls_silent_is_given_up_after_two_heartbeats() {
    let (_script, client, mut events) = Script::connect(Options::default()).await;
    let before = tokio::time::Instant::now();
    assert_eq!(events.next().await.unwrap_err(), Closed::Silent);
    assert_eq!(before.elapsed(), Duration::from_secs(40));
    assert!(client.closed().unwrap().may_reconnect());
}

#[tokio::test(start_paused = true)]
async fn server_that_pings_is_not_given_up() {
    let (mut script, client, mut events) = Script::connect(Options::default()).await;
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(39)).await;
        script.ping().await;
        assert!(matches!(script.hear_frame().await, Some(Message::Pong(_))));
    }
    assert_eq!(client.closed(), None);
    script.close(1001, "going away").await;
    let Closed::ByServer { code: 1001, .. } = events.next().await.unwrap_err() else {
        panic!("{:?}", client.closed());
    };
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
