//! Everything at once, by seed: clients that come, act, lose their sockets and come back on any node; a bus that loses,
//! delays, repeats and swaps; a directory that is away, hangs or forgets; nodes that die, leave, freeze, and new ones.
//!
//! Each room has a witness, a spectator whose socket is where the room is and never breaks: what it is told is the room's
//! history. Each action bears a number of its own, which everyone hears.
//!
//! A schedule that fails prints its seed and its last steps. `PARLOR_CLUSTER_SIM_SEED=… cargo test -p parlor-gateway
//! --test gateway cluster::simulation -- --nocapture` runs that one; `PARLOR_CLUSTER_SIM_SCHEDULES` says how many there
//! are, `PARLOR_CLUSTER_SIM_FIRST` the first seed.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, io, thread};

use parlor_core::GameRng;
use parlor_core::rand::{RngExt as _, SeedableRng as _};
use parlor_gateway::Gateway;
use parlor_protocol::{Codec, RoomCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cloud::Cloud;
use super::code_of;
use crate::support::{Client, pass, settle};

/// Schedules in every run of the tests.
const SCHEDULES: u64 = 200;
const STEPS: usize = 150;
const NODES: usize = 3;
const CLIENTS: usize = 6;
/// Lines of a failing schedule's journal that are printed.
const LINES_MAX: usize = 60;
/// Requests of a seat that may wait to be answered.
const UNANSWERED_MAX: usize = 16;
/// No request may take longer: nodes out of touch give up after three seconds, each store after one.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// A seat is held for a minute after its socket is lost, which its room may notice before the client does.
const SEAT_IS_SAFE: Duration = Duration::from_secs(45);
/// So long after a node was cut off from all others they may take it for dead.
const IN_DOUBT: Duration = Duration::from_secs(30);

struct World {
    began: Instant,
    rng: GameRng,
    cloud: Cloud,
    seed: u64,
    nodes: Vec<Node>,
    rooms: Vec<Room>,
    players: Vec<Player>,
    /// What ends when.
    heals: Vec<(Instant, Heal)>,
    next_number: u64,
    grants_seen: usize,
    fences: BTreeMap<String, (String, u64)>,
    journal: Journal,
    counts: Counts,
}

type Journal = Arc<Mutex<Vec<String>>>;

/// What nodes log stands in the journal as well.
#[derive(Clone)]
struct JournalWriter(Journal);

impl io::Write for JournalWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).trim_end().to_owned();
        self.0.lock().unwrap().push(line);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    replays: u64,
    snapshots: u64,
    lost_touch: u64,
    again: u64,
    joined: u64,
    applied: u64,
    given_up: u64,
    unavailable: u64,
    claimed_again: u64,
}

struct Node {
    /// `None` when it has died or left.
    gateway: Option<Arc<Gateway>>,
    name: String,
    /// When it was last cut off from all others.
    isolated: Option<Instant>,
}

enum Heal {
    Bus,
    Directory,
    Node(usize),
}

struct Room {
    code: String,
    owner: String,
    witness: Client,
    /// Everything that the room told everyone, states aside.
    history: BTreeMap<u64, Value>,
    epoch: Value,
    /// From where on the witness was there.
    since: u64,
}

struct Player {
    client: Option<Client>,
    /// Whether this socket has the seat.
    is_seated: bool,
    node: usize,
    /// What was asked on this socket and not answered yet.
    asked: BTreeSet<u64>,
    seat: Option<Seat>,
    /// A joining request that was not answered well yet, to be sent again.
    joining: Option<(&'static str, Value)>,
    next_id: u64,
    /// Numbers of its actions that were done, and those that were refused.
    done: Vec<(String, u64)>,
    refused: Vec<(String, u64)>,
}

struct Seat {
    room: String,
    player: Value,
    token: Value,
    epoch: Value,
    /// The events that it was told, from the last snapshot on.
    heard: BTreeMap<u64, Value>,
    since: u64,
    last_seq: u64,
    attempt: u64,
    unanswered: BTreeMap<u64, (Value, Option<u64>)>,
    /// When its socket was last known to be good.
    was_well: Instant,
}

impl World {
    fn new(seed: u64, journal: Journal) -> Self {
        let player = |_| Player {
            client: None,
            is_seated: false,
            node: 0,
            asked: BTreeSet::new(),
            seat: None,
            joining: None,
            next_id: 0,
            done: Vec::new(),
            refused: Vec::new(),
        };
        let mut cloud = Cloud::default();
        cloud.gateway.history.events_max = 10_000;
        cloud.config.record_ttl = Duration::from_secs(60);
        Self {
            began: Instant::now(),
            rng: GameRng::seed_from_u64(seed),
            cloud,
            seed,
            nodes: Vec::new(),
            rooms: Vec::new(),
            players: (0..CLIENTS).map(player).collect(),
            heals: Vec::new(),
            next_number: 0,
            grants_seen: 0,
            fences: BTreeMap::new(),
            journal,
            counts: Counts::default(),
        }
    }

    async fn run(&mut self) {
        for _ in 0..NODES {
            self.start_node();
        }
        pass(Duration::from_secs(1)).await;
        for step in 0..STEPS {
            self.note(|| format!("step {step}"));
            self.step().await;
            self.heal_what_is_due();
            self.check().await;
        }
        self.come_to_rest().await;
    }

    fn note(&self, line: impl FnOnce() -> String) {
        let line = format!("{:>7} {}", self.began.elapsed().as_millis(), line());
        self.journal.lock().unwrap().push(line);
    }

    async fn step(&mut self) {
        let player = self.rng.random_range(0..CLIENTS);
        match self.rng.random_range(0..100) {
            0..36 => self.act(player).await,
            36..54 => self.come(player).await,
            54..60 => self.lose_socket(player),
            60..62 => self.leave(player).await,
            62..74 => self.trouble_the_bus(),
            74..79 => self.trouble_the_directory(),
            79..83 => self.trouble_a_node().await,
            _ => {
                let millis = match self.rng.random_range(0..10) {
                    0 => self.rng.random_range(1000..9000),
                    1..5 => self.rng.random_range(100..1000),
                    _ => self.rng.random_range(1..100),
                };
                self.note(|| format!("  {millis} ms pass"));
                pass(Duration::from_millis(millis)).await;
            }
        }
    }

    // What clients do.

    async fn act(&mut self, player: usize) {
        if self.players[player].seat.is_none() || self.players[player].client.is_none() {
            return self.come(player).await;
        }
        let number = self.new_number();
        let client = &mut self.players[player];
        let seat = client.seat.as_mut().expect("it has one");
        if seat.unanswered.len() >= UNANSWERED_MAX {
            return;
        }
        client.next_id += 1;
        let id = client.next_id;
        let request = match self.rng.random_range(0..4) {
            0 => json!({"type": "get_state", "id": id}),
            1 => {
                let data = json!({"do": "set", "total": number});
                json!({"type": "game_action", "id": id, "data": data})
            }
            _ => {
                let data = json!({"do": "tell", "note": number, "to": "everyone"});
                json!({"type": "game_action", "id": id, "data": data})
            }
        };
        let tells = (request["data"]["do"] == "tell").then_some(number);
        seat.unanswered.insert(id, (request.clone(), tells));
        self.ask(player, &request).await;
    }

    /// Comes back, joins, or tries again to do so; on any node.
    async fn come(&mut self, player: usize) {
        let living: Vec<usize> =
            (0..self.nodes.len()).filter(|n| self.nodes[*n].gateway.is_some()).collect();
        let node = living[self.rng.random_range(0..living.len())];
        let codec = if self.rng.random_bool(0.5) { Codec::Json } else { Codec::MsgPack };
        let is_attached = self.players[player].seat.is_some();
        // One that has a good socket takes its own seat over now and then.
        if is_attached && self.players[player].client.is_some() && self.rng.random_bool(0.7) {
            return;
        }
        let gateway = Arc::clone(self.nodes[node].gateway.as_ref().expect("it lives"));
        let client = Client::connect(&gateway, codec);
        // The old socket is lost after the new one has come, as often as not.
        let former = self.players[player].client.replace(client);
        self.players[player].node = node;
        self.players[player].asked.clear();
        self.players[player].is_seated = false;
        let former = if self.rng.random_bool(0.5) { former } else { None };
        self.note(|| format!("  player {player} connects to node {node}"));
        if is_attached {
            self.come_back(player).await
        } else {
            self.join(player).await
        }
        drop(former);
    }

    async fn come_back(&mut self, player: usize) {
        let with_history = self.rng.random_bool(0.9);
        let client = &mut self.players[player];
        client.next_id += 1;
        let id = client.next_id;
        let seat = client.seat.as_mut().expect("it has one");
        seat.attempt += 1;
        let mut data = json!({"sessionToken": seat.token, "attempt": seat.attempt});
        if with_history {
            data["epoch"] = seat.epoch.clone();
            data["lastSeq"] = json!(seat.last_seq);
        }
        self.ask(player, &json!({"type": "reconnect", "id": id, "data": data})).await;
        if self.players[player].is_seated {
            let seat = self.players[player].seat.as_ref().expect("it has got it");
            let again: Vec<_> = seat.unanswered.values().cloned().collect();
            for (request, _) in again {
                self.counts.again += 1;
                self.ask(player, &request).await;
            }
        } else {
            self.lose_socket(player);
        }
    }

    async fn join(&mut self, player: usize) {
        if self.players[player].joining.is_none() || self.rng.random_bool(0.1) {
            let number = self.new_number();
            let key = format!("key {:06} {number:06}", self.seed % 1_000_000);
            let name = format!("P{player}-{number}");
            let mut data = json!({"playerName": name, "key": key});
            let options = json!({"min": 1, "max": 8, "start": "Host", "late_join": true});
            let open = self.rooms.len();
            let kind = match self.rng.random_range(0..4) {
                0 if open < 4 => "create_room",
                1 => "quick_match",
                _ if open == 0 => "create_room",
                _ => "join_room",
            };
            if kind == "join_room" {
                data["roomId"] = json!(self.rooms[self.rng.random_range(0..open)].code);
            } else {
                data["gameType"] = json!("probe");
                data["options"] = options;
            }
            self.players[player].joining = Some((kind, data));
        }
        let (kind, data) = self.players[player].joining.clone().expect("it was just made");
        let client = &mut self.players[player];
        client.next_id += 1;
        let request = json!({"type": kind, "id": client.next_id, "data": data});
        self.ask(player, &request).await;
        if self.players[player].seat.is_some() {
            self.counts.joined += 1;
            self.meet_room(player).await;
        }
    }

    /// Sends a witness to a room that was just made, and starts its game.
    async fn meet_room(&mut self, player: usize) {
        let code = self.players[player].seat.as_ref().expect("it has one").room.clone();
        if self.rooms.iter().any(|room| room.code == code) {
            return;
        }
        let parsed = RoomCode::parse(&code).expect("a code");
        let has_it = |node: &&Node| {
            node.gateway.as_ref().is_some_and(|node| node.rooms().find(parsed).is_some())
        };
        let Some(node) = self.nodes.iter().find(has_it) else { return };
        let (gateway, owner) = (node.gateway.as_ref().unwrap(), node.name.clone());
        let mut witness = Client::connect(gateway, Codec::Json);
        let data = json!({"roomId": code, "playerName": "Witness", "spectator": true});
        let joined = witness.must("join_room", data).await;
        let (since, epoch) = (joined["seq"].as_u64().unwrap(), joined["epoch"].clone());
        self.note(|| format!("  room {code} is on {owner}"));
        let history = BTreeMap::new();
        self.rooms.push(Room { code, owner, witness, history, epoch, since });
        self.players[player].next_id += 1;
        let start = json!({"type": "start_game", "id": self.players[player].next_id});
        let id = self.players[player].next_id;
        let seat = self.players[player].seat.as_mut().unwrap();
        seat.unanswered.insert(id, (start.clone(), None));
        self.ask(player, &start).await;
    }

    async fn leave(&mut self, player: usize) {
        if self.players[player].seat.is_none() || self.players[player].client.is_none() {
            return;
        }
        let client = &mut self.players[player];
        client.next_id += 1;
        let request = json!({"type": "leave_room", "id": client.next_id});
        let id = client.next_id;
        client.seat.as_mut().unwrap().unanswered.insert(id, (request.clone(), None));
        self.ask(player, &request).await;
    }

    fn lose_socket(&mut self, player: usize) {
        if self.players[player].client.take().is_some() {
            self.note(|| format!("  player {player} loses its socket"));
        }
        self.players[player].asked.clear();
        self.players[player].is_seated = false;
    }

    /// Sends a request and reads everything that comes, for some time.
    async fn ask(&mut self, player: usize, request: &Value) {
        let Player { client, asked, .. } = &mut self.players[player];
        let Some(client) = client else { return };
        let id = request["id"].as_u64().unwrap();
        asked.insert(id);
        let began = Instant::now();
        let is_handled = client.send_and_read(request, ANSWERED_WITHIN).await;
        let took = began.elapsed();
        self.note(|| format!("  player {player} > {request} in {took:?}"));
        assert!(is_handled, "no answer within {ANSWERED_WITHIN:?} to {request}");
        self.read(player);
        let client = &self.players[player];
        let is_open = client.client.is_some();
        assert!(!is_open || !client.asked.contains(&id), "{request} was handled and not answered");
    }

    fn read(&mut self, player: usize) {
        let Some(client) = &mut self.players[player].client else { return };
        let messages = client.drain();
        for message in messages {
            self.note(|| format!("  player {player} < {message}"));
            match message["seq"].as_u64() {
                Some(seq) => self.hear(player, seq, message),
                None if message["success"].is_boolean() => self.answered(player, &message),
                None => {}
            }
        }
        let client = self.players[player].client.as_mut().expect("it was there");
        let Some(code) = client.close_code() else {
            if let Player { is_seated: true, seat: Some(seat), .. } = &mut self.players[player] {
                seat.was_well = Instant::now();
            }
            return;
        };
        self.note(|| format!("  player {player} is closed with {code}"));
        // 1001: the node that has the room leaves.
        assert!([1001, 4001, 4004, 4006].contains(&code), "closed with {code}");
        self.counts.lost_touch += u64::from(code == 4006);
        if code == 4004 {
            self.players[player].seat = None;
        }
        assert_ne!(code, 4001, "nobody else has its token");
        self.lose_socket(player);
    }

    fn hear(&mut self, player: usize, seq: u64, message: Value) {
        let Some(seat) = &mut self.players[player].seat else { return };
        assert!(seq > seat.last_seq, "player {player} was told {seq} after {}", seat.last_seq);
        seat.last_seq = seq;
        if message["type"] != "room_state" {
            seat.heard.insert(seq, message);
        }
    }

    fn answered(&mut self, player: usize, message: &Value) {
        let client = &mut self.players[player];
        let id = message["id"].as_u64().unwrap_or_else(|| panic!("without an id: {message}"));
        assert!(client.asked.remove(&id), "answered twice: {message}");
        let (data, code) = (&message["data"], message["error"]["code"].as_str());
        if code.is_some_and(|code| code == "ROOM_UNAVAILABLE" || code == "STORE_UNAVAILABLE") {
            self.counts.unavailable += 1;
        }
        match message["type"].as_str().unwrap() {
            "reconnect_result" => self.came_back(player, data, code),
            "create_room_result" | "join_room_result" | "quick_match_result" => match code {
                None => {
                    client.joining = None;
                    client.is_seated = true;
                    client.seat = Some(Seat::new(data));
                }
                Some("ROOM_UNAVAILABLE" | "STORE_UNAVAILABLE" | "DRAINING") => {}
                Some("ROOM_NOT_FOUND" | "ROOM_FULL" | "ROOM_CLOSED") => client.joining = None,
                Some(code) => panic!("player {player} may not join: {code}"),
            },
            "leave_room_result" if code.is_none() => client.seat = None,
            kind => {
                let Some(seat) = &mut client.seat else { return };
                let Some((_, number)) = seat.unanswered.remove(&id) else { return };
                let Some(number) = number else { return };
                match code {
                    None => client.done.push((seat.room.clone(), number)),
                    Some("NOT_A_PLAYER" | "GAME_NOT_STARTED" | "GAME_OVER") => {
                        client.refused.push((seat.room.clone(), number));
                    }
                    Some(code) => panic!("{kind} of player {player} is refused: {code}"),
                }
            }
        }
    }

    fn came_back(&mut self, player: usize, data: &Value, code: Option<&str>) {
        let client = &mut self.players[player];
        let seat = client.seat.as_mut().expect("who comes back has one");
        match code {
            None if data["resumed"] == "replayed" => {
                client.is_seated = true;
                self.counts.replays += 1;
                assert_eq!(data["seq"], seat.last_seq);
                assert_eq!(data["epoch"], seat.epoch);
                seat.was_well = Instant::now();
            }
            None => {
                client.is_seated = true;
                self.counts.snapshots += 1;
                assert_eq!(data["playerId"], seat.player);
                seat.epoch = data["epoch"].clone();
                seat.since = data["seq"].as_u64().unwrap();
                seat.last_seq = seat.since;
                seat.heard.clear();
                seat.was_well = Instant::now();
            }
            Some("ROOM_UNAVAILABLE" | "STORE_UNAVAILABLE") => {}
            Some(code @ ("SESSION_INVALID" | "ROOM_CLOSED")) => {
                let (room, was_well) = (seat.room.clone(), seat.was_well);
                let mut asked = seat.unanswered.values();
                let may_have_left = asked.any(|(request, _)| request["type"] == "leave_room");
                client.seat = None;
                self.counts.given_up += 1;
                if !may_have_left {
                    self.check_given_up(player, &room, was_well, code);
                }
            }
            Some(code) => panic!("player {player} may not come back: {code}"),
        }
    }

    /// Nobody may be told to give up a seat that is there, unless its node was out of reach for long.
    fn check_given_up(&mut self, player: usize, room: &str, was_well: Instant, code: &str) {
        let Some(room) = self.rooms.iter_mut().find(|one| one.code == room) else { return };
        let Some(owner) = self.nodes.iter().find(|node| node.name == room.owner) else { return };
        let is_closed = room.witness.close_code().is_some();
        let in_doubt = owner.isolated.is_some_and(|at| at.elapsed() < IN_DOUBT);
        let may_be_gone = was_well.elapsed() > SEAT_IS_SAFE;
        assert!(
            owner.gateway.is_none() || is_closed || in_doubt || may_be_gone,
            "player {player} is told {code}, and its room {} is there",
            room.code,
        );
    }

    // What goes wrong.

    fn trouble_the_bus(&mut self) {
        let living: Vec<Arc<Gateway>> =
            self.nodes.iter().filter_map(|node| node.gateway.clone()).collect();
        let one = self.rng.random_range(0..living.len());
        let two = (one + self.rng.random_range(1..NODES.max(2))) % living.len();
        let (from, to) = (&living[one], &living[two]);
        let (bus, few) = (&self.cloud.bus, self.rng.random_range(1..4));
        let what = self.rng.random_range(0..8);
        match what {
            0 | 1 => bus.lose(to, few),
            2 => bus.fail(to, few),
            3 => bus.repeat(to, 10 * few),
            4 => bus.swap(to),
            5 => bus.cut(from, to, true),
            6 => bus.part(from, to, true),
            _ => bus.delay(from, to, Duration::from_millis(self.rng.random_range(1..5000))),
        }
        let lasts = Duration::from_millis(self.rng.random_range(1..8000));
        self.heals.push((Instant::now() + lasts, Heal::Bus));
        self.note(|| format!("  the bus: {what} from {one} to {two} for {lasts:?}"));
    }

    fn trouble_the_directory(&mut self) {
        let (directory, what) = (&self.cloud.directory, self.rng.random_range(0..5));
        match what {
            0 | 1 => directory.is_away(true),
            2 => directory.hangs(true),
            _ => {
                directory.directory.forget();
                self.cloud.store.forget_all();
            }
        }
        let lasts = Duration::from_millis(self.rng.random_range(1..25_000));
        self.heals.push((Instant::now() + lasts, Heal::Directory));
        self.note(|| format!("  the directory: {what} for {lasts:?}"));
    }

    async fn trouble_a_node(&mut self) {
        let living: Vec<usize> =
            (0..self.nodes.len()).filter(|n| self.nodes[*n].gateway.is_some()).collect();
        let node = living[self.rng.random_range(0..living.len())];
        match self.rng.random_range(0..6) {
            0..4 => {
                let lasts = Duration::from_millis(self.rng.random_range(100..15_000));
                self.note(|| format!("  node {node} is frozen for {lasts:?}"));
                self.isolate(node, true);
                self.heals.push((Instant::now() + lasts, Heal::Node(node)));
            }
            what => {
                self.note(|| format!("  node {node} ends: {what}"));
                let gateway = self.nodes[node].gateway.take().expect("it lives");
                if what == 4 {
                    self.cloud.isolate(&gateway, true);
                } else {
                    gateway.leave_cluster().await;
                }
                for player in 0..CLIENTS {
                    if self.players[player].node == node {
                        self.lose_socket(player);
                    }
                }
                for room in &mut self.rooms {
                    room.read();
                }
                let name = &self.nodes[node].name;
                self.rooms.retain(|room| room.owner != *name);
                drop(gateway);
                settle().await;
                self.start_node();
            }
        }
    }

    fn isolate(&mut self, node: usize, is_isolated: bool) {
        let Node { gateway, isolated, .. } = &mut self.nodes[node];
        let Some(gateway) = gateway else { return };
        self.cloud.isolate(gateway, is_isolated);
        *isolated = Some(Instant::now());
    }

    fn start_node(&mut self) {
        let seed = self.seed.wrapping_mul(1000) + self.nodes.len() as u64;
        let gateway = self.cloud.simulated_node(seed);
        let name = gateway.node().expect("one of several").to_owned();
        self.note(|| format!("  node {} is {name}", self.nodes.len()));
        self.nodes.push(Node { gateway: Some(gateway), name, isolated: None });
    }

    fn heal_what_is_due(&mut self) {
        let now = Instant::now();
        let (due, later) =
            std::mem::take(&mut self.heals).into_iter().partition(|(at, _)| *at <= now);
        self.heals = later;
        self.heal(due);
    }

    fn heal(&mut self, due: Vec<(Instant, Heal)>) {
        for (_, heal) in due {
            match heal {
                Heal::Bus => self.cloud.bus.heal(),
                Heal::Directory => {
                    self.cloud.directory.is_away(false);
                    self.cloud.directory.hangs(false);
                }
                Heal::Node(node) => self.isolate(node, false),
            }
        }
    }

    // What must hold.

    async fn check(&mut self) {
        settle().await;
        for room in &mut self.rooms {
            room.read();
        }
        for player in 0..CLIENTS {
            self.read(player);
        }
        self.check_owners();
        self.check_histories();
        self.check_actions();
        self.rooms.retain_mut(|room| room.witness.close_code().is_none());
    }

    /// No room is ever on two nodes, and each claim of one has a higher fence than the one before.
    fn check_owners(&mut self) {
        let state = self.cloud.directory.state.lock().unwrap();
        for (room, node, fence) in &state.granted[self.grants_seen..] {
            if let Some((owner, last)) = self.fences.get(room) {
                assert!(fence > last, "room {room} has fence {fence} after {last}");
                assert_eq!(owner, node, "room {room} has another owner");
                self.counts.claimed_again += 1;
            }
            self.fences.insert(room.clone(), (node.clone(), *fence));
        }
        self.grants_seen = state.granted.len();
        drop(state);
        for room in &self.rooms {
            let code = RoomCode::parse(&room.code).expect("a code");
            let living = self.nodes.iter().filter_map(|node| node.gateway.as_ref());
            let owners = living.filter(|node| node.rooms().find(code).is_some()).count();
            assert!(owners <= 1, "room {} is on {owners} nodes", room.code);
        }
    }

    /// What a client was told is what the room told, each event once and none left out.
    fn check_histories(&self) {
        for (number, player) in self.players.iter().enumerate() {
            let Some(seat) = &player.seat else { continue };
            let Some(room) = self.rooms.iter().find(|room| room.code == seat.room) else {
                continue;
            };
            assert_eq!(seat.epoch, room.epoch);
            let from = seat.since.max(room.since) + 1;
            if from > seat.last_seq {
                continue;
            }
            let told = room.history.range(from..=seat.last_seq);
            let heard = seat.heard.range(from..=seat.last_seq);
            for (told, heard) in told.clone().zip(heard.clone()) {
                assert_eq!(told, heard, "what player {number} of {} was told", room.code);
            }
            assert_eq!(told.count(), heard.count(), "what player {number} was told");
        }
        for room in &self.rooms {
            for event in room.history.values().filter(|event| event["type"] == "player_joined") {
                let name = event["data"]["name"].as_str().expect("a name");
                assert!(!name.contains(' '), "{name} has two seats");
            }
        }
    }

    /// What was answered with success was done once, and what was refused was not.
    fn check_actions(&mut self) {
        let mut times: BTreeMap<(&str, u64), u64> = BTreeMap::new();
        for room in &self.rooms {
            for event in room.history.values().filter(|event| event["type"] == "game_event") {
                let number = event["data"]["data"]["note"].as_u64().expect("a number");
                *times.entry((&room.code, number)).or_default() += 1;
            }
        }
        for (what, count) in &times {
            assert_eq!(*count, 1, "{what:?} was done {count} times");
        }
        let known = |room: &str| self.rooms.iter().any(|one| one.code == room);
        for player in &mut self.players {
            for (room, number) in player.done.drain(..).filter(|(room, _)| known(room)) {
                self.counts.applied += 1;
                assert_eq!(times.get(&(&*room, number)), Some(&1), "{number} in {room}");
            }
            for (room, number) in player.refused.drain(..).filter(|(room, _)| known(room)) {
                assert_eq!(times.get(&(&*room, number)), None, "{number} in {room}");
            }
        }
    }

    /// Nothing goes wrong any more: everyone who has a seat gets back to it, and misses nothing.
    async fn come_to_rest(&mut self) {
        self.note(|| "the end".into());
        let due = std::mem::take(&mut self.heals);
        self.heal(due);
        self.cloud.bus.heal();
        for player in 0..CLIENTS {
            self.lose_socket(player);
        }
        pass(Duration::from_secs(13)).await;
        self.check().await;
        for player in 0..CLIENTS {
            if self.players[player].seat.is_none() {
                continue;
            }
            let living = self.nodes.iter().filter_map(|node| node.gateway.clone());
            let living: Vec<_> = living.collect();
            let node = &living[self.rng.random_range(0..living.len())];
            assert_eq!(node.other_nodes(), living.len() - 1, "all know each other again");
            self.players[player].client = Some(Client::connect(node, Codec::Json));
            self.come_back(player).await;
            let client = &self.players[player];
            // What it asks again may have been to leave.
            if client.seat.is_some() {
                assert!(client.is_seated, "player {player} is back");
                self.act(player).await;
            }
        }
        for _ in 0..3 {
            pass(Duration::from_secs(1)).await;
            self.check().await;
        }
        for (number, player) in self.players.iter().enumerate() {
            let Some(seat) = &player.seat else { continue };
            let Some(room) = self.rooms.iter().find(|room| room.code == seat.room) else {
                continue;
            };
            let last = room.history.last_key_value().map_or(0, |(seq, _)| *seq);
            assert!(seat.last_seq >= last, "player {number} has heard everything");
            assert!(seat.unanswered.is_empty(), "player {number}: {:?}", seat.unanswered);
        }
        let living: Vec<_> = self.nodes.iter().filter_map(|node| node.gateway.clone()).collect();
        let listings: Vec<_> = living.iter().map(|node| listed(node)).collect();
        let open: BTreeSet<_> = self.rooms.iter().map(|room| room.code.clone()).collect();
        for listing in &listings {
            assert_eq!(*listing, listings[0], "all list the same rooms");
            assert!(open.is_subset(listing), "{open:?} are open, {listing:?} are listed");
        }
        for code in &listings[0] {
            let owner = self.cloud.directory.owner(code).await.expect("an open room has a record");
            assert_eq!(Some(&(owner.node, owner.fence)), self.fences.get(code));
        }
    }

    fn new_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

fn listed(node: &Gateway) -> BTreeSet<String> {
    let wanted = serde_json::from_value(json!({"limit": 200})).expect("a request");
    let rooms = node.list_rooms(&wanted).expect("a listing").rooms;
    rooms.iter().map(|info| info.room_id.as_str().to_owned()).collect()
}

impl Seat {
    fn new(joined: &Value) -> Self {
        let seq = joined["seq"].as_u64().expect("a number");
        Self {
            room: code_of(joined),
            player: joined["playerId"].clone(),
            token: joined["sessionToken"].clone(),
            epoch: joined["epoch"].clone(),
            heard: BTreeMap::new(),
            since: seq,
            last_seq: seq,
            attempt: 0,
            unanswered: BTreeMap::new(),
            was_well: Instant::now(),
        }
    }
}

impl Room {
    fn read(&mut self) {
        for message in self.witness.drain() {
            let Some(seq) = message["seq"].as_u64() else { continue };
            if message["type"] != "room_state" {
                assert_eq!(self.history.insert(seq, message), None, "twice {seq}");
            }
        }
        let code = self.witness.close_code();
        assert!(code.is_none() || code == Some(4004), "room {} has ended with {code:?}", self.code);
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.replays += other.replays;
        self.snapshots += other.snapshots;
        self.lost_touch += other.lost_touch;
        self.again += other.again;
        self.joined += other.joined;
        self.applied += other.applied;
        self.given_up += other.given_up;
        self.unavailable += other.unavailable;
        self.claimed_again += other.claimed_again;
    }
}

fn run(seed: u64, journal: &Journal) -> Counts {
    let logs = JournalWriter(Arc::clone(journal));
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .without_time()
        .with_writer(move || logs.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed, Arc::clone(journal));
        world.run().await;
        world.counts
    })
}

#[test]
fn seeded_schedules_of_several_nodes_break_no_promise() {
    let one = number("PARLOR_CLUSTER_SIM_SEED");
    let first = one.or_else(|| number("PARLOR_CLUSTER_SIM_FIRST")).unwrap_or(1);
    let schedules = one.map_or(SCHEDULES, |_| 1);
    let schedules = number("PARLOR_CLUSTER_SIM_SCHEDULES").unwrap_or(schedules);
    let (next, end) = (AtomicU64::new(first), first + schedules);
    let (all, failed) = (Mutex::new(Counts::default()), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || failed.lock().unwrap().is_some() {
                        return;
                    }
                    let journal = Journal::default();
                    match catch_unwind(AssertUnwindSafe(|| run(seed, &journal))) {
                        Ok(counts) => all.lock().unwrap().add(counts),
                        Err(panic) => *failed.lock().unwrap() = Some((seed, panic, journal)),
                    }
                }
            });
        }
    });
    if let Some((seed, panic, journal)) = failed.into_inner().unwrap() {
        let lines = journal.lock().unwrap();
        let shown = if one.is_some() { lines.len() } else { LINES_MAX };
        eprintln!("{}", lines[lines.len().saturating_sub(shown)..].join("\n"));
        eprintln!("PARLOR_CLUSTER_SIM_SEED={seed} replays the schedule that failed");
        resume_unwind(panic);
    }
    let counts = all.into_inner().unwrap();
    eprintln!("seeds {first} to {}: {counts:?}", end - 1);
    // Without these there would be nothing to break.
    if schedules >= 100 {
        let Counts { replays, snapshots, lost_touch, again, applied, claimed_again, .. } = counts;
        let all = [replays, snapshots, lost_touch, again, applied, claimed_again];
        assert!(all.iter().all(|count| *count > 50), "{counts:?}");
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
