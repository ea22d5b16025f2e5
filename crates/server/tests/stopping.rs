//! The `parlor` program told to stop, or to read its settings again, by signals.

use parlor_client::protocol::{Codec, ErrorCode, EventType, Joined};
use parlor_client::{Client, Closed, Events, Options, new_room, seat_in};
use parlor_games::tictactoe::View;
use parlor_testutil::http::Ask;
use parlor_testutil::process::Program;
use parlor_testutil::seat::name;
use serde_json::{Value, json};
use tempfile::TempDir;

fn start(arguments: &[&str]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_parlor"), arguments)
}

async fn connect(program: &Program) -> (Client, Events) {
    let options = Options { codec: Codec::MsgPack, ..Options::default() };
    Client::connect(&program.socket_url(), options).await.unwrap()
}

async fn status(program: &Program, path: &str) -> u16 {
    Ask::get(path).of(program.address()).await.status
}

/// Ada and Bob at a game of tic-tac-toe that has begun, whoever is to move first.
struct Game {
    players: [(Client, Events); 2],
    first: usize,
}

impl Game {
    async fn begin(program: &Program) -> Self {
        let (ada, mut ada_events) = connect(program).await;
        let joined: Joined<View> =
            ada.create_room(&new_room("tictactoe", name("Ada"))).await.unwrap();
        let (bob, bob_events) = connect(program).await;
        let _: Joined<View> = bob.join_room(&seat_in(joined.room_id, name("Bob"))).await.unwrap();
        ada_events.skip_to(EventType::GameStarted).await.unwrap();
        let state = ada.state::<View>().await.unwrap();
        let first = usize::from(state.state.turn.unwrap().0 != joined.player_id.0);
        Self { players: [(ada, ada_events), (bob, bob_events)], first }
    }

    /// Plays to its end: the first to move wins in the top row.
    async fn play_out(&self) {
        for (number, (row, col)) in [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)].into_iter().enumerate()
        {
            let (client, _) = &self.players[(self.first + number) % 2];
            client.act(&json!({"row": row, "col": col})).await.unwrap();
        }
    }

    /// The codes with which both connections are closed.
    async fn ends(self) -> Vec<u16> {
        let mut codes = Vec::new();
        for (_client, mut events) in self.players {
            let closed = loop {
                if let Err(closed) = events.next().await {
                    break closed;
                }
            };
            match closed {
                Closed::ByServer { code, .. } => codes.push(code),
                other => panic!("{other:?}"),
            }
        }
        codes
    }
}

#[track_caller]
fn last(log: &[Value]) -> (&str, &Value) {
    let line = log.last().unwrap();
    (line["fields"]["message"].as_str().unwrap(), &line["fields"])
}

#[tokio::test]
async fn a_game_that_is_being_played_may_end_while_nobody_new_is_taken() {
    let program = start(&["--games-drain-time-max", "60s"]);
    let game = Game::begin(&program).await;
    let (late, _late_events) = connect(&program).await;
    assert_eq!(status(&program, "/health/ready").await, 200);
    program.signal("-TERM");
    while status(&program, "/health/ready").await != 503 {}
    assert_eq!(status(&program, "/health/live").await, 200, "it still turns over");
    let refused = late.create_room::<View>(&new_room("tictactoe", name("Cid"))).await.unwrap_err();
    assert_eq!(refused.code(), Some(&ErrorCode::DRAINING));
    let by_http = Ask::post("/api/v1/rooms", &json!({"gameType": "tictactoe"}));
    assert_eq!(by_http.of(program.address()).await.code(), "DRAINING");

    game.play_out().await;
    assert_eq!(game.ends().await, [1001, 1001]);
    let (code, log) = program.end();
    let (message, fields) = last(&log);
    assert_eq!((code, message, &fields["games_cut"]), (Some(0), "stopped", &json!(0)));
}

#[tokio::test]
async fn a_player_who_was_away_comes_back_to_a_server_that_is_going_away() {
    let program = start(&["--games-drain-time-max", "60s"]);
    let mut game = Game::begin(&program).await;
    let (ada, _events) = &game.players[0];
    let mut session = ada.session().unwrap();
    program.signal("-TERM");
    while status(&program, "/health/ready").await != 503 {}
    let back = connect(&program).await;
    back.0.reconnect::<View>(&mut session).await.unwrap();
    game.players[0] = back;
    game.play_out().await;
    assert_eq!(game.ends().await, [1001, 1001]);
    assert_eq!(program.end().0, Some(0));
}

#[tokio::test]
async fn a_game_that_does_not_end_in_time_is_said_to_be_lost() {
    let program = start(&["--games-drain-time-max", "100ms"]);
    let game = Game::begin(&program).await;
    program.signal("-TERM");
    assert_eq!(game.ends().await, [1001, 1001]);
    let (code, log) = program.end();
    let (message, fields) = last(&log);
    assert_eq!((code, &fields["games_cut"]), (Some(3), &json!(1)));
    assert!(message.contains("lost"), "{message}");
}

#[tokio::test]
async fn a_room_where_nobody_plays_yet_holds_nothing_up() {
    let program = start(&["--games-drain-time-max", "60s"]);
    let (ada, mut events) = connect(&program).await;
    ada.create_room::<View>(&new_room("tictactoe", name("Ada"))).await.unwrap();
    program.signal("-INT");
    while events.next().await.is_ok() {}
    assert_eq!(program.end().0, Some(0));
}

#[tokio::test]
async fn told_to_stop_twice_it_stops_at_once() {
    let program = start(&["--games-drain-time-max", "60s"]);
    let _game = Game::begin(&program).await;
    program.signal("-TERM");
    while status(&program, "/health/ready").await != 503 {}
    program.signal("-TERM");
    let (code, log) = program.end();
    let (message, fields) = last(&log);
    assert_eq!((code, &fields["at_once"]), (Some(4), &json!(true)));
    assert!(message.contains("lost"), "{message}");
}

#[tokio::test]
async fn settings_that_may_change_do_and_the_others_are_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("parlor.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    let delete = |program: &Program, token: &str| {
        let ask = Ask::new("DELETE", "/api/v1/rooms/ABCDEFGH");
        ask.with("Authorization", &format!("Bearer {token}")).of(program.address())
    };
    write("admin_token = 'the first token'\nrooms_max = 10\n");
    let mut program = start(&["--config", path.to_str().unwrap()]);
    assert_eq!(delete(&program, "the first token").await.code(), "ROOM_NOT_FOUND");

    write(
        "admin_token = 'the second token'\nrooms_max = 20\nallowed_origins = ['https://a.example']",
    );
    program.signal("-HUP");
    while delete(&program, "the second token").await.code() != "ROOM_NOT_FOUND" {}
    assert_eq!(delete(&program, "the first token").await.code(), "UNAUTHORIZED");
    let games = Ask::get("/api/v1/games").with("Origin", "https://a.example");
    let allowed = games.of(program.address()).await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://a.example"));

    assert_eq!(program.until_logged("cannot change while")["fields"]["setting"], "rooms_max");
    program.until_logged("settings were read again");

    write("admin_token = 333333333");
    program.signal("-HUP");
    let said = program.until_logged("settings stay as they were");
    assert!(!said.to_string().contains("333333333"), "{said}");
    assert_eq!(delete(&program, "the second token").await.code(), "ROOM_NOT_FOUND");
    program.signal("-TERM");
    assert_eq!(program.end().0, Some(0));
}
