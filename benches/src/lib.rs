//! What the benchmarks share: the smallest game worth measuring, and a table of players without
//! sockets. [`arena`] has the same for a game that steps.

pub mod arena;
pub mod load;
pub mod returning;

use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parlor_core::{About, Ctx, Game, GameError, Never, PlayerId, Rules, ViewKey, Viewer};
use parlor_gateway::outbox::{Message, Taken};
use parlor_gateway::{Connection, Gateway, GatewayBuilder, GatewayConfig, Handled};
use parlor_protocol::limits::FrameLimits;
use parlor_protocol::{Codec, Request, read_frame};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub mod swarm;
pub mod talk;

/// Players move a marker; everyone sees where it is. Its state is `Copy`.
#[derive(Debug)]
pub struct Marker;

/// Where the marker is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    x: i32,
    y: i32,
    moves: u32,
}

/// How far it goes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Move {
    /// To the right.
    pub dx: i32,
    /// Down.
    pub dy: i32,
}

/// Nothing to choose.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NoOptions {}

impl Game for Marker {
    const GAME_TYPE: &'static str = "marker";
    type Options = NoOptions;
    type State = Place;
    type Action = Move;
    type Event = Never;
    type View = Place;
    type Timer = Never;
    type Outcome = Never;

    fn about(&self) -> About {
        About::new("Marker", 2, 1000)
    }

    fn rules(&self, _options: &NoOptions) -> Rules {
        Rules::seats(2, 1000)
    }

    fn setup(&self, _options: &NoOptions, _ctx: &mut Ctx<'_, Self>) -> Result<Place, GameError> {
        Ok(Place { x: 0, y: 0, moves: 0 })
    }

    fn on_action(
        &self,
        state: &mut Place,
        _player: PlayerId,
        action: Move,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.x = state.x.wrapping_add(action.dx);
        state.y = state.y.wrapping_add(action.dy);
        state.moves = state.moves.wrapping_add(1);
        Ok(())
    }

    fn view(&self, state: &Place, _viewer: Viewer) -> Place {
        *state
    }

    fn view_key(&self, _viewer: Viewer) -> ViewKey {
        ViewKey::Everyone
    }
}

/// A room in play, and the connections of everyone in it.
#[derive(Debug)]
pub struct Table {
    players: Vec<Connection>,
    taken: Vec<Message>,
    /// The first player's next request.
    action: Vec<u8>,
    _gateway: Arc<Gateway>,
}

impl Table {
    /// A started room of `seats` players. Must be called within a tokio runtime.
    pub fn of(seats: usize) -> Self {
        let gateway = unhurried().game(Marker).start();
        let mut table = Self {
            players: Vec::new(),
            taken: Vec::new(),
            action: ACTION.to_vec(),
            _gateway: gateway,
        };

        let mut room_id = Value::Null;
        for seat in 0..seats {
            let mut player = table._gateway.connect(Codec::Json);
            let name = format!("Player {seat}");
            let request = if seat == 0 {
                let data = json!({"gameType": "marker", "playerName": name, "maxPlayers": seats});
                json!({"type": "create_room", "data": data})
            } else {
                let data = json!({"roomId": room_id, "playerName": name});
                json!({"type": "join_room", "data": data})
            };
            run(&mut player, request.to_string().as_bytes());
            if seat == 0 {
                room_id = joined_room(&player);
            }
            table.players.push(player);
            // Everyone is told of everyone: what waits would grow past the outboxes' bound.
            table.drain();
        }
        table
    }

    /// Lets the first player act, by a request with an id above the last one.
    pub fn act(&mut self) {
        raise_id(&mut self.action);
        run(&mut self.players[0], &self.action);
    }

    /// Takes out what waits for the players, as their writers would.
    pub fn drain(&mut self) {
        drain(&self.players, &mut self.taken);
    }
}

/// An action as a client sends it.
pub const ACTION: &[u8] = br#"{"type":"game_action","id":1000000000,"data":{"dx":1,"dy":-1}}"#;

/// Reads [`ACTION`] up to the decoded move.
pub fn read_action() {
    let limits = FrameLimits::default();
    let frame = read_frame(Codec::Json, black_box(ACTION), &limits);
    let request = frame.ok().and_then(|frame| frame.requests().next()?.ok());
    let action = request.and_then(|envelope| match Request::parse(&envelope) {
        Ok(Request::GameAction(data)) => data.decode::<Move>().ok(),
        _ => None,
    });
    black_box(action);
}

/// Counts up the id of [`ACTION`] where it stands: a request that comes again with its id would
/// only be answered again.
fn raise_id(action: &mut [u8]) {
    for digit in action[ID_DIGITS].iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

/// Where the digits of the id stand in [`ACTION`].
const ID_DIGITS: std::ops::Range<usize> = 27..37;

/// A gateway without games whose clients may ask as often as they like: what is measured is the room.
fn unhurried() -> GatewayBuilder {
    let mut config = GatewayConfig::default();
    config.requests_per_second = u32::MAX;
    config.requests_burst = u32::MAX;
    Gateway::builder(config)
}

/// Takes out what waits for all of them, in batches as a writer would. Gives the bytes of it.
fn drain(players: &[Connection], taken: &mut Vec<Message>) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = 0;
    for player in players {
        while let Poll::Ready(Taken::Messages { .. }) =
            player.outbox().poll_take(&mut cx, 64, taken)
        {
            bytes += taken.drain(..).map(|message| message.payload.len()).sum::<usize>();
        }
    }
    bytes
}

fn run(player: &mut Connection, frame: &[u8]) {
    match player.handle(player.codec().frame_kind(), frame) {
        Handled::Done => {}
        Handled::Pending(mut future) => {
            // The store is in memory, so nothing is ever waited for.
            let mut cx = Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(&mut cx).is_ready());
        }
    }
}

fn joined_room(player: &Connection) -> Value {
    joined(player)["roomId"].clone()
}

/// What a player was answered who has just sat down.
fn joined(player: &Connection) -> Value {
    let mut cx = Context::from_waker(Waker::noop());
    let mut taken = Vec::new();
    let polled = player.outbox().poll_take(&mut cx, 64, &mut taken);
    assert!(polled.is_ready(), "the answer is there");
    taken
        .iter()
        .filter_map(|message| serde_json::from_slice::<Value>(&message.payload).ok())
        .map(|mut message| message["data"].take())
        .find(|data| data.get("sessionToken").is_some())
        .expect("a room was joined")
}
