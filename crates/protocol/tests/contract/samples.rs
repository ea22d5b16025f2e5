//! One of every message, with every optional field in use where there are some.

use std::fmt::Debug;
use std::sync::Arc;

use parlor_protocol::limits::FrameLimits;
use parlor_protocol::{
    ActionRefused, AddBot, AddedBot, Answered, Authenticate, Authenticated, Change, Chat,
    ChatMessage, CloseReason, Codec, CreateRoom, ErrorCode, ErrorDetail, EventFrame, EventType,
    FieldErrors, GameEvent, GameFinished, GameList, GameSummary, HostChanged, JoinRoom, Joined,
    KickPlayer, LeaveReason, ListRooms, NoData, Object, OneGame, OnePlayer, PatchOp, Phase, Player,
    PlayerDisconnected, PlayerId, PlayerKind, PlayerLeft, PlayerName, PlayerReady,
    PlayerReconnected, Pong, QuickMatch, RawData, Reconnect, Replayed, Request, RequestFrame,
    RequestId, RequestType, ResponseFrame, Resumed, RoomClosed, RoomCode, RoomInfo, RoomList,
    RoomListUpdate, RoomPatch, RoomState, RoomSubscription, Secret, Seq, ServerDraining,
    ServerMessage, ServerNotice, SetReady, SetRole, StateSnapshot, UpdateRoom, Welcome,
    WelcomeLimits, read_frame, read_server_message,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A message that can be written, and recognised when it is read.
pub(crate) struct Sample {
    /// `request_chat`, `response_chat`, `event_chat_message`, ...
    pub(crate) name: String,
    encode: Encode,
    check_same: Box<dyn Fn(RawData<'_>)>,
    decode: fn(RawData<'_>) -> Result<(), FieldErrors>,
}

impl Sample {
    pub(crate) fn encode(&self, codec: Codec) -> Vec<u8> {
        (self.encode)(codec)
    }

    /// Asserts that `data` decodes to exactly what the sample was made of.
    pub(crate) fn check_same(&self, data: RawData<'_>) {
        (self.check_same)(data);
    }

    /// Whether `data` has the shape of this message's data, whatever the values.
    pub(crate) fn decode(&self, data: RawData<'_>) -> Result<(), FieldErrors> {
        (self.decode)(data)
    }
}

/// Every request, with the type that its data decodes to.
pub(crate) fn requests() -> Vec<Sample> {
    vec![
        request(RequestType::Ping, NoData {}),
        request(
            RequestType::Authenticate,
            Authenticate { token: Secret::new("eyJhbGciOiJIUzI1NiJ9") },
        ),
        request(RequestType::ListGames, NoData {}),
        request(
            RequestType::ListRooms,
            ListRooms {
                game_type: Some("farkle".into()),
                limit: Some(20),
                cursor: Some("c-17".into()),
            },
        ),
        request(RequestType::SubscribeRooms, OneGame { game_type: "farkle".into() }),
        request(RequestType::UnsubscribeRooms, OneGame { game_type: "farkle".into() }),
        request(
            RequestType::CreateRoom,
            CreateRoom {
                game_type: "farkle".into(),
                player_name: name("Ada"),
                options: object(json!({ "targetScore": 5000 })),
                private: true,
                password: Some(Secret::new("swordfish")),
                max_players: Some(4),
                metadata: object(json!({ "region": "eu", "ranked": false, "round": 3 })),
                key: Some(key()),
            },
        ),
        request(
            RequestType::JoinRoom,
            JoinRoom {
                room_id: Some(room()),
                player_name: name("Grace"),
                password: Some(Secret::new("swordfish")),
                spectator: true,
                key: Some(key()),
            },
        ),
        request(
            RequestType::QuickMatch,
            QuickMatch {
                game_type: "farkle".into(),
                player_name: name("Zoë"),
                options: object(json!({ "targetScore": 5000 })),
                key: Some(key()),
            },
        ),
        request(RequestType::LeaveRoom, NoData {}),
        request(
            RequestType::Reconnect,
            Reconnect {
                session_token: token(),
                epoch: Some("e-1".into()),
                last_seq: Some(41),
                attempt: Some(2),
            },
        ),
        request(RequestType::GetState, NoData {}),
        request(RequestType::GameAction, json!({ "keep": [1, 5, 5], "bank": true })),
        request(RequestType::SetReady, SetReady { ready: true }),
        request(RequestType::SetRole, SetRole { spectator: false }),
        request(RequestType::Chat, Chat { text: "good game! 🎲".into() }),
        request(RequestType::StartGame, NoData {}),
        request(RequestType::Rematch, NoData {}),
        request(
            RequestType::AddBot,
            AddBot { name: Some(name("Deep Dice")), level: Some("hard".into()) },
        ),
        request(RequestType::RemoveBot, OnePlayer { player_id: PlayerId(3) }),
        request(RequestType::KickPlayer, KickPlayer { player_id: PlayerId(2), ban: true }),
        request(RequestType::SetHost, OnePlayer { player_id: PlayerId(2) }),
        request(
            RequestType::UpdateRoom,
            UpdateRoom {
                locked: Some(true),
                private: Some(false),
                password: Change::Clear,
                metadata: Change::Set(object(json!({ "region": "eu" }))),
            },
        ),
    ]
}

/// Every response: the success of every request, and the shapes of refusal.
pub(crate) fn responses() -> Vec<Sample> {
    let seq = Seq { seq: 42 };
    let subscribed = RoomSubscription { rooms: vec![Arc::new(room_info())], more: true };
    let mut back = joined();
    back.session_token = None;
    let replayed = Replayed {
        room_id: room(),
        game_type: "farkle".into(),
        player_id: PlayerId(1),
        epoch: "e-1".into(),
        seq: 41,
        last_id: 7,
        url: Some(NODE.to_owned()),
    };
    let snapshot =
        StateSnapshot { seq: 42, version: 9, phase: Phase::Playing, state: json!({ "turn": 1 }) };
    let summary = GameSummary {
        game_type: "farkle".into(),
        title: "Farkle".into(),
        min_players: 2,
        max_players: 6,
        bots: true,
        realtime: false,
    };
    let list = RoomList { rooms: vec![Arc::new(room_info())], cursor: Some("c-18".into()) };
    vec![
        response(RequestType::Ping, Pong { server_time: NOW }),
        response(RequestType::Authenticate, Authenticated { player_name: Some(name("Ada")) }),
        response(RequestType::ListGames, GameList { games: vec![summary] }),
        response(RequestType::ListRooms, list),
        response(RequestType::SubscribeRooms, subscribed),
        response(RequestType::UnsubscribeRooms, RoomSubscription::default()),
        response(RequestType::CreateRoom, joined()),
        response(RequestType::JoinRoom, joined()),
        response(RequestType::QuickMatch, joined()),
        response(RequestType::LeaveRoom, seq),
        response(RequestType::Reconnect, Resumed::<Value>::Replayed(replayed)),
        response(RequestType::Reconnect, Resumed::Snapshot(Box::new(back)))
            .named("response_reconnect_snapshot"),
        response(RequestType::GetState, snapshot),
        response(RequestType::GameAction, seq),
        response(RequestType::SetReady, seq),
        response(RequestType::SetRole, seq),
        response(RequestType::Chat, seq),
        response(RequestType::StartGame, seq),
        response(RequestType::Rematch, seq),
        response(RequestType::AddBot, AddedBot { seq: 42, player_id: PlayerId(3) }),
        response(RequestType::RemoveBot, seq),
        response(RequestType::KickPlayer, seq),
        response(RequestType::SetHost, seq),
        response(RequestType::UpdateRoom, seq),
    ]
}

/// Every event.
pub(crate) fn events() -> Vec<Sample> {
    let welcome = Welcome {
        protocol: 1,
        server: "parlor/0.1.0".into(),
        connection_id: "n1-7".into(),
        server_time: NOW,
        heartbeat_ms: 20_000,
        limits: WelcomeLimits { max_message_bytes: 16_384, messages_per_second: 60 },
    };
    let patch = RoomPatch {
        version: 10,
        base: 9,
        ops: vec![
            PatchOp::Add { path: "/dice/0".into(), value: json!(6) },
            PatchOp::Remove { path: "/held".into() },
            PatchOp::Replace { path: "/turn".into(), value: json!(2) },
        ],
    };
    let game_event = GameEvent { name: "rolled".into(), data: Some(json!({ "dice": [1, 5] })) };
    let refused = ActionRefused {
        request_id: Some(id()),
        error: ErrorDetail::new(ErrorCode::INVALID_MOVE, "a wall is there"),
    };
    let update = RoomListUpdate {
        game_type: "farkle".into(),
        changed: vec![Arc::new(room_info())],
        removed: vec![RoomCode::from_number(7)],
    };
    let state = RoomState { version: 9, phase: Phase::Playing, state: json!({ "turn": 1 }) };
    let chat = chat_message();
    vec![
        event(EventType::Welcome, welcome),
        event(EventType::RoomState, state),
        event(EventType::RoomPatch, patch),
        event(EventType::GameEvent, game_event),
        event(EventType::ActionRefused, refused),
        event(EventType::PlayerJoined, player(2, "Grace")),
        event(EventType::PlayerReplaced, Player { kind: PlayerKind::Bot, ..player(2, "Grace") }),
        event(
            EventType::PlayerLeft,
            PlayerLeft { player_id: PlayerId(2), reason: LeaveReason::Kicked },
        ),
        event(
            EventType::PlayerDisconnected,
            PlayerDisconnected { player_id: PlayerId(2), grace_until: NOW + 60_000 },
        ),
        event(EventType::PlayerReconnected, PlayerReconnected { player_id: PlayerId(2) }),
        event(EventType::PlayerReady, PlayerReady { player_id: PlayerId(2), ready: true }),
        event(EventType::HostChanged, HostChanged { player_id: None }),
        event(EventType::GameStarted, NoData {}),
        event(EventType::GameFinished, GameFinished { result: json!({ "winner": 1 }) }),
        event(EventType::ChatMessage, chat),
        event(EventType::RoomUpdated, room_info()),
        event(EventType::RoomClosed, RoomClosed { room_id: room(), reason: CloseReason::Finished }),
        event(EventType::RoomListUpdate, update),
        event(EventType::ServerDraining, ServerDraining { reconnect_after_ms: 1500 }),
        event(EventType::ServerNotice, ServerNotice { text: "Maintenance at noon".into() }),
    ]
}

/// A refusal's name, the error that it carries, and how it is written.
pub(crate) type Refusal = (String, ErrorDetail, Encode);

type Encode = Box<dyn Fn(Codec) -> Vec<u8>>;

/// The shapes of refusal.
pub(crate) fn refusals() -> Vec<Refusal> {
    let invalid = FieldErrors::of("playerName", "required", "is required");
    let cases = [
        ("refusal", Answered::Request(RequestType::GameAction), Some(id()), {
            ErrorDetail::new(ErrorCode::NOT_YOUR_TURN, "it is another player's turn")
        }),
        ("refusal_validation", Answered::Request(RequestType::JoinRoom), None, {
            ErrorDetail::validation_failed(&invalid)
        }),
        ("refusal_unknown_type", Answered::UnknownType("fly"), Some(id()), {
            ErrorDetail::new(ErrorCode::UNKNOWN_TYPE, "no request has this type")
        }),
        ("unreadable", Answered::Unreadable, None, {
            ErrorDetail::new(ErrorCode::BAD_REQUEST, "the message does not parse")
        }),
    ];
    let boxed = cases.into_iter().map(|(name, to, id, error)| {
        let detail = error.clone();
        let encode = move |codec: Codec| {
            codec.encode(&ResponseFrame::refusal(to, id, &detail)).expect("it encodes")
        };
        (name.to_owned(), error, Box::new(encode) as Encode)
    });
    boxed.collect()
}

/// Reads the one request of a frame.
#[track_caller]
pub(crate) fn read_one(codec: Codec, bytes: &[u8]) -> parlor_protocol::Envelope<'_> {
    let frame = read_frame(codec, bytes, &FrameLimits::default()).expect("a readable frame");
    let mut requests = frame.requests();
    let request = requests.next().expect("a request").expect("a readable request");
    assert!(requests.next().is_none(), "one request");
    request
}

/// Parses the one request of a frame of JSON.
#[track_caller]
pub(crate) fn parse(text: &str) -> Result<Request<'_>, parlor_protocol::RequestError> {
    Request::parse(&read_one(Codec::Json, text.as_bytes()))
}

/// Reads a successful response or an event, with its name among the samples.
#[track_caller]
pub(crate) fn read_from_server(codec: Codec, bytes: &[u8]) -> (String, RawData<'_>) {
    match read_server_message(codec, bytes).expect("a message") {
        ServerMessage::Response { kind, outcome: Ok(data), .. } => {
            (format!("response_{kind}"), data)
        }
        ServerMessage::Event { kind, data, .. } => (format!("event_{kind}"), data),
        other => panic!("neither a success nor an event: {other:?}"),
    }
}

pub(crate) fn room() -> RoomCode {
    RoomCode::parse("K7RM2XAD").expect("a code")
}

pub(crate) fn id() -> RequestId {
    RequestId::new(8).expect("in range")
}

/// Too large for 32 bits, as every real time is.
const NOW: u64 = 1_764_000_000_000;

/// Where a room's own node can be reached.
const NODE: &str = "wss://node-2.example.com/ws";

impl Sample {
    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }
}

trait Data: Clone + Debug + DeserializeOwned + PartialEq + Serialize + 'static {}
impl<T: Clone + Debug + DeserializeOwned + PartialEq + Serialize + 'static> Data for T {}

fn sample<T: Data>(
    name: String,
    data: T,
    encode: impl Fn(Codec, &T) -> Vec<u8> + 'static,
) -> Sample {
    let expected = data.clone();
    Sample {
        name,
        encode: Box::new(move |codec| encode(codec, &data)),
        check_same: Box::new(move |raw| {
            assert_eq!(raw.decode::<T>().expect("it decodes"), expected);
        }),
        decode: |raw| raw.decode::<T>().map(drop),
    }
}

fn request<T: Data>(kind: RequestType, data: T) -> Sample {
    sample(format!("request_{kind}"), data, move |codec, data| {
        codec.encode(&RequestFrame { kind, id: Some(id()), data }).expect("it encodes")
    })
}

fn response<T: Data>(kind: RequestType, data: T) -> Sample {
    sample(format!("response_{kind}"), data, move |codec, data| {
        let frame =
            ResponseFrame { to: Answered::Request(kind), id: Some(id()), outcome: Ok(data) };
        codec.encode(&frame).expect("it encodes")
    })
}

fn event<T: Data>(kind: EventType, data: T) -> Sample {
    let seq = kind.has_seq().then_some(42);
    sample(format!("event_{kind}"), data, move |codec, data| {
        codec.encode(&EventFrame { kind, seq, data }).expect("it encodes")
    })
}

fn joined() -> Joined<Value> {
    Joined {
        room_id: room(),
        game_type: "farkle".into(),
        player_id: PlayerId(1),
        session_token: Some(token()),
        epoch: "e-1".into(),
        seq: 41,
        last_id: 7,
        version: 9,
        phase: Phase::Lobby,
        host: Some(PlayerId(1)),
        players: vec![player(1, "Ada")],
        state: json!({ "scores": { "1": 350 } }),
        chat: vec![chat_message()],
        url: Some(NODE.to_owned()),
    }
}

fn room_info() -> RoomInfo {
    RoomInfo {
        room_id: room(),
        game_type: "farkle".into(),
        player_count: 2,
        bot_count: 1,
        max_players: 6,
        spectator_count: 0,
        phase: Phase::Lobby,
        has_password: false,
        locked: false,
        joinable: true,
        options: object(json!({ "targetScore": 10000 })).into(),
        metadata: object(json!({ "region": "eu" })),
        created_at: NOW,
    }
}

fn player(id: u32, name: &str) -> Player {
    Player {
        player_id: PlayerId(id),
        name: name.into(),
        kind: PlayerKind::Human,
        connected: true,
        ready: false,
    }
}

fn chat_message() -> ChatMessage {
    ChatMessage { player_id: PlayerId(2), name: "Grace".into(), text: "hello".into(), at: NOW }
}

fn name(text: &str) -> PlayerName {
    PlayerName::parse(text).expect("a name")
}

fn key() -> Secret {
    Secret::new("0123456789abcdef")
}

fn token() -> Secret {
    Secret::new("tok-0123456789abcdef")
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}
