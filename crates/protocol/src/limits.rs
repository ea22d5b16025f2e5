//! Every bound of the protocol, in one place.
//!
//! A name says the unit and which end it bounds. What an operator may change is a field of
//! [`FrameLimits`]; the constants are part of the contract. Bounds of the server alone (queues,
//! rates, connections) live with what they bound.

/// How large and how deep a frame from a client may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameLimits {
    /// Bytes in one frame. Defaults to [`MESSAGE_BYTES_MAX`].
    ///
    /// What is decoded from a message takes up to some 40 times its bytes while it is handled.
    pub message_bytes_max: usize,
    /// Levels of objects and arrays in one message, its own object included and a batch's
    /// array not. Defaults to [`NESTING_MAX`]. Each level costs stack while decoding.
    pub nesting_max: u8,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self { message_bytes_max: MESSAGE_BYTES_MAX, nesting_max: NESTING_MAX }
    }
}

/// Default for [`FrameLimits::message_bytes_max`].
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Default for [`FrameLimits::nesting_max`].
pub const NESTING_MAX: u8 = 16;

/// Levels of objects and arrays that a client accepts in a message from its server, whose views
/// may be deeper than what clients send.
pub const SERVER_NESTING_MAX: u8 = 100;

/// Requests in one batch.
pub const BATCH_REQUESTS_MAX: usize = 32;

/// Characters in a message's `type`.
pub const TYPE_CHARS_MAX: usize = 64;

/// The largest integer on the wire, 2^53 - 1: above it, JavaScript no longer counts by ones.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Characters in the address of a node. A client takes a longer one for none.
pub const URL_CHARS_MAX: usize = 200;

/// Characters in a `gameType`.
pub const GAME_TYPE_CHARS_MAX: u64 = 64;

/// Characters in a player's name, after trimming and NFC.
pub const NAME_CHARS_MAX: usize = 32;

/// Characters in one line of chat.
pub const CHAT_TEXT_CHARS_MAX: u64 = 500;

/// Characters in a room's password.
pub const PASSWORD_CHARS_MAX: u64 = 64;

/// Bytes of a room's metadata, counted in its compact JSON form whatever the codec.
pub const METADATA_BYTES_MAX: usize = 1024;

/// Fewest characters in a joining request's `key`.
pub const KEY_CHARS_MIN: u64 = 16;

/// Most characters in a joining request's `key`.
pub const KEY_CHARS_MAX: u64 = 64;

/// Characters in an opaque string that a client hands back: session token, epoch, cursor.
pub const OPAQUE_CHARS_MAX: u64 = 256;

/// Characters in an access token.
pub const ACCESS_TOKEN_CHARS_MAX: u64 = 8192;

/// Characters in the name of a bot's level.
pub const BOT_LEVEL_CHARS_MAX: u64 = 32;

/// The largest `maxPlayers` that is read at all; a game's own range is narrower.
pub const SEATS_MAX: u32 = 65_535;

/// Rooms in one page of `list_rooms` when the client names no `limit`.
pub const LIST_ROOMS_DEFAULT: u32 = 50;

/// Most rooms in one page of `list_rooms`, and in the answer to `subscribe_rooms`.
pub const LIST_ROOMS_MAX: u32 = 200;

/// Responses remembered for a seat.
pub const REMEMBERED_RESPONSES_MAX: usize = 64;

/// Requests with an id that a client keeps unanswered.
pub const UNANSWERED_REQUESTS_MAX: usize = 32;

/// Characters of a path in `details.fields`; the rest is cut, since map keys are the client's.
pub const FIELD_PATH_CHARS_MAX: usize = 256;
