//! Rounds of the arena to measure: one in a room of its own, and players at a gateway without sockets.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use parlor_core::{Command, Digest, Join, Origin, Phase, PlayerId, Room, Seed, Setup, Time};
use parlor_games::Arena;
use parlor_games::arena::{Event, Options};
use parlor_gateway::outbox::{Message, Outbox, Taken};
use parlor_gateway::{Connection, Gateway, Handled};
use parlor_protocol::Codec;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

/// A round that goes on for ever: a host who stands still, and bots.
pub struct Round {
    room: Room<Arena>,
    host: PlayerId,
    bots: usize,
    games: u64,
}

impl Round {
    /// A round that has just begun.
    pub fn of(bots: usize) -> Self {
        Self::numbered(bots, 0)
    }

    fn numbered(bots: usize, games: u64) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&games.to_le_bytes());
        let now = Time::from_millis(0);
        let options: Options =
            serde_json::from_value(json!({"roundSeconds": 600})).expect("these are options");
        let setup = Setup::new(options, Seed(seed), now);
        let mut room = Room::create(Arc::new(Arena), setup).expect("a room can be made");

        let join = Join::new("Host", Digest([1; 32]));
        let commit = room.apply(now, Command::Join(join)).expect("there is a seat");
        let host = commit.seated.expect("the host has a seat");
        room.publish(commit);
        let mut round = Self { room, host, bots, games };
        for _ in 0..bots {
            let level = Some("sprinter".to_owned());
            round.apply(now, Command::AddBot { by: host, name: None, level });
        }
        round.apply(now, Command::Start(host));
        round
    }

    /// What the room does next: nearly always one step.
    pub fn step(&mut self) {
        if self.room.head().phase != Phase::Playing {
            *self = Self::numbered(self.bots, self.games + 1);
        }
        let at = self.next();
        let Some(commit) = self.room.advance(at) else { return };
        let is_it = |event: &Event| match *event {
            Event::Tagged { player, .. } | Event::Chosen { player } => player == self.host,
            Event::Dashed { .. } => false,
        };
        let host_is_it = commit.game_events.iter().any(|(_, event)| is_it(event));
        self.room.publish(commit);
        if host_is_it {
            // Before one who chases nobody all the others would soon stand still.
            self.apply(at, Command::SetSpectator(self.host, true));
            self.apply(at, Command::SetSpectator(self.host, false));
        }
    }

    /// The same, and then what bots decide, as a driver of rooms lets them.
    pub fn step_with_bots(&mut self) {
        self.step();
        let now = self.next();
        for turn in self.room.due_bots(now) {
            let (bot, seen) = (turn.player(), turn.version());
            let action = turn.decide();
            // Refused only when the round is over.
            if let Ok(Some(commit)) = self.room.answer(now, bot, seen, action) {
                self.room.publish(commit);
            }
        }
    }

    /// Lets the host say that it stands still, which it does anyway.
    pub fn act(&mut self) {
        let now = self.next();
        let origin = Origin::Request(None);
        if let Ok(commit) = self.room.act(now, self.host, Default::default(), origin) {
            self.room.publish(commit);
        }
    }

    fn apply(&mut self, now: Time, command: Command) {
        let commit = self.room.apply(now, command).expect("the room allows what is asked of it");
        self.room.publish(commit);
    }

    fn next(&self) -> Time {
        self.room.wake_at().expect("a room that is open wants to be called")
    }
}

impl fmt::Debug for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Round").field("bots", &self.bots).finish_non_exhaustive()
    }
}

/// A player at a gateway. What is sent to it waits until it is [`taken`](take).
#[derive(Debug)]
pub struct Guest {
    connection: Connection,
}

impl Guest {
    /// Connects.
    pub fn connect(gateway: &Arc<Gateway>, codec: Codec) -> Self {
        Self { connection: gateway.connect(codec) }
    }

    /// Sends a request.
    pub async fn send(&mut self, kind: &str, data: &Value) {
        let codec = self.connection.codec();
        let request = codec.encode(&json!({"type": kind, "data": data}));
        let request = request.expect("a tree can be encoded");
        match self.connection.handle(codec.frame_kind(), &request) {
            Handled::Done => {}
            Handled::Pending(future) => future.await,
        }
    }

    /// Sends a request that must succeed, and gives its data. What else was sent before is dropped.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub async fn must(&mut self, kind: &str, data: Value) -> Value {
        self.send(kind, &data).await;
        let mut taken = Vec::new();
        loop {
            taken.clear();
            assert!(take(self.outbox(), &mut taken).await, "the gateway closed the connection");
            for message in &taken {
                let message = read(self.connection.codec(), &message.payload);
                if message["success"].is_boolean() {
                    assert_eq!(message["success"], true, "{kind}: {message}");
                    return message["data"].clone();
                }
            }
        }
    }

    /// What waits for this player.
    pub fn outbox(&self) -> &Arc<Outbox> {
        self.connection.outbox()
    }

    /// Runs about in squares for so long, and shows what it is sent. Chases nobody: when it is it, it steps out of
    /// the field and in again, for others to be it, or all would soon stand still.
    pub async fn run_about(
        mut self,
        me: PlayerId,
        until: Instant,
        mut see: impl FnMut(&[u8]),
    ) -> Self {
        let ways = [(1, 0), (0, 1), (-1, 0), (0, -1)].into_iter().cycle();
        let mut taken = Vec::new();
        for (dx, dy) in ways {
            if Instant::now() >= until {
                break;
            }
            self.send("game_action", &json!({"dx": dx, "dy": dy})).await;
            let turn = until.min(Instant::now() + SIDE);
            while let Ok(true) = timeout_at(turn, take(self.outbox(), &mut taken)).await {
                let mut is_it = false;
                for message in taken.drain(..) {
                    see(&message.payload);
                    is_it |= makes_it(me, self.connection.codec(), &message.payload);
                }
                if is_it {
                    self.send("set_role", &json!({"spectator": true})).await;
                    self.send("set_role", &json!({"spectator": false})).await;
                    self.send("game_action", &json!({"dx": dx, "dy": dy})).await;
                }
            }
        }
        self
    }
}

/// Whether a message tells that a player is it.
fn makes_it(player: PlayerId, codec: Codec, payload: &[u8]) -> bool {
    const KIND: &[u8] = b"game_event";
    let start = &payload[..payload.len().min(32)];
    if !start.windows(KIND.len()).any(|part| part == KIND) {
        return false;
    }
    let message = read(codec, payload);
    message["data"]["name"] != "dashed" && message["data"]["data"]["player"] == player.0
}

/// How long one runs along a side of a square.
const SIDE: Duration = Duration::from_millis(1500);

/// Waits for messages, as a socket's writer does, and takes them out. `false` when no more will come.
pub async fn take(outbox: &Outbox, taken: &mut Vec<Message>) -> bool {
    match poll_fn(|cx| outbox.poll_take(cx, 64, taken)).await {
        Taken::Messages { .. } => true,
        Taken::Close { .. } => false,
    }
}

/// A message as a tree.
///
/// # Panics
///
/// When it is none.
pub fn read(codec: Codec, payload: &[u8]) -> Value {
    match codec {
        Codec::Json => serde_json::from_slice(payload).expect("a message"),
        Codec::MsgPack => rmp_serde::from_slice(payload).expect("a message"),
    }
}
