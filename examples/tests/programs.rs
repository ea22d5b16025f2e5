//! Each program is started as a reader would start it, and used once.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use parlor_client::protocol::{Codec, EventType, Joined, PlayerId, RoomCode, RoomState};
use parlor_client::{Client, Options, new_room, seat_in};
use parlor_games::TicTacToe;
use parlor_testutil::seat::{WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use parlor_testutil::wire::Wire;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use tokio::process::{Child, ChildStdout, Command};

/// A running program, killed when dropped.
struct Program {
    process: Child,
    output: tokio::io::BufReader<ChildStdout>,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let output = process.stdout.take().expect("stdout is piped");
        Self { process, output: tokio::io::BufReader::new(output) }
    }

    /// The rest of its next line, which begins with `start`.
    async fn line(&mut self, start: &str) -> String {
        let mut line = String::new();
        soon(self.output.read_line(&mut line)).await.expect("stdout can be read");
        let rest = line.trim_end().strip_prefix(start);
        rest.unwrap_or_else(|| panic!("no line {start}...: {line:?}")).to_owned()
    }

    /// Its last line, when it has ended and succeeded.
    async fn last_line(&mut self) -> String {
        let mut rest = String::new();
        soon(self.output.read_to_string(&mut rest)).await.expect("stdout can be read");
        assert!(soon(self.process.wait()).await.unwrap().success(), "{rest}");
        rest.lines().last().unwrap_or_default().to_owned()
    }
}

/// What must happen, in time.
async fn soon<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT_MAX, happens).await.expect("it happens in time")
}

/// The body of a page, which must be there.
#[track_caller]
fn get(address: &str, path: &str) -> String {
    ask(address, &format!("GET {path}"), 200)
}

/// The body of an answer, which must have this status.
#[track_caller]
fn ask(address: &str, request: &str, status: u16) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[derive(Debug, Deserialize)]
struct Range {
    low: u8,
    high: u8,
    winner: Option<PlayerId>,
}

#[tokio::test]
async fn guessing_game_is_won_by_halving_and_has_its_own_page() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_guessing_game"), &["127.0.0.1:0"]);
    let address = program.line("listening on http://").await;
    assert!(get(&address, "/play/guessing_game").contains("/play/guessing_game.js"));
    assert!(get(&address, "/play/guessing_game.js").contains("openTable"));

    let url = format!("ws://{address}/ws");
    let (client, mut events) = Client::connect(&url, Options::default()).await.unwrap();
    let room = new_room("guessing_game", name("Ada"));
    let joined: Joined<Range> = client.create_room(&room).await.unwrap();
    assert!(joined.state.winner.is_none());
    client.start_game().await.unwrap();

    let mut view = joined.state;
    let mut guesses = 0;
    while view.winner.is_none() {
        guesses += 1;
        assert!(guesses <= 7, "2^7 is more than 100");
        let seq = client.act(&json!({"number": (view.low + view.high) / 2})).await.unwrap().seq;
        loop {
            let event = soon(events.skip_to(EventType::RoomState)).await.unwrap();
            if event.seq >= Some(seq) {
                view = event.data::<RoomState<Range>>().unwrap().state;
                break;
            }
        }
    }
    assert_eq!(view.winner, Some(joined.player_id));
    let error = client.act(&json!({"number": 101})).await.unwrap_err();
    assert!(error.code().is_some(), "{error}");
}

#[tokio::test]
async fn two_remote_bots_play_to_the_end_though_one_has_lost_its_connection() {
    let server = TestServer::start(|server| server.game(TicTacToe));
    let url = server.socket_url();
    let wire = Wire::to(server.address()).await;
    let by_wire = wire.url("/ws").replace("http://", "ws://");
    let mut robin = Program::start(env!("CARGO_BIN_EXE_remote_bot"), &[&by_wire, "Robin"]);
    // Only then is there someone to be found.
    robin.line("sat down in ").await;
    wire.cut();
    robin.line("lost the connection").await;
    wire.mend();
    let mut wren = Program::start(env!("CARGO_BIN_EXE_remote_bot"), &[&url, "Wren"]);
    wren.line("sat down in ").await;

    // Two that prefer the same squares in the same order block each other to the end.
    assert_eq!(robin.last_line().await, "a draw");
    assert_eq!(wren.last_line().await, "a draw");
}

#[tokio::test]
async fn embedding_program_opens_a_table_says_who_may_play_and_writes_down_the_result() {
    let directory = tempfile::tempdir().unwrap();
    let results = directory.path().join("results.jsonl");
    let path = results.to_str().unwrap();
    let mut program = Program::start(env!("CARGO_BIN_EXE_embedding"), &[path]);
    let games = program.line("games on http://").await;
    let status = program.line("status on http://").await;
    let address = status.strip_suffix("/status").unwrap();
    let rooms =
        || serde_json::from_str::<Value>(&get(address, "/status")).unwrap()["rooms"].clone();
    assert_eq!(rooms(), 0);

    let table: Value = serde_json::from_str(&ask(address, "POST /tables", 201)).unwrap();
    assert_eq!(rooms(), 1);
    let link = table["link"].as_str().unwrap();
    assert!(get(&games, link.strip_prefix(&format!("http://{games}")).unwrap()).contains("board"));

    let url = format!("ws://{games}/ws");
    let room = RoomCode::parse(table["room"].as_str().unwrap()).unwrap();
    let sit_down = async |who: &str, codec| {
        let options = Options { codec, ..Options::default() };
        let (client, events) = Client::connect(&url, options).await.unwrap();
        let joined = client.join_room::<Value>(&seat_in(room, name(who))).await;
        (client, events, joined)
    };
    let (_, _, turned_away) = sit_down("Mallory", Codec::Json).await;
    let code = turned_away.unwrap_err().code().unwrap().to_string();
    assert_eq!(code, "NOT_A_MEMBER");
    let (ada, _events, _) = sit_down("Ada", Codec::MsgPack).await;
    let (bob, mut events, joined) = sit_down("Bob", Codec::Json).await;
    soon(events.skip_to(EventType::GameStarted)).await.unwrap();
    ada.leave_room().await.unwrap();
    soon(events.skip_to(EventType::GameFinished)).await.unwrap();

    let line = soon(async {
        loop {
            let text = std::fs::read_to_string(&results).unwrap();
            if text.ends_with('\n') {
                return text;
            }
            // Any answer means that the program went round once more.
            bob.ping().await.unwrap();
        }
    })
    .await;
    let result: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(result["players"], json!(["Bob"]));
    assert_eq!(result["result"]["winner"], json!(joined.unwrap().player_id));
}

#[tokio::test]
async fn tictactoe_is_played_over_lines_of_text() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_custom_transport"), &["127.0.0.1:0"]);
    let address = program.line("listening on ").await;
    let mut ada = Lines::connect(&address);
    let mut bob = Lines::connect(&address);

    ada.say("this is no message");
    assert_eq!(ada.hear("error")["error"]["code"], "BAD_REQUEST");
    ada.say(r#"{"type":"create_room","data":{"gameType":"tictactoe","playerName":"Ada"}}"#);
    let room = ada.hear("create_room_result")["data"]["roomId"].as_str().unwrap().to_owned();
    bob.say(
        &json!({"type": "join_room", "data": {"roomId": room, "playerName": "Bob"}}).to_string(),
    );
    let me = bob.hear("join_room_result")["data"]["playerId"].clone();
    bob.hear("game_started");

    ada.say(r#"{"type":"leave_room"}"#);
    assert_eq!(bob.hear("game_finished")["data"]["result"]["winner"], me);
}

/// A client of the line transport.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        let mut lines = Self(BufReader::new(stream));
        lines.hear("welcome");
        lines
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next message of this type. Those before it are dropped.
    fn hear(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "no {kind} before the end");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    }
}

#[test]
fn readme_shows_the_guessing_game_as_it_is() {
    let (readme, program) =
        (include_str!("../../README.md"), include_str!("../guessing_game/main.rs"));
    assert!(readme.contains(program));
    let game = program.strip_suffix("\n#[cfg(test)]\nmod tests;\n").expect("its tests come last");
    assert!(game.lines().count() < 100);
}
