//! The HTTP API: what it answers, what it refuses, and that its own description of both is true.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use parlor_client::protocol::{Codec, EventType, RoomCode, Secret};
use parlor_client::{new_room, seat_in};
use parlor_core::{About, Ctx, Game, GameError, PlayerId, Rules, StartRule, Viewer};
use parlor_games::{LiarsDice, TicTacToe, liars_dice, tictactoe};
use parlor_server::store::{Session, SessionKey, SessionStore, StoreError};
use parlor_server::{Server, ServerConfig};
use parlor_testutil::games::{Counting, Secrets};
use parlor_testutil::http::{Answered, Ask};
use parlor_testutil::seat::{Seat, name};
use parlor_testutil::server::TestServer;
use serde_json::{Value, json};

const ADMIN: &str = "correct horse battery staple";

fn games(server: Server) -> Server {
    server.game(TicTacToe).game(LiarsDice).game(Counting).game(Secrets)
}

fn server() -> TestServer {
    let mut config = ServerConfig::default();
    config.admin_token = Some(Secret::new(ADMIN));
    config.allowed_origins = vec!["https://games.example".parse().unwrap()];
    TestServer::with_config(config, games)
}

async fn ask(server: &TestServer, ask: Ask) -> Answered {
    ask.of(server.address()).await
}

async fn get(server: &TestServer, path: &str) -> Answered {
    ask(server, Ask::get(path)).await
}

async fn post(server: &TestServer, body: Value) -> Answered {
    ask(server, Ask::post("/api/v1/rooms", &body)).await
}

#[tokio::test]
async fn games_are_those_of_list_games() {
    let server = server();
    let answer = get(&server, "/api/v1/games").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let (client, _events) = server.connect(Codec::Json).await;
    let listed = client.list_games().await.unwrap();
    assert_eq!(answer.json(), serde_json::to_value(listed).unwrap());
}

#[tokio::test]
async fn opened_room_waits_for_its_first_player_who_becomes_host() {
    let server = server();
    let answer = post(
        &server,
        json!({"gameType": "liars_dice", "maxPlayers": 3, "password": "open sesame",
               "metadata": {"table": "green"}, "unknown": true}),
    )
    .await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let room = answer.json();
    let code = room["roomId"].as_str().unwrap().to_owned();
    assert_eq!(room["joinUrl"], format!("http://play.example/play/liars_dice?room={code}"));
    assert_eq!(answer.header("location"), Some(&*format!("/api/v1/rooms/{code}")));
    assert_eq!((&room["maxPlayers"], &room["hasPassword"]), (&json!(3), &json!(true)));
    assert_eq!(room["metadata"], json!({"table": "green"}));

    let shown = get(&server, &format!("/api/v1/rooms/{}", code.to_lowercase())).await;
    assert_eq!((shown.status, &shown.json()["players"]), (200, &json!([])));

    let mut seat = seat_in(RoomCode::parse(&code).unwrap(), name("Ada"));
    seat.password = Some(Secret::new("open sesame"));
    let ada: Seat<liars_dice::View> = Seat::join(&server, Codec::MsgPack, &seat).await;
    let shown = get(&server, &format!("/api/v1/rooms/{code}")).await.json();
    assert_eq!(shown["players"][0]["name"], "Ada");
    assert_eq!((&shown["playerCount"], ada.me.0), (&json!(1), 1));
    assert!(!shown.to_string().contains("oken") && shown.get("state").is_none(), "{shown}");
}

#[tokio::test]
async fn a_room_there_throughout_is_on_exactly_one_page() {
    let server = server();
    for _ in 0..5 {
        assert_eq!(post(&server, json!({"gameType": "tictactoe"})).await.status, 201);
    }
    assert_eq!(post(&server, json!({"gameType": "tictactoe", "private": true})).await.status, 201);
    let mut seen = Vec::new();
    let mut path = "/api/v1/rooms?gameType=tictactoe&limit=2".to_owned();
    loop {
        let page = get(&server, &path).await.json();
        let rooms = page["rooms"].as_array().unwrap();
        assert!(rooms.len() <= 2);
        seen.extend(rooms.iter().map(|room| room["roomId"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("/api/v1/rooms?gameType=tictactoe&limit=2&cursor={cursor}");
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5, "the private one is not listed");
    let other = get(&server, "/api/v1/rooms?gameType=liars_dice").await.json();
    assert_eq!(other, json!({"rooms": []}));
}

#[tokio::test]
async fn what_is_wrong_is_said_as_on_the_socket() {
    let server = server();
    let asks = [
        (Ask::get("/api/v1/rooms?limit=0"), 400, "VALIDATION_FAILED"),
        (Ask::get("/api/v1/rooms?limit=many"), 400, "VALIDATION_FAILED"),
        (Ask::get("/api/v1/rooms?cursor=later"), 400, "VALIDATION_FAILED"),
        (Ask::get("/api/v1/rooms?gameType=chess"), 404, "UNKNOWN_GAME"),
        (Ask::get("/api/v1/rooms/ABCDEFGH"), 404, "ROOM_NOT_FOUND"),
        (Ask::get("/api/v1/rooms/%ff"), 404, "ROOM_NOT_FOUND"),
        (Ask::get("/api/v1/nothing"), 404, "NOT_FOUND"),
        (Ask::new("PUT", "/api/v1/rooms"), 405, "METHOD_NOT_ALLOWED"),
        (Ask::new("POST", "/api/v1/games"), 405, "METHOD_NOT_ALLOWED"),
        (Ask::new("PATCH", "/api/v1/rooms/ABCDEFGH"), 405, "METHOD_NOT_ALLOWED"),
        (Ask::new("POST", "/api/v1/rooms").body("{}"), 415, "BAD_REQUEST"),
        (
            Ask::new("POST", "/api/v1/rooms").with("Content-Type", "text/plain").body("{}"),
            415,
            "BAD_REQUEST",
        ),
        (Ask::post("/api/v1/rooms", &json!({})), 400, "VALIDATION_FAILED"),
        (Ask::post("/api/v1/rooms", &json!([])), 400, "VALIDATION_FAILED"),
        (Ask::post("/api/v1/rooms", &json!({"gameType": "chess"})), 404, "UNKNOWN_GAME"),
        (
            Ask::post("/api/v1/rooms", &json!({"gameType": "tictactoe", "maxPlayers": 9})),
            400,
            "VALIDATION_FAILED",
        ),
        (
            Ask::post("/api/v1/rooms", &json!({"gameType": "counting", "options": {"seats": "x"}})),
            400,
            "VALIDATION_FAILED",
        ),
        (Ask::post("/api/v1/rooms", &json!({"gameType": "x".repeat(20_000)})), 413, "BAD_REQUEST"),
        (
            Ask::new("POST", "/api/v1/rooms").with("Content-Type", "application/json").body("{"),
            400,
            "BAD_REQUEST",
        ),
    ];
    for (ask, status, code) in asks {
        let answer = ask.clone().of(server.address()).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{ask:?} {}", answer.body);
        let retryable = &answer.json()["error"]["retryable"];
        assert_eq!(retryable, &json!(false), "{ask:?}");
    }
    let wrong = get(&server, "/api/v1/rooms?limit=201").await.json();
    assert_eq!(wrong["error"]["details"]["fields"]["limit"][0]["code"], "range");
}

#[tokio::test]
async fn a_draining_server_opens_no_room() {
    let server = server();
    server.gateway().drain(Duration::from_secs(1));
    let answer = post(&server, json!({"gameType": "tictactoe"})).await;
    assert_eq!((answer.status, &*answer.code()), (503, "DRAINING"));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn only_the_administrator_ends_a_room() {
    let server = server();
    let room = new_room("tictactoe", name("Ada"));
    let mut ada: Seat<tictactoe::View> = Seat::create(&server, Codec::Json, &room).await;
    let path = format!("/api/v1/rooms/{}", ada.room);
    let delete = || Ask::new("DELETE", &path);
    for refused in [
        delete(),
        delete().with("Authorization", "Bearer wrong"),
        delete().with("Authorization", &format!("Basic {ADMIN}")),
        delete().with("Authorization", ""),
    ] {
        let answer = refused.of(server.address()).await;
        assert_eq!((answer.status, &*answer.code()), (401, "UNAUTHORIZED"));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let as_admin = format!("Bearer {ADMIN}");
    let answer = ask(&server, delete().with("Authorization", &as_admin)).await;
    assert_eq!((answer.status, &*answer.body), (204, ""));
    ada.until_event(EventType::RoomClosed).await;
    let answer = ask(&server, delete().with("Authorization", &as_admin)).await;
    assert_eq!((answer.status, &*answer.code()), (404, "ROOM_NOT_FOUND"));
}

#[tokio::test]
async fn without_an_admin_token_nobody_is_the_administrator() {
    let server = TestServer::start(games);
    for token in ["", " ", "admin"] {
        let ask = Ask::new("DELETE", "/api/v1/rooms/ABCDEFGH")
            .with("Authorization", &format!("Bearer {token}"));
        assert_eq!(ask.of(server.address()).await.status, 401);
    }
    assert_eq!(get(&server, "/admin").await.status, 404);
}

#[tokio::test]
async fn pages_of_listed_sites_may_use_the_api_and_no_others() {
    let server = server();
    for (origin, allowed) in [("https://games.example", true), ("https://evil.example", false)] {
        let preflight = Ask::new("OPTIONS", "/api/v1/rooms")
            .with("Origin", origin)
            .with("Access-Control-Request-Method", "POST");
        for ask in [preflight, Ask::get("/api/v1/games").with("Origin", origin)] {
            let answer = ask.of(server.address()).await;
            assert!((200..300).contains(&answer.status));
            let header = answer.header("access-control-allow-origin");
            assert_eq!(header, allowed.then_some(origin));
            assert_eq!(answer.header("vary"), Some("origin"));
        }
    }
    let metrics = Ask::get("/metrics").with("Origin", "https://games.example");
    let answer = metrics.of(server.address()).await;
    assert_eq!(answer.header("access-control-allow-origin"), None, "no page reads figures");
}

#[tokio::test]
async fn health_says_whether_to_send_players_here() {
    let server = server();
    for path in ["/health/live", "/health/ready", "/health"] {
        let answer = get(&server, path).await;
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")), "{path}");
    }
    let health = get(&server, "/health").await.json();
    for dependency in ["driver", "sessions"] {
        let told = &health["dependencies"][dependency];
        assert_eq!(told["status"], "ok");
        assert!(told["latencyMs"].as_f64().unwrap() < 500.0);
    }
    server.gateway().drain(Duration::from_secs(1));
    for (path, status) in [("/health/live", 200), ("/health/ready", 503), ("/health", 503)] {
        assert_eq!(get(&server, path).await.status, status, "{path} while it drains");
    }
    assert_eq!(get(&server, "/health").await.json()["status"], "draining");
}

/// Where sessions are kept that is away.
struct Away;

impl SessionStore for Away {
    async fn load(&self, _: SessionKey) -> Result<Option<Session>, StoreError> {
        Err(StoreError::Unavailable("gone for lunch".to_owned()))
    }

    async fn save(&self, _: SessionKey, _: Session, _: Duration) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn save_new(
        &self,
        _: SessionKey,
        _: Session,
        _: Duration,
    ) -> Result<Option<Session>, StoreError> {
        std::future::pending().await
    }

    async fn remove(&self, _: SessionKey) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn health_names_what_is_away() {
    let server = TestServer::start(|server| server.game(TicTacToe).session_store(Away));
    for (path, status) in [("/health/live", 200), ("/health/ready", 503), ("/health", 503)] {
        assert_eq!(get(&server, path).await.status, status, "{path}");
    }
    let health = get(&server, "/health").await.json();
    assert_eq!(
        (&health["status"], &health["dependencies"]["driver"]["status"]),
        (&json!("down"), &json!("ok"))
    );
    let sessions = &health["dependencies"]["sessions"];
    assert_eq!(sessions["status"], "down");
    assert!(sessions["error"].as_str().unwrap().contains("gone for lunch"), "{sessions}");
}

/// Whether a probe would find the server alive, which waits for two seconds.
fn is_alive(server: &TestServer) -> bool {
    let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket.write_all(b"GET /health/live HTTP/1.1\r\nHost: play.example\r\n\r\n").unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).is_ok() && &head == b"HTTP/1.1 200"
}

/// A room's deadline takes far longer than a server that is well needs to answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_deadlines_are_stuck_is_not_alive() {
    let mut config = ServerConfig::default();
    config.gateway.driver_shards = 1;
    config.games_drain_time_max = Duration::ZERO;
    let server = TestServer::with_config(config, |server| server.game(Stuck));
    let (client, mut events) = server.connect(Codec::Json).await;
    assert!(is_alive(&server));
    client.create_room::<()>(&new_room("stuck", name("Ada"))).await.unwrap();
    let (stuck, until) = (Stuck::GATE.get().unwrap(), Duration::from_secs(30));
    stuck.0.lock().unwrap().recv_timeout(until).expect("the deadline has come");
    // Asked from outside of the runtime: what blocks the thread that minds its sockets keeps it from answering at
    // all, which whoever asks takes for a no.
    assert!(!is_alive(&server));
    stuck.1.send(()).unwrap();
    events.skip_to(EventType::GameFinished).await.unwrap();
    assert_eq!(get(&server, "/health/live").await.status, 200);
}

#[tokio::test]
async fn operators_can_have_an_address_of_their_own() {
    let mut config = ServerConfig::default();
    config.ops_listen = Some("127.0.0.1:0".parse().unwrap());
    config.admin_token = Some(Secret::new(ADMIN));
    let server = TestServer::with_config(config, games);
    let ops = server.ops_address().unwrap();
    for (path, for_players, for_operators) in [
        ("/", 200, 404),
        ("/api/v1/games", 200, 404),
        ("/play/tictactoe", 200, 404),
        ("/metrics", 404, 200),
        ("/health", 404, 200),
        ("/health/ready", 404, 200),
        ("/admin", 404, 200),
        ("/admin/admin.js", 404, 200),
        ("/style.css", 200, 200),
    ] {
        let players = Ask::get(path).of(server.address()).await.status;
        let operators = Ask::get(path).of(ops).await.status;
        assert_eq!((players, operators), (for_players, for_operators), "{path}");
    }
}

/// Every answer of the other tests' kinds, held against the document that describes them.
#[tokio::test]
async fn the_api_is_as_its_own_document_says() {
    let server = server();
    let document = get(&server, "/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let room = post(&server, json!({"gameType": "tictactoe"})).await.json();
    let path = format!("/api/v1/rooms/{}", room["roomId"].as_str().unwrap());
    let admin = format!("Bearer {ADMIN}");
    let described = "/api/v1/rooms/{roomId}";
    let asks = [
        ("/api/v1/games", "get", Ask::get("/api/v1/games")),
        ("/api/v1/rooms", "get", Ask::get("/api/v1/rooms")),
        ("/api/v1/rooms", "get", Ask::get("/api/v1/rooms?limit=0")),
        ("/api/v1/rooms", "get", Ask::get("/api/v1/rooms?gameType=chess")),
        ("/api/v1/rooms", "post", Ask::post("/api/v1/rooms", &json!({"gameType": "secrets"}))),
        ("/api/v1/rooms", "post", Ask::post("/api/v1/rooms", &json!({}))),
        ("/api/v1/rooms", "post", Ask::post("/api/v1/rooms", &json!({"gameType": "chess"}))),
        ("/api/v1/rooms", "post", Ask::new("POST", "/api/v1/rooms").body("{}")),
        (described, "get", Ask::get(&path)),
        (described, "get", Ask::get("/api/v1/rooms/nothing")),
        (described, "delete", Ask::new("DELETE", &path)),
        (described, "delete", Ask::new("DELETE", &path).with("Authorization", &admin)),
        (described, "delete", Ask::new("DELETE", &path).with("Authorization", &admin)),
        ("/api/v1/openapi.json", "get", Ask::get("/api/v1/openapi.json")),
        ("/health", "get", Ask::get("/health")),
        ("/health/live", "get", Ask::get("/health/live")),
        ("/health/ready", "get", Ask::get("/health/ready")),
    ];
    let mut seen = BTreeMap::<(&str, &str), u32>::new();
    for (path, method, ask) in asks {
        let answer = ask.of(server.address()).await;
        let operation = &document["paths"][path][method];
        let told = &operation["responses"][answer.status.to_string()];
        assert!(told.is_object(), "{method} {path} does not tell of {}", answer.status);
        *seen.entry((path, method)).or_default() += 1;
        let Some(content) = told["content"]["application/json"].as_object() else {
            assert_eq!(answer.body, "", "{method} {path}");
            continue;
        };
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{method} {path}: {errors:?}\n{}", answer.body);
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            assert!(seen.contains_key(&(path.as_str(), method.as_str())), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn links_to_rooms_lead_where_players_are_told_to_go() {
    let mut config = ServerConfig::default();
    config.public_url = Some("https://games.example/".to_owned());
    let server = TestServer::with_config(config, games);
    let room = post(&server, json!({"gameType": "tictactoe"})).await.json();
    let code = room["roomId"].as_str().unwrap();
    let url = format!("https://games.example/play/tictactoe?room={code}");
    assert_eq!(room["joinUrl"], url);
}

/// A game whose only timer waits until it is let go.
#[derive(Clone, Copy, Debug)]
struct Stuck;

/// Where it says that it waits, and where it is let go.
type Gate = (Mutex<Receiver<()>>, Sender<()>);

impl Stuck {
    const GATE: &'static OnceLock<Gate> = &GATE;
}

static GATE: OnceLock<Gate> = OnceLock::new();
static INSIDE: OnceLock<(Sender<()>, Mutex<Receiver<()>>)> = OnceLock::new();

impl Game for Stuck {
    const GAME_TYPE: &'static str = "stuck";
    type Options = Value;
    type State = ();
    type Action = Value;
    type Event = Value;
    type View = ();
    type Timer = ();
    type Outcome = ();

    fn about(&self) -> About {
        About::new("Stuck", 1, 1)
    }

    fn rules(&self, _: &Value) -> Rules {
        let mut rules = Rules::seats(1, 1);
        rules.start = StartRule::WhenFull;
        rules
    }

    fn setup(&self, _: &Value, _: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        let (told, hear) = channel();
        let (go, wait) = channel();
        let _ = GATE.set((Mutex::new(hear), go));
        let _ = INSIDE.set((told, Mutex::new(wait)));
        Ok(())
    }

    fn on_start(&self, (): &mut (), ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        ctx.set_timer((), Duration::from_millis(1));
        Ok(())
    }

    fn on_timer(&self, (): &mut (), (): (), ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        let (told, wait) = INSIDE.get().expect("it is set up");
        told.send(()).expect("the test waits");
        let wait = wait.lock().expect("nobody else waits");
        wait.recv_timeout(Duration::from_secs(20)).expect("the test lets it go");
        ctx.finish(());
        Ok(())
    }

    fn on_action(
        &self,
        (): &mut (),
        _: PlayerId,
        _: Value,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    fn view(&self, (): &(), _: Viewer) {}
}
