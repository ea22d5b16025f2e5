//! The simulated world: a gateway, its clients and their sockets, and the models of them.
//!
//! What a client does goes to the model first, which says what must be answered, and then to the
//! gateway. How schedules are made stands in `schedule`, how clients read in `reading`, what must
//! hold after each step in `invariants`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use parlor_core::rand::{RngExt as _, SeedableRng as _};
use parlor_core::{CloseReason, GameRng};
use parlor_gateway::outbox::OutboxLimits;
use parlor_gateway::{Connection, Gateway, GatewayConfig, Handled, HistoryLimits};
use parlor_protocol::{CloseCode, Codec, RequestType};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::ask::Ask;
use crate::game::{Numbers, Options, Witness};
use crate::mirror::{Ledger, Mirror};
use crate::model::{Picture, Room, Socket, Verdict};
use crate::store::WaitingStore;

/// When every simulation begins, in milliseconds since 1970.
pub(crate) const ORIGIN: u64 = 1_700_000_000_000;

pub(crate) struct World {
    pub(crate) rng: GameRng,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) store: Arc<WaitingStore>,
    pub(crate) witness: Witness,
    pub(crate) limits: OutboxLimits,
    pub(crate) now: u64,
    pub(crate) rooms: Vec<Room>,
    /// One for each room.
    pub(crate) ledgers: Vec<Ledger>,
    /// The first answer to each decided request, by room, player and id.
    pub(crate) answers: BTreeMap<(usize, u32, u64), Value>,
    pub(crate) keys: BTreeMap<String, Keyed>,
    pub(crate) is_draining: bool,
    /// By number; those that are gone stay empty.
    pub(crate) sockets: Vec<Option<Line>>,
    pub(crate) clients: Vec<Client>,
    /// A socket that only looks at listings.
    pub(crate) observer: Option<Observer>,
    next_token: u64,
    next_number: u64,
    pub(crate) journal: Journal,
    pub(crate) complaints: Complaints,
    pub(crate) counts: Counts,
}

/// One who plays.
pub(crate) struct Client {
    pub(crate) name: String,
    /// The socket that it uses now.
    pub(crate) socket: Option<Socket>,
    pub(crate) session: Option<Session>,
    next_id: u64,
    pub(crate) next_attempt: u64,
    /// Requests of the session that were not answered yet.
    pub(crate) unanswered: BTreeMap<u64, Ask>,
    /// All that it ever asked a room.
    pub(crate) asked: Vec<(u64, Ask)>,
    /// The last joining request that had a key, with its room.
    pub(crate) keyed: Option<(usize, Value)>,
}

/// What a client knows of its seat.
pub(crate) struct Session {
    pub(crate) room: usize,
    pub(crate) player: u32,
    pub(crate) token: String,
    pub(crate) token_number: u64,
    pub(crate) mirror: Mirror,
    /// The socket on which the mirror is kept up.
    pub(crate) socket: Option<Socket>,
}

/// One socket.
pub(crate) struct Line {
    /// `None` for the observer's.
    pub(crate) client: Option<usize>,
    pub(crate) connection: Connection,
    pub(crate) codec: Codec,
    pub(crate) reading: Reading,
    pub(crate) seating: Seating,
    /// Every seat that it ever had, of which it may not have read everything.
    pub(crate) seats: Vec<(usize, u32)>,
    /// What must be answered, in order.
    pub(crate) expected: VecDeque<Expected>,
    pub(crate) must_close: Option<u16>,
    pub(crate) is_greeted: bool,
    pub(crate) must_hear_of_drain: bool,
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All there is, after each step.
    Everything,
    /// Up to so many messages after each step.
    Some(usize),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seating {
    None,
    Held { room: usize, player: u32 },
    Left { room: usize, player: u32 },
}

#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) kind: RequestType,
    pub(crate) id: u64,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// An answer to what was asked of a room, if it was in one.
    Verdict {
        ask: Ask,
        verdict: Verdict,
        seat: Option<(usize, u32)>,
    },
    Joined {
        room: usize,
        player: u32,
        token_number: u64,
        picture: Picture,
    },
    Resumed {
        room: usize,
        player: u32,
        picture: Picture,
        must_be_snapshot: bool,
    },
    Refused(&'static str),
    /// Rooms, for the observer.
    Listing,
}

/// Where a key has led.
pub(crate) struct Keyed {
    pub(crate) request: Value,
    pub(crate) room: usize,
    pub(crate) player: u32,
    pub(crate) until: u64,
}

#[derive(Default)]
pub(crate) struct Observer {
    pub(crate) socket: Socket,
    pub(crate) rooms: Vec<Value>,
    /// What it knows by being told of changes.
    pub(crate) followed: BTreeMap<String, Value>,
}

/// What a run is made of, if anyone wants to know.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) text: Arc<Mutex<String>>,
    pub(crate) is_kept: bool,
}

/// What the gateway has logged as a warning or worse.
#[derive(Clone, Default)]
pub(crate) struct Complaints(pub(crate) Arc<Mutex<Vec<u8>>>);

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) messages: u64,
    pub(crate) replays: u64,
    pub(crate) snapshots: u64,
    pub(crate) takeovers: u64,
    pub(crate) slow: u64,
    pub(crate) repeats: u64,
    pub(crate) closed_rooms: u64,
}

impl Journal {
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if self.is_kept {
            writeln!(self.text.lock().unwrap(), "{}", line()).unwrap();
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, journal: Journal, complaints: Complaints) -> Self {
        let mut rng = GameRng::seed_from_u64(seed);
        let mut config = GatewayConfig::default();
        config.requests_per_second = 1_000_000;
        config.requests_burst = 1_000_000;
        config.driver_shards = rng.random_range(1..=2);
        if rng.random_bool(0.5) {
            config.outbox.messages_max = rng.random_range(8..=24);
            config.history.events_max = rng.random_range(2..=16);
        }
        if rng.random_bool(0.1) {
            config.outbox.bytes_max = 2048;
        }
        if rng.random_bool(0.1) {
            config.history = HistoryLimits { bytes_max: 1024, ..config.history };
        }
        let limits = config.outbox;
        let (store, witness) = (Arc::new(WaitingStore::default()), Witness::default());
        let gateway = Gateway::builder(config)
            .game(Numbers(witness.clone()))
            .session_store(Arc::clone(&store) as _)
            .simulated(seed, UNIX_EPOCH + Duration::from_millis(ORIGIN))
            .start();
        let clients = (0..rng.random_range(2..=6)).map(|n| Client::new(format!("P{n}"))).collect();
        journal.note(|| format!("seed {seed}, {limits:?}"));
        let mut world = Self {
            rng,
            gateway,
            store,
            witness,
            limits,
            now: ORIGIN,
            rooms: Vec::new(),
            ledgers: Vec::new(),
            answers: BTreeMap::new(),
            keys: BTreeMap::new(),
            is_draining: false,
            sockets: Vec::new(),
            clients,
            observer: None,
            next_token: 1,
            next_number: 1,
            journal,
            complaints,
            counts: Counts::default(),
        };
        world.observe();
        world
    }

    // Sockets.

    pub(crate) fn connect(&mut self, client: Option<usize>) -> Socket {
        let codec = if self.rng.random_bool(0.5) { Codec::Json } else { Codec::MsgPack };
        let reading = match self.rng.random_range(0..10) {
            0 => Reading::Nothing,
            1 | 2 => Reading::Some(self.rng.random_range(1..=4)),
            _ => Reading::Everything,
        };
        let socket = self.sockets.len();
        self.journal.note(|| format!("  socket {socket} of {client:?}, {codec:?}, {reading:?}"));
        self.sockets.push(Some(Line {
            client,
            connection: self.gateway.connect(codec),
            codec,
            reading: if client.is_none() { Reading::Everything } else { reading },
            seating: Seating::None,
            seats: Vec::new(),
            expected: VecDeque::new(),
            must_close: None,
            is_greeted: false,
            must_hear_of_drain: self.is_draining,
        }));
        socket
    }

    /// The socket is gone, whatever it had.
    pub(crate) fn lose(&mut self, socket: Socket) {
        let Some(line) = self.sockets[socket].take() else { return };
        self.journal.note(|| format!("  socket {socket} is gone"));
        if let Seating::Held { room, player } = line.seating {
            self.rooms[room].lose(self.now, player, socket);
        }
        if let Some(client) = line.client {
            let client = &mut self.clients[client];
            client.socket = client.socket.filter(|other| *other != socket);
            if let Some(session) = &mut client.session {
                session.socket = session.socket.filter(|other| *other != socket);
            }
        }
        drop(line);
    }

    pub(crate) fn line(&mut self, socket: Socket) -> &mut Line {
        self.sockets[socket].as_mut().expect("a socket that is there")
    }

    /// Whether the gateway reads what comes from it.
    pub(crate) fn is_open(&self, socket: Socket) -> bool {
        let line = self.sockets[socket].as_ref();
        line.is_some_and(|line| !line.connection.outbox().is_closed())
    }

    /// Hands over a frame, whose requests are answered at once.
    fn send(&mut self, socket: Socket, frame: &Value) {
        self.journal.note(|| format!("  {socket} > {frame}"));
        let line = self.sockets[socket].as_mut().expect("a socket that is there");
        let bytes = line.codec.encode(frame).unwrap();
        match line.connection.handle(line.codec.frame_kind(), &bytes) {
            Handled::Done => {}
            Handled::Pending(mut future) => assert!(poll(&mut future), "the store does not wait"),
        }
    }

    fn expect(&mut self, socket: Socket, kind: RequestType, id: u64, what: What) {
        self.line(socket).expected.push_back(Expected { kind, id, what });
    }

    /// Takes over from the model which sockets must be closed.
    pub(crate) fn follow_model(&mut self) {
        for room in &mut self.rooms {
            for (socket, code) in room.closes.drain(..) {
                if let Some(line) = &mut self.sockets[socket] {
                    line.must_close.get_or_insert(code);
                }
                self.counts.takeovers += u64::from(code == 4001);
            }
        }
    }

    // Requests.

    pub(crate) fn new_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Asks these in one frame.
    pub(crate) fn ask(&mut self, client: usize, socket: Socket, asks: &[(u64, Ask)]) {
        let mut messages = Vec::new();
        for (id, ask) in asks {
            let (id, ask) = (*id, *ask);
            let seating = self.line(socket).seating;
            let (verdict, seat) = match seating {
                Seating::None => (Verdict::refused("NOT_IN_ROOM"), None),
                Seating::Held { room, player } => {
                    let verdict = self.rooms[room].ask(self.now, player, id, ask);
                    if !self.rooms[room].seats.contains_key(&player) {
                        self.line(socket).seating = Seating::Left { room, player };
                    }
                    (verdict, Some((room, player)))
                }
                Seating::Left { room, player } => {
                    let room_of = &self.rooms[room];
                    (room_of.ask_after_leaving(self.now, player, id, ask), Some((room, player)))
                }
            };
            self.counts.repeats += u64::from(!verdict.is_new);
            self.expect(socket, ask.kind(), id, What::Verdict { ask, verdict, seat });
            messages.push(ask.message(id));
        }
        self.follow_model();
        let one = if messages.len() == 1 { messages.pop() } else { None };
        self.send(socket, &one.unwrap_or(Value::Array(messages)));
        self.journal.note(|| format!("    as client {client}"));
    }

    /// What a joining request of this client's looks like.
    pub(crate) fn joining(&mut self, client: usize, room: usize, spectator: bool) -> Option<Value> {
        let code = self.rooms[room].code.clone()?;
        let id = self.clients[client].new_id();
        let name = self.clients[client].name.clone();
        let mut data = json!({"roomId": code, "playerName": name, "spectator": spectator});
        if self.rng.random_bool(0.5) {
            data["key"] = json!(format!("key-{id:04}-{client:016}"));
        }
        Some(json!({"type": "join_room", "id": id, "data": data}))
    }

    pub(crate) fn join(&mut self, client: usize, socket: Socket, room: usize, request: &Value) {
        let what = match self.before_joining(socket, room, request) {
            Some(what) => what,
            None => self.sit_down(socket, room, request),
        };
        self.finish_joining(client, socket, room, request, what);
        self.send(socket, request);
    }

    /// The same, with `meanwhile` between the request and the seat, for which the store must be
    /// asked. The socket may be lost on the way.
    pub(crate) fn join_slowly(
        &mut self,
        client: usize,
        socket: Socket,
        room: usize,
        request: &Value,
        meanwhile: impl FnOnce(&mut Self),
    ) {
        assert!(request["data"]["key"].is_null(), "where a key leads is asked at once");
        if let Some(what) = self.before_joining(socket, room, request) {
            self.finish_joining(client, socket, room, request, what);
            self.send(socket, request);
            return;
        }
        self.journal.note(|| format!("  {socket} > {request} has to wait"));
        let is_lost = self.rng.random_bool(0.2);
        let mut line = self.sockets[socket].take().expect("a socket that is there");
        let bytes = line.codec.encode(request).unwrap();
        self.store.is_slow.store(true, Ordering::Relaxed);
        let Handled::Pending(mut future) = line.connection.handle(line.codec.frame_kind(), &bytes)
        else {
            panic!("a join asks the store");
        };
        assert!(!poll(&mut future), "the store lets it wait");
        meanwhile(self);
        if is_lost {
            drop(future);
            self.sockets[socket] = Some(line);
            self.lose(socket);
            return;
        }
        // The model first, as always: the future has the connection, so it has no socket to mark.
        let what = self.sit_down_as(room, request, socket);
        assert!(poll(&mut future), "the store waits once");
        drop(future);
        self.sockets[socket] = Some(line);
        self.finish_joining(client, socket, room, request, what);
    }

    /// How a joining request is answered before the store is asked, if it is.
    fn before_joining(&mut self, socket: Socket, room: usize, request: &Value) -> Option<What> {
        if matches!(self.line(socket).seating, Seating::Held { .. }) {
            return Some(What::Refused("ALREADY_IN_ROOM"));
        }
        let key = request["data"]["key"].as_str();
        if let Some(known) = key.and_then(|key| self.keys.get(key))
            && known.until > self.now
        {
            if known.request["data"] != request["data"] {
                return Some(What::Refused("BAD_REQUEST"));
            }
            let (room, player) = (known.room, known.player);
            if !self.rooms[room].closed && self.rooms[room].seats.contains_key(&player) {
                let token_number = self.new_token();
                let picture = self.rooms[room].come_back(self.now, player, None, socket);
                self.rooms[room].seats.get_mut(&player).unwrap().token = Some(token_number);
                return Some(What::Joined { room, player, token_number, picture });
            }
        }
        if self.is_draining {
            return Some(What::Refused("DRAINING"));
        }
        self.rooms[room].closed.then_some(What::Refused("ROOM_NOT_FOUND"))
    }

    fn sit_down(&mut self, socket: Socket, room: usize, request: &Value) -> What {
        let what = self.sit_down_as(room, request, socket);
        if let (What::Joined { player, .. }, Some(key)) = (&what, request["data"]["key"].as_str()) {
            let (player, until) = (*player, self.now + 60_000);
            let keyed = Keyed { request: request.clone(), room, player, until };
            self.keys.insert(key.to_owned(), keyed);
        }
        what
    }

    fn sit_down_as(&mut self, room: usize, request: &Value, socket: Socket) -> What {
        let token_number = self.new_token();
        let spectator = request["data"]["spectator"] == true;
        let name = request["data"]["playerName"].as_str().expect("a name");
        match self.rooms[room].join(self.now, name, spectator, token_number, socket) {
            Ok((player, picture)) => What::Joined { room, player, token_number, picture },
            Err(code) => What::Refused(code),
        }
    }

    fn finish_joining(
        &mut self,
        client: usize,
        socket: Socket,
        room: usize,
        request: &Value,
        what: What,
    ) {
        if let What::Joined { room, player, .. } = what {
            self.line(socket).sit_down(room, player);
        }
        let kind = RequestType::from_wire(request["type"].as_str().unwrap()).unwrap();
        self.expect(socket, kind, request["id"].as_u64().unwrap(), what);
        self.clients[client].keyed =
            (!request["data"]["key"].is_null()).then(|| (room, request.clone()));
        self.follow_model();
    }

    pub(crate) fn create(&mut self, client: usize, socket: Socket, options: Options) {
        let id = self.clients[client].new_id();
        let name = self.clients[client].name.clone();
        let data = json!({"gameType": "numbers", "playerName": name, "options": options});
        let what = if matches!(self.line(socket).seating, Seating::Held { .. }) {
            What::Refused("ALREADY_IN_ROOM")
        } else if self.is_draining {
            What::Refused("DRAINING")
        } else {
            let room = self.rooms.len();
            let mut new = Room::new(self.now, options);
            let token_number = self.new_token();
            let (player, picture) = new
                .join(self.now, &name, false, token_number, socket)
                .expect("a seat in a new room");
            self.rooms.push(new);
            self.ledgers.push(Ledger::default());
            self.line(socket).sit_down(room, player);
            What::Joined { room, player, token_number, picture }
        };
        self.expect(socket, RequestType::CreateRoom, id, what);
        self.send(socket, &json!({"type": "create_room", "id": id, "data": data}));
    }

    /// Comes back on this socket, as one that followed up to `claim`.
    pub(crate) fn reconnect(
        &mut self,
        client: usize,
        socket: Socket,
        claim: Option<(String, u64)>,
        attempt: Option<u64>,
    ) {
        let id = self.clients[client].new_id();
        let Some(session) = &mut self.clients[client].session else { return };
        // Who opens another socket listens to the old one no more.
        session.socket = None;
        let (room, token_number) = (session.room, session.token_number);
        let honest = Some((session.mirror.epoch.clone(), session.mirror.last_seq));
        let mut data = json!({"sessionToken": session.token, "attempt": attempt});
        if let Some((epoch, last_seq)) = &claim {
            data["epoch"] = json!(epoch);
            data["lastSeq"] = json!(last_seq);
        }
        let is_attached = matches!(self.line(socket).seating, Seating::Held { .. });
        let of = &mut self.rooms[room];
        let holder = of.seats.iter().find(|(_, seat)| seat.token == Some(token_number));
        let what = match holder {
            _ if is_attached => What::Refused("ALREADY_IN_ROOM"),
            _ if of.closed && of.tokens_at_close.contains(&token_number) => {
                What::Refused("ROOM_CLOSED")
            }
            None => What::Refused("SESSION_INVALID"),
            Some((_, seat))
                if seat.holder.is_some()
                    && attempt.zip(seat.attempt).is_some_and(|(new, held)| new < held) =>
            {
                What::Refused("STALE_REQUEST")
            }
            Some((player, _)) => {
                let player = *player;
                let picture = of.come_back(self.now, player, attempt, socket);
                let must_be_snapshot = claim != honest;
                self.line(socket).sit_down(room, player);
                What::Resumed { room, player, picture, must_be_snapshot }
            }
        };
        self.expect(socket, RequestType::Reconnect, id, what);
        self.follow_model();
        self.send(socket, &json!({"type": "reconnect", "id": id, "data": data}));
    }

    fn new_token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    // Whoever runs the server.

    pub(crate) fn close_room(&mut self, room: usize) {
        let Some(code) = &self.rooms[room].code else { return };
        let code = parlor_protocol::RoomCode::parse(code).unwrap();
        let is_open = !self.rooms[room].closed;
        self.journal.note(|| format!("  room {room} is closed"));
        if is_open {
            self.rooms[room].close();
        }
        self.follow_model();
        assert_eq!(self.gateway.close_room(code, CloseReason::Admin), is_open, "a room to close");
    }

    pub(crate) fn drain(&mut self) {
        self.journal.note(|| "  drain".into());
        self.is_draining = true;
        for line in self.sockets.iter_mut().flatten() {
            line.must_hear_of_drain |= !line.connection.outbox().is_closed();
        }
        self.gateway.drain(Duration::from_secs(5));
    }

    pub(crate) fn close_sockets(&mut self) {
        self.journal.note(|| "  all sockets are closed".into());
        for line in self.sockets.iter_mut().flatten() {
            line.must_close.get_or_insert(1001);
        }
        self.gateway.close_connections(CloseCode::GoingAway, "bye");
    }

    /// Lets time pass, with everything that falls due in it.
    pub(crate) async fn pass(&mut self, millis: u64) {
        self.journal.note(|| format!("  {millis} ms pass"));
        // No transport keeps a closed socket for long.
        for socket in 0..self.sockets.len() {
            if self.sockets[socket].is_some() && !self.is_open(socket) {
                self.read(socket, usize::MAX);
                self.lose(socket);
            }
        }
        self.now += millis;
        for room in &mut self.rooms {
            room.catch_up(self.now);
        }
        self.follow_model();
        tokio::time::advance(Duration::from_millis(millis)).await;
        settle().await;
    }

    // The observer.

    /// Connects the observer, who wants to hear of changes.
    pub(crate) fn observe(&mut self) {
        let socket = self.connect(None);
        self.observer = Some(Observer { socket, ..Observer::default() });
        self.expect(socket, RequestType::SubscribeRooms, 1, What::Listing);
        let data = json!({"gameType": "numbers"});
        self.send(socket, &json!({"type": "subscribe_rooms", "id": 1, "data": data}));
        self.read(socket, usize::MAX);
    }

    /// Asks for the listing of all rooms.
    pub(crate) fn list(&mut self) -> Vec<Value> {
        if !self.observer.as_ref().is_some_and(|observer| self.is_open(observer.socket)) {
            if let Some(former) = self.observer.take() {
                self.lose(former.socket);
            }
            self.observe();
        }
        let socket = self.observer.as_ref().expect("it was just made").socket;
        // An outbox may be too small for two listings.
        self.read(socket, usize::MAX);
        self.expect(socket, RequestType::ListRooms, 2, What::Listing);
        self.send(socket, &json!({"type": "list_rooms", "id": 2, "data": {}}));
        self.read(socket, usize::MAX);
        std::mem::take(&mut self.observer.as_mut().expect("it is there").rooms)
    }
}

impl Line {
    fn sit_down(&mut self, room: usize, player: u32) {
        self.seating = Seating::Held { room, player };
        self.seats.push((room, player));
    }
}

impl Client {
    fn new(name: String) -> Self {
        Self {
            name,
            socket: None,
            session: None,
            next_id: 0,
            next_attempt: 1,
            unanswered: BTreeMap::new(),
            asked: Vec::new(),
            keyed: None,
        }
    }

    /// Ids rise over the whole life of a client.
    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// Lets the other tasks do what they can do now.
pub(crate) async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

/// Whether the future is done.
fn poll(future: &mut Pin<Box<dyn Future<Output = ()> + Send + '_>>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(future.as_mut().poll(&mut cx), Poll::Ready(()))
}

impl io::Write for Complaints {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Complaints {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
