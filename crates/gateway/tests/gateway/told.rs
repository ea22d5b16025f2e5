//! Each is told what is meant for it, in order and once, however often its connection is lost.
//!
//! A model of the whole: players who act, talk in private, change roles, read slowly, lose their
//! sockets and come back in either codec, against one plain list of what was told to whom. One
//! player, the witness, reads everything at once and is never away: from it the list has what the
//! room tells everyone. Whom the game told what, the model knows by itself.

use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::probe::{Probe, Whom};
use crate::support::{Client, gateway_with, pass, roomy};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Asks for something.
    Ask(usize, Deed),
    /// Takes some messages off the socket.
    Read(usize, usize),
    /// Loses the socket, with what it has not read.
    Lose(usize),
    /// Comes back on another socket, which takes the seat over from one that is still there.
    Return(usize, Codec),
    /// Asks for the seat once more with the key of its joining request.
    JoinAgain(usize, Codec),
    /// Someone sits down in the middle of the game.
    JoinLate(Codec),
    /// Time passes: bots sit in for those who are away, and act.
    Pass(Duration),
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Chat,
    Set(i64),
    Tell(Audience),
    Watch(bool),
}

/// Whom the game tells; a player by its place, where nobody may sit yet.
#[derive(Clone, Copy, Debug)]
enum Audience {
    Everyone,
    Players,
    Spectators,
    Only(usize),
    AllBut(usize),
}

impl Deed {
    /// The same, where a place at which nobody sits yet is nobody's.
    fn among(self, players: usize) -> Self {
        let seated = |place| if place < players { place } else { NOBODY };
        match self {
            Self::Tell(Audience::Only(place)) => Self::Tell(Audience::Only(seated(place))),
            Self::Tell(Audience::AllBut(place)) => Self::Tell(Audience::AllBut(seated(place))),
            other => other,
        }
    }
}

/// The table and what was told at it.
struct World {
    gateway: Arc<Gateway>,
    room: Value,
    witness: Client,
    players: Vec<Player>,
    /// Everything that was told, in order.
    told: Vec<Told>,
    /// Tells one line and one note from another.
    notes: u64,
    /// Whether joining keys may have been forgotten.
    is_later: bool,
}

/// An event without its number.
struct Told {
    event: Value,
    /// The places of those who are to hear it.
    to: Vec<usize>,
}

/// A player: a client that keeps to the protocol, and what it should have been told.
struct Player {
    place: usize,
    id: u64,
    /// The request that brought it, key included.
    joining: Value,
    token: Value,
    epoch: Value,
    socket: Option<Client>,
    last_seq: u64,
    /// What it was told since its last picture of the room, which has everything before `since`.
    heard: Vec<Value>,
    since: usize,
    /// The state as it saw it last.
    state: Value,
    next_id: u64,
    /// What was not answered yet, in order.
    pending: Vec<Pending>,
    is_spectator: bool,
    /// How much had been told when it had taken its role. Who has heard less may need a snapshot.
    told_before_role: usize,
}

#[derive(Clone)]
struct Pending {
    request: Value,
    deed: Deed,
    note: u64,
    /// How the room must have decided, if it has.
    success: Option<bool>,
}

impl World {
    async fn new() -> Self {
        let mut config = roomy();
        config.outbox.messages_max = OUTBOX_MAX;
        config.history.events_max = HISTORY_MAX;
        // A stand-in keeps a seat for any time.
        config.history.slack = Duration::from_secs(24 * 60 * 60);
        let gateway = gateway_with(&Probe::default(), config);
        let options = json!({
            "min": 2,
            "max": PLAYERS_MAX + 1,
            "start": "Host",
            "late_join": true,
            "after_grace": {"StandIn": {"level": "quick"}},
            "spectators": PLAYERS_MAX,
            "spectators_heard": true,
        });
        let (witness, joined) = Client::host(&gateway, Codec::Json, options).await;
        let room = joined["roomId"].clone();
        let (players, told) = (Vec::new(), Vec::new());
        let mut world = Self { gateway, room, witness, players, told, notes: 0, is_later: false };
        // It came before the others.
        world.listen();
        for place in 0..PLAYERS_FIRST {
            world.join(Codec::ALL[place % 2]).await;
        }
        world.witness.must("start_game", json!({})).await;
        world.listen();
        world
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::JoinLate(codec) if self.players.len() < PLAYERS_MAX => self.join(codec).await,
            Step::JoinAgain(place, codec) if !self.is_later => {
                self.join_again(self.seated(place), codec).await;
            }
            Step::JoinLate(_) | Step::JoinAgain(..) => {}
            Step::Ask(place, deed) => self.ask(self.seated(place), deed).await,
            Step::Return(place, codec) => self.come_back(self.seated(place), codec).await,
            Step::Read(place, messages) => {
                let place = self.seated(place);
                self.players[place].read(messages);
            }
            Step::Lose(place) => {
                let place = self.seated(place);
                self.players[place].socket = None;
            }
            // No bot sits in for a spectator, who would lose its seat.
            Step::Pass(_) if self.players.iter().any(Player::is_watching_from_afar) => {}
            Step::Pass(duration) => {
                self.is_later = true;
                pass(duration).await;
            }
        }
        self.listen();
    }

    /// The place, or another while nobody sits there yet.
    fn seated(&self, place: usize) -> usize {
        place % self.players.len()
    }

    /// Adds to the list what the room has told everyone, as the witness heard it.
    fn listen(&mut self) {
        self.witness.receive();
        assert_eq!(self.witness.closed, None);
        for message in std::mem::take(&mut self.witness.inbox) {
            let is_note = message["data"]["name"] == "told";
            if is_event(&message) && !is_note {
                let to = (0..self.players.len()).collect();
                self.told.push(Told { event: without_number(message), to });
            }
        }
    }

    async fn join(&mut self, codec: Codec) {
        let place = self.players.len();
        let joining = json!({
            "roomId": self.room,
            "playerName": format!("P{place}"),
            "key": format!("{place}").repeat(16),
        });
        let (socket, joined) = self.ask_for_seat("join_room", &joining, codec).await;
        let id = joined["playerId"].as_u64().unwrap();
        let mut player = Player {
            place,
            id,
            joining,
            token: Value::Null,
            epoch: Value::Null,
            socket: None,
            last_seq: 0,
            heard: Vec::new(),
            since: 0,
            state: Value::Null,
            next_id: 1,
            pending: Vec::new(),
            is_spectator: false,
            told_before_role: self.told.len(),
        };
        player.see(&joined, self.told.len());
        player.sit_down(socket);
        self.players.push(player);
        self.listen();
    }

    async fn ask(&mut self, place: usize, deed: Deed) {
        let player = &self.players[place];
        if player.socket.is_none() || player.pending.len() == PENDING_MAX {
            return;
        }
        // A request that has to be sent again later still names the one who was meant.
        let deed = deed.among(self.players.len());
        self.notes += 1;
        let note = self.notes;
        let player = &mut self.players[place];
        let id = player.next_id;
        player.next_id += 1;
        let (kind, data) = match deed {
            Deed::Chat => ("chat", json!({"text": format!("line {note}")})),
            Deed::Watch(watch) => ("set_role", json!({"spectator": watch})),
            Deed::Set(total) => ("game_action", json!({"do": "set", "total": total})),
            Deed::Tell(audience) => {
                let to = self.whom(audience);
                ("game_action", json!({"do": "tell", "note": note, "to": to}))
            }
        };
        let request = json!({"type": kind, "id": id, "data": data});
        let pending = &mut self.players[place].pending;
        pending.push(Pending { request, deed, note, success: None });
        self.send(place, self.players[place].pending.len() - 1).await;
    }

    /// Sends what is still to be answered, for the first time or once more.
    async fn send(&mut self, place: usize, number: usize) {
        let player = &mut self.players[place];
        let Some(socket) = &mut player.socket else { return };
        // What reaches a connection that is ending is not decided.
        let is_decided = !socket.connection.outbox().is_closed();
        let Pending { request, deed, note, success } = player.pending[number].clone();
        socket.send(&request).await;
        if is_decided && success.is_none() {
            self.players[place].pending[number].success = Some(self.decide(place, deed, note));
        }
    }

    /// What the room decides, and whom the game tells of it.
    fn decide(&mut self, place: usize, deed: Deed, note: u64) -> bool {
        // What the room tells everyone comes first.
        self.listen();
        let told_before = self.told.len();
        let player = &mut self.players[place];
        match deed {
            Deed::Chat => {
                let last = self.told.last().expect("a line was told");
                assert_eq!(last.event["data"]["text"], format!("line {note}"));
                true
            }
            Deed::Set(_) => !player.is_spectator,
            Deed::Watch(watch) => {
                if player.is_spectator != watch {
                    player.is_spectator = watch;
                    player.told_before_role = told_before;
                }
                true
            }
            Deed::Tell(audience) => {
                if player.is_spectator {
                    return false;
                }
                let hears = |player: &&Player| match audience {
                    Audience::Everyone => true,
                    Audience::Players => !player.is_spectator,
                    Audience::Spectators => player.is_spectator,
                    Audience::Only(one) => player.place == one,
                    Audience::AllBut(one) => player.place != one,
                };
                let to = self.players.iter().filter(hears).map(|player| player.place).collect();
                let data = json!({"name": "told", "data": {"note": note}});
                self.told.push(Told { event: json!({"type": "game_event", "data": data}), to });
                true
            }
        }
    }

    fn whom(&self, audience: Audience) -> Whom {
        // A player who is not there yet is told nothing.
        let id = |place: usize| {
            let player = self.players.get(place);
            player.map_or(u32::MAX, |player| player.id.try_into().unwrap())
        };
        match audience {
            Audience::Everyone => Whom::Everyone,
            Audience::Players => Whom::Players,
            Audience::Spectators => Whom::Spectators,
            Audience::Only(place) => Whom::Only(id(place)),
            Audience::AllBut(place) => Whom::AllBut(id(place)),
        }
    }

    async fn come_back(&mut self, place: usize, codec: Codec) {
        self.listen();
        let must_replay = self.must_replay(place);
        let player = &mut self.players[place];
        let request = json!({
            "sessionToken": player.token,
            "epoch": player.epoch,
            "lastSeq": player.last_seq,
        });
        let (socket, back) = self.ask_for_seat("reconnect", &request, codec).await;
        let player = &mut self.players[place];
        if back["resumed"] == "replayed" {
            assert_eq!(back["seq"], player.last_seq);
        } else {
            assert_eq!(back["resumed"], "snapshot");
            assert!(!must_replay, "all that it missed was there");
            player.see(&back, self.told.len());
        }
        self.settle_on(place, socket, &back).await;
    }

    async fn join_again(&mut self, place: usize, codec: Codec) {
        let joining = self.players[place].joining.clone();
        let (socket, joined) = self.ask_for_seat("join_room", &joining, codec).await;
        self.players[place].see(&joined, self.told.len());
        self.settle_on(place, socket, &joined).await;
    }

    /// Reads as far as the response and no further.
    async fn ask_for_seat(&self, kind: &str, data: &Value, codec: Codec) -> (Client, Value) {
        let mut socket = Client::connect(&self.gateway, codec);
        socket.send(&json!({"type": kind, "data": data})).await;
        let response = socket.take(1).remove(0);
        assert_eq!(response["success"], true, "{response}");
        (socket, response["data"].clone())
    }

    /// Sends again what was not answered.
    async fn settle_on(&mut self, place: usize, socket: Client, response: &Value) {
        let player = &mut self.players[place];
        assert_eq!(response["playerId"], player.id);
        assert!(response["lastId"].as_u64().unwrap() < player.next_id);
        player.sit_down(socket);
        self.listen();
        for number in 0..self.players[place].pending.len() {
            self.send(place, number).await;
        }
    }

    /// Whether all that the player missed is within the bounds of what is replayed.
    fn must_replay(&self, place: usize) -> bool {
        let player = &self.players[place];
        let position = self.position(player);
        let missed = &self.told[position..];
        player.told_before_role <= position && missed.len() <= HISTORY_MAX
    }

    /// How much of everything that was told lies behind the player. Checks what it heard of it.
    fn position(&self, player: &Player) -> usize {
        let mut position = player.since;
        for (n, heard) in player.heard.iter().enumerate() {
            let next = (position..self.told.len())
                .find(|place| self.told[*place].to.contains(&player.place));
            let next = next.unwrap_or_else(|| panic!("P{} heard too much: {heard}", player.place));
            assert_eq!(*heard, self.told[next].event, "P{}, event {n}", player.place);
            position = next + 1;
        }
        position
    }

    /// Everyone comes back and reads everything; then nobody lacks anything.
    async fn end(mut self) {
        // What one does once it is back may be too much for another that has not read yet.
        for _ in 0..ROUNDS_MAX {
            for place in 0..self.players.len() {
                self.players[place].read(usize::MAX);
                if self.players[place].socket.is_none() {
                    self.come_back(place, Codec::ALL[place % 2]).await;
                }
                self.players.iter_mut().for_each(|player| player.read(usize::MAX));
            }
        }
        for place in 0..self.players.len() {
            let player = &self.players[place];
            assert!(player.socket.is_some(), "P{place} reads all there is");
            assert_eq!(player.pending.len(), 0, "each request has its response");
            let position = self.position(player);
            let missing = self.told[position..].iter().find(|told| told.to.contains(&place));
            assert!(missing.is_none(), "P{place} lacks {}", missing.unwrap().event);

            let player = &mut self.players[place];
            let socket = player.socket.as_mut().unwrap();
            let now = socket.must("get_state", json!({})).await;
            assert_eq!(player.state, now["state"], "P{place} saw the last state");
        }
    }
}

impl Player {
    fn is_watching_from_afar(&self) -> bool {
        self.is_spectator && self.socket.is_none()
    }

    /// Takes over a picture of the room, which has everything that was told before.
    fn see(&mut self, joined: &Value, told: usize) {
        if let Some(token) = joined.get("sessionToken") {
            self.token = token.clone();
        }
        self.epoch = joined["epoch"].clone();
        self.last_seq = joined["seq"].as_u64().unwrap();
        self.state = joined["state"].clone();
        self.heard.clear();
        self.since = told;
    }

    /// Lets go of the former socket only now: it is taken over, if it is still there.
    fn sit_down(&mut self, socket: Client) {
        let former = self.socket.replace(socket);
        if let Some(mut former) = former {
            former.receive();
            assert!(matches!(former.closed, Some(4001 | 4002)), "one socket for a seat");
        }
    }

    fn read(&mut self, messages_max: usize) {
        let Some(socket) = &mut self.socket else { return };
        for message in socket.take(messages_max) {
            self.take(message);
        }
        match self.socket.as_ref().unwrap().closed {
            None => {}
            Some(4002) => self.socket = None,
            Some(code) => panic!("P{} was closed with {code}", self.place),
        }
    }

    fn take(&mut self, message: Value) {
        if let Some(id) = message["id"].as_u64() {
            let place = self.pending.iter().position(|pending| pending.request["id"] == id);
            let place = place.unwrap_or_else(|| panic!("answered twice: {message}"));
            let pending = self.pending.remove(place);
            assert_eq!(Some(&message["success"]), pending.success.map(Value::from).as_ref());
            return;
        }
        let seq = message["seq"].as_u64().unwrap_or_else(|| panic!("no event: {message}"));
        assert!(seq > self.last_seq, "P{} heard {} before {message}", self.place, self.last_seq);
        self.last_seq = seq;
        if is_event(&message) {
            self.heard.push(without_number(message));
        } else {
            self.state = message["data"]["state"].clone();
        }
    }
}

/// Whether it is an event of the room and not its state, of which some are left out.
fn is_event(message: &Value) -> bool {
    message["seq"].is_u64() && message["type"] != "room_state"
}

fn without_number(event: Value) -> Value {
    json!({"type": event["type"], "data": event["data"]})
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLAYERS_MAX;
    let codec = || prop::sample::select(&Codec::ALL[..]);
    let audience = prop_oneof![
        Just(Audience::Everyone),
        Just(Audience::Players),
        Just(Audience::Spectators),
        (0..PLAYERS_MAX).prop_map(Audience::Only),
        (0..PLAYERS_MAX).prop_map(Audience::AllBut),
    ];
    let deed = prop_oneof![
        3 => Just(Deed::Chat),
        3 => (0..4i64).prop_map(Deed::Set),
        5 => audience.prop_map(Deed::Tell),
        1 => any::<bool>().prop_map(Deed::Watch),
    ];
    // Short of the time after which a bot sits in, or beyond it.
    let duration = prop::sample::select(vec![Duration::from_secs(1), Duration::from_secs(61)]);
    prop_oneof![
        20 => (place(), deed).prop_map(|(place, deed)| Step::Ask(place, deed)),
        10 => (place(), 1..12usize).prop_map(|(place, messages)| Step::Read(place, messages)),
        2 => place().prop_map(Step::Lose),
        4 => (place(), codec()).prop_map(|(place, codec)| Step::Return(place, codec)),
        1 => (place(), codec()).prop_map(|(place, codec)| Step::JoinAgain(place, codec)),
        1 => codec().prop_map(Step::JoinLate),
        1 => duration.prop_map(Step::Pass),
    ]
}

proptest! {
    // A seed on disk would be a file that the build leaves in the sources.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    })]

    /// Or with a picture of the room that accounts for the gap, where there had to be one.
    #[test]
    fn everyone_ends_with_what_was_meant_for_it_in_order_and_once(
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
            }
            world.end().await;
        });
    }
}

const CASES: u32 = 128;

/// Players beside the witness: at first, and with those who come late.
const PLAYERS_FIRST: usize = 3;
const PLAYERS_MAX: usize = 5;

/// A place that nobody takes.
const NOBODY: usize = usize::MAX;

/// Small, so that both are met: what a client may leave unread, and what a room keeps.
const OUTBOX_MAX: usize = 24;
const HISTORY_MAX: usize = 16;

/// Requests that a client leaves unanswered at most.
const PENDING_MAX: usize = 6;

/// After so many times of coming back and reading, everyone has read everything.
const ROUNDS_MAX: usize = 4;
