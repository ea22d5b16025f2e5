//! The data of every successful response.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{PlayerId, RoomCode};
use crate::player_name::PlayerName;
use crate::room::{ChatMessage, GameType, Phase, Player, RoomInfo};
use crate::secret::Secret;

/// Answers `ping`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Pong {
    /// The server's clock, in milliseconds since 1970.
    pub server_time: u64,
}

/// Answers `authenticate`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Authenticated {
    /// The name that it will have in rooms, whatever it asks for; absent when it may choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player_name: Option<PlayerName>,
}

/// Answers `list_games`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GameList {
    /// Every game of this server.
    pub games: Vec<GameSummary>,
}

/// One game in `list_games`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct GameSummary {
    /// Its name in requests.
    pub game_type: GameType,
    /// Its name for people.
    pub title: GameType,
    /// Fewest seats taken to start, with default options.
    pub min_players: u32,
    /// Most seats, with default options.
    pub max_players: u32,
    /// Whether `add_bot` works.
    pub bots: bool,
    /// Whether it ticks by itself.
    pub realtime: bool,
}

/// Answers `list_rooms`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomList {
    /// Public rooms, newest first.
    pub rooms: Vec<Arc<RoomInfo>>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Answers `subscribe_rooms`, and with no rooms `unsubscribe_rooms`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomSubscription {
    /// Joinable public rooms, newest first.
    pub rooms: Vec<Arc<RoomInfo>>,
    /// Whether there are more than these.
    pub more: bool,
}

/// Answers a request that attaches the socket to a seat, by a whole picture of the room.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Joined"))]
#[serde(rename_all = "camelCase")]
pub struct Joined<V> {
    /// The room.
    pub room_id: RoomCode,
    /// Its game.
    pub game_type: GameType,
    /// Who the receiver is there.
    pub player_id: PlayerId,
    /// What brings the receiver back. Present after joining, absent after `reconnect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
    /// Names the history that `seq` counts in.
    pub epoch: String,
    /// The room's number at this picture; events with higher ones follow.
    pub seq: u64,
    /// The highest request id that the seat has handled, 0 before the first.
    pub last_id: u64,
    /// The version of `state`.
    pub version: u64,
    /// Where the match stands.
    pub phase: Phase,
    /// Who hosts.
    pub host: Option<PlayerId>,
    /// Everyone in the room.
    pub players: Vec<Player>,
    /// The receiver's view of the game.
    pub state: V,
    /// The last lines of chat, oldest first.
    pub chat: Vec<ChatMessage>,
    /// Where the room's own node can be reached, as in `wss://node-2.example.com/ws`. Absent where the
    /// socket is as near to the room as it can be. Who stays all the same misses nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Answers `reconnect`; the field `resumed` tells which.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Resumed"))]
#[serde(tag = "resumed", rename_all = "snake_case")]
pub enum Resumed<V> {
    /// Every event missed follows.
    Replayed(Replayed),
    /// The history cannot be continued; here is the whole room.
    Snapshot(Box<Joined<V>>),
}

/// The answer to `reconnect` that is followed by every event missed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// The room.
    pub room_id: RoomCode,
    /// Its game.
    pub game_type: GameType,
    /// Who the receiver is there.
    pub player_id: PlayerId,
    /// Names the history that `seq` counts in.
    pub epoch: String,
    /// The request's `lastSeq`.
    pub seq: u64,
    /// The highest request id that the seat has handled, 0 before the first.
    pub last_id: u64,
    /// Where the room's own node can be reached, as in [`Joined::url`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Answers `get_state`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "StateSnapshot"))]
pub struct StateSnapshot<V> {
    /// The room's number at this state.
    pub seq: u64,
    /// The version of `state`, the new base for patches.
    pub version: u64,
    /// Where the match stands.
    pub phase: Phase,
    /// The receiver's view of the game.
    pub state: V,
}

/// Answers every other request that the room handles.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Seq {
    /// The room's number after the request.
    pub seq: u64,
}

/// Answers `add_bot`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AddedBot {
    /// The room's number after the request.
    pub seq: u64,
    /// Who the bot is.
    pub player_id: PlayerId,
}
