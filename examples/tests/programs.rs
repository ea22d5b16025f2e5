//! Each program is started as a reader would start it, and used once.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use parlor_client::protocol::{Codec, EventType, Joined, PlayerId, RoomState};
use parlor_client::{Client, Options, new_room};
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
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
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
    robin.line("lost: ").await;
    wire.mend();
    let mut wren = Program::start(env!("CARGO_BIN_EXE_remote_bot"), &[&url, "Wren"]);
    wren.line("sat down in ").await;

    // Two that prefer the same squares in the same order block each other to the end.
    assert_eq!(robin.last_line().await, "a draw");
    assert_eq!(wren.last_line().await, "a draw");
}

#[tokio::test]
async fn embedding_program_looks_into_the_rooms_from_its_own_route() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_embedding"), &[]);
    let games = program.line("games on http://").await;
    let status = program.line("status on http://").await;
    let address = status.strip_suffix("/status").unwrap();
    let rooms =
        || serde_json::from_str::<Value>(&get(address, "/status")).unwrap()["rooms"].clone();
    assert_eq!(rooms(), 0);

    let options = Options { codec: Codec::MsgPack, ..Options::default() };
    let (client, _events) = Client::connect(&format!("ws://{games}/ws"), options).await.unwrap();
    client.create_room::<Value>(&new_room("tictactoe", name("Ada"))).await.unwrap();
    assert_eq!(rooms(), 1);
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
