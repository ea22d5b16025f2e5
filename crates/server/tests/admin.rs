//! What operators are shown and may do, and that nobody else may.

use parlor_client::protocol::{Codec, EventType, RoomCode, Secret, ServerNotice};
use parlor_client::{new_room, seat_in};
use parlor_games::{TicTacToe, tictactoe};
use parlor_server::ServerConfig;
use parlor_testutil::games::{Known, Secrets};
use parlor_testutil::http::{Answered, Ask};
use parlor_testutil::seat::{Seat, name};
use parlor_testutil::server::TestServer;
use serde_json::{Value, json};

const TOKEN: &str = "correct horse battery staple";

fn server() -> TestServer {
    let mut config = ServerConfig::default();
    config.admin_token = Some(Secret::new(TOKEN));
    config.games_drain_time_max = std::time::Duration::ZERO;
    TestServer::with_config(config, |server| server.game(TicTacToe).game(Secrets))
}

/// An operator who is logged in.
struct Operator<'a> {
    server: &'a TestServer,
    cookie: String,
}

impl<'a> Operator<'a> {
    async fn of(server: &'a TestServer) -> Self {
        let answer = Ask::post("/admin/login", &json!({"token": TOKEN})).of(server.address()).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { server, cookie }
    }

    async fn ask(&self, ask: Ask) -> Answered {
        ask.with("Cookie", &self.cookie).of(self.server.address()).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Ask::get(path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    async fn post(&self, path: &str, body: Value) -> Answered {
        self.ask(Ask::post(path, &body)).await
    }
}

const READS: [&str; 4] = [
    "/admin/api/overview",
    "/admin/api/rooms",
    "/admin/api/rooms/ABCDEFGH",
    "/admin/api/connections",
];

#[tokio::test]
async fn who_is_not_logged_in_is_shown_nothing() {
    let server = server();
    let others = [
        Ask::post("/admin/api/notice", &json!({"text": "hello"})),
        Ask::post("/admin/api/drain", &json!({})),
        Ask::post("/admin/api/rooms/ABCDEFGH/close", &json!({})),
        Ask::post("/admin/login", &json!({"token": "wrong"})),
    ];
    for ask in READS.map(Ask::get).into_iter().chain(others) {
        for cookie in ["", "parlor_admin=", "parlor_admin=0123456789"] {
            let answer = ask.clone().with("Cookie", cookie).of(server.address()).await;
            assert_eq!((answer.status, &*answer.code()), (401, "UNAUTHORIZED"), "{ask:?}");
        }
    }
    let operator = Operator::of(&server).await;
    operator.get("/admin/api/overview").await;
    assert_eq!(operator.post("/admin/logout", json!({})).await.status, 204);
    assert_eq!(operator.ask(Ask::get("/admin/api/overview")).await.status, 401);
    let by_token =
        Ask::get("/admin/api/overview").with("Authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(by_token.of(server.address()).await.status, 200, "a program needs no cookie");
}

/// Whoever changes the token because it was seen is rid of all who came in by it.
#[tokio::test]
async fn with_another_admin_token_nobody_is_logged_in_any_more() {
    let server = server();
    let operator = Operator::of(&server).await;
    operator.get("/admin/api/overview").await;
    let mut config = ServerConfig::default();
    config.admin_token = Some(Secret::new("another token of the administrator"));
    server.running().reconfigure(&config).unwrap();
    assert_eq!(operator.ask(Ask::get("/admin/api/overview")).await.status, 401);
    config.admin_token = None;
    server.running().reconfigure(&config).unwrap();
    assert_eq!(operator.ask(Ask::get("/admin/api/overview")).await.status, 401);
}

#[tokio::test]
async fn no_other_sites_page_asks_for_an_operator() {
    let server = server();
    let operator = Operator::of(&server).await;
    for origin in ["https://evil.example", "null"] {
        let ask = Ask::post("/admin/api/notice", &json!({"text": "hello"})).with("Origin", origin);
        let answer = operator.ask(ask).await;
        assert_eq!((answer.status, &*answer.code()), (403, "FORBIDDEN"), "{origin}");
    }
    let form = Ask::new("POST", "/admin/api/notice")
        .with("Content-Type", "application/x-www-form-urlencoded")
        .body("text=hello");
    assert_eq!(operator.ask(form).await.status, 415, "as a form of another site would ask");
    let own = Ask::post("/admin/api/notice", &json!({"text": "hello"}));
    let own = own.with("Origin", "http://play.example");
    assert_eq!(operator.ask(own).await.json(), json!({"told": 0}));
}

#[tokio::test]
async fn rooms_are_found_and_shown_with_all_that_players_are_not() {
    let server = server();
    let mut room = new_room("secrets", name("Ada"));
    room.options = json!({"seats": 2}).as_object().unwrap().clone();
    room.private = true;
    let mut ada: Seat<Known> = Seat::create(&server, Codec::MsgPack, &room).await;
    let _bob: Seat<Known> = Seat::join(&server, Codec::Json, &seat_in(ada.room, name("Bob"))).await;
    ada.until(|seat| seat.view.mine.is_some()).await;
    let other = new_room("tictactoe", name("Cid"));
    let cid: Seat<tictactoe::View> = Seat::create(&server, Codec::Json, &other).await;

    let operator = Operator::of(&server).await;
    let all = operator.get("/admin/api/rooms").await;
    assert_eq!((&all["total"], all["cursor"].is_null()), (&json!(2), true));
    assert_eq!(all["rooms"][0]["roomId"], cid.room.as_str(), "the newest first");
    assert_eq!(all["rooms"][1]["private"], true);
    let first = operator.get("/admin/api/rooms?limit=1").await;
    let path = format!("/admin/api/rooms?limit=1&cursor={}", first["cursor"].as_str().unwrap());
    assert_eq!(operator.get(&path).await["rooms"][0]["roomId"], ada.room.as_str());
    for (search, expected) in [
        ("bob", &[ada.room][..]),
        ("TICTAC", &[cid.room]),
        ("nobody", &[]),
        ("", &[cid.room, ada.room]),
    ] {
        let found = operator.get(&format!("/admin/api/rooms?search={search}")).await;
        let codes: Vec<_> = found["rooms"].as_array().unwrap().iter().map(code).collect();
        assert_eq!(codes, expected, "{search}");
    }

    let shown = operator.get(&format!("/admin/api/rooms/{}", ada.room)).await;
    let mine = json!(ada.view.mine.unwrap());
    assert!(shown["state"].to_string().contains(&mine.to_string()), "{shown}");
    assert_eq!(shown["players"][1]["name"], "Bob");
    assert_eq!((&shown["host"], &shown["room"]["private"]), (&json!(1), &json!(true)));
    let kinds: Vec<_> =
        shown["events"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert!(kinds.contains(&json!("player_joined")), "{kinds:?}");
    assert!(!shown.to_string().contains("oken"), "tokens are nobody's to read");
    assert_eq!(operator.ask(Ask::get("/admin/api/rooms/ABCDEFGH")).await.code(), "ROOM_NOT_FOUND");
    assert_eq!(
        operator.ask(Ask::get("/admin/api/rooms?cursor=x")).await.code(),
        "VALIDATION_FAILED"
    );
}

fn code(room: &Value) -> RoomCode {
    RoomCode::parse(room["roomId"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_operator_sends_players_away_and_ends_rooms_and_connections() {
    let server = server();
    let operator = Operator::of(&server).await;
    let mut ada: Seat<tictactoe::View> =
        Seat::create(&server, Codec::Json, &new_room("tictactoe", name("Ada"))).await;
    let mut bob: Seat<tictactoe::View> =
        Seat::join(&server, Codec::MsgPack, &seat_in(ada.room, name("Bob"))).await;
    let room = format!("/admin/api/rooms/{}", ada.room);

    let gone = operator.post(&format!("{room}/kick"), json!({"playerId": 9})).await;
    assert_eq!((gone.status, &*gone.code()), (404, "NO_SUCH_PLAYER"));
    let kick = json!({"playerId": ada.me.0, "ban": true});
    assert_eq!(operator.post(&format!("{room}/kick"), kick).await.status, 204);
    bob.until_event(EventType::PlayerLeft).await;
    assert_eq!(end_of(&mut ada).await, 4003);

    let listed = operator.get("/admin/api/connections").await;
    let of_bob =
        listed["connections"].as_array().unwrap().iter().find(|c| c["playerId"] == bob.me.0);
    let of_bob = of_bob.unwrap();
    assert_eq!(
        (&of_bob["codec"], &of_bob["roomId"]),
        (&json!("msgpack"), &json!(bob.room.as_str()))
    );
    assert_eq!(of_bob["address"], Value::Null, "nobody in particular is on this machine");
    let found = operator.get("/admin/api/connections?search=msgpack").await;
    assert_eq!(found["total"], 1);

    assert_eq!(operator.post(&format!("{room}/close"), json!({})).await.status, 204);
    bob.until_event(EventType::RoomClosed).await;
    assert_eq!(operator.post(&format!("{room}/close"), json!({})).await.code(), "ROOM_NOT_FOUND");

    let (client, mut events) = server.connect(Codec::Json).await;
    let number = {
        let listed = operator.get("/admin/api/connections").await;
        let last = listed["connections"].as_array().unwrap().last().unwrap().clone();
        last["connection"].as_u64().unwrap()
    };
    let close = format!("/admin/api/connections/{number}/close");
    assert_eq!(operator.post(&close, json!({})).await.status, 204);
    while events.next().await.is_ok() {}
    drop(client);
    assert_eq!(operator.post("/admin/api/connections/x/close", json!({})).await.status, 404);
}

/// The code with which a seat's connection is closed.
async fn end_of<V>(seat: &mut Seat<V>) -> u16 {
    loop {
        match seat.events.next().await {
            Ok(_) => {}
            Err(parlor_client::Closed::ByServer { code, .. }) => return code,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_notice_reaches_everyone_who_is_connected() {
    let server = server();
    let operator = Operator::of(&server).await;
    let mut ada: Seat<tictactoe::View> =
        Seat::create(&server, Codec::MsgPack, &new_room("tictactoe", name("Ada"))).await;
    let answer = operator.post("/admin/api/notice", json!({"text": "Back at noon"})).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"told": 1})));
    let notice: ServerNotice = ada.until_event(EventType::ServerNotice).await.data().unwrap();
    assert_eq!(notice.text, "Back at noon");
    for text in ["", &"x".repeat(501)] {
        let answer = operator.post("/admin/api/notice", json!({"text": text})).await;
        assert_eq!(answer.code(), "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn the_overview_says_what_there_is() {
    let server = server();
    let operator = Operator::of(&server).await;
    let mut ada: Seat<tictactoe::View> =
        Seat::create(&server, Codec::MsgPack, &new_room("tictactoe", name("Ada"))).await;
    ada.client.add_bot(&Default::default()).await.unwrap();
    ada.until_event(EventType::GameStarted).await;
    let seen = operator.get("/admin/api/overview").await;
    for (what, expected) in [("connections", 1.0), ("rooms", 1.0), ("players", 1.0), ("bots", 1.0)]
    {
        assert_eq!(seen[what].as_f64(), Some(expected), "{what}");
    }
    assert_eq!(seen["draining"], false);
    assert!(seen["messages"]["queued"].as_f64().unwrap() > 3.0);
    let requests = seen["requests"].as_array().unwrap();
    let created = requests.iter().find(|request| request["type"] == "create_room").unwrap();
    assert_eq!((&created["outcome"], created["count"].as_f64()), (&json!("ok"), Some(1.0)));
}

#[tokio::test]
async fn an_operator_can_stop_the_server() {
    let server = server();
    let operator = Operator::of(&server).await;
    let mut ada: Seat<tictactoe::View> =
        Seat::create(&server, Codec::Json, &new_room("tictactoe", name("Ada"))).await;
    assert_eq!(operator.post("/admin/api/drain", json!({})).await.status, 202);
    ada.until_event(EventType::ServerDraining).await;
    server.gateway().drained().await;
    assert_eq!(operator.get("/admin/api/overview").await["draining"], true);
}
