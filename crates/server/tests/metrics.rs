//! What Prometheus reads: true figures, well-formed names, nothing that grows with rooms or players, and each
//! of them in the operators' guide.

use std::collections::{BTreeMap, BTreeSet};

use parlor_client::protocol::{Codec, Phase};
use parlor_client::{new_room, seat_in};
use parlor_games::{Arena, TicTacToe, tictactoe};
use parlor_testutil::games::{Attempt, Failing, Fault, Marks};
use parlor_testutil::seat::{Seat, WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// One answer to a scrape.
struct Scrape {
    text: String,
    /// By name and labels, as they are written.
    values: BTreeMap<String, f64>,
}

impl Scrape {
    async fn of(server: &TestServer) -> Self {
        let (head, text) = Self::text(server, "").await;
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        let values = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series.to_owned(), value.parse().unwrap())
            })
            .collect();
        Self { text, values }
    }

    async fn text(server: &TestServer, more: &str) -> (String, String) {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\n{more}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        (head.to_owned(), text.to_owned())
    }

    #[track_caller]
    fn is(&self, series: &str, expected: f64) {
        assert_eq!(self.values.get(series), Some(&expected), "{series} in\n{}", self.text);
    }

    fn value(&self, series: &str) -> f64 {
        self.values.get(series).copied().unwrap_or_default()
    }

    fn sum(&self, family: &str) -> f64 {
        let of_family = |(series, _): &(&String, &f64)| {
            series.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        self.values.iter().filter(of_family).map(|(_, value)| value).sum()
    }
}

#[tokio::test]
async fn figures_are_those_of_what_has_happened() {
    let server = TestServer::start(|server| server.game(TicTacToe));
    let room = new_room("tictactoe", name("Ada"));
    let mut ada: Seat<tictactoe::View> = Seat::create(&server, Codec::Json, &room).await;
    let mut bob: Seat<tictactoe::View> =
        Seat::join(&server, Codec::MsgPack, &seat_in(ada.room, name("Bob"))).await;
    ada.until(|seat| seat.view.turn.is_some()).await;
    bob.until(|seat| seat.view.turn.is_some()).await;
    let first = if ada.view.turn.is_some_and(|turn| turn.0 == ada.me.0) { &ada } else { &bob };
    first.client.act(&json!({"row": 1, "col": 1})).await.unwrap();
    first.client.act(&json!({"row": 1, "col": 1})).await.unwrap_err();

    let scrape = Scrape::of(&server).await;
    scrape.is(r#"parlor_connections{codec="json"}"#, 1.0);
    scrape.is(r#"parlor_connections{codec="msgpack"}"#, 1.0);
    scrape.is("parlor_connections_opened_total", 2.0);
    scrape.is(r#"parlor_rooms{game="tictactoe",phase="playing"}"#, 1.0);
    scrape.is(r#"parlor_players{game="tictactoe",kind="human"}"#, 2.0);
    scrape.is(r#"parlor_requests_total{type="create_room",outcome="OK"}"#, 1.0);
    scrape.is(r#"parlor_requests_total{type="join_room",outcome="OK"}"#, 1.0);
    scrape.is(r#"parlor_requests_total{type="game_action",outcome="OK"}"#, 1.0);
    scrape.is(r#"parlor_requests_total{type="game_action",outcome="NOT_YOUR_TURN"}"#, 1.0);
    scrape.is("parlor_action_seconds_count", 2.0);
    assert!(scrape.value("parlor_room_lock_seconds_count") >= 4.0);
    assert!(scrape.value(r#"parlor_store_call_seconds_count{operation="save"}"#) >= 2.0);
    assert!(scrape.value("process_resident_memory_bytes") > 1e6);

    drop((ada, bob));
    let deadline = Instant::now() + WAIT_MAX;
    let scrape = loop {
        let scrape = Scrape::of(&server).await;
        if scrape.sum("parlor_connections_closed_total") == 2.0 {
            break scrape;
        }
        assert!(Instant::now() < deadline, "the connections do not end:\n{}", scrape.text);
    };
    let of_messages = |what: &str| scrape.sum(&format!("parlor_messages_{what}_total"));
    assert_eq!(
        of_messages("queued"),
        of_messages("written") + of_messages("coalesced") + of_messages("unsent"),
    );
}

#[tokio::test]
async fn names_and_labels_are_well_formed_few_and_told_of_in_the_guide() {
    let server = TestServer::start(|server| server.game(Failing).game(Arena));
    let guide = include_str!("../../../docs/operations.md");
    for number in 0..20 {
        let mut room = new_room("failing", name(&format!("Somebody {number}")));
        room.options = json!({"seats": 1}).as_object().unwrap().clone();
        let mut seat: Seat<Marks> = Seat::create(&server, Codec::Json, &room).await;
        seat.until(|seat| seat.phase == Phase::Playing).await;
        let fault = Some(if number == 0 { Fault::Linger } else { Fault::Panic });
        let _refused_or_not = seat.client.act(&Attempt { fault }).await;
    }
    let scrape = Scrape::of(&server).await;
    let asked = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let (head, open_metrics) = Scrape::text(&server, asked).await;
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open_metrics.ends_with("# EOF\n"), "{open_metrics}");
    scrape.is(r#"parlor_requests_total{type="game_action",outcome="INTERNAL"}"#, 19.0);
    assert!(scrape.value(r#"parlor_slow_changes_total{game="failing"}"#) >= 1.0);
    assert!(scrape.values.len() < 400, "{} series", scrape.values.len());

    let mut kinds = BTreeMap::new();
    let mut described = BTreeSet::new();
    for line in scrape.text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(help)) => {
                assert!(help.len() > 10 && help.ends_with('.'), "{line}");
                assert!(described.insert(name), "{name} is told of twice");
            }
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                kinds.insert(name, kind);
            }
            _ => {}
        }
    }
    assert_eq!(described, kinds.keys().copied().collect(), "each has a help and a type");
    for (name, kind) in kinds {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(name.bytes().all(is_plain), "{name}");
        assert!(name.starts_with("parlor_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(guide.contains(&format!("`{name}`")), "docs/operations.md does not tell of {name}");
    }
    let labels = ["code", "codec", "game", "kind", "le", "operation", "outcome", "phase", "type"];
    for series in scrape.values.keys() {
        let Some((_, rest)) = series.split_once('{') else { continue };
        for label in rest.trim_end_matches('}').split("\",").map(|label| label.split('=').next()) {
            assert!(labels.contains(&label.unwrap()), "{series}");
        }
        assert!(!series.contains("Somebody"), "{series}");
    }
}
