//! What is said about a room and the people in it, wherever it is said.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{PlayerId, RoomCode};

/// A game's name on the wire: a constant on a server, owned on a client.
pub type GameType = Cow<'static, str>;

/// A JSON object of any shape: options and metadata.
pub type Object = Map<String, Value>;

wire_enum! {
    /// Where a room stands in its match.
    pub enum Phase {
        /// Players gather.
        Lobby => "lobby",
        /// The match is on.
        Playing => "playing",
        /// The match has a result.
        Finished => "finished",
    }
}

wire_enum! {
    /// Who holds a seat, or that nobody does and the person watches.
    pub enum PlayerKind {
        /// A person at a seat.
        Human => "human",
        /// A program at a seat.
        Bot => "bot",
        /// A person without a seat.
        Spectator => "spectator",
    }
}

wire_enum! {
    /// Why a player is no longer in the room.
    pub enum LeaveReason {
        /// It left.
        Left => "left",
        /// The host removed it.
        Kicked => "kicked",
        /// Its grace period ran out.
        Timeout => "timeout",
        /// The game or the host (a bot) took it out.
        Removed => "removed",
    }
}

wire_enum! {
    /// Why a room closed.
    pub enum CloseReason {
        /// No human was left.
        Empty => "empty",
        /// The match was over and nothing happened any more.
        Finished => "finished",
        /// An administrator closed it.
        Admin => "admin",
        /// The game failed too often in a row.
        Error => "error",
        /// Nobody came, or it lived too long.
        Expired => "expired",
    }
}

/// One person or bot in a room.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Player {
    /// Its id, for the life of the room.
    pub player_id: PlayerId,
    /// Its name, unique in the room.
    pub name: String,
    /// Human, bot or spectator.
    pub kind: PlayerKind,
    /// Whether a socket is attached; always true for a bot.
    pub connected: bool,
    /// Whether it said that it is ready; always true for a bot.
    pub ready: bool,
}

/// What a listing says about a room.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RoomInfo {
    /// The room's code.
    pub room_id: RoomCode,
    /// The game played there.
    pub game_type: GameType,
    /// Seats taken, by humans and bots.
    pub player_count: u32,
    /// Seats taken by bots.
    pub bot_count: u32,
    /// Seats in all.
    pub max_players: u32,
    /// People watching.
    pub spectator_count: u32,
    /// Where its match stands.
    pub phase: Phase,
    /// Whether joining asks for a password.
    pub has_password: bool,
    /// Whether the host has closed it to newcomers.
    pub locked: bool,
    /// Whether someone who knows the password, if there is one, could take a seat now.
    pub joinable: bool,
    /// The game's options, with defaults filled in. They never change, so they are shared.
    pub options: Arc<Object>,
    /// What the host says about it.
    pub metadata: Object,
    /// When it was created, in milliseconds since 1970.
    pub created_at: u64,
}

/// One line of chat: the data of `chat_message`, and a line in `Joined`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// Who said it.
    pub player_id: PlayerId,
    /// Its name when it said it, since it may have left.
    pub name: String,
    /// What it said.
    pub text: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
}
