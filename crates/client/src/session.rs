//! What a player keeps to come back to its seat.

use parlor_protocol::{GameType, PlayerId, RoomCode, Secret};
use serde::{Deserialize, Serialize};

/// A seat that can be taken again, over any connection and after a restart of the program.
///
/// The token is a secret: who holds it holds the seat. Serialising a session writes it out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The room.
    pub room_id: RoomCode,
    /// Its game.
    pub game_type: GameType,
    /// Who the player is there.
    pub player_id: PlayerId,
    /// What the server knows the player by.
    pub token: Secret,
    /// Names the history that `last_seq` counts in.
    pub epoch: String,
    /// The highest number seen in events.
    pub last_seq: u64,
    /// The highest id that was given to a request.
    pub last_id: u64,
    /// How often coming back was tried.
    pub attempt: u64,
}

/// What every answer that leads to a seat has in common.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seated {
    pub(crate) room_id: RoomCode,
    pub(crate) game_type: GameType,
    pub(crate) player_id: PlayerId,
    /// Absent after `reconnect`, which leaves the token as it is.
    #[serde(default)]
    pub(crate) session_token: Option<Secret>,
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    pub(crate) last_id: u64,
}
