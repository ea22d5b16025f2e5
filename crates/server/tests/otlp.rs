//! What the program tells a collector of OpenTelemetry.
#![cfg(feature = "otlp")]

use parlor_client::{Client, Options, new_room};
use parlor_games::tictactoe::View;
use parlor_testutil::process::Program;
use parlor_testutil::seat::{WAIT_MAX, name};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

#[tokio::test]
async fn spans_of_requests_reach_the_collector_when_the_program_stops() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    let arguments = ["--otlp-endpoint", &endpoint, "--games-drain-time-max", "1ms"];
    let program = Program::start(env!("CARGO_BIN_EXE_parlor"), &arguments);
    let (ada, _events) = Client::connect(&program.socket_url(), Options::default()).await.unwrap();
    ada.create_room::<View>(&new_room("tictactoe", name("Ada"))).await.unwrap();
    ada.list_games().await.unwrap();
    program.signal("-TERM");

    let told = timeout(WAIT_MAX, received(&collector)).await.unwrap();
    let resource = told["resourceSpans"][0]["resource"].to_string();
    assert!(resource.contains("parlor"), "{resource}");
    let spans = told["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let kinds: Vec<_> = spans
        .iter()
        .filter(|span| span["name"] == "request")
        .filter_map(|span| {
            let attributes = span["attributes"].as_array()?;
            let kind = attributes.iter().find(|attribute| attribute["key"] == "kind")?;
            kind["value"]["stringValue"].as_str()
        })
        .collect();
    assert_eq!(kinds, ["create_room", "list_games"]);
    assert_eq!(program.end().0, Some(0));
}

/// The body of the first request, which is granted.
async fn received(collector: &TcpListener) -> Value {
    let (mut stream, _) = collector.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the request is whole");
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("POST /v1/traces "), "{head}");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
        });
        if body.len() == length.unwrap().unwrap() {
            let body = serde_json::from_str(body).unwrap();
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            return body;
        }
    }
}
