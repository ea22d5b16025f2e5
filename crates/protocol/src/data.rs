//! The data of every request that carries some, with its bounds.
//!
//! A bound that is a number stands in the `validate` attribute beside its field and in
//! [`limits`](crate::limits). A field that may be left out may also be null, which is the
//! same; only `update_room` tells the two apart, by [`Change`].

use serde::{Deserialize, Deserializer, Serialize};
use validator::{Validate, ValidationError};

use crate::change::Change;
use crate::ids::{PlayerId, RoomCode, lenient_room_code};
use crate::limits::{
    ACCESS_TOKEN_CHARS_MAX, BOT_LEVEL_CHARS_MAX, CHAT_TEXT_CHARS_MAX, GAME_TYPE_CHARS_MAX,
    INTEGER_MAX, KEY_CHARS_MAX, KEY_CHARS_MIN, LIST_ROOMS_DEFAULT, LIST_ROOMS_MAX,
    METADATA_BYTES_MAX, OPAQUE_CHARS_MAX, PASSWORD_CHARS_MAX, SEATS_MAX,
};
use crate::player_name::PlayerName;
use crate::room::Object;
use crate::secret::Secret;

/// Data of the requests that need none.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoData {}

/// Data of `authenticate`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Authenticate {
    /// What a service that the server believes has given out.
    #[validate(length(min = 1, max = ACCESS_TOKEN_CHARS_MAX))]
    pub token: Secret,
}

/// Data of `list_rooms`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ListRooms {
    /// Only rooms of this game.
    #[validate(length(min = 1, max = GAME_TYPE_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_type: Option<String>,
    /// Rooms in the page; see [`ListRooms::limit`].
    #[validate(range(min = 1, max = LIST_ROOMS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[validate(length(max = OPAQUE_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl ListRooms {
    /// How many rooms to answer with: what was asked for, or 50.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(LIST_ROOMS_DEFAULT)
    }
}

/// Data of `subscribe_rooms` and `unsubscribe_rooms`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OneGame {
    /// The game whose rooms are meant.
    #[validate(length(min = 1, max = GAME_TYPE_CHARS_MAX))]
    pub game_type: String,
}

/// Data of `create_room`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateRoom {
    /// The game to play.
    #[validate(length(min = 1, max = GAME_TYPE_CHARS_MAX))]
    pub game_type: String,
    /// Who will sit down in it.
    pub player_name: PlayerName,
    /// The game's options; none means its defaults.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Object::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Object>"))]
    pub options: Object,
    /// Whether listings and `quick_match` leave it out.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub private: bool,
    /// What newcomers must know.
    #[validate(length(min = 1, max = PASSWORD_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Fewer seats than the game allows.
    #[validate(range(min = 1, max = SEATS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_players: Option<u32>,
    /// Words for listings: an object of strings, numbers, booleans and nulls.
    #[validate(custom(function = "flat_and_small"))]
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Object::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Object>"))]
    pub metadata: Object,
    /// Makes sending it again safe.
    #[validate(length(min = KEY_CHARS_MIN, max = KEY_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
}

/// Data of `join_room`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JoinRoom {
    /// The room, or `None` when the text in its place cannot name one.
    #[serde(deserialize_with = "lenient_room_code")]
    #[cfg_attr(feature = "schema", schemars(with = "String", required))]
    pub room_id: Option<RoomCode>,
    /// Who will sit down in it.
    pub player_name: PlayerName,
    /// The room's password.
    #[validate(length(max = PASSWORD_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Whether to watch instead of taking a seat.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub spectator: bool,
    /// Makes sending it again safe.
    #[validate(length(min = KEY_CHARS_MIN, max = KEY_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
}

/// Data of `quick_match`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct QuickMatch {
    /// The game to play.
    #[validate(length(min = 1, max = GAME_TYPE_CHARS_MAX))]
    pub game_type: String,
    /// Who will sit down.
    pub player_name: PlayerName,
    /// The options that the room must have.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Object::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Object>"))]
    pub options: Object,
    /// Makes sending it again safe.
    #[validate(length(min = KEY_CHARS_MIN, max = KEY_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
}

/// Data of `reconnect`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reconnect {
    /// What joining gave out.
    #[validate(length(max = OPAQUE_CHARS_MAX))]
    pub session_token: Secret,
    /// The history that `last_seq` counts in.
    #[validate(length(max = OPAQUE_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The highest number seen in events.
    #[validate(range(max = INTEGER_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<u64>,
    /// Raised on each try, so that an abandoned one cannot win late.
    #[validate(range(max = INTEGER_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
}

/// Data of `set_ready`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetReady {
    /// Whether the player is ready.
    pub ready: bool,
}

/// Data of `set_role`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetRole {
    /// Whether to watch (true) or to take a seat (false).
    pub spectator: bool,
}

/// Data of `chat`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Chat {
    /// What to say, taken as it is.
    #[validate(length(min = 1, max = CHAT_TEXT_CHARS_MAX))]
    pub text: String,
}

/// Data of `add_bot`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddBot {
    /// Its name; otherwise the server picks one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PlayerName>,
    /// How well it plays, by a name that the game knows; otherwise the game's default.
    #[validate(length(min = 1, max = BOT_LEVEL_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

/// Data of `remove_bot` and `set_host`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OnePlayer {
    /// The player that is meant.
    pub player_id: PlayerId,
}

/// Data of `kick_player`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct KickPlayer {
    /// The player to remove.
    pub player_id: PlayerId,
    /// Whether it must not come back.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub ban: bool,
}

/// Data of `update_room`. What is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpdateRoom {
    /// Whether newcomers are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// Whether listings and `quick_match` leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// What newcomers must know; null takes the password away.
    #[validate(custom(function = "new_password"))]
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = PASSWORD_CHARS_MAX)))]
    pub password: Change<Secret>,
    /// Words for listings, in place of all the old ones; null takes them away.
    #[validate(custom(function = "new_metadata"))]
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub metadata: Change<Object>,
}

pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) const fn is_false(flag: &bool) -> bool {
    !*flag
}

fn new_password(password: &Change<Secret>) -> Result<(), ValidationError> {
    let chars = password.value().map_or(1, |secret| secret.expose().chars().count() as u64);
    if (1..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    let mut error = ValidationError::new("length");
    error.add_param("min".into(), &1);
    error.add_param("max".into(), &PASSWORD_CHARS_MAX);
    Err(error)
}

fn new_metadata(metadata: &Change<Object>) -> Result<(), ValidationError> {
    metadata.value().map_or(Ok(()), flat_and_small)
}

pub(crate) fn flat_and_small(metadata: &Object) -> Result<(), ValidationError> {
    if metadata.values().any(|value| value.is_array() || value.is_object()) {
        return Err(ValidationError::new("nested")
            .with_message("must hold only strings, numbers, booleans and nulls".into()));
    }
    // The compact form's length is counted as it is written, without writing it anywhere.
    let mut counter = ByteCounter(0);
    let fits =
        serde_json::to_writer(&mut counter, metadata).is_ok() && counter.0 <= METADATA_BYTES_MAX;
    if fits {
        return Ok(());
    }
    let mut error = ValidationError::new("size")
        .with_message(format!("must be at most {METADATA_BYTES_MAX} bytes as JSON").into());
    error.add_param("max".into(), &METADATA_BYTES_MAX);
    Err(error)
}

struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
