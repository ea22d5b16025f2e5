//! The events: their names, and the data of each.
//!
//! Some events carry a type that lives elsewhere: `player_joined` and `player_replaced` a
//! [`Player`](crate::Player), `chat_message` a [`ChatMessage`](crate::ChatMessage), `room_updated` a
//! [`RoomInfo`], `game_started` a [`NoData`](crate::NoData).

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::error::ErrorDetail;
use crate::ids::{PlayerId, RequestId, RoomCode};
use crate::limits::CHAT_TEXT_CHARS_MAX;
use crate::patch::PatchOp;
use crate::room::{CloseReason, GameType, LeaveReason, Phase, RoomInfo};

wire_enum! {
    /// The type of an event.
    pub enum EventType {
        /// Opens every socket.
        Welcome => "welcome",
        /// The receiver's view, whole.
        RoomState => "room_state",
        /// What changed in the receiver's view.
        RoomPatch => "room_patch",
        /// The game's own event.
        GameEvent => "game_event",
        /// An action that had waited for its step was refused.
        ActionRefused => "action_refused",
        /// Someone is in the room.
        PlayerJoined => "player_joined",
        /// A seat went to or from a bot.
        PlayerReplaced => "player_replaced",
        /// Someone is no longer in the room.
        PlayerLeft => "player_left",
        /// Someone lost its socket.
        PlayerDisconnected => "player_disconnected",
        /// Someone is back.
        PlayerReconnected => "player_reconnected",
        /// Someone is ready, or no longer.
        PlayerReady => "player_ready",
        /// Another player hosts, or none.
        HostChanged => "host_changed",
        /// The match began.
        GameStarted => "game_started",
        /// The match has a result.
        GameFinished => "game_finished",
        /// A line of chat.
        ChatMessage => "chat_message",
        /// The room's settings changed.
        RoomUpdated => "room_updated",
        /// The room is gone.
        RoomClosed => "room_closed",
        /// Rooms came, changed or went.
        RoomListUpdate => "room_list_update",
        /// The server will go away.
        ServerDraining => "server_draining",
        /// Whoever runs the server has something to say.
        ServerNotice => "server_notice",
    }
}

impl EventType {
    /// Whether the event belongs to a room and takes one of its numbers.
    pub const fn has_seq(self) -> bool {
        !matches!(
            self,
            Self::Welcome | Self::RoomListUpdate | Self::ServerDraining | Self::ServerNotice
        )
    }
}

/// Data of `welcome`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
    pub protocol: u32,
    /// The server's name and version.
    pub server: Cow<'static, str>,
    /// Names this connection in the server's log.
    pub connection_id: String,
    /// The server's clock, in milliseconds since 1970.
    pub server_time: u64,
    /// Silence, in milliseconds, after which the server pings.
    pub heartbeat_ms: u64,
    /// What a client must keep to.
    pub limits: WelcomeLimits,
}

/// The limits that `welcome` states.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WelcomeLimits {
    /// Bytes in one message from the client.
    pub max_message_bytes: u64,
    /// Requests a second that are sustained.
    pub messages_per_second: u32,
}

/// Data of `room_state`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "RoomState"))]
pub struct RoomState<V> {
    /// The version of `state`.
    pub version: u64,
    /// Where the match stands.
    pub phase: Phase,
    /// The receiver's view of the game.
    pub state: V,
}

/// Data of `room_patch`: RFC 6902 on the view of version `base`. [`apply_patch`](crate::apply_patch)
/// does what it says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomPatch {
    /// The version after the patch.
    pub version: u64,
    /// The version that it applies to.
    pub base: u64,
    /// What to do, in order.
    pub ops: Vec<PatchOp>,
}

/// Data of `game_event`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GameEvent"))]
#[serde(bound(deserialize = "D: Deserialize<'de>"))]
pub struct GameEvent<D> {
    /// What happened, by the game's name for it.
    pub name: Cow<'static, str>,
    /// What the game says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<D>,
}

/// Data of `action_refused`: what became of an action that had been accepted to wait for a step of the game.
/// For its player alone.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActionRefused {
    /// The request that brought it, if it had an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Why it was refused.
    pub error: ErrorDetail,
}

/// Data of `player_left`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlayerLeft {
    /// Who.
    pub player_id: PlayerId,
    /// Why.
    pub reason: LeaveReason,
}

/// Data of `player_disconnected`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlayerDisconnected {
    /// Who.
    pub player_id: PlayerId,
    /// Until when its seat is held, in milliseconds since 1970.
    pub grace_until: u64,
}

/// Data of `player_reconnected`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlayerReconnected {
    /// Who.
    pub player_id: PlayerId,
}

/// Data of `player_ready`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlayerReady {
    /// Who.
    pub player_id: PlayerId,
    /// Whether it is ready.
    pub ready: bool,
}

/// Data of `host_changed`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostChanged {
    /// Who hosts now, if anyone does.
    pub player_id: Option<PlayerId>,
}

/// Data of `game_finished`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GameFinished"))]
pub struct GameFinished<R> {
    /// The game's result.
    pub result: R,
}

/// Data of `room_closed`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RoomClosed {
    /// Which room.
    pub room_id: RoomCode,
    /// Why.
    pub reason: CloseReason,
}

/// Data of `room_list_update`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RoomListUpdate {
    /// The game that was subscribed to.
    pub game_type: GameType,
    /// Rooms that came or changed.
    pub changed: Vec<Arc<RoomInfo>>,
    /// Rooms that went, or can no longer be joined.
    pub removed: Vec<RoomCode>,
}

/// Data of `server_notice`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerNotice {
    /// What is said to everyone.
    #[validate(length(min = 1, max = CHAT_TEXT_CHARS_MAX))]
    pub text: String,
}

/// Data of `server_draining`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ServerDraining {
    /// How long to wait before connecting again.
    pub reconnect_after_ms: u64,
}
