//! What a client has of its room, by what the protocol promises, and what all clients of a room
//! were told together.
//!
//! A [`Mirror`] takes each message in its turn and fails at the first that breaks a promise: a number
//! that does not rise, an event too few or too many, a state that has not what the events before it
//! told. A [`Ledger`] holds every client of a room to the same history.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor_core::PlayerId;
use serde_json::{Value, json};

use crate::game::{all_but, only};
use crate::model::Picture;

const CHAT_MAX: usize = 50;

/// One client's picture of its room.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    pub(crate) me: u32,
    pub(crate) epoch: String,
    /// The highest number of an event, or that of the last snapshot.
    pub(crate) last_seq: u64,
    /// From here on it has followed without a gap.
    base: u64,
    /// Later events have higher numbers than this response.
    floor: u64,
    version: u64,
    pub(crate) phase: String,
    pub(crate) view: Value,
    pub(crate) roster: BTreeMap<u64, Value>,
    pub(crate) host: Value,
    pub(crate) chat: VecDeque<String>,
    /// How many events of each class it was told in this round.
    told: BTreeMap<String, u64>,
    round: u64,
    /// A class that is not in `told` has had no event; otherwise the next state says how many.
    is_complete: bool,
    /// The next state must be whole.
    needs_whole: bool,
    /// How often its role has changed, as far as it knows.
    pub(crate) role_changes: u32,
    /// The next event must change it.
    role_must_change: bool,
    /// What it has heard since `base`.
    heard: BTreeSet<u64>,
}

/// What was told in a room, whoever heard it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    events: BTreeMap<u64, Entry>,
    /// The view of each version, by viewer, and the changes that it is of.
    views: BTreeMap<(u64, Option<u64>), Value>,
    changes: BTreeMap<u64, u64>,
    /// What everyone must have heard, and nobody was asked about yet.
    pub(crate) unchecked: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    message: Value,
    is_for_all: bool,
}

impl Mirror {
    /// From an answer that shows the whole room, which must be as `expected`.
    pub(crate) fn from_picture(data: &Value, expected: &Picture, ledger: &mut Ledger) -> Self {
        let me = data["playerId"].as_u64().unwrap();
        let seq = data["seq"].as_u64().unwrap();
        let players = data["players"].as_array().unwrap();
        let chat: VecDeque<String> =
            data["chat"].as_array().unwrap().iter().map(|line| text(&line["text"])).collect();
        let mut mirror = Self {
            me: u32::try_from(me).unwrap(),
            epoch: text(&data["epoch"]),
            last_seq: seq,
            base: seq,
            floor: seq,
            version: 0,
            phase: String::new(),
            view: Value::Null,
            roster: players.iter().map(|p| (p["playerId"].as_u64().unwrap(), p.clone())).collect(),
            host: data["host"].clone(),
            chat,
            told: BTreeMap::new(),
            round: data["state"]["round"].as_u64().unwrap(),
            is_complete: false,
            needs_whole: false,
            role_changes: expected.role_changes,
            role_must_change: false,
            heard: BTreeSet::new(),
        };
        assert_eq!(data["players"], expected.players, "the seats of a snapshot");
        assert_eq!(data["host"], expected.host, "the host of a snapshot");
        assert_eq!(data["phase"], expected.phase, "the phase of a snapshot");
        assert_eq!(data["lastId"], expected.last_id, "lastId of a snapshot");
        assert!(mirror.chat.iter().eq(&expected.chat), "the chat of a snapshot");
        // Of what follows from its coming the state tells already; the events are still to come.
        mirror.take_view(data, ledger);
        for class in &expected.to_come {
            *mirror.told.get_mut(class).expect("a state that counts what is to come") -= 1;
        }
        mirror
    }

    /// The answer to a resume that goes on from here.
    pub(crate) fn resume(&mut self, data: &Value, expected: &Picture) {
        assert_eq!(data["epoch"], self.epoch, "the epoch of a replay");
        assert_eq!(data["playerId"], self.me, "the player of a replay");
        assert_eq!(data["seq"], self.last_seq, "the number that a replay goes on from");
        assert_eq!(data["lastId"], expected.last_id, "lastId of a replay");
        // What was told to its former role is not told any more: a replay may at most begin with the
        // change itself.
        let changes = expected.role_changes - self.role_changes;
        assert!(changes <= 1, "a replay reaches back over {changes} changes of role");
        self.role_must_change = changes == 1;
        self.needs_whole = true;
    }

    /// A response to a request that was decided now: what follows has higher numbers.
    pub(crate) fn hear_response(&mut self, seq: u64) {
        assert!(seq >= self.last_seq, "response at {seq} after event {}", self.last_seq);
        self.floor = seq;
    }

    pub(crate) fn apply(&mut self, message: &Value, ledger: &mut Ledger) {
        let (kind, data) = (message["type"].as_str().unwrap(), &message["data"]);
        let seq = message["seq"].as_u64().expect("events of a room are numbered");
        assert!(seq > self.last_seq, "event {seq} after event {}", self.last_seq);
        // After a resume the newest state comes once more if anyone has seen a difference.
        let may_be_late = self.needs_whole && kind == "room_state";
        let floor = self.floor;
        assert!(seq > floor || may_be_late, "event {seq} after a response at {floor}");
        if std::mem::take(&mut self.role_must_change) {
            let is_change = kind == "player_joined" && player(data) == u64::from(self.me);
            let is_next = seq == self.last_seq + 1;
            assert!(is_next && is_change, "a replay reaches back over a change of role");
        }
        ledger.check_nothing_between(self.last_seq, seq);
        self.last_seq = seq;
        self.heard.insert(seq);
        ledger.enter(seq, message);
        match kind {
            "room_state" => self.take_view(data, ledger),
            "room_patch" => self.patch(data, ledger),
            "game_event" => self.hear(&data["data"]),
            "player_joined" | "player_replaced" => self.seat(data),
            "player_left" => {
                let gone = self.roster.remove(&player(data));
                assert!(gone.is_some(), "one left who was not there: {data}");
            }
            "player_disconnected" => self.change(data, "connected", json!(false)),
            "player_reconnected" => self.change(data, "connected", json!(true)),
            "player_ready" => self.change(data, "ready", data["ready"].clone()),
            "host_changed" => self.host = data["playerId"].clone(),
            "chat_message" => {
                self.chat.push_back(text(&data["text"]));
                if self.chat.len() > CHAT_MAX {
                    self.chat.pop_front();
                }
            }
            "game_started" | "game_finished" | "room_updated" | "room_closed" => {}
            other => panic!("an event {other}"),
        }
    }

    /// A state: the whole one, or one that was asked for.
    pub(crate) fn take_view(&mut self, data: &Value, ledger: &mut Ledger) {
        let version = data["version"].as_u64().unwrap();
        assert!(version >= self.version, "version {version} after version {}", self.version);
        self.version = version;
        self.needs_whole = false;
        self.phase = text(&data["phase"]);
        self.view = data["state"].clone();
        ledger.see(version, &self.view);
        self.check_view();
    }

    fn patch(&mut self, data: &Value, ledger: &mut Ledger) {
        assert!(!self.needs_whole, "a patch where a whole state is due");
        assert_eq!(data["base"], self.version, "the base of a patch");
        let version = data["version"].as_u64().unwrap();
        assert!(version > self.version, "version {version} after version {}", self.version);
        self.version = version;
        for op in data["ops"].as_array().unwrap() {
            apply_patch(&mut self.view, op);
        }
        ledger.see(version, &self.view);
        self.check_view();
    }

    /// A state has counted what was told before it, and nothing else.
    fn check_view(&mut self) {
        let viewer = (!self.is_spectator()).then_some(self.me);
        assert_eq!(self.view["me"], json!(viewer), "a view of another");
        assert_eq!(self.view["round"], self.round, "a state of another round");
        let told: BTreeMap<String, u64> =
            serde_json::from_value(self.view["told"].clone()).unwrap();
        let own = all_but(PlayerId(self.me));
        for (class, n) in &told {
            // Spectators share a view, and one of them may be the one who is left out.
            if *class == own {
                continue;
            }
            let known = match self.told.get(class) {
                Some(known) => *known,
                None if self.is_complete => 0,
                None => *n,
            };
            assert_eq!(known, *n, "events of {class} heard before a state that counts so many");
        }
        for (class, n) in &self.told {
            assert!(told.contains_key(class), "{n} events of {class}, of which a state knows none");
        }
        self.told = told;
        self.told.remove(&own);
        self.is_complete = true;
    }

    /// An event of the game's.
    fn hear(&mut self, data: &Value) {
        let (class, n) = (text(&data["class"]), data["n"].as_u64().unwrap());
        let me = PlayerId(self.me);
        let is_for_me = match class.as_str() {
            "everyone" => true,
            "players" => !self.is_spectator(),
            "spectators" => self.is_spectator(),
            other if other.starts_with("only") => class == only(me),
            _ => class != all_but(me),
        };
        assert!(is_for_me, "an event for {class}, heard by {me}");
        if data["round"] != self.round {
            self.round = data["round"].as_u64().unwrap();
            self.told.clear();
            self.is_complete = true;
        }
        if self.is_spectator() && class == only(me) {
            // Its view does not count these.
            return;
        }
        match self.told.get(&class) {
            Some(last) => assert_eq!(n, last + 1, "the next event of {class}"),
            None if self.is_complete => assert_eq!(n, 1, "the first event of {class}"),
            None => {}
        }
        self.told.insert(class, n);
    }

    fn seat(&mut self, data: &Value) {
        let was_spectator = self.is_spectator();
        self.roster.insert(player(data), data.clone());
        if player(data) == u64::from(self.me) && was_spectator != self.is_spectator() {
            self.role_changes += 1;
            // How many events its new role was told, the next state says.
            self.told.retain(|class, _| class == "everyone" || class.starts_with("but"));
            self.is_complete = false;
        }
    }

    fn change(&mut self, data: &Value, field: &str, value: Value) {
        let seat = self.roster.get_mut(&player(data)).expect("someone who is there");
        // Of one's own coming a snapshot tells already, and the events follow.
        let is_own = player(data) == u64::from(self.me);
        assert!(is_own || seat[field] != value, "{field} of {data} changes to what it is");
        seat[field] = value;
    }

    fn is_spectator(&self) -> bool {
        self.roster.get(&u64::from(self.me)).is_some_and(|seat| seat["kind"] == "spectator")
    }

    /// Whether it has gone on without this event.
    pub(crate) fn has_missed(&self, seq: u64) -> bool {
        self.base < seq && seq <= self.last_seq && !self.heard.contains(&seq)
    }
}

impl Ledger {
    /// Two who hear the same number hear the same.
    fn enter(&mut self, seq: u64, message: &Value) {
        let kind = message["type"].as_str().unwrap();
        let is_state = kind == "room_state" || kind == "room_patch";
        let is_for_all = match kind {
            "room_state" | "room_patch" => false,
            "game_event" => message["data"]["data"]["class"] == "everyone",
            _ => true,
        };
        let entry = Entry { message: message.clone(), is_for_all };
        match self.events.get(&seq) {
            None => {
                if is_for_all {
                    self.unchecked.push(seq);
                }
                self.events.insert(seq, entry);
            }
            Some(known) if is_state => {
                let kind = known.message["type"].as_str().unwrap();
                assert!(kind == "room_state" || kind == "room_patch", "event {seq} is two things");
            }
            Some(known) => assert_eq!(known.message, entry.message, "event {seq} is two things"),
        }
    }

    /// Nothing that everyone must hear has a number between these.
    fn check_nothing_between(&self, last: u64, next: u64) {
        if let Some((seq, entry)) =
            self.events.range(last + 1..next).find(|(_, entry)| entry.is_for_all)
        {
            panic!("event {seq} was missed before {next}: {}", entry.message);
        }
    }

    /// An event after this number that everyone must hear.
    pub(crate) fn for_all_after(&self, seq: u64) -> Option<u64> {
        let mut later = self.events.range(seq + 1..).filter(|(_, entry)| entry.is_for_all);
        later.next().map(|(seq, _)| *seq)
    }

    /// All who see a version see the same of it, each by its own right.
    fn see(&mut self, version: u64, view: &Value) {
        let viewer = view["me"].as_u64();
        let known = self.views.entry((version, viewer)).or_insert_with(|| view.clone());
        assert_eq!(known, view, "two views of version {version}");
        if let Some(changes) = view["changes"].as_u64() {
            let known = *self.changes.entry(version).or_insert(changes);
            assert_eq!(known, changes, "version {version} is two states");
        }
    }
}

fn player(data: &Value) -> u64 {
    data["playerId"].as_u64().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// RFC 6902, as far as the protocol uses it.
fn apply_patch(view: &mut Value, op: &Value) {
    let path = op["path"].as_str().unwrap();
    let Some((parent, key)) = path.rsplit_once('/') else {
        *view = op["value"].clone();
        return;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    let value = op["value"].clone();
    let kind = op["op"].as_str().unwrap();
    match (view.pointer_mut(parent).expect("the path of a patch"), kind) {
        (Value::Object(fields), "remove") => {
            assert!(fields.remove(&key).is_some(), "nothing to remove at {path}");
        }
        (Value::Object(fields), "add") => {
            fields.insert(key, value);
        }
        (Value::Object(fields), "replace") => {
            assert!(fields.insert(key, value).is_some(), "nothing to replace at {path}");
        }
        (Value::Array(items), "remove") => {
            items.remove(key.parse().unwrap());
        }
        (Value::Array(items), "add") if key == "-" => items.push(value),
        (Value::Array(items), "add") => items.insert(key.parse().unwrap(), value),
        (Value::Array(items), "replace") => items[key.parse::<usize>().unwrap()] = value,
        (_, op) => panic!("a patch that cannot be applied: {op} {path}"),
    }
}
